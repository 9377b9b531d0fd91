"""One file after another: begun, watched, followed by the next, taken over from a dead daemon.

The recorder is a process of its own, which outlives this one. What is decided here is when a file
begins and ends:

- `new_file` begins the new file before it ends the old one: both hold the samples in between, which
  can be told by their stamps, and none is in neither.
- A recorder that was killed, or has given up on a full disk, is followed by a new one, in a new
  file, as soon as that can be; until then it is said again and again.
- A daemon that is started after another was killed finds the recorder still at work and takes it
  over: the file goes on.
"""

import logging
import platform
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bci import __version__
from bci.daemon.backoff import Backoff
from bci.daemon.file_names import FileName, claim
from bci.daemon.logs import SessionLogs
from bci.daemon.notices import Notices, Repeated
from bci.daemon.settings import RecordingSettings
from bci.errors import RecordingError, RolandicError, SettingsError
from bci.recording import RecorderStatus, RecorderSummary, RunRecording
from bci.recording.control import find_recorders, read_report, remove
from bci.recording.eventlog import EventLog
from bci.recording.naming import release
from bci.recording.status import StreamCount
from bci.sources.discovery import StreamQuery

__all__ = ["Recordings"]

_log = logging.getLogger(__name__)

_TURN_S = 0.2
_REMIND_S = 60.0
_TIMEOUT_S = 10.0
_N_KEPT = 20
_LONGEST_GAP_S = 7 * 86_400.0


