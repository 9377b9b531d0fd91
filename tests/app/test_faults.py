"""What goes wrong in the hour, at the window: a clear message, nothing lost, the session goes on.

One window and one session on a disk of its own go from fault to fault, in the order of the tests.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import platformdirs
import psutil
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton, QWidget

from bci.config import EpochSettings
from bci.evaluation.training import train_model
from bci.experiment.session import Session
from bci.experiment.worker import TaskState
from bci.paradigm import GrazSettings
from bci.recording.evidence import examine_session
from bci.sources.reading import open_recording
from bci.workspace import SessionLock
from bci_app.main_window import MainWindow
from bci_app.steps.calibrate import CalibrateStep
from bci_app.steps.online import OnlineStep
from bci_app.steps.session import SessionStep
from bci_app.steps.train import TrainStep
from tests.app.hour import Hour, click, pause, wait_until

pytestmark = pytest.mark.filterwarnings("default")

#: As short as trials can be.
_PROTOCOL = GrazSettings(
    trials_per_class=7, fixation_s=0.2, cue_s=0.4, imagery_s=1.0, pause_s=(0.2, 0.4), lead_s=0.5
)
_LONG = _PROTOCOL.model_copy(update={"trials_per_class": 60})
_DISK_MB = 48


@dataclass
class Place:
    """Where the faults happen.

    Attributes
    ----------
    window : MainWindow
    hour : Hour
    folder : Path
        Of the workspace.
    own_disk : bool
        It has a small disk of its own.
    """

    window: MainWindow
    hour: Hour
    folder: Path
    own_disk: bool

    @property
    def session(self) -> Session:
        """The session that is open."""
        return self.hour.session

    def said(self) -> str:
        """Return all that the window said, newest first."""
        return self.window.notices.listing()

    def start(self, protocol: GrazSettings = _PROTOCOL) -> CalibrateStep:
        """Start a calibration run by its button, and wait for its first cue."""
        self.session.change(protocol=protocol.model_dump())
        step = self.hour.step("calibrate")
        assert isinstance(step, CalibrateStep)
        button = step.findChild(QPushButton, "start")
        assert button is not None
        click(button)
        wait_until(lambda: step.display and step.display.view.phase == "cue", 60, "a cue")
        return step

    def over(self, timeout_s: float = 60.0) -> None:
        """Wait for the end of the run."""
        wait_until(lambda: self.session.active is None, timeout_s, "the end of the run")


def new_window() -> MainWindow:
    """Show a window."""
    made = MainWindow()
    made.resize(1280, 800)
    made.show()
    return made


def end(window: MainWindow) -> None:
    """Close a window, whatever is going on in it."""
    if window.session is not None:
        window.session.stop()
        window.session.wait_run(30.0)
    window.close()
    window.end()
    window.deleteLater()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Let the window outlive the tests; `place` looks when it is closed."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """Return a folder, and whether it is a small disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    own = False
    if sys.platform.startswith("linux") and os.geteuid() == 0:
        options = ["-t", "tmpfs", "-o", f"size={_DISK_MB}m", "none", str(folder)]
        own = subprocess.run(["mount", *options], capture_output=True).returncode == 0
    yield folder, own
    if own:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def place(
    qapp: QApplication, disk: tuple[Path, bool], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Open a session in a window, and connect a simulated person."""
    settings = str(tmp_path_factory.mktemp("settings"))
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, settings)
    folder, own = disk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platformdirs, "user_config_dir", lambda *a, **k: settings)
        window = new_window()
        hour = Hour(window, folder)
        hour.open()
        hour.session.change(epochs={"window_s": (0.2, 0.9)}, decoder="csp-lda")
        hour.session.signals.start_simulator({"ability": 1.0, "seed": 1})
        wait_until(lambda: hour.session.signals.acquisition, 60, "the simulated person")
        wait_until(lambda: not hour.session.signals.connecting, 60, "the simulated person")
        yield Place(window, hour, folder, own)
        end(window)
    assert not multiprocessing.active_children()


def test_amplifier_that_dies_in_calibration_is_rejoined(place: Place) -> None:
    """The rail turns red and says it; no trial is given meanwhile; then the run goes on."""
    step = place.start()
    simulator = place.session.signals.simulator
    assert simulator is not None
    window = place.window
    simulator.amplifier.drop()
    wait_until(lambda: window.rail.troubles.get("signals"), 20, "the rail's red")
    rail = window.rail.findChild(QPushButton, "rail.signals")
    assert rail is not None
    assert rail.property("role") == "rail-trouble"
    assert rail.text().startswith("!")
    wait_until(lambda: "looking for it" in window.below.age.text(), 20, "the strip")
    wait_until(lambda: "Nothing comes from the amplifier" in step.run.note, 20, "what to do")
    simulator.amplifier.restore()
    wait_until(lambda: not window.rail.troubles.get("signals"), 30, "the stream's return")
    place.over()
    (run,) = place.session.record.runs
    assert run.completed
    assert not run.note
    recording = open_recording(place.session.folder / run.file)
    labels = [marker.label for marker in recording.markers]
    cut = labels.count("trial_rejected")  # the trial in which it died is given again
    n_trials = 2 * _PROTOCOL.trials_per_class
    assert labels.count("left_hand") + labels.count("right_hand") == n_trials + cut
    assert run.outcome["n_trials"] == n_trials + cut
    assert len(recording.gaps) == 1
    (outage,) = simulator.amplifier.outages()
    lost = np.diff(recording.stamps).max() * recording.info.rate_hz - 1
    # What a new outlet sends before receivers have found it is sent to nobody.
    assert lost >= outage.n_lost - 1
    assert "gaps" in place.said()


def test_worker_that_is_killed_in_training_is_replaced(place: Place) -> None:
    """The step says what happened and that nothing is lost; training again works."""
    step = place.hour.step("train")
    assert isinstance(step, TrainStep)
    training, worker = place.session.training, place.session.worker
    # The pid of a process that is not up yet would be another's.
    wait_until(lambda: worker.pid, 30, "the worker")
    task = training.train("ts-lr")
    wait_until(lambda: task.state is TaskState.RUNNING, 60, "training")
    assert worker.pid is not None
    psutil.Process(worker.pid).kill()
    wait_until(lambda: task.state.over, 30, "the end of the task")
    assert task.state is TaskState.FAILED
    wait_until(lambda: "Nothing is lost; try again" in texts(step), 10, "the words")
    again = training.train("csp-lda")
    wait_until(lambda: again.state.over, 120, "training")
    assert again.state is TaskState.DONE, again.error
    training.choose(place.session.record.attempts[-1]["file"])
    wait_until(lambda: training.in_use, 30, "the decoder in use")


def test_model_of_another_montage_is_refused_by_name(
    place: Place, write_run: object, tmp_path: Path
) -> None:
    """What the stream lacks is named, and the decoder that was in use stays."""
    before = place.session.training.in_use
    path = tmp_path / "other_raw.fif"
    write_run(path, seed=3, channels=("C3", "C4", "PO7", "PO8"))  # type: ignore[operator]
    model = train_model([open_recording(path)], EpochSettings(window_s=(0.5, 3.5)), "csp-lda", {})
    model.save(tmp_path / "other.bci")
    step = place.hour.step("train")
    assert isinstance(step, TrainStep)
    step.open_model(str(tmp_path / "other.bci"))
    wait_until(lambda: "PO7" in step.history.message.text(), 30, "the channel that is missing")
    assert place.session.training.in_use == before
    online = place.hour.step("online")
    assert isinstance(online, OnlineStep)
    wait_until(online.start_button.isEnabled, 10, "the decoder that was in use")


def test_disk_that_fills_up_ends_the_run_in_order(place: Place) -> None:
    """What was recorded is a whole file; with room on the disk the next run is recorded."""
    if not place.own_disk:
        pytest.skip("a small disk takes root on Linux")
    n_before = len(place.session.record.runs)
    place.start(_LONG)
    free = int(psutil.disk_usage(str(place.folder)).free)
    ballast = place.folder / "ballast"
    try:
        with ballast.open("wb") as file:
            file.write(bytes(free - (4 << 20)))
        place.over()
    finally:
        ballast.unlink()
    run = place.session.record.runs[-1]
    assert len(place.session.record.runs) == n_before + 1
    assert not run.completed
    assert "is full" in run.note
    wait_until(lambda: place.window.rail.troubles.get("calibrate"), 10, "the rail's red")
    assert "What was recorded before is kept" in place.said()
    recording = open_recording(place.session.folder / run.file)
    assert len(recording.samples) > 250
    assert recording.gaps == ()
    place.start()
    place.over()
    assert place.session.record.runs[-1].completed


def test_second_screen_and_a_no_to_leaving(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on when the patient's screen is unplugged, and when leaving was no earnest."""
    step = place.start(_LONG)
    step.show_patient_window(True)
    assert step.display is not None
    patient = step.display.window
    assert patient is not None
    screen = QGuiApplication.primaryScreen()
    patient.open(screen)
    application = QGuiApplication.instance()
    assert isinstance(application, QGuiApplication)
    application.screenRemoved.emit(screen)
    wait_until(lambda: "unplugged" in place.said(), 5, "the message")
    assert patient.isVisible()
    assert not patient.full
    asked = []

    def ask(*args: object) -> QMessageBox.StandardButton:
        asked.append(args[2])
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", ask)
    assert not place.window.close()
    assert asked == ["End the run and leave? What was recorded so far is kept."]
    assert place.window.isVisible()
    assert place.session.active is not None
    n = place.session.calibration.control.progress.n_done
    wait_until(
        lambda: place.session.calibration.control.progress.n_done > n + 1, 20, "further trials"
    )


def test_window_that_is_closed_in_a_run_seals_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Yes: the run is ended, its file is whole, and the log is closed over it."""
    if place.session.active is None:
        place.start(_LONG)
    folder = place.session.folder
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *args: yes)
    assert place.window.close()
    place.window.end()
    evidence = examine_session(folder)
    assert evidence.intact, evidence.problems
    last = sorted(folder.glob("calibration-*.xdf"))[-1]
    recording = open_recording(last)
    assert recording.gaps == ()
    assert any(marker.label == "left_hand" for marker in recording.markers)
    assert not list(folder.glob("*.recorder"))


def test_damaged_record_and_a_second_window(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session whose record is damaged opens with all runs; a second window is kept out of it."""
    folder = place.folder / "study" / "sourcedata" / "sub-S01" / "ses-01"
    files = sorted(path.name for path in folder.glob("calibration-*.xdf"))
    (folder / "session.json").write_bytes(b"\0" * 200)
    # Two windows of one process: one that is closing would be waited for.
    impatient = partial(SessionLock, closing_s=0.5)
    monkeypatch.setattr("bci.experiment.session.SessionLock", impatient)
    first, second = new_window(), new_window()
    try:
        _open(first, place.folder / "study")
        wait_until(lambda: first.session is not None, 40, "the session")
        session = first.session
        assert session is not None
        wait_until(lambda: "damaged" in _card(first), 20, "what was done")
        assert sorted(run.file for run in session.record.runs) == files
        step = _open(second, place.folder / "study")
        wait_until(lambda: "open in another window" in step.form.trouble.text(), 60, "a refusal")
        assert second.session is None
        assert f"process {os.getpid()}" in step.form.trouble.text()
    finally:
        end(first)
    try:
        click(step.form.open)
        wait_until(lambda: second.session is not None, 40, "the session that is free now")
    finally:
        end(second)


def test_folders_that_cannot_be_written(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace is refused in place; settings that cannot be kept are no reason not to work."""
    wall = tmp_path / "wall"
    wall.write_text("a file is no folder")
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *a, **k: str(wall / "settings"))
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(wall / "qt"))
    window = new_window()
    try:
        step = _open(window, wall / "study")
        wait_until(lambda: "choose another folder" in step.form.trouble.text(), 20, "a refusal")
        assert window.session is None
        _open(window, tmp_path / "study")
        wait_until(lambda: window.session is not None, 30, "the session")
        window.switch_theme()
        window.switch_theme()
        pause(100)
    finally:
        end(window)


def texts(widget: QWidget) -> str:
    """Return all that can be read in a widget."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def _open(window: MainWindow, root: Path) -> SessionStep:
    step = window.steps["session"]
    assert isinstance(step, SessionStep)
    step.form.fill(root, "S01", "01", "AB")
    click(step.form.open)
    return step


def _card(window: MainWindow) -> str:
    step = window.steps["session"]
    assert isinstance(step, SessionStep)
    return step.card.text.text()
