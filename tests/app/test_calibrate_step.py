"""The Calibrate step, by click and by key, on real LSL with a simulated person."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QLabel, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from bci.evaluation.metrics import Score
from bci.experiment.calibration_score import CalibrationScore, ScorePoint
from bci.experiment.session import Session
from bci.paradigm import GrazSettings
from bci.signal.trials import find_trials
from bci.sources.reading import open_recording
from bci.workspace import SessionSetup, Workspace
from bci_app.patient.view import PatientView
from bci_app.steps.calibrate import CalibrateStep

QUICK = GrazSettings(
    trials_per_class=2,
    fixation_s=0.4,
    cue_s=0.4,
    imagery_s=0.8,
    pause_s=(0.2, 0.3),
    lead_s=0.4,
)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Connect a simulated person in real time, with a protocol of a few seconds."""
    setup = SessionSetup.make(
        subject="sim01", session="01", protocol=QUICK, epochs={"window_s": (0.2, 0.7)}
    )
    session = Session(Workspace(tmp_path_factory.mktemp("study")), setup)
    session.signals.start_simulator({"ability": 1.0, "seed": 2})
    session.signals.wait(60.0)
    yield session
    session.close()


@pytest.fixture
def step(qtbot: QtBot, quick: Session) -> Iterator[CalibrateStep]:
    """Return a step that shows the session, with its keys."""
    made = CalibrateStep()
    made.add_actions()
    made.resize(1100, 680)
    made.show()
    made.activateWindow()
    made.bind(quick)
    yield made
    quick.stop()
    qtbot.waitUntil(lambda: quick.active is None, timeout=20000)
    made.unbind()
    made.close()
    made.deleteLater()


def click(qtbot: QtBot, step: CalibrateStep, name: str) -> None:
    """Click a button of the step, once it can be clicked."""
    button = step.findChild(QPushButton, name)
    qtbot.waitUntil(button.isEnabled, timeout=5000)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def until(qtbot: QtBot, what: Callable[[], bool]) -> None:
    """Wait for something, at most twenty seconds."""
    qtbot.waitUntil(what, timeout=20000)


def trials_of(session: Session) -> list[bool]:
    """Return, of each trial of the last run, whether it was rejected."""
    run = session.record.runs[-1]
    recording = open_recording(session.folder / run.file)
    return [trial.rejected for trial in find_trials(recording.markers, {})]


