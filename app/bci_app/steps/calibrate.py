"""The Calibrate step: the protocol, the run, and whether its trials are enough."""

from collections.abc import Sequence

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from bci.errors import RolandicError
from bci.experiment.calibration_score import CalibrationScore
from bci.experiment.opening import set_cues
from bci.experiment.searching import FoundEntry
from bci.experiment.session import ActiveRun, Session
from bci.paradigm import GrazSettings, PresentationSettings, RunProgress
from bci.workspace import RunRecord
from bci_app.patient.display import PatientDisplay
from bci_app.steps.base import ActionInfo, Step
from bci_app.steps.calibrate_run import RunPanel
from bci_app.theme import STEP_PX
from bci_app.widgets.cue_source import CueSource
from bci_app.widgets.protocol_editor import ProtocolEditor
from bci_app.widgets.score_so_far import ScoreSoFar
from bci_app.words import tr

__all__ = ["CalibrateStep"]

_SIDE_PX = 392
# Settings are kept when nobody has turned a knob for so long (ms): each keeping writes a file.
_KEEP_MS = 300


class CalibrateStep(Step):
    """Lets the clinician set up, start and steer calibration runs, and see what they give."""

    name = "calibrate"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.display: PatientDisplay | None = None
        self.run = RunPanel()
        self.score = ScoreSoFar()
        self.editor = ProtocolEditor()
        self.cues = CueSource()
        self.tabs = QTabWidget()
        self.tabs.setObjectName("calibrateTabs")
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setFixedWidth(max(_SIDE_PX, self.editor.sizeHint().width() + 3 * STEP_PX))
        self.tabs.addTab(self.score, tr("Accuracy so far"))
        scrolled = QScrollArea()
        scrolled.setObjectName("protocolScroll")
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setWidget(self._protocol_page())
        self.tabs.addTab(scrolled, tr("Protocol"))
        panel = QFrame()
        panel.setProperty("role", "panel")
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(2 * STEP_PX, 2 * STEP_PX, 2 * STEP_PX, 2 * STEP_PX)
        inside.addWidget(self.run)
        row = QHBoxLayout()
        row.setSpacing(2 * STEP_PX)
        row.addWidget(panel, 1)
        row.addWidget(self.tabs)
        self.column.addLayout(row, 1)
        self.run.start_wanted.connect(self.start)
        self.run.pause_wanted.connect(self.pause)
        self.run.resume_wanted.connect(self.resume)
        self.run.repeat_wanted.connect(self.repeat)
        self.run.abort_wanted.connect(self.abort)
        self.run.window_wanted.connect(self.show_patient_window)
        self.editor.protocol_changed.connect(self._protocol_changed)
        self.editor.presentation_changed.connect(self._presentation_changed)
        self.cues.stream_changed.connect(self._cue_stream_changed)
        self.cues.map_changed.connect(self._cue_map_changed)
        self._waits = False
        self._changes: dict[str, object] = {}
        self._keeping = QTimer(self)
        self._keeping.setSingleShot(True)
        self._keeping.setInterval(_KEEP_MS)
        self._keeping.timeout.connect(self.keep)
        self.unbound()

    def _protocol_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.cues)
        column.addWidget(self.editor, 1)
        return page

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Calibrate")

    # --- a session comes and goes ---------------------------------------------------------

    def bound(self, session: Session) -> None:
        """Follow a session."""
        part = session.calibration
        self.display = PatientDisplay.of(session)
        self.display.attach(self.run.canvas)
        self.display.said.connect(self._say)
        self.display.window_changed.connect(self._window_changed)
        self.on(part.events.progressed, self._progressed, newest=True)
        self.on(part.events.scored, self._scored, newest=True)
        self.on(part.events.scoring_changed, self._scoring, newest=True)
        self.on(session.signals.events.streams_found, self._streams_found, newest=True)
        self.on(session.events.readiness_changed, self._show_ready, newest=True)
        self.on(session.events.record_changed, self._show_settings, newest=True)
        self.on(session.events.run_started, self._started)
        self.on(session.events.run_finished, self._finished)
        self.on(session.events.run_failed, self._failed)
        self._show_settings()
        self.score.show_score(part.score)
        self.score.show_working(part.scoring, part.problem)
        self.tabs.setCurrentIndex(0 if part.n_runs else 1)
        self.run.show_run(self._run_name(), part.control.progress if part.running else None)
        self._show_ready()
        self._window_changed()

    def unbound(self) -> None:
        """Return to the empty state."""
        self.keep()
        if self.display is not None:
            display, self.display = self.display, None
            display.said.disconnect(self._say)
            display.window_changed.disconnect(self._window_changed)
            display.detach(self.run.canvas)
            display.leave()
        self.run.show_run("", None)
        self.run.show_ready(tr("Open a session first."), False)
        self.run.show_window(False)
        self.run.say(
            tr(
                "Here the patient is cued to imagine movements while the signal is recorded: what "
                "decoders learn from. Open a session, connect an amplifier, then start a run."
            )
        )
        self.score.show_score(None)
        self.score.show_working(False)
        self.editor.setEnabled(False)
        self.cues.setEnabled(False)

    def entered(self) -> None:
        """Look which programs send markers, where one of them gives the cues."""
        if self.session is not None and self.cues.tick.isChecked():
            self.session.signals.look_for_streams()
            self._streams_found(self.session.signals.found or ())

    def left(self) -> None:
        """Look no more."""
        if self.session is not None:
            self.session.signals.stop_looking()

    # --- what the clinician does ----------------------------------------------------------

    def start(self) -> None:
        """Begin a run."""
        if self.session is None:
            return
        self.keep()
        try:
            self.session.calibration.start()
        except RolandicError as error:
            self._say(str(error), "trouble")

    def pause(self) -> None:
        """Hold the run when its trial is over."""
        if self.session is not None:
            self.session.calibration.pause()

    def resume(self) -> None:
        """Go on."""
        if self.session is not None:
            self.session.calibration.resume()

    def repeat(self) -> None:
        """Give the last trial again."""
        if self.session is None or not self.session.calibration.running:
            return
        if self.session.calibration.repeat_trial() is None:
            self.run.say(tr("No trial to repeat: it is rejected already, or none was shown yet."))

    def abort(self) -> None:
        """End the run at once."""
        if self.session is not None:
            self.session.calibration.abort()

    def show_patient_window(self, wanted: bool) -> None:
        """Open or close the patient's window."""
        if self.display is None:
            self.run.show_window(False)
        elif wanted:
            self.display.open_window(beside=self)
        else:
            self.display.close_window()

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        return (
            ActionInfo("calibrate.start", tr("Start a calibration run"), "Ctrl+R", self.start),
            ActionInfo(
                "calibrate.pause", tr("Pause the run, or go on"), "Ctrl+P", self.run.toggle_pause
            ),
            ActionInfo("calibrate.repeat", tr("Repeat the last trial"), "Ctrl+E", self.repeat),
            ActionInfo("calibrate.abort", tr("Abort the run"), "Ctrl+Backspace", self.abort),
            ActionInfo(
                "calibrate.window", tr("Patient's window"), "F9", self._switch_patient_window
            ),
            ActionInfo("calibrate.protocol", tr("Protocol or accuracy"), "F6", self._switch_tab),
        )

    def _switch_patient_window(self) -> None:
        self.show_patient_window(self.display is not None and self.display.window is None)

    def _switch_tab(self) -> None:
        self.tabs.setCurrentIndex(1 - self.tabs.currentIndex())

    def _protocol_changed(self, protocol: GrazSettings) -> None:
        if self.session is None:
            return
        setup = self.session.setup
        changes: dict[str, object] = {"protocol": protocol}
        if setup.feedback.classes == setup.protocol.classes:
            changes["feedback"] = setup.feedback.model_copy(update={"classes": protocol.classes})
        self._change(**changes)

    def _cue_stream_changed(self, stream: str) -> None:
        self._change(cue_stream=stream)
        self.keep()
        self.entered()

    def _cue_map_changed(self, text: str) -> None:
        if self.session is None:
            return
        try:
            set_cues(self.session, text)
        except RolandicError as error:
            self.cues.refuse(str(error))
        else:
            self.cues.refuse("")

    def _streams_found(self, found: Sequence[FoundEntry]) -> None:
        if found:
            markers = [e for e in found if e.dtype == "string" or not e.rate_hz]
            names = [e.name for e in markers]
            self.cues.show_streams(
                sorted({e.name if names.count(e.name) == 1 else e.source_id for e in markers})
            )

    def _presentation_changed(self, presentation: PresentationSettings) -> None:
        self._change(presentation=presentation)

    def _change(self, **changes: object) -> None:
        self._changes |= changes
        self._keeping.start()

    def keep(self) -> None:
        """Keep what was edited."""
        self._keeping.stop()
        changes, self._changes = self._changes, {}
        if self.session is None or not changes:
            return
        try:
            self.session.change(**changes)
        except RolandicError as error:
            self.editor.refuse(str(error))

    # --- what the session says ------------------------------------------------------------

    def _run_name(self) -> str:
        if self.session is None:
            return ""
        part = self.session.calibration
        planned = self.session.setup.protocol.n_runs
        number = part.n_runs + 1 if part.running else part.n_runs
        if not number:
            return tr("No run yet")
        if part.running:
            return tr("Run {k} of {n}", k=number, n=max(number, planned))
        return tr("{k} of {n} runs done", k=number, n=max(number, planned))

    def _show_settings(self) -> None:
        if self.session is None or self._changes:
            return
        setup = self.session.setup
        self.editor.show_settings(setup.protocol, setup.presentation, setup.epochs)
        self.cues.show_settings(setup.cue_stream, setup.epochs.event_map)

    def _show_ready(self) -> None:
        if self.session is None:
            return
        running = self.session.active is not None
        why_not = self.session.readiness("calibrate").why_not
        self.run.show_ready(why_not, running)
        self.cues.setEnabled(not running)
        self.editor.setEnabled(not running and not self.session.cues_outside)
        waited, self._waits = self._waits, bool(why_not)
        if running or (not why_not and self.session.calibration.n_runs and not waited):
            return
        if why_not:
            self.run.say(tr("Not ready: {why}.", why=why_not), "caution")
        elif self.session.cues_outside:
            self.run.say(
                tr(
                    "Ready. Start the run, then the other program's cues; End run ends it, and "
                    "keeps and uses its trials."
                )
            )
        else:
            self.run.say(
                tr(
                    "Ready. Open the patient's window, explain the task, then start the run. "
                    "The protocol is at the right."
                )
            )

    def _started(self, active: ActiveRun) -> None:
        if self.session is None or active.kind != "calibration":
            return
        self.tabs.setCurrentIndex(0)
        self.run.show_run(self._run_name(), RunProgress())
        self._show_ready()

    def _progressed(self, progress: RunProgress) -> None:
        if self.session is not None and self.session.calibration.running:
            self.run.show_run(self._run_name(), progress)

    def _finished(self, record: RunRecord) -> None:
        if self.session is None or record.kind != "calibration":
            return
        self.run.show_run(self._run_name(), None)
        self._show_ready()
        if record.note:
            self.run.say(
                tr("The run failed: {why}. The trials before are kept.", why=record.note), "trouble"
            )
        elif not record.completed:
            self.run.say(tr("The run was ended early. Its trials are kept and used."))

    def _failed(self, kind: str, why: str) -> None:
        if kind != "calibration":
            return
        self.run.show_run(self._run_name(), None)
        self._show_ready()
        self._say(tr("The run failed: {why}. The trials before are kept.", why=why), "trouble")

    def _scored(self, score: CalibrationScore) -> None:
        self.score.show_score(score)

    def _scoring(self, working: bool) -> None:
        if self.session is not None:
            self.score.show_working(working, self.session.calibration.problem)

    def _window_changed(self) -> None:
        self.run.show_window(self.display is not None and self.display.window is not None)

    def _say(self, text: str, level: str) -> None:
        self.run.say(text, level if level != "info" else "quiet")
        self.said.emit(text, level)
