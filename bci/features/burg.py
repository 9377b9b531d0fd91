"""Autoregressive spectra by Burg's method, of single channels and of pairs of channels.

One channel: J. P. Burg, "Maximum entropy spectral analysis" (Proc. 37th Meeting of the Society of
Exploration Geophysicists, 1967); the reflection coefficient of each order minimises the sum of
forward and backward prediction errors. Two channels: Nuttall and Strand's generalisation (A. H.
Nuttall, NUSC TR 5501, 1976; O. N. Strand, IEEE Trans Autom Control 22(4), 1977), which is Burg's
method where the two are unrelated. Both give stable models.
"""

import numpy as np
from numpy.typing import NDArray

from bci.compiled import kernel
from bci.errors import SettingsError

__all__ = ["CRITERIA", "ar_power", "best_order", "burg", "pair_coherency"]

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

#: Sums may be reordered, which lets them use the vector unit; NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "nsz"}

#: Criteria for the order: what one more parameter must gain in log likelihood, times 2.
CRITERIA = ("aic", "bic")


@kernel(fastmath=_FAST)
def _burg(X: F64, coefficients: F64, variances: F64) -> None:
    """Fill the coefficients of the largest order and the error variance of every order."""
    n_signals, n_times = X.shape
    order = coefficients.shape[1]
    forward = np.empty(n_times)
    backward = np.empty(n_times)
    before = np.empty(order)
    for s in range(n_signals):
        mean = 0.0
        for t in range(n_times):
            mean += X[s, t]
        mean /= n_times
        power = 0.0
        for t in range(n_times):
            value = X[s, t] - mean
            forward[t] = value
            backward[t] = value
            power += value * value
        variances[s, 0] = power / n_times
        a = coefficients[s]
        a[:] = 0.0
        for m in range(order):
            # After m steps forward[m + 1 :] meets backward[m : -1], the error one sample earlier.
            product, square = 0.0, 0.0
            for t in range(m + 1, n_times):
                f, b = forward[t], backward[t - 1]
                product += f * b
                square += f * f + b * b
            k = -2.0 * product / square if square > 0.0 else 0.0
            for i in range(m):
                before[i] = a[i]
            for i in range(m):
                a[i] = before[i] + k * before[m - 1 - i]
            a[m] = k
            for t in range(n_times - 1, m, -1):
                f, b = forward[t], backward[t - 1]
                forward[t] = f + k * b
                backward[t] = b + k * f
            variances[s, m + 1] = variances[s, m] * (1.0 - k * k)


def burg(X: F64, order: int) -> tuple[F64, F64]:
    """Fit an autoregressive model to each signal, its mean removed.

    The model is x[t] + a[1] x[t-1] + ... + a[order] x[t-order] = e[t].

    Parameters
    ----------
    X : ndarray of float64, shape (..., n_times)
    order : int

    Returns
    -------
    a : ndarray of float64, shape (..., order)
        Zeros for a signal that does not move.
    variances : ndarray of float64, shape (..., order + 1)
        Of the prediction error at order 0, 1, ..., order.

    Raises
    ------
    SettingsError
        When the order is not between 1 and half of the samples.
    """
    n_times = X.shape[-1]
    if not 1 <= order <= n_times // 2:
        raise SettingsError(
            f"an autoregressive model of order {order} needs windows of at least "
            f"{max(2 * order, 2)} samples, these have {n_times}: lower the order, or lengthen the "
            "window"
        )
    flat = np.require(X.reshape(-1, n_times), np.float64, ["C", "W"])
    coefficients = np.empty((len(flat), order))
    variances = np.empty((len(flat), order + 1))
    _burg(flat, coefficients, variances)
    shape = X.shape[:-1]
    return coefficients.reshape(*shape, order), variances.reshape(*shape, order + 1)


def best_order(X: F64, largest: int, criterion: str = "bic") -> int:
    """Return the order that an information criterion prefers, for all signals together.

    ``n_times * log(variance) + penalty * order``, summed over the signals that move; the penalty
    is 2 (Akaike 1974, ``"aic"``) or log(n_times) (Schwarz 1978, ``"bic"``).

    Parameters
    ----------
    X : ndarray of float64, shape (..., n_times)
    largest : int
        Largest order that is tried.
    criterion : {"aic", "bic"}

    Raises
    ------
    SettingsError
        For another criterion; for an order that the signals are too short for.
    """
    if criterion not in CRITERIA:
        raise SettingsError(f"criterion {criterion!r}: choose one of {', '.join(CRITERIA)}")
    n_times = X.shape[-1]
    _, variances = burg(X, largest)
    variances = variances.reshape(-1, largest + 1)
    variances = variances[variances[:, 0] > 0]
    penalty = 2.0 if criterion == "aic" else np.log(n_times)
    # A signal that is predicted to rounding has no likelihood: it shall not decide for all.
    floor = np.finfo(np.float64).eps * variances[:, :1]
    costs = n_times * np.log(np.maximum(variances, floor)).sum(axis=0)
    costs = costs + penalty * len(variances) * np.arange(largest + 1)
    return int(np.argmin(costs[1:])) + 1


