"""The Report step: written, opened, drawn and exported by click, in the worker's process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices

from bci.experiment.opening import use_recordings
from bci.experiment.session import Session
from bci.workspace import RunRecord
from bci_app.steps.report import ReportStep


@pytest.fixture
def session(new_session: Callable[..., Session], shared_data: Path) -> Session:
    """Open a session with a real run of S001, from the BIDS tree, and one recorded in it."""
    session = new_session(
        subject="S001", epochs={"event_map": {"T1": "left_hand", "T2": "right_hand"}}
    )
    place = session.workspace.root / "sub-S001" / "eeg"
    place.mkdir(parents=True)
    content = (shared_data / "eegmmidb" / "S001R04.edf").read_bytes()
    (place / "sub-S001_task-mi_eeg.edf").write_bytes(content)
    use_recordings(session, session.workspace.recordings("S001"))
    content = (shared_data / "days_xdf" / "P1_001.xdf").read_bytes()
    (session.folder / "online-01.xdf").write_bytes(content)
    began = "2026-03-04T10:00:00+01:00"
    session.record.runs.append(RunRecord("online-01.xdf", "online", began=began))
    session.save()
    return session


@pytest.fixture
def step(qtbot: Any, session: Session) -> ReportStep:
    """Show the step."""
    step = ReportStep()
    qtbot.addWidget(step)
    step.show()
    step.bind(session)
    return step


@pytest.mark.filterwarnings("default")
def test_report_trend_and_export_by_click(
    step: ReportStep, session: Session, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each button does what it says, shows what came of it, and the step is ready again."""
    shown: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(url))
    assert "1 calibration, 1 online" in step.summary.toPlainText()
    assert not step.open_html.isEnabled()
    assert not session.readiness("report").done
    qtbot.mouseClick(step.write, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: step.bar.isVisible())
    assert not step.export.isEnabled()
    qtbot.waitUntil(lambda: not step.bar.isVisible(), timeout=180_000)
    assert step.open_html.isEnabled(), step.work.text()
    assert session.reports.html_path.is_file()
    assert session.reports.pdf_path.read_bytes().startswith(b"%PDF")
    qtbot.waitUntil(lambda: step.page.shows)
    assert step.tabs.currentWidget() is step.page
    assert session.readiness("report").done
    qtbot.mouseClick(step.open_html, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(step.open_pdf, Qt.MouseButton.LeftButton)
    assert [url.fileName() for url in shown] == ["report.html", "report.pdf"]
    qtbot.mouseClick(step.trend, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: step.curve.shows, timeout=90_000)
    assert step.tabs.currentWidget() is step.curve
    qtbot.waitUntil(lambda: step.export.isEnabled())
    qtbot.mouseClick(step.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(session.reports.exported), timeout=60_000)
    exported = session.reports.export_folder / "sub-S001" / "ses-01" / "eeg"
    names = [path.name for path in exported.glob("*.vhdr")]
    assert names == ["sub-S001_ses-01_task-feedback_run-01_eeg.vhdr"]
    qtbot.waitUntil(lambda: "read back: 1" in step.work.text())


@pytest.mark.filterwarnings("default")
def test_what_fails_is_said_in_place_and_can_be_cancelled(
    step: ReportStep, session: Session, qtbot: Any
) -> None:
    """An export that cannot be written says why; one that is cancelled leaves the step ready."""
    (session.workspace.root.with_name("file")).write_text("")
    session.reports.export(session.workspace.root.with_name("file"))
    qtbot.waitUntil(lambda: "cannot be made" in step.work.text(), timeout=90_000)
    qtbot.waitUntil(lambda: step.write.isEnabled())
    session.reports.write()
    qtbot.waitUntil(lambda: step.cancel.isVisible())
    qtbot.mouseClick(step.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: step.work.text() == "Cancelled", timeout=20_000)
    qtbot.waitUntil(lambda: step.write.isEnabled())


def test_empty_step_teaches(qtbot: Any) -> None:
    """Without a session it says what will appear and what to do; nothing can be pressed."""
    step = ReportStep()
    qtbot.addWidget(step)
    assert "Open a session" in step.summary.toPlainText()
    assert not step.write.isEnabled()
    for control in (step.write, step.trend, step.export, step.summary, step.bar):
        assert control.accessibleName()
