"""Calibration runs of a session, and how accurate a decoder would be so far.

A run is presented in the run's thread; `pause`, `resume`, `repeat_trial` and `abort` come from any.
After each trial the score is worked out anew by `Session.follower`, from the file that is being
recorded: one at a time, and of those that were asked for meanwhile only the newest.

================  ===========================  ==============================
attribute         writer                       readers
================  ===========================  ==============================
score             follower's thread            any (swapped whole)
control           who starts a run             any (of the newest run)
_task, _waiting   any, under `_lock`           any, under `_lock`
_shown            the patient's window         the run's thread
================  ===========================  ==============================
"""

import hashlib
import json
import logging
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from psygnal import Signal, SignalGroup

from bci.errors import RecordingError
from bci.events import Marker
from bci.experiment.calibration_score import CalibrationScore, ScorePoint, score_so_far
from bci.experiment.free_run import free_run
from bci.experiment.outside import cues_followed
from bci.experiment.runs import OnlineResult, RunContext
from bci.experiment.states import tell
from bci.experiment.worker import Task, TaskState
from bci.paradigm import LslTime, RunControl, RunProgress, Step, present_run
from bci.private import write_private
from bci.workspace import RunRecord

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["CalibrationEvents", "CalibrationPart"]

_log = logging.getLogger(__name__)

_NAME = "calibration-score.json"
_KIND: Literal["calibration"] = "calibration"


class CalibrationEvents(SignalGroup):
    """What happens in calibration."""

    #: `RunProgress`: of the run that goes on.
    progressed = Signal(object)
    #: `CalibrationScore`
    scored = Signal(object)
    #: Whether a score is being worked out (bool).
    scoring_changed = Signal(bool)


