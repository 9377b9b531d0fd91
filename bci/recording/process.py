"""The recorder in a process of its own: neither training nor a crash elsewhere costs a sample."""

from collections.abc import Sequence
from pathlib import Path

from bci.recording.recorder import Recorder
from bci.recording.status import RecorderStatus, RecorderSummary
from bci.sources.child import ChildProcess
from bci.sources.discovery import StreamQuery

__all__ = ["RecorderProcess"]


class _Recording:
    """The worker in the child; closes the file in order also when its parent is gone."""

    def __init__(self, queries: tuple[StreamQuery, ...], path: Path, timeout_s: float) -> None:
        self._recorder = Recorder(queries, path, timeout_s=timeout_s)
        self._recorder.start()

    def status(self) -> RecorderStatus:
        return self._recorder.status()

    def close(self) -> RecorderSummary:
        return self._recorder.stop()


class RecorderProcess:
    """A `Recorder` in a spawned process; the same parameters, the same life.

    Parameters
    ----------
    queries : sequence of StreamQuery
    path : Path
    timeout_s : float
    """

    def __init__(
        self, queries: Sequence[StreamQuery], path: Path, *, timeout_s: float = 10.0
    ) -> None:
        self.path = Path(path)
        self._timeout_s = timeout_s
        self._child = ChildProcess(
            "recorder", _Recording, (tuple(queries), self.path.absolute(), timeout_s)
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child.alive

    def start(self) -> None:
        """Start the process; returns when every stream is connected and the file is there.

        Raises
        ------
        StreamError, SettingsError
            As `Recorder.start` does.
        """
        self._child.start(self._timeout_s + 60.0)

    def status(self) -> RecorderStatus:
        """Return how it goes: counts, first and last stamps, notices."""
        status: RecorderStatus = self._child.ask("status")
        return status

    def stop(self) -> RecorderSummary:
        """Receive what was sent before, close the file, end the process.

        Raises
        ------
        RecordingError
            When the file could not be written to its end.
        RolandicError
            When the process has ended before.
        """
        summary: RecorderSummary | None = self._child.close()
        if summary is None:
            raise self._child.gone()
        return summary
