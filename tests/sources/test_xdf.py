"""Reading XDF."""

import gzip
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bci.errors import ChannelError, RecordingError, SettingsError
from bci.sources.reading import check_channels, open_recording
from bci.sources.xdf import read_xdf
from bci.sources.xdf_clock import corrected

BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")


def chunk(tag: int, content: bytes) -> bytes:
    """Frame an XDF chunk."""
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def header(stream: int, **info: object) -> bytes:
    """Describe a stream."""
    fields = {
        "name": "amp",
        "type": "EEG",
        "channel_count": 2,
        "nominal_srate": 100,
        "channel_format": "float32",
        **info,
    }
    xml = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    return chunk(2, struct.pack("<I", stream) + f"<info>{xml}</info>".encode())


def numbers(stream: int, stamps: np.ndarray, values: np.ndarray, code: str = "<f4") -> bytes:
    """Write samples with a stamp each."""
    rows = b"".join(
        b"\x08" + struct.pack("<d", stamp) + row.astype(code).tobytes()
        for stamp, row in zip(stamps, values, strict=True)
    )
    return chunk(3, struct.pack("<I", stream) + b"\x04" + struct.pack("<I", len(stamps)) + rows)


def strings(stream: int, events: list[tuple[float, str]]) -> bytes:
    """Write markers."""
    rows = b"".join(
        b"\x08" + struct.pack("<d", t) + b"\x01" + bytes([len(s.encode())]) + s.encode()
        for t, s in events
    )
    return chunk(3, struct.pack("<I", stream) + b"\x01" + bytes([len(events)]) + rows)


def offset(stream: int, time_s: float, value: float) -> bytes:
    """Write a clock offset."""
    return chunk(4, struct.pack("<Idd", stream, time_s, value))


def footer(stream: int) -> bytes:
    """Close a stream."""
    return chunk(6, struct.pack("<I", stream) + b"<info></info>")


def write(path: Path, *chunks: bytes) -> Path:
    """Write a file of these chunks."""
    path.write_bytes(b"XDF:" + chunk(1, b"<info><version>1.0</version></info>") + b"".join(chunks))
    return path


def eeg(n_samples: int = 200, scale: float = 10.0) -> np.ndarray:
    """Make some samples of two channels."""
    return np.random.default_rng(5).normal(0, scale, (n_samples, 2)).astype(np.float32)


STAMPS = 50 + np.arange(200) / 100


def test_a_real_recording_is_read_as_pyxdf_reads_it(shared_data: Path) -> None:
    """Stamps are raw, samples the same numbers times one factor, to the last bit."""
    path = shared_data / "days_xdf" / "P1_002.xdf"
    recording = open_recording(path)
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    amp = next(s for s in streams if s["info"]["type"] == ["EEG"])
    np.testing.assert_array_equal(recording.samples, amp["time_series"].astype(np.float64) * 1e-6)
    np.testing.assert_array_equal(recording.stamps, amp["time_stamps"])
    np.testing.assert_array_equal(recording.clock_offsets[:, 0], amp["clock_times"])
    np.testing.assert_array_equal(recording.clock_offsets[:, 1], amp["clock_values"])
    assert recording.samples.flags.c_contiguous
    assert recording.info.rate_hz == 125.0
    assert recording.info.labels[:2] == ("ch1", "ch2")
    assert recording.warnings == (
        "the stream names no unit: taken for microvolts; say --unit if that is wrong",
    )
    assert np.diff(recording.stamps).max() == pytest.approx(3.7026, abs=1e-3)


def test_markers_come_labelled_as_recorded_on_the_machines_clock(shared_data: Path) -> None:
    """Their own clock offset is applied."""
    recording = open_recording(shared_data / "days_xdf" / "P1_001.xdf", unit="uV")
    assert len(recording.markers) == 47
    assert recording.markers[0].label == "111.0000000000000"
    assert recording.markers[0].time_s == pytest.approx(45304.3263265711, abs=1e-9)
    assert recording.warnings == ()


def test_flat_channels_of_a_real_recording_are_named(shared_data: Path) -> None:
    """Only channels that are used are judged; the five unconnected ones are flat."""
    recording = open_recording(shared_data / "days_xdf" / "P1_002.xdf")
    check_channels(recording, range(11))
    with pytest.raises(ChannelError, match="flat: ch12, ch13, ch14, ch15, ch16"):
        check_channels(recording, range(16))


