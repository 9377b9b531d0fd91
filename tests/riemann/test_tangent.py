"""Tangent space, distances and mean against pyriemann, and by their invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pyriemann.geometry.distance import distance_logeuclid, distance_riemann
from pyriemann.geometry.tangentspace import tangent_space
from pyriemann.geometry.tangentspace import upper as peer_upper

from bci.errors import TrialError
from bci.riemann import (
    RIDGE,
    log_whitened,
    regularised,
    squared_distances,
    squared_log_euclidean_distances,
    symmetric_exp,
    tangent_vectors,
    untangent,
    upper,
    whitening,
)


def definite(seed, n_matrices, n, scale=1.0, spread=1.0):
    """Random positive definite matrices of a given scale and (log) spread of eigenvalues."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n_matrices, n, n)))
    eigenvalues = np.exp(spread * rng.standard_normal((n_matrices, 1, n)))
    return scale * (Q * eigenvalues) @ Q.transpose(0, 2, 1)


cases = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.sampled_from([1e-12, 1.0, 1e6]),
    st.sampled_from([0.1, 1.0, 3.0]),
)


class TestAgainstPyriemann:
    """Equality."""

    @settings(deadline=None, max_examples=40)
    @given(case=cases)
    def test_tangent_vectors_and_distances(self, case):
        """Equal to 1e-9 over sizes, scales and condition numbers."""
        seed, n, scale, spread = case
        C = definite(seed, 4, n, scale, spread)
        reference = C[3]
        W = whitening(reference)
        vectors = tangent_vectors(C, W)
        size = np.linalg.norm(vectors, axis=1).max() + 1.0
        assert np.abs(vectors - tangent_space(C, reference)).max() < 1e-9 * size
        distances = distance_riemann(C, reference, squared=True).ravel()
        assert_allclose(squared_distances(C, W), distances, rtol=1e-8, atol=1e-8)

    @settings(deadline=None, max_examples=30)
    @given(case=cases)
    def test_log_euclidean_distances(self, case):
        """Equal to 1e-9 over sizes, scales and condition numbers."""
        C = definite(case[0], 4, *case[1:])
        distances = distance_logeuclid(C, C[3], squared=True).ravel()
        ours = squared_log_euclidean_distances(C, C[3])
        assert_allclose(ours, distances, rtol=1e-9, atol=1e-9)

    def test_upper_has_the_order_of_pyriemann(self):
        """Row by row, off-diagonal entries times the square root of two."""
        L = definite(0, 3, 5)
        assert_allclose(upper(L), peer_upper(L), rtol=1e-15)


class TestInvariances:
    """Theorems."""

    @settings(deadline=None, max_examples=40)
    @given(case=cases)
    def test_logarithm_and_exponential_undo_each_other(self, case):
        """exp(log(W C W)) is W C W; `untangent` undoes `upper` exactly."""
        seed, n, scale, spread = case
        C = definite(seed, 3, n, scale, spread)
        W = whitening(C[2])
        L = log_whitened(C, W)
        back = symmetric_exp(untangent(upper(L)))
        whitened = W @ C @ W
        assert np.abs(back - whitened).max() < 1e-9 * np.abs(whitened).max()

    @settings(deadline=None, max_examples=30)
    @given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 10))
    def test_distances_do_not_change_under_a_linear_map(self, seed, n):
        """d(A C A', A M A') = d(C, M): mixing the channels changes no distance."""
        C = definite(seed, 3, n)
        A = np.random.default_rng(seed + 1).standard_normal((n, n)) + 3 * np.eye(n)
        mixed = A @ C @ A.T
        assert_allclose(
            squared_distances(mixed, whitening(mixed[0])),
            squared_distances(C, whitening(C[0])),
            rtol=1e-6,
            atol=1e-8,
        )

    def test_a_matrix_does_not_depend_on_its_company(self):
        """Alone or among others, the same bits."""
        C = definite(5, 6, 8)
        W = whitening(C[0])
        assert_array_equal(tangent_vectors(C, W)[2:3], tangent_vectors(C[2:3], W))
        assert_array_equal(squared_distances(C, W)[2:3], squared_distances(C[2:3], W))


class TestTrouble:
    """Singular, empty and slow."""

    def test_singular_matrices_are_refused(self):
        """A singular reference says what to do."""
        C = definite(6, 4, 3)
        C[:, 2, :] = C[:, :, 2] = 0.0
        with pytest.raises(TrialError, match="positive definite"):
            whitening(C[0])

    def test_regularised_adds_the_stated_ridge(self):
        """The diagonal grows by RIDGE times the mean variance, nothing else changes."""
        C = definite(7, 2, 4)
        added = regularised(C) - C
        expected = RIDGE * np.trace(C, axis1=1, axis2=2) / 4
        assert_allclose(np.diagonal(added, axis1=1, axis2=2), expected[:, None] * np.ones(4), 1e-5)
        assert np.abs(added[:, ~np.eye(4, dtype=bool)]).max() == 0

    def test_a_window_of_zeros_has_finite_vectors(self):
        """No signal at all gives large numbers, no infinities."""
        assert np.isfinite(tangent_vectors(np.zeros((1, 3, 3)), np.eye(3))).all()
