"""Geometry of the Siegel disk: real square matrices of spectral norm below 1.

After Cabanes 2022 (thesis, tel-03708515) and Jeuris and Vandebril 2016 (SIAM J Matrix Anal Appl
37(3)), for real matrices. The isometry

    phi_M(X) = (I - M M')^(-1/2) (X - M) (I - M' X)^(-1) (I - M' M)^(1/2)

takes M to 0, and -M undoes it. At 0 the geodesics are straight lines of ``arctanh``, which acts on
singular values: the squared distance of X to M is the sum of ``arctanh(s)^2`` over the singular
values s of phi_M(X). Tangent vectors at M are given in the coordinates that phi_M takes to 0,
where their scalar product is that of their entries.

A point near the edge keeps the digits that ``1 - s`` has. Singular values that rounding puts at or
above 1 count as the largest double below.
"""

import logging
import math

import numpy as np
from numpy.typing import NDArray

from bci.compiled import kernel
from bci.riemann.kernels import plain

__all__ = [
    "siegel_exp",
    "siegel_frame",
    "siegel_logarithms",
    "siegel_mean",
    "siegel_squared_distances",
]

_log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: The largest value of a squared singular value.
_EDGE = 1.0 - 2.0**-53

#: A bound on squared singular values below which the logarithm's series has 84 terms or fewer.
_LARGEST_IN_SERIES = 0.64
_LOG_EPS = math.log(2.0**-54)


def siegel_frame(M: F64) -> F64:
    """Return what `phi_M` is made of.

    Parameters
    ----------
    M : ndarray of float64, shape (n, n)

    Returns
    -------
    ndarray of float64, shape (3, n, n)
        ``(I - M M')^(-1/2)``, M, ``(I - M' M)^(1/2)``.
    """
    U, s, V = np.linalg.svd(M)
    c = np.sqrt(np.maximum((1 - s) * (1 + s), 1 - _EDGE))
    return np.stack([(U / c) @ U.T, M, (V.T * c) @ V])


def siegel_logarithms(X: F64, frame: F64) -> F64:
    """Return the tangent vectors at M that lead to points.

    Parameters
    ----------
    X : ndarray of float64, shape (n_points, n, n)
    frame : ndarray of float64, shape (3, n, n)
        Of M.

    Returns
    -------
    ndarray of float64, shape (n_points, n, n)
        ``arctanh(phi_M(X))``.
    """
    X = plain(X)
    vectors = np.empty_like(X)
    _logarithms(X, plain(frame), vectors)
    return vectors


def siegel_squared_distances(X: F64, frame: F64) -> F64:
    """Return the squared distances of points to M.

    Parameters
    ----------
    X : ndarray of float64, shape (n_points, n, n)
    frame : ndarray of float64, shape (3, n, n)
        Of M.

    Returns
    -------
    ndarray of float64, shape (n_points,)
    """
    X = plain(X)
    squares = np.empty(len(X))
    _squared_distances(X, plain(frame), squares)
    return squares


def siegel_exp(V: F64, frame: F64) -> F64:
    """Return the point that a tangent vector at M leads to.

    Parameters
    ----------
    V : ndarray of float64, shape (n, n)
    frame : ndarray of float64, shape (3, n, n)
        Of M.

    Returns
    -------
    ndarray of float64, shape (n, n)
    """
    left, M, right = frame
    U, s, W = np.linalg.svd(V)
    Y = (U * np.tanh(s)) @ W
    # (Y + M) (I + M' Y)^(-1): phi of -M.
    point: F64 = left @ np.linalg.solve((np.eye(len(M)) + M.T @ Y).T, (Y + M).T).T @ right
    return point


