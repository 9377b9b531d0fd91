"""Senders whose clocks drift, step and jitter, in virtual time: markers stay at their samples.

An event happens at a sample: the signal shows it (a pulse), and a marker of another sender tells
its time. Both senders have clocks of their own, measured as liblsl measures them: every two
seconds, wrong by up to half a round trip. What runs is what runs online: `LslSource`'s and
`MarkerInlet`'s `ClockOffset`, the acquisition with its stream clock and ramp, and the search of
the decoder's for the sample of a marker.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pylsl
import pytest

from bci.acquisition import Acquisition
from bci.online.cues import locate
from bci.sources.base import Channel, Chunk, StreamInfo
from bci.sources.clock import ClockReading
from bci.sources.inlets import ClockOffset

DURATION_S = 600.0
CHUNK_S = 0.02
MEASURED_S = 2.0  # between liblsl's measurements
EVENT_S = 3.7


@dataclass
class Machine:
    """Another machine: its clock against ours, and what a measurement of it says.

    Attributes
    ----------
    offset_s, drift
        Its clock shows ``(1 + drift) * t - offset_s`` when ours shows `t`.
    round_trip_s
        Longest; a measurement is wrong by up to half its own.
    steps
        When (our time, s) its clock is set by how much (s).
    """

    offset_s: float = 0.0
    drift: float = 0.0
    round_trip_s: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    seed: int = 0
    now_s: float = 0.0
    _rng: np.random.Generator = field(init=False)
    _measured: tuple[float, ClockReading] | None = None

    def __post_init__(self) -> None:
        """Seed the network."""
        self._rng = np.random.default_rng(self.seed)

    def shows(self, true_s: np.ndarray) -> np.ndarray:
        """Return what its clock shows at our times."""
        shown = (1 + self.drift) * true_s - self.offset_s
        for at_s, by_s in self.steps:
            shown = shown + by_s * (true_s >= at_s)
        return shown

    def read(self, inlet: pylsl.StreamInlet, timeout_s: float) -> ClockReading:
        """Measure as liblsl does: anew every two seconds, else the last one again."""
        now = self.now_s
        if self._measured is None or now - self._measured[0] >= MEASURED_S:
            trip_s = self.round_trip_s * self._rng.uniform(0.2, 1.0)
            wrong_s = trip_s * self._rng.uniform(-0.5, 0.5)
            offset_s = now - float(self.shows(np.array([now]))[0]) + wrong_s
            self._measured = now, ClockReading(offset_s, trip_s)
        return self._measured[1]


class VirtualAmplifier:
    """A source in virtual time: counts, and has a pulse at each event."""

    def __init__(self, machine: Machine, rate_hz: float, duration_s: float, jitter_s: float):
        self.info = StreamInfo("virtual", "EEG", "virtual", rate_hz, (Channel("C3"), Channel("T")))
        self.ended = False
        self.now_s = 1000.0
        n_samples = round(duration_s * rate_hz)
        # Its sampling runs by its own quartz, as its clock does.
        self.true_s = self.now_s + np.arange(n_samples) / rate_hz / (1 + machine.drift)
        self.stamps = machine.shows(self.true_s)
        self.stamps += np.random.default_rng(5).uniform(0.0, jitter_s, n_samples)
        self.events = np.arange(round(EVENT_S * rate_hz), n_samples, round(EVENT_S * rate_hz))
        self.samples = np.column_stack([np.arange(n_samples), np.zeros(n_samples)]).astype(float)
        self.samples[self.events, 1] = 1.0
        self._machine = machine
        self._clock = ClockOffset(None, 0.5, read=machine.read, clock=lambda: self.now_s)
        machine.now_s = self.now_s
        self._clock.measure()
        self._next = 0
        self._chunk = max(1, round(CHUNK_S * rate_hz))

    def open(self) -> None:
        """Nothing to open."""

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next chunk when it is due, which it always is."""
        first, stop = self._next, self._next + self._chunk
        if stop > len(self.stamps):
            self.ended = True
            return None
        self._next = stop
        self.now_s = self._machine.now_s = float(self.true_s[stop - 1]) + 0.001
        self._clock.refresh()
        return Chunk(first, self.samples[first:stop], self.stamps[first:stop], self._clock.now_s())

    def close(self) -> None:
        """Nothing to close."""