def test_the_conformance_files_open_or_say_why_not(shared_data: Path) -> None:
    """Integer samples, a clock reset in the middle, and a file without EEG."""
    small = open_recording(shared_data / "xdf" / "minimal.xdf")
    assert small.info.dtype == "int16"
    np.testing.assert_array_equal(small.samples[0], np.array([192, 255, 238]) * 1e-6)
    assert "World" in [marker.label for marker in small.markers]

    reset = open_recording(shared_data / "xdf" / "clock_resets.xdf")
    assert reset.n_samples == 27815
    assert any("was reset" in warning for warning in reset.warnings)
    assert len(reset.markers) == 175
    times = [marker.time_s for marker in reset.markers]
    assert times == sorted(times)
    assert times[0] == pytest.approx(812.928, abs=1e-3)

    empty = shared_data / "xdf" / "empty_streams.xdf"
    with pytest.raises(RecordingError, match="holds no EEG stream; it has 'Empty data stream"):
        open_recording(empty)
    data = open_recording(empty, stream="Data stream: test stream 0 counter")
    np.testing.assert_array_equal(data.samples[:, 0], np.arange(10))
    with pytest.raises(RecordingError, match="holds no samples"):
        open_recording(empty, stream="Empty data stream: test stream 0 counter")


def _prefix_or_error(path: Path, whole_samples: np.ndarray, whole_stamps: np.ndarray) -> int | None:
    """Open a cut file: None for an error in one line, else how many samples, all true ones."""
    try:
        recording = read_xdf(path)
    except RecordingError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert "\n" not in message
        assert path.name in message
        return None
    n_samples = recording.n_samples
    np.testing.assert_array_equal(recording.samples, whole_samples[:n_samples])
    np.testing.assert_array_equal(recording.stamps, whole_stamps[:n_samples])
    return n_samples


def test_a_file_cut_at_any_byte_gives_its_whole_chunks(shared_data: Path, tmp_path: Path) -> None:
    """Every cut of the smallest conformance file: true samples up to it, or one line of error."""
    source = shared_data / "xdf" / "minimal.xdf"
    whole, content = read_xdf(source), source.read_bytes()
    path = tmp_path / "cut.xdf"
    counts = []
    for n_bytes in range(len(content)):
        path.write_bytes(content[:n_bytes])
        counts.append(_prefix_or_error(path, whole.samples, whole.stamps))
    opened = [count for count in counts if count is not None]
    assert opened == sorted(opened)
    assert opened[-1] == whole.n_samples
    assert counts[0] is None


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(n_bytes=st.integers(1, 150_000))
def test_a_cut_recording_says_how_much_is_missing(
    shared_data: Path, tmp_path: Path, n_bytes: int
) -> None:
    """Whatever the cut of a real recording, the samples are true and the loss is said."""
    source = shared_data / "days_xdf" / "P1_001.xdf"
    streams, _ = pyxdf.load_xdf(source, synchronize_clocks=False, dejitter_timestamps=False)
    amp = next(s for s in streams if s["info"]["type"] == ["EEG"])
    path = tmp_path / "cut.xdf"
    path.write_bytes(source.read_bytes()[:n_bytes])
    count = _prefix_or_error(path, amp["time_series"] * np.float64(1e-6), amp["time_stamps"])
    if count is not None:
        notes = " ".join(read_xdf(path).warnings)
        assert "the file is cut" in notes or "was not closed" in notes
    else:
        assert n_bytes < 20_000


def test_the_loss_of_a_cut_is_told_in_bytes_samples_and_seconds(tmp_path: Path) -> None:
    """The torn chunk says how many samples it was to hold."""
    parts = [
        header(1),
        numbers(1, STAMPS[:150], eeg()[:150]),
        numbers(1, STAMPS[150:], eeg()[150:]),
    ]
    path = write(tmp_path / "a.xdf", *parts)
    path.write_bytes(path.read_bytes()[:-1])
    recording = read_xdf(path, unit="uV")
    assert recording.n_samples == 150
    n_torn = len(parts[2]) - 1
    assert recording.warnings == (
        f"the file is cut: its last {n_torn} bytes are no complete chunk, so 50 samples of 'amp' "
        "(0.5 s) are missing; whatever followed is missing too",
    )
    path = write(tmp_path / "b.xdf", *parts)
    assert read_xdf(path, unit="uV").warnings == (
        "the file was not closed (no footer for 'amp'): its end may be missing",
    )
    assert read_xdf(write(tmp_path / "c.xdf", *parts, footer(1)), unit="uV").warnings == ()


