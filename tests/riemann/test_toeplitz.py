"""Block-Toeplitz autocovariances and their reflection coefficients."""

import importlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.covariance import OAS, LedoitWolf

from bci.errors import SettingsError
from bci.riemann import (
    RIDGE,
    augmented_covariances,
    autocovariances,
    reflection_coefficients,
)


def toeplitz(R):
    """Return the block-Toeplitz matrix of autocovariances."""
    order = len(R)
    return np.block(
        [[R[j - i] if j >= i else R[i - j].T for j in range(order)] for i in range(order)]
    )


def padded(x, order, lag):
    """Return the augmented signal of a window that is zero outside, shape (samples, rows)."""
    n_channels, n_times = x.shape
    span = (order - 1) * lag
    z = x - x.mean(axis=1, keepdims=True)
    long = np.zeros((n_channels, n_times + 2 * span))
    long[:, span : span + n_times] = z
    return np.concatenate([long[:, i * lag : i * lag + n_times + span] for i in range(order)]).T


@pytest.fixture(scope="module")
def growing_inverses():
    """Return the coefficients' formulas as Carrara and Papadopoulo have them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        return importlib.import_module("tests.benchmarks.bt_acm").growing_inverses


def scalar_process(coefficients):
    """Return the exact autocovariances of a process of variance 1 with given reflections."""
    r, predictor, error = [Fraction(1)], [], Fraction(1)
    for k in map(Fraction, coefficients):
        r.append(k * error + sum(a * c for a, c in zip(predictor, r[:0:-1], strict=True)))
        predictor = [
            *(a - k * b for a, b in zip(predictor, predictor[::-1], strict=True)),
            k,
        ]
        error *= 1 - k * k
    return [float(value) for value in r]


SHAPES = {
    "seed": st.integers(0, 2**32 - 1),
    "n_channels": st.integers(1, 5),
    "order": st.integers(1, 5),
    "lag": st.integers(1, 7),
    "n_times": st.integers(30, 90),
}


def signals(seed, n_channels, n_times):
    """Return two windows of mixed random walks that decay, with an offset."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, n_channels, n_times))
    for t in range(1, n_times):
        x[..., t] += 0.8 * x[..., t - 1]
    return rng.standard_normal((n_channels, n_channels)) @ x + rng.standard_normal((n_channels, 1))


class TestAutocovariances:
    """The estimate."""

    @given(**SHAPES)
    def test_is_the_covariance_of_the_padded_augmented_signal(
        self, seed, n_channels, order, lag, n_times
    ):
        """scm: products of the explicitly stacked, zero-padded signal, and the ridge."""
        X = signals(seed, n_channels, n_times)
        for x, R in zip(X, autocovariances(X, order, lag, "scm"), strict=True):
            y = padded(x, order, lag)
            S = y.T @ y / n_times
            S += RIDGE * np.trace(S) / len(S) * np.eye(len(S))
            assert_allclose(toeplitz(R), S, rtol=1e-10, atol=1e-12 * np.abs(S).max())
            assert np.linalg.eigvalsh(S)[0] > 0

    @given(**SHAPES)
    def test_shrinkage_is_that_of_scikit_learn(self, seed, n_channels, order, lag, n_times):
        """OAS and Ledoit-Wolf of a signal with silent ends, where counting n_times is exact."""
        X = signals(seed, n_channels, n_times)
        X -= X.mean(axis=2, keepdims=True)
        silence = np.zeros((2, n_channels, (order - 1) * lag))
        longer = np.concatenate([silence, X, silence], axis=2)
        for name, peer in (("oas", OAS), ("lwf", LedoitWolf)):
            for x, found in zip(longer, autocovariances(longer, order, lag, name), strict=True):
                y = padded(x, order, lag)[silence.shape[2] :]
                assert len(y) == x.shape[1]
                expected = peer(assume_centered=True).fit(y).covariance_
                assert_allclose(toeplitz(found), expected, rtol=1e-9, atol=1e-12 * expected.max())

    def test_at_order_one_is_the_plain_covariance(self):
        """Of every estimator."""
        X = signals(0, 4, 60)
        for name in ("oas", "lwf", "scm"):
            plain = augmented_covariances(X, 1, 1, name)
            plain += (
                RIDGE
                * (name == "scm")
                * np.trace(plain, axis1=1, axis2=2)[:, None, None]
                / 4
                * (np.eye(4))
            )
            assert_allclose(autocovariances(X, 1, 9, name)[:, 0], plain, rtol=1e-12, atol=1e-13)

    def test_a_window_of_zeros_gives_zeros(self):
        """And no warning; its coefficients are zero."""
        for name in ("oas", "lwf", "scm"):
            R = autocovariances(np.zeros((1, 3, 40)), 3, 2, name)
            assert not R.any()
            assert not reflection_coefficients(R).any()

    def test_wrong_settings_are_named(self):
        """As augmented_covariances names them."""
        X = np.zeros((1, 2, 20))
        with pytest.raises(SettingsError, match="covariance estimator 'mcd'"):
            autocovariances(X, 1, 1, "mcd")
        with pytest.raises(SettingsError, match="windows of at least 22"):
            autocovariances(X, 3, 10)
        with pytest.raises(SettingsError, match="order 0"):
            autocovariances(X, 0, 1)


