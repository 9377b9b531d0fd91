"""The ring buffer between the acquisition thread and everybody who reads.

One writer, any number of readers, no lock held while either works:

================  ==================  ===========================================
attribute         writer              readers
================  ==================  ===========================================
samples, times,   acquisition thread  any thread, through views that `is_intact`
stamps, segments,                     confirms after use
arrivals
n_written         acquisition thread  any thread; published after the data, one
                                      integer, so that what it counts is there
================  ==================  ===========================================

Each sample is stored twice, a capacity apart, so that every window of up to `capacity` samples lies
in one piece and is handed out as a view without copying. A reader that keeps a view for longer than
the ring takes to come round asks `is_intact` afterwards and throws its result away if it is not.
"""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RingBuffer", "Window"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Consecutive samples of the ring, as views: read-only, and intact only until overwritten.

    Attributes
    ----------
    first_sample : int
    samples : ndarray of float64, shape (n_samples, n_channels)
        In volts.
    times : ndarray of float64, shape (n_samples,)
        Dejittered, on this machine's LSL clock (s).
    stamps : ndarray of float64, shape (n_samples,)
        As sent.
    segments : ndarray of int64, shape (n_samples,)
        Number of the gapless segment of each sample.
    arrivals : ndarray of float64, shape (n_samples,)
        When each sample was had by the acquisition (LSL clock, s).
    """

    first_sample: int
    samples: F64
    times: F64
    stamps: F64
    segments: I64
    arrivals: F64

    @property
    def has_gap(self) -> bool:
        """Whether samples are missing inside the window."""
        return bool(self.segments[0] != self.segments[-1])


class RingBuffer:
    """The newest `capacity` samples of a stream.

    Parameters
    ----------
    capacity : int
        Samples held.
    n_channels : int
    """

    def __init__(self, capacity: int, n_channels: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity {capacity}: at least one sample")
        self.capacity = capacity
        self.n_channels = n_channels
        # Written, not only reserved: no first touch of a page later costs the thread time.
        self._samples = np.full((2 * capacity, n_channels), 0.0)
        self._times = np.full(2 * capacity, 0.0)
        self._stamps = np.full(2 * capacity, 0.0)
        self._segments = np.full(2 * capacity, 0, dtype=np.int64)
        self._arrivals = np.full(2 * capacity, 0.0)
        self._n_written = 0
        self._n_claimed = 0
        self._arrived = threading.Condition()
        self._closed = False

    @property
    def n_written(self) -> int:
        """Samples ever written: the index of the next."""
        return self._n_written

    @property
    def first_available(self) -> int:
        """Index of the oldest sample that is still there."""
        return max(0, self._n_claimed - self.capacity)

    @property
    def closed(self) -> bool:
        """Whether the writer has gone: nothing will come any more."""
        return self._closed

    def write(self, samples: F64, times: F64, stamps: F64, segments: I64, arrival_s: float) -> None:
        """Append samples; those that a long chunk would overwrite itself are counted, not kept.

        Parameters
        ----------
        samples : ndarray of float64, shape (n_samples, n_channels)
        times, stamps : ndarray of float64, shape (n_samples,)
        segments : ndarray of int64, shape (n_samples,)
        arrival_s : float
            LSL clock at which these samples were had.
        """
        n_all = len(samples)
        skip = max(0, n_all - self.capacity)
        first = self._n_written + skip
        # Claimed before the first byte changes: a reader that checks afterwards never trusts a
        # window that was being overwritten.
        self._n_claimed = self._n_written + n_all
        position = first % self.capacity
        until_wrap = min(n_all - skip, self.capacity - position)
        for start, stop, at in ((skip, skip + until_wrap, position), (skip + until_wrap, n_all, 0)):
            if start == stop:
                continue
            for twin in (at, at + self.capacity):
                self._samples[twin : twin + stop - start] = samples[start:stop]
                self._times[twin : twin + stop - start] = times[start:stop]
                self._stamps[twin : twin + stop - start] = stamps[start:stop]
                self._segments[twin : twin + stop - start] = segments[start:stop]
                self._arrivals[twin : twin + stop - start] = arrival_s
        self._n_written += n_all
        with self._arrived:
            self._arrived.notify_all()

    def window(self, end_sample: int, n_samples: int) -> Window | None:
        """Hand out samples ``[end_sample - n_samples, end_sample)`` without copying.

        Returns
        -------
        Window or None
            None when some of them are not there yet or no longer.
        """
        first = end_sample - n_samples
        if n_samples < 1 or end_sample > self._n_written or first < self.first_available:
            return None
        at = first % self.capacity
        return Window(
            first,
            _read_only(self._samples[at : at + n_samples]),
            _read_only(self._times[at : at + n_samples]),
            _read_only(self._stamps[at : at + n_samples]),
            _read_only(self._segments[at : at + n_samples]),
            _read_only(self._arrivals[at : at + n_samples]),
        )

    def is_intact(self, window: Window) -> bool:
        """Whether nothing of a window has been overwritten so far."""
        return window.first_sample >= self.first_available

    def wait_for(self, n_written: int, timeout_s: float) -> bool:
        """Wait until that many samples were written.

        Returns
        -------
        bool
            False when the time ran out or the ring was closed before.
        """
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._n_written >= n_written or self._closed, timeout=timeout_s
            )
        return self._n_written >= n_written

    def close(self) -> None:
        """Tell every reader that waits that nothing will come any more."""
        self._closed = True
        with self._arrived:
            self._arrived.notify_all()


def _read_only(view: NDArray[np.generic]) -> NDArray:  # type: ignore[type-arg]
    view.flags.writeable = False
    return view