class CalibrationPart:
    """Calibration runs of a session.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    control : RunControl
        Of the run that goes on, or the last.
    score : CalibrationScore or None
        The newest; kept beside the recordings.
    problem : str
        Why the newest score could not be worked out; empty: it could.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.events = CalibrationEvents()
        self.control = RunControl()
        self.problem = ""
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._task: Task | None = None
        self._waiting = self._closed = False
        self._shown: deque[tuple[str, float, float]] = deque(maxlen=64)
        self.score = self._kept()
        session.events.record_changed.connect(self._record_changed)

    # --- runs -----------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a calibration run goes on."""
        active = self._session.active
        return active is not None and active.kind == _KIND

    @property
    def n_runs(self) -> int:
        """Calibration runs that were begun."""
        return len(self._session.record.paths(_KIND, used=False))

    def start(self) -> None:
        """Begin a run of the protocol.

        Raises
        ------
        ExperimentError
            When it cannot begin now, with the reason.
        """
        session, number = self._session, self.n_runs
        control = RunControl(lambda progress: tell(self.events.progressed, progress))

        def follow(context: RunContext) -> bool:
            def take(marker: Marker, name: str | None) -> None:
                if name in session.epochs.classes:
                    n_done = control.progress.n_done + 1
                    control.update(n_done=n_done, label=name)
                    control.tell()
                    self.rescore()

            control.update(outside=True)
            control.tell()
            markers = session.experiment.events.marker_received
            # The experiment gives up before, and knows why nothing comes.
            clock = LslTime(context.ring, session.experiment.give_up_s + 5.0)
            with cues_followed(markers, session.setup.epochs.event_map, take):
                return free_run(session.cues, clock, context.cancelled)

        def run(context: RunContext) -> bool:
            def reached(step: Step, time_s: float) -> None:
                context.on_step(step, time_s)
                self._log_shown()
                if step.label == "trial_end":
                    self.rescore()

            with session.signals.paced(context.ring) as clock:
                return present_run(
                    session.setup.protocol,
                    session.cues,
                    clock,
                    context.cancelled,
                    run=number,
                    on_step=reached,
                    control=control,
                )

        before, self.control = self.control, control
        try:
            session.start_run(_KIND, follow if session.cues_outside else run, done=self._account)
        except BaseException:
            self.control = before
            raise

    def pause(self) -> None:
        """Hold the run when the trial that goes on is over; harmless without a run."""
        self.control.pause()

    def resume(self) -> None:
        """Go on."""
        self.control.resume()

    def repeat_trial(self) -> int | None:
        """Reject the trial whose cue was shown last, and give it again at the end of the run.

        Returns
        -------
        int or None
            Its number (from 0); None: there is none.
        """
        return self.control.repeat_trial() if self.running else None

    def abort(self) -> None:
        """End the run at once; trials so far are kept and used."""
        if self.running:
            self._session.stop()

    def cue_shown(self, label: str, marker_s: float, shown_s: float) -> None:
        """Take note of when the patient's window had painted a step; from the display's thread.

        Parameters
        ----------
        label : str
        marker_s : float
            Stamp of its marker (LSL clock, s).
        shown_s : float
            When the frame was handed to the window system (LSL clock, s).
        """
        self._shown.append((label, marker_s, shown_s))

    def _account(self, record: RunRecord, result: OnlineResult | None) -> None:
        self._log_shown()
        progress: RunProgress = self.control.progress
        record.outcome = {
            "n_trials": progress.n_done,
            "n_planned": progress.n_trials,
            "rejected": list(progress.rejected),
        }

    def _log_shown(self) -> None:
        """Write down when the window showed what; in the run's thread, which may wait for it."""
        while self._shown:
            label, marker_s, shown_s = self._shown.popleft()
            try:
                self._session.experiment.log.write(
                    "step_shown", label=label, marker_s=marker_s, shown_s=shown_s
                )
            except RecordingError as error:
                _log.error("%s", error)

    # --- the score so far -----------------------------------------------------------------

    @property
    def scoring(self) -> bool:
        """Whether a score is being worked out."""
        return self._task is not None

    def wait_scored(self, timeout_s: float) -> bool:
        """Wait until no score is being worked out; for scripts, never in the window's thread."""
        return self._idle.wait(timeout_s)

    def rescore(self) -> None:
        """Work the score out anew, with all trials that there are; returns at once."""
        with self._lock:
            if self._closed:
                return
            if self._task is not None:
                self._waiting = True
                return
            if not self._submit():
                return
        tell(self.events.scoring_changed, True)

    def _submit(self) -> bool:
        paths, running = self._paths()
        if not paths:
            return False
        session, key = self._session, self._key(paths)
        score = self.score
        same = score is not None and _without_files(score.key) == _without_files(key)
        names = tuple(path.name for path in paths)
        known: tuple[ScorePoint, ...] = ()
        if score is not None and same and names[: len(score.recordings)] == score.recordings:
            known = score.points
        self._waiting = False
        self._idle.clear()
        self._task = session.follower.submit(
            "score so far",
            score_so_far,
            paths,
            session.setup.unit or None,
            session.epochs,
            session.setup.decoder,
            {},
            session.setup.online,
            known,
            running,
            key,
        )
        self._task.events.finished.connect(self._scored)
        if self._task.state.over:  # before anybody listened
            threading.Thread(target=self._scored, args=(self._task,), daemon=True).start()
        return True

    def _paths(self) -> tuple[list[Path], str]:
        """Return the recordings to score, and the name of the one that is being written."""
        paths = self._session.record.paths(_KIND)
        recording = self._session.experiment.recording
        if self.running and recording is not None and recording.path not in paths:
            return [*paths, recording.path], recording.path.name
        return paths, ""

    def _key(self, paths: list[Path]) -> str:
        """Return what tells one score from another: files, a slash, and settings hashed."""
        session = self._session
        settings = {
            "epochs": session.epochs.model_dump(mode="json"),
            "online": session.setup.online.model_dump(mode="json"),
            "decoder": session.setup.decoder,
            "unit": session.setup.unit,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        return f"{','.join(path.name for path in paths)}/{digest}"

    def _scored(self, task: Task) -> None:
        with self._lock:
            if task is not self._task:
                return
            self._task = None
            again = self._waiting and not self._closed
            if again:
                again = self._submit()
        if task.state is TaskState.DONE:
            self.score, self.problem = task.result, task.result.problem
            self._keep(task.result)
            tell(self.events.scored, task.result)
        elif task.state is TaskState.FAILED and task.error is not None:
            self.problem = str(task.error)
        if not again:
            self._idle.set()
            tell(self.events.scoring_changed, False)

    def _record_changed(self) -> None:
        """Score anew what was changed between runs: trials taken out, another decoder."""
        if self._session.active is not None:
            return
        paths, _ = self._paths()
        known = self.score.key if self.score is not None else ""
        if paths and self._key(paths) != known:
            self.rescore()

    def _kept(self) -> CalibrationScore | None:
        path = self._session.folder / _NAME
        try:
            return CalibrationScore.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be read (%s): scored anew", path, error)
            return None

    def _keep(self, score: CalibrationScore) -> None:
        try:
            write_private(self._session.folder / _NAME, json.dumps(score.as_dict()) + "\n")
        except OSError as error:
            _log.error("%s: %s", _NAME, error)

    def close(self) -> None:
        """End what runs; the score that is there is kept."""
        with self._lock:
            self._closed, task = True, self._task
        self._session.events.record_changed.disconnect(self._record_changed, missing_ok=True)
        if task is not None:
            task.cancel()


def _without_files(key: str) -> str:
    return key.rpartition("/")[2]
