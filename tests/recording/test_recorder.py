"""The recorder, against real streams: what was sent is in the file, no more and no less."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf

from bci.errors import RecordingError, SettingsError, StreamError
from bci.recording import Recorder, RecorderProcess, XdfWriter
from bci.recording import track as track_module
from bci.recording.settings import RecorderSettings
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery, configure_lsl
from bci.sources.markers import MarkerOutlet
from bci.sources.outlet import EegOutlet

WAIT_S = 10.0


@pytest.fixture
def source_id() -> str:
    """Return an id that no other test's stream has."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> None:
    """Pyxdf logs every file that it opens."""
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Check that a recorder ends its threads."""
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("record")]
    assert not left


def load(path: Path) -> dict[str, dict[str, Any]]:
    """Streams by source id, as recorded; the recorder's own is called "events"."""
    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    found = {stream["info"]["source_id"][0]: stream for stream in streams}
    found["events"] = found.pop("rolandic-recorder")
    return found


def events(path: Path) -> list[dict[str, Any]]:
    """Return what a file says of its recording."""
    return [json.loads(text) for (text,) in load(path)["events"]["time_series"]]


def eeg_outlet(source_id: str, dtype: str = "float32", n_channels: int = 4) -> EegOutlet:
    """Make an amplifier at 500 Hz in microvolts."""
    channels = tuple(Channel(f"E{k}", "microvolts") for k in range(n_channels))
    return EegOutlet(StreamInfo(f"amp {source_id}", "EEG", source_id, 500.0, channels, dtype))


def counted(first: int, n_samples: int, n_channels: int = 4) -> np.ndarray:
    """Make samples whose channel 0 counts, in whole numbers that every format holds."""
    rng = np.random.default_rng(first)
    raw = rng.integers(-100, 100, (n_samples, n_channels))
    raw[:, 0] = (first + np.arange(n_samples)) % 100
    return raw


class Amplifier:
    """Pushes counted samples in the background, jittered stamps, until it is told to stop."""

    def __init__(self, outlet: EegOutlet, period_s: float = 0.004) -> None:
        self.raw: list[np.ndarray] = []
        self.stamps: list[np.ndarray] = []
        self._outlet = outlet
        self._period_s = period_s
        self._stop = threading.Event()
        self._rng = np.random.default_rng(11)
        self._thread = threading.Thread(target=self._run, name="test amplifier")
        self._thread.start()

    def push(self, n_samples: int) -> None:
        """Push so many now."""
        raw = counted(sum(map(len, self.raw)), n_samples, len(self._outlet.info.channels))
        stamps = lsl_clock() - self._rng.uniform(0, 0.01, n_samples)
        self._outlet.push(raw * 1e-6, stamps)
        self.raw.append(raw)
        self.stamps.append(stamps)

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            self.push(int(self._rng.integers(1, 9)))

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_S} s for {what}")
        time.sleep(0.005)


