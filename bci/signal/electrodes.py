"""What a window shows of electrodes, beside spectra: the measures of `bci.signal.quality`.

All take samples as ``(n_channels, n_samples)``, in volts and finite.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["at_end_of_range", "levelled", "likeness_of", "pair_measures", "pop_counts"]

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A channel whose extreme value is met this often, in a row, is at the end of its range.
_END_RUN, _END_SHARE = 10, 0.05
_POP_V, _POP_SD, _POP_S, _POP_APART_S = 5e-5, 12.0, 0.008, 0.1
_LIKENESS_QUANTILE = 0.98
#: With fewer channels nothing is known of how alike neighbours should be.
_LIKENESS_CHANNELS = 8


def levelled(samples: F64) -> F64:
    """Take the straight line that fits best off each channel.

    `scipy.signal.detrend` takes 20 ms for 64 channels of 2000 samples, this 2.
    """
    n_samples = samples.shape[1]
    time = np.arange(n_samples) - (n_samples - 1) / 2
    slope = samples @ time / (time @ time)
    level: F64 = samples - samples.mean(axis=1, keepdims=True)
    level -= slope[:, None] * time
    return level


def pair_measures(spectrum: NDArray[np.complex128], scale: float, alive: Bools) -> tuple[F64, F64]:
    """Compare each two channels.

    Parameters
    ----------
    spectrum : ndarray of complex128, shape (n_channels, n_frequencies)
        Of the band that is looked at.
    scale : float
        Makes a squared amplitude of it a power (V^2).
    alive : ndarray of bool, shape (n_channels,)

    Returns
    -------
    correlation : ndarray of float64, shape (n_channels, n_channels)
        Absolute.
    distance : ndarray of float64, shape (n_channels, n_channels)
        RMS of the difference (V), the root of the electrical distance of Tenke and Kayser 2001;
        infinite on the diagonal and where a channel is not alive.
    """
    cross = scale * (spectrum.real @ spectrum.real.T + spectrum.imag @ spectrum.imag.T)
    power = np.diagonal(cross)
    distance: F64 = np.sqrt(np.maximum(power[:, None] + power - 2 * cross, 0.0))
    np.fill_diagonal(distance, np.inf)
    distance[~alive] = np.inf
    distance[:, ~alive] = np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation: F64 = np.abs(cross) / np.sqrt(power[:, None] * power)
    return correlation, distance


def likeness_of(correlation: F64, alive: Bools) -> F64:
    """Return the 98th percentile of each channel's correlations, as PREP has it.

    Shape (n_channels,); NaN where a channel is not alive, or fewer than eight are.
    """
    likeness = np.full(len(alive), np.nan)
    living = np.flatnonzero(alive)
    if len(living) >= _LIKENESS_CHANNELS:
        others = correlation[np.ix_(living, living)][~np.eye(len(living), dtype=np.bool_)]
        others = others.reshape(len(living), -1)
        likeness[living] = np.quantile(others, _LIKENESS_QUANTILE, axis=1)
    return likeness


def pop_counts(samples: F64, rate_hz: float) -> F64:
    """Count the jumps of each channel: within 8 ms, of 50 uV and 12 robust standard deviations.

    Those that follow each other within a tenth of a second count once. Shape (n_channels,).
    """
    lag = max(1, round(_POP_S * rate_hz))
    jump = np.abs(samples[:, lag:] - samples[:, :-lag])
    apart = round(_POP_APART_S * rate_hz)
    counts = np.zeros(len(samples))
    # The median of each channel is the dear part: only of those that jump at all.
    for channel in np.flatnonzero(jump.max(axis=1) > _POP_V):
        limit = max(_POP_V, _POP_SD * 1.4826 * float(np.median(jump[channel])))
        at = np.flatnonzero(jump[channel] > limit)
        counts[channel] = 1 + np.count_nonzero(np.diff(at) > apart) if len(at) else 0
    return counts


def at_end_of_range(samples: F64) -> Bools:
    """Say which channels rest at their largest or smallest value for a while."""
    resting = np.zeros(len(samples), dtype=np.bool_)
    for extreme in (samples.max(axis=1), samples.min(axis=1)):
        at_end = samples == extreme[:, None]
        often = at_end.mean(axis=1) >= _END_SHARE
        for channel in np.flatnonzero(often & ~resting):
            edges = np.flatnonzero(np.diff(at_end[channel], prepend=False, append=False))
            resting[channel] = bool((edges[1::2] - edges[::2]).max() >= _END_RUN)
    return resting
