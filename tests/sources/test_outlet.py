"""Numbers on the wire, and sources played on the network."""

import threading
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.errors import SettingsError
from bci.events import Marker
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.markers import MarkerInlet, MarkerOutlet
from bci.sources.outlet import EegOutlet
from bci.sources.playback import PlaybackSource
from bci.sources.recording import Recording
from bci.sources.serve import CueListener, Server, VirtualClock, serve

WAIT_S = 10.0


@pytest.fixture
def source_id() -> str:
    """Return an id that no other test's stream has."""
    return f"test-{uuid.uuid4().hex}"


def eeg_info(source_id: str, dtype: str = "float32", unit: str = "microvolts") -> StreamInfo:
    """Two channels at 200 Hz."""
    channels = (Channel("C3", unit), Channel("C4", unit))
    return StreamInfo("amp", "EEG", source_id, 200.0, channels, dtype)


def counted_recording(
    source_id: str, n_samples: int = 200, stamps: np.ndarray | None = None, **changes: object
) -> Recording:
    """Make a recording whose channel 0 counts microvolts and channel 1 is noise, in float32."""
    rng = np.random.default_rng(1)
    raw = np.column_stack([np.arange(n_samples), rng.standard_normal(n_samples)])
    recording = Recording(
        path=Path("counted"),
        info=eeg_info(source_id),
        samples=raw.astype(np.float32).astype(np.float64) * 1e-6,
        stamps=50.0 + np.arange(n_samples) / 200.0 if stamps is None else stamps,
        clock_offsets=np.empty((0, 2)),
    )
    return replace(recording, **changes)


class Sent:
    """Stands in for an outlet: keeps what is pushed, and when."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.last_stamp: float | None = None
        self.volts: list[np.ndarray] = []
        self.stamps: list[np.ndarray] = []
        self.order: list[tuple[str, float]] = []

    def push(self, volts: np.ndarray, stamps: np.ndarray) -> None:
        """Keep samples."""
        self.volts.append(volts.copy())
        self.stamps.append(stamps.copy())
        self.last_stamp = float(stamps[-1])
        self.order += [("sample", float(stamp)) for stamp in stamps]


class SentMarkers:
    """Stands in for a marker outlet."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self.markers: list[Marker] = []

    def push(self, label: str, time_s: float) -> None:
        """Keep a marker."""
        self.markers.append(Marker(time_s, label))
        self._sent.order.append((label, time_s))


