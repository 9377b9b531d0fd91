"""Delay and dimension from the dynamics alone, on systems whose answers are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.signal import lfilter

from bci.decoders.phase_space import (
    ar_order,
    autocorrelation,
    false_neighbours,
    first_below,
    first_minimum,
    mutual_information,
    phase_space,
)


@pytest.fixture(scope="module")
def lorenz() -> np.ndarray:
    """Return x of Lorenz's system (sigma 10, r 28, b 8/3), every 0.02 time units."""

    def velocity(_, state):
        x, y, z = state
        return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]

    times = np.arange(20, 220, 0.02)
    path = solve_ivp(velocity, (0, 220), [1.0, 1.0, 20.0], t_eval=times, rtol=1e-8, atol=1e-8)
    return path.y[0]


def henon(n: int) -> np.ndarray:
    """Return x of the map of Henon (a 1.4, b 0.3)."""
    x = [0.1, 0.2]
    for _ in range(n + 100):
        x.append(1 - 1.4 * x[-1] ** 2 + 0.3 * x[-2])
    return np.array(x[-n:])


def autoregression(coefficients: list[float], n_segments: int, n_times: int) -> np.ndarray:
    """Return segments of a stationary autoregression."""
    white = np.random.default_rng(0).standard_normal((n_segments, n_times + 500))
    return lfilter([1.0], [1.0, *(-c for c in coefficients)], white, axis=1)[:, 500:]


@pytest.mark.parametrize("period", [12, 20, 40])
def test_a_sine_crosses_zero_after_a_quarter_period(period):
    """The autocorrelation of a sine is a cosine."""
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (30, 1))
    segments = np.sin(2 * np.pi * np.arange(40 * period) / period + phases)
    correlation = autocorrelation(segments, period)
    assert_allclose(correlation, np.cos(2 * np.pi * np.arange(period + 1) / period), atol=0.03)
    assert abs(first_below(correlation, 0.0) - period / 4) <= 1
    assert first_below(correlation, 1 / np.e) == np.ceil(period * np.arccos(1 / np.e) / 2 / np.pi)


def test_an_exponential_decay_is_timed_by_1_over_e():
    """AR(1) with coefficient a falls below 1/e after 1 / -log(a) samples, and never to zero."""
    segments = autoregression([0.9], 200, 2000)
    correlation = autocorrelation(segments, 60)
    assert_allclose(correlation[:15], 0.9 ** np.arange(15), atol=0.02)
    assert first_below(correlation, 1 / np.e) == 10
    assert first_below(correlation[:20], 0.0) == 19  # no crossing: the longest


def test_mutual_information_of_a_gaussian_process():
    """It is -log(1 - r^2) / 2 for Gaussian values of correlation r (less what bins lose)."""
    segments = autoregression([0.8], 100, 5000)
    information = mutual_information(segments, 8)
    r = 0.8 ** np.arange(1, 9)
    assert_allclose(information[1:], -np.log(1 - r**2) / 2, atol=0.02)
    assert information[0] == pytest.approx(np.log(32), abs=0.01)


def test_the_delay_of_the_lorenz_system(lorenz):
    """The first minimum of mutual information of x lies near 0.17 time units."""
    information = mutual_information(lorenz[None], 30)
    assert 8 <= first_minimum(information) <= 10
    assert first_minimum(np.array([3.0, 2.0, 1.0])) == 2  # none: the last place


def test_the_lorenz_system_unfolds_in_three_dimensions(lorenz):
    """Its false neighbours vanish at dimension three (Kennel et al. 1992), not at two."""
    shares = false_neighbours(lorenz[None, :5000], 8, 5)
    assert shares[0] > 0.5
    assert shares[1] > 0.05
    assert (shares[2:] < 0.01).all()


def test_the_henon_map_unfolds_in_two_dimensions():
    """Two values determine the next."""
    shares = false_neighbours(henon(3000)[None], 1, 4)
    assert shares[0] > 0.3
    assert (shares[1:] < 0.01).all()


def test_noise_never_unfolds():
    """False neighbours of white noise stay, also where many dimensions make all points distant."""
    noise = np.random.default_rng(0).standard_normal((2, 1500))
    assert (false_neighbours(noise, 1, 6) > 0.15).all()


@pytest.mark.parametrize(
    "coefficients", [[], [0.7], [1.2, -0.6], [0.5, -0.3, 0.4], [1.3, -0.8, 0.3, 0.1, -0.4]]
)
def test_the_order_of_an_autoregression_is_found(coefficients):
    """The Bayesian criterion names the order that made the signal."""
    segments = autoregression(coefficients, 50, 3000)
    assert ar_order(segments, 10) == len(coefficients)


def test_segments_too_short_have_no_neighbours():
    """NaN says that nothing could be counted."""
    shares = false_neighbours(np.random.default_rng(0).standard_normal((3, 40)), 10, 6)
    assert np.isnan(shares[-1])


def test_all_rules_together_stay_in_their_range():
    """Windows of an oscillation: every delay and dimension lies within what was looked at."""
    segments = autoregression([1.6, -0.8], 60, 400).reshape(20, 3, 400)
    found = phase_space(segments, 10, 6)
    assert found.ar_order == 2
    assert all(1 <= delay <= 10 for delay in found[:3])
    assert 1 <= found.false_neighbours <= 6
    scaled = phase_space(1e-6 * segments + 1.0, 10, 6)
    assert scaled == found
