"""Spectra of windows: three methods, one set of frequencies, the same bits however they come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import welch

from bci.errors import SettingsError
from bci.features.settings import SpectrumSettings
from bci.features.spectra import band_power, bins_of, spectra, spectra_at

RATE_HZ = 160.0
METHODS = ("burg", "welch", "multitaper")


def windows(seed: int, n_windows: int = 6) -> np.ndarray:
    """Return noise of three channels with a 12 Hz rhythm, offset included, in volts."""
    rng = np.random.default_rng(seed)
    times = np.arange(480) / RATE_HZ
    rhythm = np.sin(2 * np.pi * 12 * times + rng.uniform(0, 6, (n_windows, 1, 1)))
    return 1e-5 * (rng.standard_normal((n_windows, 3, 480)) + rhythm) + 3e-4


@pytest.mark.parametrize("method", METHODS)
def test_the_integral_is_the_variance_and_the_peak_is_found(method):
    """Whatever the method: power per Hz, largest at 12 Hz."""
    X = windows(0)
    found = spectra(X, RATE_HZ, SpectrumSettings(method=method, fmin_hz=0, fmax_hz=80))
    assert_allclose(found.power.sum(axis=-1), X.var(axis=-1), rtol=0.2)
    peaks_hz = found.freqs_hz[found.power.mean(axis=0).argmax(axis=-1)]
    assert_allclose(peaks_hz, 12.0, atol=1.0)


@settings(max_examples=20)
@given(segment_s=st.sampled_from([1.0, 1.5, 2.0]), seed=st.integers(0, 1000))
def test_segments_give_what_scipy_gives(segment_s, seed):
    """At the frequencies nearest to those that are asked for."""
    X = windows(seed, 2)
    found = spectra(X, RATE_HZ, SpectrumSettings(method="welch", segment_s=segment_s))
    freqs_hz, power = welch(X, RATE_HZ, nperseg=round(segment_s * RATE_HZ))
    at = [np.abs(freqs_hz - wanted).argmin() for wanted in np.arange(4.0, 41.0)]
    assert_allclose(found.freqs_hz, freqs_hz[at])
    assert_allclose(found.power, power[..., at], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_one_window_gives_the_same_bits_as_many(method):
    """And some of the frequencies the same numbers as all of them."""
    X = windows(1)
    given = SpectrumSettings(method=method)
    together = spectra(X, RATE_HZ, given)
    for k in range(len(X)):
        assert_array_equal(spectra(X[k : k + 1], RATE_HZ, given).power[0], together.power[k])
    some = spectra_at(X, RATE_HZ, np.array([8.0, 13.0]), given)
    assert_allclose(some.power, together.power[..., [4, 9]], rtol=1e-12)


def test_bands_include_both_ends():
    """Means over the bins from 8 to 12 Hz; a band between two bins takes the nearest."""
    found = spectra(windows(2), RATE_HZ, SpectrumSettings())
    assert_allclose(band_power(found, (8.0, 12.0)), found.power[..., 4:9].mean(axis=-1))
    assert bins_of(found.freqs_hz, (8.2, 8.4)).tolist() == [4]


def test_a_silent_channel_has_the_smallest_power():
    """Its logarithm is a number."""
    X = windows(3)
    X[:, 1] = 0.0
    found = spectra(X, RATE_HZ, SpectrumSettings())
    assert np.isfinite(found.log_power).all()
    assert (found.log_power[:, 1] < -3000).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fmax_hz": 90.0}, "90 Hz lies above half of the sampling rate"),
        ({"order": 300}, "order 300 needs windows of at least 600 samples, these have 480"),
        ({"method": "welch", "segment_s": 4.0}, "segments of 4 s do not fit windows of 3 s"),
        ({"method": "welch", "segment_s": 0.5}, "a step of 1 Hz is finer than the resolution"),
        ({"method": "multitaper", "bandwidth_hz": 0.5}, "a bandwidth of 0.5 Hz needs longer"),
        ({"fmin_hz": 20.0, "fmax_hz": 10.0}, "the last must lie above the first"),
    ],
)
def test_what_a_window_does_not_hold_is_refused(changed, message):
    """One line that says what to change."""
    with pytest.raises(SettingsError, match=message):
        spectra(windows(4), RATE_HZ, SpectrumSettings.make(**changed))


def test_a_band_outside_of_the_spectrum_is_refused():
    """With the frequencies that there are."""
    found = spectra(windows(5), RATE_HZ, SpectrumSettings())
    with pytest.raises(SettingsError, match="band 50 to 60 Hz: the spectrum has 4 to 40 Hz"):
        band_power(found, (50.0, 60.0))
