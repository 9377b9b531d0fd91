"""The XDF writer, read back by pyxdf."""

import itertools
import logging
import os
import struct
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bci.errors import RecordingError, SettingsError
from bci.recording.xdf import XdfWriter, _length
from bci.sources.discovery import DTYPES
from bci.sources.inlets import NUMPY_DTYPES
from bci.sources.xdf_chunks import ChunkWalk, Tag


def stream_xml(
    dtype: str = "float32", n_channels: int = 2, rate_hz: float = 250.0, name: str = "amp"
) -> str:
    """Return a stream's description, as liblsl gives it."""
    return (
        f'<?xml version="1.0"?><info><name>{escape(name)}</name><type>EEG</type>'
        f"<channel_count>{n_channels}</channel_count><nominal_srate>{rate_hz}</nominal_srate>"
        f"<channel_format>{dtype}</channel_format><source_id>s</source_id>"
        f"<desc><channels><channel><label>C3</label><unit>µV</unit></channel></channels></desc>"
        "</info>"
    )


def load(path: Path) -> list[dict[str, Any]]:
    """Read as recorded, no stamp touched."""
    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    return streams


stamps_of = st.floats(min_value=-1e6, max_value=1e9, allow_nan=False).filter(lambda x: x != 0.0)


@st.composite
def numeric_chunks(draw: st.DrawFn) -> tuple[str, int, list[tuple[np.ndarray, np.ndarray]]]:
    """Draw a format, a number of channels, and chunks of stamps and samples, empty ones too."""
    dtype = draw(st.sampled_from(sorted(NUMPY_DTYPES)))
    n_channels = draw(st.integers(1, 5))
    lengths = draw(st.lists(st.integers(0, 300), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    chunks = []
    for length in lengths:
        raw = rng.bytes(length * n_channels * NUMPY_DTYPES[dtype].itemsize)  # every bit pattern
        samples = np.frombuffer(raw, NUMPY_DTYPES[dtype]).reshape(length, n_channels)
        stamps = np.array(draw(st.lists(stamps_of, min_size=length, max_size=length)))
        chunks.append((stamps, samples))
    return dtype, n_channels, chunks


# Pyxdf divides by the stamps' duration, which may be drawn as zero.
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning:pyxdf")
@given(numeric_chunks())
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
def test_numbers_are_read_back_bit_for_bit(
    tmp_path: Path, drawn: tuple[str, int, list[tuple[np.ndarray, np.ndarray]]]
) -> None:
    """Samples of every format and stamps, cut into chunks anyhow, are read back to the bit."""
    dtype, n_channels, chunks = drawn
    path = tmp_path / "a.xdf"
    path.unlink(missing_ok=True)
    with XdfWriter(path) as writer:
        stream_id = writer.add_stream(stream_xml(dtype, n_channels))
        for stamps, samples in chunks:
            writer.write_samples(stream_id, stamps, samples)
    (stream,) = load(path)
    samples = np.concatenate([chunk[1] for chunk in chunks])
    stamps = np.concatenate([chunk[0] for chunk in chunks])
    got = np.asarray(stream["time_series"], NUMPY_DTYPES[dtype]).reshape(-1, n_channels)
    assert got.tobytes() == samples.tobytes()
    assert np.asarray(stream["time_stamps"]).tobytes() == stamps.tobytes()
    assert stream["footer"]["info"]["sample_count"] == [str(len(stamps))]


texts = st.text(st.characters(codec="utf-8"), max_size=300)


@given(
    rows=st.lists(st.tuples(stamps_of, st.lists(texts, min_size=2, max_size=2)), max_size=12),
    cut=st.integers(0, 12),
)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_strings_are_read_back(
    tmp_path: Path, rows: list[tuple[float, list[str]]], cut: int
) -> None:
    """Any text, the empty, the long and that with nulls included, is read back with its stamp."""
    path = tmp_path / "a.xdf"
    path.unlink(missing_ok=True)
    with XdfWriter(path) as writer:
        stream_id = writer.add_stream(stream_xml("string", 2, 0.0))
        for part in (rows[:cut], rows[cut:]):
            writer.write_strings(stream_id, [row[0] for row in part], [row[1] for row in part])
    (stream,) = load(path)
    assert [list(values) for values in stream["time_series"]] == [row[1] for row in rows]
    assert list(stream["time_stamps"]) == [row[0] for row in rows]


def test_description_offsets_and_footer_are_read_back(tmp_path: Path) -> None:
    """The header is the XML that was given; clock offsets and the footer's figures are there."""
    path = tmp_path / "a.xdf"
    stamps = 10.0 + np.arange(501) / 250.0
    with XdfWriter(path) as writer:
        first = writer.add_stream(stream_xml(name='<&"é'))
        second = writer.add_stream(stream_xml("string", 1, 0.0, "markers"))
        writer.write_clock_offset(first, 10.0, -0.5)
        writer.write_samples(first, stamps, np.zeros((501, 2), np.float32))
        writer.write_strings(second, [11.0], [[b"left_hand"]])
        writer.write_boundary()
        writer.write_clock_offset(first, 15.0, -0.25)
    eeg, markers = load(path)
    assert eeg["info"]["name"] == ['<&"é']
    assert eeg["info"]["desc"][0]["channels"][0]["channel"][0]["unit"] == ["µV"]
    assert (eeg["clock_times"], eeg["clock_values"]) == ([10.0, 15.0], [-0.5, -0.25])
    footer = eeg["footer"]["info"]
    assert float(footer["first_timestamp"][0]) == stamps[0]
    assert float(footer["last_timestamp"][0]) == stamps[-1]
    assert float(footer["measured_srate"][0]) == pytest.approx(250.0)
    assert len(footer["clock_offsets"][0]["offset"]) == 2
    assert markers["time_series"] == [["left_hand"]]


def test_clock_offsets_are_applied_by_readers(tmp_path: Path) -> None:
    """A reader that synchronises adds the offset to the stamps: our sign is XDF's."""
    path = tmp_path / "a.xdf"
    with XdfWriter(path) as writer:
        stream_id = writer.add_stream(stream_xml())
        for time_s in (10.0, 15.0, 20.0):
            writer.write_clock_offset(stream_id, time_s, 100.0)
        writer.write_samples(stream_id, np.array([10.0, 20.0]), np.zeros((2, 2), np.float32))
    streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)
    np.testing.assert_allclose(streams[0]["time_stamps"], [110.0, 120.0], rtol=0, atol=1e-6)


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    """An existing file stays as it is, and the message names it."""
    path = tmp_path / "a.xdf"
    path.write_bytes(b"precious")
    with pytest.raises(SettingsError, match=r"a\.xdf exists"):
        XdfWriter(path)
    assert path.read_bytes() == b"precious"
    with pytest.raises(SettingsError, match="cannot be made"):
        XdfWriter(tmp_path / "no" / "a.xdf")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_a_file_is_private(tmp_path: Path) -> None:
    """Only its owner may read a recording, whatever the umask."""
    old = os.umask(0)
    try:
        XdfWriter(tmp_path / "a.xdf").close()
    finally:
        os.umask(old)
    assert (tmp_path / "a.xdf").stat().st_mode & 0o777 == 0o600


def test_misuse_is_refused(tmp_path: Path) -> None:
    """Wrong shapes, wrong kinds, unknown formats and samples after the footer raise."""
    with XdfWriter(tmp_path / "a.xdf") as writer:
        numbers = writer.add_stream(stream_xml())
        strings = writer.add_stream(stream_xml("string", 1, 0.0))
        with pytest.raises(ValueError, match="samples"):
            writer.write_samples(numbers, np.zeros(3), np.zeros((3, 5), np.float32))
        with pytest.raises(ValueError, match="strings"):
            writer.write_samples(strings, np.zeros(1), np.zeros((1, 1)))
        with pytest.raises(ValueError, match="numbers"):
            writer.write_strings(numbers, [1.0], [["a", "b"]])
        with pytest.raises(ValueError, match="values for 1"):
            writer.write_strings(strings, [1.0], [["a", "b"]])
        with pytest.raises(ValueError, match="no XDF form"):
            writer.add_stream(stream_xml("complex"))
        writer.write_footer(numbers)
        with pytest.raises(ValueError, match="footer"):
            writer.write_samples(numbers, np.zeros(1), np.zeros((1, 2), np.float32))
    assert len(load(tmp_path / "a.xdf")) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """When the disk takes no more, closing raises with the file's name and closes all the same."""
    writer = XdfWriter(tmp_path / "a.xdf")
    writer.flush()
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._file.fileno())  # noqa: SLF001
    os.close(full)
    stream_id = writer.add_stream(stream_xml())
    writer.write_samples(stream_id, np.zeros(4), np.zeros((4, 2), np.float32))
    with pytest.raises(RecordingError, match=r"a\.xdf.*No space left"):
        writer.close()
    assert writer._file.closed  # noqa: SLF001


