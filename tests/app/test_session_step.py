"""The Session step: sessions are opened, refused in place, gone on with; what a crash left."""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from bci.experiment.recovery import Orphan
from bci.experiment.session import Session
from bci.workspace import RecentSessions, RunRecord, Templates, Workspace
from bci_app.steps.session import SessionStep


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's own settings out of the tests, and the tests out of them."""
    folder = tmp_path / "config"
    monkeypatch.setattr(
        "bci.workspace.recent.platformdirs.user_config_dir", lambda *a, **k: str(folder)
    )
    return folder


@pytest.fixture
def opened() -> Iterator[list[Session]]:
    """Collect sessions; all are closed at the end."""
    made: list[Session] = []
    yield made
    for session in made:
        session.close()


@pytest.fixture
def step(qtbot: Any, config: Path, opened: list[Session]) -> SessionStep:
    """Show the step; what it opens is bound to it, as the main window does."""
    step = SessionStep()
    qtbot.addWidget(step)
    step.show()

    def take(session: Session) -> None:
        opened.append(session)
        step.bind(session)

    step.open_requested.connect(take)
    return step


def test_session_is_begun_and_gone_on_with(
    step: SessionStep, qtbot: Any, tmp_path: Path, opened: list[Session]
) -> None:
    """Begin one; later a click on it in the recent ones opens it with all that was set."""
    root = tmp_path / "study"
    step.form.fill(root, "S01", "", "AB")
    qtbot.waitUntil(lambda: step.form.label.placeholderText().startswith("01"))
    qtbot.mouseClick(step.form.open, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(opened) == 1, timeout=10_000)
    session = opened[0]
    assert (session.setup.subject, session.setup.session, session.setup.operator) == (
        "S01", "01", "AB",
    )  # fmt: skip
    assert "sub-S01" in step.now.text()
    session.change(decoder="csp-lda")
    step.unbind()
    session.close()
    qtbot.waitUntil(lambda: step.recent.count() == 1)
    item = step.recent.item(0)
    place = step.recent.visualItemRect(item).center()
    qtbot.mouseClick(step.recent.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: len(opened) == 2, timeout=10_000)
    assert opened[1].setup.decoder == "csp-lda"
    assert opened[1].setup.operator == "AB"


def test_name_is_refused_in_place(step: SessionStep, qtbot: Any, tmp_path: Path) -> None:
    """A name says why it is refused, beside the field, and nothing can be opened."""
    step.form.fill(tmp_path / "study", "Mueller", "01")
    assert "reads as a name" in step.form.subject_trouble.text()
    assert step.form.subject_trouble.isVisible()
    assert not step.form.open.isEnabled()
    step.form.fill(tmp_path / "study", "S01", "1987")
    assert "date" in step.form.label_note.text()
    assert not step.form.open.isEnabled()
    step.form.fill(tmp_path / "study", "S01", "pre")
    assert not step.form.subject_trouble.isVisible()
    assert step.form.open.isEnabled()
    assert not (tmp_path / "study").exists()  # looking makes nothing


def test_folder_that_cannot_be_is_said(step: SessionStep, qtbot: Any, tmp_path: Path) -> None:
    """A file in place of the folder is said in place, with what to do."""
    (tmp_path / "file").write_text("")
    step.form.fill(tmp_path / "file", "S01", "01")
    qtbot.waitUntil(lambda: "no folder" in step.form.trouble.text())
    step.form.ask_open()
    qtbot.waitUntil(lambda: step._opening is None)  # noqa: SLF001
    qtbot.waitUntil(lambda: "no folder" in step.form.trouble.text())


def test_template_is_saved_and_chosen(
    step: SessionStep, qtbot: Any, tmp_path: Path, opened: list[Session]
) -> None:
    """A session's protocol is kept under a name; another person's session begins with it."""
    root = tmp_path / "study"
    step.form.fill(root, "S01", "01")
    step.form.ask_open()
    qtbot.waitUntil(lambda: len(opened) == 1, timeout=10_000)
    protocol = opened[0].setup.protocol.model_copy(update={"trials_per_class": 6})
    opened[0].change(protocol=protocol.model_dump(), montage="biosemi64")
    step.form.template_name.setText("short")
    qtbot.mouseClick(step.form.save_template, Qt.MouseButton.LeftButton)
    assert Templates(root).names() == ["short"]
    step.form.fill(root, "S02", "")
    qtbot.waitUntil(lambda: step.form.template.findData("short") > 0)
    step.form.template.setCurrentIndex(step.form.template.findData("short"))
    qtbot.waitUntil(lambda: "6 trials each" in step.form.template_note.text())
    assert "biosemi64" in step.form.template_note.text()
    step.form.ask_open()
    qtbot.waitUntil(lambda: len(opened) == 2, timeout=10_000)
    assert opened[1].setup.subject == "S02"
    assert opened[1].setup.protocol.trials_per_class == 6
    assert opened[1].setup.montage == "biosemi64"


