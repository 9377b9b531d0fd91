"""One clock for a stream whose sender's clock was reset on the way.

A sender that starts again counts from anew: its stamps jump, and so do its clock offsets. Here the
stamps after a reset are carried on in the count before it, and the offsets with them, so that stamp
plus offset stays what it was, times grow throughout, and interpolation between offsets never slides
from one clock to the other.
"""

import numpy as np
from numpy.typing import NDArray

from bci.sources.xdf_streams import XdfStream

__all__ = ["corrected", "one_clock"]

F64 = NDArray[np.float64]

#: Between measurements an offset moves by the clocks' drift (a quartz: 100 ppm at most; we allow
#: 1000) and by what the network does to a measurement; a step beyond is another clock.
_STEP_S = 0.1
_DRIFT = 1e-3


def corrected(stamps: F64, offsets: F64) -> F64:
    """Return time stamps on the recording machine's clock."""
    return stamps + np.interp(stamps, offsets[:, 0], offsets[:, 1]) if len(offsets) else stamps


def one_clock(stream: XdfStream, marked: tuple[int, ...] = ()) -> tuple[F64, F64, int]:
    """Carry a stream's first clock on to its end.

    Parameters
    ----------
    stream : XdfStream
    marked : tuple of int
        Samples before which the recorder marked a gap: a reset is one of them, if one is near.

    Returns
    -------
    stamps : ndarray of float64, shape (n_samples,)
    offsets : ndarray of float64, shape (n_measured, 2)
        In order of time.
    n_resets : int
    """
    kept = _plausible(stream.offsets)
    measured, after = stream.offsets[kept], stream.offsets_after[kept]
    offsets = measured.copy()
    stamps = stream.stamps
    steps = np.flatnonzero(_is_step(offsets))
    if not len(steps):
        return stamps, offsets[np.argsort(offsets[:, 0], kind="stable")], 0
    stamps = stamps.copy()
    at = 0
    for step in steps:
        # Offsets and samples are written by different threads: one interval of slack, both ways.
        low = max(at, int(after[step - 1]) if step else 0)
        high = int(after[step + 2]) if step + 2 < len(after) else len(stamps)
        before, behind = measured[step], measured[step + 1]
        at = _reset_at(stream, low, high, before, behind, marked)
        shift = float(behind[1] - before[1])
        stamps[at:] += shift
        offsets[step + 1 :, 0] += shift
        offsets[step + 1 :, 1] -= shift
    return stamps, offsets[np.argsort(offsets[:, 0], kind="stable")], len(steps)


def _is_step(offsets: F64) -> NDArray[np.bool_]:
    """Tell between which offsets the sender's clock became another."""
    times, values = np.diff(offsets[:, 0]), np.diff(offsets[:, 1])
    return (times < 0) | (np.abs(values) > _STEP_S + _DRIFT * np.abs(times))


def _plausible(offsets: F64) -> NDArray[np.intp]:
    """Leave out what is no number, and single measurements that their neighbours contradict."""
    finite = np.flatnonzero(np.isfinite(offsets).all(axis=1))
    table = offsets[finite]
    if len(table) < 3:
        return finite
    stepped = _is_step(table)
    agree = ~_is_step(table[::2]), ~_is_step(table[1::2])
    across = np.empty(len(table) - 2, dtype=bool)
    across[::2], across[1::2] = agree[0], agree[1]
    odd = np.zeros(len(table), dtype=bool)
    odd[1:-1] = stepped[:-1] & stepped[1:] & across
    return finite[~odd]


def _reset_at(
    stream: XdfStream, low: int, high: int, before: F64, behind: F64, marked: tuple[int, ...]
) -> int:
    """Return the first sample on the new clock, among samples `low` to `high`.

    It is where the recorder marked a gap; or where the stamps jump as the clock did; or, of a
    stream without a rate, the first one nearer to the new clock's first offset than to the old
    one's last.
    """
    near = [sample for sample in marked if low <= sample <= high]
    if near:
        return near[0]
    stamps = stream.stamps[max(low - 1, 0) : high + 1]
    step = float(behind[1] - before[1])
    if stream.layout.rate_hz > 0 and len(stamps) > 1:
        # A clock that is set back by `step` seconds makes its stamps jump back, less by as much as
        # the stream was away; one that is set ahead makes them jump ahead, by that much more.
        jumps = np.diff(stamps)
        back, ahead = int(np.argmin(jumps)), int(np.argmax(jumps))
        if step > 0 and jumps[back] < -2.0 / stream.layout.rate_hz:
            return max(low - 1, 0) + back + 1
        if jumps[ahead] > abs(step) / 2:
            return max(low - 1, 0) + ahead + 1
    stamps = stream.stamps[low:high]
    to_old, to_new = np.abs(stamps - before[0]), np.abs(stamps - behind[0])
    beyond = np.flatnonzero(to_new <= to_old)
    return low + int(beyond[0]) if len(beyond) else high
