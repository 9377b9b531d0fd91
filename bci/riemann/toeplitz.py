"""Block-Toeplitz covariances, and their coordinates: one SPD matrix and points of Siegel disks.

The covariance of an augmented stationary signal is block-Toeplitz: block (i, j) is the
autocovariance R_d at d = j - i lags. Carrara and Papadopoulo 2024 ("Enhancing computational
efficiency of motor imagery BCI classification with block-Toeplitz augmented covariance matrices
and Siegel metric", arXiv 2406.16909) treat it as a point of SPD(n) x SD(n)^(p-1) for n channels
and order p, through the coordinates of Jeuris and Vandebril 2016 (SIAM J Matrix Anal Appl 37(3))
and Cabanes 2022 (thesis, tel-03708515): P = R_0, and the normalised reflection coefficients

    Omega_(k+1) = L_k^(-1/2) Delta_k K_k^(-1/2),    symmetric roots,

where L_k and K_k are the covariances of the errors of predicting a sample from the k that follow
and from the k that precede it, and Delta_k the covariance of the two errors k + 1 lags apart.
Where the authors invert the growing matrices of k blocks, the errors' covariances here follow
from one another (Whittle 1963, Biometrika 50), in the form of Schur: the covariances of both
errors with all later samples are carried along instead of the predictors, order^2 n^3 in all. No
predictor is formed, so nothing grows where a coefficient nears the disk's edge.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bci.compiled import kernel
from bci.riemann.augmented import check_window
from bci.riemann.kernels import plain
from bci.riemann.tangent import RIDGE

__all__ = ["autocovariances", "reflection_coefficients"]

F64 = NDArray[np.float64]

_TINY = float(np.finfo(np.float64).tiny)
_EPS = float(np.finfo(np.float64).eps)


def autocovariances(X: ArrayLike, order: int, lag: int, estimator: str = "oas") -> F64:
    """Estimate the autocovariances of windows at multiples of a lag.

    Each channel is centred by its mean. The sum over the products within the window is divided by
    its whole length, whatever the lag: the window counts as zero outside. That estimate is
    positive semidefinite as a block-Toeplitz matrix for every window; the mean of an augmented
    covariance's block diagonals, which the authors take, is not (of ``v v'`` with v = (1, 0, 1) it
    has eigenvalue -1/3). The price is that R_d shrinks by a fraction d * lag / n_times.

    Parameters
    ----------
    X : array_like of float, shape (n_trials, n_channels, n_times)
    order, lag : int, at least 1
        Autocovariances at 0, lag, .., (order - 1) * lag samples.
    estimator : {"oas", "scm", "lwf"}
        Regularisation of the block-Toeplitz matrix as a whole, S: shrinkage toward the mean
        variance, ``(1 - s) S + s tr(S) / (n p) I`` with s by Oracle Approximating Shrinkage (Chen
        et al. 2010, eq. 23) or by Ledoit and Wolf (2004) over the zero-padded augmented samples;
        it makes S positive definite and keeps it block-Toeplitz. ``"scm"``: none but a ridge of
        `RIDGE` times the mean variance.

    Returns
    -------
    ndarray of float64, shape (n_trials, order, n_channels, n_channels)
        R_d, the mean of ``x[t] x[t + d * lag]'``.

    Raises
    ------
    SettingsError
        For an unknown estimator, an order or lag below 1, and a window that is too short.
    """
    X = np.asarray(X, dtype=np.float64)
    n_trials, n_channels, n_times = X.shape
    check_window(n_times, order, lag, estimator)
    Z = np.ascontiguousarray(X.transpose(0, 2, 1))
    Z = Z - Z.mean(axis=1, keepdims=True)
    R = np.empty((n_trials, order, n_channels, n_channels))
    for d in range(order):
        earlier, later = Z[:, : n_times - d * lag], Z[:, d * lag :]
        np.matmul(earlier.transpose(0, 2, 1), later, out=R[:, d])
    R /= n_times
    diagonal = np.arange(n_channels)
    variance = np.trace(R[:, 0], axis1=1, axis2=2) / n_channels
    if estimator == "scm":
        R[:, 0, diagonal, diagonal] += RIDGE * variance[:, None]
        return R
    shrinkage = _shrinkage(R, Z, lag, variance, estimator)
    R *= (1 - shrinkage)[:, None, None, None]
    R[:, 0, diagonal, diagonal] += (shrinkage * variance)[:, None]
    return R


def _shrinkage(R: F64, Z: F64, lag: int, variance: F64, estimator: str) -> F64:
    """Return how far each block-Toeplitz matrix is shrunk."""
    order, n_channels = R.shape[1:3]
    n, n_times = order * n_channels, Z.shape[1]
    if n == 1:
        return np.zeros(len(R))
    # A block at distance d stands order - d times on either side of the diagonal.
    times = 2.0 * (order - np.arange(order))
    times[0] = order
    squares = np.einsum("kdij,kdij,d->k", R, R, times)
    if estimator == "oas":
        alpha = squares / n**2
        spread = (n_times + 1) * (alpha - variance**2 / n)
        wanted = alpha + variance**2
    else:
        power = np.zeros((len(Z), n_times + (order - 1) * lag))
        each = np.einsum("ktc,ktc->kt", Z, Z)
        for d in range(order):
            power[:, d * lag : d * lag + n_times] += each
        wanted = (np.einsum("kt,kt->k", power, power) / n_times - squares) / (n * n_times)
        spread = squares / n - variance**2
    shrinkage: F64 = np.ones(len(R))
    np.divide(wanted, spread, out=shrinkage, where=spread > 0)
    return np.clip(shrinkage, 0.0, 1.0, out=shrinkage)


def reflection_coefficients(R: F64) -> F64:
    """Return the normalised reflection coefficients of autocovariances.

    Parameters
    ----------
    R : ndarray of float64, shape (n_trials, order, n, n)
        Positive definite as block-Toeplitz matrices. Eigenvalues of prediction errors that
        rounding leaves below 2.2e-16 of the largest count as that.

    Returns
    -------
    ndarray of float64, shape (n_trials, order - 1, n, n)
        Of spectral norm below 1.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((2, 3, 100))
    >>> reflection_coefficients(autocovariances(X, order=4, lag=2)).shape
    (2, 3, 3, 3)
    """
    n_trials, order, n = R.shape[:3]
    omega = np.empty((n_trials, order - 1, n, n))
    _reflections(plain(R), omega)
    return omega


@kernel
def _reflections(R: F64, omega: F64) -> None:
    n_trials, order, n = R.shape[0], R.shape[1], R.shape[2]
    piece = np.empty((n, n))
    for trial in range(n_trials):
        # a[j]: covariance, with the sample j lags on, of the error of predicting from the samples
        # before that; b[j]: the same of the last of those, predicted from the others.
        a, b = R[trial].copy(), R[trial].copy()
        L, K = R[trial, 0].copy(), R[trial, 0].copy()
        for k in range(order - 1):
            left = _inverse_root(L)
            right = left if k == 0 else _inverse_root(K)
            delta = a[k + 1].copy()
            half_a, half_b = np.dot(delta, right), np.dot(delta.T, left)
            np.dot(left, half_a, omega[trial, k])
            gain_a, gain_b = np.dot(half_a, right), np.dot(half_b, left)
            L -= np.dot(half_a, half_a.T)
            K -= np.dot(half_b, half_b.T)
            for j in range(order - 1, k + 1, -1):
                np.dot(gain_a, b[j - 1], piece)
                b[j] = b[j - 1] - np.dot(gain_b, a[j])
                a[j] -= piece


@kernel
def _inverse_root(S: F64) -> F64:
    """Return the symmetric inverse square root; eigenvalues are held above rounding."""
    eigenvalues, vectors = np.linalg.eigh(S)
    floor = max(_EPS * eigenvalues[-1], _TINY)
    scaled = np.empty_like(S)
    for j in range(len(S)):
        f = 1.0 / math.sqrt(max(eigenvalues[j], floor))
        for i in range(len(S)):
            scaled[i, j] = vectors[i, j] * f
    root: F64 = np.dot(scaled, vectors.T)
    return root
