"""A run on its way: how far it is, what the patient sees, and the buttons that steer it."""

import time

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bci.paradigm import HELD_BY_PAUSE, HELD_BY_SIGNAL, RunProgress
from bci_app.patient.canvas import PatientCanvas
from bci_app.theme import STEP_PX, font, tabular
from bci_app.widgets.protocol_editor import clock
from bci_app.words import class_words, tr

__all__ = ["RunPanel"]


class RunPanel(QWidget):
    """Shows a `RunProgress` and what the patient sees; asks for what its buttons say.

    Attributes
    ----------
    canvas : PatientCanvas
        The live thumbnail.
    """

    start_wanted = Signal()
    pause_wanted = Signal()
    resume_wanted = Signal()
    repeat_wanted = Signal()
    abort_wanted = Signal()
    window_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel()
        self._title.setObjectName("runTitle")
        self._title.setFont(tabular(font("body", bold=True)))
        self._left = QLabel()
        self._left.setObjectName("runLeft")
        self._left.setFont(tabular())
        self._bar = QProgressBar()
        self._bar.setObjectName("runProgress")
        self._bar.setAccessibleName(tr("Trials that are over"))
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(STEP_PX)
        self.canvas = PatientCanvas()
        self.canvas.setAccessibleName(tr("What the patient sees"))
        self.canvas.setToolTip(tr("What the patient sees, painted by the same code."))
        self._note = QLabel()
        self._note.setObjectName("runNote")
        self._note.setWordWrap(True)
        self._start = _button("start", tr("&Start run"), role="primary")
        self._pause = _button("pause", tr("&Pause"))
        self._repeat = _button("repeat", tr("R&epeat trial"))
        self._abort = _button("abort", tr("&Abort run"))
        self._window = _button("patientWindowButton", tr("Patient &window"))
        self._window.setCheckable(True)
        self._repeat.setToolTip(
            tr(
                "The trial whose cue was shown last is marked as rejected, at once, and comes "
                "again at the end of the run."
            )
        )
        self._abort.setToolTip(tr("Ends the run at once. Trials so far are kept and used."))
        self._pause.setToolTip(tr("The run is held when the trial that goes on is over."))
        self._window.setToolTip(
            tr("Opens the patient's window on the second screen, or closes it.")
        )
        self._lay_out()
        self._start.clicked.connect(self.start_wanted)
        self._pause.clicked.connect(self.toggle_pause)
        self._repeat.clicked.connect(self.repeat_wanted)
        self._abort.clicked.connect(self.abort_wanted)
        self._window.clicked.connect(self.window_wanted)
        self._progress: RunProgress | None = None
        self._name = ""
        self._clock = QTimer(self)
        self._clock.setInterval(500)
        self._clock.timeout.connect(self._show_left)
        self.show_run("", None)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self._left)
        buttons = QHBoxLayout()
        buttons.setSpacing(STEP_PX)
        for button in (self._start, self._pause, self._repeat, self._abort):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self._window)
        frame = _Shaped(self.canvas)
        caption = QLabel(tr("What the patient sees"))
        caption.setFont(font("small"))
        caption.setProperty("role", "quiet")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP_PX)
        column.addLayout(head)
        column.addWidget(self._bar)
        column.addWidget(caption)
        column.addWidget(frame, 1)
        column.addWidget(self._note)
        column.addLayout(buttons)

    def show_run(self, name: str, progress: RunProgress | None) -> None:
        """Show how far a run is; None: none goes on.

        Parameters
        ----------
        name : str
            Such as "Run 2 of 4", translated.
        progress : RunProgress, optional
        """
        self._name, self._progress = name, progress
        going = progress is not None
        outside = progress is not None and progress.outside
        self._pause.setEnabled(going and not outside)
        self._abort.setEnabled(going)
        self._abort.setText(tr("End r&un") if outside else tr("&Abort run"))
        self._repeat.setEnabled(progress is not None and progress.last is not None)
        if progress is None:
            self._clock.stop()
            self._title.setText(name or tr("No run yet"))
            self._left.clear()
            self._bar.setRange(0, 1)
            self._bar.setValue(0)
            self._pause.setText(tr("&Pause"))
            self.say("")
            return
        if not self._clock.isActive():
            self._clock.start()
        if progress.outside:
            self._show_outside(progress)
            return
        shown = progress.n_done + (1 if progress.trial is not None else 0)
        trial = tr("trial {k} of {n}", k=shown, n=progress.n_trials)
        self._title.setText(f"{name}, {trial}" if shown else name)
        self._bar.setRange(0, max(1, progress.n_trials))
        self._bar.setValue(progress.n_done)
        waits = progress.pausing or progress.held == HELD_BY_PAUSE
        self._pause.setText(tr("&Resume") if waits else tr("&Pause"))
        self._show_left()
        self._say_why(progress)

    def _show_outside(self, progress: RunProgress) -> None:
        """Show a run of which nobody knows how long it is."""
        self._title.setText(tr("{name}, {k} cues so far", name=self._name, k=progress.n_done))
        self._bar.setRange(0, 1)
        self._left.setText(tr("until you end it"))
        if progress.n_done:
            what = class_words(progress.label)
            self.say(tr("The last cue of the other program: {what}.", what=what))
        else:
            self.say(
                tr("Recording. No cue of the other program yet: start it. If it runs, look in "
                   "Protocol whether its markers are named as it sends them."),
                "caution",
            )  # fmt: skip

    def _say_why(self, progress: RunProgress) -> None:
        if progress.held == HELD_BY_SIGNAL:
            self.say(
                tr(
                    "Nothing comes from the amplifier: no trial is given until it does. Check its "
                    "cable and battery; it is looked for."
                ),
                "trouble",
            )
        elif progress.held == HELD_BY_PAUSE:
            self.say(tr("Paused. The next trial begins a moment after Resume."), "caution")
        elif progress.pausing:
            self.say(tr("The pause begins when this trial is over."), "caution")
        elif progress.rejected:
            again = ", ".join(str(number + 1) for number in progress.rejected)
            self.say(
                tr("Rejected: trial {numbers}. Given again at the end of the run.", numbers=again)
            )
        else:
            self.say("")

    def show_ready(self, why_not: str, running: bool) -> None:
        """Let the run be started, or say why it cannot."""
        self._start.setEnabled(not why_not and not running)
        self._start.setToolTip(why_not or tr("Begins a run of the protocol."))

    def show_window(self, is_open: bool) -> None:
        """Say whether the patient's window is open."""
        self._window.setChecked(is_open)

    def say(self, text: str, role: str = "quiet") -> None:
        """Say something below the picture."""
        self._note.setText(text)
        self._note.setProperty("role", role)
        self._note.style().unpolish(self._note)
        self._note.style().polish(self._note)

    @property
    def note(self) -> str:
        """What is said."""
        return self._note.text()

    @property
    def title(self) -> str:
        """How far the run is, as it is shown."""
        return self._title.text()

    def toggle_pause(self) -> None:
        """Pause, or go on."""
        progress = self._progress
        if progress is None:
            return
        if progress.pausing or progress.held == HELD_BY_PAUSE:
            self.resume_wanted.emit()
        else:
            self.pause_wanted.emit()

    def _show_left(self) -> None:
        progress = self._progress
        if progress is None or progress.outside:
            return
        passed_s = 0.0 if progress.held else time.monotonic() - progress.at_s
        self._left.setText(tr("{time} left", time=clock(progress.left_s - passed_s)))


class _Shaped(QWidget):
    """Keeps a canvas at 16 to 9, in the middle."""

    def __init__(self, canvas: PatientCanvas) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        self._canvas = canvas
        canvas.setParent(self)
        self.setMinimumSize(QSize(320, 180))

    def resizeEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        """Fit the canvas."""
        width = min(self.width(), self.height() * 16 // 9)
        height = width * 9 // 16
        self._canvas.setGeometry(
            (self.width() - width) // 2, (self.height() - height) // 2, width, height
        )


def _button(name: str, text: str, *, role: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAccessibleName(text.replace("&", ""))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if role:
        button.setProperty("role", role)
    return button
