"""``bci daemon``: what runs from morning to night, and how each part may fail without the others.

=================  ==================================  =========================================
part               runs in                             when it fails
=================  ==================================  =========================================
recorder           its own process                     a new file, at once; said until it is so
recorder keeper    thread (`Recordings`)
acquisition        thread, kept by `Listening`         begun anew; an outage is waited out
decoder            thread, kept by `Decoding`          begun anew after 1, 2, ... 60 s
quality            thread (`QualityWatch`)             logged; the next second is looked at
remote control     two threads (`RemoteControl`)       its command is answered with an error
status             a thread a request                  that request has no answer
signals, watchdog  main thread (`Daemon.run`)          the service manager starts it again, and it
                                                       takes the recorder over
=================  ==================================  =========================================
"""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bci import private
from bci.checks import Check
from bci.daemon import status
from bci.daemon.control import ControlServer, private_folder, remember
from bci.daemon.lock import WorkspaceLock
from bci.daemon.notices import Notices
from bci.daemon.notify import Notifier
from bci.daemon.plan import session_plan
from bci.daemon.recordings import Recordings
from bci.daemon.remote import RemoteControl
from bci.daemon.settings import DaemonSettings
from bci.daemon.target import RecordingsTarget
from bci.daemon.watchdog import StallWatch
from bci.errors import RolandicError, SettingsError
from bci.preflight import examine, recorder_tells
from bci.recording.eventlog import EventLog
from bci.sources.lsl_config import configure_lsl

if TYPE_CHECKING:
    from bci.daemon.cues import CueKeeper
    from bci.daemon.decoding import Decoding
    from bci.daemon.listening import Listening
    from bci.daemon.quality import QualityWatch

__all__ = ["COMMANDS", "Daemon"]

_log = logging.getLogger(__name__)

#: What the daemon is told, by a signal or through its socket.
COMMANDS = ("status", "stop", "new-file")

_TURN_S = 0.25
_STATUS_S = 5.0