@pytest.mark.filterwarnings("default")
def test_a_run_by_click(qtbot: QtBot, quick: Session, step: CalibrateStep) -> None:
    """Start, pause, resume, repeat; window and thumbnail show the same, really painted."""
    seen: dict[str, tuple[QImage, QImage]] = {}
    progress = lambda: quick.calibration.control.progress  # noqa: E731
    quick.change(presentation={"photodiode": True})
    corners: list[int] = []
    click(qtbot, step, "patientWindowButton")
    window = step.display.window
    assert window is not None
    window.resize(step.run.canvas.size())

    def changed(view: PatientView) -> None:
        key = view.cue or view.phase
        seen[key] = (
            window.canvas.grab().toImage(),
            step.run.canvas.grab().toImage(),
        )
        if view.phase == "cue":
            shown = seen[key][0]
            corners.append(shown.pixelColor(2, shown.height() - 3).lightness())

    step.display.changed.connect(changed)
    click(qtbot, step, "start")
    until(qtbot, lambda: progress().last == 0)
    click(qtbot, step, "pause")
    until(qtbot, lambda: "when this trial is over" in step.run.note)
    until(qtbot, lambda: progress().held == "pause")
    until(qtbot, lambda: "Paused" in step.run.note)
    assert step.findChild(QPushButton, "pause").text().replace("&", "") == "Resume"
    assert progress().n_done == 1
    click(qtbot, step, "pause")
    until(qtbot, lambda: progress().last == 1)
    click(qtbot, step, "repeat")
    until(qtbot, lambda: progress().rejected == (1,))
    until(qtbot, lambda: quick.active is None)
    until(qtbot, lambda: step.run.title == "1 of 1 runs done")
    assert trials_of(quick) == [False, True, False, False, False]
    markers = [m.label for m in open_recording(
        quick.folder / quick.record.runs[-1].file).markers]  # fmt: skip
    assert markers.count("run_paused") == markers.count("run_resumed") == 1

    assert {"fixation", "left_hand", "right_hand", "pause", "message"} <= set(seen)
    for shown, thumbnail in seen.values():
        assert shown.size() == thumbnail.size()
        assert shown == thumbnail
    cross = seen["fixation"][0]
    middle = (cross.width() // 2, cross.height() // 2)
    assert cross.pixelColor(*middle).lightness() > 150
    assert seen["pause"][0].pixelColor(*middle).lightness() == 0
    assert seen["left_hand"][0] != seen["right_hand"][0]
    assert corners == [255, 0, 255, 0, 255]
    log = quick.experiment.log.path.read_text()
    assert log.count("step_shown") >= 5 * 3

    click(qtbot, step, "patientWindowButton")
    assert step.display.window is None
    quick.change(presentation={})


@pytest.mark.filterwarnings("default")
def test_a_run_by_key(qtbot: QtBot, quick: Session, step: CalibrateStep) -> None:
    """Each button's work is done by its key as well; abort ends at once and keeps the trials."""
    progress = lambda: quick.calibration.control.progress  # noqa: E731
    before = len(quick.record.runs)
    control = Qt.KeyboardModifier.ControlModifier
    step.setFocus()
    qtbot.keyClick(step, Qt.Key.Key_R, control)
    until(qtbot, lambda: quick.active is not None and progress().last == 0)
    qtbot.keyClick(step, Qt.Key.Key_E, control)
    until(qtbot, lambda: progress().rejected == (0,))
    qtbot.keyClick(step, Qt.Key.Key_P, control)
    until(qtbot, lambda: progress().held == "pause")
    qtbot.keyClick(step, Qt.Key.Key_P, control)
    until(qtbot, lambda: progress().last == 1)
    qtbot.keyClick(step, Qt.Key.Key_Backspace, control)
    until(qtbot, lambda: quick.active is None)
    until(qtbot, lambda: "ended early" in step.run.note)
    assert len(quick.record.runs) == before + 1
    run = quick.record.runs[-1]
    assert not run.completed
    assert run.used
    assert trials_of(quick) == [True, False]
    qtbot.keyClick(step, Qt.Key.Key_F9)
    assert step.display.window is not None
    step.activateWindow()
    qtbot.keyClick(step, Qt.Key.Key_F9)
    assert step.display.window is None
    tab = step.tabs.currentIndex()
    qtbot.keyClick(step, Qt.Key.Key_F6)
    assert step.tabs.currentIndex() != tab


@pytest.mark.filterwarnings("default")
def test_the_window_can_be_closed_in_a_run_and_the_run_goes_on(
    qtbot: QtBot, quick: Session, step: CalibrateStep
) -> None:
    """Closing the patient's window is said, and ends nothing."""
    step.show_patient_window(True)
    window = step.display.window
    click(qtbot, step, "start")
    until(qtbot, lambda: quick.calibration.control.progress.last == 0)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert step.display.window is None
    assert quick.active is not None
    assert "goes on without it" in step.run.note
    until(qtbot, lambda: quick.calibration.control.progress.last == 1)


def test_the_protocol_is_edited_with_its_length(
    qtbot: QtBot, quick: Session, step: CalibrateStep
) -> None:
    """A change is kept in the session with its length shown; one that cannot be is refused."""
    step.tabs.setCurrentIndex(1)
    assert step.editor.length == "One run: 4 trials, 0:07 min"
    step.findChild(QSpinBox, "trials_per_class").setValue(3)
    step.findChild(QSpinBox, "n_runs").setValue(2)
    assert step.editor.length == "One run: 6 trials, 0:10 min; 2 runs: 0:19 min"
    until(qtbot, lambda: quick.setup.protocol.n_runs == 2)
    assert quick.setup.protocol.trials_per_class == 3
    step.findChild(QCheckBox, "class_feet").setChecked(True)
    until(qtbot, lambda: quick.setup.protocol.classes == ("left_hand", "right_hand", "feet"))
    assert quick.setup.feedback.classes == quick.setup.protocol.classes
    for name in ("left_hand", "right_hand"):
        step.findChild(QCheckBox, f"class_{name}").setChecked(False)
    assert "two or more" in step.editor.problem
    step.keep()
    assert len(quick.setup.protocol.classes) == 2
    step.findChild(QCheckBox, "class_left_hand").setChecked(True)
    step.findChild(QDoubleSpinBox, "imagery_s").setValue(0.5)
    assert "imagery ends at 0.5 s" in step.editor.problem
    step.findChild(QCheckBox, "photodiode").setChecked(True)
    step.keep()
    assert quick.setup.presentation.photodiode
    quick.change(protocol=QUICK, presentation={})
    until(qtbot, lambda: step.editor.length.startswith("One run: 4 trials"))
    assert not step.findChild(QCheckBox, "photodiode").isChecked()


def test_a_score_is_shown_with_interval_chance_and_answer(
    qtbot: QtBot, step: CalibrateStep
) -> None:
    """Number, interval, chance level, answer and what was left out stand beside the curve."""
    points = tuple(ScorePoint(n, 0.7, 0.5, 0.85, 0.7) for n in (8, 12, 16))
    score = CalibrationScore(
        "ts-lr", ("left_hand", "right_hand"), (8, 8), "unsettled", Score(0.72, 0.49, 0.87), 0.75,
        points, (("crosses a gap", 2),), 34, None, "8-32 Hz, 0.5 to 3.5 s after the cue",
    )  # fmt: skip
    step.score.show_score(score)
    assert step.score.number == "72 %"
    interval = step.score.findChild(QLabel, "scoreInterval").text()
    assert "49 to 87 % (95 % interval) with 16 trials; chance level 75 %" in interval
    assert step.score.answer.startswith("34 more trials should settle it")
    assert step.score.left_out == "Trials not used: 2 crosses a gap."
    assert step.score.curve.filled
    assert "8-32 Hz" in step.score.curve.note
    assert "computed from the interval" in step.score.findChild(QLabel, "scoreAnswer").toolTip()


def test_without_a_session_it_teaches(qtbot: QtBot) -> None:
    """The empty step says what will appear and what to do; nothing can be started."""
    step = CalibrateStep()
    qtbot.addWidget(step)
    assert "Open a session" in step.run.note
    assert not step.findChild(QPushButton, "start").isEnabled()
    step.start()
    step.repeat()
    step.show_patient_window(True)
    assert not step.findChild(QPushButton, "patientWindowButton").isChecked()