@pytest.mark.parametrize("dtype", ["float32", "double64", "int16", "int64"])
def test_all_that_is_sent_between_start_and_stop_is_recorded(
    tmp_path: Path, source_id: str, dtype: str
) -> None:
    """Samples and stamps are in the file exactly, the first after start, the last before stop."""
    outlet = eeg_outlet(source_id, dtype)
    recorder = Recorder([StreamQuery(source_id=source_id)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    amplifier = Amplifier(outlet)
    until(lambda: recorder.status().streams[0].n_samples > 400, "samples")
    amplifier.stop()
    amplifier.push(77)
    summary = recorder.stop()
    stream = load(tmp_path / "a.xdf")[source_id]
    raw, stamps = np.concatenate(amplifier.raw), np.concatenate(amplifier.stamps)
    # As volts: of doubles (and only these) the numbers themselves may differ in their last bit.
    got = stream["time_series"].astype(np.float64) * 1e-6
    np.testing.assert_array_equal(got, raw * 1e-6)
    assert dtype == "double64" or np.array_equal(stream["time_series"], raw)
    np.testing.assert_array_equal(stream["time_stamps"], stamps)
    assert stream["info"]["channel_format"] == [dtype]
    (count,) = summary.streams
    assert count.n_samples == len(stamps) == int(stream["footer"]["info"]["sample_count"][0])
    assert (count.first_stamp, count.last_stamp) == (stamps[0], stamps[-1])
    assert not count.lost
    assert summary.n_bytes == (tmp_path / "a.xdf").stat().st_size
    assert summary.duration_s == pytest.approx(stamps[-1] - stamps[0], abs=0.02)  # one period
    until(lambda: not outlet.have_consumers(), "the end of its inlets")
    outlet.close()


def test_two_amplifiers_and_markers(tmp_path: Path, source_id: str) -> None:
    """Streams found by several queries are recorded once each, with their full descriptions."""
    outlets = [eeg_outlet(f"{source_id}-{k}", n_channels=3 + k) for k in range(2)]
    markers_out = MarkerOutlet("markers", f"{source_id}-markers")
    queries = [
        StreamQuery(predicate=f"starts-with(source_id,'{source_id}')"),
        StreamQuery(source_id=f"{source_id}-1"),
    ]
    recorder = Recorder(queries, tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    assert len(recorder.status().streams) == 3
    amplifiers = [Amplifier(outlet) for outlet in outlets]
    for k in range(20):
        markers_out.push(f"label {k}: é", 5.0 + k)
    until(lambda: all(s.n_samples >= 20 for s in recorder.status().streams), "samples")
    for amplifier in amplifiers:
        amplifier.stop()
    recorder.stop()
    streams = load(tmp_path / "a.xdf")
    assert set(streams) == {"events"} | {f"{source_id}-{k}" for k in ("0", "1", "markers")}
    for k, amplifier in enumerate(amplifiers):
        stream = streams[f"{source_id}-{k}"]
        np.testing.assert_array_equal(stream["time_series"], np.concatenate(amplifier.raw))
        np.testing.assert_array_equal(stream["time_stamps"], np.concatenate(amplifier.stamps))
        described = stream["info"]["desc"][0]["channels"][0]["channel"]
        assert [node["label"][0] for node in described] == [f"E{j}" for j in range(3 + k)]
        assert {node["unit"][0] for node in described} == {"microvolts"}
        assert len(stream["clock_times"]) >= 1
        assert abs(stream["clock_values"][0]) < 0.01
        assert abs(stream["clock_times"][0] - lsl_clock()) < 60.0
    marked = streams[f"{source_id}-markers"]
    assert marked["time_series"] == [[f"label {k}: é"] for k in range(20)]
    assert list(marked["time_stamps"]) == [5.0 + k for k in range(20)]
    events = marked["info"]["desc"][0]["events"][0]["event"]
    assert {"name": ["left_hand"], "gdf": ["769"]} in [dict(event) for event in events]
    for outlet in (*outlets, markers_out):
        outlet.close()


def test_samples_are_in_the_file_within_a_tenth_of_a_second(tmp_path: Path, source_id: str) -> None:
    """The system has each sample 0.1 s after it came: a reader of the open file sees it."""
    outlet = eeg_outlet(source_id)
    path = tmp_path / "a.xdf"
    recorder = Recorder([StreamQuery(source_id=source_id)], path, timeout_s=WAIT_S)
    recorder.start()
    before = path.stat().st_size
    outlet.push(counted(0, 1) * 1e-6, np.array([1.0]))
    start = time.monotonic()
    until(lambda: path.stat().st_size > before, "the sample")
    assert time.monotonic() - start < 0.5  # 0.05 s, on a machine that is not busy
    assert len(load(path)[source_id]["time_stamps"]) == 1
    recorder.stop()
    outlet.close()


def test_clock_offsets_and_boundaries_come_regularly(tmp_path: Path, source_id: str) -> None:
    """Every interval (here 0.2 s) the file gets a clock offset a stream and a boundary."""
    outlet = eeg_outlet(source_id)
    path = tmp_path / "a.xdf"
    recorder = Recorder(
        [StreamQuery(source_id=source_id)],
        path,
        timeout_s=WAIT_S,
        settings=RecorderSettings(offsets_s=0.2),
    )
    recorder.start()
    uuid_bytes = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
    until(lambda: path.read_bytes().count(uuid_bytes) >= 5, "boundaries")
    recorder.stop()
    stream = load(path)[source_id]
    assert len(stream["clock_times"]) >= 4
    assert (np.diff(stream["clock_times"]) > 0.1).all()
    outlet.close()


def test_a_lost_stream_costs_the_others_nothing(tmp_path: Path, source_id: str) -> None:
    """When a stream closes all it sent is kept, it is said, and the rest is recorded on."""
    doomed, steady = eeg_outlet(f"{source_id}-doomed"), eeg_outlet(f"{source_id}-steady")
    queries = [StreamQuery(source_id=f"{source_id}-{k}") for k in ("doomed", "steady")]
    recorder = Recorder(queries, tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    sent = Amplifier(doomed)
    other = Amplifier(steady)
    until(lambda: recorder.status().streams[0].n_samples > 100, "samples")
    sent.stop()
    n_sent = sum(map(len, sent.raw))
    until(lambda: recorder.status().streams[0].n_samples == n_sent, "the last samples")
    doomed.close()
    until(lambda: bool(recorder.status().lost), "the loss")
    assert not recorder.status().all_lost
    n_then = recorder.status().streams[1].n_samples
    until(lambda: recorder.status().streams[1].n_samples > n_then + 100, "more samples")
    other.stop()
    summary = recorder.stop()
    assert [stream.lost for stream in summary.streams] == [True, False]
    (notice,) = [text for text in summary.notices if f"{source_id}-doomed" in text]
    assert f"connection ended, after {n_sent} samples" in notice
    streams = load(tmp_path / "a.xdf")
    for key, amplifier in (("doomed", sent), ("steady", other)):
        stream = streams[f"{source_id}-{key}"]
        np.testing.assert_array_equal(stream["time_stamps"], np.concatenate(amplifier.stamps))
        assert "footer" in stream
    steady.close()


def test_no_stream_no_file(tmp_path: Path, source_id: str) -> None:
    """When one of the streams is not there nothing is made, and the message names it."""
    outlet = eeg_outlet(source_id)
    queries = [StreamQuery(source_id=source_id), StreamQuery(name="nobody")]
    with pytest.raises(StreamError, match="nobody"):
        Recorder(queries, tmp_path / "a.xdf", timeout_s=0.3).start()
    assert list(tmp_path.iterdir()) == []
    outlet.close()


def test_places_that_cannot_be_written(tmp_path: Path, source_id: str) -> None:
    """An existing file, a missing folder and no stream at all are said before any search."""
    path = tmp_path / "a.xdf"
    path.write_bytes(b"precious")
    query = StreamQuery(source_id=source_id)
    start = time.monotonic()
    with pytest.raises(SettingsError, match="never overwritten"):
        Recorder([query], path, timeout_s=WAIT_S).start()
    with pytest.raises(SettingsError, match="no folder"):
        Recorder([query], tmp_path / "no" / "a.xdf", timeout_s=WAIT_S).start()
    with pytest.raises(SettingsError, match="at least one"):
        Recorder([], tmp_path / "b.xdf")
    assert time.monotonic() - start < 1.0
    assert path.read_bytes() == b"precious"


def test_a_disk_that_fails_is_said_at_once(
    tmp_path: Path, source_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When writing fails the status says so, and `stop` raises; nothing hangs."""
    outlet = eeg_outlet(source_id)
    recorder = Recorder([StreamQuery(source_id=source_id)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(XdfWriter, "write_samples", full)
    amplifier = Amplifier(outlet)
    until(lambda: recorder.status().error is not None, "the error")
    amplifier.stop()
    with pytest.raises(RecordingError, match="No space left"):
        recorder.stop()
    assert recorder.status().finished
    outlet.close()


def test_a_stalled_disk_loses_nothing(
    tmp_path: Path, source_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk stands still samples wait, in short queues and in liblsl, and are written."""
    monkeypatch.setattr(track_module, "QUEUE_LENGTH", 5)
    outlet = eeg_outlet(source_id)
    recorder = Recorder([StreamQuery(source_id=source_id)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    stalled, go_on = threading.Event(), threading.Event()
    flush = XdfWriter.flush

    def stalling(writer: XdfWriter, *, to_disk: bool = False) -> None:
        stalled.set()
        assert go_on.wait(WAIT_S)
        flush(writer, to_disk=to_disk)

    monkeypatch.setattr(XdfWriter, "flush", stalling)
    assert stalled.wait(WAIT_S)
    amplifier = Amplifier(outlet, period_s=0.001)
    until(lambda: sum(map(len, amplifier.raw)) > 1500, "samples")
    amplifier.stop()
    go_on.set()
    n_sent = sum(map(len, amplifier.raw))
    until(lambda: recorder.status().streams[0].n_samples == n_sent, "all samples")
    recorder.stop()
    stream = load(tmp_path / "a.xdf")[source_id]
    np.testing.assert_array_equal(stream["time_stamps"], np.concatenate(amplifier.stamps))
    outlet.close()


def test_bytes_that_are_no_text_are_kept(tmp_path: Path, source_id: str) -> None:
    """A string stream's values go into the file as the bytes that they are."""
    configure_lsl()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("b", "Blob", 2, 0.0, "string", source_id))
    path = tmp_path / "a.xdf"
    recorder = Recorder([StreamQuery(source_id=source_id)], path, timeout_s=WAIT_S)
    recorder.start()
    outlet.push_sample([b"\xff\x00\xfe", ""], 1.0)
    until(lambda: recorder.status().streams[0].n_samples == 1, "the sample")
    recorder.stop()
    assert b"\x01\x03\xff\x00\xfe\x01\x00" in path.read_bytes()
    del outlet


def test_process_records_like_the_recorder(tmp_path: Path, source_id: str) -> None:
    """In its own process too everything between start and stop is in the file."""
    outlet = eeg_outlet(source_id)
    recorder = RecorderProcess(
        [StreamQuery(source_id=source_id)], tmp_path / "a.xdf", timeout_s=WAIT_S
    )
    recorder.start()
    amplifier = Amplifier(outlet)
    until(lambda: recorder.status().streams[0].n_samples > 200, "samples")
    assert recorder.status().streams[0].first_stamp == amplifier.stamps[0][0]
    amplifier.stop()
    summary = recorder.stop()
    assert not recorder.alive
    stream = load(tmp_path / "a.xdf")[source_id]
    np.testing.assert_array_equal(stream["time_series"], np.concatenate(amplifier.raw))
    np.testing.assert_array_equal(stream["time_stamps"], np.concatenate(amplifier.stamps))
    assert summary.streams[0].n_samples == len(stream["time_stamps"])
    outlet.close()


def test_process_says_what_is_missing(tmp_path: Path) -> None:
    """An error of the start arrives as itself."""
    with pytest.raises(StreamError, match="nobody"):
        RecorderProcess([StreamQuery(name="nobody")], tmp_path / "a.xdf", timeout_s=0.3).start()
    assert list(tmp_path.iterdir()) == []
