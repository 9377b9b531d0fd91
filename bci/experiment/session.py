"""A session as the window sees it: one person, one amplifier, everything that is done in an hour.

Nothing here waits: what takes time runs in the run's thread (`calibrate`, `go_online`) or in a
worker's process, and says so through events, in whatever thread they happen. The window relays them
to its own. Each step of the window has its part here, in a module of its own:

================  =========================  ==============================================
step              part                       what it holds
================  =========================  ==============================================
Signals           `Session.signals`          streams found, pre-flight, connection, simulator
Calibrate         `Session.calibration`      the run that is presented, accuracy so far
Features          `Session.features`         analyses, trials ticked in and out, the choice
Train             `Session.training`         decoders compared, attempts, the one in use
Online            `Session.feedback`         the run that is decoded, its account, notes
Report            `Session.reports`          report, trend over sessions, export
(all)             `Session.recovery`         what a crash left: recordings that still go on
================  =========================  ==============================================

================  ==============================  =========
attribute         writer                          readers
================  ==============================  =========
record            whoever calls (the window)      any
active            caller and the run's thread     any
experiment        see `Experiment`                any
================  ==============================  =========
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from psygnal import Signal, SignalGroup

from bci.config import EpochSettings
from bci.errors import RolandicError, SettingsError, StreamError
from bci.experiment.analyses import FeaturesPart
from bci.experiment.calibration import CalibrationPart
from bci.experiment.feedback import FeedbackPart
from bci.experiment.machine import Experiment
from bci.experiment.outside import stream_named
from bci.experiment.recovery import RecoveryPart
from bci.experiment.reports import ReportsPart
from bci.experiment.runs import OnlineResult, Run
from bci.experiment.signals import SignalsPart
from bci.experiment.states import ActiveRun, ExperimentError, Notice, Readiness, State, tell
from bci.experiment.training import TrainingPart
from bci.experiment.worker import Worker
from bci.private import private_folder
from bci.recording.naming import is_free
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerOutlet
from bci.workspace import RunRecord, SessionLock, SessionRecord, SessionSetup, Workspace

__all__ = ["ActiveRun", "Notice", "Readiness", "Session", "SessionEvents"]

_log = logging.getLogger(__name__)

#: How long a recording goes on when the window is gone (s): enough to start it, or the computer's
#: other programs, again.
ORPHAN_S = 600.0

#: The steps, in the order of the hour.
STEPS = ("session", "signals", "calibrate", "features", "train", "online", "report")


class SessionEvents(SignalGroup):
    """What happens in a session."""

    #: `SessionRecord` was changed: setup, runs, attempts, choice or notes.
    record_changed = Signal()
    #: What can be done has changed.
    readiness_changed = Signal()
    #: `Notice`
    noticed = Signal(object)
    #: `ActiveRun`
    run_started = Signal(object)
    #: `RunRecord`
    run_finished = Signal(object)
    #: kind, why: nothing was lost that came before.
    run_failed = Signal(str, str)


class Session:
    """One sitting with one person.

    Parameters
    ----------
    workspace : Workspace
    setup : SessionSetup
        Of a new session; of one that is there, what changes in it is taken over.

    Raises
    ------
    SettingsError
        When the folder or what is kept in it cannot be used, or another window has it open.
    """

    def __init__(self, workspace: Workspace, setup: SessionSetup) -> None:
        self.workspace = workspace
        self.folder = _folder(workspace, setup)
        self.events = SessionEvents()
        self._lock = SessionLock(self.folder)
        try:
            kept, told = SessionRecord.recover(self.folder)
            self.record = kept or SessionRecord(self.folder, setup)
            self.record.setup = setup
            self.experiment = Experiment(
                self.folder, setup.epochs, setup.online, decoder=setup.decoder, resume=True,
                orphan_s=ORPHAN_S,
            )  # fmt: skip
        except BaseException:
            self._lock.close()
            raise
        self.active: ActiveRun | None = None
        self._run_thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._closed = False
        cues_id = f"rolandic-cues-{uuid.uuid4().hex[:8]}"
        #: Cues go out here; amplifiers that record triggers, and simulated people, listen.
        self.cues = MarkerOutlet("Rolandic cues", cues_id)
        self.cues_query = StreamQuery(source_id=cues_id)
        #: For what the clinician asked for and waits for.
        self.worker = Worker("long work")
        #: For the score that follows the trials of a run.
        self.follower = Worker("score so far")
        self.signals = SignalsPart(self)
        self.calibration = CalibrationPart(self)
        self.features = FeaturesPart(self)
        self.training = TrainingPart(self)
        self.feedback = FeedbackPart(self)
        self.reports = ReportsPart(self)
        self.recovery = RecoveryPart(self, told)
        self.experiment.events.noticed.connect(self._noticed)
        self.experiment.events.state_changed.connect(self._state_changed)
        self._load_model()
        self.save()

    # --- what is kept ---------------------------------------------------------------------

    @property
    def setup(self) -> SessionSetup:
        """What the session is set to."""
        return self.record.setup

    def change(self, **settings: Any) -> None:
        """Change settings, and keep them.

        Raises
        ------
        SettingsError
            For a value that cannot be; nothing is changed then.
        ExperimentError
            While a run is going on: what it was begun with holds to its end.
        """
        if self.active is not None:
            raise ExperimentError("a run is going on: stop it first")
        self.record.setup = SessionSetup.make(**self.setup.model_dump() | settings)
        self.experiment.epochs, self.experiment.online = self.epochs, self.setup.online
        self.experiment.decoder = self.setup.decoder
        self.save()

    def save(self) -> None:
        """Keep what has changed; what cannot be written is said."""
        try:
            self.record.save()
        except RolandicError as error:
            self.notice(str(error), "trouble")
        tell(self.events.record_changed)
        tell(self.events.readiness_changed)

    @property
    def epochs(self) -> EpochSettings:
        """Which part of which trials decoders see: the classes cued, no bad channels."""
        return self.setup.epochs.model_copy(
            update={
                "classes": self.setup.epochs.classes or self.setup.protocol.classes,
                "bad_channels": self.setup.bad_channels,
                "left_out": self.trial_choice(),
            }
        )

    def trial_choice(self) -> dict[str, tuple[float, ...]]:
        """Trials that were taken out by hand, as `EpochSettings.left_out` names them."""
        return {
            Path(run.file).name: tuple(run.left_out) for run in self.record.runs if run.left_out
        }

    # --- what can be done -----------------------------------------------------------------

    def readiness(self, step: str) -> Readiness:
        """Say whether a step of the rail is done, or ready, or why not."""
        connected = self.experiment.acquisition is not None
        calibrated = bool(self.record.paths("calibration"))
        model = self.experiment.model is not None
        needs_stream = "" if connected else "connect an amplifier in Signals"
        needs_runs = "" if calibrated else "no calibration run yet"
        match step:
            case "session":
                return Readiness(done=True)
            case "signals":
                return Readiness(done=connected)
            case "calibrate":
                return Readiness(done=calibrated, why_not=needs_stream)
            case "features":
                return Readiness(done=bool(self.record.features), why_not=needs_runs)
            case "train":
                return Readiness(done=model, why_not=needs_runs)
            case "online":
                needs_model = "" if model else "no decoder yet: train one, and choose Use"
                done = bool(self.record.paths("online", used=False))
                misfit = self.training.misfit
                if misfit:
                    misfit = f"the decoder does not fit this amplifier: {misfit}"
                return Readiness(done=done, why_not=needs_stream or needs_model or misfit)
            case "report":
                return Readiness(done=self.reports.written, why_not=needs_runs)
        raise ValueError(f"{step!r} is no step")

    def notice(self, text: str, level: str = "info", step: str = "") -> None:
        """Tell the clinician something."""
        tell(self.events.noticed, Notice(text, level, step))

    # --- runs -----------------------------------------------------------------------------

    @property
    def cues_outside(self) -> bool:
        """Whether another program gives the cues."""
        return bool(self.setup.cue_stream)

    def _listen(self, cued: bool) -> None:
        """Listen to whoever gives the cues of a run; in the run's thread."""
        query = self.cues_query
        if cued and self.cues_outside:
            query = stream_named(self.setup.cue_stream)
        try:
            self.experiment.listen(query)
        except StreamError as error:
            raise StreamError(
                f"the program that gives the cues is not there ({error}): start it, or let "
                "Rolandic give them (Calibrate, Protocol)"
            ) from error

    def start_run(
        self,
        kind: str,
        run: Run,
        *,
        cued: bool = True,
        done: Callable[[RunRecord, OnlineResult | None], None] = lambda record, result: None,
        prepare: Callable[[threading.Event], None] = lambda stopping: None,
    ) -> None:
        """Record a run in a thread of its own; events say what becomes of it.

        Parameters
        ----------
        kind : {"calibration", "online"}
        run : Run
            Presents; returns whether it came to its end.
        cued : bool
            Whether it has cues: of another program, where one gives them.
        done : callable
            Called in the run's thread before `SessionEvents.run_finished`, to add to the record.
        prepare : callable
            Called in the run's thread before it is recorded, with what is set when it is stopped.

        Raises
        ------
        ExperimentError
            When it cannot be done now, with the reason.
        """
        wish = "calibrate" if kind == "calibration" else "go_online"
        reason = self.experiment.why_not(wish) if self.active is None else "a run is going on"
        if reason is not None:
            raise ExperimentError(reason)
        self._stopping.clear()
        self.active = ActiveRun(kind, time.monotonic())
        self._run_thread = threading.Thread(
            target=self._carry_out,
            args=(kind, run, done, prepare, cued),
            name=f"{kind} run",
            daemon=True,
        )
        tell(self.events.run_started, self.active)
        tell(self.events.readiness_changed)
        self._run_thread.start()

    def _carry_out(
        self,
        kind: str,
        run: Run,
        done: Callable[[RunRecord, OnlineResult | None], None],
        prepare: Callable[[threading.Event], None],
        cued: bool,
    ) -> None:
        began = datetime.now().astimezone().isoformat(timespec="seconds")
        before = self.experiment.recording
        completed, reached = False, False

        def watched(context: Any) -> bool:
            nonlocal completed, reached
            reached = True
            if self._stopping.is_set():  # before there was a run to stop
                context.cancelled.set()
            completed = run(context)
            return completed

        result: OnlineResult | None = None
        failure = ""
        try:
            self._listen(cued)
            prepare(self._stopping)
            if kind == "calibration":
                self.experiment.calibrate(watched)
            else:
                result = self.experiment.go_online(watched)
        except RolandicError as error:
            failure = str(error)
        except Exception as error:
            _log.exception("the %s run failed", kind)
            failure = f"the run failed: {type(error).__name__}: {error}"
        recording, record = self.experiment.recording, None
        # One whose recorder failed, on a full disk say, is in its file as far as it goes.
        if recording is not None and recording is not before and not is_free(recording.path):
            path = recording.path
            record = RunRecord(
                path.name, "calibration" if kind == "calibration" else "online", completed,
                began=began, note=failure,
            )  # fmt: skip
            try:
                done(record, result)
            except Exception:
                _log.exception("what follows the run failed")
            self.record.runs.append(record)
        self._run_over(kind, record, failure)

    def start_rejoin(self, work: Callable[[], tuple[RunRecord | None, str]]) -> None:
        """Let a recording that is taken over be the run that is going on; see `RecoveryPart`.

        Parameters
        ----------
        work : callable
            Returns the run, and why it failed.

        Raises
        ------
        ExperimentError
            When a run is going on.
        """
        if self.active is not None:
            raise ExperimentError("a run is going on: stop it first")
        self.active = ActiveRun("rejoined", time.monotonic())
        self._run_thread = threading.Thread(
            target=lambda: self._run_over("rejoined", *work()), name="rejoined run", daemon=True
        )
        tell(self.events.run_started, self.active)
        tell(self.events.readiness_changed)
        self._run_thread.start()

    def _run_over(self, kind: str, record: RunRecord | None, failure: str) -> None:
        self.active = None
        self.save()
        if failure:
            _log.info("run failed: %s", failure)
            tell(self.events.run_failed, kind, failure)
        if record is not None:
            tell(self.events.run_finished, record)

    def stop(self) -> None:
        """End a run that is going on; from any thread, at any time."""
        self._stopping.set()
        self.experiment.stop()

    def wait_run(self, timeout_s: float | None = None) -> bool:
        """Wait until no run is going on; for scripts, never in the window's thread."""
        thread = self._run_thread
        if thread is not None:
            thread.join(timeout_s)
            return not thread.is_alive()
        return True

    def close(self) -> None:
        """End what runs, let go of the streams, seal the log; more than once is harmless."""
        if self._closed:
            return
        self._closed = True
        try:
            self._end_all()
        finally:
            self._lock.close()

    def _end_all(self) -> None:
        self.stop()
        self.wait_run(30.0)
        for part in (self.signals, self.calibration, self.features, self.training, self.feedback):
            part.close()
        self.reports.close()
        self.recovery.close()
        self.follower.close()
        self.worker.close()
        self.experiment.close()
        self.signals.end_simulator()
        self.cues.close()

    # --- from the experiment --------------------------------------------------------------

    def _noticed(self, text: str) -> None:
        self.notice(text, "caution")

    def _state_changed(self, state: State) -> None:
        tell(self.events.readiness_changed)

    def _load_model(self) -> None:
        """Take up the model that was in use; what is wrong with it is said."""
        if not self.record.model:
            return
        try:
            self.experiment.use_model(self.folder / Path(self.record.model))
        except RolandicError as error:
            self.notice(str(error), "caution", "train")


def _folder(workspace: Workspace, setup: SessionSetup) -> Path:
    folder = workspace.folder(setup.subject, setup.session)
    try:
        return private_folder(folder)
    except OSError as error:
        raise SettingsError(
            f"{folder}: cannot write there ({error.strerror}): allow it, or choose another "
            "workspace"
        ) from error