def test_damage_in_the_middle_is_skipped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Reading goes on at the next boundary chunk, and pyxdf's own words stay off the screen."""
    path = write(
        tmp_path / "a.xdf",
        header(1),
        numbers(1, STAMPS[:100], eeg()[:100]),
        b"\x07rubbish",
        chunk(5, BOUNDARY),
        numbers(1, STAMPS[100:], eeg()[100:]),
        footer(1),
    )
    with caplog.at_level(logging.WARNING):
        recording = read_xdf(path, unit="uV")
    np.testing.assert_array_equal(recording.samples, eeg().astype(np.float64) * 1e-6)
    assert any("bytes within the file are damaged" in warning for warning in recording.warnings)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_a_stream_of_impedances_tells_those_of_the_electrodes(tmp_path: Path) -> None:
    """Its last value above zero counts, in its unit; a channel that it does not name has none."""
    eeg_desc = "".join(f"<channel><label>{name}</label></channel>" for name in ("C3", "C4"))
    desc = (
        "<channels><channel><label>C3</label><unit>kohm</unit></channel>"
        "<channel><label>Cz</label></channel></channels>"
    )
    path = write(
        tmp_path / "a.xdf",
        header(1, desc=f"<channels>{eeg_desc}</channels>"),
        header(2, desc=desc, type="Impedance", nominal_srate=0),
        numbers(1, STAMPS, eeg()),
        numbers(2, STAMPS[:3], np.array([[80, 5], [12, 5], [0, 5]], np.float32)),
        footer(1),
        footer(2),
    )
    recording = read_xdf(path, unit="uV")
    assert [channel.impedance_ohm for channel in recording.info.channels] == [12e3, None]


def test_the_description_becomes_channels(tmp_path: Path) -> None:
    """Labels, units, kinds and places come from the stream; units scale each channel."""
    places = "".join(
        f"<{axis}>{value}</{axis}>" for axis, value in zip("XYZ", (-60, 10, 80), strict=True)
    )
    desc = (
        "<channels><channel><label>c3..</label><unit>microvolts</unit><type>EEG</type>"
        f"<location>{places}</location><impedance>12.5</impedance></channel>"
        "<channel><label>blink</label><unit>millivolts</unit><type>EOG</type></channel></channels>"
    )
    path = write(tmp_path / "a.xdf", header(1, desc=desc), numbers(1, STAMPS, eeg()), footer(1))
    recording = read_xdf(path)
    first, second = recording.info.channels
    assert (first.label, first.unit, first.kind) == ("C3", "microvolts", "EEG")
    assert first.position_m == pytest.approx((-0.06, 0.01, 0.08))
    assert (first.impedance_ohm, second.impedance_ohm) == (12_500.0, None)
    assert (second.label, second.kind, second.position_m) == ("blink", "EOG", None)
    np.testing.assert_array_equal(
        recording.samples, eeg().astype(np.float64) * np.array([1e-6, 1e-3])
    )
    assert recording.warnings == ()
    assert read_xdf(path, labels=["Cz", "x"]).info.labels == ("Cz", "x")
    with pytest.raises(ChannelError, match="3 labels were given for the 2 channels"):
        read_xdf(path, labels=["a", "b", "c"])


def test_one_of_several_eeg_streams_must_be_named(tmp_path: Path) -> None:
    """Two amplifiers in a file are listed; by name either opens."""
    path = write(
        tmp_path / "a.xdf",
        header(1, name="left"),
        header(2, name="right"),
        numbers(1, STAMPS, eeg()),
        numbers(2, STAMPS[:50], eeg()[:50]),
    )
    with pytest.raises(RecordingError, match=r"2 streams of type EEG: 'left' .*'right'.*--stream"):
        read_xdf(path)
    assert read_xdf(path, stream="right").n_samples == 50
    with pytest.raises(RecordingError, match="no sampled stream called 'up'"):
        read_xdf(path, stream="up")