def ar_power(a: F64, variance: F64, freqs_hz: F64, rate_hz: float) -> F64:
    """Return the one-sided power density of autoregressive models.

    Parameters
    ----------
    a : ndarray of float64, shape (..., order)
    variance : ndarray of float64, shape (...)
        Of the prediction error.
    freqs_hz : ndarray of float64, shape (n_freqs,)
    rate_hz : float

    Returns
    -------
    ndarray of float64, shape (..., n_freqs)
        In the square of the signals' unit per Hz.
    """
    powers = np.arange(1, a.shape[-1] + 1)
    phases = np.exp(-2j * np.pi / rate_hz * np.outer(powers, freqs_hz))
    # Two real products instead of a complex one with a complex copy of `a`.
    real = 1.0 + a @ phases.real
    imaginary = a @ phases.imag
    power: F64 = 2.0 / rate_hz * variance[..., None] / (real * real + imaginary * imaginary)
    return power


@kernel
def _solve(M: F64, x: F64) -> None:
    """Solve ``M x = right`` in place, right given in `x`; by elimination, M of shape (4, 4)."""
    for i in range(4):
        pivot = i
        for r in range(i + 1, 4):
            if abs(M[r, i]) > abs(M[pivot, i]):
                pivot = r
        if pivot != i:
            for c in range(4):
                M[i, c], M[pivot, c] = M[pivot, c], M[i, c]
            x[i], x[pivot] = x[pivot], x[i]
        for r in range(i + 1, 4):
            factor = M[r, i] / M[i, i]
            for c in range(i, 4):
                M[r, c] -= factor * M[i, c]
            x[r] -= factor * x[i]
    for i in range(3, -1, -1):
        for c in range(i + 1, 4):
            x[i] -= M[i, c] * x[c]
        x[i] /= M[i, i]


@kernel(fastmath=_FAST)
def _reflect(e: F64, m: int, E: F64, B: F64, C: F64) -> None:
    """Sum products of forward errors, rows 0 and 1 of `e`, with backward errors, rows 2 and 3."""
    n_times = e.shape[1]
    e00, e01, e11, b00, b01, b11 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    c00, c01, c10, c11 = 0.0, 0.0, 0.0, 0.0
    for t in range(m + 1, n_times):
        f0, f1, g0, g1 = e[0, t], e[1, t], e[2, t - 1], e[3, t - 1]
        e00 += f0 * f0
        e01 += f0 * f1
        e11 += f1 * f1
        b00 += g0 * g0
        b01 += g0 * g1
        b11 += g1 * g1
        c00 += f0 * g0
        c01 += f0 * g1
        c10 += f1 * g0
        c11 += f1 * g1
    E[0, 0], E[0, 1], E[1, 0], E[1, 1] = e00, e01, e01, e11
    B[0, 0], B[0, 1], B[1, 0], B[1, 1] = b00, b01, b01, b11
    C[0, 0], C[0, 1], C[1, 0], C[1, 1] = c00, c01, c10, c11


@kernel(fastmath=_FAST)
def _advance(e: F64, m: int, K: F64, L: F64) -> None:
    """Take the errors one order further: forward by K, backward by L."""
    for t in range(e.shape[1] - 1, m, -1):
        f0, f1, g0, g1 = e[0, t], e[1, t], e[2, t - 1], e[3, t - 1]
        e[0, t] = f0 + K[0, 0] * g0 + K[0, 1] * g1
        e[1, t] = f1 + K[1, 0] * g0 + K[1, 1] * g1
        e[2, t] = g0 + L[0, 0] * f0 + L[0, 1] * f1
        e[3, t] = g1 + L[1, 0] * f0 + L[1, 1] * f1


@kernel
def _inverse(P: F64, Q: F64) -> None:
    """Fill `Q` with the inverse of a symmetric matrix of shape (2, 2)."""
    d = P[0, 0] * P[1, 1] - P[0, 1] * P[1, 0]
    Q[0, 0], Q[1, 1] = P[1, 1] / d, P[0, 0] / d
    Q[0, 1], Q[1, 0] = -P[0, 1] / d, -P[1, 0] / d


