"""Sessions for the window's tests: a simulated person over real LSL."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mne
import numpy as np
import platformdirs
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QMessageBox

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from bci.experiment.session import Session
from bci.experiment.worker import Worker
from bci.paradigm import GrazSettings
from bci.workspace import RunRecord, SessionSetup, Workspace

#: Short trials that a simulated person of ability 1 is decoded on.
PROTOCOL = GrazSettings(
    trials_per_class=12, fixation_s=1.0, imagery_s=3.5, pause_s=(1.0, 1.5), lead_s=3.0
)
FEEDBACK = GrazSettings(
    trials_per_class=3, fixation_s=0.5, cue_s=1.0, imagery_s=3.0, pause_s=(0.3, 0.6), lead_s=1.0
)


def setup_of(**changed: Any) -> SessionSetup:
    """Return what the tests' sessions are set to."""
    return SessionSetup.make(
        **{
            "subject": "sim01",
            "session": "01",
            "protocol": PROTOCOL,
            "feedback": FEEDBACK,
            "decoder": "ts-lr",
            "epochs": {"window_s": (0.5, 3.0)},
        }
        | changed
    )


@pytest.fixture(scope="session", autouse=True)
def workers_load_when_asked() -> Iterator[None]:
    """Let a session's processes load nothing before their first task.

    They load decoders ahead so that a person does not wait; a test that never asks them for
    anything would pay for it all the same, and twice.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bci.experiment.session.Worker", partial(Worker, preload=False))
        yield


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what the window remembers out of the user's settings; return where it goes instead."""
    folder = tmp_path_factory.mktemp("settings")
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *a, **k: str(folder))
    return folder


@pytest.fixture(autouse=True)
def nobody_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer yes to what is asked: a window of a test that failed in a run must close."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)


@pytest.fixture
def new_session(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Make sessions in a workspace; all are closed at the end."""
    made: list[Session] = []

    def make(**changed: Any) -> Session:
        session = Session(Workspace(tmp_path / "study"), setup_of(**changed))
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def connected(new_session: Callable[..., Session]) -> Session:
    """Connect a simulated person; calibration runs take a twentieth of the time."""
    session = new_session()
    session.signals.start_simulator({"ability": 1.0, "seed": 1}, history_s=200.0, speed=20.0)
    session.signals.wait(60.0)
    return session


@pytest.fixture
def calibrated(connected: Session) -> Session:
    """Calibrate once."""
    connected.calibration.start()
    assert connected.wait_run(60.0)
    return connected


#: Of runs that are written to files, without a stream.
RUN_CHANNELS = ("FC3", "FC4", "C3", "Cz", "C4", "CP3", "CP4", "Pz")
RUN_CUE_S = 5.0


def _write_run(path: Path, *, seed: int, channels: tuple[str, ...] = RUN_CHANNELS) -> Path:
    """Write a run of 16 trials: the right hand quiets C3, the left hand C4."""
    rng = np.random.default_rng(seed)
    rate_hz, n_trials = 250.0, 16
    samples = 1e-5 * rng.standard_normal(
        (len(channels), round((n_trials * RUN_CUE_S + 2) * rate_hz))
    )
    onsets = 1.0 + RUN_CUE_S * np.arange(n_trials)
    names = ["left_hand", "right_hand"] * (n_trials // 2)
    for onset, name in zip(onsets, names, strict=True):
        first = round(onset * rate_hz)
        quiet = channels.index("C4" if name == "left_hand" else "C3")
        samples[quiet, first : first + round(4 * rate_hz)] *= 0.7
    raw = mne.io.RawArray(samples, mne.create_info(list(channels), rate_hz, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations(onsets, [4.0] * n_trials, names))
    raw.save(path, fmt="double", verbose="error")
    return path


def _session_of(folder: Path, n_runs: int = 2, **changed: Any) -> Session:
    """Return a session with runs that were recorded already."""
    setup = SessionSetup.make(
        **{"subject": "sim01", "session": "01", "decoder": "ts-lr",
           "epochs": {"window_s": (0.5, 3.5)}} | changed
    )  # fmt: skip
    session = Session(Workspace(folder), setup)
    for run in range(n_runs):
        path = session.folder / f"calibration-{run + 1}_raw.fif"
        if not path.exists():
            _write_run(path, seed=run)
            session.record.runs.append(RunRecord(path.name, "calibration"))
    session.save()
    return session


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Write runs without a stream: ``write_run(path, seed=..., channels=...)``."""
    return _write_run


@pytest.fixture(scope="session")
def session_of() -> Callable[..., Session]:
    """Make sessions whose runs are recorded already: ``session_of(folder, n_runs=2, ...)``.

    Who makes one closes it.
    """
    return _session_of
