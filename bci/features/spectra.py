"""Power spectra of windows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from bci.errors import SettingsError
from bci.features.burg import ar_power, best_order, burg
from bci.features.settings import SpectrumSettings

__all__ = [
    "Spectra",
    "band_power",
    "bins_of",
    "check_frequencies",
    "frequencies",
    "spectra",
    "spectra_at",
]

F64 = NDArray[np.float64]
Index = NDArray[np.intp]

#: Largest order that is tried where a criterion chooses it: 0.2 s, as long as the slowest rhythm
#: of interest lasts, but no more than this share of the window.
_LONGEST_S, _LARGEST_SHARE = 0.2, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Power of windows by channel and frequency.

    Attributes
    ----------
    power : ndarray of float64, shape (n_windows, n_channels, n_freqs)
        One-sided density, in the square of the signals' unit per Hz.
    freqs_hz : ndarray of float64, shape (n_freqs,)
    order : int or None
        Of the autoregressive models.
    """

    power: F64 = field(repr=False)
    freqs_hz: F64 = field(repr=False)
    order: int | None = None

    @property
    def log_power(self) -> F64:
        """Power in dB: nearly normal over trials, as statistics and linear rules want it.

        A channel without power has that of the smallest normal number.
        """
        decibels: F64 = 10.0 * np.log10(np.maximum(self.power, np.finfo(np.float64).tiny))
        return decibels


def frequencies(settings: SpectrumSettings) -> F64:
    """Return the frequencies of a spectrum (Hz).

    >>> frequencies(SpectrumSettings(fmin_hz=8, fmax_hz=10, step_hz=0.5))
    array([ 8. ,  8.5,  9. ,  9.5, 10. ])
    """
    n_freqs = int(np.floor((settings.fmax_hz - settings.fmin_hz) / settings.step_hz + 1e-9)) + 1
    return np.asarray(settings.fmin_hz + settings.step_hz * np.arange(n_freqs), dtype=np.float64)


def check_frequencies(fmax_hz: float, rate_hz: float) -> None:
    """Raise for a frequency that a sampling rate does not hold.

    Raises
    ------
    SettingsError
    """
    if fmax_hz > rate_hz / 2:
        raise SettingsError(
            f"{fmax_hz:g} Hz lies above half of the sampling rate ({rate_hz / 2:g} Hz): lower it"
        )


def spectra(X: F64, rate_hz: float, settings: SpectrumSettings) -> Spectra:
    """Return the power spectra of windows, each channel's mean removed.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    rate_hz : float
    settings : SpectrumSettings

    Raises
    ------
    SettingsError
        For a frequency above half of the rate, a window too short for the order, the segment or
        the step.
    """
    return spectra_at(X, rate_hz, frequencies(settings), settings)


def spectra_at(X: F64, rate_hz: float, freqs_hz: F64, settings: SpectrumSettings) -> Spectra:
    """Return the power spectra of windows at other frequencies than the settings'.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    rate_hz : float
    freqs_hz : ndarray of float64, shape (n_freqs,)
        Ascending; segments and tapers have frequencies of their own, the nearest is taken.
    settings : SpectrumSettings
        Method, and what belongs to it.

    Raises
    ------
    SettingsError
        As for `spectra`.
    """
    check_frequencies(float(freqs_hz[-1]), rate_hz)
    if settings.method == "burg":
        order = settings.order
        if isinstance(order, str):
            order = best_order(X, _largest_order(X.shape[-1], rate_hz), order)
        a, variances = burg(X, order)
        return Spectra(ar_power(a, variances[..., -1], freqs_hz, rate_hz), freqs_hz, order)
    if settings.method == "welch":
        n_segment = segment_samples(settings.segment_s, X.shape[-1], rate_hz)
        found_hz, power = welch(X, rate_hz, nperseg=n_segment, detrend="constant")
    else:
        from mne.time_frequency import psd_array_multitaper  # half a second that others need not

        check_bandwidth(settings.bandwidth_hz, X.shape[-1], rate_hz)
        power, found_hz = psd_array_multitaper(
            X, rate_hz, bandwidth=settings.bandwidth_hz, normalization="full", verbose="error"
        )
    step_hz = float(np.diff(freqs_hz).min()) if len(freqs_hz) > 1 else np.inf
    at = nearest_bins(found_hz, freqs_hz, step_hz)
    return Spectra(power[..., at], found_hz[at])


def _largest_order(n_times: int, rate_hz: float) -> int:
    return max(1, min(round(_LONGEST_S * rate_hz), int(_LARGEST_SHARE * n_times)))


def segment_samples(segment_s: float, n_times: int, rate_hz: float) -> int:
    """Return the length of a segment in samples.

    Raises
    ------
    SettingsError
        When the window is shorter.
    """
    n_segment = round(segment_s * rate_hz)
    if not 2 <= n_segment <= n_times:
        raise SettingsError(
            f"segments of {segment_s:g} s do not fit windows of {n_times / rate_hz:g} s: shorten "
            "the segment, or lengthen the window"
        )
    return n_segment


def check_bandwidth(bandwidth_hz: float, n_times: int, rate_hz: float) -> None:
    """Raise where no taper has so narrow a band.

    Raises
    ------
    SettingsError
    """
    least_hz = 2.0 * rate_hz / n_times
    if bandwidth_hz < least_hz:
        raise SettingsError(
            f"a bandwidth of {bandwidth_hz:g} Hz needs longer windows than "
            f"{n_times / rate_hz:g} s: give {least_hz:.2g} Hz or more"
        )


def nearest_bins(found_hz: F64, wanted_hz: F64, step_hz: float) -> Index:
    """Return which of the frequencies of a transform are wanted.

    Raises
    ------
    SettingsError
        When they lie further apart than the frequencies that are asked for.
    """
    apart_hz = float(found_hz[1] - found_hz[0])
    if apart_hz > step_hz * (1 + 1e-9):
        raise SettingsError(
            f"a step of {step_hz:g} Hz is finer than the resolution ({apart_hz:.3g} Hz): lengthen "
            "the segment or the window, or use method burg"
        )
    nearest: Index = np.abs(found_hz[:, None] - wanted_hz).argmin(axis=0)
    return nearest


def band_power(found: Spectra, band_hz: tuple[float, float]) -> F64:
    """Return the mean power density within a band, both ends included.

    Parameters
    ----------
    found : Spectra
    band_hz : (low, high)

    Returns
    -------
    ndarray of float64, shape (n_windows, n_channels)

    Raises
    ------
    SettingsError
        When the band lies outside of the spectrum.
    """
    return np.asarray(found.power[..., bins_of(found.freqs_hz, band_hz)].mean(axis=-1))


def bins_of(freqs_hz: F64, band_hz: Sequence[float]) -> Index:
    """Return which frequencies lie in a band, both ends included; else the one nearest to it.

    Raises
    ------
    SettingsError
        When the band lies outside of the spectrum by more than its resolution.
    """
    low, high = band_hz
    inside = np.flatnonzero((freqs_hz >= low - 1e-9) & (freqs_hz <= high + 1e-9))
    if len(inside):
        return inside
    middle = (low + high) / 2
    nearest = int(np.abs(freqs_hz - middle).argmin())
    step_hz = float(np.diff(freqs_hz).min()) if len(freqs_hz) > 1 else np.inf
    if abs(freqs_hz[nearest] - middle) > step_hz:
        raise SettingsError(
            f"band {low:g} to {high:g} Hz: the spectrum has {freqs_hz[0]:g} to {freqs_hz[-1]:g} Hz"
        )
    return np.array([nearest])
