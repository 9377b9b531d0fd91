"""The patient's own window: black, one thing at a time, on the second screen."""

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent, QScreen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from bci_app.patient.canvas import PatientCanvas
from bci_app.words import tr

__all__ = ["PatientWindow", "second_screen"]

#: How long the window asks whether it is to close (ms).
_ASK_MS = 8000


def second_screen(beside: QWidget | None = None) -> QScreen | None:
    """Return a screen that the clinician's window is not on; None: there is only one."""
    taken = beside.window().screen() if beside is not None else QGuiApplication.primaryScreen()
    others = [screen for screen in QGuiApplication.screens() if screen is not taken]
    return others[0] if others else None


class PatientWindow(QWidget):
    """Shows a canvas full-screen; falls back to a normal window when its screen goes away.

    Esc asks in the window itself, and leaves on a second Esc; any other key stays. Nothing here
    ends a run.

    Attributes
    ----------
    canvas : PatientCanvas
    """

    #: Text for the clinician, level.
    said = Signal(str, str)
    #: It was closed.
    left = Signal()

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName("patientWindow")
        self.setWindowTitle(tr("Rolandic: patient"))
        self.setAccessibleName(tr("What the patient sees"))
        self.setMinimumSize(320, 180)
        self.canvas = PatientCanvas(self, live=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.canvas)
        self._screen: QScreen | None = None
        self._asking = False
        self._sure = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_ASK_MS)
        self._patience.timeout.connect(self._stay)
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.screenRemoved.connect(self.screen_removed)

    @property
    def full(self) -> bool:
        """Whether it fills a screen of its own."""
        return self._screen is not None

    def open(self, screen: QScreen | None) -> None:
        """Show it, full-screen on a screen, or as a normal window where there is only one."""
        self._screen, self._sure = screen, False
        if screen is None:
            self._normal()
            return
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.setScreen(screen)
        self.setGeometry(screen.geometry())
        self.showFullScreen()

    def screen_removed(self, screen: QScreen) -> None:
        """Fall back to a normal window on the first screen when this one's has gone."""
        if screen is not self._screen:
            return
        self._screen = None
        self._normal()
        self.said.emit(
            tr(
                "The patient's screen was unplugged: the patient's window is a normal window here "
                "now, and the run goes on. Plug the screen in and open the window again."
            ),
            "caution",
        )

    def _normal(self) -> None:
        first = QGuiApplication.primaryScreen()
        self.unsetCursor()
        self.showNormal()
        self.setScreen(first)
        place = first.availableGeometry()
        size = QSize(min(960, place.width() * 3 // 4), min(540, place.height() * 3 // 4))
        self.resize(size)
        self.move(place.center() - self.rect().center())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Ask before it leaves."""
        if event.key() == Qt.Key.Key_Escape:
            if self._asking:
                self._sure = True
                self.close()
            else:
                self._ask()
        elif self._asking:
            self._stay()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Ask, too, when the window system wants it closed."""
        if event.spontaneous() and not self._sure and not self._asking:
            self._ask()
            event.ignore()
            return
        self._stay()
        super().closeEvent(event)
        self._screen = None
        self.left.emit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow a window that was made normal by the window system."""
        if event.type() == QEvent.Type.WindowStateChange and not self.isFullScreen():
            self.unsetCursor()
        super().changeEvent(event)

    def _ask(self) -> None:
        self._asking = True
        self._patience.start()
        self.canvas.ask(tr("Close this window?\nEsc: close.  Any other key: stay."))

    def _stay(self) -> None:
        self._asking = False
        self._patience.stop()
        self.canvas.ask("")