def chunk_ends(data: bytes) -> list[int]:
    """Where each whole chunk of a file ends, the magic bytes first."""
    ends, at = [4], 4
    while at < len(data):
        n_bytes = data[at]
        length = int.from_bytes(data[at + 1 : at + 1 + n_bytes], "little")
        at += 1 + n_bytes + length
        ends.append(at)
    assert ends[-1] == len(data)
    return ends


def test_a_cut_file_is_read_up_to_its_last_whole_chunk(tmp_path: Path) -> None:
    """Cut at any byte, what lies before the last whole chunk's end is read: all samples of it."""
    path = tmp_path / "a.xdf"
    rng = np.random.default_rng(9)
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(stream_xml("int16", 2))
        markers = writer.add_stream(stream_xml("string", 1, 0.0))
        for k in range(3):
            writer.write_clock_offset(eeg, float(k), 0.25)
            raw = rng.integers(-9, 9, (4, 2)).astype(np.int16)
            writer.write_samples(eeg, 1.0 + 4 * k + np.arange(4), raw)
            writer.write_strings(markers, [1.0 + k], [[f"event {k}"]])
            writer.write_boundary()
    data = path.read_bytes()
    ends = chunk_ends(data)
    whole = {stream["info"]["stream_id"]: stream for stream in load(path)}
    cut_path = tmp_path / "cut.xdf"
    counts = set()
    for cut in range(ends[1], len(data) + 1):
        last = max(end for end in ends if end <= cut)
        cut_path.write_bytes(data[:last])
        n_samples = 0
        for stream in load(cut_path):
            n = len(stream["time_stamps"])
            n_samples += n
            full = whole[stream["info"]["stream_id"]]
            np.testing.assert_array_equal(stream["time_stamps"], full["time_stamps"][:n])
            assert np.array_equal(stream["time_series"], full["time_series"][:n])
        counts.add(n_samples)
    assert counts == {0, 4, 5, 9, 10, 14, 15}  # chunk by chunk, none lost that was whole


