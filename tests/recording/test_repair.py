"""Repairing XDF files: what is whole stays, what is missing is said, the original is kept."""

import gzip
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import uuid
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from bci.errors import RecordingError, SettingsError
from bci.recording import RecorderProcess
from bci.recording.repair import examine_file, repair_file
from bci.recording.xdf import XdfWriter
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerOutlet
from bci.sources.xdf import read_xdf
from bci.sources.xdf_chunks import BOUNDARY, ChunkWalk, Tag, XdfChunk

EEG = (
    '<?xml version="1.0"?><info><name>amp</name><type>EEG</type><source_id>amp-1</source_id>'
    "<channel_count>2</channel_count><nominal_srate>100</nominal_srate>"
    "<channel_format>float32</channel_format><desc /></info>"
)
CUES = EEG.replace("amp", "cues").replace(">2<", ">1<").replace("float32", "string")
CUES = CUES.replace(">100<", ">0<").replace("EEG", "Markers")


def chunks_of(path: Path) -> list[XdfChunk]:
    """Return the chunks of a whole file."""
    with path.open("rb") as file:
        return list(ChunkWalk(file))


def load(path: Path) -> list[dict]:
    """Read with pyxdf, nothing corrected."""
    return pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False)[0]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a closed recording: ten chunks of ten samples, a cue and a boundary after each."""
    path = tmp_path / "a.xdf"
    rng = np.random.default_rng(3)
    with XdfWriter(path) as writer:
        eeg, cues = writer.add_stream(EEG), writer.add_stream(CUES)
        for k in range(10):
            writer.write_clock_offset(eeg, float(k), 0.5)
            samples = rng.normal(0, 10, (10, 2)).astype(np.float32)
            writer.write_samples(eeg, 10 + k / 10 + np.arange(10) / 100, samples)
            writer.write_strings(cues, [10 + k / 10], [["left_hand"]])
            writer.write_boundary()
    return path


def test_a_whole_file_is_left_alone(recording: Path) -> None:
    """Nothing is written, and the report says that nothing is missing."""
    report = repair_file(recording)
    assert report.is_whole
    assert report.out is None
    assert report.findings == ()
    assert [(s.name, s.n_samples, s.n_offsets) for s in report.streams] == [
        ("amp", 100, 10),
        ("cues", 10, 0),
    ]
    assert [path.name for path in recording.parent.iterdir()] == ["a.xdf"]


def test_a_cut_file_gets_its_footers(recording: Path) -> None:
    """All whole chunks are there, the footers count them, the original is as it was."""
    data = recording.read_bytes()
    last = [c for c in chunks_of(recording) if c.tag == Tag.SAMPLES and data[c.content] == 1][-1]
    recording.write_bytes(data[: last.end - 5])
    report = repair_file(recording)
    assert report.out == recording.parent / "a_repaired.xdf"
    assert recording.read_bytes() == data[: last.end - 5]
    assert report.findings == (
        f"cut: the last {last.end - 5 - last.start} bytes are no whole chunk; "
        "it was to hold 10 samples of 'amp'",
        "'amp' was not closed: it has no footer",
        "'cues' was not closed: it has no footer",
    )
    eeg, cues = load(report.out)
    footer = eeg["footer"]["info"]
    assert (footer["sample_count"], len(eeg["time_stamps"])) == (["90"], 90)
    assert float(footer["first_timestamp"][0]) == eeg["time_stamps"][0]
    assert float(footer["last_timestamp"][0]) == eeg["time_stamps"][-1]
    assert len(footer["clock_offsets"][0]["offset"]) == 10
    assert cues["footer"]["info"]["sample_count"] == ["9"]
    assert read_xdf(report.out, unit="uV").warnings == ()
    assert examine_file(report.out).is_whole
    if os.name == "posix":
        assert report.out.stat().st_mode & 0o077 == 0


def test_in_place_takes_the_file_s_name_at_once(recording: Path) -> None:
    """The repaired file replaces the other; no third one is left."""
    data = recording.read_bytes()
    recording.write_bytes(data[:-3])
    report = repair_file(recording, in_place=True)
    assert report.out == recording.resolve()
    assert examine_file(recording).is_whole
    assert [path.name for path in recording.parent.iterdir()] == ["a.xdf"]


def test_nothing_is_overwritten(recording: Path, tmp_path: Path) -> None:
    """A name that is taken is refused, and both files stay as they are."""
    recording.write_bytes(recording.read_bytes()[:-3])
    taken = tmp_path / "taken.xdf"
    taken.write_bytes(b"precious")
    with pytest.raises(SettingsError, match=r"taken\.xdf exists"):
        repair_file(recording, taken)
    with pytest.raises(SettingsError, match="is no folder"):
        repair_file(recording, tmp_path / "no" / "b.xdf")
    assert taken.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xdf", "taken.xdf"]


def test_a_file_that_is_being_written_is_not_replaced(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a recorder appends while the file is read would be lost."""
    recording.write_bytes(recording.read_bytes()[:-3])
    fsync = os.fsync

    def append_then_sync(descriptor: int) -> None:
        with recording.open("ab") as file:
            file.write(b"more")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", append_then_sync)
    with pytest.raises(RecordingError, match="is being written"):
        repair_file(recording, in_place=True)
    assert recording.read_bytes().endswith(b"more")


