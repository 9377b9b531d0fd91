"""Compiled kernels of augmented covariances, of epochs and of a sliding window.

All are serial and run without the GIL. Products go through BLAS, on however many threads BLAS is
set to: the online path sets one. Every array is float64, C-contiguous and writeable (`plain` makes
it so), so that each kernel is compiled for one signature only and found in Numba's cache.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bci.compiled import kernel

__all__ = ["augmented", "plain", "slid", "slide"]

F64 = NDArray[np.float64]

#: Sums may be reordered, which lets them use the vector unit; NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "nsz"}


def plain(array: ArrayLike) -> F64:
    """Return an array as the kernels take it; a copy only when it is not already so."""
    return np.require(array, np.float64, ["C", "W"])


@kernel
def augmented(X: F64, order: int, lag: int, estimator: int, covariances: F64) -> None:
    """Fill `covariances` from `X`, shape (n_trials, n_channels, n_times)."""
    n_trials, n_channels, n_times = X.shape
    n_samples = n_times - (order - 1) * lag
    # Blocks i .. i + n_run - 1 of one lag distance have samples in common.
    n_run = min(order, (n_samples - 1) // lag + 1)
    ones = np.ones(n_samples)
    means = np.empty((order, n_channels))
    piece = np.empty((n_channels, n_channels))
    total = np.empty((n_channels, n_channels))
    before = np.empty((n_run, n_channels, n_channels))
    # Time-major, so that any run of samples is contiguous for BLAS.
    z = np.empty((n_times, n_channels))
    for trial in range(n_trials):
        for t in range(n_times):
            for c in range(n_channels):
                z[t, c] = X[trial, c, t]
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


@kernel
def slide(
    recent: F64, order: int, lag: int, hop: int, products: F64, newer: F64, step: int
) -> None:
    """Move a sliding sum of products and of samples on by one hop (`SlidingCovariance`).

    `recent`, shape ((order - 1) * lag + hop, n_channels), holds the newest samples; `products`,
    shape (n_hops, n_sums), holds the products of hops newer than the last rebuild before `step`,
    and from there on the running sums from each older hop to the rebuild; `newer` is the sum of
    the former.
    """
    n_hops = products.shape[0]
    n_channels = recent.shape[1]
    size = n_channels * n_channels
    entry = products[step]
    at = 0
    for distance in range(order):
        for i in range(order - distance):
            a, b = i * lag, (i + distance) * lag
            block = entry[at : at + size].reshape((n_channels, n_channels))
            np.dot(recent[a : a + hop].T, recent[b : b + hop], block)
            at += size
    for i in range(order):
        total = entry[at : at + n_channels]
        total[:] = 0.0
        for t in range(i * lag, i * lag + hop):
            for c in range(n_channels):
                total[c] += recent[t, c]
        at += n_channels
    if step + 1 < n_hops:
        for k in range(entry.shape[0]):
            newer[k] += entry[k]
        return
    for j in range(n_hops - 2, -1, -1):
        for k in range(entry.shape[0]):
            products[j, k] += products[j + 1, k]
    newer[:] = 0.0


@kernel
def slid(
    z: F64,
    order: int,
    lag: int,
    n_samples: int,
    n_rest: int,
    older: F64,
    newer: F64,
    estimator: int,
    S: F64,
) -> None:
    """Fill `S` from the sums over the hops and the window's `n_rest` samples before them.

    `z`, shape (n_first, n_channels), holds the window's first samples about the same centre as the
    sums: (order - 1) * lag + n_rest of them, for Ledoit-Wolf all. Augmented it has `n_samples`.
    """
    n_channels = z.shape[1]
    size = n_channels * n_channels
    total = np.empty((n_channels, n_channels))
    rest = np.zeros((n_channels, n_channels))
    means = np.empty((order, n_channels))
    at = order * (order + 1) // 2 * size
    for i in range(order):
        for c in range(n_channels):
            value = older[at] + newer[at]
            for t in range(i * lag, i * lag + n_rest):
                value += z[t, c]
            means[i, c] = value / n_samples
            at += 1
    at = 0
    for distance in range(order):
        for i in range(order - distance):
            a, b = i * lag, (i + distance) * lag
            if n_rest > 0:
                np.dot(z[a : a + n_rest].T, z[b : b + n_rest], rest)
            for row in range(n_channels):
                for column in range(n_channels):
                    total[row, column] = older[at] + newer[at]
                    at += 1
            _place(S, i, distance, total, rest, means, n_samples)
    if estimator > 0:
        _shrink(S, z, means, lag, n_samples, estimator)


@kernel
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


@kernel
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


@kernel(fastmath=_FAST)
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
