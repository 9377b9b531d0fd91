"""The acquisition: what a source yields is in the ring, and its end has a reason."""

import tracemalloc

import numpy as np
import pytest

from bci.acquisition import Acquisition, AcquisitionState
from bci.errors import StreamLostError
from bci.sources.base import Channel, Chunk, StreamInfo

RATE_HZ, CHUNK = 500.0, 8


class Amplifier:
    """A source that counts: each sample's value is its index; its life is scripted."""

    def __init__(self, n_chunks=None, *, end=None, gap_at=None):
        self.info = StreamInfo(
            "counter", "EEG", "counter", RATE_HZ, tuple(Channel(f"C{k}") for k in range(1, 5))
        )
        self.ended = False
        self.closed = 0
        self._n_chunks, self._end, self._gap_at = n_chunks, end, gap_at
        self._next = 0
        self._samples = np.empty((CHUNK, 4))
        self._stamps = np.empty(CHUNK)
        self._index = np.arange(CHUNK, dtype=float)

    def open(self):
        """Nothing to open."""

    def read(self, timeout_s):
        """Return the next chunk in the same memory, or come to the end."""
        if self._n_chunks is not None and self._next >= self._n_chunks * CHUNK:
            if isinstance(self._end, Exception):
                raise self._end
            self.ended = self._end == "ended"
            return None
        self._samples[:] = (self._index + self._next)[:, None]
        np.add(self._index, self._next, out=self._stamps)
        self._stamps /= RATE_HZ
        if self._gap_at is not None and self._next >= self._gap_at:
            self._stamps += 0.5
        first, self._next = self._next, self._next + CHUNK
        return Chunk(first, self._samples, self._stamps, clock_offset_s=100.0)

    def close(self):
        """Count how often it was closed."""
        self.closed += 1


def test_the_ring_holds_what_the_source_yields():
    """Values, stamps, and times with the clock offset arrive as they were; then it has ended."""
    source = Amplifier(50, end="ended")
    acquisition = Acquisition(source, clock=lambda: 1.0)
    acquisition.start()
    assert acquisition.ring.wait_for(50 * CHUNK, 10.0)
    window = acquisition.ring.window(50 * CHUNK, 50 * CHUNK)
    assert window is not None
    np.testing.assert_array_equal(window.samples[:, 0], np.arange(400))
    np.testing.assert_allclose(window.stamps, np.arange(400) / RATE_HZ)
    np.testing.assert_allclose(window.times, window.stamps + 100.0, atol=1e-9)
    acquisition.stop()
    assert acquisition.state is AcquisitionState.ENDED
    assert acquisition.ring.closed
    assert source.closed == 1
    acquisition.raise_error()


def test_a_lost_stream_is_a_state_with_a_reason():
    """What the source raises ends the thread, wakes the readers and is kept for the owner."""
    acquisition = Acquisition(Amplifier(3, end=StreamLostError("stream 'counter' stopped")))
    acquisition.start()
    assert not acquisition.ring.wait_for(10_000, 10.0)
    acquisition.stop()
    assert acquisition.state is AcquisitionState.FAILED
    with pytest.raises(StreamLostError, match="counter"):
        acquisition.raise_error()


def test_a_fault_of_the_source_is_not_swallowed():
    """An unexpected error is a failure too, and is logged."""
    acquisition = Acquisition(Amplifier(1, end=ZeroDivisionError("driver")))
    acquisition.start()
    assert not acquisition.ring.wait_for(10_000, 10.0)
    acquisition.stop()
    assert acquisition.state is AcquisitionState.FAILED
    assert isinstance(acquisition.error, ZeroDivisionError)


def test_stop_ends_it_and_is_no_failure():
    """Stopping is a state of its own; twice is harmless; a second start is refused."""
    acquisition = Acquisition(Amplifier(2))
    acquisition.start()
    acquisition.stop()
    acquisition.stop()
    assert acquisition.state is AcquisitionState.STOPPED
    with pytest.raises(RuntimeError, match="start a new one"):
        acquisition.start()


def test_a_gap_is_marked_where_it_is():
    """Lost signal shows in the segments, in the window that holds it, and in the list of gaps."""
    acquisition = Acquisition(Amplifier(250, end="ended", gap_at=1600))
    acquisition.start()
    assert acquisition.ring.wait_for(2000, 10.0)
    acquisition.stop()
    (gap,) = acquisition.gaps
    assert (gap.began_at, gap.declared_at) == (1600, 1600)
    assert gap.lost_s == pytest.approx(0.5, abs=1e-6)
    ring = acquisition.ring
    for end, has_gap in ((1600, False), (1601, True), (1700, False), (1699, True)):
        window = ring.window(end, 100)
        assert window is not None
        assert window.has_gap == has_gap


def test_the_steady_state_allocates_nothing_that_stays():
    """Ten thousand chunks later not a kilobyte more is held."""
    acquisition = Acquisition(Amplifier(), buffer_s=2.0)
    acquisition.open()
    for _ in range(500):
        acquisition.pump(0.0)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(10_000):
        acquisition.pump(0.0)
    grown = sum(s.size_diff for s in tracemalloc.take_snapshot().compare_to(before, "filename"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grown < 8192
    # Nor is any array of a chunk's size made on the way: what passes are views and counters.
    assert peak < before_size(before) + 65536


def before_size(snapshot):
    """Return the bytes that a snapshot holds."""
    return sum(trace.size for trace in snapshot.traces)


def test_readers_do_not_hold_up_the_writer():
    """A reader that sits on a window never keeps samples from coming in."""
    acquisition = Acquisition(Amplifier(2000, end="ended"), buffer_s=3.0)
    acquisition.open()
    acquisition.pump(0.0)
    held = acquisition.ring.window(CHUNK, CHUNK)
    assert held is not None
    while acquisition.pump(0.0):
        pass
    assert acquisition.ring.n_written == 2000 * CHUNK
    assert not acquisition.ring.is_intact(held)
