"""A window that is killed in mid-run: the recorder goes on, and the next one rejoins it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt

from bci.experiment.session import Session
from bci.recording import control
from bci.sources.amplifier import AmplifierProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.reading import open_recording
from bci.sources.xdf_streams import load_streams
from bci.workspace import SessionRecord
from bci_app.steps.session import SessionStep

#: A session and a calibration run in a process that is going to be killed.
WINDOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from conftest import setup_of
from bci.experiment.session import Session
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.workspace import Workspace

if __name__ == "__main__":
    session = Session(Workspace(Path(sys.argv[1])), setup_of())
    session.signals.connect(StreamQuery(source_id=sys.argv[2]))
    session.signals.wait(60.0)
    session.calibration.start()
    while True:
        time.sleep(0.05)
        status = session.experiment.recording and session.experiment.recording.status
        if status and sum(stream.n_samples for stream in status.streams) > 250:
            print("recording", flush=True)
            time.sleep(600)
"""


@pytest.fixture(scope="module")
def amplifier() -> Iterator[AmplifierProcess]:
    """Run an amplifier that no window owns, as a real one."""
    amplifier = AmplifierProcess(
        person={"seed": 3}, name="Lab amplifier", cues=StreamQuery(name="Rolandic cues")
    )
    amplifier.start()
    amplifier.run(1.0)
    yield amplifier
    amplifier.stop()


@pytest.fixture
def killed(tmp_path: Path, amplifier: AmplifierProcess) -> Path:
    """Begin a calibration run in a window, kill it, return the recording that goes on."""
    script = tmp_path / "window.py"
    script.write_text(WINDOW)
    window = subprocess.Popen(
        [sys.executable, script, tmp_path / "study", amplifier.source_id, Path(__file__).parent],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert window.stdout is not None
    assert window.stdout.readline().strip() == "recording"
    window.kill()
    window.wait()
    window.stdout.close()
    return tmp_path / "study" / "sourcedata" / "sub-sim01" / "ses-01" / "calibration-01.xdf"


def _until(true: Callable[[], Any], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _orphan(session: Session, path: Path) -> Any:
    _until(lambda: [item for item in session.recovery.orphans if item.path == path])
    return session.recovery.orphans[0]


def _check_gapless(path: Path) -> float:
    """Check that no sample is missing, by the stamps as they were sent; return the length (s)."""
    recording = open_recording(path)
    assert recording.gaps == ()
    stamps = next(s for s in load_streams(path).streams if s.text("type") == "EEG").stamps
    steps = np.diff(stamps) * recording.info.rate_hz
    assert np.abs(steps - 1).max() < 0.5, "a sample is missing"
    return float(stamps[-1] - stamps[0])


def test_killed_window_is_rejoined_and_records_on(
    killed: Path, new_session: Callable[..., Session]
) -> None:
    """The recorder outlives kill -9; the next window records on and stops; no sample is lost."""
    session = new_session()
    orphan = _orphan(session, killed)
    assert orphan.closes_at is not None
    assert session.record.runs == []  # it is not over: it is no run yet
    session.recovery.rejoin(orphan, go_on=True)
    assert session.active is not None
    _until(lambda: session.experiment.recording and session.experiment.recording.status)
    recording = session.experiment.recording
    assert recording is not None
    before = recording.status.streams[0].n_samples
    # The cues of the new window are recorded too.
    _until(lambda: any(s.source_id == session.cues_query.source_id and s.stream_id is not None
                       for s in recording.status.streams))  # fmt: skip
    session.cues.push("left_hand", lsl_clock())
    _until(lambda: recording.status.streams[0].n_samples > before + 250)
    session.stop()
    assert session.wait_run(30.0)
    assert session.active is None
    assert [run.file for run in session.record.runs] == [killed.name]
    assert session.record.runs[0].note == "rejoined after a crash"
    assert _check_gapless(killed) > 2.0
    assert "left_hand" in [marker.label for marker in open_recording(killed).markers]
    assert control.find_recorders(killed.parent) == []
    kept = SessionRecord.load(killed.parent)
    assert kept is not None
    assert [run.file for run in kept.runs] == [killed.name]


def test_killed_window_is_rejoined_by_click(
    killed: Path, new_session: Callable[..., Session], qtbot: Any
) -> None:
    """The reopened Session step offers it; Stop and keep closes it in order, as far as it goes."""
    session = new_session()
    step = SessionStep()
    qtbot.addWidget(step)
    step.show()
    step.bind(session)
    qtbot.waitUntil(lambda: step.card.isVisible() and step.card.end.isVisible(), timeout=20_000)
    assert killed.name in step.card.text.text()
    qtbot.mouseClick(step.card.end, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.record.runs != [] and session.active is None, timeout=30_000)
    _check_gapless(killed)
    assert session.record.paths("calibration") == [killed]
    assert not session.record.runs[0].completed
    qtbot.waitUntil(lambda: "1 calibration" in step.now.text())
    step.unbind()


def test_cut_recording_is_completed(new_session: Callable[..., Session], shared_data: Path) -> None:
    """After a power cut, a run that is on no record is found, completed in place, and counts."""
    source = shared_data / "days_xdf" / "P1_001.xdf"
    session = new_session()
    folder = session.folder
    session.close()
    cut = folder / "calibration-01.xdf"
    content = source.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3 + 5])
    session = new_session()
    session.recovery.wait(30.0)
    assert [run.file for run in session.record.runs] == [cut.name]
    assert any("completed" in text for text in session.recovery.told)
    assert "completed" in session.record.runs[0].note


def test_damaged_record_costs_no_recording(
    new_session: Callable[..., Session], shared_data: Path
) -> None:
    """A session.json that is damaged is set aside; settings of the version before, runs, stay."""
    session = new_session()
    folder = session.folder
    session.change(operator="AB")
    session.change(operator="CD")
    session.close()
    source = shared_data / "days_xdf" / "P1_001.xdf"
    (folder / "calibration-01.xdf").write_bytes(source.read_bytes())
    (folder / "session.json").write_bytes(b"\0" * 300)
    kept, told = SessionRecord.recover(folder)
    assert kept is not None
    assert kept.setup.operator in ("AB", "CD")
    assert "damaged" in told
    assert (folder / "session.damaged-1.json").read_bytes() == b"\0" * 300
    session = new_session()
    session.recovery.wait(30.0)
    assert [run.file for run in session.record.runs] == ["calibration-01.xdf"]
    assert json.loads((folder / "session.json").read_text())["version"] == 1
