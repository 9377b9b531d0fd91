"""How good each channel is at this moment, from what a ring buffer holds."""

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.ring import RingBuffer
from bci.signal.blinks import FRONTAL, SHORTEST_S, blinks_per_min
from bci.signal.quality import ChannelQuality, channel_quality, impedances
from bci.sources.base import StreamInfo

__all__ = ["recent_blinks", "recent_quality", "recent_samples"]

F64 = NDArray[np.float64]

#: Long enough to tell the mains from what lies beside it, short enough to answer a hand that
#: presses an electrode down (s).
WINDOW_S = 2.0
#: Blinks come every few seconds: their rate needs longer (s).
_BLINKS_S = 30.0


def recent_samples(
    ring: RingBuffer, n_samples: int, channels: list[int] | None = None
) -> tuple[F64, float] | None:
    """Copy the newest samples; None where they hold a gap.

    Returns
    -------
    samples : ndarray of float64, shape (n_samples, n_channels)
    time_s : float
        Of the last of them.
    """
    window = ring.window(ring.n_written, n_samples)
    if window is None or window.has_gap:
        return None
    samples = np.array(window.samples if channels is None else window.samples[:, channels])
    time_s = float(window.times[-1])
    return (samples, time_s) if ring.is_intact(window) else None


def recent_quality(
    ring: RingBuffer,
    info: StreamInfo,
    *,
    mains_hz: float = 50.0,
    channels: list[int] | None = None,
) -> tuple[ChannelQuality, float] | None:
    """Judge channels by the newest two seconds; None where these hold a gap, or are not there.

    Parameters
    ----------
    ring : RingBuffer
    info : StreamInfo
    mains_hz : float
    channels : list of int, optional
        Which; default all.

    Returns
    -------
    found : ChannelQuality
    time_s : float
        Of the newest sample that was judged.
    """
    recent = recent_samples(ring, round(WINDOW_S * info.rate_hz), channels)
    if recent is None:
        return None
    samples, time_s = recent
    blinks, ohm = recent_blinks(ring, info), impedances(info.channels)
    if channels is not None:
        blinks, ohm = None if blinks is None else blinks[channels], ohm[channels]
    found = channel_quality(
        samples, info.rate_hz, mains_hz=mains_hz, blinks_per_min=blinks, impedance_ohm=ohm
    )
    return found, time_s


def recent_blinks(ring: RingBuffer, info: StreamInfo) -> F64 | None:
    """Return the rates of blinks over the newest half minute, as far as it is there, or None."""
    eyes = [k for k, label in enumerate(info.labels) if label in FRONTAL]
    n = min(round(_BLINKS_S * info.rate_hz), ring.n_written - ring.first_available)
    if not eyes or n < SHORTEST_S * info.rate_hz:
        return None
    recent = recent_samples(ring, n, eyes)
    if recent is None:
        return None
    rates = np.full(len(info.labels), np.nan)
    rates[eyes] = blinks_per_min(recent[0], [info.labels[k] for k in eyes], info.rate_hz)
    return rates
