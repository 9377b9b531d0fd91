"""The stream clock's account of a whole recording."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.clock import Gap, StreamClock

__all__ = ["Timeline", "timeline"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The clock's account of a whole recording.

    Attributes
    ----------
    times : ndarray of float64, shape (n_samples,)
        Dejittered, on the sender's clock (s).
    segments : ndarray of int64, shape (n_samples,)
        Number of each sample's gapless segment.
    gaps : tuple of Gap
    """

    times: F64 = field(repr=False)
    segments: I64 = field(repr=False)
    gaps: tuple[Gap, ...]

    def crosses_gap(self, first: int, stop: int) -> Gap | None:
        """Return the first gap that lies within samples `first` to `stop` - 1, or None.

        The loss lies somewhere between samples ``began_at - 1`` and ``declared_at``: samples that
        end before it or start at `declared_at` do not cross it.
        """
        for gap in self.gaps:
            if first < gap.declared_at and stop > gap.began_at:
                return gap
        return None

    def sample_at(self, time_s: float) -> int:
        """Return the sample nearest to a time on the sender's clock.

        Each segment is searched by itself, so a clock that stepped back misleads nobody; of two
        equally near samples the earlier one is meant.

        Raises
        ------
        ValueError
            When no sample has a time.
        """
        n_unknown = int(np.searchsorted(~np.isnan(self.times), True))
        if n_unknown == len(self.times):
            raise ValueError("the timeline holds no sample with a time")
        edges = [n_unknown, *(gap.declared_at for gap in self.gaps), len(self.times)]
        nearest, distance = n_unknown, np.inf
        for start, stop in pairwise(edges):
            after = start + int(np.searchsorted(self.times[start:stop], time_s))
            for sample in (after - 1, after):
                if start <= sample < stop and abs(self.times[sample] - time_s) < distance:
                    nearest, distance = sample, abs(self.times[sample] - time_s)
        return nearest


def timeline(stamps: F64, rate_hz: float, returns: Sequence[int] = ()) -> Timeline:
    """Run the clock over a whole recording.

    Parameters
    ----------
    stamps : ndarray of float64, shape (n_samples,)
        As recorded (s).
    rate_hz : float
        Nominal sampling rate.
    returns : sequence of int
        Samples with which the stream came back over another connection, in order.
    """
    stamps = np.ascontiguousarray(stamps, dtype=np.float64)
    times = np.empty(len(stamps))
    segments = np.empty(len(stamps), dtype=np.int64)
    clock = StreamClock(rate_hz)
    gaps: list[Gap] = []
    for first, stop in pairwise([0, *returns, len(stamps)]):
        if first:
            clock.restart()
        part = slice(first, stop)
        gaps += clock.update(stamps[part], times[part], segments[part])
    times.flags.writeable = segments.flags.writeable = False
    return Timeline(times, segments, tuple(gaps))
