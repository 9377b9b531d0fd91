"""One scripted session: all seven steps by clicks and keys, a simulated patient, a report."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from bci.sources.reading import open_recording
from bci_app.main_window import MainWindow
from tests.app.hour import Hour


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """Show the window."""
    made = MainWindow()
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    yield made
    made.close()
    made.end()


@pytest.mark.filterwarnings("default")
def test_hour_by_clicks_ends_with_a_report(window: MainWindow, tmp_path: Path) -> None:
    """A patient of ability 1 reaches 90 % online, every run is whole, and the report is there."""
    hour = Hour(window, tmp_path, decoders=("ts-lr",))
    hour.run()
    session = hour.session
    assert [run.kind for run in session.record.runs] == ["calibration", "online"]
    assert all(run.completed and not run.note for run in session.record.runs)
    for run in session.record.runs:
        recording = open_recording(session.folder / run.file)
        assert len(recording.samples) / recording.info.rate_hz > 30
    trials = session.record.runs[-1].outcome["trials"]
    assert len(trials) == 10
    assert sum(trial["correct"] for trial in trials) >= 9
    assert session.reports.html_path.stat().st_size > 100_000
    assert session.reports.pdf_path.read_bytes().startswith(b"%PDF")
    troubles = [notice.text for notice in window.notices.kept if notice.level == "trouble"]
    assert troubles == []


def test_every_key_of_the_window_and_of_each_step_is_one_of_a_kind(window: MainWindow) -> None:
    """No key stands for two things where both could be meant: Qt would obey neither."""
    of_window = [action.shortcut().toString() for action in window.actions_of_window.values()]
    for step in window.steps.values():
        keys = [*of_window, *(action.shortcut().toString() for action in step.actions())]
        used = [key for key in keys if key]
        assert len(used) == len(set(used)), step.name


def test_every_action_of_the_window_can_be_triggered(window: MainWindow, qtbot: QtBot) -> None:
    """Without a session nothing fails: what needs one does nothing."""
    for name, action in window.actions_of_window.items():
        if name in ("window.close", "window.menu"):
            continue
        action.trigger()
    assert window.current == "report"
    window.actions_of_window["view.full_screen"].trigger()


def test_steps_are_named_and_told_why_they_are_not_ready(window: MainWindow) -> None:
    """Before a session the rail has all steps, and the strips say that nothing is there."""
    assert list(window.steps) == [
        "session", "signals", "calibrate", "features", "train", "online", "report",
    ]  # fmt: skip
    assert window.above.who.text() == "no session"
    assert window.below.stream.text() in ("—", "no amplifier")
    assert not window.below.stop.isEnabled()
