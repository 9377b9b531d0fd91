"""A person's own rhythms: the mu and the beta peak of each channel over the background.

The background of a spectrum falls with frequency like 1/f^exponent: a straight line over log
frequency. It is fitted where there is no peak, and what stands out of it far enough is a rhythm;
the idea is that of specparam (Donoghue et al. 2020, doi:10.1038/s41593-020-00744-x), without its
fit of Gaussians: a maximum and its height are all that a band is suggested from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from bci.errors import SettingsError
from bci.features.settings import SpectrumSettings
from bci.features.spectra import spectra

__all__ = ["BETA_HZ", "MU_HZ", "Peak", "Rhythms", "rhythms", "rhythms_of"]

F64 = NDArray[np.float64]

MU_HZ = (7.0, 13.0)
BETA_HZ = (13.0, 30.0)

#: A rhythm rises over its flanks by this much (dB), and by this many standard errors of the
#: spectrum: of 1/f noise (45 windows of 3 s) 4 % of the bands hold such a maximum.
_RISE_DB, _ERRORS = 1.0, 4.5
#: Narrower maxima are no rhythm (Hz).
_NARROWEST_HZ = 1.0
#: A background is fitted to as many frequencies, at least.
_FEWEST_BINS = 12
#: What a bin above the background counts, of one below.
_ABOVE = 0.1
_ROUNDS = 50
#: Of the spectra of `rhythms_of`: segments, range (the usual causal filter, 2 to 45 Hz, takes 1.4
#: dB away at 40 Hz), and the standard deviation of the Gaussian that smooths them.
_SEGMENT_S, _RANGE_HZ, _SMOOTH_HZ = 2.0, (4.0, 35.0), 0.75


@dataclass(frozen=True, slots=True)
class Peak:
    """A rhythm.

    Attributes
    ----------
    freq_hz : float
        Of its maximum over the background, between bins by a parabola.
    height_db : float
        Over the background.
    width_hz : float
        Where it has lost half of its rise over its flanks (dB).
    """

    freq_hz: float
    height_db: float
    width_hz: float

    @property
    def band_hz(self) -> tuple[float, float]:
        """The band to suggest: the peak's width, but 2 Hz to 4 Hz."""
        half = min(max(self.width_hz, 2.0), 4.0) / 2
        return self.freq_hz - half, self.freq_hz + half


@dataclass(frozen=True, slots=True, eq=False)
class Rhythms:
    """What stands out of one channel's spectrum.

    Attributes
    ----------
    mu, beta : Peak or None
        The highest peak of each band; None where there is none.
    exponent : float
        The background falls like 1/f^exponent.
    background_db : ndarray of float64, shape (n_freqs,)
        The line that was fitted.
    """

    mu: Peak | None
    beta: Peak | None
    exponent: float
    background_db: F64 = field(repr=False)


def rhythms(
    power: F64,
    freqs_hz: F64,
    mu_hz: tuple[float, float] = MU_HZ,
    beta_hz: tuple[float, float] = BETA_HZ,
    error_db: float = 0.0,
) -> list[Rhythms]:
    """Find the mu and the beta peak of each channel.

    Parameters
    ----------
    power : ndarray of float64, shape (n_channels, n_freqs)
        Density, averaged over trials; of signals that no narrower filter has shaped. See
        `rhythms_of` for spectra that serve.
    freqs_hz : ndarray of float64, shape (n_freqs,)
        Ascending, evenly spaced.
    mu_hz, beta_hz : (low, high)
        Where the peaks may lie. A maximum at the very edge of the spectrum is none.
    error_db : float
        Standard error of the spectrum.

    Raises
    ------
    SettingsError
        When the spectrum does not reach over both bands, or is too coarse to have a background.
    """
    low, high = min(mu_hz[0], beta_hz[0]), max(mu_hz[1], beta_hz[1])
    used = freqs_hz > 0  # no logarithm at 0 Hz
    freqs, n_used = freqs_hz[used], int(used.sum())
    if n_used < _FEWEST_BINS or freqs[0] > low - 1 or freqs[-1] < high + 1:
        raise SettingsError(
            f"peaks between {low:g} and {high:g} Hz need a spectrum of {_FEWEST_BINS} frequencies "
            f"or more, from {low - 1:g} Hz or less to {high + 1:g} Hz or more; this one has "
            f"{n_used}, {freqs_hz[0]:g} to {freqs_hz[-1]:g} Hz: widen it"
        )
    decibels = 10 * np.log10(np.maximum(power[:, used], np.finfo(np.float64).tiny))
    found = []
    for spectrum in decibels:
        slope, level = _background(spectrum, freqs)
        line = level + slope * np.log10(freqs)
        peaks = _peaks(spectrum - line, freqs, max(_RISE_DB, _ERRORS * error_db))
        background = np.full(len(freqs_hz), np.nan)
        background[used] = line
        found.append(
            Rhythms(_highest(peaks, mu_hz), _highest(peaks, beta_hz), -slope / 10, background)
        )
    return found


