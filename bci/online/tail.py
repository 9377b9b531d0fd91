"""The newest of the filtered signal, from which a trial's windows are cut when it is over."""

import numpy as np

from bci.decoders.base import F64

__all__ = ["SignalTail"]


class SignalTail:
    """The filtered signal of the last while, by sample.

    Parameters
    ----------
    n_channels : int
    capacity : int
        Samples that it holds.
    """

    def __init__(self, n_channels: int, capacity: int) -> None:
        self._ring: F64 = np.zeros((n_channels, capacity))
        self._end = 0

    def write(self, end: int, samples: F64) -> None:
        """Take the samples before `end`.

        Parameters
        ----------
        end : int
        samples : ndarray of float64, shape (n_channels, n_samples)
            No more than a capacity of them. What is missing before them (a gap) is not marked: the
            decoder decides on no window that reaches into one.
        """
        capacity = self._ring.shape[1]
        at = (end - samples.shape[1]) % capacity
        n_first = min(samples.shape[1], capacity - at)
        self._ring[:, at : at + n_first] = samples[:, :n_first]
        self._ring[:, : samples.shape[1] - n_first] = samples[:, n_first:]
        self._end = end

    def window(self, end: int, length: int) -> F64 | None:
        """Return the window that ends before a sample, if it is held still.

        Returns
        -------
        ndarray of float64, shape (n_channels, length), or None
        """
        capacity = self._ring.shape[1]
        if end > self._end or end - length < self._end - capacity:
            return None
        index = np.arange(end - length, end) % capacity
        return self._ring[:, index]
