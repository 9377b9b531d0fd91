"""Finding LSL streams and reading them, against real outlets."""

import time
import uuid
from collections.abc import Callable

import numpy as np
import pylsl
import pytest

from bci.errors import SettingsError, StreamError, StreamLostError
from bci.events import Marker
from bci.sources.base import Channel, StreamInfo
from bci.sources.discovery import (
    StreamQuery,
    configure_lsl,
    describe_stream,
    find_streams,
    resolve_one,
)
from bci.sources.inlets import open_inlet
from bci.sources.lsl import LslSource
from bci.sources.markers import MarkerInlet, MarkerOutlet
from bci.sources.outlet import EegOutlet

WAIT_S = 10.0


@pytest.fixture
def source_id() -> str:
    """Return an id that no other test's stream has."""
    return f"test-{uuid.uuid4().hex}"


def outlet_of(
    source_id: str, dtype: str = "float32", n_channels: int = 2, rate_hz: float = 250.0
) -> EegOutlet:
    """Make an outlet of microvolts under that id."""
    channels = tuple(Channel(f"ch{k}", "microvolts") for k in range(n_channels))
    return EegOutlet(StreamInfo(f"name {source_id}", "EEG", source_id, rate_hz, channels, dtype))


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_S} s for {what}")
        time.sleep(0.001)


