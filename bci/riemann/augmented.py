"""Covariances of the augmented signal, without ever forming that signal.

For order p and lag l the augmented signal of a window X, shape (n_channels, n_times), stacks
``X[:, i*l : n_times - (p-1-i)*l]`` for i = 0 .. p-1 (the delay embedding of Carrara and
Papadopoulo 2024, "Classification of BCI-EEG based on the augmented covariance matrix", IEEE Trans
Biomed Eng 71(9), eq. 4 to 6). Its covariance has p x p blocks; block (i, j) sums the products
``x[s] x[s + d*l]'`` of samples d = j - i lags apart over the N samples from s = i*l on. So the
blocks of one lag distance are sliding sums of one sequence: they share a core, and differ by the
thin pieces of l samples at either end. Each piece is multiplied once and the blocks are put
together by *adding* pieces (running sums backward over the pieces before the core, forward over
those after it); nothing is ever subtracted, so a large sample that leaves the window takes no
digits with it. Where the window is too short for all blocks to share a core, runs of blocks that
do share one are formed.

One kernel, serial, without the GIL. Products go through BLAS, on however many threads BLAS is set
to: the online path sets one.
"""

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bci.errors import SettingsError

__all__ = ["ESTIMATORS", "augmented_covariances"]

F64 = NDArray[np.float64]

#: Covariance estimators by name, and their number in the kernel.
ESTIMATORS: dict[str, int] = {"scm": 0, "oas": 1, "lwf": 2}


