"""Power over time under Morlet wavelets of one bandwidth."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend

from bci.errors import SettingsError
from bci.features.spectra import check_frequencies

__all__ = ["margin_s", "power_over_time", "resolution_s", "time_deviation_s"]

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

#: Standard deviations after which a Gaussian counts as zero (3e-4 of its height).
_REACH = 4.0
#: Full width at half maximum of a Gaussian, in standard deviations.
_FWHM = float(2 * np.sqrt(2 * np.log(2)))


def _frequency_deviation_hz(width_hz: float) -> float:
    """Return the standard deviation of the amplitude's response: root two times the power's."""
    return float(width_hz / _FWHM * np.sqrt(2))


def time_deviation_s(width_hz: float) -> float:
    """Return the standard deviation of a wavelet's amplitude over time (s)."""
    return float(1 / (2 * np.pi * _frequency_deviation_hz(width_hz)))


def resolution_s(width_hz: float) -> float:
    """Return the full width at half maximum of a wavelet's power over time (s).

    >>> round(resolution_s(2.0), 3)
    0.221
    """
    return _FWHM / float(np.sqrt(2)) * time_deviation_s(width_hz)


def margin_s(width_hz: float) -> float:
    """Return how much signal a wavelet needs on each side (s)."""
    return _REACH * time_deviation_s(width_hz)


def power_over_time(X: F64, rate_hz: float, freqs_hz: F64, times_s: F64, width_hz: float) -> F64:
    """Return the power of signals under Morlet wavelets of one bandwidth.

    In the frequency domain a Morlet wavelet is a Gaussian: the few Fourier coefficients under it
    are turned back at the times that are wanted, by one product.

    Parameters
    ----------
    X : ndarray of float64, shape (..., n_times)
        Their mean and trend are taken out.
    rate_hz : float
    freqs_hz : ndarray of float64, shape (n_freqs,)
    times_s : ndarray of float64, shape (n_steps,)
        From the first sample.
    width_hz : float
        Full width of the power's response at half of its maximum.

    Returns
    -------
    ndarray of float64, shape (..., n_freqs, n_steps)
        Mean square of the band's signal, in the square of the signals' unit.

    Raises
    ------
    SettingsError
        For a frequency above half of the rate, or times whose wavelets reach out of the signals.
    """
    check_frequencies(float(freqs_hz.max()) + width_hz, rate_hz)
    n_times = X.shape[-1]
    margin_s = _REACH * time_deviation_s(width_hz)
    # Spans are cut to whole samples: on either side up to one may be missing.
    if (
        times_s.min() < margin_s - 1 / rate_hz
        or times_s.max() > (n_times + 1) / rate_hz - margin_s + 1e-9
    ):
        raise SettingsError(
            f"wavelets {width_hz:g} Hz wide need {margin_s:.3g} s of signal on each side: cut "
            "longer trials, or widen them"
        )
    deviation_hz = _frequency_deviation_hz(width_hz)
    found_hz = np.fft.rfftfreq(n_times, 1 / rate_hz)
    coefficients: C128 = np.fft.rfft(detrend(X, axis=-1), axis=-1)
    power = np.empty((*X.shape[:-1], len(freqs_hz), len(times_s)))
    for index, freq_hz in enumerate(freqs_hz):
        near = np.flatnonzero(np.abs(found_hz - freq_hz) <= _REACH * deviation_hz)
        # Not 0 Hz: a wavelet has no mean.
        near = near[near > 0]
        gain = np.exp(-0.5 * ((found_hz[near] - freq_hz) / deviation_hz) ** 2)
        # The analytic signal has twice the coefficients of positive frequencies.
        turns = np.exp(2j * np.pi * found_hz[near, None] * times_s) * gain[:, None] * 2 / n_times
        band = coefficients[..., near] @ turns
        # A sine's mean square is half of its squared amplitude.
        power[..., index, :] = 0.5 * (band.real**2 + band.imag**2)
    return power
