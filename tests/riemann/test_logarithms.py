"""The compiled logarithm against eigenvalues and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import logm

from bci.riemann import (
    log_whitened,
    logarithms,
    squared_distances,
    tangent_vectors,
    upper,
    whitening,
)
from bci.riemann.poles import COUNTS, RANGES, TABLES


def definite(rng, n_matrices, eigenvalues):
    """Matrices of given eigenvalues in random directions."""
    n = eigenvalues.shape[-1]
    Q, _ = np.linalg.qr(rng.standard_normal((n_matrices, n, n)))
    C = (Q * eigenvalues[..., None, :]) @ Q.transpose(0, 2, 1)
    return (C + C.transpose(0, 2, 1)) / 2


def by_eigenvalues(C):
    """Return the logarithms by the plain formula."""
    eigenvalues, vectors = np.linalg.eigh(C)
    return (vectors * np.log(eigenvalues)[:, None, :]) @ vectors.transpose(0, 2, 1)


def relative(ours, theirs):
    """Largest Frobenius norm of a difference, over that of the matrix."""
    sizes = np.linalg.norm(theirs, axis=(1, 2))
    return (np.linalg.norm(ours - theirs, axis=(1, 2)) / sizes).max()


@st.composite
def spectra(draw, decades):
    """Draw a generator and eigenvalues, shape (3, n): any scale, up to so many decades wide."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 70))
    width = draw(st.floats(0.1, decades))
    exponents = rng.uniform(-width / 2, width / 2, (3, n))
    if draw(st.booleans()):  # few distinct eigenvalues: the tridiagonal form falls apart
        exponents = np.round(exponents)
    return rng, 10.0 ** (exponents + draw(st.integers(-12, 9)))


class TestFractions:
    """The scalar function behind it."""

    @pytest.mark.parametrize("table", range(len(COUNTS)))
    def test_sums_of_fractions_are_the_logarithm(self, table):
        """Within 1e-13 over the whole range of each table; shifts and weights are positive."""
        s, r = TABLES[table, :, : COUNTS[table]]
        end = np.sqrt(RANGES[table])
        x = np.geomspace(1 / end, end, 20001)
        fractions = (r / (1 + s) - r / (x[:, None] + s)).sum(axis=1)
        assert np.abs(fractions - np.log(x)).max() < 1e-13
        assert (s > 0).all()
        assert (r > 0).all()


class TestLogarithm:
    """Equality."""

    @settings(deadline=None, max_examples=80)
    @given(case=spectra(decades=5.0))
    def test_equals_that_of_eigenvalues(self, case):
        """Any size and scale, spectra to five decades: to 1e-10 of its norm, by the kernel."""
        rng, eigenvalues = case
        C = definite(rng, 3, eigenvalues)
        identity = np.eye(C.shape[-1])
        expected = by_eigenvalues(C)
        # Near a multiple of the identity the logarithm's norm says nothing of its error.
        floor = 1.0 + np.linalg.norm(expected, axis=(1, 2)).max()
        assert np.abs(log_whitened(C, identity) - expected).max() < 1e-10 * floor
        vectors = upper(expected)
        assert np.abs(tangent_vectors(C, identity) - vectors).max() < 1e-10 * floor
        squares = squared_distances(C, identity)
        assert_allclose(squares, (vectors**2).sum(axis=1), rtol=1e-10, atol=1e-10)
        assert logarithms.logarithms(C, identity, np.empty_like(C)).all()

    @settings(deadline=None, max_examples=40)
    @given(case=spectra(decades=13.0))
    def test_near_singular_matrices(self, case):
        """To thirteen decades: as exact as the matrix determines its smallest eigenvalue."""
        rng, eigenvalues = case
        C = definite(rng, 3, eigenvalues)
        condition = (eigenvalues.max(axis=1) / eigenvalues.min(axis=1)).max()
        expected = by_eigenvalues(C)
        bound = (1e-10 + 1e-14 * condition) * (1.0 + np.abs(expected).max())
        assert np.abs(log_whitened(C, np.eye(C.shape[-1])) - expected).max() < bound

    @pytest.mark.parametrize("n", [2, 5, 22])
    def test_equals_scipy(self, n):
        """To 1e-11 of scipy's, which takes another road (inverse scaling and squaring)."""
        rng = np.random.default_rng(n)
        C = definite(rng, 2, np.exp(rng.uniform(-3, 3, (2, n))))
        ours = log_whitened(C, np.eye(n))
        assert relative(ours, np.array([logm(c) for c in C])) < 1e-11

    @pytest.mark.parametrize("n", [22, 88, 176, 192])
    def test_sizes_of_use(self, n):
        """Whitened, as decoders call it, at the sizes they call it: to 1e-12."""
        rng = np.random.default_rng(n)
        C = 1e-11 * definite(rng, 4, np.exp(rng.uniform(-2, 2, (4, n))))
        W = whitening(C.mean(axis=0))
        assert relative(log_whitened(C, W), by_eigenvalues(W @ C @ W)) < 1e-12

    def test_diagonal_and_identity(self):
        """Nothing to reduce: exact to the last digits, zero for the identity."""
        C = np.stack([np.eye(6), np.diag([1e-4, 1e-2, 1.0, 3.0, 50.0, 9.0])])
        L = log_whitened(C, np.eye(6))
        assert np.abs(L[0]).max() < 1e-13
        assert np.abs(L[1] - np.diag(np.log(np.diag(C[1])))).max() < 1e-12

    def test_is_symmetric_and_takes_any_memory_layout(self):
        """Read-only and strided stacks give the same bits; results equal their transposes."""
        rng = np.random.default_rng(1)
        C = definite(rng, 4, np.exp(rng.uniform(-2, 2, (4, 40))))
        W = whitening(C[0])
        L = log_whitened(C, W)
        assert_allclose(L, L.transpose(0, 2, 1), atol=1e-14)
        strided = np.repeat(C, 2, axis=0)[::2]
        strided.flags.writeable = False
        assert_array_equal(log_whitened(strided, W), L)

    @pytest.mark.parametrize("n", [3, 22, 50, 88])
    def test_a_matrix_does_not_depend_on_its_company(self, n):
        """Alone or among others, the same bits, of all three kernels."""
        rng = np.random.default_rng(n)
        C = definite(rng, 5, np.exp(rng.uniform(-2, 2, (5, n))))
        W = whitening(C[0])
        for function in (log_whitened, tangent_vectors, squared_distances):
            together = function(C, W)
            for i in range(5):
                assert_array_equal(function(C[i : i + 1], W)[0], together[i])


class TestRefused:
    """What the kernel leaves to eigenvalues."""

    @pytest.mark.parametrize(
        "C",
        [
            np.zeros((3, 3)),
            np.diag([1.0, 1.0, -1e-3]),
            np.diag([1.0, 1e-7, 1.0]),
            np.full((3, 3), np.nan),
            np.array([[1.0, np.nan, 0.0], [np.nan, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            np.array([[1.0, np.inf, 0.0], [np.inf, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            np.diag([1.0, np.inf, 1.0]),
            np.ones((3, 3)),
        ],
    )
    def test_it_says_so(self, C):
        """Singular, indefinite, too wide a spectrum, no numbers: flagged, its neighbour is not."""
        stack = np.stack([C, np.eye(3)])
        done = logarithms.logarithms(stack, np.eye(3), np.empty_like(stack))
        assert done.tolist() == [False, True]

    def test_too_large(self):
        """More rows than the work vectors have."""
        C = np.eye(logarithms.MAX_SIZE + 1)[None]
        assert not logarithms.log_norms(C, C[0], np.empty(1))[0]
