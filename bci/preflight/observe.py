"""A look at one stream: connect, read its clock, and really pull for about a second."""

import math
import time
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from bci.sources.base import StreamInfo
from bci.sources.clock import ClockReading, lsl_clock, read_clock
from bci.sources.discovery import FoundStream, describe_stream
from bci.sources.inlets import NUMPY_DTYPES, NumericPull, open_inlet

__all__ = ["Observed", "Signal", "observe"]

_ANSWER_S = 2.0
#: Pulled for this long, or until a slow stream has sent a few samples.
_LOOK_S, _LONGEST_S, _SAMPLES = 1.0, 3.0, 5
#: Rows that are kept for a look at the amplitudes.
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Signal:
    """What came in.

    Attributes
    ----------
    n_samples : int
    stamped_hz : float or None
        Rate by the stamps (their regression on the sample's number); None: too few.
    arrived_hz : float or None
        Rate by this machine's clock, over whole chunks; None: fewer than five came.
    age_s : float or None
        From the newest sample's stamp to its arrival, on this machine's LSL clock: the median.
    flat, not_finite : tuple of int
        Channels that did not move, or held values that are no numbers.
    samples : ndarray of float64, shape (n_samples, n_channels)
        The first of them, in the stream's own unit.
    """

    n_samples: int
    stamped_hz: float | None
    arrived_hz: float | None
    age_s: float | None
    flat: tuple[int, ...]
    not_finite: tuple[int, ...]
    samples: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observed:
    """A stream's description, its clock, and what came in (None: it has no steady numbers)."""

    info: StreamInfo
    clock: ClockReading
    signal: Signal | None


def observe(stream: FoundStream, stop: Event) -> Observed:
    """Connect to a stream and look at it.

    Parameters
    ----------
    stream : FoundStream
    stop : threading.Event
        Ends the look early.

    Raises
    ------
    StreamError
        When the stream does not answer.
    """
    inlet, xml = open_inlet(stream, _ANSWER_S)
    try:
        clock = read_clock(inlet, _ANSWER_S)
        steady = stream.rate_hz > 0 and stream.n_channels > 0 and stream.dtype in NUMPY_DTYPES
        if not steady:
            return Observed(describe_stream(xml), clock, None)
        pull = NumericPull(inlet, min(4096, max(64, math.ceil(stream.rate_hz))))
        return Observed(describe_stream(xml), clock, _pull(pull, stream.rate_hz, clock, stop))
    finally:
        inlet.close_stream()


def _pull(pull: NumericPull, rate_hz: float, clock: ClockReading, stop: Event) -> Signal:
    kept: list[NDArray[np.float64]] = []
    stamps: list[NDArray[np.float64]] = []
    arrivals: list[tuple[float, int]] = []
    n_channels = pull.samples.shape[1]
    lowest, highest = np.full(n_channels, np.inf), np.full(n_channels, -np.inf)
    not_finite = np.zeros(n_channels, dtype=bool)
    ages = []
    end = time.monotonic() + min(_LONGEST_S, max(_LOOK_S, _SAMPLES / rate_hz))
    while not stop.is_set() and not pull.lost and (left_s := end - time.monotonic()) > 0:
        n = pull(min(left_s, 0.1))
        if not n:
            continue
        now = lsl_clock()
        stamps.append(pull.stamps[:n].copy())
        samples = pull.samples[:n].astype(np.float64)
        not_finite |= ~np.isfinite(samples).all(axis=0)
        np.minimum(lowest, samples.min(axis=0), out=lowest)
        np.maximum(highest, samples.max(axis=0), out=highest)
        if sum(map(len, kept)) < _KEPT:
            kept.append(samples)
        arrivals.append((now, n))
        ages.append(now - (float(stamps[-1][-1]) + clock.offset_s))
    # The first pull brings what was queued while the clock was read: no arrival of its own.
    return Signal(
        n_samples=sum(n for _, n in arrivals),
        stamped_hz=_stamped_hz(np.concatenate(stamps)) if stamps else None,
        arrived_hz=_arrived_hz(arrivals),
        age_s=float(np.median(ages[1:] or ages)) if ages else None,
        flat=tuple(np.flatnonzero((lowest == highest) & ~not_finite).tolist()),
        not_finite=tuple(np.flatnonzero(not_finite).tolist()),
        samples=np.concatenate(kept) if kept else np.empty((0, n_channels)),
    )


def _stamped_hz(stamps: NDArray[np.float64]) -> float | None:
    """Return the rate by regression, which jitter of single stamps hardly moves."""
    if len(stamps) < 3:
        return None
    numbers = np.arange(len(stamps)) - (len(stamps) - 1) / 2
    slope = float(numbers @ (stamps - stamps.mean()) / (numbers @ numbers))
    return 1.0 / slope if slope > 0 else None


def _arrived_hz(arrivals: list[tuple[float, int]]) -> float | None:
    if len(arrivals) < 5:
        return None
    lasted_s = arrivals[-1][0] - arrivals[0][0]
    return sum(n for _, n in arrivals[1:]) / lasted_s if lasted_s > 0 else None