def test_chunks_reach_the_file_whole(tmp_path: Path) -> None:
    """After each flush the file on disk ends with a whole chunk, footers or not."""
    path = tmp_path / "a.xdf"
    writer = XdfWriter(path)
    stream_id = writer.add_stream(stream_xml("float32", 64))
    sizes = []
    for k in range(5):
        writer.write_samples(stream_id, np.full(50, k + 1.0), np.zeros((50, 64), np.float32))
        writer.flush(to_disk=k == 2)
        sizes.append(chunk_ends(path.read_bytes())[-1])
    assert all(before < after for before, after in itertools.pairwise(sizes))
    writer.abandon()
    (stream,) = load(path)
    assert len(stream["time_stamps"]) == 250


def test_lengths_take_one_four_or_eight_bytes() -> None:
    """The three widths of a length are those of the format."""
    assert _length(0) == b"\x01\x00"
    assert _length(255) == b"\x01\xff"
    assert _length(256) == b"\x04" + struct.pack("<I", 256)
    assert _length(2**32) == b"\x08" + struct.pack("<Q", 2**32)


def test_formats_are_those_of_lsl() -> None:
    """Every numeric format of LSL has its form in the file."""
    assert set(NUMPY_DTYPES) | {"undefined", "string"} == set(DTYPES)


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> None:
    """Pyxdf logs every file that it opens."""
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)


def test_no_sector_ends_where_pyxdf_cannot_read(tmp_path: Path) -> None:
    """Not within a tag, nor within a clock offset, wherever in a sector a chunk begins."""
    rng = np.random.default_rng(4)
    path = tmp_path / "a.xdf"
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(stream_xml("float32", 1))
        cues = writer.add_stream(stream_xml("string", 1, 0.0))
        for k in range(3000):
            writer.write_clock_offset(eeg, k + 1.0, 0.5)
            n = int(rng.integers(1, 40))
            writer.write_samples(eeg, k + 1 + np.arange(n) / 100, np.zeros((n, 1), np.float32))
            writer.write_strings(cues, [k + 1.0], [["x" * int(rng.integers(0, 300))]])
    n_wide = 0
    with path.open("rb") as file:
        for chunk in ChunkWalk(file):
            bad = [chunk.content - 2, chunk.content - 1]
            if chunk.tag == Tag.CLOCK_OFFSET:
                bad += range(chunk.content + 4, chunk.content + 20)
            if chunk.tag != Tag.STREAM_HEADER:
                assert all(end % 512 for end in bad)
            n_wide += chunk.content - chunk.start == 11
    assert n_wide > 10  # it does happen, and is read
    stream, _ = load(path)
    assert len(stream["clock_times"]) == 3000
