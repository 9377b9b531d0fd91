"""The recording of one run: a recorder in its process, watched, its end in the event log."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bci.recording.eventlog import EventLog
from bci.recording.process import RecorderProcess
from bci.recording.status import RecorderSummary
from bci.recording.watch import RecorderWatch
from bci.sources.discovery import StreamQuery
from bci.sources.reading import recording_hash

__all__ = ["RunRecording"]


class RunRecording:
    """Writes the streams of a run to a file from `start` to `stop`.

    Parameters
    ----------
    queries : sequence of StreamQuery
    path : Path
        Must not exist.
    log : EventLog
    on_notice : callable
        Called with what the user should know while it records, and at its end.
    on_failure : callable
        Called with the error when nothing is recorded any more.
    """

    def __init__(
        self,
        queries: Sequence[StreamQuery],
        path: Path,
        log: EventLog,
        on_notice: Callable[[str], Any],
        on_failure: Callable[[BaseException], Any],
    ) -> None:
        self._path, self._log, self._on_notice = path, log, on_notice
        self._told: set[str] = set()
        self._recorder = RecorderProcess(queries, path)
        self._watch = RecorderWatch(self._recorder, self._notice, on_failure)

    def start(self) -> None:
        """Start; returns when the file is there and every stream is received.

        Raises
        ------
        StreamError, SettingsError
            When a stream is not there, or the file cannot be made.
        """
        self._recorder.start()
        self._watch.start()
        self._log.write("recording_started", file=self._path.name)

    def stop(self, *, completed: bool) -> RecorderSummary:
        """Receive what was sent until now, close the file, say in the log what is in it.

        Raises
        ------
        RolandicError
            When the file could not be written to its end.
        """
        self._watch.stop()
        summary = self._recorder.stop()
        for notice in summary.notices:
            self._notice(notice)
        self._log.write(
            "recording_finished",
            file=self._path.name,
            sha256=recording_hash(self._path),
            samples={stream.name: stream.n_samples for stream in summary.streams},
            completed=completed,
        )
        return summary

    def _notice(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._on_notice(text)
