"""How good each channel is at this moment: flat, railed, noisy, full of mains, or good.

Limits are in volts at the electrode, for EEG: wide enough that blinks and alpha pass, narrow enough
that an electrode that hangs in the air does not. They judge a few seconds, not a head.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

__all__ = ["QUALITIES", "ChannelQuality", "channel_quality"]

F64 = NDArray[np.float64]

#: From best to worst: the number of a quality on the network is its place here.
QUALITIES = ("good", "mains", "noisy", "railed", "flat", "not a number")

# Less than this from peak to peak in a second is no scalp: amplifiers alone have about 0.5 uV.
_FLAT_V = 2e-7
# A channel whose extreme value is met this often, in a row, is at the end of its range.
_RAILED_RUN = 10
_RAILED_SHARE = 0.05
# RMS between 1 and 45 Hz; resting EEG has 5 to 30 uV, chewing and loose electrodes hundreds.
_NOISY_V = 1e-4
# RMS within 1 Hz of the mains line, in volts and against what lies between 1 and 45 Hz.
_MAINS_V = 1.5e-5
_MAINS_RATIO = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ChannelQuality:
    """What a window shows, a value a channel.

    Attributes
    ----------
    quality : tuple of str
        Of `QUALITIES`.
    rms_v : ndarray of float64, shape (n_channels,)
        Between 1 and 45 Hz (V); NaN where there are values that are no numbers.
    mains_v : ndarray of float64, shape (n_channels,)
        RMS within 1 Hz of the line (V); zero when that lies beyond half the sampling rate.
    """

    quality: tuple[str, ...]
    rms_v: F64
    mains_v: F64


def channel_quality(samples: F64, rate_hz: float, *, mains_hz: float = 50.0) -> ChannelQuality:
    """Judge each channel by a window.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples, n_channels)
        In volts, without a gap; a second at least.
    rate_hz : float
    mains_hz : float

    Raises
    ------
    ValueError
        For less than a second.

    Examples
    --------
    >>> t = np.arange(500)[:, None] / 250
    >>> channel_quality(np.hstack([0 * t, 1e-4 * np.sin(100 * np.pi * t)]), 250.0).quality
    ('flat', 'mains')
    """
    n = len(samples)
    if n < rate_hz:
        raise ValueError(f"{n} samples at {rate_hz:g} Hz are less than a second")
    finite = np.isfinite(samples).all(axis=0)
    clean = np.where(finite, samples, 0.0)
    span = np.ptp(clean, axis=0)
    frequencies, power = signal.periodogram(
        signal.detrend(clean, axis=0), rate_hz, window="hann", detrend=False, axis=0
    )
    step = frequencies[1] - frequencies[0]
    eeg = (frequencies >= 1.0) & (frequencies <= min(45.0, mains_hz - 3.0))
    line = np.abs(frequencies - mains_hz) <= 1.0
    rms = np.sqrt(power[eeg].sum(axis=0) * step)
    mains = np.sqrt(power[line].sum(axis=0) * step)
    flat = span < _FLAT_V
    railed = _railed(clean)
    quality = np.select(
        [
            ~finite,
            flat,
            railed,
            rms > _NOISY_V,
            (mains > _MAINS_V) & (mains > _MAINS_RATIO * rms),
        ],
        [5, 4, 3, 2, 1],
        0,
    )
    return ChannelQuality(
        tuple(QUALITIES[number] for number in quality), np.where(finite, rms, np.nan), mains
    )


def _railed(samples: F64) -> NDArray[np.bool_]:
    """Say which channels rest at their largest or smallest value for a while."""
    railed = np.zeros(samples.shape[1], dtype=np.bool_)
    for extreme in (samples.max(axis=0), samples.min(axis=0)):
        at_rail = samples == extreme
        often = at_rail.mean(axis=0) >= _RAILED_SHARE
        for channel in np.flatnonzero(often & ~railed):
            edges = np.flatnonzero(np.diff(at_rail[:, channel], prepend=False, append=False))
            railed[channel] = bool((edges[1::2] - edges[::2]).max() >= _RAILED_RUN)
    return railed