def siegel_mean(X: F64, tolerance: float = 1e-8, max_iterations: int = 100) -> F64:
    """Return the Riemannian (Karcher) mean of points of the disk.

    Gradient descent from the arithmetic mean: the gradient is the mean of the logarithms. Curvature
    is nowhere positive, so the mean is the only point where it is zero. Steps have length 1; where
    the gradient grows, they are halved.

    Parameters
    ----------
    X : ndarray of float64, shape (n_points, n, n)
    tolerance : float
        On the Frobenius norm of the gradient.
    max_iterations : int
        A descent that ends here is logged, and its last point returned.

    Returns
    -------
    ndarray of float64, shape (n, n)
    """
    X = plain(X)
    vectors = np.empty_like(X)
    mean: F64 = X.mean(axis=0)
    norm, length = np.inf, 1.0
    for _ in range(max_iterations):
        frame = siegel_frame(mean)
        _logarithms(X, frame, vectors)
        gradient = vectors.mean(axis=0)
        before, norm = norm, float(np.linalg.norm(gradient))
        contraction = norm / before if np.isfinite(before) else 1.0
        if contraction > 1:
            length /= 2
        mean = siegel_exp(length * gradient, frame)
        if norm * min(1.0, contraction) <= tolerance:
            break
    else:
        _log.warning(
            "Siegel mean of %d matrices: stopped after %d iterations", len(X), max_iterations
        )
    return mean


@kernel
def _transported(x: F64, frame: F64, half: F64, point: F64) -> None:
    """Set `point` to phi_M(x), transposed; `half` is room for a matrix."""
    n = x.shape[0]
    np.dot(x.T, frame[1], half)
    for i in range(n):
        for j in range(n):
            half[i, j] = -half[i, j]
            point[i, j] = x[j, i] - frame[1, j, i]
        half[i, i] += 1.0
    np.dot(np.dot(frame[2], np.linalg.solve(half, point)), frame[0], point)


@kernel
def _logarithms(X: F64, frame: F64, vectors: F64) -> None:
    n = X.shape[1]
    half, point = np.empty((n, n)), np.empty((n, n))
    powers, ratio = np.empty((4, n, n)), np.empty((n, n))
    for trial in range(len(X)):
        _transported(X[trial], frame, half, point)
        # With Y = phi(x)', the logarithm is Y' g(Y Y'), where g(s^2) = arctanh(s) / s.
        np.dot(point, point.T, powers[0])
        if not _ratio_by_series(powers, half, ratio):
            squares, Q = np.linalg.eigh(powers[0])
            for k in range(n):
                s = math.sqrt(min(max(squares[k], 0.0), _EDGE))
                g = 1.0 if s == 0.0 else math.log((1.0 + s) * (1.0 + s) / (1.0 - s * s)) / (2 * s)
                for i in range(n):
                    half[i, k] = Q[i, k] * g
            np.dot(half, Q.T, ratio)
        np.dot(point.T, ratio, vectors[trial])


@kernel
def _ratio_by_series(powers: F64, half: F64, ratio: F64) -> bool:
    """Set `ratio` to the sum of ``S^k / (2 k + 1)``, S the first of `powers`, where it is short.

    Terms are all positive: nothing cancels. Four at a time, a product each (Paterson and
    Stockmeyer 1973); products of this size take a fiftieth of an eigendecomposition's time.
    """
    n = ratio.shape[0]
    for k in range(1, 4):
        np.dot(powers[k - 1], powers[0], powers[k])
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += powers[3, i, j] * powers[3, i, j]
    # The Frobenius norm of the fourth power bounds the largest eigenvalue.
    bound = total**0.125
    if not bound < _LARGEST_IN_SERIES:
        return False
    n_fours = 1 if bound < 1e-4 else int(_LOG_EPS / (4.0 * math.log(bound))) + 1
    ratio[:] = 0.0
    for block in range(n_fours - 1, -1, -1):
        if block < n_fours - 1:
            np.dot(ratio, powers[3], half)
            ratio[:] = half
        first = 8.0 * block + 1.0
        a, b, c = 1.0 / (first + 2.0), 1.0 / (first + 4.0), 1.0 / (first + 6.0)
        for i in range(n):
            for j in range(n):
                ratio[i, j] += a * powers[0, i, j] + b * powers[1, i, j] + c * powers[2, i, j]
            ratio[i, i] += 1.0 / first
    return True


@kernel
def _squared_distances(X: F64, frame: F64, squares: F64) -> None:
    n = X.shape[1]
    half, point = np.empty((n, n)), np.empty((n, n))
    for trial in range(len(X)):
        _transported(X[trial], frame, half, point)
        squares[trial] = 0.0
        for s in np.linalg.svd(point)[1]:
            edge = min(s, _EDGE)
            squares[trial] += math.atanh(edge) ** 2
