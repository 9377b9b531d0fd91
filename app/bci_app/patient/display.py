"""What a session shows its patient: one view, followed by the window and by every thumbnail.

The view follows the session's steps as they are reached; whoever decodes adds its evidence
(`PatientDisplay.feedback`). A cue goes from the run's thread through one queued call into the
window's thread and is painted there before anything else is. When the frame has been handed to the
window system is noted in the event log (``step_shown``) beside the marker's stamp.
"""

from dataclasses import replace
from time import monotonic

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from bci.events import CLASSES
from bci.experiment.session import ActiveRun, Session
from bci.paradigm import PresentationSettings, Step
from bci.sources.clock import lsl_clock
from bci.workspace import RunRecord
from bci_app.patient.canvas import PatientCanvas
from bci_app.patient.sound import Beeper
from bci_app.patient.view import IDLE, PatientView, Scene
from bci_app.patient.window import PatientWindow, second_screen
from bci_app.relay import Relay
from bci_app.words import tr

__all__ = ["PatientDisplay"]

_displays: dict[Session, "PatientDisplay"] = {}


class PatientDisplay(QObject):
    """What a session shows its patient; one for each session, shared by the steps.

    Attributes
    ----------
    session : Session
    view : PatientView
        What is to be seen now.
    scene : Scene or None
        Paints feedback.
    square : bool or None
        The photodiode's square: white, black, or none.
    window : PatientWindow or None
        While it is open.
    """

    #: `PatientView`
    changed = Signal(object)
    #: The patient's window was opened or closed.
    window_changed = Signal()
    #: Text for the clinician, level.
    said = Signal(str, str)
    #: Name of a scene, and what it raised.
    scene_failed = Signal(str, str)
    #: `PatientView`: the patient's window has handed a frame of it to the window system.
    painted = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.view: PatientView = IDLE
        self.scene: Scene | None = None
        self.square: bool | None = None
        self.window: PatientWindow | None = None
        self._users = 0
        self._canvases: list[PatientCanvas] = []
        self._beeper = Beeper()
        self._beep_told = False
        self._cue_over = QTimer(self)
        self._cue_over.setSingleShot(True)
        self._cue_over.setTimerType(Qt.TimerType.PreciseTimer)
        self._cue_over.timeout.connect(self._end_cue)
        self._relay = Relay(self)
        self._relay.connect_event(session.experiment.events.step_reached, self._step)
        self._relay.connect_event(session.events.run_started, self._began)
        self._relay.connect_event(session.events.run_finished, self._finished)
        self._relay.connect_event(session.events.run_failed, self._failed)
        self._relay.connect_event(session.events.record_changed, self._restyle, newest=True)

    @classmethod
    def of(cls, session: Session) -> "PatientDisplay":
        """Return the display of a session; every call asks for a `leave`."""
        display = _displays.get(session)
        if display is None:
            display = _displays[session] = cls(session)
        display._users += 1
        return display

    def leave(self) -> None:
        """Let go of it; with its last user it ends, and the patient's window closes."""
        self._users -= 1
        if self._users > 0:
            return
        _displays.pop(self.session, None)
        self._relay.close()
        self._cue_over.stop()
        self.close_window()
        self._beeper.close()
        self._canvases.clear()

    # --- who shows it ---------------------------------------------------------------------

    @property
    def presentation(self) -> PresentationSettings:
        """How cues look."""
        return self.session.setup.presentation

    def attach(self, canvas: PatientCanvas) -> None:
        """Let a canvas follow."""
        if canvas not in self._canvases:
            self._canvases.append(canvas)
            canvas.scene_failed.connect(self.scene_failed)
        canvas.set_presentation(self.presentation)
        canvas.set_scene(self.scene)
        canvas.show_view(self.view, square=self.square)

    def detach(self, canvas: PatientCanvas) -> None:
        """Let a canvas follow no more; it shows nothing."""
        if canvas in self._canvases:
            self._canvases.remove(canvas)
            canvas.scene_failed.disconnect(self.scene_failed)
            canvas.set_scene(None)
            canvas.show_view(IDLE)

    def open_window(self, beside: QWidget | None = None, screen: QScreen | None = None) -> None:
        """Open the patient's window on the second screen; on the only one as a normal window.

        Parameters
        ----------
        beside : QWidget, optional
            Of the clinician's window: its screen is not the patient's.
        screen : QScreen, optional
            The one to use; default: the first that is not the clinician's.
        """
        if self.window is None:
            self.window = PatientWindow()
            self.window.said.connect(self.said)
            self.window.left.connect(self._window_left)
            self.window.canvas.painted.connect(self.painted)
            # First of all: it is painted before any thumbnail.
            self._canvases.insert(0, self.window.canvas)
            self.window.canvas.scene_failed.connect(self.scene_failed)
        self.attach(self.window.canvas)
        chosen = screen or second_screen(beside)
        self.window.open(chosen)
        if chosen is None:
            self.said.emit(
                tr(
                    "There is one screen only: the patient's window is a normal window. Plug a "
                    "second screen in and open it again to fill that one."
                ),
                "info",
            )
        self.window_changed.emit()

    def close_window(self) -> None:
        """Close the patient's window; without one nothing happens."""
        if self.window is not None:
            self.window.close()

    def _window_left(self) -> None:
        window, self.window = self.window, None
        if window is None:
            return
        self.detach(window.canvas)
        window.deleteLater()
        if self.session.active is not None:
            self.said.emit(
                tr("The patient's window is closed: the run goes on without it."), "caution"
            )
        self.window_changed.emit()

    # --- what is shown --------------------------------------------------------------------

    def show(self, view: PatientView) -> None:
        """Show a view."""
        self.view = view
        for canvas in self._there():
            canvas.show_view(view, square=self.square)
        self.changed.emit(view)

    def feedback(
        self,
        evidence: tuple[float, ...] | None,
        withheld: str = "",
        decided: str | None = None,
    ) -> None:
        """Show what was decoded, in whatever phase the trial is."""
        self.show(replace(self.view, evidence=evidence, withheld=withheld, decided=decided))

    def set_scene(self, scene: Scene | None) -> None:
        """Let a scene paint feedback; None: there is none."""
        self.scene = scene
        for canvas in self._there():
            canvas.set_scene(scene)

    def _there(self) -> list[PatientCanvas]:
        """Return the canvases that follow; those that Qt has deleted do not."""
        self._canvases = [canvas for canvas in self._canvases if isValid(canvas)]
        return self._canvases[:]

    def _restyle(self) -> None:
        for canvas in self._there():
            canvas.set_presentation(self.presentation)

    # --- from the session -----------------------------------------------------------------

    def _began(self, active: ActiveRun) -> None:
        calibrating = active.kind == "calibration"
        setup = self.session.setup
        classes = (setup.protocol if calibrating else setup.feedback).classes
        if calibrating:
            self.set_scene(None)
        self.square = False if self.presentation.photodiode else None
        text = tr("We begin in a moment.")
        if calibrating and self.session.cues_outside:
            text = tr("Please follow the cues of the other program.")
        self._to(PatientView("message", None, classes, message=text))

    def _finished(self, record: RunRecord) -> None:
        self._cue_over.stop()
        text = tr("This run is over. Thank you.") if record.completed else tr("We stop here.")
        self.square = None
        self._to(PatientView("message", None, self.view.classes, message=text))

    def _failed(self, kind: str, why: str) -> None:
        self._cue_over.stop()
        self.square = None
        self._to(PatientView("message", None, self.view.classes, message=tr("A short break.")))

    def _step(self, step: Step, time_s: float) -> None:
        before = self.view
        classes = before.classes
        if step.label in CLASSES:
            if self.square is not None:
                self.square = not self.square
            cue_s = self._cue_s()
            self._to(PatientView("cue", step.label, classes))
            self._cue_over.start(max(0, round(1000 * cue_s)))
        elif step.label == "fixation":
            self._to(PatientView("fixation", None, classes))
            if self.presentation.beep:
                self._beep()
        elif step.label in ("imagery_end", "trial_end", "run_resumed"):
            self._cue_over.stop()
            self._to(PatientView("pause", None, classes))
        elif step.label == "run_paused":
            self._cue_over.stop()
            self._to(PatientView("message", None, classes, message=tr("A short break.")))
        else:
            return
        if self.window is not None and self.window.isVisible():
            self.session.calibration.cue_shown(step.label, time_s, lsl_clock())

    def _cue_s(self) -> float:
        active, setup = self.session.active, self.session.setup
        cued = setup.feedback if active is not None and active.kind == "online" else setup.protocol
        return cued.cue_s

    def _end_cue(self) -> None:
        if self.view.phase == "cue":
            self._to(replace(self.view, phase="imagery"))

    def _to(self, view: PatientView) -> None:
        self.show(replace(view, since_s=monotonic()))

    def _beep(self) -> None:
        self._beeper.play()
        if self._beeper.problem and not self._beep_told:
            self._beep_told = True
            self.said.emit(tr("No beep: {why}. The run goes on.", why=self._beeper.problem), "info")
