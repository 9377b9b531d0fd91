"""From decisions to the patient's screen: the scene, the newest evidence, when it was shown.

When a frame is on the screen, Qt does not say for widgets (only for OpenGL surfaces): what is taken
is the moment at which the frame has been handed to the window system, in the first turn of the
event loop after it was painted. Compositor and screen add one to three frames that no program
sees; a photodiode does.
"""

from collections import deque
from dataclasses import replace
from time import monotonic

from PySide6.QtCore import QObject, Signal

from bci.experiment.feedback import Feedback
from bci.experiment.session import Session
from bci.online import Decision
from bci.sources.clock import lsl_clock
from bci_app.patient.display import PatientDisplay
from bci_app.patient.scenes import GuardedScene, make_scene
from bci_app.patient.view import PatientView
from bci_app.words import tr

__all__ = ["OnlineFeedback"]

# Feedback that is withheld for longer than this is spoken of to the patient (s): what is shorter,
# the dimmed scene says well enough.
_SPEAK_S = 0.7
# Views whose frames may still be on their way.
_KEPT = 16
_SHOWING = ("cue", "imagery")


class OnlineFeedback(QObject):
    """Shows a session's decisions to its patient, as the display shows its steps.

    Parameters
    ----------
    session : Session
    display : PatientDisplay
    """

    #: Text for the clinician, level.
    said = Signal(str, str)

    def __init__(
        self, session: Session, display: PatientDisplay, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._display = session, display
        self._views: deque[tuple[PatientView, Decision]] = deque(maxlen=_KEPT)
        self._presented: int | None = None
        self._withheld_since_s: float | None = None
        display.painted.connect(self._painted)

    def close(self) -> None:
        """Show nothing any more."""
        self._display.painted.disconnect(self._painted)

    def begin(self) -> None:
        """Set the scene for a run that begins."""
        self._views.clear()
        self._presented = self._withheld_since_s = None
        name = self._session.setup.scene
        scene, reason = make_scene(name)
        if reason:
            self._say_failed(name, reason)
        self._display.set_scene(
            GuardedScene(scene, lambda failed, error: self._say_failed(failed, str(error)))
        )

    def _say_failed(self, name: str, reason: str) -> None:
        self.said.emit(
            tr("The scene {name} failed ({why}): the plain bar is shown instead, and the run "
               "goes on. Choose another scene for the next run.", name=name, why=reason),
            "caution",
        )  # fmt: skip

    def refresh(self, feedback: Feedback) -> None:
        """Show what may be shown now."""
        display = self._display
        view = display.view
        if not self._has_steps and view.phase == "message" and feedback.decision is not None:
            # It begins with the first decision.
            view = PatientView("imagery", None, feedback.classes, since_s=monotonic())
        elif view.phase not in _SHOWING:
            self._withheld_since_s = None
            return
        view = replace(
            view,
            classes=feedback.classes,
            evidence=feedback.evidence,
            withheld=feedback.withheld,
            decided=feedback.decided,
            message=self._message(feedback),
            length_s=self._length_s(view),
        )
        if view == display.view:
            return
        if feedback.evidence is not None and feedback.decision is not None:
            self._views.append((view, feedback.decision))
        display.show(view)

    @property
    def _has_steps(self) -> bool:
        """Whether this program leads through the run; not in a free one."""
        return self._session.feedback.cued and not self._session.cues_outside

    def _length_s(self, view: PatientView) -> float:
        """Return how long the phase lasts; 0 where nothing but the clinician ends it."""
        if not self._has_steps:
            return 0.0
        settings = self._session.setup.feedback
        if view.phase == "cue":
            return settings.cue_s
        return settings.imagery_s - settings.cue_s

    def _message(self, feedback: Feedback) -> str:
        if not feedback.withheld:
            self._withheld_since_s = None
            return ""
        if self._withheld_since_s is None:
            self._withheld_since_s = monotonic()
        if monotonic() - self._withheld_since_s < _SPEAK_S:
            return ""
        return tr("One moment, please: the signal is not clear.")

    def _painted(self, view: PatientView) -> None:
        """Note when the first frame that moves toward a decision was handed over."""
        if view.phase != "imagery" or view.evidence is None:
            return
        for shown, decision in self._views:
            if shown is view and decision.sample != self._presented:
                self._presented = decision.sample
                self._session.feedback.presented(decision, lsl_clock())
                return