@kernel
def _pair_models(X: F64, pairs: NDArray[np.intp], A: F64, P: F64) -> None:
    """Fill coefficients (n_pairs, order, 2, 2) and error covariances (n_pairs, 2, 2) of X."""
    n_times = X.shape[1]
    order = A.shape[1]
    e = np.empty((4, n_times))
    E, B, C = np.empty((2, 2)), np.empty((2, 2)), np.empty((2, 2))
    Pb, Qf, Qb = np.empty((2, 2)), np.empty((2, 2)), np.empty((2, 2))
    M, x = np.empty((4, 4)), np.empty(4)
    back, forth = np.empty((order, 2, 2)), np.empty((order, 2, 2))
    for p in range(len(pairs)):
        for i in range(2):
            e[i] = X[pairs[p, i]] - X[pairs[p, i]].mean()
            e[i + 2] = e[i]
        a, Pf = A[p], P[p]
        a[:] = 0.0
        for i in range(2):
            for j in range(2):
                Pf[i, j] = np.dot(e[i], e[j]) / n_times
                Pb[i, j] = Pf[i, j]
        for m in range(order):
            _reflect(e, m, E, B, C)
            _inverse(Pf, Qf)
            _inverse(Pb, Qb)
            # E Qf D + D Qb B = 2 C, for D row by row.
            EQ, QB = E @ Qf, Qb @ B
            for i in range(2):
                for j in range(2):
                    row = 2 * i + j
                    x[row] = 2.0 * C[i, j]
                    M[row] = 0.0
                    for k in range(2):
                        M[row, 2 * k + j] += EQ[i, k]
                        M[row, 2 * i + k] += QB[k, j]
            _solve(M, x)
            D = x.copy().reshape(2, 2)
            K, L = -(D @ Qb), -(np.ascontiguousarray(D.T) @ Qf)
            forth[:m], back_before = a[:m], back[:m].copy()
            for i in range(m):
                a[i] = forth[i] + K @ back_before[m - 1 - i]
                back[i] = back_before[i] + L @ forth[m - 1 - i]
            a[m], back[m] = K, L
            Pf += K @ np.ascontiguousarray(D.T)
            Pb += L @ D
            _advance(e, m, K, L)


def pair_coherency(
    X: F64, pairs: NDArray[np.intp], order: int, freqs_hz: F64, rate_hz: float
) -> C128:
    """Return the coherency of pairs of channels from a two-channel model of each pair.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    pairs : ndarray of int, shape (n_pairs, 2)
    order : int
    freqs_hz : ndarray of float64, shape (n_freqs,)
    rate_hz : float

    Returns
    -------
    ndarray of complex128, shape (n_windows, n_pairs, n_freqs)
        Cross-spectrum over the root of the product of the spectra; its phase is that by which the
        first channel leads. NaN for channels that do not move, or are the same.

    Raises
    ------
    SettingsError
        When the order is not between 1 and a quarter of the samples.
    """
    n_times = X.shape[-1]
    if not 1 <= order <= n_times // 4:
        raise SettingsError(
            f"a two-channel autoregressive model of order {order} needs windows of at least "
            f"{max(4 * order, 4)} samples, these have {n_times}: lower the order, or lengthen the "
            "window"
        )
    X = np.require(X, np.float64, ["C", "W"])
    lags = np.arange(1, order + 1)
    phases = np.exp(-2j * np.pi / rate_hz * np.outer(lags, freqs_hz))
    A, P = np.empty((len(pairs), order, 2, 2)), np.empty((len(pairs), 2, 2))
    found = np.empty((len(X), len(pairs), len(freqs_hz)), dtype=np.complex128)
    for window, coherency in zip(X, found, strict=True):
        _pair_models(window, pairs, A, P)
        flat = A.transpose(0, 2, 3, 1).reshape(-1, order)
        T = (flat @ phases.real + 1j * (flat @ phases.imag)).reshape(len(pairs), 2, 2, -1)
        T[:, 0, 0] += 1.0
        T[:, 1, 1] += 1.0
        # The spectra are those of the adjugate of T: its determinant cancels in the quotient.
        H = np.empty_like(T)
        H[:, 0, 0], H[:, 1, 1] = T[:, 1, 1], T[:, 0, 0]
        H[:, 0, 1], H[:, 1, 0] = -T[:, 0, 1], -T[:, 1, 0]
        S = np.einsum("pijf,pjk,plkf->pilf", H, P, H.conj(), optimize=True)
        coherency[:] = S[:, 0, 1] / np.sqrt(S[:, 0, 0].real * S[:, 1, 1].real)
    return found
