"""Affine-invariant geometry of covariance matrices, as plain functions over stacks of them.

Every function treats each matrix of a stack by the same calls on the same shapes, so the result
for a window does not depend, to the last bit, on how many are handed over at once.

Regularisation. Shrunk covariances (OAS, Ledoit-Wolf) are positive definite also under an average
reference, with interpolated channels or with fewer samples than rows: nothing is added to them.
Sample covariances need not be: `regularised` adds `RIDGE` (1e-9) times their mean variance to the
diagonal, 90 dB below the mean channel; directions without signal then carry only the window's
total power. Eigenvalues at or below zero count as the smallest normal number in a logarithm, so
that a window of zeros gives finite vectors.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bci.errors import TrialError
from bci.riemann import logarithms
from bci.riemann.kernels import plain

__all__ = [
    "RIDGE",
    "log_whitened",
    "regularised",
    "squared_distances",
    "squared_log_euclidean_distances",
    "symmetric_exp",
    "tangent_vectors",
    "untangent",
    "upper",
    "whitening",
]

F64 = NDArray[np.float64]

_TINY = float(np.finfo(np.float64).tiny)
_EPS = float(np.finfo(np.float64).eps)

#: What `regularised` adds to the diagonal, as a fraction of the mean variance.
RIDGE = 1e-9


def regularised(C: F64, ridge: float = RIDGE) -> F64:
    """Add `ridge` times its mean variance to each matrix's diagonal.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    ridge : float

    Returns
    -------
    ndarray of float64, shape (n_matrices, n, n)
    """
    n = C.shape[-1]
    added = C.copy()
    diagonal = np.arange(n)
    added[:, diagonal, diagonal] += ridge * np.trace(C, axis1=1, axis2=2)[:, None] / n
    return added


def whitening(reference: F64) -> F64:
    """Return the inverse square root of a reference matrix.

    Parameters
    ----------
    reference : ndarray of float64, shape (n, n)
        Positive definite.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric W with ``W @ reference @ W`` the identity.

    Raises
    ------
    TrialError
        When the reference is not positive definite.
    """
    eigenvalues, vectors = np.linalg.eigh(reference)
    if not eigenvalues[0] > _EPS * eigenvalues[-1]:
        raise TrialError(
            "the mean covariance is not positive definite: use a shrunk estimator (oas), or leave "
            "out flat and doubled channels"
        )
    W: F64 = (vectors / np.sqrt(eigenvalues)) @ vectors.T
    return W


def log_whitened(C: F64, W: F64) -> F64:
    """Return the symmetric logarithms of whitened matrices.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    W : ndarray of float64, shape (n, n)
        From `whitening`.

    Returns
    -------
    ndarray of float64, shape (n_matrices, n, n)
        ``log(W C W)``: the affine-invariant logarithm at the reference, in its whitened
        coordinates (Barachant et al. 2012, IEEE Trans Biomed Eng 59(4), eq. 12).
    """
    C, W = plain(C), plain(W)
    L = np.empty_like(C)
    for i in np.flatnonzero(~logarithms.logarithms(C, W, L)):
        L[i] = _log_by_eigenvalues(C[i], W)
    return L


def _log_by_eigenvalues(C: F64, W: F64) -> F64:
    """Return ``log(W C W)`` for a matrix that is nearly or wholly singular."""
    eigenvalues, vectors = np.linalg.eigh(W @ C @ W)
    L: F64 = (vectors * np.log(np.maximum(eigenvalues, _TINY))) @ vectors.T
    return L


@lru_cache(maxsize=32)
def _upper_index(n: int) -> tuple[NDArray[np.intp], F64]:
    rows, columns = np.triu_indices(n)
    return rows * n + columns, np.where(rows == columns, 1.0, np.sqrt(2.0))


def upper(L: F64) -> F64:
    """Vectorise symmetric matrices: the upper triangle by rows, off the diagonal times sqrt(2).

    Parameters
    ----------
    L : ndarray of float64, shape (n_matrices, n, n)

    Returns
    -------
    ndarray of float64, shape (n_matrices, n * (n + 1) / 2)
        Scalar products of the vectors are those of the matrices; pyriemann's order.
    """
    n = L.shape[-1]
    index, weights = _upper_index(n)
    vectors: F64 = L.reshape(-1, n * n).take(index, axis=1) * weights
    return vectors


def untangent(vectors: F64) -> F64:
    """Undo `upper`.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n_matrices, n * (n + 1) / 2)

    Returns
    -------
    ndarray of float64, shape (n_matrices, n, n)
    """
    n = int((np.sqrt(1 + 8 * vectors.shape[1]) - 1) / 2)
    rows, columns = np.triu_indices(n)
    values = vectors / _upper_index(n)[1]
    L = np.empty((len(vectors), n, n))
    L[:, rows, columns] = values
    L[:, columns, rows] = values
    return L


def tangent_vectors(C: F64, W: F64) -> F64:
    """Map matrices to the tangent space at the reference.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    W : ndarray of float64, shape (n, n)
        From `whitening`.

    Returns
    -------
    ndarray of float64, shape (n_matrices, n * (n + 1) / 2)
    """
    C, W = plain(C), plain(W)
    n = len(W)
    vectors = np.empty((len(C), n * (n + 1) // 2))
    for i in np.flatnonzero(~logarithms.tangents(C, W, vectors)):
        vectors[i] = upper(_log_by_eigenvalues(C[i], W)[None])[0]
    return vectors


def symmetric_exp(L: F64) -> F64:
    """Return the exponentials of symmetric matrices.

    Parameters
    ----------
    L : ndarray of float64, shape (n_matrices, n, n)

    Returns
    -------
    ndarray of float64, shape (n_matrices, n, n)
    """
    eigenvalues, vectors = np.linalg.eigh(L)
    E: F64 = (vectors * np.exp(eigenvalues)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return E


def squared_distances(C: F64, W: F64) -> F64:
    """Return squared affine-invariant distances to a reference.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    W : ndarray of float64, shape (n, n)
        From `whitening`.

    Returns
    -------
    ndarray of float64, shape (n_matrices,)
        Sum of the squared logarithms of the eigenvalues of ``W C W``.
    """
    C, W = plain(C), plain(W)
    distances = np.empty(len(C))
    for i in np.flatnonzero(~logarithms.log_norms(C, W, distances)):
        logs = np.log(np.maximum(np.linalg.eigvalsh(W @ C[i] @ W), _TINY))
        distances[i] = logs @ logs
    return distances


def squared_log_euclidean_distances(C: F64, reference: F64) -> F64:
    """Return squared log-Euclidean distances to a reference.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    reference : ndarray of float64, shape (n, n)

    Returns
    -------
    ndarray of float64, shape (n_matrices,)
        Squared Frobenius norms of ``log C - log reference`` (Arsigny et al. 2007, SIAM J Matrix
        Anal Appl 29(1)).
    """
    identity = np.eye(len(reference))
    differences = log_whitened(C, identity) - log_whitened(reference[None], identity)
    distances: F64 = np.einsum("kij,kij->k", differences, differences)
    return distances