def read_all(source: LslSource, n_samples: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Read until so many samples have come; return volts, stamps, first sample of each chunk."""
    volts, stamps, firsts, n_read = [], [], [], 0
    deadline = time.monotonic() + WAIT_S
    while n_read < n_samples:
        if time.monotonic() > deadline:
            pytest.fail(f"{n_read} of {n_samples} samples within {WAIT_S} s")
        chunk = source.read(0.5)
        if chunk is not None:
            firsts.append(chunk.first_sample)
            volts.append(chunk.samples.copy())
            stamps.append(chunk.stamps.copy())
            n_read += len(chunk.stamps)
    return np.concatenate(volts), np.concatenate(stamps), firsts


@pytest.mark.parametrize("name", ["plain", "Bob's", 'the "big" one', """both ' and " of them"""])
def test_query_finds_names_with_quotes(name: str, source_id: str) -> None:
    """A name with quotes of either kind, or both, is found by the query's predicate."""
    configure_lsl()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Test", 1, 10.0, "float32", source_id))
    found = resolve_one(StreamQuery(name=name, source_id=source_id), WAIT_S)
    assert (found.name, found.source_id) == (name, source_id)
    del outlet


def test_resolving_takes_less_than_a_second(source_id: str) -> None:
    """A stream by source id is there within a second (1 ms, mostly)."""
    outlet = outlet_of(source_id)
    start = time.perf_counter()
    resolve_one(StreamQuery(source_id=source_id), WAIT_S)
    assert time.perf_counter() - start < 1.0
    outlet.close()


def test_missing_stream_lists_those_there(source_id: str) -> None:
    """Without a match within the timeout the error lists the streams that are there."""
    outlet = outlet_of(source_id)
    with pytest.raises(StreamError, match=source_id) as caught:
        resolve_one(StreamQuery(source_id="no such stream"), 0.3)
    assert "no such stream" in str(caught.value)
    assert "\n" not in str(caught.value)
    outlet.close()


def test_several_matches_are_an_error(source_id: str) -> None:
    """Two streams that match are an error that lists both by source id."""
    outlets = [outlet_of(source_id), outlet_of(f"{source_id}-b")]
    query = StreamQuery(predicate=f"starts-with(source_id,'{source_id}')")
    with pytest.raises(StreamError, match=r"2 LSL streams match .*-b") as caught:
        resolve_one(query, WAIT_S)
    assert f"source id '{source_id}'" in str(caught.value)
    assert {found.source_id for found in find_streams(query, 0.5)} == {
        source_id,
        f"{source_id}-b",
    }
    for outlet in outlets:
        outlet.close()


def test_predicate_that_is_not_xpath() -> None:
    """A predicate that cannot be parsed is an error of its own, not "none found"."""
    with pytest.raises(SettingsError, match="XPath"):
        find_streams(StreamQuery(predicate="name=='"), 0.1)


def test_description_is_complete(source_id: str) -> None:
    """Labels, units, types and positions of an outlet arrive as they were declared."""
    channels = (
        Channel("C3", "microvolts", "EEG", (-0.065, 0.001, 0.06), impedance_ohm=7500.0),
        Channel("EOG left", "millivolts", "EOG"),
        Channel("trigger", "", "Misc"),
    )
    outlet = EegOutlet(
        StreamInfo("amp", "EEG", source_id, 512.0, channels), reference="M1", cap="easycap"
    )
    inlet = pylsl.StreamInlet(resolve_one(StreamQuery(source_id=source_id), WAIT_S).handle)
    xml = inlet.info(WAIT_S).as_xml()
    info = describe_stream(xml)
    assert (info.name, info.kind, info.source_id) == ("amp", "EEG", source_id)
    assert (info.rate_hz, info.dtype) == (512.0, "float32")
    assert info.hostname
    assert [(c.label, c.unit, c.kind) for c in info.channels] == [
        (c.label, c.unit, c.kind) for c in channels
    ]
    np.testing.assert_allclose(info.channels[0].position_m, channels[0].position_m, rtol=1e-12)
    assert info.channels[1].position_m is None
    assert [c.impedance_ohm for c in info.channels] == [7500.0, None, None]
    for text in ("<label>M1</label>", "<name>easycap</name>", "Rolandic"):
        assert text in xml
    outlet.close()


def test_a_control_character_in_a_name_is_no_broken_description(source_id: str) -> None:
    """Some senders do not end their strings: such a stream can be read and recorded like others."""
    info = pylsl.StreamInfo("bad\x01name", "EEG", 1, 100.0, "float32", source_id)
    outlet = pylsl.StreamOutlet(info)
    _, xml = open_inlet(resolve_one(StreamQuery(source_id=source_id), WAIT_S), WAIT_S)
    assert describe_stream(xml).name == "bad?name"
    del outlet


def test_what_finds_a_stream_again() -> None:
    """Its source id; without one its name and type, since an empty id is that of many."""
    info = StreamInfo("amp", "EEG", "", 100.0, (Channel("C3"),))
    assert StreamQuery.of(info) == StreamQuery(name="amp", kind="EEG")
    with_id = StreamInfo("amp", "EEG", "amp-1", 100.0, (Channel("C3"),))
    assert StreamQuery.of(with_id) == StreamQuery(source_id="amp-1")


def test_undescribed_channels_are_numbered() -> None:
    """Channels without a description, or with one for too few, are named by their number."""
    xml = (
        "<info><name>a</name><type>EEG</type><channel_count>2</channel_count>"
        "<nominal_srate>10</nominal_srate><channel_format>float32</channel_format>"
        "<source_id>s</source_id><hostname>h</hostname><desc><channels><channel>"
        "<label>C3</label></channel></channels></desc></info>"
    )
    assert describe_stream(xml).labels == ("ch1", "ch2")


@pytest.mark.parametrize("dtype", ["float32", "double64", "int8", "int16", "int32", "int64"])
def test_every_sample_arrives_in_order(source_id: str, dtype: str) -> None:
    """The counter in channel 0, the values and the stamps arrive exactly, whatever the type."""
    outlet = outlet_of(source_id, dtype, n_channels=3)
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    source.open()
    rng = np.random.default_rng(7)
    n_samples = 1000
    raw = rng.integers(-100, 100, (n_samples, 3)).astype(np.float64)
    raw[:, 0] = np.arange(n_samples) % 100
    volts = raw * 1e-6
    stamps = 1000.0 + np.cumsum(rng.uniform(0.001, 0.007, n_samples))
    for at in range(0, n_samples, 37):
        outlet.push(volts[at : at + 37], stamps[at : at + 37])
    got, got_stamps, firsts = read_all(source, n_samples)
    np.testing.assert_array_equal(got, volts)  # to the last bit
    np.testing.assert_array_equal(got_stamps, stamps)
    assert firsts[0] == 0
    assert source.first_sample == n_samples
    source.close()
    outlet.close()


def test_volts_equal_numpy_to_the_bit(source_id: str) -> None:
    """Volts are ``raw.astype(float64) * scale``, also for floats of any size, in other units."""
    outlet = outlet_of(source_id)
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S, unit="mV")
    source.open()
    raw = np.random.default_rng(3).standard_normal((500, 2)).astype(np.float32) * 1e3
    outlet.push(raw.astype(np.float64) * 1e-6, np.arange(1.0, 501.0))
    got, _, _ = read_all(source, 500)
    np.testing.assert_array_equal(got, raw.astype(np.float64) * np.array([1e-3, 1e-3]))
    source.close()
    outlet.close()