def test_recordings_of_others_are_ticked(
    step: SessionStep, qtbot: Any, tmp_path: Path, opened: list[Session]
) -> None:
    """BIDS recordings of the person are listed; ticked they are calibration runs, and not else."""
    workspace = Workspace(tmp_path / "study")
    place = workspace.root / "sub-S01" / "eeg"
    place.mkdir(parents=True)
    (place / "sub-S01_task-mi_eeg.edf").write_bytes(b"0")
    step.form.fill(workspace.root, "S01", "01")
    qtbot.waitUntil(lambda: step.recordings.item(0).text() == "task-mi · edf")
    assert not step.recordings.item(0).flags() & Qt.ItemFlag.ItemIsEnabled
    step.form.ask_open()
    qtbot.waitUntil(lambda: len(opened) == 1, timeout=10_000)
    session = opened[0]
    qtbot.waitUntil(lambda: bool(step.recordings.item(0).flags() & Qt.ItemFlag.ItemIsEnabled))
    step.recordings.item(0).setCheckState(Qt.CheckState.Checked)
    assert session.record.paths("calibration") == [place / "sub-S01_task-mi_eeg.edf"]
    step.cues.setText("T1=left_hand, T2=right_hand")
    step.cues.editingFinished.emit()
    assert session.setup.epochs.event_map == {"T1": "left_hand", "T2": "right_hand"}
    step.cues.setText("T1=left")
    step.cues.editingFinished.emit()
    assert "T1=left_hand" in step.form.trouble.text()
    step.recordings.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert session.record.runs == []


def test_card_offers_what_goes_on(
    step: SessionStep, qtbot: Any, tmp_path: Path, opened: list[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A recording that goes on is offered with two buttons; each asks for the right thing."""
    step.form.fill(tmp_path / "study", "S01", "01")
    step.form.ask_open()
    qtbot.waitUntil(lambda: len(opened) == 1, timeout=10_000)
    assert not step.card.isVisible()
    recovery = opened[0].recovery
    orphan = Orphan(Path("calibration-01.xdf"), datetime.now().astimezone())
    asked: list[tuple[Orphan, bool]] = []
    monkeypatch.setattr(recovery, "rejoin", lambda one, *, go_on: asked.append((one, go_on)))
    recovery.orphans = (orphan,)
    recovery.events.changed.emit()
    qtbot.waitUntil(lambda: step.card.isVisible())
    assert "calibration-01.xdf" in step.card.text.text()
    qtbot.mouseClick(step.card.go_on, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(step.card.end, Qt.MouseButton.LeftButton)
    assert asked == [(orphan, True), (orphan, False)]


def test_nothing_is_opened_over_a_run(
    step: SessionStep, qtbot: Any, tmp_path: Path, opened: list[Session]
) -> None:
    """While a run is going on, the step says so and opens nothing."""
    step.form.fill(tmp_path / "study", "S01", "01")
    step.form.ask_open()
    qtbot.waitUntil(lambda: len(opened) == 1, timeout=10_000)
    session = opened[0]
    over = threading.Event()

    def run() -> tuple[RunRecord | None, str]:
        over.wait(30.0)
        return None, ""

    session.start_rejoin(run)
    step.form.fill(tmp_path / "study", "S02", "01")
    step.form.ask_open()
    assert "run is going on" in step.form.trouble.text()
    over.set()
    assert session.wait_run(10.0)
    assert len(opened) == 1


def test_every_control_has_a_name(step: SessionStep) -> None:
    """Controls can be reached by a screen reader, and recent sessions by key."""
    for control in (step.form.workspace, step.form.subject, step.form.label, step.form.open,
                    step.form.template, step.recent, step.recordings, step.cues):  # fmt: skip
        assert control.objectName()
        assert control.accessibleName()
    assert {info.shortcut for info in step.actions_offered()} >= {"Ctrl+O", "Ctrl+Return"}


def test_recent_list_is_the_users(config: Path, tmp_path: Path) -> None:
    """The list lies in the user's own folder of settings."""
    assert RecentSessions().path == config / "recent.json"
