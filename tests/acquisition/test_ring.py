"""The ring buffer: whatever is written and read, a window is true or refused."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.acquisition import RingBuffer


def write_counter(ring: RingBuffer, first: int, n: int) -> None:
    """Write samples whose every value is their index."""
    index = np.arange(first, first + n)
    ring.write(
        np.repeat(index[:, None].astype(float), ring.n_channels, axis=1),
        index / 100.0,
        index / 50.0,
        index // 7,
        float(first),
    )


@given(
    capacity=st.integers(1, 40),
    chunks=st.lists(st.integers(0, 60), min_size=1, max_size=20),
    data=st.data(),
)
def test_every_window_is_the_truth_or_none(capacity, chunks, data):
    """Whatever the chunks, a window holds exactly the samples asked for, or is refused."""
    ring = RingBuffer(capacity, 2)
    written = 0
    for n in chunks:
        write_counter(ring, written, n)
        written += n
        end = data.draw(st.integers(0, written + 2))
        length = data.draw(st.integers(1, capacity + 2))
        window = ring.window(end, length)
        available = end <= written and end - length >= max(0, written - capacity)
        assert (window is not None) == available
        if window is not None:
            expected = np.arange(end - length, end)
            np.testing.assert_array_equal(window.samples, np.stack([expected, expected], axis=1))
            np.testing.assert_array_equal(window.times, expected / 100.0)
            np.testing.assert_array_equal(window.stamps, expected / 50.0)
            np.testing.assert_array_equal(window.segments, expected // 7)
            assert window.has_gap == (expected[0] // 7 != expected[-1] // 7)


def test_a_window_is_a_view_that_nobody_can_write():
    """Windows are handed out without copying, and read-only."""
    ring = RingBuffer(10, 1)
    write_counter(ring, 0, 14)
    window = ring.window(14, 10)
    assert window is not None
    assert window.samples.base is not None
    with pytest.raises(ValueError, match="read-only"):
        window.samples[0] = 1.0


def test_an_overrun_while_reading_is_noticed():
    """A window that was overwritten while somebody used it is no longer intact."""
    ring = RingBuffer(10, 1)
    write_counter(ring, 0, 10)
    window = ring.window(10, 5)
    assert window is not None
    write_counter(ring, 10, 5)
    assert ring.is_intact(window)
    write_counter(ring, 15, 1)
    assert not ring.is_intact(window)


def test_an_empty_ring_has_no_window():
    """Before the first sample there is nothing to read."""
    ring = RingBuffer(10, 1)
    assert ring.window(0, 1) is None
    assert ring.first_available == 0
    assert not ring.wait_for(1, 0.0)


class Interrupted:
    """Samples that call back each time the ring takes a piece of them: in the middle of a write."""

    def __init__(self, samples, hook):
        self._samples, self._hook = samples, hook

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, piece):
        self._hook()
        return self._samples[piece]


@pytest.mark.parametrize("written", [0, 5, 37, 64, 100])
@pytest.mark.parametrize("n", [1, 8, 40, 64, 70])
def test_readers_never_see_a_torn_sample(written, n):
    """Whenever a reader comes in the middle of a write, what it gets is whole, or it is told."""
    ring = RingBuffer(64, 2)
    for first in range(0, written, 5):
        write_counter(ring, first, min(5, written - first))
    held = [ring.window(written, k) for k in range(1, min(written, 64) + 1)]
    looks = []

    def look():
        assert ring.n_written == written
        fresh = [ring.window(written, k) for k in range(1, 65)]
        for window in [*held, *fresh]:
            if window is not None and ring.is_intact(window):
                expected = np.arange(window.first_sample, window.first_sample + len(window.times))
                np.testing.assert_array_equal(window.samples[:, 0], expected)
                np.testing.assert_array_equal(window.times, expected / 100.0)
        looks.append(sum(w is not None and ring.is_intact(w) for w in held))

    index = np.arange(written, written + n)
    samples = np.repeat(index[:, None].astype(float), 2, axis=1)
    ring.write(Interrupted(samples, look), index / 100.0, index / 50.0, index // 7, 0.0)
    # What the write was about to take was withdrawn before the first byte changed.
    assert looks[0] == max(0, min(written, 64) - max(0, written + n - 64 - max(0, written - 64)))


def test_closing_wakes_whoever_waits():
    """A reader that waits for samples learns at once that none will come."""
    ring = RingBuffer(10, 1)
    results = []
    waiter = threading.Thread(target=lambda: results.append(ring.wait_for(1, 30.0)))
    waiter.start()
    ring.close()
    waiter.join(5.0)
    assert results == [False]
