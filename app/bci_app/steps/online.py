"""The Online step: feedback, by cues or free; decisions, trials, latency, notes, and Stop."""

from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bci.errors import RolandicError
from bci.experiment.session import ActiveRun, Session
from bci.online import Decision
from bci.paradigm.control import RunProgress
from bci.workspace import RunRecord
from bci_app.patient.canvas import PatientCanvas
from bci_app.patient.display import PatientDisplay
from bci_app.patient.online_feedback import OnlineFeedback
from bci_app.patient.scenes import available_scenes
from bci_app.steps.base import ActionInfo, Step
from bci_app.theme import STEP_PX, font, tabular
from bci_app.widgets.decision_bars import DecisionBars
from bci_app.widgets.decision_trace import DecisionTrace
from bci_app.widgets.notes import Notes
from bci_app.widgets.online_buttons import OnlineButtons, online_button, stop_button
from bci_app.widgets.online_controls import RulePanel, RunPanel, scene_title
from bci_app.widgets.online_figures import OnlineFigures
from bci_app.widgets.trial_marks import TrialMarks, accuracy_text
from bci_app.words import tr

__all__ = ["OnlineStep"]

# Between looks at the newest state (ms); the trace and the account at every so many of them.
_TICK_MS, _TRACE_TICKS, _ACCOUNT_TICKS = 100, 3, 5
# A second Esc or Space within this time stops the run (s).
_TWICE_S = 2.0
_RULE = ("threshold", "dwell_s", "refractory_s", "smoothing_s")


