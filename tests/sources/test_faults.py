"""An amplifier's faults on command: what is lost is told, what comes back is what was asked for."""

import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from bci.errors import SettingsError
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery, find_streams, resolve_one
from bci.sources.faults import FaultyMarkers, FaultyOutlet, Outage
from bci.sources.lsl import LslSource

WAIT_S = 10.0
# A stamp of 0 would mean "now" to liblsl.
START_S = 100.0


@pytest.fixture
def outlet() -> Iterator[FaultyOutlet]:
    """Return an outlet of two channels."""
    channels = (Channel("C3", "microvolts"), Channel("C4", "microvolts"))
    source_id = f"test-{uuid.uuid4().hex}"
    outlet = FaultyOutlet(StreamInfo("faulty", "EEG", source_id, 250.0, channels), source_id)
    yield outlet
    outlet.close()


def push(outlet: FaultyOutlet, first: int, n_samples: int) -> None:
    """Push samples that count, stamped by their number."""
    k = first + np.arange(n_samples)
    outlet.push(1e-6 * np.column_stack([k, -k]), START_S + k / 250.0)


def at(k: int) -> float:
    """Return the stamp of sample `k`."""
    return START_S + k / 250.0


def connected(outlet: FaultyOutlet) -> LslSource:
    """Return a source that reads the outlet as it now is."""
    source = LslSource(StreamQuery(source_id=outlet.source_id), timeout_s=WAIT_S)
    source.open()
    return source


def read(source: LslSource, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return microvolts and stamps of so many samples."""
    volts, stamps = [], []
    deadline = lsl_clock() + WAIT_S
    while sum(map(len, stamps)) < n_samples:
        assert lsl_clock() < deadline
        chunk = source.read(0.2)
        if chunk is not None:
            volts.append(1e6 * chunk.samples)
            stamps.append(chunk.stamps.copy())
    source.close()
    return np.concatenate(volts), np.concatenate(stamps)


def test_what_is_lost_is_told(outlet: FaultyOutlet) -> None:
    """Each outage says which samples were due meanwhile, and the stamps around them."""
    push(outlet, 0, 10)
    outlet.hang()
    push(outlet, 10, 3)
    push(outlet, 13, 4)
    assert outlet.outages == (Outage("hang", 10, 7, at(9), None),)
    outlet.restore()
    push(outlet, 17, 3)
    outlet.drop()
    assert not outlet.have_consumers()
    push(outlet, 20, 5)
    outlet.restore()
    push(outlet, 25, 5)
    assert outlet.outages == (
        Outage("hang", 10, 7, at(9), at(17)),
        Outage("drop", 20, 5, at(19), at(25)),
    )
    assert outlet.last_stamp == at(29)


def test_without_loss_it_is_late(outlet: FaultyOutlet) -> None:
    """A hang that loses nothing sends all of it afterwards, in order and as stamped."""
    source = connected(outlet)
    outlet.hang(lose=False)
    push(outlet, 0, 10)
    push(outlet, 10, 10)
    assert source.read(0.1) is None
    outlet.restore()
    push(outlet, 20, 5)
    volts, stamps = read(source, 25)
    np.testing.assert_allclose(volts[:, 0], np.arange(25), atol=1e-4)
    np.testing.assert_allclose(stamps, START_S + np.arange(25) / 250)
    assert outlet.outages == ()


def test_it_comes_back_as_another_if_asked_to(outlet: FaultyOutlet) -> None:
    """Rate, channels and type change in what is declared and in what is sent."""
    outlet.restore(rate_hz=125.0, n_channels=3, dtype="int16")
    source = connected(outlet)
    assert (source.info.rate_hz, source.info.dtype) == (125.0, "int16")
    assert source.info.labels == ("C3", "C4", "X3")
    push(outlet, 0, 5)
    push(outlet, 5, 5)
    volts, stamps = read(source, 5)
    np.testing.assert_allclose(volts[:, 0], [0, 2, 4, 6, 8], atol=1e-6)
    np.testing.assert_allclose(volts[:, 2], volts[:, 0])
    np.testing.assert_allclose(stamps, START_S + np.array([0, 2, 4, 6, 8]) / 250)
    outlet.drop()
    outlet.restore()
    assert resolve_one(StreamQuery(source_id=outlet.source_id), WAIT_S).rate_hz == 250.0


def test_a_rate_that_cannot_be_made_changes_nothing(outlet: FaultyOutlet) -> None:
    """No whole fraction, no channels: refused before anything is dropped."""
    with pytest.raises(SettingsError, match="whole fraction"):
        outlet.restore(rate_hz=100.0)
    with pytest.raises(SettingsError, match="0 channels"):
        outlet.restore(n_channels=0)
    push(outlet, 0, 5)
    assert outlet.outages == ()


def test_its_clock_moves_the_stamps(outlet: FaultyOutlet) -> None:
    """An offset and a drift are in the stamps."""
    source = connected(outlet)
    clock = outlet.set_clock(10.0, 500.0)
    push(outlet, 0, 1000)
    _, stamps = read(source, 1000)
    true_s = START_S + np.arange(1000) / 250
    np.testing.assert_allclose(stamps, true_s + 10.0 + 500e-6 * (true_s - clock.since_s))


def test_markers_are_away_between_drop_and_restore(outlet: FaultyOutlet) -> None:
    """A marker outlet leaves the network and is there again under its id."""
    markers = FaultyMarkers("faulty markers", f"{outlet.source_id}-markers", outlet)
    query = StreamQuery(source_id=f"{outlet.source_id}-markers")
    resolve_one(query, WAIT_S)
    markers.drop()
    markers.push("lost", 0.0)
    assert find_streams(query, 0.3) == []
    markers.restore()
    resolve_one(query, WAIT_S)
    markers.close()
