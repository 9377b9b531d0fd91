"""Names of recordings: the next free one, inside the folder, whoever asks at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bci.errors import SettingsError, StreamError
from bci.recording import Recorder, XdfWriter, next_free
from bci.recording.naming import release
from bci.sources.discovery import StreamQuery

TEMPLATE = "sub-{subject}_ses-{session}_run-{run}_eeg.xdf"


def test_the_next_run_is_the_next_number(tmp_path: Path) -> None:
    """A name that exists gets the next run number; what is there stays as it is."""
    names = [next_free(tmp_path, TEMPLATE, subject="P07", session=2).name for _ in range(3)]
    assert names == [f"sub-P07_ses-2_run-0{run}_eeg.xdf" for run in (1, 2, 3)]
    (tmp_path / "sub-P07_ses-2_run-04_eeg.xdf").write_bytes(b"precious")
    assert next_free(tmp_path, TEMPLATE, subject="P07", session=2).name.endswith("run-05_eeg.xdf")
    assert (tmp_path / "sub-P07_ses-2_run-04_eeg.xdf").read_bytes() == b"precious"
    assert next_free(tmp_path, TEMPLATE, subject="P07", session=2, run=9).name.endswith(
        "09_eeg.xdf"
    )


def test_a_name_without_a_run_gets_one(tmp_path: Path) -> None:
    """A template without a run number is the name itself, then the name with a number."""
    names = [next_free(tmp_path, "rest.xdf").name for _ in range(3)]
    assert names == ["rest.xdf", "rest_run-02.xdf", "rest_run-03.xdf"]


def test_who_asks_at_once_gets_different_names(tmp_path: Path) -> None:
    """A hundred requests from eight threads: a hundred names."""
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: next_free(tmp_path, "{run}.xdf"), range(100)))
    assert len(set(paths)) == 100


def test_a_claim_becomes_a_recording_once(tmp_path: Path) -> None:
    """The writer takes a claimed name; from then on it is never given back or overwritten."""
    path = next_free(tmp_path, TEMPLATE, subject="P07", session=2)
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
    XdfWriter(path).close()
    written = path.read_bytes()
    assert written.startswith(b"XDF:")
    release(path)
    with pytest.raises(SettingsError, match="never overwritten"):
        XdfWriter(path)
    assert path.read_bytes() == written


def test_a_recording_that_does_not_begin_gives_its_name_back(tmp_path: Path) -> None:
    """Without its stream there is no file, claimed or not."""
    path = next_free(tmp_path, "a.xdf")
    with pytest.raises(StreamError):
        Recorder([StreamQuery(name="nobody")], path, timeout_s=0.1).start()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "template",
    [
        "../a.xdf",
        "a/b.xdf",
        "a\\b.xdf",
        "/etc/a.xdf",
        "C:a.xdf",
        "..",
        ".hidden",
        "",
        "a\x00.xdf",
        "a\n.xdf",
        "con.xdf",
        "LPT1",
        "a.xdf.",
        "a.xdf ",
        "{subject}.xdf",
        "{subject.__class__}.xdf",
        "{0}.xdf",
        "{nobody}.xdf",
        "a" * 300,
    ],
)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, template: str) -> None:
    """Separators, parents, devices, control characters and unknown fields are refused by name."""
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(SettingsError, match="file name"):
        next_free(folder, template, subject="../../x")
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A folder that cannot be written is said, with the path."""
    with pytest.raises(SettingsError, match="cannot be made"):
        next_free(tmp_path / "no", "a.xdf")
    with pytest.raises(SettingsError, match="run 0"):
        next_free(tmp_path, "a.xdf", run=0)