def test_a_file_is_not_replaced_under_a_recorder_that_has_nothing_to_write(
    tmp_path: Path,
) -> None:
    """Its markers are rare: what it wrote afterwards would be in a file without a name."""
    outlet = MarkerOutlet("rare markers", f"test-{uuid.uuid4().hex}")
    path = tmp_path / "live.xdf"
    recorder = RecorderProcess([StreamQuery(source_id=outlet.source_id)], path)
    recorder.start()
    try:
        with pytest.raises(RecordingError, match="is being recorded"):
            repair_file(path, in_place=True)
        outlet.push("left_hand", lsl_clock())
    finally:
        summary = recorder.stop()
        outlet.close()
    assert summary.readback is not None
    assert summary.readback.ok
    assert b"left_hand" in path.read_bytes()


@pytest.mark.parametrize("what", ["length", "count", "stamp", "stream", "zeros"])
def test_damage_in_the_middle_costs_no_more_than_to_the_next_boundary(
    recording: Path, what: str
) -> None:
    """What lies before the damage and after the next boundary is kept, and the place is named."""
    data = bytearray(recording.read_bytes())
    chunk = [c for c in chunks_of(recording) if c.tag == Tag.SAMPLES and data[c.content] == 1][4]
    if what == "length":
        data[chunk.start + 1] ^= 0x15
    elif what == "count":
        data[chunk.content + 5] += 1
    elif what == "stamp":
        data[chunk.content + 6] = 3
    elif what == "stream":
        data[chunk.content] = 9
    else:
        data[chunk.start : chunk.start + 40] = bytes(40)
    recording.write_bytes(data)
    report = repair_file(recording)
    assert report.damaged[0][0] == chunk.start
    assert report.damaged[0][1] <= data.index(BOUNDARY, chunk.start) + len(BOUNDARY)
    assert any(f"bytes {chunk.start} to" in finding for finding in report.findings)
    assert any("10 samples that its footer counts are missing" in f for f in report.findings)
    eeg, cues = load(report.out)
    assert len(eeg["time_stamps"]) == 90
    assert len(cues["time_stamps"]) in (9, 10)
    # A chunk whose frame is right costs itself alone.
    if what in ("count", "stamp", "stream"):
        assert len(cues["time_stamps"]) == 10
    said = " ".join(read_xdf(recording, unit="uV").warnings)
    assert "bytes within the file are damaged" in said
    assert "10 samples of 'amp' that its footer counts are missing" in said


def test_chunks_of_unknown_kinds_are_kept_and_samples_that_are_missing_told(
    recording: Path,
) -> None:
    """The format may grow; when a damaged tag looks like that, the footer's count tells."""
    data = bytearray(recording.read_bytes())
    chunk = [c for c in chunks_of(recording) if c.tag == Tag.SAMPLES and data[c.content] == 1][4]
    data[chunk.content - 2] = 77
    recording.write_bytes(data)
    report = repair_file(recording)
    assert report.out is None
    assert report.findings == ("'amp': 10 samples that its footer counts are missing",)


