"""Means against pyriemann's, and by their theorems."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pyriemann.geometry.mean import mean_logeuclid, mean_riemann

from bci.errors import TrialError
from bci.riemann import (
    augmented_covariances,
    euclidean_mean,
    log_euclidean_mean,
    log_whitened,
    riemannian_mean,
    whitening,
)


def definite(seed, n_matrices, n, spread=1.0):
    """Random positive definite matrices with a given (log) spread of eigenvalues."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n_matrices, n, n)))
    eigenvalues = np.exp(spread * rng.standard_normal((n_matrices, 1, n)))
    C = (Q * eigenvalues) @ Q.transpose(0, 2, 1)
    return (C + C.transpose(0, 2, 1)) / 2


def gradient(C, M, weights=None):
    """Norm of the gradient at M."""
    mean = np.average(log_whitened(C, whitening(M)), axis=0, weights=weights)
    return np.linalg.norm(mean)


def relative(ours, theirs):
    """Frobenius norm of the difference, over that of the matrix."""
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


cases = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 12), st.floats(0.05, 2.5)
)


class TestAgainstPyriemann:
    """Equality."""

    @settings(deadline=None, max_examples=25)
    @given(case=cases)
    def test_riemannian(self, case):
        """Any number, size and spread: the gradient is below the tolerance, the mean the same."""
        C = definite(*case)
        M = riemannian_mean(C, max_iterations=200)
        assert gradient(C, M) < 2e-8
        theirs = mean_riemann(C, tol=1e-11, maxiter=1000)
        assert relative(M, theirs) < 1e-7

    @settings(deadline=None, max_examples=12)
    @given(seed=st.integers(0, 2**32 - 1), volts=st.sampled_from([1e-12, 1.0, 1e8]))
    def test_weights_and_scale(self, seed, volts):
        """Weights of any sum, covariances of any scale."""
        C = definite(seed, 9, 5)
        weights = np.random.default_rng(seed).uniform(0, 3, 9)
        ours = riemannian_mean(volts * C, tolerance=1e-11, weights=weights) / volts
        assert relative(ours, mean_riemann(C, tol=1e-12, sample_weight=weights)) < 1e-9

    def test_tight_tolerance(self):
        """At a gradient of 1e-11, to 1e-11; augmented covariances of 22 channels."""
        X = np.random.default_rng(0).standard_normal((30, 22, 400)).cumsum(axis=2) * 1e-6
        C = augmented_covariances(np.diff(X, axis=2), 2, 3)
        scale = np.trace(C[0])
        theirs = mean_riemann(C / scale, tol=1e-13, maxiter=200) * scale
        assert relative(riemannian_mean(C, 1e-11), theirs) < 1e-11

    def test_log_euclidean(self):
        """To 1e-12, with and without weights."""
        C = definite(1, 8, 6)
        weights = np.arange(1.0, 9.0)
        assert relative(log_euclidean_mean(C), mean_logeuclid(C)) < 1e-12
        theirs = mean_logeuclid(C, sample_weight=weights)
        assert relative(log_euclidean_mean(C, weights=weights), theirs) < 1e-12

    def test_euclidean(self):
        """The weighted average."""
        C = definite(2, 4, 3)
        assert_allclose(euclidean_mean(C), C.mean(axis=0), rtol=1e-14)
        weights = np.array([1.0, 0.0, 2.0, 1.0])
        expected = np.average(C, axis=0, weights=weights)
        assert_allclose(euclidean_mean(C, weights=weights), expected, rtol=1e-14)


