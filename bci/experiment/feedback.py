"""Online runs of a session: what is decoded, what the person may see of it, and its account.

================  ==================================  ===========================
attribute         writer                              readers
================  ==================================  ===========================
ledger            caller of `start` (swapped whole)   any; see `OnlineLedger`
control           caller of `start` (swapped whole)   any
newest            decoder's thread (swapped whole)    any, through `now`
trial_at_s        run's thread                        any, through `now`
================  ==================================  ===========================
"""

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psygnal import Signal, SignalGroup

from bci.decoders import Model
from bci.errors import RolandicError
from bci.events import CLASSES, Marker
from bci.experiment.adaptation import BY_KEY, OFF, arm_of_run, arms_offered
from bci.experiment.feedback_now import NO_RUN, NOT_YET, Feedback, LatencyNow
from bci.experiment.free_run import REST_BEGAN, REST_ENDED, free_run
from bci.experiment.online_account import OnlineAccount, OnlineLedger
from bci.experiment.outside import cues_followed
from bci.experiment.runs import OnlineResult, RunContext
from bci.experiment.states import tell
from bci.features.palette import words
from bci.online import Decision, LatencyReport, Presentation, TrialOutcome
from bci.online.decision import STALE
from bci.online.teaching import learns_from_rewards
from bci.paradigm import LslTime, Step, present_run
from bci.paradigm.control import RunControl, RunProgress
from bci.sources.clock import lsl_clock
from bci.workspace import RunRecord

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["NOT_YET", "NO_RUN", "Feedback", "FeedbackEvents", "FeedbackPart", "LatencyNow"]

_log = logging.getLogger(__name__)

# Decisions among which that of a frame is looked for; how long a free command is shown (s).
_RECENT, _SHOWN_S = 20, 1.0
# How long an account of the latency is good enough (s): a new one takes a millisecond.
_LOOK_S = 0.5
# Of the time after which the experiment itself gives a silent stream up, and says it better.
_PATIENCE = 1.5


