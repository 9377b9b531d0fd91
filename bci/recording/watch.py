"""Watching a recorder in its process: what goes wrong is said while there is time."""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from bci.errors import RecordingError, RolandicError
from bci.recording.process import RecorderProcess
from bci.recording.status import RecorderStatus

__all__ = ["RecorderWatch"]

_log = logging.getLogger(__name__)

_EVERY_S = 0.2


class RecorderWatch:
    """Asks a recorder five times a second how it is.

    Parameters
    ----------
    recorder : RecorderProcess
        Started.
    on_notice : callable
        Called with each thing that the user should know, once.
    on_failure : callable
        Called with the error when nothing is recorded any more; then the watch ends.

    Attributes
    ----------
    status : RecorderStatus or None
        The newest answer, from `start` on; any thread may read it.
    """

    def __init__(
        self,
        recorder: RecorderProcess,
        on_notice: Callable[[str], Any],
        on_failure: Callable[[BaseException], Any],
    ) -> None:
        self._recorder, self._on_notice, self._on_failure = recorder, on_notice, on_failure
        self.status: RecorderStatus | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder watch", daemon=True)

    def start(self) -> None:
        """Ask once, then start to watch."""
        with contextlib.suppress(RolandicError):  # the thread will say it
            self.status = self._recorder.status()
        self._thread.start()

    def stop(self) -> None:
        """End the watch; more than once is harmless, and so it is from a callback."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        n_told = 0
        while not self._stop.wait(_EVERY_S):
            try:
                status = self.status = self._recorder.status()
            except RolandicError as error:
                if not self._stop.is_set():
                    self._call(self._on_failure, error)
                return
            for notice in status.notices[n_told:]:
                self._call(self._on_notice, notice)
            n_told = len(status.notices)
            if status.error is not None or status.finished:
                reason = status.error or (
                    status.notices[-1] if status.notices else f"{status.path} has been closed"
                )
                self._call(self._on_failure, RecordingError(reason))
                return

    @staticmethod
    def _call(callback: Callable[[Any], Any], content: Any) -> None:
        """Call a subscriber; one that fails must not end the watch."""
        try:
            callback(content)
        except Exception:
            _log.exception("telling %r", content)