class Recordings:
    """Records what is selected; a thread of its own looks after the recorder.

    `start`, `stop`, `new_file` and what the thread does exclude each other.

    Parameters
    ----------
    settings : RecordingSettings
    folder : Path
        Recordings are made under it.
    queries : sequence of StreamQuery
    name : FileName
    notices : Notices
    on_file : callable
        Called with the event log whenever a file has been begun or taken over, before the one that
        it follows is ended; with None before a file is ended that none follows.
    """

    def __init__(
        self,
        settings: RecordingSettings,
        folder: Path,
        queries: Sequence[StreamQuery],
        name: FileName,
        notices: Notices,
        on_file: Callable[[EventLog | None], None],
    ) -> None:
        self._settings, self._folder, self._notices = settings, folder, notices
        self._on_file = on_file
        self.queries, self.name = tuple(queries), name
        self._lock = threading.RLock()
        self._logs = SessionLogs()
        self._current: RunRecording | None = None
        self._wanted = False
        # By its file: what ends the old recorder must not be taken for the end of the new one.
        self._failures: dict[Path, BaseException] = {}
        self._backoff = Backoff(0.5, 30.0, 60.0, time.monotonic)
        self._say = Repeated(notices.say, _REMIND_S, time.monotonic)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="recorder keeper", daemon=True)
        self._before: tuple[str, tuple[StreamCount, ...]] | None = None
        self._seen: tuple[float, RecorderStatus | None] | None = None
        self.finished: tuple[RecorderSummary, ...] = ()
        self.state = "stopped"
        self.error: str | None = None

    # --- asked for --------------------------------------------------------------------------

    def open(self) -> None:
        """Take over what a daemon that was killed has left recording; begin if that is wanted.

        What cannot be begun now is said, and tried again and again.
        """
        with self._lock:
            self._take_over()
            if self._settings.at_start and self._current is None:
                self._wanted = True
                try:
                    self._begin()
                except RolandicError as error:
                    self._has_failed(error)
        self._thread.start()

    def start(self) -> Path:
        """Begin a file.

        Raises
        ------
        SettingsError
            When one is being recorded, or nothing is selected.
        RolandicError
            What the recorder says when it cannot be begun.
        """
        with self._lock:
            if self._current is not None:
                raise SettingsError(f"{self._current.path.name} is being recorded: stop it first")
            path = self._begin()
            self._wanted = True
            return path

    def stop(self) -> RecorderSummary:
        """End the file.

        Raises
        ------
        SettingsError
            When none is being recorded.
        RolandicError
            When it could not be written to its end.
        """
        with self._lock:
            self._wanted = False
            if self._current is None:
                self.state, self.error = "stopped", None  # what had failed is not tried again
                raise SettingsError("nothing is being recorded")
            self._on_file(None)
            try:
                return self._end(self._current, completed=True)
            finally:
                self._current = None
                self.state = "stopped"

    def new_file(self) -> Path:
        """Begin the next file, then end the one that is recorded.

        Raises
        ------
        RolandicError
            When none is recorded; when the next cannot be begun: then the old one goes on.
        """
        with self._lock:
            old = self._current
            if old is None:
                raise SettingsError("nothing is being recorded: there is no file to follow")
            path = self._begin()
            # Not `file`: that names a file of the log's own folder, where the old one may not be.
            self._notices.write("file_followed", old=old.path.name, new=path.name)
            try:
                self._end(old, completed=True)
            except RolandicError as error:
                self._notices.say(str(error))
            return path

    def close(self) -> None:
        """End the file, if there is one, and the logs; more than once is harmless."""
        self._stop.set()
        with self._lock:
            if self._current is not None:
                try:
                    self.stop()
                except RolandicError as error:
                    self._notices.say(str(error))
            self._notices.write_to(None)
            self._logs.close()
        if self._thread.ident is not None:
            self._thread.join()

    # --- told -------------------------------------------------------------------------------

    @property
    def path(self) -> Path | None:
        """The file that is recorded."""
        current = self._current
        return current.path if current is not None else None

    @property
    def status(self) -> RecorderStatus | None:
        """What the recorder said last; None while nothing is recorded."""
        current = self._current
        return current.status if current is not None else None

    def tells_of(self, query: StreamQuery) -> bool:
        """Whether the recorder says itself when what a query means is away."""
        return self.status is not None and query in self.queries

    @property
    def silent_s(self) -> float:
        """How long the recorder has not answered (s); 0 while nothing is recorded."""
        seen = self._seen
        if seen is None or self._current is None:
            return 0.0
        return time.monotonic() - seen[0]

    @property
    def n_failures(self) -> int:
        """How often a recorder has failed."""
        return self._backoff.n_failures

    # --- files ------------------------------------------------------------------------------

    def _begin(self) -> Path:
        if self._stop.is_set():  # whoever waited for the lock of `close`: nobody would end it
            raise SettingsError("the daemon is ending: nothing more is recorded")
        if not self.queries:
            raise SettingsError("no stream is selected: select all, or the streams of the settings")
        before = self.state
        self.state = "starting" if self._current is None else self.state
        try:
            recording, log = self._begun(claim(self._folder, self.name))
        except BaseException:
            self.state = before
            raise
        self._follow(recording, log)
        _log.info("recording to %s", recording.path)
        return recording.path

    def _begun(self, path: Path) -> tuple[RunRecording, EventLog]:
        """Start a recorder on a name that was claimed; without one, the name is free again."""
        try:
            log = self._log_in(path.parent)
            recording = RunRecording(
                self.queries,
                path,
                log,
                self._notices.say,
                partial(self._fail, path),
                timeout_s=_TIMEOUT_S,
                settings=self._settings.recorder(),
                orphan_s=self._settings.orphan_s,
            )
            recording.start()
        except BaseException:
            release(path)
            raise
        return recording, log

    def _follow(self, recording: RunRecording, log: EventLog) -> None:
        self._seen = time.monotonic(), recording.status
        self._current = recording
        self.state, self.error = "recording", None
        self._backoff.began()
        self._say.forget()
        self._on_file(log)

    def _log_in(self, folder: Path) -> EventLog:
        log, is_new = self._logs.in_folder(folder)
        self._notices.write_to(log)
        if is_new:
            self._notices.write(
                "session_started", by="daemon", rolandic=__version__, system=platform.platform()
            )
        return log

    def _take_over(self) -> None:
        for path in find_recorders(self._folder):
            log = self._log_in(path.parent)
            if (report := read_report(path)) is not None:
                self._ended_alone(path, report, log)
                continue
            if self._current is not None:
                self._notices.say(f"{path} is recorded too: it is left to end by itself")
                continue
            try:
                recording = RunRecording.attach(
                    path, log, self._notices.say, partial(self._fail, path)
                )
            except RolandicError as error:
                self._notices.say(str(error))
                continue
            self._follow(recording, log)
            self._wanted = True
            self._notices.say(f"{path} is still recorded: its recorder was taken over")

    def _ended_alone(self, path: Path, report: Mapping[str, Any], log: EventLog) -> None:
        """Let the log have what a recorder left that nobody took over; it is said once."""
        self._notices.say(f"{path} was closed in order: {report['reason']}")
        try:
            log.write(
                "recording_ended_alone",
                file=path.name,
                sha256=report.get("sha256"),
                readback=report.get("readback"),
                reason=report["reason"],
            )
        except RolandicError as error:
            self._notices.say(str(error))
            return  # the report stays: it is the only one who knows the hash
        remove(path, report=True)

    def _end(self, recording: RunRecording, *, completed: bool) -> RecorderSummary:
        try:
            summary = recording.stop(completed=completed)
        finally:  # from here on nobody watches it
            self._failures.pop(recording.path, None)
        self._logs.recorded(summary)
        self.finished = (*self.finished[1 - _N_KEPT :], summary)
        _log.info("%s is closed; %s", summary.path, summary.readback or "not read back")
        return summary

    # --- kept going -------------------------------------------------------------------------

    def _fail(self, path: Path, error: BaseException) -> None:
        """Take the end of a recorder that was not asked to end, from the thread that watches it."""
        self._failures[path] = error

    def _keep(self) -> None:
        while not self._stop.wait(_TURN_S):
            try:
                self._turn()
            except Exception:
                _log.exception("looking after the recorder failed")

    def _turn(self) -> None:
        current = self._current
        if current is not None and current.path not in self._failures:
            status = current.status
            if self._seen is None or status is not self._seen[1]:
                self._seen = time.monotonic(), status
                if status is not None:
                    self._tell_gap(current.path, status.streams)
            return
        with self._lock:
            current = self._current
            if current is not None and (failure := self._failures.get(current.path)) is not None:
                self._bury(current, failure)
            if self._stop.is_set():
                return
            if self._wanted and self._current is None and self._backoff.due:
                self._begin_again()

    def _bury(self, recording: RunRecording, failure: BaseException) -> None:
        """Save what can be saved of a recording that has failed."""
        try:
            self._end(recording, completed=False)
        except RolandicError as error:
            _log.info("%s: %s", recording.path, error)
        self._current = None
        status = recording.status
        self._before = None if status is None else (recording.path.name, status.streams)
        if isinstance(failure, RecordingError):
            self._has_failed(failure)
        else:  # its process has ended: it could say nothing of its file
            self._has_failed(
                RecordingError(
                    f"{failure}; {recording.path} holds all that it acknowledged (`bci repair "
                    f"{recording.path}` completes it)"
                )
            )

    def _tell_gap(self, path: Path, streams: Sequence[StreamCount]) -> None:
        """Say what lies between a file whose recorder failed and the one that follows it."""
        if self._before is None:
            return
        name, before = self._before
        last = {stream.source_id: stream for stream in before if stream.last_stamp is not None}
        come = [s for s in streams if s.rate_hz and s.first_stamp is not None]
        missing = []
        for stream in come:
            old = last.get(stream.source_id)
            if old is None or old.last_stamp is None or stream.first_stamp is None:
                continue
            gap_s = stream.first_stamp - old.last_stamp
            if 0 < gap_s < _LONGEST_GAP_S:  # else its clock is another by now
                n_samples = round(gap_s * stream.rate_hz) - 1
                missing.append(f"{gap_s:.2f} s ({n_samples} samples) of {stream.name!r}")
        if come:
            self._before = None
            between = ", ".join(missing) or "a time that cannot be told"
            self._notices.say(f"{path.name} follows {name}: about {between} are in neither")

    def _has_failed(self, failure: BaseException) -> None:
        wait_s = self._backoff.failed()
        self.state, self.error = "failed", str(failure)
        no_room = self._no_room()
        then = (
            f"a new file is begun when there is room: {no_room}"
            if no_room
            else f"a new file is begun in {wait_s:g} s"
        )
        self._notices.say(f"NOT RECORDING: {failure}; {then}")

    def _no_room(self) -> str:
        """Say how much room is missing; empty: there is enough to begin a file."""
        needed = self._settings.room_bytes
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            return f"{self._folder} cannot be asked ({error.strerror})"
        if free >= needed:
            return ""
        return (
            f"{free / 1e6:.1f} MB are free in {self._folder}, and {needed / 1e6:.1f} MB are needed"
        )

    def _begin_again(self) -> None:
        try:
            if no_room := self._no_room():
                raise SettingsError(f"{no_room}: make room")
            self._begin()
        except RolandicError as error:
            self._backoff.failed()
            self.state, self.error = "failed", str(error)
            self._say(f"NOT RECORDING: {error}")
