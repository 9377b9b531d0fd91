"""The recording of one run: a recorder in its process, watched, its end in the event log."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from bci.errors import RecordingError
from bci.recording.eventlog import EventLog
from bci.recording.process import RecorderProcess
from bci.recording.settings import RecorderSettings
from bci.recording.status import RecorderStatus, RecorderSummary, samples_by_source
from bci.recording.watch import RecorderWatch
from bci.sources.discovery import StreamQuery
from bci.sources.files import recording_hash

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
    timeout_s : float
        To wait for the streams to appear (s).
    settings : RecorderSettings
    orphan_s : float
        How long the recorder outlives its owner (s).
    """

    def __init__(
        self,
        queries: Sequence[StreamQuery],
        path: Path,
        log: EventLog,
        on_notice: Callable[[str], Any],
        on_failure: Callable[[BaseException], Any],
        *,
        timeout_s: float = 10.0,
        settings: RecorderSettings | None = None,
        orphan_s: float = 60.0,
    ) -> None:
        recorder = RecorderProcess(
            queries, path, timeout_s=timeout_s, settings=settings, orphan_s=orphan_s
        )
        self._begin(recorder, log, on_notice, on_failure)

    @classmethod
    def attach(
        cls,
        path: Path,
        log: EventLog,
        on_notice: Callable[[str], Any],
        on_failure: Callable[[BaseException], Any],
    ) -> Self:
        """Take over a recording whose owner is gone, and watch it.

        Raises
        ------
        RecordingError
            When nothing records the file any more.
        """
        self = cls.__new__(cls)
        self._begin(RecorderProcess.attach(path), log, on_notice, on_failure)
        self._watch.start()
        self._write("recording_taken_over")
        return self

    def _begin(
        self,
        recorder: RecorderProcess,
        log: EventLog,
        on_notice: Callable[[str], Any],
        on_failure: Callable[[BaseException], Any],
    ) -> None:
        self.path = recorder.path
        self._recorder, self._log, self._on_notice = recorder, log, on_notice
        self._told: set[str] = set()
        self._watch = RecorderWatch(recorder, self._notice, on_failure)

    def start(self) -> None:
        """Start; returns when the file is there and every stream is received.

        Raises
        ------
        StreamError, SettingsError
            When a stream is not there, or the file cannot be made.
        """
        self._recorder.start()
        self._watch.start()
        self._write("recording_started")

    @property
    def status(self) -> RecorderStatus | None:
        """The newest status, at most 0.2 s old; None before `start`."""
        return self._watch.status

    @property
    def pid(self) -> int | None:
        """Process id of the recorder."""
        return self._recorder.pid

    def add(self, query: StreamQuery) -> None:
        """Record a stream too, from when it appears."""
        self._recorder.add(query)

    def stop(self, *, completed: bool) -> RecorderSummary:
        """Receive what was sent until now, close the file, say in the log what is in it.

        Raises
        ------
        RolandicError
            When the file could not be written to its end. The log says so too, with the hash of
            what is there.
        """
        self._watch.stop()
        try:
            summary = self._recorder.stop()
        except Exception as error:
            self._write(
                "recording_failed",
                sha256=recording_hash(self.path) if self.path.is_file() else None,
                reason=str(error),
            )
            raise
        found = summary.readback
        if found is None:
            raise RecordingError(f"{summary.path} has not been read back")
        for notice in (*summary.notices, *(() if found.ok else (str(found),))):
            self._notice(notice)
        self._write(
            "recording_finished",
            sha256=found.sha256,
            samples=samples_by_source(summary.streams),
            readback=str(found),
            completed=completed,
        )
        return summary

    def _write(self, event: str, **fields: Any) -> None:
        """Write into the log; that it cannot be written is said, and ends no recording."""
        try:
            self._log.write(event, file=self.path.name, **fields)
        except RecordingError as error:
            self._notice(str(error))

    def _notice(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._on_notice(text)