def errors_of(
    machine: Machine, marker_machine: Machine, rate_hz: float, duration_s: float, jitter_s: float
) -> tuple[np.ndarray, Acquisition]:
    """Return by how many samples each marker misses its pulse, and the acquisition."""
    source = VirtualAmplifier(machine, rate_hz, duration_s, jitter_s)
    markers = ClockOffset(None, 0.5, read=marker_machine.read, clock=lambda: source.now_s)
    marker_machine.now_s = source.now_s
    markers.measure()
    acquisition = Acquisition(source, buffer_s=duration_s + 1, clock=lambda: source.now_s)
    acquisition.open()
    events = itertools.chain(source.events.tolist(), [None])
    event, missed = next(events), []
    waiting: list[tuple[int, float]] = []
    while acquisition.pump(0.0):
        marker_machine.now_s = source.now_s
        markers.refresh()
        while event is not None and acquisition.ring.n_written > event:
            # The marker's stamp is exact, and of the other clock; it arrives with this chunk.
            stamp = float(marker_machine.shows(source.true_s[event : event + 1])[0])
            waiting.append((event, stamp + markers.now_s()))
            event = next(events)
        # The decoder looks once signal beyond the marker has come.
        while waiting and acquisition.ring.n_written >= waiting[0][0] + 0.1 * rate_hz:
            pulse, time_s = waiting.pop(0)
            sample = locate(acquisition.ring, time_s)
            missed.append(10**6 if sample is None else sample - pulse)
    return np.array(missed), acquisition


@pytest.mark.parametrize("rate_hz", [250.0, 1000.0])
@pytest.mark.parametrize(
    ("drift_ppm", "jitter_s"),
    [(500.0, 0.0), (-500.0, 0.0), (500.0, 0.02), (-500.0, 0.02), (0.0, 0.02)],
)
def test_markers_stay_within_one_sample_of_where_they_happened(
    rate_hz: float, drift_ppm: float, jitter_s: float
) -> None:
    """500 ppm either way, 20 ms of jitter, for ten minutes: one sample at most."""
    amplifier = Machine(offset_s=5.0, drift=drift_ppm * 1e-6, round_trip_s=0.0005, seed=1)
    presenter = Machine(offset_s=-800.0, drift=-drift_ppm * 1e-6, round_trip_s=0.0005, seed=2)
    missed, acquisition = errors_of(amplifier, presenter, rate_hz, DURATION_S, jitter_s)
    assert len(missed) > 10
    assert not acquisition.gaps
    print(f"{len(missed)} markers, at most {abs(missed).max()} samples off")
    assert abs(missed).max() <= 1


@pytest.mark.parametrize("step_s", [-600_000.0, -3.0, 0.3, 40.0])
def test_a_clock_that_steps_moves_no_marker_for_long(step_s: float) -> None:
    """A sender's clock that is set: until it is measured twice markers may be off, then not."""
    at_s = 1030.0
    amplifier = Machine(steps=((at_s, step_s),), round_trip_s=0.0005, seed=3)
    missed, acquisition = errors_of(amplifier, Machine(seed=4), 250.0, DURATION_S, 0.0)
    events_s = EVENT_S * (1 + np.arange(len(missed)))
    settled = (events_s < 29.5) | (events_s > 30.0 + 2 * MEASURED_S + 1.0)
    assert abs(missed[settled]).max() <= 1
    assert 1 <= len(acquisition.gaps) <= 2
    assert sum(gap.lost_s for gap in acquisition.gaps) == pytest.approx(0.0, abs=0.01)


def test_a_network_with_slow_round_trips_moves_no_sample_by_its_noise() -> None:
    """Round trips of up to 8 ms, each measurement off by up to 4: markers stay within a sample."""
    amplifier = Machine(offset_s=12.0, drift=50e-6, round_trip_s=0.008, seed=5)
    missed, acquisition = errors_of(amplifier, Machine(seed=6), 250.0, DURATION_S, 0.0)
    assert abs(missed).max() <= 1
    window = acquisition.ring.window(acquisition.ring.n_written, acquisition.ring.n_written)
    assert window is not None
    assert (np.diff(window.times) > 0).all()
    assert not window.has_gap
