"""Watching a recorder in its process: what goes wrong is said while there is time."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from bci.errors import RecordingError, RolandicError
from bci.recording.process import RecorderProcess

__all__ = ["RecorderWatch"]

_log = logging.getLogger(__name__)

_EVERY_S = 0.5


class RecorderWatch:
    """Asks a recorder twice a second how it is.

    Parameters
    ----------
    recorder : RecorderProcess
        Started.
    on_notice : callable
        Called with each thing that the user should know, once.
    on_failure : callable
        Called with the error when nothing is recorded any more; then the watch ends.
    """

    def __init__(
        self,
        recorder: RecorderProcess,
        on_notice: Callable[[str], Any],
        on_failure: Callable[[BaseException], Any],
    ) -> None:
        self._recorder, self._on_notice, self._on_failure = recorder, on_notice, on_failure
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder watch", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch; more than once is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        n_told = 0
        while not self._stop.wait(_EVERY_S):
            try:
                status = self._recorder.status()
            except RolandicError as error:
                self._on_failure(error)
                return
            for notice in status.notices[n_told:]:
                self._on_notice(notice)
            n_told = len(status.notices)
            if status.error is not None:
                self._on_failure(RecordingError(status.error))
                return