class TestTheorems:
    """What holds for every mean."""

    def test_a_warm_start_ends_at_the_same_mean(self):
        """From the mean of more matrices, from one of them, from far away."""
        C = definite(3, 20, 8)
        cold = riemannian_mean(C[:15], 1e-11)
        for start in (riemannian_mean(C), C[0], 1e6 * np.eye(8), definite(4, 1, 8, 3.0)[0]):
            assert relative(riemannian_mean(C[:15], 1e-11, start=start), cold) < 1e-10

    @settings(deadline=None, max_examples=12)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_moves_with_a_linear_map(self, seed):
        """The mean of A C A' is A mean(C) A'; of inverses, the inverse."""
        C = definite(seed, 10, 5)
        A = np.random.default_rng(seed).standard_normal((5, 5)) + 3 * np.eye(5)
        M = riemannian_mean(C, 1e-11)
        assert relative(riemannian_mean(A @ C @ A.T, 1e-11), A @ M @ A.T) < 1e-9
        assert relative(riemannian_mean(np.linalg.inv(C), 1e-11), np.linalg.inv(M)) < 1e-9

    def test_channels_may_be_permuted(self):
        """Another order of channels, the same mean in that order."""
        C = definite(5, 10, 6)
        order = np.random.default_rng(0).permutation(6)
        moved = riemannian_mean(C[:, order][:, :, order], 1e-11)
        assert relative(moved, riemannian_mean(C, 1e-11)[np.ix_(order, order)]) < 1e-10

    def test_of_two_is_the_middle_of_their_geodesic(self):
        """mean(I, D) of a diagonal D is its square root, whatever the spread."""
        d = np.array([1e-5, 1e-2, 1.0, 40.0, 3e3])
        mean = riemannian_mean(np.stack([np.eye(5), np.diag(d)]), 1e-12)
        assert_allclose(np.diag(mean), np.sqrt(d), rtol=1e-10)

    def test_of_equals_is_that_matrix(self):
        """Copies of one matrix have it as their mean, of one kind or another."""
        C = np.repeat(definite(6, 1, 4), 5, axis=0)
        for mean in (euclidean_mean, log_euclidean_mean, riemannian_mean):
            assert_allclose(mean(C), C[0], rtol=1e-10)

    def test_is_symmetric_and_leaves_its_input_alone(self):
        """Bits equal those of the transpose; read-only stacks are taken."""
        C = definite(7, 6, 9)
        before = C.copy()
        C.flags.writeable = False
        mean = riemannian_mean(C)
        assert_array_equal(mean, mean.T)
        assert_array_equal(C, before)


class TestTrouble:
    """Singular, nearly so, and slow."""

    @pytest.mark.parametrize("fill", [0.0, np.nan, 1.0])
    def test_singular_matrices_are_refused(self, fill):
        """Nothing, no numbers, doubled channels: one line that says what to do."""
        with pytest.raises(TrialError, match="positive definite"):
            riemannian_mean(np.full((3, 2, 2), fill))

    def test_one_singular_matrix_is_enough(self):
        """The arithmetic mean is definite, one of the matrices is not."""
        C = definite(8, 5, 4)
        C[2] = np.diag([1.0, 1.0, 1.0, -1e-3])
        for mean in (riemannian_mean, log_euclidean_mean):
            with pytest.raises(TrialError, match="positive definite"):
                mean(C)

    def test_nearly_singular_matrices(self):
        """Condition numbers of 1e9, as the ridge on sample covariances leaves: pyriemann's mean."""
        C = definite(9, 6, 4)
        weak = np.eye(4)
        weak[3, 3] = 3e-5
        C = weak @ C @ weak
        A = np.random.default_rng(0).standard_normal((4, 4)) + 2 * np.eye(4)
        expected = weak @ riemannian_mean(definite(9, 6, 4), 1e-11) @ weak
        assert relative(riemannian_mean(A @ C @ A.T), A @ expected @ A.T) < 1e-6

    def test_a_descent_that_stops_early_is_logged(self, caplog):
        """Too few iterations: a log line instead of a warning, and a usable matrix."""
        with caplog.at_level(logging.WARNING):
            mean = riemannian_mean(definite(8, 10, 5), max_iterations=1)
        assert "stopped after 1 iterations" in caplog.text
        assert np.linalg.eigvalsh(mean)[0] > 0
