"""What the remote control's commands do to a daemon's recordings."""

from pathlib import Path

from bci.daemon.file_names import FileName
from bci.daemon.recordings import Recordings
from bci.errors import RecordingError
from bci.sources.discovery import StreamQuery, find_streams

__all__ = ["RecordingsTarget"]

_LOOK_S = 1.0


class RecordingsTarget:
    """A `RemoteTarget` over a daemon's recordings.

    Parameters
    ----------
    recordings : Recordings
    queries : tuple of StreamQuery
        The streams of the settings.
    folder : Path
        Under which recordings are made.
    """

    def __init__(
        self, recordings: Recordings, queries: tuple[StreamQuery, ...], folder: Path
    ) -> None:
        self._recordings, self._queries, self._folder = recordings, queries, folder

    def select(self, query: str) -> str:
        """Choose: all that is there and in the settings, nothing, or what a query adds."""
        if query == "none":
            self._recordings.queries = ()
            return "nothing is selected"
        if query == "all":
            there = find_streams(None, _LOOK_S)
            found = map(StreamQuery.of, there)
            self._recordings.queries = tuple(dict.fromkeys((*self._queries, *found)))
            return (
                f"{_counted(len(there), 'stream')} there, and {len(self._queries)} of the settings "
                "selected"
            )
        added = StreamQuery(predicate=query)
        there = find_streams(added, _LOOK_S)
        self._recordings.queries = tuple(dict.fromkeys((*self._recordings.queries, added)))
        if not there:
            return f"nothing matches {query} yet: it is waited for"
        return f"{_counted(len(there), 'stream')} matched by {query} selected"

    def filename(self, name: FileName) -> str:
        """Name the next recording."""
        self._recordings.name = name
        return str(name.pattern).replace("{run}", f"{name.run:02d}")

    def start(self) -> str:
        """Begin a recording."""
        path = self._recordings.start()
        status = self._recordings.status
        n_streams = 0 if status is None else sum(s.n_channels > 0 for s in status.streams)
        return f"recording to {self._shown(path)}, {_counted(n_streams, 'stream')}"

    def stop(self) -> str:
        """End the recording.

        Raises
        ------
        RecordingError
            When the file does not hold what was received.
        """
        summary = self._recordings.stop()
        n_samples = sum(stream.n_samples for stream in summary.streams)
        said = f"{self._shown(summary.path)} is closed, {n_samples} samples"
        found = summary.readback
        if found is None:
            return said
        if not found.ok:
            raise RecordingError(f"{said}; {found}")
        return f"{said}; {found}"

    def update(self) -> str:
        """Say which streams are there; what is selected and missing joins by itself."""
        there = find_streams(None, _LOOK_S)
        names = ", ".join(repr(stream.name) for stream in there)
        return f"{_counted(len(there), 'stream')} there" + (f": {names}" if names else "")

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def _counted(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
