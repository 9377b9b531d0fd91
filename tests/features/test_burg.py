"""Burg's method against statsmodels, and against processes whose spectrum is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.regression.linear_model import burg as statsmodels_burg

from bci.errors import SettingsError
from bci.features.burg import ar_power, best_order, burg, pair_coherency

RATE_HZ = 100.0
FREQS_HZ = np.arange(1.0, 50.0)


def autoregression(coefficients: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return x[t] = sum of coefficients[k] @ x[t - 1 - k] + noise[t], shape (n_channels, n)."""
    x = np.zeros_like(noise)
    for t in range(len(coefficients), noise.shape[1]):
        x[:, t] = noise[:, t] + sum(A @ x[:, t - 1 - k] for k, A in enumerate(coefficients))
    return x


@given(
    seed=st.integers(0, 2**32 - 1), n_times=st.integers(20, 300), order=st.integers(1, 10),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)  # fmt: skip
def test_coefficients_are_those_of_statsmodels(seed, n_times, order, scale):
    """Whatever the length, the order and the unit."""
    x = scale * np.cumsum(np.random.default_rng(seed).standard_normal(n_times))
    a, variances = burg(x, order)
    theirs, _ = statsmodels_burg(x, order)
    assert_allclose(-a, theirs, rtol=1e-8, atol=1e-8)
    assert (np.diff(variances) <= 1e-12 * variances[0]).all()


def test_the_spectrum_is_that_of_the_process():
    """An autoregression of order 2 with a peak, from 200,000 samples: within 3 %."""
    noise = np.random.default_rng(0).standard_normal((1, 200_000))
    x = autoregression(np.array([[[1.6]], [[-0.8]]]), noise)
    a, variances = burg(x[0], 2)
    power = ar_power(a, variances[-1], FREQS_HZ, RATE_HZ)
    z = np.exp(-2j * np.pi * FREQS_HZ / RATE_HZ)
    known = 2 / RATE_HZ / np.abs(1 - 1.6 * z + 0.8 * z**2) ** 2
    assert_allclose(power, known, rtol=0.03)
    # One-sided: the integral is the variance.
    every_hz = np.linspace(0, RATE_HZ / 2, 4001)
    integral = np.trapezoid(ar_power(a, variances[-1], every_hz, RATE_HZ), every_hz)
    assert_allclose(integral, x.var(), rtol=1e-3)


def test_the_order_of_a_process_is_found():
    """Order 4 made, order 4 found by BIC; AIC takes that or a few more."""
    noise = np.random.default_rng(1).standard_normal((1, 40_000))
    # (1 - 1.6 z + 0.8 z^2) (1 - 0.4 z + 0.5 z^2), which is stable
    x = autoregression(np.array([[[2.0]], [[-1.94]], [[1.12]], [[-0.4]]]), noise)
    windows = x[0].reshape(20, 2, 1000)
    assert best_order(windows, 15, "bic") == 4
    assert 4 <= best_order(windows, 15, "aic") <= 8


def test_a_signal_that_does_not_move_has_no_power():
    """Neither a division by zero nor a trace in the others."""
    x = np.random.default_rng(2).standard_normal((3, 200))
    x[1] = 7.0
    a, variances = burg(x, 5)
    assert_array_equal(a[1], 0.0)
    assert_array_equal(ar_power(a, variances[:, -1], FREQS_HZ, RATE_HZ)[1], 0.0)
    assert_allclose(a[0], burg(x[0], 5)[0], rtol=1e-12)
    assert 1 <= best_order(x, 8) <= 8


def test_a_pair_has_the_coherency_of_the_process():
    """Two coupled channels of order 2: within .01 of the analytic coherency, phase and all."""
    A = np.array([[[0.5, 0.3], [0.0, 0.6]], [[-0.4, 0.0], [0.2, -0.5]]])
    noise = np.random.default_rng(3).standard_normal((2, 200_000))
    x = autoregression(A, noise)
    found = pair_coherency(x[None], np.array([[0, 1], [1, 0]]), 2, FREQS_HZ, RATE_HZ)[0]
    z = np.exp(-2j * np.pi * FREQS_HZ / RATE_HZ)[:, None, None]
    H = np.linalg.inv(np.eye(2) - A[0] * z - A[1] * z**2)
    S = H @ H.conj().transpose(0, 2, 1)
    known = S[:, 0, 1] / np.sqrt(S[:, 0, 0].real * S[:, 1, 1].real)
    assert_allclose(found[0], known, atol=0.01)
    assert_allclose(found[1], found[0].conj(), atol=1e-10)


def test_unrelated_channels_have_the_models_they_have_alone():
    """Two channels that share nothing: coherency near zero, as 1 / sqrt(n) wants."""
    x = np.random.default_rng(4).standard_normal((1, 2, 100_000))
    found = pair_coherency(x, np.array([[0, 1]]), 4, FREQS_HZ, RATE_HZ)
    assert np.abs(found).max() < 0.02


@pytest.mark.parametrize("order", [0, 51])
def test_an_order_too_high_for_the_window_is_refused(order):
    """The message says what the window would need."""
    with pytest.raises(SettingsError, match=f"order {order} needs windows"):
        burg(np.zeros((2, 100)), order)
    with pytest.raises(SettingsError, match=f"order {order} needs windows"):
        pair_coherency(np.zeros((1, 2, 100)), np.array([[0, 1]]), order, FREQS_HZ, RATE_HZ)