class OnlineStep(Step):
    """Feedback in real time."""

    name = "online"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._display: PatientDisplay | None = None
        self._feedback: OnlineFeedback | None = None
        self._ticks, self._pressed_s = 0, float("-inf")
        # What came of the last run stays to be read until the next begins.
        self._pinned = self._preparing = False
        self.canvas = PatientCanvas()
        self.canvas.setAccessibleName(tr("What the patient sees"))
        self.run_panel, self.rule_panel = RunPanel(), RulePanel()
        self.bars, self.trace = DecisionBars(), DecisionTrace()
        self.marks, self.figures, self.notes = TrialMarks(), OnlineFigures(), Notes()
        self.accuracy = _label("online.accuracy", tr("Accuracy"))
        self.accuracy.setFont(tabular())
        self.message = _label("online.message", tr("What to know"))
        self.message.setWordWrap(True)
        self.fix = online_button("fix", tr("Take the decoder's classes"),
            tr("Let the run cue what the decoder can tell apart."))  # fmt: skip
        self.fix.hide()
        self.buttons = OnlineButtons()
        self.start_button, self.rest_button = self.buttons.start, self.buttons.rest
        self.window_button, self.stop_button = self.buttons.window_button, stop_button()
        self._lay_out()
        self.run_panel.changed.connect(self._run_changed)
        self.run_panel.kind_changed.connect(lambda _: self._show_ready())
        self.rule_panel.changed.connect(self._rule_changed)
        self.buttons.rewarded.connect(self.reward)
        for button, pressed in (
            (self.fix, self._take_classes), (self.start_button, self.start),
            (self.buttons.pause, self.pause), (self.buttons.repeat, self.repeat),
            (self.rest_button, self.rest), (self.window_button, self.switch_window),
            (self.stop_button, self.stop),
        ):  # fmt: skip
            button.clicked.connect(lambda _=False, pressed=pressed: pressed())
        self.notes.written.connect(self._note)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.unbound()

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Online")

    def _lay_out(self) -> None:
        said = QHBoxLayout()
        said.addWidget(self.message, 1)
        said.addWidget(self.fix)
        left = QVBoxLayout()
        left.setSpacing(STEP_PX)
        left.addWidget(self.run_panel)
        left.addWidget(self.canvas, 5)
        left.addWidget(self.buttons)
        left.addWidget(self.accuracy)
        left.addWidget(self.marks)
        left.addWidget(self.notes, 2)
        panel = QFrame()
        panel.setProperty("role", "panel")
        column = QVBoxLayout(panel)
        column.setSpacing(STEP_PX)
        column.addWidget(self.bars, 2)
        column.addWidget(self.trace, 4)
        column.addWidget(self.figures)
        rule = QLabel(tr("How decisions are made (between runs)"))
        rule.setFont(font("body", bold=True))
        column.addWidget(rule)
        column.addWidget(self.rule_panel)
        right = QVBoxLayout()
        right.setSpacing(STEP_PX)
        right.addWidget(panel, 1)
        right.addWidget(self.stop_button)
        row = QHBoxLayout()
        row.setSpacing(2 * STEP_PX)
        row.addLayout(left, 3)
        row.addLayout(right, 2)
        self.column.addLayout(said)
        self.column.addLayout(row, 1)

    # --- the session ----------------------------------------------------------------------

    def bound(self, session: Session) -> None:
        """Show a session."""
        self._display = PatientDisplay.of(session)
        self._feedback = OnlineFeedback(session, self._display, self)
        self._feedback.said.connect(self._tell)
        self._display.attach(self.canvas)
        self._display.said.connect(self._tell_if_shown)
        self.run_panel.set_scenes([
            (entry.name, scene_title(entry.name), entry.summary, entry.factory is not None)
            for entry in available_scenes().values()
        ])  # fmt: skip
        self.on(session.events.run_started, self._run_started)
        self.on(session.events.run_finished, self._run_finished)
        self.on(session.events.run_failed, self._run_failed)
        self.on(session.events.readiness_changed, self._show_ready, newest=True)
        self.on(session.events.record_changed, self._show_settings, newest=True)
        self.on(session.training.events.changed, self._show_settings, newest=True)
        self.on(session.feedback.events.decided, self._decided, newest=True)
        self.on(session.feedback.events.changed, self._show_account, newest=True)
        self.on(session.feedback.events.progressed, self._progressed, newest=True)
        self._show_settings()
        self._show_ready()
        self._show_account()
        self._timer.start()

    def unbound(self) -> None:
        """Return to the empty state."""
        self._timer.stop()
        if self._feedback is not None:
            self._feedback.close()
            self._feedback = None
        if self._display is not None:
            self._display.said.disconnect(self._tell_if_shown)
            self._display.detach(self.canvas)
            self._display.leave()
            self._display = None
        self.bars.show_empty()
        self.trace.show_empty()
        self.message.setText(
            tr("Here the person gets feedback in real time: open a session, connect an amplifier, "
               "calibrate, train a decoder and choose Use.")
        )  # fmt: skip
        self.fix.hide()
        self._enable(running=False, ready=False)

    # --- what the clinician does ----------------------------------------------------------

    def start(self) -> None:
        """Begin a run."""
        if self.session is None or not self.start_button.isEnabled():
            return
        panel = self.run_panel
        try:
            self.session.feedback.start(cued=panel.cued, minutes=panel.length_min)
        except RolandicError as error:
            self._pinned = True
            self._tell(str(error), "trouble")
            return
        self.setFocus()

    def stop(self) -> None:
        """End the run."""
        if self.session is not None:
            self.session.stop()

    def pause(self) -> None:
        """Hold the run after this trial, or go on."""
        if self.session is not None and self._running_cued():
            control = self.session.feedback.control
            if control.pause_wanted:
                control.resume()
            else:
                control.pause()

    def repeat(self) -> None:
        """Leave the last trial out and give it again."""
        if self.session is not None and self._running_cued():
            number = self.session.feedback.control.repeat_trial()
            if number is None:
                self._tell(tr("There is no trial yet that could be given again."), "info")

    def rest(self) -> None:
        """Say that the person rests, or does no more, in a free run."""
        feedback = self.session.feedback if self.session is not None else None
        if feedback is not None and feedback.running and not feedback.cued:
            ledger = feedback.ledger
            feedback.rest(begins=ledger is not None and not ledger.resting)
            self.rest_button.setChecked(ledger is not None and ledger.resting)

    def reward(self, right: bool) -> None:
        """Say whether the newest trial was decided right, where the decoder learns from that."""
        if self.session is not None and self.session.feedback.takes_rewards:
            self.session.feedback.reward(right)
            said = tr("Told the decoder: right.") if right else tr("Told the decoder: wrong.")
            self._tell(said, "info")

    def switch_window(self) -> None:
        """Open the patient's window, or close it."""
        if self._display is None:
            return
        if self._display.window is None:
            self._display.open_window(self)
        else:
            self._display.close_window()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Stop on a second Esc or Space."""
        if event.key() not in (Qt.Key.Key_Escape, Qt.Key.Key_Space) or not self._running():
            super().keyPressEvent(event)
            return
        now_s = monotonic()
        if now_s - self._pressed_s < _TWICE_S and not event.isAutoRepeat():
            self._pressed_s = float("-inf")
            self.stop()
        else:
            self._pressed_s = now_s
            self._tell(tr("Once more stops the run."), "info")

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        return (
            ActionInfo("online.start", tr("Start an online run"), "Ctrl+R", self.start),
            ActionInfo("online.pause", tr("Pause, or go on"), "Ctrl+P", self.pause),
            ActionInfo("online.again", tr("Repeat the trial, or say that the person rests"),
                       "Ctrl+E", self._again),
            ActionInfo("online.right", tr("The trial was decided right"), "F8",
                       partial(self.reward, right=True)),
            ActionInfo("online.wrong", tr("The trial was decided wrong"), "F9",
                       partial(self.reward, right=False)),
            ActionInfo("online.note", tr("Write a note"), "Ctrl+N", self.notes.line.setFocus),
            ActionInfo("online.window", tr("Patient's window"), "Ctrl+D", self.switch_window),
        )  # fmt: skip

    def _again(self) -> None:
        if self._running_cued():
            self.repeat()
        else:
            self.rest()

    def _note(self, text: str) -> None:
        if self.session is not None:
            self.session.feedback.add_note(text)
            self.setFocus()

    def _run_changed(self, changed: dict[str, Any]) -> None:
        if self.session is None:
            return
        if "trials_per_class" in changed:
            changed = {"feedback": self.session.setup.feedback.model_copy(update=changed)}
        self._change(**changed)

    def _rule_changed(self, changed: dict[str, Any]) -> None:
        if self.session is None:
            return
        if set(changed) <= set(_RULE):
            changed = {"online": self.session.setup.online.model_copy(update=changed)}
        self._change(**changed)

    def _take_classes(self) -> None:
        model = self.session.experiment.model if self.session is not None else None
        if self.session is not None and model is not None:
            feedback = self.session.setup.feedback
            self._change(feedback=feedback.model_copy(update={"classes": model.classes}))

    def _change(self, **settings: Any) -> None:
        if self.session is None:
            return
        try:
            self.session.change(**settings)
        except RolandicError as error:
            self._tell(str(error), "caution")
            self._show_settings()

    # --- what happens ---------------------------------------------------------------------

    def _running(self) -> bool:
        return self.session is not None and self.session.feedback.running

    def _running_cued(self) -> bool:
        outside = self.session is not None and self.session.cues_outside
        return not outside and self._running() and self._scored()

    def _scored(self) -> bool:
        return self.session is not None and self.session.feedback.cued

    def _run_started(self, run: ActiveRun) -> None:
        if run.kind == "online" and self._feedback is not None:
            self._feedback.begin()
            self._pinned, self._preparing = False, True
            self._tell(tr("Getting ready: the recorder starts, the decoder warms up."), "")
            self.bars.show_empty()
            self.trace.show_empty()
        self._show_ready()

    def _run_finished(self, record: RunRecord) -> None:
        self._preparing = False
        if record.kind == "online" and not record.note:
            done, self._pinned = record.completed, True
            self._tell(
                tr("{file}: recorded and scored.", file=record.file) if done
                else tr("{file}: stopped; what was recorded and decided until then is kept.",
                        file=record.file), "")  # fmt: skip
        self._show_ready()
        self._show_account()

    def _run_failed(self, kind: str, why: str) -> None:
        self._preparing = False
        if kind == "online":
            self._pinned = True
            self._tell(
                tr("{why}. What was recorded and decided until then is kept.", why=why.rstrip(".")),
                "trouble",
            )

    def _decided(self, decision: Decision) -> None:
        if self.session is not None and self._feedback is not None and self._running():
            if self._preparing:
                self._preparing = False
                self._tell("", "")
            feedback = self.session.feedback.now()
            self._feedback.refresh(feedback)
            self.bars.show_feedback(feedback, self.session.setup.online)

    def _progressed(self, progress: RunProgress) -> None:
        if self._running():
            self.buttons.show_progress(progress)

    def _tick(self) -> None:
        """Show the newest state."""
        session = self.session
        if session is None or self._feedback is None:
            return
        self._ticks += 1
        part = session.feedback
        if part.running:
            feedback = part.now()
            self._feedback.refresh(feedback)
            self.bars.show_feedback(feedback, session.setup.online)
        if not self.isVisible():
            return
        self.figures.show_age(part.newest_age_s())
        if part.running and not self._ticks % _TRACE_TICKS:
            self._show_trace()
        if part.running and not self._ticks % _ACCOUNT_TICKS:
            self._show_account()

    def _show_trace(self) -> None:
        session = self.session
        model = session.experiment.model if session is not None else None
        if session is None or model is None or session.feedback.ledger is None:
            return
        low, high = model.epochs.band_hz
        self.trace.show_decisions(
            session.feedback.trace(self.trace.seconds),
            session.feedback.ledger.classes,
            session.feedback.ledger.settings.threshold,
            tr("probability, smoothed; filter {low:g}–{high:g} Hz causal, reference as recorded",
               low=low, high=high),
        )  # fmt: skip

    def _show_account(self) -> None:
        if self.session is None:
            return
        part = self.session.feedback
        account = part.account()
        self.marks.show_account(account, cued=part.cued)
        free = tr("free run: {n} commands", n=account.n_commands)
        self.accuracy.setText(accuracy_text(account) if part.cued else free)
        self.figures.show_figures(part.latency(), account, part.moved_db, part.effect)

    def _show_settings(self) -> None:
        if self.session is None:
            return
        setup, part = self.session.setup, self.session.feedback
        self.rule_panel.show_settings(setup.online)
        self.rule_panel.adaptation.show_settings(part.arms, part.arm, setup.rewards, setup.adapt)
        self.run_panel.show_settings(setup.feedback.trials_per_class, setup.scene)
        self.notes.show_notes(self.session.record.notes)
        self._show_ready()

    def _show_ready(self) -> None:
        if self.session is None:
            return
        part, running = self.session.feedback, self._running()
        why_not = part.why_not(cued=self.run_panel.cued) if not running else ""
        model = self.session.experiment.model
        unknown = model is not None and not set(self.session.setup.feedback.classes) <= set(
            model.classes
        )
        own_cues = self.run_panel.cued and not self.session.cues_outside
        self.fix.setVisible(unknown and own_cues and not running)
        if self.session.active is None:
            if why_not:
                self._tell(tr("Not yet: {why}.", why=why_not.rstrip(".")), "caution")
            elif not self._pinned:
                self._tell(tr("Ready: press Start when the person is."), "")
        self._enable(running=running, ready=not why_not)

    def _enable(self, *, running: bool, ready: bool) -> None:
        cued = self._running_cued()
        told = self.session is not None and self.session.feedback.takes_rewards
        self.buttons.enable(running=running, cued=cued, ready=ready, told=told)
        self.rest_button.setVisible(running and not self._scored())
        active = self.session is not None and self.session.active is not None
        self.stop_button.setEnabled(active)
        self.window_button.setEnabled(self.session is not None)
        self.run_panel.setEnabled(self.session is not None and not active)
        self.rule_panel.setEnabled(self.session is not None and not active)

    def _tell_if_shown(self, text: str, level: str) -> None:
        if self.isVisible():
            self._tell(text, level)

    def _tell(self, text: str, level: str) -> None:
        """Say a thing in place."""
        self.message.setText(text)
        self.message.setProperty("role", level if level in ("caution", "trouble") else "quiet")
        self.message.style().unpolish(self.message)
        self.message.style().polish(self.message)


def _label(name: str, spoken: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setAccessibleName(spoken)
    return label