def test_nothing_is_allocated_for_a_chunk(source_id: str) -> None:
    """Chunks are read-only views of the same memory, and hold the samples that came."""
    outlet = outlet_of(source_id)
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    source.open()
    bases = set()
    for k in range(1, 6):
        outlet.push(np.full((4, 2), k * 1e-6), np.arange(4) + 10.0 * k)
        while source.first_sample < 4 * k:  # a chunk may come in parts
            chunk = source.read(WAIT_S)
            assert chunk is not None
            bases.add((chunk.samples.ctypes.data, chunk.stamps.ctypes.data))
            assert (chunk.samples == 1e-6 * k).all()
            with pytest.raises(ValueError, match="read-only"):
                chunk.samples[0, 0] = 0.0
    assert len(bases) == 1
    source.close()
    outlet.close()


def test_read_waits_no_longer_than_told(source_id: str) -> None:
    """Without samples `read` returns None after its timeout."""
    outlet = outlet_of(source_id)
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    source.open()
    start = time.perf_counter()
    assert source.read(0.1) is None
    assert 0.05 < time.perf_counter() - start < 1.0
    assert abs(source._clock.value_s) < 0.01  # noqa: SLF001 - the same machine: next to nothing
    source.close()
    outlet.close()


def test_lost_stream_is_said_after_its_last_sample(source_id: str) -> None:
    """When the outlet closes `read` first hands over what came, then raises with the name."""
    outlet = outlet_of(source_id)
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    source.open()
    outlet.push(np.zeros((5, 2)), np.arange(1.0, 6.0))
    assert len(read_all(source, 5)[1]) == 5
    outlet.close()
    with pytest.raises(StreamLostError, match=f"{source_id}.*after 5 samples"):
        read_all(source, 1)
    source.close()
    source.close()


def test_streams_that_are_no_signals(source_id: str) -> None:
    """Strings and irregular numbers are refused as a source of samples."""
    markers = MarkerOutlet("m", source_id)
    with pytest.raises(StreamError, match="string"):
        LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S).open()
    markers.close()
    irregular = pylsl.StreamOutlet(
        pylsl.StreamInfo("i", "EEG", 1, 0.0, "float32", f"{source_id}-i")
    )
    with pytest.raises(StreamError, match="sampling rate"):
        LslSource(StreamQuery(source_id=f"{source_id}-i"), timeout_s=WAIT_S).open()
    del irregular


def test_a_stream_without_channels_is_refused(source_id: str) -> None:
    """LSL lets an outlet have none: neither signals nor markers can come of it."""
    configure_lsl()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("none", "EEG", 0, 250.0, "float32", source_id))
    with pytest.raises(StreamError, match="no channels"):
        LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S).open()
    with pytest.raises(StreamError, match="no channels"):
        MarkerInlet(StreamQuery(source_id=source_id), WAIT_S)
    del outlet


