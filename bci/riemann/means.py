"""Means of covariance matrices: Euclidean, log-Euclidean and affine-invariant (Riemannian)."""

import logging
from collections import deque

import numpy as np
from numpy.typing import NDArray

from bci.errors import TrialError
from bci.riemann import logarithms
from bci.riemann.kernels import plain
from bci.riemann.tangent import symmetric_exp

__all__ = ["euclidean_mean", "log_euclidean_mean", "riemannian_mean"]

F64 = NDArray[np.float64]

_log = logging.getLogger(__name__)

#: Steps that the descent remembers.
_MEMORY = 8


def euclidean_mean(C: F64, *, weights: F64 | None = None) -> F64:
    """Return the arithmetic mean.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    weights : ndarray of float64, shape (n_matrices,), optional
        Not negative, of any sum. None: equal.

    Returns
    -------
    ndarray of float64, shape (n, n)
    """
    mean: F64 = np.tensordot(_shares(C, weights), C, axes=1)
    return mean


def log_euclidean_mean(C: F64, *, weights: F64 | None = None) -> F64:
    """Return the exponential of the mean logarithm.

    Arsigny et al. 2007, SIAM J Matrix Anal Appl 29(1), eq. 3.9.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
        Positive definite.
    weights : ndarray of float64, shape (n_matrices,), optional
        Not negative, of any sum. None: equal.

    Returns
    -------
    ndarray of float64, shape (n, n)

    Raises
    ------
    TrialError
        When a matrix is not positive definite.
    """
    C = plain(C)
    logarithm, _ = _mean_logarithm(C, np.eye(C.shape[-1]), _shares(C, weights))
    mean: F64 = symmetric_exp(logarithm[None])[0]
    return mean


def riemannian_mean(
    C: F64,
    tolerance: float = 1e-8,
    max_iterations: int = 50,
    *,
    start: F64 | None = None,
    weights: F64 | None = None,
) -> F64:
    """Return the affine-invariant mean.

    The mean M is where the gradient, the mean of ``log(W C W')`` with ``W M W' = I``, is zero
    (Pennec et al. 2006, Int J Comput Vis 66(1)). The descent is a limited-memory BFGS (Nocedal
    1980) in coordinates that are whitened anew at each point and carried from one point to the
    next along the geodesic, so that steps and gradients of all points compare as they are. Where
    nothing is known of the Hessian yet, it counts as a multiple of the identity: its eigenvalues
    are means of ``z / 2 coth(z / 2)`` over differences z between a logarithm's eigenvalues (Bini
    and Iannazzo 2013, Linear Algebra Appl 438(4), bound them likewise), and the root mean square
    of those z stands for all. Where the gradient grows, what was learned is dropped
    and steps are halved. Matrices are whitened one by one: there is no copy of all.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
        Positive definite, of any scale.
    tolerance : float
        On the Frobenius norm of the gradient, in whitened coordinates: no unit. The descent ends
        with the step after which the norm will be below it: when the norm times the larger of the
        last two contractions is, or the norm itself.
    max_iterations : int
        A descent that ends here is logged, and its last point returned: any point near the mean
        serves as a reference.
    start : ndarray of float64, shape (n, n), optional
        A point near the mean, such as that of nearly the same matrices. None: the arithmetic mean.
    weights : ndarray of float64, shape (n_matrices,), optional
        Not negative, of any sum. None: equal.

    Returns
    -------
    ndarray of float64, shape (n, n)

    Raises
    ------
    TrialError
        When a matrix is not positive definite.
    """
    C = plain(C)
    shares = _shares(C, weights)
    first = euclidean_mean(C, weights=weights) if start is None else start
    try:
        eigenvalues, vectors = np.linalg.eigh(first)
    except np.linalg.LinAlgError as error:
        raise TrialError(_NOT_POSITIVE) from error
    if not eigenvalues[0] > np.finfo(np.float64).eps * eigenvalues[-1]:
        raise TrialError(_NOT_POSITIVE)
    roots = np.sqrt(eigenvalues)
    # W whitens the point, V undoes it: V V' is the point.
    W, V = (vectors / roots) @ vectors.T, (vectors * roots) @ vectors.T
    history: deque[tuple[F64, F64]] = deque(maxlen=_MEMORY)
    length = 1.0
    norm, contraction = np.inf, 1.0
    gradient = step = np.zeros_like(W)
    for _ in range(max_iterations):
        before, gradient_before, contraction_before = norm, gradient, contraction
        gradient, variance = _mean_logarithm(C, W, shares)
        norm = float(np.linalg.norm(gradient))
        contraction = norm / before
        if contraction > 1:
            history.clear()
            length /= 2
        elif np.isfinite(before):
            history.append((step, gradient_before - gradient))
            length = min(1.0, 2 * length)
        half_difference = np.sqrt(max(variance, 1e-300) / 2)
        hessian = half_difference / np.tanh(half_difference)
        step = length * _newton_step(gradient, history, hessian)
        eigenvalues, vectors = np.linalg.eigh(step)
        halves = np.exp(eigenvalues / 2)
        W = (vectors / halves) @ (vectors.T @ W)
        V = ((V @ vectors) * halves) @ vectors.T
        if norm * min(1.0, max(contraction, contraction_before)) <= tolerance:
            break
    else:
        _log.warning(
            "Riemannian mean of %d matrices: stopped after %d iterations", len(C), max_iterations
        )
    mean: F64 = V @ V.T
    return mean


def _newton_step(gradient: F64, history: deque[tuple[F64, F64]], hessian: float) -> F64:
    """Return the step that BFGS takes, by its two loops over past steps and changes."""
    q = gradient.copy()
    factors = []
    for step, change in reversed(history):
        factor = np.vdot(step, q) / np.vdot(step, change)
        factors.append(factor)
        q -= factor * change
    q /= hessian
    for (step, change), factor in zip(history, reversed(factors), strict=True):
        q += (factor - np.vdot(change, q) / np.vdot(step, change)) * step
    return q


def _shares(C: F64, weights: F64 | None) -> F64:
    shares = np.ones(len(C)) if weights is None else np.array(weights, dtype=np.float64)
    shares /= shares.sum()
    return shares


def _mean_logarithm(C: F64, W: F64, shares: F64) -> tuple[F64, float]:
    """Return the mean of ``log(W C W')``, and the mean variance of their eigenvalues.

    Matrices that the kernel leaves take eigenvalues.
    """
    mean, variances = np.empty_like(W), np.empty(len(C))
    for i in np.flatnonzero(~logarithms.mean_logarithm(C, W, shares, mean, variances)):
        try:
            eigenvalues, vectors = np.linalg.eigh(W @ C[i] @ W.T)
        except np.linalg.LinAlgError as error:
            raise TrialError(_NOT_POSITIVE) from error
        if not eigenvalues[0] > 0:
            raise TrialError(_NOT_POSITIVE)
        logs = np.log(eigenvalues)
        mean += shares[i] * (vectors * logs) @ vectors.T
        variances[i] = logs.var()
    return mean, float(shares @ variances)


_NOT_POSITIVE = (
    "the covariances of the windows are not all positive definite: use a shrunk estimator (oas), "
    "or leave out flat and doubled channels"
)
