"""The Siegel disk against plain formulas, its isometries, and SPD matrices of twice the size."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bci.riemann import (
    riemannian_mean,
    siegel_exp,
    siegel_frame,
    siegel_logarithms,
    siegel_mean,
    siegel_squared_distances,
    squared_distances,
    whitening,
)


def disk(rng, n_points, n, largest=0.95):
    """Return points of any orientation, largest singular value spread up to `largest`."""
    G = rng.standard_normal((n_points, n, n))
    norms = np.linalg.norm(G, 2, axis=(1, 2))[:, None, None]
    return G / norms * rng.uniform(0.05, largest, (n_points, 1, 1))


def orthogonal(rng, n):
    """Return a random orthogonal matrix."""
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def distance(X, M):
    """Return the squared distance of two points."""
    return siegel_squared_distances(X[None], siegel_frame(M))[0]


def moebius(X, M):
    """Return phi_M(X) by the textbook's formula."""
    eye = np.eye(len(M))
    left = scipy.linalg.inv(scipy.linalg.sqrtm(eye - M @ M.T))
    right = scipy.linalg.sqrtm(eye - M.T @ M)
    return left @ (X - M) @ scipy.linalg.inv(eye - M.T @ X) @ right


def plain_distance(X, M):
    """Return the squared distance by the matrix cross-ratio (Cabanes 2022)."""
    eye = np.eye(len(M))
    inverse = scipy.linalg.inv
    C = (X - M) @ inverse(eye - M.T @ X) @ (X - M).T @ inverse(eye - M @ X.T)
    root = np.sqrt(scipy.linalg.eigvals(C).real.clip(0))
    return 0.25 * np.sum(np.log((1 + root) / (1 - root)) ** 2)


def as_spd(X):
    """Map points to SPD matrices of twice the size: geodesics stay geodesics.

    The mean of the disk is that of the matrices, and 8 times its squared distances theirs.
    """
    eye = np.eye(X.shape[1])
    blocks = []
    for x in X:
        left, right = np.linalg.inv(eye - x @ x.T), np.linalg.inv(eye - x.T @ x)
        blocks.append(
            np.block(
                [[(eye + x @ x.T) @ left, 2 * left @ x], [2 * x.T @ left, (eye + x.T @ x) @ right]]
            )
        )
    return np.array(blocks)


SIZES = {"seed": st.integers(0, 2**32 - 1), "n": st.integers(1, 9)}


class TestDistance:
    """Squared distances."""

    @given(**SIZES)
    def test_is_that_of_the_cross_ratio(self, seed, n):
        """Relative 1e-10 to the plain formula."""
        rng = np.random.default_rng(seed)
        X, M = disk(rng, 2, n, 0.9)
        assert_allclose(distance(X, M), plain_distance(X, M), rtol=1e-10, atol=1e-12)

    @given(**SIZES)
    def test_is_an_eighth_of_that_of_spd_matrices(self, seed, n):
        """The disk stands in SPD(2 n), totally geodesic."""
        X, M = disk(np.random.default_rng(seed), 2, n, 0.9)
        A, B = as_spd(np.array([X, M]))
        assert_allclose(
            8 * distance(X, M), squared_distances(A[None], whitening(B))[0], rtol=1e-9, atol=1e-10
        )

    @given(**SIZES)
    def test_to_zero_is_that_of_the_singular_values(self, seed, n):
        """Sum of the squared inverse hyperbolic tangents."""
        (X,) = disk(np.random.default_rng(seed), 1, n)
        expected = np.sum(np.arctanh(np.linalg.svd(X)[1]) ** 2)
        assert_allclose(distance(X, np.zeros((n, n))), expected, rtol=1e-12)

    @given(**SIZES)
    def test_isometries_keep_it(self, seed, n):
        """Moebius maps, orthogonal factors on either side, transposition; and it is symmetric."""
        rng = np.random.default_rng(seed)
        X, Y, M = disk(rng, 3, n, 0.9)
        expected = distance(X, Y)
        left, right = orthogonal(rng, n), orthogonal(rng, n)
        close = {"rtol": 1e-10, "atol": 1e-12}
        assert_allclose(distance(Y, X), expected, **close)
        assert_allclose(distance(left @ X @ right, left @ Y @ right), expected, **close)
        assert_allclose(distance(X.T, Y.T), expected, **close)
        assert_allclose(distance(moebius(X, M), moebius(Y, M)), expected, **close)

    @pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12])
    def test_keeps_digits_near_the_edge(self, gap):
        """A singular value of 1 - gap: the error is that of representing it."""
        rng = np.random.default_rng(0)
        left, right = orthogonal(rng, 4), orthogonal(rng, 4)
        s = np.array([1 - gap, 0.5, 0.2, 0.0])
        expected = np.sum(np.arctanh(s) ** 2)
        found = distance(left @ np.diag(s) @ right, np.zeros((4, 4)))
        assert_allclose(found, expected, rtol=1e-15 / gap + 1e-14)

    def test_is_finite_on_the_edge_and_rounded_over_it(self):
        """A singular value of 1 counts as the largest double below it."""
        for s in (1.0, 1.0 + 1e-15):
            assert 300 < distance(s * np.eye(1), np.zeros((1, 1))) < 400
            vectors = siegel_logarithms(s * np.eye(2)[None], siegel_frame(0.5 * np.eye(2)))
            assert np.isfinite(vectors).all()


