"""Paints what the patient sees: full-screen in the patient's window, small in the steps."""

import logging
import time

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.paradigm import PresentationSettings
from bci_app.patient.cues import BACKGROUND, paint_cue, paint_fixation, paint_message, unit
from bci_app.patient.view import IDLE, PatientView, Scene

__all__ = ["PatientCanvas"]

_log = logging.getLogger(__name__)

# A frame (ms): at 60 Hz for the patient, at 30 in a thumbnail, since every frame takes the
# interpreter from the decoder. Share of the smaller side that the photodiode's square takes.
_FRAME_MS, _THUMBNAIL_MS = 16, 33
_SQUARE = 0.09


class PatientCanvas(QWidget):
    """Paints a `PatientView`; at every frame while a scene moves, else only on a change.

    A scene that fails is not asked again until another is set; `scene_failed` says why, and the
    cross stays.

    Attributes
    ----------
    view : PatientView
    scene : Scene or None
        Paints feedback, where the view has some.
    """

    #: Name of the scene, and what it raised.
    scene_failed = Signal(str, str)
    #: `PatientView`: a frame of it has been handed to the window system. Compositor and screen
    #: add one to three frames that nothing here can see; a photodiode can.
    painted = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, live: bool = False) -> None:
        super().__init__(parent)
        self.setObjectName("patientCanvas")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 90)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.view: PatientView = IDLE
        self.scene: Scene | None = None
        self.question = ""
        self._presentation = PresentationSettings()
        self._square: bool | None = None
        self._live = live
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_FRAME_MS if live else _THUMBNAIL_MS)
        self._timer.timeout.connect(self.update)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a 16 to 9 thumbnail."""
        return QSize(480, 270)

    def set_scene(self, scene: Scene | None) -> None:
        """Let a scene paint feedback."""
        self.scene = scene
        self._follow()

    def set_presentation(self, presentation: PresentationSettings) -> None:
        """Show cues in another way."""
        self._presentation = presentation
        self.update()

    def show_view(self, view: PatientView, *, square: bool | None = None) -> None:
        """Show a view, at once where this is the patient's own window.

        Parameters
        ----------
        view : PatientView
        square : bool, optional
            Whether the photodiode's square is white; None: there is none.
        """
        new_phase = (view.phase, view.cue) != (self.view.phase, self.view.cue)
        self.view, self._square = view, square
        self._follow()
        if self._live and new_phase and self.isVisible():
            self.repaint()  # a cue does not queue behind other widgets' paint events
        elif not self._timer.isActive():
            self.update()

    def ask(self, question: str) -> None:
        """Show a question over everything; empty: no more."""
        self.question = question
        self.update()

    @property
    def moving(self) -> bool:
        """Whether frames are painted all the time."""
        return self._timer.isActive()

    def _follow(self) -> None:
        moves = self.scene is not None and _has_feedback(self.view)
        if moves and not self._timer.isActive():
            self._timer.start()
        elif not moves:
            self._timer.stop()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the view."""
        view, rect = self.view, QRectF(self.rect())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(rect, BACKGROUND)
        self._paint_phase(painter, rect, view)
        if self._square:
            side = _SQUARE * unit(rect)
            square = QRectF(rect.left(), rect.bottom() - side, side, side)
            painter.fillRect(square, Qt.GlobalColor.white)
        if self.question:
            painter.fillRect(rect, BACKGROUND)
            paint_message(painter, rect, self.question)
        painter.end()
        if self._live:
            # The frame is handed over when this event is done; a queued call comes right after.
            QTimer.singleShot(0, self, lambda: self.painted.emit(view))

    def _paint_phase(self, painter: QPainter, rect: QRectF, view: PatientView) -> None:
        if view.phase == "message":
            paint_message(painter, rect, view.message)
            return
        if view.message:
            paint_message(painter, rect, view.message, small=True)
        if view.phase == "fixation":
            paint_fixation(painter, rect)
        elif view.phase == "cue" and view.cue is not None:
            style = self._presentation
            paint_cue(
                painter,
                rect,
                view.cue,
                view.classes,
                picture=style.cues == "picture",
                words=style.words,
            )
        elif view.phase == "imagery" and not self._paint_scene(painter, rect, view):
            paint_fixation(painter, rect)

    def _paint_scene(self, painter: QPainter, rect: QRectF, view: PatientView) -> bool:
        scene = self.scene
        if scene is None or not _has_feedback(view):
            return False
        painter.save()
        try:
            scene.paint(painter, rect, view, time.monotonic())
        except Exception as error:
            _log.exception("scene %r failed", scene.name)
            self.scene = None
            why = f"{type(error).__name__}: {error}"
            QTimer.singleShot(0, self, lambda: self._failed(scene.name, why))
            return False
        finally:
            painter.restore()
        return True

    def _failed(self, name: str, why: str) -> None:
        self._follow()
        self.scene_failed.emit(name, why)


def _has_feedback(view: PatientView) -> bool:
    return view.phase == "imagery" and (view.evidence is not None or bool(view.withheld))