class FeedbackEvents(SignalGroup):
    """What happens online."""

    #: What can be done has changed, or the account has.
    changed = Signal()
    #: `Decision`
    decided = Signal(object)
    #: `RunProgress` of a cued run.
    progressed = Signal(object)
    #: A note, as it is kept.
    noted = Signal(object)


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest decision, the last command, and when they came (`time.monotonic`, s)."""

    decision: Decision | None = None
    at_s: float = 0.0
    command: str | None = None
    command_at_s: float = 0.0


class FeedbackPart:
    """Online runs of a session.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    ledger : OnlineLedger or None
        Of the run that goes on, or of the last.
    control : RunControl
        Of the cued run that goes on, or of the last: `pause`, `resume`, `repeat_trial`.
    cued : bool
        Whether that run has cues.
    ran_with : str
        The arm of that run.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.events = FeedbackEvents()
        self.ledger: OnlineLedger | None = None
        self.control = RunControl()
        self.cued = True
        self.ran_with, self._rewards = OFF, ""
        self._newest = _Newest()
        self._trial_at_s = 0.0
        self._moved_db: float | None = None
        self._arms: tuple[Model | None, tuple[str, ...]] = (None, ())
        self._latency = LatencyReport({})
        self._looked = (0.0, self._latency)
        happens = session.experiment.events
        happens.decision_made.connect(self._decision_made)
        happens.trial_finished.connect(self._trial_finished)
        happens.step_reached.connect(self._step_reached)

    # --- runs -----------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether an online run goes on."""
        active = self._session.active
        return active is not None and active.kind == "online"

    def why_not(self, *, cued: bool = True) -> str:
        """Say why no online run can begin now; empty: it can."""
        session = self._session
        if session.active is not None:
            return "a run is going on"
        if why_not := session.readiness("online").why_not:
            return why_not
        model = session.experiment.model
        known = model.classes if model is not None else ()
        unknown = [name for name in session.setup.feedback.classes if name not in known]
        if cued and unknown and not session.cues_outside:
            return (
                f"the run cues {_listed(unknown)}, which the decoder does not know (it tells "
                f"{_listed(known)} apart): take the decoder's classes, or train another"
            )
        return ""

    def start(self, *, cued: bool = True, minutes: float | None = None) -> None:
        """Begin an online run.

        Parameters
        ----------
        cued : bool
            By the cues of ``setup.feedback``; else the decoder decides until the run is stopped.
        minutes : float, optional
            Length of a free run.

        Raises
        ------
        ExperimentError
            When it cannot begin now, with the reason.
        """
        session = self._session
        model = session.experiment.model
        number = len(session.record.paths("online", used=False))
        if model is not None and session.active is None:
            self.ran_with = self.arm
            self._rewards = session.setup.rewards if learns_from_rewards(self.arm) else ""
            self.ledger = OnlineLedger(model, session.setup.online, cued=cued)
            self.control = RunControl(self._progressed)
            self.cued, self._newest = cued, _Newest()
            self._latency, self._moved_db = LatencyReport({}), None
            self._looked = (0.0, self._latency)
        control, outside = self.control, cued and session.cues_outside

        def run(context: RunContext) -> bool:
            tell(self.events.changed)
            try:
                clock = LslTime(context.ring, patience_s=_PATIENCE * session.experiment.give_up_s)
                if outside:
                    markers = session.experiment.events.marker_received
                    event_map = model.epochs.event_map if model is not None else {}
                    with cues_followed(markers, event_map, self._cue_outside):
                        return free_run(session.cues, clock, context.cancelled)
                if not cued:
                    return free_run(session.cues, clock, context.cancelled, minutes=minutes)
                return present_run(
                    session.setup.feedback,
                    session.cues,
                    clock,
                    context.cancelled,
                    run=1000 + number,
                    on_step=context.on_step,
                    control=control,
                )
            finally:
                self._keep_figures()

        session.start_run("online", run, done=self._account, prepare=self._prepare, cued=cued)

    def _keep_figures(self) -> None:
        live = self._session.experiment.live
        if live is not None:
            self._latency, self._moved_db = live.latency, live.moved_db

    def _account(self, record: RunRecord, result: OnlineResult | None) -> None:
        """Keep what a run came to; of one that failed, what it had come to by then."""
        ledger, session = self.ledger, self._session
        if ledger is None:
            return
        if result is not None:
            self._latency, self._moved_db = result.latency, result.moved_db
        account = ledger.account()
        record.outcome = {
            "model": session.experiment.model_path.name,
            "cued": ledger.cued,
            "trials": [trial.as_dict() for trial in ledger.trials],
            "n_rejected": sum(mark.rejected for mark in account.trials),
            "accuracy": account.accuracy.as_dict() if account.accuracy is not None else None,
            "chance": account.chance,
            "false_alarms": account.alarms.as_dict(),
            "latency": self._latency.as_dict(),
            "n_decisions": account.n_decisions,
            "n_commands": account.n_commands,
            "withheld": account.withheld,
            "online": ledger.settings.model_dump(mode="json"),
            "adapt": self.ran_with,
            "adaptation": self.effect,
            "moved_db": self._moved_db,
            "scene": session.setup.scene,
        }

    # --- adaptation -----------------------------------------------------------------------

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that exist for the decoder in use, see `bci.experiment.adaptation`."""
        model = self._session.experiment.model
        if model is None:
            return (OFF,)
        if self._arms[0] is not model:
            self._arms = model, arms_offered(model)
        return self._arms[1]

    @property
    def arm(self) -> str:
        """The arm that the next run has: the one that is set, where the decoder has it."""
        wished = self._session.setup.adapt
        return wished if wished in self.arms else OFF

    @property
    def moved_db(self) -> float | None:
        """How far the reference has moved in this run or the last (dB); None: it stays."""
        live = self._session.experiment.live
        return live.moved_db if live is not None else self._moved_db

    @property
    def effect(self) -> dict[str, Any] | None:
        """What adaptation comes to in this run or the last; None: it is off, or no run was.

        See `bci.online.teaching.Teacher.effect`.
        """
        if self.ran_with == OFF:
            return None
        return self._session.experiment.adapter_effect

    @property
    def takes_rewards(self) -> bool:
        """Whether this run is told right and wrong by the clinician."""
        return self.running and self.cued and self._rewards == BY_KEY

    def reward(self, right: bool) -> None:
        """Say whether the newest trial was decided right; where the run is so told."""
        live = self._session.experiment.live
        if live is not None and self.takes_rewards:
            live.reward(float(right))

    def _prepare(self, stopping: threading.Event) -> None:
        """Take the arm that is set; in the run's thread."""
        session, experiment = self._session, self._session.experiment
        session.signals.catch_up(stopping)
        if experiment.model is not None:
            experiment.adapt = arm_of_run(self.ran_with, experiment.model)
            experiment.rewards = self._rewards

    # --- what is shown --------------------------------------------------------------------

    def now(self) -> Feedback:
        """Return what feedback may show now: never what is older than ``stale_s`` allows."""
        ledger, newest = self.ledger, self._newest
        if ledger is None or not self.running:
            return Feedback(ledger.classes if ledger is not None else ())
        decision, now_s = newest.decision, time.monotonic()
        if decision is None:
            return Feedback(ledger.classes, withheld=NOT_YET)
        age_s = now_s - newest.at_s
        # With a long hop the next decision is not due before it is over.
        limit_s = max(ledger.settings.stale_s, 1.5 * ledger.settings.hop_s)
        withheld = ""
        if decision.smoothed is None:
            withheld = decision.reason
        elif age_s > limit_s:
            withheld = STALE
        since_s = self._trial_at_s if self.cued else now_s - _SHOWN_S
        recent = newest.command_at_s > since_s
        return Feedback(
            ledger.classes,
            None if withheld else decision.smoothed,
            withheld,
            newest.command if recent and not withheld else None,
            decision,
            age_s,
        )

    def presented(self, decision: Decision, shown_s: float) -> None:
        """Take when a decision was on the person's screen (LSL clock, s); the display's thread."""
        live = self._session.experiment.live
        if live is None:
            return
        for issued in reversed(live.decisions[-_RECENT:]):
            if issued.sample == decision.sample:
                live.add_presentation(issued, Presentation(decision.sample, shown_s))
                return

    def account(self) -> OnlineAccount:
        """Return what the run that goes on, or the last, comes to."""
        return self.ledger.account() if self.ledger is not None else OnlineAccount()

    def trace(self, seconds: float = 60.0) -> list[Decision]:
        """Return the decisions of the last seconds of the run, oldest first."""
        if self.ledger is None:
            return []
        return self.ledger.newest(max(1, round(seconds / self.ledger.settings.hop_s)))

    def latency(self) -> LatencyNow:
        """Return how late decisions are in this run, or were in the last; cheap to ask for."""
        live, now_s = self._session.experiment.live, time.monotonic()
        if live is None:
            return LatencyNow(self._latency)
        at_s, report = self._looked
        if now_s - at_s > _LOOK_S:
            report = live.latency
            self._looked = now_s, report
        return LatencyNow(report)

    def newest_age_s(self) -> float | None:
        """Return since when the newest sample is here (s); None without an amplifier."""
        acquisition = self._session.experiment.acquisition
        return acquisition.health.age_s if acquisition is not None else None

    # --- what the clinician says ----------------------------------------------------------

    def rest(self, begins: bool) -> None:
        """Say that the person begins to rest, or that the rest is over; in a free run."""
        if self.ledger is None or not self.running or self.cued:
            return
        now_s = lsl_clock()
        self.ledger.rest(now_s, begins=begins)
        self._session.cues.push(REST_BEGAN if begins else REST_ENDED, now_s)
        tell(self.events.changed)

    def add_note(self, text: str) -> dict[str, Any] | None:
        """Keep a note of the clinician with its time, in the record and in the event log."""
        text, session = text.strip(), self._session
        if not text:
            return None
        recording = session.experiment.recording if session.active is not None else None
        note = {
            "at": datetime.now().astimezone().isoformat(timespec="seconds"),
            "at_s": lsl_clock(),
            "run": recording.path.name if recording is not None else "",
            "text": text,
        }
        session.record.notes.append(note)
        try:
            session.experiment.log.write("note", text=text, run=note["run"])
        except (RolandicError, ValueError, OSError) as error:
            session.notice(f"the note is not in the event log: {error}", "caution", "online")
        session.save()
        tell(self.events.noted, note)
        return note

    def close(self) -> None:
        """Listen no more."""
        happens = self._session.experiment.events
        happens.decision_made.disconnect(self._decision_made, missing_ok=True)
        happens.trial_finished.disconnect(self._trial_finished, missing_ok=True)
        happens.step_reached.disconnect(self._step_reached, missing_ok=True)

    # --- from the experiment --------------------------------------------------------------

    def _decision_made(self, decision: Decision) -> None:
        ledger = self.ledger
        if ledger is None:
            return
        ledger.take_decision(decision)
        now_s, before = time.monotonic(), self._newest
        if decision.label is not None:
            self._newest = _Newest(decision, now_s, decision.label, now_s)
        else:
            self._newest = _Newest(decision, now_s, before.command, before.command_at_s)
        tell(self.events.decided, decision)

    def _trial_finished(self, trial: TrialOutcome) -> None:
        if self.ledger is not None:
            self.ledger.take_trial(trial)
            tell(self.events.changed)

    def _step_reached(self, step: Step, time_s: float) -> None:
        if self.ledger is None or not self.running:
            return
        self.ledger.take_step(step, time_s)
        if step.label in CLASSES or step.label == "trial_start":
            self._trial_at_s = time.monotonic()
        elif step.label == "trial_rejected":
            tell(self.events.changed)

    def _cue_outside(self, marker: Marker, name: str | None) -> None:
        """Take a marker of the program that gives the cues: what is no cue ends a trial."""
        if self.ledger is None:
            return
        self.ledger.take_step(Step(0.0, name or "imagery_end"), marker.time_s)
        if name:
            self._trial_at_s = time.monotonic()

    def _progressed(self, progress: RunProgress) -> None:
        tell(self.events.progressed, progress)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(words(name) for name in names)
