"""Recorded people, played back over LSL, go through the window as anybody's amplifier would."""

import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from bci.sources.amplifier import AmplifierProcess, RecordingFile
from bci.sources.reading import open_recording
from bci_app.main_window import MainWindow
from bci_app.steps.calibrate import CalibrateStep
from bci_app.steps.online import OnlineStep
from bci_app.steps.signals import SignalsStep
from bci_app.steps.train import TrainStep
from tests.app.hour import Hour, click, wait_until

#: How much faster than it was recorded a calibration run is played.
_SPEED = 12.0


@pytest.fixture
def player(shared_data: Path) -> Iterator[AmplifierProcess]:
    """Hold three runs of one person: opening and closing the left or right fist, imagined."""
    runs = [
        RecordingFile(shared_data / "eegmmidb" / f"S001R{run}.edf") for run in ("04", "08", "12")
    ]
    with AmplifierProcess(runs, name=f"Lab {uuid.uuid4().hex[:8]}") as player:
        yield player


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """Show the window."""
    made = MainWindow()
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    yield made
    if made.session is not None:  # else it asks
        made.session.stop()
        made.session.wait_run(30.0)
    made.close()
    made.end()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_recorded_person_goes_through_the_window(
    window: MainWindow, player: AmplifierProcess, tmp_path: Path, soak: bool
) -> None:
    """Cues come from the player's markers: two runs to learn from, a third decoded live, scored.

    In the short form there is one run to learn from, and the third is cut after two of its trials.
    """
    hour = Hour(window, tmp_path)
    hour.open()
    session = hour.session
    session.change(epochs={"window_s": (0.5, 3.5)})

    signals = hour.step("signals")
    assert isinstance(signals, SignalsStep)
    streams = signals.connect_page.streams

    def keys() -> list[str]:
        there = streams.entries.items()
        return [key for key, e in there if e is not None and e.source_id == player.source_id]

    wait_until(keys, 20, "the player's stream")
    streams.choose(keys()[0])
    click(signals.connect_page.connect_button)
    wait_until(lambda: session.experiment.acquisition, 30, "the connection")
    wait_until(lambda: not session.signals.connecting, 30, "the connection")

    calibrate = hour.step("calibrate")
    assert isinstance(calibrate, CalibrateStep)
    calibrate.tabs.setCurrentIndex(1)
    cues = calibrate.cues
    cues.tick.click()
    wait_until(lambda: cues.stream.count() >= 1, 20, "its markers")
    cues.stream.setEditText(player.marker_source_id)
    QTest.keyClick(cues.stream, Qt.Key.Key_Return)
    cues.map.setFocus()
    QTest.keyClicks(cues.map, "T1=left_hand, T2=right_hand")
    QTest.keyClick(cues.map, Qt.Key.Key_Return)
    assert session.setup.cue_stream == player.marker_source_id
    assert session.setup.epochs.event_map == {"T1": "left_hand", "T2": "right_hand"}
    start, end = (calibrate.findChild(QPushButton, name) for name in ("start", "abort"))
    assert start is not None
    assert end is not None
    n_runs = 2 if soak else 1
    for run in range(n_runs):
        click(start)
        file = f"calibration-0{run + 1}.xdf"
        wait_until(partial(_recording, hour, file), 40, "the recorder")
        wait_until(
            lambda: "No cue" in calibrate.run.note or "cue" in calibrate.run.title, 20, "its state"
        )
        player.play(run, _SPEED, backdate_s=130.0)
        player.wait_played(60.0)
        wait_until(lambda: "15 cues" in calibrate.run.title, 20, "all cues")
        click(end)
        wait_until(lambda: session.active is None, 60, "the end of the run")
        wait_until(lambda: not session.calibration.scoring, 120, "the score")
    assert [(run.completed, run.note) for run in session.record.runs] == [(True, "")] * n_runs
    labels = [m.label for m in open_recording(session.folder / "calibration-01.xdf").markers]
    assert labels.count("T1") + labels.count("T2") == 15

    train = hour.step("train")
    assert isinstance(train, TrainStep)
    task = session.training.train("ts-lr")
    wait_until(lambda: task.state.over, 180, "training")
    assert task.error is None
    session.training.use(session.record.attempts[-1]["file"])
    wait_until(lambda: session.training.in_use, 30, "the decoder in use")

    online = hour.step("online")
    assert isinstance(online, OnlineStep)
    player.play(2)
    click(online.start_button)
    wait_until(lambda: session.active, 20, "the run")
    n_wanted = 12 if soak else 2
    wait_until(lambda: session.feedback.account().n_scored >= n_wanted, 150, "trials")
    assert not online.buttons.pause.isVisible()
    click(online.stop_button)
    wait_until(lambda: session.active is None, 60, "the end of the run")
    outcome = session.record.runs[-1].outcome
    assert session.record.runs[-1].completed
    assert len(outcome["trials"]) >= n_wanted
    assert outcome["false_alarms"]["rest_s"] > 0
    assert outcome["n_decisions"] > 50
    troubles = [notice.text for notice in window.notices.kept if notice.level == "trouble"]
    assert troubles == []


def _recording(hour: Hour, name: str) -> bool:
    recording = hour.session.experiment.recording
    status = recording.status if recording is not None and recording.path.name == name else None
    return status is not None and len(status.streams) == 2
