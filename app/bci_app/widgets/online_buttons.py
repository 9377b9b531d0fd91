"""What is pressed in an online run, and how far the run is."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from bci.paradigm.control import HELD_BY_SIGNAL, RunProgress
from bci_app.theme import STEP_PX, font, tabular
from bci_app.words import tr

__all__ = ["OnlineButtons", "online_button", "progress_text", "stop_button"]


def online_button(name: str, text: str, tip: str, role: str = "") -> QPushButton:
    """Return a button of the Online step."""
    button = QPushButton(text)
    button.setObjectName(f"online.{name}")
    button.setAccessibleName(text.strip("■✓✗ "))
    button.setToolTip(tip)
    if role:
        button.setProperty("role", role)
    return button


def progress_text(progress: RunProgress) -> str:
    """Return how far a cued run is, and whether it is held."""
    minutes, seconds = divmod(round(progress.left_s), 60)
    number = min(progress.n_done + 1, progress.n_trials)
    parts = [
        tr("trial {k} of {n}", k=number, n=progress.n_trials),
        tr("{m}:{s:02d} left", m=minutes, s=seconds),
    ]
    if progress.pausing:
        parts.append(tr("pausing"))
    elif progress.held == HELD_BY_SIGNAL:
        parts.append(tr("waits for the signal"))
    elif progress.held:
        parts.append(tr("paused"))
    return " · ".join(parts)


class OnlineButtons(QWidget):
    """Start, pause, repeat or rest, the patient's window; right and wrong."""

    #: Whether the newest trial was decided right.
    rewarded = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.start = online_button("start", tr("Start"),
            tr("Begin an online run (Ctrl+R)."), "primary")  # fmt: skip
        self.pause = online_button("pause", tr("Pause"),
            tr("Give no further trial after this one (Ctrl+P)."))  # fmt: skip
        self.repeat = online_button("repeat", tr("Repeat trial"),
            tr("Leave the last trial out, and give it again at the end (Ctrl+E)."))  # fmt: skip
        self.rest = online_button("rest", tr("Person rests"),
            tr("Say that the person rests now: commands until you press again are false alarms "
               "(Ctrl+E)."))  # fmt: skip
        self.rest.setCheckable(True)
        self.right = online_button("right", tr("✓ Right"),
            tr("The newest trial was decided right: the decoder learns from it (F8)."))  # fmt: skip
        self.wrong = online_button("wrong", tr("✗ Wrong"),
            tr("The newest trial was decided wrong: the decoder learns from it (F9)."))  # fmt: skip
        self.window_button = online_button("window", tr("Patient's window"),
            tr("Open or close the patient's window on the second screen (Ctrl+D)."))  # fmt: skip
        self.progress = QLabel()
        self.progress.setObjectName("online.progress")
        self.progress.setAccessibleName(tr("Progress"))
        self.progress.setFont(tabular())
        self.progress.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP_PX)
        for button in (
            self.start, self.pause, self.repeat, self.rest, self.right, self.wrong,
            self.window_button,
        ):  # fmt: skip
            row.addWidget(button)
        row.addWidget(self.progress, 1)
        self.right.clicked.connect(lambda: self.rewarded.emit(True))
        self.wrong.clicked.connect(lambda: self.rewarded.emit(False))

    def enable(self, *, running: bool, cued: bool, ready: bool, told: bool) -> None:
        """Offer what can be pressed now.

        Parameters
        ----------
        running, ready : bool
            Whether an online run goes on, or may begin.
        cued : bool
            Whether it has cues.
        told : bool
            Whether it is told right and wrong here.
        """
        self.start.setEnabled(ready and not running)
        # While trials are judged there is no second start to be pressed by mistake.
        self.start.setVisible(not told)
        self.right.setVisible(told)
        self.wrong.setVisible(told)
        self.pause.setVisible(not running or cued)
        self.repeat.setVisible(not running or cued)
        self.rest.setVisible(running and not cued)
        self.pause.setEnabled(cued)
        self.repeat.setEnabled(cued)
        if not running:
            self.progress.clear()
            self.pause.setText(tr("Pause"))
            self.rest.setChecked(False)

    def show_progress(self, progress: RunProgress) -> None:
        """Show how far the run is, and whether it is held."""
        held = progress.pausing or progress.held
        self.pause.setText(tr("Go on") if held else tr("Pause"))
        self.progress.setText(progress_text(progress))


def stop_button() -> QPushButton:
    """Return the big Stop."""
    button = online_button("stop", tr("■  STOP"),
        tr("End the run at once (Esc twice, or Ctrl+. from any step). What was recorded "
           "stays."), "stop")  # fmt: skip
    button.setFont(font("title", bold=True))
    button.setStyleSheet(f"min-height: {4 * STEP_PX}px;")
    return button
