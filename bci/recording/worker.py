"""What runs in the recorder's process: a recorder, whoever owns it, and what is to end it.

The main thread waits for words: an owner has joined, has left, has closed the file; a signal came.
Each owner is answered in a thread of its own. Another reads the file back while it grows.
"""

import logging
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from bci.errors import RolandicError
from bci.recording import control
from bci.recording.readback import FileFollower
from bci.recording.recorder import Recorder
from bci.recording.settings import RecorderSettings
from bci.recording.status import RecorderStatus, RecorderSummary
from bci.sources.child import answer
from bci.sources.discovery import StreamQuery

__all__ = ["Recording", "live"]

_log = logging.getLogger(__name__)

#: How long a recorder that was told to end by a signal waits for its owner to ask for the summary.
_LINGER_S = 2.0
_TIME = "%Y-%m-%dT%H:%M:%S%z"
_JOINED, _LEFT, _CLOSED, _TERMINATED = "joined", "left", "closed", "terminated"


class Recording:
    """The worker in the child. Owners come and go; the main thread keeps count of them.

    Parameters
    ----------
    queries : tuple of StreamQuery
    path : Path
    timeout_s : float
    settings : RecorderSettings
    orphan_s : float
        How long it goes on without an owner (s).
    """

    def __init__(
        self,
        queries: tuple[StreamQuery, ...],
        path: Path,
        timeout_s: float,
        settings: RecorderSettings,
        orphan_s: float,
    ) -> None:
        for name in ("SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(signal.Signals[name], signal.SIG_IGN)
        self._path, self._orphan_s = path, orphan_s
        self._recorder = Recorder(queries, path, timeout_s=timeout_s, settings=settings)
        self._recorder.start()
        self._follower = FileFollower(path)
        self._follower.start()
        self._n_owners = 1
        self._closing, self._beside = threading.Lock(), threading.Lock()
        self._is_told = False
        self._summary: RecorderSummary | None = None
        self._ended_by: tuple[str, ...] = ()
        # What a signal's handler may put into.
        self._words: queue.SimpleQueue[str] = queue.SimpleQueue()
        signal.signal(signal.SIGTERM, self._terminate)
        self._control: control.ControlServer | None = None
        try:
            self._control = control.ControlServer(path, self._join)
        except OSError as error:
            # It records all the same; it only cannot be taken over.
            _log.warning("no control channel beside %s: %s", path, error.strerror)

    def status(self) -> RecorderStatus:
        """Return how it goes."""
        status = self._recorder.status()
        return replace(status, notices=(*status.notices, *self._ended_by))

    def add(self, query: StreamQuery) -> None:
        """Record a stream too, from when it appears."""
        self._recorder.add(query)

    def close(self) -> RecorderSummary:
        """Close the file; whoever asks has the summary, so nothing is left beside it."""
        try:
            return self._close()
        finally:
            with self._beside:
                self._is_told = True
                control.remove(self._path, report=True)

    def live(self, pipe: Connection) -> None:
        """Serve until told to close, or until nobody has been there for too long."""
        _leave_the_terminal()
        threading.Thread(target=self._serve, args=(pipe,), daemon=True).start()
        if self._control is not None:
            self._control.start()
        reason = self._wait_for_end()
        if reason is not None:
            self._end(reason)
        if self._control is not None:
            self._control.close()

    def _wait_for_end(self) -> str | None:
        """Wait; return why it ends by itself, None when an owner has closed it."""
        until_s = 0.0
        while True:
            try:
                left_s = None if self._n_owners else max(0.0, until_s - time.monotonic())
                word = self._words.get(timeout=left_s)
            except queue.Empty:
                return (
                    f"whoever started it was gone, and nobody took over within {self._orphan_s:g} s"
                )
            if word == _CLOSED:
                return None
            if word == _TERMINATED:
                return "its process was told to end by a signal"
            was_orphan = not self._n_owners
            self._n_owners += 1 if word == _JOINED else -1
            if was_orphan:
                self._recorder.note("taken_over")
                if self._control is not None:
                    self._control.closes_at(None)
            elif not self._n_owners:
                self._recorder.note("orphaned", closes_in_s=self._orphan_s)
                until_s = time.monotonic() + self._orphan_s
                if self._control is not None:
                    closes = time.localtime(time.time() + self._orphan_s)
                    self._control.closes_at(time.strftime(_TIME, closes))

    def _end(self, reason: str) -> None:
        """Close, leave a report beside the file, give an owner who is there time to ask."""
        self._ended_by = (f"{self._path} was closed in order: {reason}",)
        self._recorder.note("ended", reason=reason)
        try:
            report = _report(self._close())
        except RolandicError as error:
            report = {"error": str(error)}
        with self._beside:  # an owner may have asked meanwhile: then nobody needs the report
            if not self._is_told:
                try:
                    control.write_report(self._path, reason, report)
                except OSError as error:
                    _log.warning("no report beside %s: %s", self._path, error.strerror)
        until_s = time.monotonic() + _LINGER_S
        while self._n_owners and (left_s := until_s - time.monotonic()) > 0:
            try:
                word = self._words.get(timeout=left_s)
            except queue.Empty:
                return
            if word == _CLOSED:
                return
            self._n_owners += {_JOINED: 1, _LEFT: -1}.get(word, 0)

    def _close(self) -> RecorderSummary:
        with self._closing:
            if self._summary is None:
                summary = self._recorder.stop()
                found = self._follower.finish(summary.streams)
                self._summary = replace(summary, readback=found)
            return replace(self._summary, notices=(*self._summary.notices, *self._ended_by))

    def _join(self, connection: Connection) -> None:
        self._words.put(_JOINED)
        self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        self._words.put(_CLOSED if answer(connection, self) else _LEFT)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._words.put(_TERMINATED)


def live(pipe: Connection, recording: Any) -> None:
    """Let the worker live in the child; see `ChildProcess`."""
    recording.live(pipe)


def _leave_the_terminal() -> None:
    """Let go of the owner's streams: who waits for their end must not wait for the recorder."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        nowhere = os.open(os.devnull, mode)
        os.dup2(nowhere, number)
        os.close(nowhere)
    if sys.platform != "win32":
        # multiprocessing's tracker holds them too, and lives until all let go of its pipe. What it
        # tracks, semaphores and shared memory, a recorder has none of.
        tracker = resource_tracker.getfd()
        if tracker is not None:
            os.close(tracker)


def _report(summary: RecorderSummary) -> dict[str, Any]:
    found = summary.readback
    return {
        "ended": time.strftime(_TIME),
        "streams": [
            {"name": s.name, "source_id": s.source_id, "n_samples": s.n_samples}
            for s in summary.streams
        ],
        "notices": list(summary.notices),
        "sha256": found.sha256 if found else None,
        "readback": str(found) if found else None,
    }