def rhythms_of(X: F64, rate_hz: float) -> list[Rhythms]:
    """Find the mu and the beta peak of each channel, from windows.

    The spectra are Welch's, of segments of 2 s where the windows are as long, smoothed. An
    autoregressive model is no good here: one of order 16 at 160 Hz puts its poles some 8 Hz apart,
    and shows maxima there whoever it is.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
        Of signals with all frequencies from 4 to 35 Hz.
    rate_hz : float

    Raises
    ------
    SettingsError
        When the windows are shorter than 1 s, or the rate is less than 70 Hz.
    """
    length_s = X.shape[-1] / rate_hz
    if length_s < 1:
        raise SettingsError(
            f"windows of {length_s:.2g} s are too short to tell a rhythm from the background: "
            "give 1 s or more"
        )
    n_segment = int(min(_SEGMENT_S, length_s) * rate_hz)
    step_hz = rate_hz / n_segment
    settings = SpectrumSettings(
        method="welch",
        segment_s=n_segment / rate_hz,
        step_hz=step_hz,
        fmin_hz=_RANGE_HZ[0],
        fmax_hz=_RANGE_HZ[1],
    )
    found = spectra(X, rate_hz, settings)
    power = gaussian_filter1d(found.power, _SMOOTH_HZ / step_hz, mode="nearest")
    mean = power.mean(axis=0)
    error_db = 0.0
    if len(X) > 1:
        error = power.std(axis=0, ddof=1) / np.sqrt(len(X))
        # 10 log10 (1 + e) is 4.34 e.
        relative = np.divide(error, mean, out=np.zeros_like(mean), where=mean > 0)
        error_db = 10 / np.log(10) * float(np.median(relative))
    return rhythms(mean, found.freqs_hz, error_db=error_db)


def _background(spectrum: F64, freqs: F64) -> tuple[float, float]:
    """Fit a line over log frequency: slope and level (dB).

    Peaks only ever stand above: bins above the line count a tenth of those below it (expectile
    regression, Newey and Powell 1987), so that the line runs along the foot of the peaks.
    """
    x = np.log10(freqs)
    # Even bins are many at high frequencies and few at low ones: every octave is to count alike.
    octave = 1 / freqs
    asymmetry = np.ones(len(freqs))
    slope = level = 0.0
    for _ in range(_ROUNDS):
        # polyfit squares its weights.
        slope, level = np.polyfit(x, spectrum, 1, w=np.sqrt(octave * asymmetry))
        again = np.where(spectrum > level + slope * x, _ABOVE, 1.0)
        if (again == asymmetry).all():
            break
        asymmetry = again
    return float(slope), float(level)


def _peaks(rest: F64, freqs: F64, rise_db: float) -> list[Peak]:
    """Return the maxima of what stands over the background."""
    step_hz = float(freqs[1] - freqs[0])
    # Rise (prominence), not height: a wiggle on the flank of a large peak is no rhythm.
    at, found = find_peaks(
        rest, height=0.0, prominence=rise_db, width=_NARROWEST_HZ / step_hz, rel_height=0.5
    )
    peaks = []
    for middle, width in zip(at, found["widths"], strict=True):
        before, top, after = rest[middle - 1 : middle + 2]
        curve = before - 2 * top + after
        shift = 0.5 * (before - after) / curve if curve < 0 else 0.0
        peaks.append(
            Peak(
                float(freqs[middle] + shift * step_hz),
                float(top - 0.25 * (before - after) * shift),
                float(width * step_hz),
            )
        )
    return peaks


def _highest(peaks: Sequence[Peak], band_hz: tuple[float, float]) -> Peak | None:
    inside = [peak for peak in peaks if band_hz[0] <= peak.freq_hz < band_hz[1]]
    return max(inside, key=lambda peak: peak.height_db, default=None)
