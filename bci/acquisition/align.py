"""From the sender's clock to this machine's: the clock offset, added without a step that it lacks.

An offset that is corrected by a millisecond would put the samples of a chunk before those of the
last one. So it moves along a ramp over each chunk, by at most 0.4 periods a sample: the stream
clock advances by half a period at least, so times grow in a segment. An offset that leaps is a
clock that was set (a sender that slept, or restarted): it is applied at once and begins a segment.
"""

from math import inf

import numpy as np
from numpy.typing import NDArray

__all__ = ["OffsetRamp"]

#: Beyond this it is no correction (s): an offset is measured to milliseconds.
_STEP_S = 0.05
_PERIODS_A_SAMPLE = 0.4


class OffsetRamp:
    """Adds clock offsets to the times of chunks, one after the other.

    Parameters
    ----------
    rate_hz : float
    """

    def __init__(self, rate_hz: float) -> None:
        self._most_s = _PERIODS_A_SAMPLE / rate_hz
        self._applied_s = inf
        self._steps = np.empty(0)

    def apply(self, times: NDArray[np.float64], offset_s: float, anew: bool) -> float:
        """Add the offset to `times` in place.

        Parameters
        ----------
        times : ndarray of float64, shape (n_samples,)
            On the sender's clock; then on this machine's.
        offset_s : float
            As it now is.
        anew : bool
            The connection is a new one: no ramp from what was applied before.

        Returns
        -------
        float
            By how much the offset leapt at the first sample; 0 when it did not.
        """
        n_samples = len(times)
        before, change = self._applied_s, offset_s - self._applied_s
        if anew or not abs(change) <= _STEP_S:
            self._applied_s = offset_s
            times += offset_s
            return 0.0 if before == inf else change
        if change == 0.0:
            times += offset_s
            return 0.0
        if n_samples > len(self._steps):
            self._steps = np.arange(1.0, 2 * n_samples + 1)
        most_s = self._most_s * n_samples
        change = min(max(change, -most_s), most_s)
        times += before
        times += self._steps[:n_samples] * (change / n_samples)
        self._applied_s = before + change
        return 0.0
