"""How often a person blinks, by the electrodes above the eyes.

A blink lifts the electrodes on the forehead by 50 to 500 uV for a tenth to half of a second. At
rest people blink 17 times a minute on average, in conversation 26 (Bentivoglio et al. 1997).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bci.sources.labels import canonical_label

__all__ = ["FRONTAL", "SHORTEST_S", "blinks_per_min", "find_blinks"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Where blinks are seen.
FRONTAL = frozenset({"Fp1", "Fpz", "Fp2", "AF7", "AF8", "AF3", "AF4", "AFz"})
#: With less, a blink more or less is too much of the rate.
SHORTEST_S = 10.0

# Below alpha, which at its largest looks like one small blink after the other.
_BAND_HZ = (0.5, 6.0)
_HEIGHT_V, _HEIGHT_SD = 5e-5, 4.0
# Who blinks all the time widens the spread that blinks are told from.
_MOST_HEIGHT_V = 1e-4
_WIDTH_S = (0.08, 0.5)
_APART_S = 0.25


def find_blinks(samples: F64, rate_hz: float) -> I64:
    """Find the blinks at one electrode.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples,)
        V, without a gap.
    rate_hz : float

    Returns
    -------
    ndarray of int64, shape (n_blinks,)
        Samples of their peaks: those of 0.5 to 6 Hz that stand 50 uV and four robust standard
        deviations (at most 100 uV) above what is around them, and are 0.08 to 0.5 s wide half way
        down. On Fp1 of thirteen people of EEGMMIDB (R04) it finds 378 where
        `mne.preprocessing.find_eog_events` finds 427, 359 of them the same; looking at them, the
        rest are slow waves and eye movements.
    """
    sos = signal.butter(2, _BAND_HZ, "bandpass", output="sos", fs=rate_hz)
    slow = signal.sosfiltfilt(sos, samples - np.median(samples))
    spread = 1.4826 * float(np.median(np.abs(slow - np.median(slow))))
    least = max(_HEIGHT_V, min(_HEIGHT_SD * spread, _MOST_HEIGHT_V))
    peaks, _ = signal.find_peaks(
        slow,
        height=least,
        prominence=least,
        width=(_WIDTH_S[0] * rate_hz, _WIDTH_S[1] * rate_hz),
        distance=max(1, round(_APART_S * rate_hz)),
    )
    found: I64 = peaks.astype(np.int64)
    return found


def blinks_per_min(samples: F64, labels: Sequence[str], rate_hz: float) -> F64:
    """Return the rate of blinks at each frontal electrode.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples, n_channels)
        V, without a gap; 10 s or more.
    labels : sequence of str
    rate_hz : float

    Returns
    -------
    ndarray of float64, shape (n_channels,)
        A minute; NaN at other electrodes, for values that are no numbers, and for less than 10 s.
    """
    rates = np.full(len(labels), np.nan)
    minutes = len(samples) / rate_hz / 60
    if 60 * minutes < SHORTEST_S:
        return rates
    for channel, label in enumerate(labels):
        if canonical_label(label) in FRONTAL and np.isfinite(samples[:, channel]).all():
            rates[channel] = len(find_blinks(samples[:, channel], rate_hz)) / minutes
    return rates
