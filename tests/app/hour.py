"""The hour of a session as a clinician clicks it: seven steps through the widgets of the window.

Over real LSL, with a simulated patient (calibration twenty times faster than real, feedback in real
time) or with recordings played back. The scripted session, the screenshots and the soak use it.
"""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton, QWidget

from bci.experiment.session import Session
from bci.paradigm import GrazSettings
from bci_app.main_window import MainWindow
from bci_app.steps.calibrate import CalibrateStep
from bci_app.steps.features import FeaturesStep
from bci_app.steps.online import OnlineStep
from bci_app.steps.report import ReportStep
from bci_app.steps.session import SessionStep
from bci_app.steps.train import TrainStep

__all__ = ["Hour", "pause", "wait_until"]

PROTOCOL = GrazSettings(
    trials_per_class=16, fixation_s=1.0, imagery_s=3.5, pause_s=(1.0, 1.5), lead_s=3.0
)
FEEDBACK = GrazSettings(
    trials_per_class=5, fixation_s=0.8, cue_s=1.0, imagery_s=3.0, pause_s=(0.3, 0.6), lead_s=1.0
)
#: What a calibration that is twenty times too fast uses up (s).
_HISTORY_S = 240.0


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    """Turn the event loop until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s in vain for {what}")
        pause(20)


def pause(ms: int) -> None:
    """Let the event loop run; unlike `QTest.qWait` it leaves the interpreter to other threads."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def click(button: QWidget) -> None:
    """Click where a person would."""
    wait_until(button.isEnabled, 20, f"{button.objectName()} to be enabled")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


