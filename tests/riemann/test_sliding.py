"""The sliding covariance is that of the window itself, whatever happened before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from bci.errors import SettingsError
from bci.riemann import SlidingCovariance, augmented_covariances


def largest_error(sliding, signal, n_times, hop, order, lag, estimator, ends=None):
    """Slide over a signal; return the largest relative difference from the direct computation."""
    worst, n_compared = 0.0, 0
    for end in range(hop, signal.shape[1] + 1, hop):
        if end < sliding.n_recent:
            continue
        sliding.append(signal[:, end - sliding.n_recent : end])
        if end < n_times or (ends is not None and end not in ends):
            continue
        assert sliding.ready
        window = signal[:, end - n_times : end]
        direct = augmented_covariances(window[None], order, lag, estimator)[0]
        error = np.abs(sliding.covariance(window) - direct).max() / np.abs(direct).max()
        worst, n_compared = max(worst, float(error)), n_compared + 1
    assert n_compared
    return worst


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_channels=st.integers(1, 5),
    order=st.integers(1, 4),
    lag=st.integers(1, 6),
    hop=st.integers(1, 12),
    n_hops=st.integers(1, 6),
    rest=st.integers(0, 11),
    estimator=st.sampled_from(["oas", "lwf", "scm"]),
    offset=st.sampled_from([0.0, 1e2]),
)
def test_it_is_the_direct_computation(
    seed, n_channels, order, lag, hop, n_hops, rest, estimator, offset
):
    """Any sizes, windows of whole hops or not, any estimator: equal to 1e-10 at every hop."""
    n_times = (order - 1) * lag + n_hops * hop + rest % hop
    if n_times - (order - 1) * lag < 2:
        return
    signal = np.random.default_rng(seed).standard_normal((n_channels, n_times + 9 * hop)) + offset
    sliding = SlidingCovariance(n_channels, n_times, hop, order, lag, estimator)
    assert largest_error(sliding, signal, n_times, hop, order, lag, estimator) < 1e-10


def test_an_artifact_that_has_left_leaves_nothing():
    """A spike of a million times the signal, gone from the window: 1e-12 as if it had not been."""
    signal = np.random.default_rng(0).standard_normal((3, 600))
    signal[:, 200] *= 1e6
    sliding = SlidingCovariance(3, 100, 8, 3, 4)
    assert largest_error(sliding, signal, 100, 8, 3, 4, "oas", ends=range(302, 601)) < 1e-12


def test_a_million_hops_later_it_is_still_exact():
    """A million hops (28 hours of ten a second), artifacts of 1e6 among them: never beyond 1e-12.

    Compared in windows without an artifact, where what one had left behind would show.
    """
    rng = np.random.default_rng(1)
    block = rng.standard_normal((2, 50_000))
    block[:, ::997] *= 1e6
    sliding = SlidingCovariance(2, 9, 2, 2, 1)
    tail = rng.standard_normal((2, 9))
    worst, n_hops, n_compared = 0.0, 0, 0
    while n_hops < 1_000_000:
        signal = np.concatenate([tail, block], axis=1)
        for end in range(11, signal.shape[1] + 1, 2):
            sliding.append(signal[:, end - 3 : end])
            n_hops += 1
            window = signal[:, end - 9 : end]
            if n_hops % 997 or not sliding.ready or np.abs(window).max() > 10:
                continue
            direct = augmented_covariances(window[None], 2, 1)[0]
            error = np.abs(sliding.covariance(window) - direct).max() / np.abs(direct).max()
            worst, n_compared = max(worst, float(error)), n_compared + 1
        tail = signal[:, -9:]
    assert n_compared > 900
    assert worst < 1e-12


def test_a_restart_forgets():
    """After a restart the bits are those of a new one."""
    signal = np.random.default_rng(2).standard_normal((3, 400))
    used, new = (SlidingCovariance(3, 60, 7, 2, 3) for _ in range(2))
    for end in range(140, 200, 7):
        used.append(1e3 * signal[:, end - used.n_recent : end])
    used.restart()
    assert not used.ready
    for end in range(200, 400, 7):
        for sliding in (used, new):
            sliding.append(signal[:, end - sliding.n_recent : end])
    window = signal[:, end - 60 : end]
    assert_array_equal(used.covariance(window), new.covariance(window))


def test_a_hop_longer_than_the_window_is_refused():
    """Nothing could be kept from one hop to the next."""
    with pytest.raises(SettingsError, match="shorter than a hop of 30"):
        SlidingCovariance(2, 32, 30, 2, 4)