def test_all_marker_streams_are_merged_each_on_its_own_clock(tmp_path: Path) -> None:
    """Strings and integer codes, corrected by their stream's offsets, in order of time."""
    path = write(
        tmp_path / "a.xdf",
        header(1),
        header(
            2,
            name="cues",
            type="Markers",
            channel_count=1,
            nominal_srate=0,
            channel_format="string",
        ),
        header(
            3,
            name="codes",
            type="Markers",
            channel_count=1,
            nominal_srate=0,
            channel_format="int32",
        ),
        numbers(1, STAMPS, eeg()),
        strings(2, [(0.5, " left_hand "), (2.5, "right_hand")]),
        numbers(3, np.array([51.0]), np.array([[769]]), "<i4"),
        offset(2, 0.0, 50.0),
        offset(2, 2.0, 50.0),
    )
    found = [(marker.time_s, marker.label) for marker in read_xdf(path, unit="uV").markers]
    assert found == [(50.5, "left_hand"), (51.0, "769"), (52.5, "right_hand")]


def test_a_clock_that_counts_the_same_times_twice_is_told_apart_by_the_order_of_the_file(
    tmp_path: Path,
) -> None:
    """A sender that starts again and counts over the same times: what came later stays later."""
    path = write(
        tmp_path / "a.xdf",
        header(1),
        *[offset(1, t, 100.0) for t in (50.0, 50.5)],
        numbers(1, STAMPS[:100], eeg()[:100]),
        offset(1, 51.0, 100.0),
        numbers(1, STAMPS[:100] + 0.2, eeg()[100:]),  # a second later by the machine's clock
        *[offset(1, t, 101.8) for t in (50.7, 51.2)],
        footer(1),
    )
    recording = read_xdf(path, unit="uV")
    times = corrected(recording.stamps, recording.clock_offsets)
    expected = np.concatenate([STAMPS[:100] + 100, STAMPS[:100] + 102])
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(recording.stamps[:100], STAMPS[:100])
    assert any("was reset (1 x)" in warning for warning in recording.warnings)


def test_amplitudes_that_are_no_eeg_are_refused(tmp_path: Path) -> None:
    """A unit that cannot be, declared or given, is named with one that could."""
    desc = "<channels>" + 2 * "<channel><unit>volts</unit></channel>" + "</channels>"
    path = write(tmp_path / "a.xdf", header(1, desc=desc), numbers(1, STAMPS, eeg()))
    with pytest.raises(RecordingError, match=r"declared unit \(volts\).*--unit uV"):
        read_xdf(path)
    assert read_xdf(path, unit="uV").samples.std() == pytest.approx(1e-5, rel=0.1)
    with pytest.raises(RecordingError, match="with --unit V"):
        read_xdf(path, unit="V")
    with pytest.raises(SettingsError, match="--unit 'parsec'"):
        read_xdf(path, unit="parsec")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"just some text, renamed\n" * 40, "is no XDF file"),
        (b"XDF:", "holds no stream"),
        (b"XDF:" + chunk(2, struct.pack("<I", 1) + b"<info><name>"), "is damaged"),
        (b"XDF:" + chunk(2, struct.pack("<I", 1) + b"<info></info>"), "is damaged"),
    ],
)
def test_what_is_no_xdf_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Empty, another format, nothing behind the magic, and a broken header."""
    path = tmp_path / "bad.xdf"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as caught:
        open_recording(path)
    assert "bad.xdf" in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(4, 1949), value=st.integers(0, 255))
def test_no_single_bad_byte_raises_anything_but_an_input_error(
    shared_data: Path, tmp_path: Path, place: int, value: int
) -> None:
    """A flipped byte anywhere gives a recording or one line of error."""
    content = bytearray((shared_data / "xdf" / "minimal.xdf").read_bytes())
    content[place] = value
    path = tmp_path / "flipped.xdf"
    path.write_bytes(content)
    message = ""
    try:
        read_xdf(path)
    except (RecordingError, ChannelError) as error:
        message = str(error)
    assert "\n" not in message


def test_a_gzipped_file_opens_whole_and_cut(tmp_path: Path) -> None:
    """`.xdfz` is unpacked; of a cut one what can be unpacked is read."""
    parts = [
        header(1),
        numbers(1, STAMPS[:100], eeg()[:100]),
        numbers(1, STAMPS[100:], eeg()[100:]),
    ]
    plain = write(tmp_path / "a.xdf", *parts, footer(1))
    packed = tmp_path / "a.xdfz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    whole = open_recording(packed, unit="uV")
    np.testing.assert_array_equal(whole.samples, read_xdf(plain, unit="uV").samples)
    packed.write_bytes(packed.read_bytes()[:-400])
    cut = open_recording(packed, unit="uV")
    np.testing.assert_array_equal(cut.samples, whole.samples[:100])
    assert "the file is cut" in cut.warnings[0]