class Hour:
    """A session from the first click to the report.

    Parameters
    ----------
    window : MainWindow
        Shown.
    folder : Path
        For the workspace.
    take : callable, optional
        Called with a name, and a widget where it is not the window, when a screen is at its best.
    decoders : tuple of str
        That are compared.
    """

    def __init__(
        self,
        window: MainWindow,
        folder: Path,
        take: Callable[..., None] = lambda name, widget=None: None,
        *,
        decoders: tuple[str, ...] = ("ts-lr", "csp-lda", "psd-lda"),
    ) -> None:
        self.window, self.folder, self.take = window, folder, take
        self.decoders = decoders

    @property
    def session(self) -> Session:
        """The session that is open."""
        assert self.window.session is not None
        return self.window.session

    def run(self) -> None:
        """Go through all seven steps."""
        self.open()
        self.signals()
        self.calibrate()
        self.features()
        self.train()
        self.online()
        self.report()

    def step(self, name: str) -> QWidget:
        """Go to a step by its key."""
        number = list(self.window.steps).index(name) + 1
        QTest.keyClick(
            self.window, Qt.Key(Qt.Key.Key_0 + number), Qt.KeyboardModifier.ControlModifier
        )
        wait_until(lambda: self.window.current == name, 5, name)
        return self.window.steps[name]

    def open(self) -> None:
        """Name workspace, person and session, and open it."""
        step = self.step("session")
        assert isinstance(step, SessionStep)
        self.take("1-session-empty")
        step.form.workspace.setEditText(str(self.folder / "study"))
        step.form.subject.setEditText("S01")
        step.form.operator.setText("AB")
        wait_until(step.form.open.isEnabled, 20, "the form to be complete")
        click(step.form.open)
        wait_until(lambda: self.window.session is not None, 30, "the session")
        self.session.change(
            protocol=PROTOCOL.model_dump(),
            feedback=FEEDBACK.model_dump(),
            epochs={"window_s": (0.5, 3.0)},
        )
        self.step("session")
        self.take("1-session")

    def signals(self) -> None:
        """Connect the simulated patient, and wait until the electrodes have been judged."""
        self.step("signals")
        pause(300)
        self.take("2-signals-streams")
        self.session.signals.start_simulator(
            {"ability": 1.0, "seed": 1}, history_s=_HISTORY_S, speed=20.0
        )
        wait_until(lambda: self.session.signals.snapshot().n_good, 90, "good electrodes")
        pause(8000 if self.take.__name__ == "take" else 500)
        self.take("2-signals")

    def calibrate(self) -> None:
        """Run the protocol; look at it in the midst of a trial."""
        step = self.step("calibrate")
        assert isinstance(step, CalibrateStep)
        self.take("3-calibrate-protocol")
        start = step.findChild(QPushButton, "start")
        assert isinstance(start, QPushButton)
        click(start)
        wait_until(lambda: self.session.active, 20, "the run to begin")
        display = step.display
        assert display is not None
        wait_until(lambda: display.view.phase == "cue", 90, "a cue")
        self.take(
            "3-patient-cue", self.patient_window(step.findChild(QPushButton, "patientWindowButton"))
        )
        self.take("3-calibrate-run")
        wait_until(lambda: self.session.active is None, 240, "the end of the run")
        wait_until(lambda: self.session.calibration.score is not None, 120, "the score")
        wait_until(lambda: not self.session.calibration.scoring, 120, "the last score")
        pause(300)
        self.take("3-calibrate")

    def patient_window(self, button: object) -> QWidget:
        """Open the patient's window and return it."""
        assert isinstance(button, QPushButton)
        before = set(QApplication.topLevelWidgets())
        click(button)

        def opened() -> list[QWidget]:
            return [w for w in QApplication.topLevelWidgets() if w not in before and w.isVisible()]

        wait_until(opened, 10, "the patient's window")
        (found,) = opened()
        return found

    def features(self) -> None:
        """Look at the maps, and take what is suggested."""
        step = self.step("features")
        assert isinstance(step, FeaturesStep)
        part = self.session.features
        wait_until(lambda: part.result is not None and not part.busy, 180, "the analysis")
        assert part.suggest()
        wait_until(lambda: bool(self.session.record.features), 20, "the suggestion")
        wait_until(lambda: not part.busy, 180, "the analysis of the suggestion")
        pause(500)
        for index in range(step.tabs.count()):
            step.tabs.setCurrentIndex(index)
            pause(300)
            self.take(f"4-features-{index + 1}")

    def train(self) -> None:
        """Compare decoders, and take the best online."""
        step = self.step("train")
        assert isinstance(step, TrainStep)
        training = self.session.training
        wait_until(lambda: step.panel.names, 120, "the decoders")
        for box in step.panel.list.findChildren(QCheckBox):
            box.setChecked(box.objectName().removeprefix("decoder-") in self.decoders)
        click(step.panel.train_button)
        wait_until(lambda: training.progress.busy, 20, "training to begin")
        wait_until(lambda: training.progress.share, 120, "the first fit")
        self.take("5-train-busy")
        wait_until(lambda: not training.progress.busy, 300, "training")
        pause(800)
        self.take("5-train")
        click(step.history.use_button)
        wait_until(lambda: training.in_use, 30, "the decoder in use")

    def online(self) -> None:
        """Decode a cued run live."""
        step = self.step("online")
        assert isinstance(step, OnlineStep)
        click(step.start_button)
        wait_until(lambda: self.session.active, 30, "the run to begin")
        wait_until(lambda: self.session.feedback.account().n_scored >= 4, 180, "four trials")
        wait_until(lambda: step.canvas.view.phase == "imagery", 30, "imagery")
        pause(1200)
        self.take("6-online")
        self.take("6-patient-feedback", step.canvas)
        wait_until(lambda: self.session.active is None, 240, "the end of the run")
        pause(500)
        self.take("6-online-after")

    def report(self) -> None:
        """Write the report, and the trend."""
        step = self.step("report")
        assert isinstance(step, ReportStep)
        click(step.write)
        wait_until(lambda: self.session.reports.written, 300, "the report")
        pause(800)
        self.take("7-report")
        click(step.trend)
        wait_until(lambda: step.curve.shows, 120, "the trend")
        pause(300)
        self.take("7-report-trend")
