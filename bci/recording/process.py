"""The recorder in a process of its own: neither training nor a crash elsewhere costs a sample.

::

    start ──> recording ──stop──> closed, the owner has the summary
                 │  ^
     owner gone  │  │ attach
                 v  │
              orphaned ──orphan_s──> closed in order, a report beside the file

TERM closes the file in order too. INT, and HUP (a terminal that closes), are the owner's business.
"""

import atexit
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from bci.errors import RecordingError, RolandicError
from bci.recording import control
from bci.recording.settings import RecorderSettings
from bci.recording.status import RecorderStatus, RecorderSummary
from bci.recording.worker import Recording, live
from bci.sources.child import ChildProcess, Link
from bci.sources.discovery import StreamQuery

__all__ = ["RecorderProcess"]

_log = logging.getLogger(__name__)


class _Attached:
    """A recorder that another process has started; asked as `ChildProcess` is."""

    def __init__(self, path: Path) -> None:
        connection, self.pid = control.connect(path)
        self._link = Link("recorder", connection, self.gone)

    @property
    def alive(self) -> bool:
        return not self._link.ended()

    def gone(self) -> RolandicError:
        return RolandicError(f"the recorder process (process {self.pid}) ended unexpectedly")

    def ask(self, method: str, *arguments: Any) -> Any:
        return self._link.ask(method, *arguments)

    def close(self) -> Any:
        try:
            return self._link.ask("close")
        finally:
            if not self._link.ended(timeout_s=5.0):
                _log.warning("the recorder process %d does not end", self.pid)


class RecorderProcess:
    """A `Recorder` in a spawned process that survives whoever started it.

    Parameters
    ----------
    queries : sequence of StreamQuery
    path : Path
    timeout_s : float
        To wait for the streams to appear (s).
    settings : RecorderSettings
    orphan_s : float
        How long the recording goes on when its owner is gone (s); `attach` takes it over. Then it
        is closed in order, and ``NAME.xdf.recorder`` says so.

    Notes
    -----
    Several may be attached to one recorder; it is an orphan when all of them are gone.
    """

    def __init__(
        self,
        queries: Sequence[StreamQuery],
        path: Path,
        *,
        timeout_s: float = 10.0,
        settings: RecorderSettings | None = None,
        orphan_s: float = 60.0,
    ) -> None:
        self.path = Path(path)
        self._timeout_s = timeout_s
        arguments = (
            tuple(queries),
            self.path.absolute(),
            timeout_s,
            settings or RecorderSettings(),
            orphan_s,
        )
        self._peer: ChildProcess | _Attached = ChildProcess("recorder", Recording, arguments, live)

    @classmethod
    def attach(cls, path: Path) -> Self:
        """Take over the recorder of a file, whose owner may be gone.

        Raises
        ------
        RecordingError
            When nothing records the file any more: the message says whether it was closed in order
            or its recorder was killed.
        """
        self = cls.__new__(cls)
        self.path = Path(path)
        self._peer = _Attached(self.path)
        return self

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._peer.alive

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return self._peer.pid

    def start(self) -> None:
        """Start the process; returns when every stream is connected and the file is there.

        Raises
        ------
        StreamError, SettingsError
            As `Recorder.start` does.
        """
        if isinstance(self._peer, _Attached):
            raise RuntimeError("an attached recorder has been started before")
        self._peer.start(self._timeout_s + 60.0)
        # Else Python would end the process on its way out, which on Windows cuts the file.
        atexit.register(self._stop_at_exit)

    def status(self) -> RecorderStatus:
        """Return how it goes.

        Raises
        ------
        RolandicError
            When the process has ended.
        """
        status: RecorderStatus = self._peer.ask("status")
        return status

    def add(self, query: StreamQuery) -> None:
        """Record a stream too, from when it appears."""
        self._peer.ask("add", query)

    def stop(self) -> RecorderSummary:
        """Receive what was sent before, close the file, read it back, end the process.

        Raises
        ------
        RecordingError
            When the file could not be written to its end.
        RolandicError
            When the process has ended before.
        """
        atexit.unregister(self._stop_at_exit)
        try:
            summary: RecorderSummary | None = self._peer.close()
            if summary is None:
                raise self._peer.gone()
        except RolandicError as error:
            if not self.alive:
                control.remove(self.path)  # of one that was killed
                report = control.read_report(self.path)
                if report is not None:
                    raise RecordingError(
                        f"{self.path} was closed in order: {report['reason']}"
                    ) from error
            raise
        return summary

    def _stop_at_exit(self) -> None:
        try:
            self.stop()
        except RolandicError:
            _log.exception("closing %s at the end of its owner", self.path)