class TestLogarithmAndExp:
    """Tangent vectors."""

    @given(**SIZES)
    def test_exp_undoes_the_logarithm(self, seed, n):
        """And the squared length of the logarithm is the squared distance."""
        rng = np.random.default_rng(seed)
        X, M = disk(rng, 2, n)
        frame = siegel_frame(M)
        V = siegel_logarithms(X[None], frame)[0]
        assert_allclose(siegel_exp(V, frame), X, atol=1e-10)
        assert_allclose(np.sum(V**2), distance(X, M), rtol=1e-9, atol=1e-12)

    def test_of_itself_is_zero(self):
        """No direction, no length, and no division by zero."""
        M = disk(np.random.default_rng(1), 1, 5)
        assert_allclose(siegel_logarithms(M, siegel_frame(M[0])), 0.0, atol=1e-14)
        zero = np.zeros((1, 3, 3))
        assert not siegel_logarithms(zero, siegel_frame(zero[0])).any()

    @pytest.mark.parametrize("largest", [0.0, 1e-6, 0.3, 0.6, 0.79, 0.81, 0.99])
    def test_series_and_eigenvalues_agree(self, largest):
        """Small points go by a series, large ones by eigenvalues: the same numbers."""
        rng = np.random.default_rng(6)
        U, _, V = np.linalg.svd(rng.standard_normal((5, 8, 8)))
        s = largest * np.linspace(0, 1, 8) ** 2
        found = siegel_logarithms((U * s) @ V, siegel_frame(np.zeros((8, 8))))
        expected = (U * np.arctanh(s)) @ V
        assert_allclose(found, expected, rtol=0, atol=4e-15 / (1 - largest) ** 0.5)


class TestMean:
    """The Karcher mean."""

    @given(**SIZES)
    def test_of_two_is_the_midpoint(self, seed, n):
        """Half the logarithm of one at the other."""
        X = disk(np.random.default_rng(seed), 2, n, 0.9)
        frame = siegel_frame(X[0])
        middle = siegel_exp(0.5 * siegel_logarithms(X[1:], frame)[0], frame)
        assert_allclose(siegel_mean(X, 1e-12), middle, atol=1e-9)

    @given(**SIZES)
    def test_is_that_of_spd_matrices_of_twice_the_size(self, seed, n):
        """Independent: another descent, in another space."""
        X = disk(np.random.default_rng(seed), 7, n, 0.9)
        found = as_spd(siegel_mean(X, 1e-11)[None])[0]
        assert_allclose(found, riemannian_mean(as_spd(X), 1e-11), rtol=1e-8, atol=1e-8)

    @given(**SIZES)
    def test_moves_with_isometries(self, seed, n):
        """The mean of moved points is the moved mean; of equal points, that point."""
        rng = np.random.default_rng(seed)
        X = disk(rng, 6, n, 0.9)
        (M,) = disk(rng, 1, n, 0.9)
        left, right = orthogonal(rng, n), orthogonal(rng, n)
        mean = siegel_mean(X, 1e-11)
        moved = np.array([moebius(left @ x @ right, M) for x in X])
        assert_allclose(siegel_mean(moved, 1e-11), moebius(left @ mean @ right, M), atol=1e-8)
        assert_allclose(siegel_mean(np.stack([M] * 3)), M, atol=1e-12)

    def test_far_points_on_the_edge(self):
        """Points that are nearly opposite on the edge: steps are controlled, the descent ends."""
        rng = np.random.default_rng(2)
        X = np.array([(1 - 1e-7) * orthogonal(rng, 6) for _ in range(12)])
        mean = siegel_mean(X)
        gradient = siegel_logarithms(X, siegel_frame(mean)).mean(axis=0)
        assert np.linalg.norm(gradient) < 1e-6

    def test_a_descent_without_end_is_logged(self, caplog):
        """One iteration is too few; the point is returned all the same."""
        X = disk(np.random.default_rng(3), 5, 4)
        mean = siegel_mean(X, max_iterations=1)
        assert np.linalg.norm(mean, 2) < 1
        assert "stopped after 1 iterations" in caplog.text


def test_bits_do_not_depend_on_company():
    """One point alone and among others."""
    rng = np.random.default_rng(4)
    X = disk(rng, 9, 7)
    frame = siegel_frame(disk(rng, 1, 7)[0])
    together = siegel_logarithms(X, frame), siegel_squared_distances(X, frame)
    for i in range(9):
        one = np.asfortranarray(X[i : i + 1])
        assert (siegel_logarithms(one, frame)[0] == together[0][i]).all()
        assert siegel_squared_distances(one, frame)[0] == together[1][i]