def augmented_covariances(X: ArrayLike, order: int, lag: int, estimator: str = "oas") -> F64:
    """Estimate the covariances of augmented windows.

    Parameters
    ----------
    X : array_like of float, shape (n_trials, n_channels, n_times)
        Windows, in any unit.
    order : int, at least 1
        Copies of the signal that are stacked; 1 is the plain covariance.
    lag : int, at least 1
        From one copy to the next, in samples.
    estimator : {"oas", "scm", "lwf"}
        All three centre each row of the augmented signal by its own mean and divide by the
        number N = n_times - (order - 1) * lag of augmented samples, as pyriemann's estimators of
        the same names do of the explicitly stacked signal. ``"scm"``: nothing more (singular
        when N < order * n_channels, or for an average reference). ``"oas"``: shrunk toward a
        multiple of the identity by Oracle Approximating Shrinkage (Chen et al. 2010, eq. 23, as
        scikit-learn has it). ``"lwf"``: by Ledoit and Wolf (2004).

    Returns
    -------
    ndarray of float64, shape (n_trials, order * n_channels, order * n_channels)
        Symmetric to the last bit.

    Raises
    ------
    SettingsError
        For an unknown estimator, an order or lag below 1, and a window that is too short.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((2, 3, 100))
    >>> augmented_covariances(X, order=2, lag=4).shape
    (2, 6, 6)
    """
    if estimator not in ESTIMATORS:
        raise SettingsError(
            f"covariance estimator {estimator!r}: choose one of {', '.join(ESTIMATORS)}"
        )
    if order < 1 or lag < 1:
        raise SettingsError(f"order {order} and lag {lag}: both must be at least 1")
    X = np.asarray(X, dtype=np.float64)
    n_trials, n_channels, n_times = X.shape
    if n_times - (order - 1) * lag < 2:
        raise SettingsError(
            f"order {order} with lag {lag} needs windows of at least {(order - 1) * lag + 2} "
            f"samples, these have {n_times}: lower the order or the lag, or lengthen the window"
        )
    # Time-major, so that any run of samples is contiguous for BLAS; a copy, centred in place.
    Z = np.array(X.transpose(0, 2, 1), order="C", copy=True)
    n = order * n_channels
    covariances = np.empty((n_trials, n, n))
    _augmented(Z, order, lag, ESTIMATORS[estimator], covariances)
    return covariances


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _augmented(Z: F64, order: int, lag: int, estimator: int, covariances: F64) -> None:
    """Fill `covariances`; `Z`, shape (n_trials, n_times, n_channels), is centred in place."""
    n_trials, n_times, n_channels = Z.shape
    n_samples = n_times - (order - 1) * lag
    # Blocks i .. i + n_run - 1 of one lag distance have samples in common.
    n_run = min(order, (n_samples - 1) // lag + 1)
    ones = np.ones(n_samples)
    means = np.empty((order, n_channels))
    piece = np.empty((n_channels, n_channels))
    total = np.empty((n_channels, n_channels))
    before = np.empty((n_run, n_channels, n_channels))
    for trial in range(n_trials):
        z = Z[trial]
        # Any centre will do, the nearer to every block's mean the better: that of the samples
        # which all blocks hold, so that a spike outside of them disturbs no other block.
        if (order - 1) * lag < n_samples:
            _centre(z, (order - 1) * lag, n_samples)
        else:
            _centre(z, 0, n_times)
        for i in range(order):
            np.dot(ones, z[i * lag : i * lag + n_samples], means[i])
        means /= n_samples
        for distance in range(order):
            shift = distance * lag
            first = 0
            while first < order - distance:
                n_blocks = min(n_run, order - distance - first)
                start = (first + n_blocks - 1) * lag
                stop = first * lag + n_samples
                before[n_blocks - 1] = 0.0
                for j in range(n_blocks - 2, -1, -1):
                    a = (first + j) * lag
                    np.dot(z[a : a + lag].T, z[a + shift : a + shift + lag], piece)
                    before[j] = before[j + 1] + piece
                np.dot(z[start:stop].T, z[start + shift : stop + shift], total)
                for j in range(n_blocks):
                    if j > 0:
                        a = stop + (j - 1) * lag
                        np.dot(z[a : a + lag].T, z[a + shift : a + shift + lag], piece)
                        total += piece
                    _place(
                        covariances[trial], first + j, distance, total, before[j], means, n_samples
                    )
                first += n_blocks
        if estimator > 0:
            _shrink(covariances[trial], z, means, lag, n_samples, estimator)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _centre(z: F64, start: int, stop: int) -> None:
    """Remove each channel's mean over samples start .. stop - 1 from all its samples."""
    n_times, n_channels = z.shape
    mean = np.zeros(n_channels)
    for t in range(start, stop):
        for c in range(n_channels):
            mean[c] += z[t, c]
    mean /= stop - start
    for t in range(n_times):
        for c in range(n_channels):
            z[t, c] -= mean[c]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(
    S: F64, i: int, distance: int, total: F64, before: F64, means: F64, n_samples: int
) -> None:
    """Write block (i, i + distance) and its mirror."""
    n_channels = total.shape[0]
    j = i + distance
    row, column = i * n_channels, j * n_channels
    for a in range(n_channels):
        for b in range(a if distance == 0 else 0, n_channels):
            value = (total[a, b] + before[a, b]) / n_samples - means[i, a] * means[j, b]
            S[row + a, column + b] = value
            S[column + b, row + a] = value


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _shrink(S: F64, z: F64, means: F64, lag: int, n_samples: int, estimator: int) -> None:
    """Shrink `S` in place toward its mean variance times the identity."""
    n = S.shape[0]
    if n == 1:
        return
    trace = 0.0
    squares = 0.0
    for a in range(n):
        trace += S[a, a]
        for b in range(n):
            squares += S[a, b] * S[a, b]
    mu = trace / n
    if estimator == 1:
        alpha = squares / (n * n)
        den = (n_samples + 1) * (alpha - mu * mu / n)
        shrinkage = 1.0 if den == 0 else min((alpha + mu * mu) / den, 1.0)
    else:
        # The sum over all pairs of rows of the products of their squares is the sum over time of
        # the squared power of the augmented sample.
        fourth = 0.0
        for t in range(n_samples):
            power = 0.0
            for i in range(means.shape[0]):
                for c in range(means.shape[1]):
                    x = z[t + i * lag, c] - means[i, c]
                    power += x * x
            fourth += power * power
        beta = (fourth / n_samples - squares) / (n * n_samples)
        delta = (squares - 2.0 * mu * trace + n * mu * mu) / n
        beta = min(beta, delta)
        shrinkage = 0.0 if beta == 0 else beta / delta
    for a in range(n):
        for b in range(n):
            S[a, b] *= 1.0 - shrinkage
        S[a, a] += shrinkage * mu