class FakeTime(threading.Event):
    """A stop event whose waits pass time at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass at once."""
        self.waits.append(timeout or 0.0)
        self.now_s += timeout or 0.0
        return self.is_set()

    def clock(self) -> float:
        """Return the time."""
        return self.now_s


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2),
    unit=st.sampled_from(["microvolts", "uV", "mV", "nV", "V"]),
)
@settings(deadline=None, max_examples=60)
def test_float32_comes_back_exactly(values: list[float], unit: str) -> None:
    """Numbers that were float32 in any unit leave as the same float32."""
    outlet = _numbers_only("float32", unit)
    raw = np.array(values[: len(values) // 2 * 2], dtype=np.float32).reshape(-1, 2)
    raw = np.where(np.abs(raw) < 1e-30, np.float32(0.0), raw)  # subnormals lose bits in volts
    volts = raw.astype(np.float64) * outlet.scale
    np.testing.assert_array_equal(outlet.to_wire(volts), raw)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_integers_come_back_exactly(dtype: str) -> None:
    """Every integer, the extremes included, leaves as it was; what lies beyond is clipped."""
    outlet = _numbers_only(dtype, "nV")
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(2)
    raw = rng.integers(limits.min, limits.max, (4000, 2), endpoint=True).astype(dtype)
    raw[0] = limits.min, limits.max
    volts = raw.astype(np.float64) * outlet.scale
    np.testing.assert_array_equal(outlet.to_wire(volts), raw)
    beyond = np.array([[2.0 * limits.max, 2.0 * limits.min]]) * outlet.scale
    np.testing.assert_array_equal(outlet.to_wire(beyond), [[limits.max, limits.min]])


@pytest.mark.parametrize("unit", ["V", "mV", "uV", "nV"])
def test_doubles_give_the_same_volts(unit: str) -> None:
    """Doubles leave as numbers whose volts are, to the last bit, those that went in."""
    outlet = _numbers_only("double64", unit)
    volts = np.random.default_rng(4).standard_normal((50_000, 2)) * 40 * outlet.scale
    np.testing.assert_array_equal(outlet.to_wire(volts) * outlet.scale, volts)


_OUTLETS: dict[tuple[str, str], EegOutlet] = {}


def _numbers_only(dtype: str, unit: str) -> EegOutlet:
    """Return an outlet for its arithmetic, off the network."""
    if (dtype, unit) not in _OUTLETS:
        outlet = EegOutlet(eeg_info(f"test-{uuid.uuid4().hex}", dtype, unit))
        outlet.close()
        _OUTLETS[dtype, unit] = outlet
    return _OUTLETS[dtype, unit]


def test_units_and_type_on_the_wire(source_id: str) -> None:
    """Undeclared EEG units leave as microvolts; types that LSL has not leave as float32."""
    info = replace(
        eeg_info(source_id, "float64", ""),
        channels=(Channel("C3", ""), Channel("temp", "degC", "Misc")),
    )
    outlet = EegOutlet(info)
    assert outlet.info.dtype == "float32"
    assert [channel.unit for channel in outlet.info.channels] == ["microvolts", "degC"]
    outlet.close()


def test_samples_leave_when_they_are_due() -> None:
    """At speed 1 no sample leaves before its time nor a block later, and all leave in order."""
    time = FakeTime()
    recording = counted_recording("x")
    sent = Sent(recording.info)
    late = []
    push = sent.push
    sent.push = lambda volts, stamps: (late.append(time.now_s - stamps), push(volts, stamps))
    report = Server(sent, clock=time.clock).run(PlaybackSource(recording), stop=time)
    np.testing.assert_array_equal(np.concatenate(sent.volts), recording.samples)
    np.testing.assert_allclose(
        np.concatenate(sent.stamps), 1000.0 + (recording.stamps - 50.0), rtol=0, atol=1e-12
    )
    assert min(np.concatenate(late)) >= 0
    assert max(np.concatenate(late)) <= 0.02 + 1e-9
    assert (report.n_samples, report.ended, report.start_s) == (200, True, 1000.0)
    assert time.now_s == pytest.approx(1000.0 + 199 / 200, abs=0.021)


def test_speed_shortens_the_waits_not_the_stamps() -> None:
    """At speed 4 a second of signal leaves in a quarter, with the same stamps."""
    time = FakeTime()
    recording = counted_recording("x")
    sent = Sent(recording.info)
    serve(PlaybackSource(recording), sent, stop=time, speed=4.0, clock=time.clock)
    assert time.now_s == pytest.approx(1000.0 + 199 / 800, abs=0.021)
    assert np.concatenate(sent.stamps)[-1] == pytest.approx(1000.0 + 199 / 200)


def test_a_late_server_catches_up_and_drops_nothing() -> None:
    """After a stall every sample still leaves, in order, and the report says how late."""
    time = FakeTime()
    recording = counted_recording("x")
    sent = Sent(recording.info)
    push, stalls = sent.push, [0.4]

    def stalling(volts: np.ndarray, stamps: np.ndarray) -> None:
        push(volts, stamps)
        if len(sent.stamps) == 5:
            time.now_s += stalls.pop()

    sent.push = stalling
    report = serve(PlaybackSource(recording), sent, stop=time, clock=time.clock)
    np.testing.assert_array_equal(np.concatenate(sent.volts), recording.samples)
    assert 0.3 < report.worst_late_s < 0.5
    assert time.now_s == pytest.approx(1000.0 + 199 / 200, abs=0.05)


def test_gaps_and_jitter_stay_clock_resets_are_not_waited_for() -> None:
    """Stamps leave as they differ in the recording; a leap of an hour costs no hour."""
    stamps = 50.0 + np.arange(200) / 200.0
    stamps += np.random.default_rng(5).uniform(-0.01, 0.01, 200)
    stamps[60:] += 2.5
    stamps[120:] += 3600.0
    stamps[160:] -= 100.0
    time = FakeTime()
    recording = counted_recording("x", stamps=stamps)
    sent = Sent(recording.info)
    serve(PlaybackSource(recording), sent, stop=time, clock=time.clock)
    got = np.concatenate(sent.stamps)
    np.testing.assert_allclose(got - got[0], stamps - stamps[0], rtol=0, atol=1e-9)
    assert time.now_s == pytest.approx(1000.0 + 1.0 + 2.5, abs=0.1)


def test_markers_leave_before_the_samples_that_follow_them() -> None:
    """Each marker leaves once, on the samples' clock, ahead of the first sample not before it."""
    recording = counted_recording("x")
    times = [49.5, 50.1, 50.1025, 50.5, 50.99, 60.0]
    recording = replace(
        recording, markers=tuple(Marker(time_s, f"m{k}") for k, time_s in enumerate(times))
    )
    time = FakeTime()
    sent = Sent(recording.info)
    markers_out = SentMarkers(sent)
    report = serve(
        PlaybackSource(recording), sent, markers_out, recording.markers, stop=time, clock=time.clock
    )
    assert report.n_markers == len(times)
    np.testing.assert_allclose(
        [marker.time_s for marker in markers_out.markers],
        950.0 + np.array(times),
        rtol=0,
        atol=1e-9,
    )
    for label, marker_s in [item for item in sent.order if item[0] != "sample"]:
        place = sent.order.index((label, marker_s))
        after = [stamp for what, stamp in sent.order[place:] if what == "sample"]
        assert all(stamp <= marker_s + 0.021 for what, stamp in sent.order[:place])
        assert len(after) >= np.count_nonzero(950.0 + recording.stamps >= marker_s)


def test_clock_offsets_place_samples_among_markers() -> None:
    """Samples are sent on the recording machine's clock, on which its markers are."""
    recording = counted_recording("x", clock_offsets=np.array([[50.0, 7.0], [51.0, 7.0]]))
    recording = replace(recording, markers=(Marker(57.5, "cue"),))  # 0.5 s after sample 0
    time = FakeTime()
    sent = Sent(recording.info)
    markers_out = SentMarkers(sent)
    serve(
        PlaybackSource(recording), sent, markers_out, recording.markers, stop=time, clock=time.clock
    )
    assert markers_out.markers[0].time_s == pytest.approx(sent.stamps[0][0] + 0.5)


def test_duration_ends_at_the_exact_sample() -> None:
    """A duration of half a second at 200 Hz is 100 samples."""
    time = FakeTime()
    recording = counted_recording("x")
    sent = Sent(recording.info)
    report = serve(PlaybackSource(recording), sent, stop=time, clock=time.clock, duration_s=0.5)
    assert (report.n_samples, report.ended) == (100, True)
    np.testing.assert_array_equal(np.concatenate(sent.volts), recording.samples[:100])


def test_stamps_grow_from_run_to_run() -> None:
    """A second run starts at least a second after the last stamp, also when that is ahead."""
    time = FakeTime()
    recording = counted_recording("x")
    sent = Sent(recording.info)
    server = Server(sent, clock=time.clock, speed=10.0)
    server.run(PlaybackSource(recording), stop=time)
    second = server.run(PlaybackSource(recording), stop=time)
    assert second.start_s == pytest.approx(1000.0 + 199 / 200 + 1.0)
    assert (np.diff(np.concatenate(sent.stamps)) > 0).all()


def test_backdated_run_ends_at_the_clock() -> None:
    """A fast run that starts far enough in the past never has stamps ahead of the clock."""
    time = FakeTime()
    recording = counted_recording("x")
    sent = Sent(recording.info)
    ahead = []
    push = sent.push
    sent.push = lambda volts, stamps: (ahead.append(stamps[-1] - time.now_s), push(volts, stamps))
    server = Server(sent, clock=time.clock, speed=10.0)
    start = server.begin(backdate_s=1.0)
    server.run(PlaybackSource(recording), stop=time, start_s=start.virtual_s)
    assert max(ahead) <= 0


def test_virtual_clock_goes_both_ways() -> None:
    """`when` inverts `at`, and a change of speed makes no step."""
    clock = VirtualClock(10.0, 100.0, 4.0)
    assert clock.at(11.0) == 104.0
    assert clock.when(104.0) == 11.0
    time = FakeTime()
    server = Server(Sent(eeg_info("x")), clock=time.clock, speed=2.0)
    before = server.begin()
    time.now_s += 3.0
    after = server.set_speed(0.5)
    assert after.at(time.now_s) == before.at(time.now_s) == 1006.0
    with pytest.raises(SettingsError, match="speed 0"):
        server.set_speed(0.0)


def test_round_trip_over_the_network(source_id: str) -> None:
    """A recording played over LSL arrives sample for sample, stamp for stamp, with markers."""
    recording = replace(
        counted_recording(source_id, 100), markers=(Marker(50.1, "T1"), Marker(50.3, "T2"))
    )
    eeg = EegOutlet(recording.info)
    markers_out = MarkerOutlet("markers", f"{source_id}-markers")
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    source.open()
    inlet = MarkerInlet(StreamQuery(source_id=f"{source_id}-markers"), WAIT_S)
    stop = threading.Event()
    before = lsl_clock()
    report = serve(PlaybackSource(recording), eeg, markers_out, recording.markers, stop=stop)
    assert before <= report.start_s <= lsl_clock()
    volts, stamps = [], []
    while sum(map(len, stamps)) < 100:
        chunk = source.read(WAIT_S)
        assert chunk is not None
        volts.append(chunk.samples.copy())
        stamps.append(chunk.stamps.copy())
    np.testing.assert_array_equal(np.concatenate(volts), recording.samples)
    expected = report.start_s + (recording.stamps - 50.0)
    np.testing.assert_array_equal(np.concatenate(stamps), expected)
    markers: list[Marker] = []
    deadline = lsl_clock() + WAIT_S
    while len(markers) < 2 and lsl_clock() < deadline:
        markers += inlet.pull()
        threading.Event().wait(0.005)
    assert [marker.label for marker in markers] == ["T1", "T2"]
    np.testing.assert_allclose(
        [m.time_s - report.start_s for m in markers], [0.1, 0.3], rtol=0, atol=1e-3
    )
    inlet.close()
    source.close()
    eeg.close()
    markers_out.close()


class Person:
    """Keeps the cues that it is given."""

    def __init__(self) -> None:
        self.cues: list[tuple[str, float]] = []

    def cue(self, label: str, time_s: float) -> None:
        """Keep a cue."""
        self.cues.append((label, time_s))


def test_cues_are_heard_whenever_their_stream_appears(source_id: str) -> None:
    """A listener connects to a marker stream that comes later, and to its successor."""
    listener = CueListener(StreamQuery(source_id=source_id))
    person = Person()
    assert listener.deliver(person, lambda time_s: time_s) == 0
    for expected in (["left_hand"], ["left_hand", "feet"]):
        outlet = MarkerOutlet("cues", source_id)
        assert outlet.wait_for_consumers(WAIT_S)
        deadline = lsl_clock() + WAIT_S
        while not listener.connected and lsl_clock() < deadline:
            threading.Event().wait(0.01)
        outlet.push(expected[-1], 77.0)
        while len(person.cues) < len(expected) and lsl_clock() < deadline:
            listener.deliver(person, lambda time_s: time_s - 70.0)
            threading.Event().wait(0.01)
        assert [label for label, _ in person.cues] == expected
        assert person.cues[-1][1] == pytest.approx(7.0, abs=1e-3)
        outlet.close()
        while listener.connected and lsl_clock() < deadline:
            listener.deliver(person, lambda time_s: time_s)
            threading.Event().wait(0.01)
    listener.close()


def test_push_refuses_other_shapes(source_id: str) -> None:
    """Samples of another number of channels are an error, not a scrambled stream."""
    outlet = EegOutlet(eeg_info(source_id))
    with pytest.raises(ValueError, match="channels"):
        outlet.push(np.zeros((3, 5)), np.zeros(3))
    outlet.push(np.zeros((0, 2)), np.zeros(0))
    assert outlet.n_pushed == 0
    outlet.close()


def test_outlet_leaves_the_network(source_id: str) -> None:
    """A closed outlet is no longer found; closing twice is harmless."""
    outlet = EegOutlet(eeg_info(source_id))
    outlet.close()
    outlet.close()
    assert not pylsl.resolve_bypred(f"source_id='{source_id}'", minimum=1, timeout=0.3)