class Daemon:
    """One daemon, from its making to the end of `run`.

    Parameters
    ----------
    settings : DaemonSettings
    path : Path
        Of the settings file.
    notifier : Notifier, optional

    Raises
    ------
    SettingsError
        When another daemon works in the workspace, or it cannot be used.
    """

    def __init__(
        self, settings: DaemonSettings, path: Path, notifier: Notifier | None = None
    ) -> None:
        self.settings, self._path = settings, path
        self._notifier = notifier or Notifier()
        self.workspace = settings.workspace.folder
        _make_folders(self.workspace)
        self._lock = WorkspaceLock(private_folder(self.workspace) / "daemon.lock")
        self._started_utc = datetime.now(UTC).isoformat(timespec="seconds")
        self._began_s = time.monotonic()
        self._state = "starting"
        # What signal handlers may put into: a lock that the main thread holds must not be waited
        # for in one.
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._notices = Notices()
        self._stall = StallWatch(time.monotonic)
        self._checks: tuple[Check, ...] = ()
        self._listening: Listening | None = None
        self._quality: QualityWatch | None = None
        self._decoding: Decoding | None = None
        self._cues: CueKeeper | None = None
        self._log_now: EventLog | None = None
        self._queries = tuple(stream.query for stream in settings.streams)
        self._recordings = Recordings(
            settings.recording,
            self.workspace / "sourcedata",
            self._queries,
            settings.file_name,
            self._notices,
            self._file_begun,
        )
        self._control: ControlServer | None = None
        self._remote: RemoteControl | None = None

    def run(self) -> None:
        """Work until told to stop.

        Raises
        ------
        InputError
            When it cannot begin: the workspace cannot be written, or the remote control that is
            to start the recordings cannot listen.
        """
        with _signals(self._asked.put):
            try:
                self._begin()
                self._serve()
            finally:
                self._end()

    # --- life -------------------------------------------------------------------------------

    def _begin(self) -> None:
        configure_lsl(self.settings.lsl)
        self._control = ControlServer(self.workspace, self._answer)
        remember(self.workspace)
        # First what loses samples when it is late.
        self._recordings.open()
        threading.Thread(target=self._begin_rest, name="begin", daemon=True).start()
        if self.settings.remote.enabled:
            self._listen()
        threading.Thread(target=self._examine, name="preflight", daemon=True).start()
        self._state = "running"
        self._notifier.ready(status.status_line(self.status()))
        _log.info("at work in %s", self.workspace)

    def _listen(self) -> None:
        """Let the remote control in; without it, recording goes on where nobody needs to ask."""
        target = RecordingsTarget(self._recordings, self._queries, self.workspace / "sourcedata")
        try:
            self._remote = RemoteControl(
                self.settings.remote, target, self.workspace, self.settings.file_name
            )
        except SettingsError as error:
            if not self.settings.recording.at_start:
                raise
            self._notices.say(f"NO REMOTE CONTROL: {error}")

    def _begin_rest(self) -> None:
        """Begin what is not the recorder, while the daemon already obeys."""
        try:
            self._begin_listening()
            self._begin_decoding()
        except Exception as error:
            _log.exception("a part could not be begun")
            self._notices.say(f"NEITHER ACQUIRED NOR DECODED, only recorded: {error!r}")

    def _begin_listening(self) -> None:
        eeg = self.settings.stream("eeg")
        if eeg is None:
            return
        # SciPy's filters and Numba take a second to import: the recorder has begun before.
        from bci.daemon.listening import Listening
        from bci.daemon.quality import QualityWatch

        if self._state == "stopping":
            return
        self._listening = Listening(eeg, self._notices, self._recordings.tells_of)
        self._quality = QualityWatch(self.settings.quality, self._listening)
        self._listening.start()
        self._quality.start()

    def _begin_decoding(self) -> None:
        eeg, markers = self.settings.stream("eeg"), self.settings.stream("markers")
        if self.settings.decoding is None or self._listening is None or eeg is None:
            return
        # scikit-learn takes two seconds to import, and not every daemon decodes.
        from bci.daemon.cues import CueKeeper
        from bci.daemon.decoding import Decoding

        if self._state == "stopping":
            return
        decoding = Decoding(
            self.settings.decoding,
            self._listening,
            eeg.unit,
            self._notices,
            lambda: self._recordings.status,
        )
        self._decoding = decoding
        if self._log_now is not None:
            decoding.decode_into(self._log_now)
        decoding.start()
        if markers is not None:
            self._cues = CueKeeper(
                markers, decoding.take_marker, self._notices, self._recordings.tells_of
            )
            self._cues.start()

    def _serve(self) -> None:
        watchdog_s = self._notifier.watchdog_s
        turn_s = _TURN_S if watchdog_s is None else min(_TURN_S, watchdog_s / 4)
        status_due_s = 0.0
        stalled = False
        while True:
            try:
                asked = self._asked.get(timeout=turn_s)
            except queue.Empty:
                asked = ""
            if asked == "stop":
                return
            if asked == "new-file":
                threading.Thread(target=self._follow_file, name="new file", daemon=True).start()
            reason = self._look_for_stall()
            if reason is None:
                self._notifier.alive()
            elif not stalled:
                self._notices.say(f"STALLED: {reason}")
            stalled = reason is not None
            if time.monotonic() >= status_due_s:
                status_due_s = time.monotonic() + _STATUS_S
                self._tell_status()

    def _tell_status(self) -> None:
        try:
            self._notifier.status(status.status_line(self.status()))
        except Exception:  # what is only told must not end what is done
            _log.exception("the status could not be told")

    def _end(self) -> None:
        """End all parts at once: what the recorder needs decides how long it takes."""
        self._state = "stopping"
        self._notifier.stopping()
        ending = [
            threading.Thread(target=part.stop, daemon=True)
            for part in (self._cues, self._quality, self._listening)
            if part is not None
        ]
        if self._remote is not None:
            ending.append(threading.Thread(target=self._remote.close, daemon=True))
        for thread in ending:
            thread.start()
        self._recordings.close()  # ends decoding first: a replay finds no decision beyond the file
        if self._decoding is not None:
            self._decoding.stop()
        for thread in ending:
            thread.join()
        if self._control is not None:
            self._control.close()
        self._lock.close()
        self._notifier.close()
        _log.info("ended")

    def _examine(self) -> None:
        try:
            for check in examine(session_plan(self.settings)):
                self._checks += (check,)
                told = recorder_tells(check) and self._recordings.status is not None
                if check.status == "failed" and not told:  # else the recorder says it
                    self._notices.say(f"{check.name}: {check.detail}: {check.advice}")
        except RolandicError as error:
            self._notices.say(f"pre-flight: {error}")
        except Exception:
            _log.exception("pre-flight failed")

    def _file_begun(self, log: EventLog | None) -> None:
        self._log_now = log
        if self._decoding is not None:
            self._decoding.decode_into(log)

    def _follow_file(self) -> None:
        """Begin the next file, as a signal asks for: nobody waits for an answer."""
        try:
            self._new_file()
        except SettingsError:
            return  # it was said
        except Exception as error:
            _log.exception("a new file could not be begun")
            self._notices.say(f"no new file: {error!r}")

    def _new_file(self) -> str:
        try:
            path = self._recordings.new_file()
        except RolandicError as error:
            self._notices.say(f"no new file: {error}")
            raise SettingsError(str(error)) from error
        return str(path)

    # --- told -------------------------------------------------------------------------------

    def _answer(self, command: str) -> dict[str, Any]:
        if command == "status":
            return self.status()
        if command == "stop":
            self._asked.put("stop")
            return {"done": "stopping"}
        if command == "new-file":
            return {"done": f"recording to {self._new_file()}"}
        raise SettingsError(f"{command!r} is no command; there are {', '.join(COMMANDS)}")

    def status(self) -> dict[str, Any]:
        """Return how everything is, for JSON."""
        document = status.head(self._state, self._started_utc, str(self.workspace), str(self._path))
        document |= {
            "uptime_s": time.monotonic() - self._began_s,
            "stalled": self._stall.reason,
            "recording": status.recording_document(self._recordings),
            "acquisition": status.acquisition_document(
                self._listening, wanted=self.settings.stream("eeg") is not None
            ),
            "quality": status.quality_document(self._quality.seen if self._quality else None),
            "decoding": status.decoding_document(
                self._decoding, wanted=self.settings.decoding is not None
            ),
            "remote": None if self._remote is None else {"port": self._remote.port},
            "preflight": status.preflight_document(
                self._checks, self.settings.streams, self._recordings.status
            ),
            "notices": self._notices.newest(),
            "n_notices": self._notices.n_said,
        }
        return document

    def _look_for_stall(self) -> str | None:
        """Say what of the daemon itself has stalled; None: nothing has."""
        acquisition = self._listening.acquisition if self._listening is not None else None
        return self._stall.look(
            self._recordings.silent_s,
            self._recordings.status,
            None if acquisition is None else acquisition.info.source_id,
            None if acquisition is None else acquisition.health.age_s,
        )


def _make_folders(workspace: Path) -> None:
    if not workspace.absolute().parent.is_dir():
        # Made here, it would be on the disk of the system, as long as its own is not mounted.
        raise SettingsError(
            f"{workspace}: the folder that it is to be made in is not there: make it, mount its "
            "disk, or choose another workspace.folder"
        )
    for folder in (workspace, private_folder(workspace), workspace / "sourcedata"):
        try:
            private.private_folder(folder)
        except OSError as error:
            raise SettingsError(
                f"{folder}: cannot be made ({error.strerror}); choose another workspace.folder"
            ) from error
    if os.name == "posix":
        private_folder(workspace).chmod(0o700)


@contextmanager
def _signals(ask: Callable[[str], None]) -> Iterator[None]:
    """Let TERM and INT (on Windows BREAK too) ask for the end, HUP for a new file."""

    def handler(command: str) -> Callable[[int, FrameType | None], None]:
        return lambda number, frame: ask(command)

    commands = {"SIGINT": "stop", "SIGTERM": "stop", "SIGBREAK": "stop", "SIGHUP": "new-file"}
    before = {
        number: signal.signal(number, handler(command))
        for name, command in commands.items()
        if (number := getattr(signal, name, None)) is not None
    }
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)