def test_undeclared_unit_is_said(source_id: str) -> None:
    """A stream without units is read as microvolts, and says so."""
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("u", "EEG", 1, 100.0, "float32", source_id))
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    source.open()
    assert len(source.warnings) == 1
    assert "microvolts" in source.warnings[0]
    source.close()
    del outlet


def pulled(inlet: MarkerInlet, n_markers: int) -> list[Marker]:
    """Pull until so many markers have come."""
    got: list[Marker] = []

    def enough() -> bool:
        got.extend(inlet.pull())
        return len(got) >= n_markers

    until(enough, f"{n_markers} markers")
    return got


def test_markers_keep_label_and_stamp(source_id: str) -> None:
    """String markers arrive with their own stamps (to the clock's offset, under a millisecond)."""
    outlet = MarkerOutlet("markers", source_id)
    inlet = MarkerInlet(StreamQuery(source_id=source_id), WAIT_S)
    outlet.push("left_hand", 100.25)
    outlet.push("2.000000000000000", 101.5)
    got = pulled(inlet, 2)
    assert [marker.label for marker in got] == ["left_hand", "2"]
    np.testing.assert_allclose([marker.time_s for marker in got], [100.25, 101.5], atol=1e-3)
    assert inlet.pull() == []
    inlet.close()
    outlet.close()


def test_markers_of_any_bytes(source_id: str) -> None:
    """A label that is no UTF-8 (nothing in LSL makes it so) is read as well as it can be."""
    configure_lsl()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("m", "Markers", 1, 0.0, "string", source_id))
    inlet = MarkerInlet(StreamQuery(source_id=source_id), WAIT_S)
    outlet.push_sample([b"d\xe9but"], 1.0)
    outlet.push_sample(["  "], 2.0)
    outlet.push_sample(["fin é"], 3.0)
    assert [marker.label for marker in pulled(inlet, 2)] == ["d\ufffdbut", "fin é"]
    inlet.close()
    del outlet


def test_last_marker_before_the_end_arrives(source_id: str) -> None:
    """A marker that is followed at once by the end of its stream is not lost; then it is said."""
    outlet = MarkerOutlet("markers", source_id)
    inlet = MarkerInlet(StreamQuery(source_id=source_id), WAIT_S)
    outlet.push("first", 1.0)
    assert pulled(inlet, 1)
    outlet.push("run_end", 2.0)
    until(lambda: len(inlet._arrived) == 1, "the marker")  # noqa: SLF001 - in, not yet asked for
    outlet.close()
    until(lambda: not inlet._thread.is_alive(), "the loss")  # noqa: SLF001
    assert [marker.label for marker in inlet.pull()] == ["run_end"]
    with pytest.raises(StreamLostError, match="markers"):
        inlet.pull()
    inlet.close()


def test_irregular_numbers_are_markers(source_id: str) -> None:
    """Each number of an irregular stream is a marker; whole ones without decimals."""
    configure_lsl()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("n", "Markers", 1, 0.0, "double64", source_id))
    inlet = MarkerInlet(StreamQuery(source_id=source_id), WAIT_S)
    for value in (2.0, 2.0, 1.5):
        outlet.push_sample([value], 5.0 + value)
    assert [marker.label for marker in pulled(inlet, 3)] == ["2", "2", "1.5"]
    inlet.close()
    del outlet


def test_trigger_channel_gives_its_rising_values(source_id: str) -> None:
    """In a regular stream of integers a marker is a change to something other than zero."""
    configure_lsl()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("t", "Stim", 1, 100.0, "int32", source_id))
    inlet = MarkerInlet(StreamQuery(source_id=source_id), WAIT_S)
    for k, value in enumerate([0, 0, 1, 1, 1, 0, 2, 2, 3, 0, 0, 9]):
        outlet.push_sample([value], 10.0 + k)
    got = pulled(inlet, 4)
    assert [marker.label for marker in got] == ["1", "2", "3", "9"]
    np.testing.assert_allclose([m.time_s for m in got], [12.0, 16.0, 18.0, 21.0], atol=1e-3)
    inlet.close()
    del outlet
