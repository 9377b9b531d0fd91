"""Workspaces: BIDS datasets of ours and of others, recent sessions, templates."""

from pathlib import Path
from typing import Any

import pytest

from bci.errors import SettingsError
from bci.evaluation.training import train_model
from bci.sources.reading import open_recording
from bci.workspace import (
    RecentSessions,
    RunRecord,
    SessionRecord,
    SessionSetup,
    Templates,
    Workspace,
)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Write a BIDS dataset of a person's runs with mne-bids, as another lab would."""
    mne, mne_bids = pytest.importorskip("mne"), pytest.importorskip("mne_bids")
    root = tmp_path_factory.mktemp("foreign") / "study"
    for run in ("04", "08"):
        raw = mne.io.read_raw_edf(shared_data / "eegmmidb" / f"S001R{run}.edf", verbose="ERROR")
        raw.info["line_freq"] = 60
        mne_bids.write_raw_bids(
            raw,
            mne_bids.BIDSPath(subject="S001", session="lab", task="imagery", run=run, root=root),
            verbose="ERROR",
        )
    return root


@pytest.mark.filterwarnings("default")
def test_recordings_of_others_are_calibration_runs(foreign: Path) -> None:
    """A BIDS dataset that mne-bids wrote opens; its recordings train a decoder of a session."""
    before = (foreign / "dataset_description.json").read_text()
    workspace = Workspace(foreign)
    assert (foreign / "dataset_description.json").read_text() == before
    assert workspace.subjects() == ["S001"]
    recordings = workspace.recordings("S001")
    assert [(r.session, r.task, r.run) for r in recordings] == [
        ("lab", "imagery", "04"),
        ("lab", "imagery", "08"),
    ]
    folder = workspace.folder("S001", workspace.next_session("S001"))
    folder.mkdir(parents=True)
    setup = SessionSetup.make(
        subject="S001",
        session="01",
        epochs={"event_map": {"T1": "left_hand", "T2": "right_hand"}},
    )
    record = SessionRecord(folder, setup)
    record.runs = [RunRecord(recording.file, "calibration") for recording in recordings]
    record.save()
    kept = SessionRecord.load(folder)
    assert kept is not None
    paths = kept.paths("calibration")
    assert paths == [recording.path for recording in recordings]
    model = train_model([open_recording(path) for path in paths], setup.epochs, "csp-lda", cv=False)
    assert model.classes == ("left_hand", "right_hand")
    assert sum(model.card["n_trials"].values()) == 30


def test_next_session_is_free(tmp_path: Path) -> None:
    """The label proposed is taken by no session, of our own or in the BIDS tree."""
    workspace = Workspace(tmp_path / "study")
    assert workspace.next_session("S01") == "01"
    workspace.folder("S01", "01").mkdir(parents=True)
    (workspace.root / "sub-S01" / "ses-07").mkdir(parents=True)
    workspace.folder("S02", "11").mkdir(parents=True)
    assert workspace.next_session("S01") == "08"
    assert workspace.subjects() == ["S01", "S02"]


def test_recent_sessions_are_kept(tmp_path: Path) -> None:
    """The newest is first, each is there once, and one whose folder is gone is not offered."""
    recent = RecentSessions(tmp_path / "config" / "recent.json")
    workspace = Workspace(tmp_path / "study")
    for session in ("01", "02"):
        workspace.folder("S01", session).mkdir(parents=True)
    for session in ("01", "02", "01", "03"):
        recent.note(workspace.root, "S01", session)
    assert [entry.session for entry in recent.sessions()] == ["01", "02"]
    assert recent.workspaces() == [workspace.root.absolute()]
    recent.path.write_text("{ broken")
    assert recent.sessions() == []
    recent.note(workspace.root, "S01", "02")
    assert [entry.session for entry in recent.sessions()] == ["02"]


def test_template_holds_for_another_person(tmp_path: Path) -> None:
    """A template keeps protocol and montage, and nothing of the person or the day."""
    templates = Templates(tmp_path)
    setup = SessionSetup.make(
        subject="S01",
        session="02",
        operator="AB",
        montage="biosemi64",
        bad_channels=("T7",),
        protocol={"trials_per_class": 7},
    )
    path = templates.save("stroke left", setup)
    assert templates.names() == ["stroke left"]
    values = templates.load("stroke left")
    assert values["montage"] == "biosemi64"
    assert values["protocol"].trials_per_class == 7
    assert not {"subject", "session", "operator", "bad_channels", "stream"} & set(values)
    path.write_text(path.read_text().replace('"trials_per_class": 7', '"trials_per_class": 0'))
    with pytest.raises(SettingsError, match=r"stroke left.json.*trials_per_class"):
        templates.load("stroke left")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 80])
def test_template_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """A name that is no plain file name is refused."""
    setup = SessionSetup.make(subject="S01", session="01")
    with pytest.raises(SettingsError, match="template name"):
        Templates(tmp_path).save(name, setup)


def test_record_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full while session.json is written leaves the version before."""
    record = SessionRecord(tmp_path, SessionSetup.make(subject="S01", session="01"))
    record.notes.append({"text": "kept"})
    record.save()

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bci.private.os.fdopen", full)
    record.notes.append({"text": "lost"})
    with pytest.raises(Exception, match="make room"):
        record.save()
    kept = SessionRecord.load(tmp_path)
    assert kept is not None
    assert [note["text"] for note in kept.notes] == ["kept"]


def test_record_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """What a newer version wrote is no damage: it is refused with the reason, and stays."""
    record = SessionRecord(tmp_path, SessionSetup.make(subject="S01", session="01"))
    record.save()
    path = tmp_path / "session.json"
    newer = path.read_text().replace('"version": 1', '"version": 2')
    path.write_text(newer)
    with pytest.raises(SettingsError, match="another version"):
        SessionRecord.recover(tmp_path)
    assert path.read_text() == newer
