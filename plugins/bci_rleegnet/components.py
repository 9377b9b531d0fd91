"""One-versus-rest common spatial patterns that keep the time course."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from bci.decoders.base import F64, Index, covariances

__all__ = ["components", "n_averaged", "one_versus_rest"]

F32 = NDArray[np.float32]

#: Components are averaged down to about this rate (Hz).
_RATE_HZ = 100.0


def one_versus_rest(X: F64, target: Index, n_filters: int) -> F64:
    """Return spatial filters that tell each class from all others.

    Ramoser, Mueller-Gerking and Pfurtscheller 2000, IEEE Trans Rehabil Eng 8(4), one class against
    the rest: eigenvectors of ``C_k w = lambda (C_k + C_rest) w``, those with the largest
    ``abs(lambda - 1/2)``. The components that MNE's CSP gives in ``csp_space``, up to sign and
    scale; here each has unit variance on the training windows.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    target : ndarray of int, shape (n_windows,)
    n_filters : int
        Of each class.

    Returns
    -------
    ndarray of float64, shape (n_components, n_channels)
    """
    C = covariances(X, 1, 1, "oas")
    n_classes = int(target.max()) + 1
    filters = []
    # Of two classes, the second's filters are the first's.
    for k in range(n_classes if n_classes > 2 else 1):
        own, rest = C[target == k].mean(axis=0), C[target != k].mean(axis=0)
        values, vectors = eigh(own, own + rest)
        best = np.argsort(-np.abs(values - 0.5), kind="stable")[:n_filters]
        filters.append(vectors[:, best].T)
    W = np.concatenate(filters)
    deviations = (W @ X).std(axis=(0, 2))
    scaled: F64 = W / deviations[:, None]
    # The sign of an eigenvector is LAPACK's; the largest weight is made positive.
    largest = np.take_along_axis(scaled, np.abs(scaled).argmax(axis=1)[:, None], axis=1)
    return scaled * np.sign(largest)


def n_averaged(rate_hz: float) -> int:
    """Return how many neighbouring samples of a component are averaged."""
    return max(1, int(rate_hz // _RATE_HZ))


def components(X: F64, filters: F64, n_mean: int) -> F32:
    """Return the components of windows over time.

    Each window by itself: its numbers must not depend on its company.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    filters : ndarray of float64, shape (n_components, n_channels)
    n_mean : int

    Returns
    -------
    ndarray of float32, shape (n_windows, n_components, n_times // n_mean)
    """
    n_times = X.shape[2] // n_mean
    result = np.empty((len(X), len(filters), n_times), dtype=np.float32)
    for row, window in zip(result, X, strict=True):
        moved = filters @ np.ascontiguousarray(window)
        row[:] = moved[:, : n_times * n_mean].reshape(len(filters), n_times, n_mean).mean(axis=2)
    return result
