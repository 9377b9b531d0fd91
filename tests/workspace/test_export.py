"""Export to BIDS: what another program reads is what was recorded."""

import json
from pathlib import Path

import numpy as np
import pytest

from bci.acquisition import timeline
from bci.errors import RecordingError, SettingsError
from bci.signal.epochs import nearest_sample, sample_times
from bci.sources.reading import open_recording
from bci.workspace import RunRecord, SessionRecord, SessionSetup, Workspace, export
from bci.workspace.export import export_workspace

pytest.importorskip("mne_bids")


@pytest.fixture
def study(tmp_path: Path, shared_data: Path) -> Path:
    """Make a workspace with two people's recordings, one with a gap-free XDF of real signals."""
    workspace = Workspace(tmp_path / "study")
    for subject, source in (("P1", "P1_001.xdf"), ("P2", "P1_002.xdf")):
        folder = workspace.folder(subject, "01")
        folder.mkdir(parents=True)
        content = (shared_data / "days_xdf" / source).read_bytes()
        (folder / "calibration-01.xdf").write_bytes(content)
        record = SessionRecord(
            folder, SessionSetup.make(subject=subject, session="01", bad_channels=("T7",))
        )
        began = "2026-03-04T10:00:00+01:00"
        record.runs.append(RunRecord("calibration-01.xdf", "calibration", began=began))
        record.save()
    return workspace.root


@pytest.mark.filterwarnings("default")
def test_samples_and_events_are_those_recorded(study: Path, tmp_path: Path) -> None:
    """Read by mne-bids, samples agree to single precision, and each event is at its sample."""
    import mne_bids

    written = export_workspace(study, tmp_path / "bids", ["P1"])
    assert [item.path.name for item in written] == [
        "sub-P1_ses-01_task-calibration_run-01_eeg.vhdr"
    ]
    path = mne_bids.get_bids_path_from_fname(written[0].path)
    back = mne_bids.read_raw_bids(path, verbose="ERROR")
    recorded = open_recording(written[0].source)
    ours, theirs = recorded.samples.T, back.get_data()
    assert back.info["sfreq"] == recorded.info.rate_hz
    assert np.abs(theirs - ours).max() < 1e-6 * np.abs(ours).max()
    assert [str(text) for text in back.annotations.description] == [
        marker.label for marker in recorded.markers
    ]
    line = timeline(recorded.stamps, recorded.info.rate_hz, recorded.returns)
    times = sample_times(recorded, line)
    expected = [nearest_sample(times, marker.time_s) for marker in recorded.markers]
    found = np.round(back.annotations.onset * recorded.info.rate_hz).astype(int)
    assert found.tolist() == expected
    for name in ("channels.tsv", "events.tsv", "eeg.json"):
        assert list(written[0].path.parent.glob(f"*_{name}"))
    about = json.loads(next(written[0].path.parent.glob("*_eeg.json")).read_text())
    assert about["PowerLineFrequency"] == 50


@pytest.mark.filterwarnings("default")
def test_everyone_is_exported_unless_named(study: Path, tmp_path: Path) -> None:
    """Without a name all are exported; a name that is not there is an error that says it."""
    done: list[tuple[int, int]] = []
    written = export_workspace(study, tmp_path / "bids", progress=lambda *step: done.append(step))
    assert [item.path.name[:6] for item in written] == ["sub-P1", "sub-P2"]
    assert done[-1] == (2, 2)
    with pytest.raises(SettingsError, match="sub-P9"):
        export_workspace(study, tmp_path / "bids", ["P9"])


@pytest.mark.filterwarnings("default")
def test_what_does_not_read_back_is_not_left(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose samples are not the recorded ones is an error, and does not stay."""
    monkeypatch.setattr(export, "_PRECISION", -1.0)
    with pytest.raises(RecordingError, match="not those recorded"):
        export_workspace(study, tmp_path / "bids", ["P1"])
    assert list((tmp_path / "bids").rglob("*.vhdr")) == []


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    """An empty workspace, or a folder that is none, is an error."""
    with pytest.raises(SettingsError, match="no folder"):
        export_workspace(tmp_path / "nowhere", tmp_path / "out")
    Workspace(tmp_path / "study")
    with pytest.raises(SettingsError, match="no recording"):
        export_workspace(tmp_path / "study", tmp_path / "out")


@pytest.mark.filterwarnings("default")
def test_electrodes_have_their_places(tmp_path: Path, shared_data: Path) -> None:
    """Channels of the 10-10 system are exported with places, and read back with them."""
    import mne_bids

    folder = Workspace(tmp_path / "study").folder("S001", "01")
    folder.mkdir(parents=True)
    source = shared_data / "eegmmidb" / "S001R04.edf"
    (folder / "calibration-01.edf").write_bytes(source.read_bytes())
    record = SessionRecord(folder, SessionSetup.make(subject="S001", session="01", mains_hz=60))
    record.runs.append(RunRecord("calibration-01.edf", "calibration"))
    record.save()
    (written,) = export_workspace(tmp_path / "study", tmp_path / "bids")
    (table,) = written.path.parent.glob("*_electrodes.tsv")
    assert len(table.read_text().splitlines()) == 65
    path = mne_bids.get_bids_path_from_fname(written.path)
    montage = mne_bids.read_raw_bids(path, verbose="ERROR").get_montage()
    x, y, z = montage.get_positions()["ch_pos"]["C3"]
    assert x < -0.04
    assert abs(y) < 0.03
    assert z > 0.05


@pytest.mark.filterwarnings("default")
def test_command_exports_and_says_so(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``bci export`` writes, twice if asked twice, and gives JSON for programs."""
    from bci.cli import main

    out = tmp_path / "bids"
    for _ in range(2):
        arguments = ["bci", "export", str(study), "--out", str(out), "--subject", "P1", "--json"]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        (item,) = json.loads(capsys.readouterr().out)["recordings"]
        assert item["n_samples"] == 15250
        assert Path(item["path"]).is_file()