class TestReflectionCoefficients:
    """The coordinates of a block-Toeplitz matrix."""

    @given(**SHAPES)
    def test_are_those_of_growing_inverses(
        self, growing_inverses, seed, n_channels, order, lag, n_times
    ):
        """To 1e-10 those of the paper's formulas, or what these lose to the matrix's condition."""
        R = autocovariances(signals(seed, n_channels, n_times), order + 1, lag)
        omega = reflection_coefficients(R)
        assert omega.shape == (2, order, n_channels, n_channels)
        for found, one in zip(omega, R, strict=True):
            lost = max(1e-10, 1e-15 * np.linalg.cond(toeplitz(one)))
            assert_allclose(found, growing_inverses(one), atol=lost)

    @given(**SHAPES)
    def test_lie_in_the_disk(self, seed, n_channels, order, lag, n_times):
        """Whatever the estimator, an average reference and a doubled channel included."""
        X = signals(seed, n_channels, n_times)
        X = np.concatenate([X - X.mean(axis=1, keepdims=True), X[:, :1]], axis=1)
        for name in ("oas", "lwf", "scm"):
            omega = reflection_coefficients(autocovariances(X, order + 1, lag, name))
            assert np.linalg.norm(omega, 2, axis=(2, 3)).max() < 1 + 1e-12

    @pytest.mark.parametrize("gap", [2.0**-7, 2.0**-14, 2.0**-20, 2.0**-30])
    def test_come_back_near_the_edge(self, gap):
        """Processes with a coefficient of 1 - gap, made in exact fractions and mixed."""
        known = np.array([[1 - gap, 0.5, -0.25], [0.5, gap - 1, 0.75], [0.25, 0.5, 1 - gap]])
        Q = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
        r = np.array([scalar_process(coefficients) for coefficients in known]).T
        R = 1e-10 * (Q * r[:, None, :]) @ Q.T
        expected = (Q * known.T[:, None, :]) @ Q.T
        found = reflection_coefficients(R[None])[0]
        # The rounding of R alone moves by eps / gap what follows a coefficient near the edge;
        # channels that reach it one after the other disturb each other.
        assert_allclose(found, expected, atol=1e-14 + 1e-15 / gap**1.5)
        assert np.linalg.norm(found, 2, axis=(1, 2)).max() < 1

    def test_of_a_rotated_montage_are_rotated(self):
        """Orthogonal channel mixtures Q act as ``Q omega Q'``; scale does not act."""
        X = signals(2, 4, 80)
        Q = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))[0]
        omega = reflection_coefficients(autocovariances(X, 4, 2))
        moved = reflection_coefficients(autocovariances(1e-6 * Q @ X, 4, 2))
        assert_allclose(moved, Q @ omega @ Q.T, atol=1e-11)

    def test_bits_do_not_depend_on_company(self):
        """One window alone and among others."""
        X = np.concatenate([signals(seed, 5, 90) for seed in range(4)])
        R = autocovariances(X, 4, 3)
        omega = reflection_coefficients(R)
        for i in range(len(X)):
            alone = autocovariances(X[i : i + 1], 4, 3)
            assert (alone[0] == R[i]).all()
            assert (reflection_coefficients(alone)[0] == omega[i]).all()