def test_what_cannot_be_repaired_is_refused_in_one_line(tmp_path: Path) -> None:
    """No XDF, no stream, not there: an error that names the file, and no file is left."""
    path = tmp_path / "a.xdf"
    for content, message in [
        (b"text", "is no XDF file"),
        (b"XDF:", "holds no stream"),
        (b"", "is empty"),
        (b"XDF:" + b"\x04" + struct.pack("<IH", 40, 2) + bytes(38), "is damaged"),
    ]:
        path.write_bytes(content)
        with pytest.raises(RecordingError, match=message) as caught:
            repair_file(path)
        assert "\n" not in str(caught.value)
        assert [p.name for p in tmp_path.iterdir()] == ["a.xdf"]
    with pytest.raises(RecordingError, match="does not exist"):
        repair_file(tmp_path / "b.xdf")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_nothing_behind(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the copy does not fit, the message says so and the copy is gone."""
    recording.write_bytes(recording.read_bytes()[:-3])
    fsync = os.fsync

    def full(descriptor: int) -> None:
        device = os.open("/dev/full", os.O_WRONLY)
        try:
            os.write(device, b"x")
        finally:
            os.close(device)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match="No space left"):
        repair_file(recording)
    assert [p.name for p in tmp_path.iterdir()] == ["a.xdf"]


def test_recordings_of_labrecorder_are_repaired(shared_data: Path, tmp_path: Path) -> None:
    """A cut file of another recorder keeps every whole sample, deduced stamps included."""
    source = shared_data / "days_xdf" / "P1_001.xdf"
    data = source.read_bytes()[:700_001]
    cut = tmp_path / "cut.xdf"
    cut.write_bytes(data)
    report = repair_file(cut)
    whole = {s["info"]["name"][0]: s for s in load(source)}
    for stream in load(report.out):
        n = len(stream["time_stamps"])
        assert stream["footer"]["info"]["sample_count"] == [str(n)]
        full = whole[stream["info"]["name"][0]]
        np.testing.assert_array_equal(stream["time_stamps"], full["time_stamps"][:n])
        assert np.array_equal(stream["time_series"], full["time_series"][:n])
    assert report.streams[0].n_samples > 0
    resets = repair_file(shared_data / "xdf" / "clock_resets.xdf", tmp_path / "none.xdf")
    assert resets.is_whole


def test_a_packed_file_is_repaired_to_a_plain_one(recording: Path, tmp_path: Path) -> None:
    """A cut gzip gives what can be unpacked of it; in place it is refused."""
    packed = tmp_path / "b.xdf.gz"
    packed.write_bytes(gzip.compress(recording.read_bytes())[:-40])
    report = repair_file(packed)
    assert report.out == tmp_path / "b_repaired.xdf"
    assert examine_file(report.out).is_whole
    with pytest.raises(SettingsError, match="is packed"):
        repair_file(packed, in_place=True)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """60 MB are repaired in a few, with progress."""
    path = tmp_path / "a.xdf"
    writer = XdfWriter(path)
    eeg = writer.add_stream(EEG.replace(">2<", ">512<"))
    samples = np.zeros((100, 512), np.float32)
    for k in range(300):
        writer.write_samples(eeg, k + np.arange(100) / 100, samples)
        writer.flush()
    writer.abandon()
    told: list[tuple[int, int]] = []
    tracemalloc.start()
    report = repair_file(path, progress=lambda done, total: told.append((done, total)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.streams[0].n_samples == 30_000
    assert path.stat().st_size > 60e6
    assert peak < 4e6
    assert len(told) > 10
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size,) * 2


def test_the_command_says_what_was_missing(recording: Path) -> None:
    """`bci repair` in another process: JSON on stdout, code 0; a taken name is code 2, one line."""
    recording.write_bytes(recording.read_bytes()[:-3])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bci", "repair", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    done = run(str(recording), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["out"].endswith("a_repaired.xdf")
    assert document["streams"][0]["n_samples"] == 100
    again = run(str(recording))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "exists" in again.stderr
