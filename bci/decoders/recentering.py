"""Recentering: following the reference point of a session as it drifts, without labels.

Electrodes dry, gains change, a cap sits elsewhere the next day: the covariances of a session move
as a whole, and a decoder's boundary stays behind. Recentering (Zanini et al. 2018, "Transfer
learning: a Riemannian geometry framework with applications to brain-computer interfaces", IEEE
Trans Biomed Eng 65(5), 1107-1116; online Kumar et al. 2019, "Towards adaptive classification using
Riemannian geometry approaches in brain-computer interfaces", BCI winter conference) moves each
window back by a linear map that takes the session's mean covariance M to the reference R that
training saw. The decoder stays as it is.

The mean. M starts at R and goes a fraction a of the geodesic toward each decided window's
covariance C: with ``M = K K'``, ``M <- K (inv(K) C
inv(K'))^a K'``. a = 1 - exp(-length / tau) with the time constant tau counted in decided signal;
consecutive windows overlap, so only one a window's length is taken. tau grows with the decided
signal from an eighth to its full value: the reference counts as that much signal seen before.

The map. Infinitely many take M to R; they differ by a rotation. This one, ``T M T = R`` with T
symmetric and positive, changes the signal least (it minimises the expected squared change: Gaussian
optimal transport, Olkin and Pukelsheim 1982, Linear Algebra Appl 48), and is exact wherever the
shift was symmetric and positive, such as gains of channels: then C comes back as it was. After any
other linear shift C comes back up to a rotation about R. Zanini's ``R^1/2 M^-1/2`` is exact for no
such class; decisions after either were alike (see `Recentering`).

What is exact holds for sample covariances; shrinkage does not commute with a linear map.

The reference is the mean over all windows of the training recordings, rest between trials
included, as the windows online are: the mean of the trials alone differs from it, and a decoder of
imagery against rest would take the difference for a shift.
"""

import base64
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from bci.decoders.base import F64
from bci.errors import SettingsError

__all__ = [
    "TAU_S",
    "Recentering",
    "RunningReference",
    "check_time_constant",
    "geodesic",
    "recentered",
    "transport",
]

_log = logging.getLogger(__name__)

#: Default time constant (s).
TAU_S = 120.0

#: The first time constant, as a part of the last.
_FIRST = 1 / 8


@dataclass(frozen=True, eq=False)
class Recentering:
    """What a model needs to follow the reference point.

    Measured (tests/benchmarks/recentering.py) on runs that training did not see, ts-lr, without and
    with: accuracy .69 and .74 (EEGMMIDB, thirteen people), .77 and .78 (MI-OpenBCI, three), .69 and
    .80 (P1, a day and another); over all eighteen .051 better, standard error .019, ROC-AUC .012
    better, .007. What it takes away is the bias; the order of the windows hardly changes. Any tau
    of 60 to 300 s gave the same within noise. When each test channel got as much again of a random
    mixture of all others, at a quarter of their power, accuracies of .53, .56 and .60 without
    became .69, .79 and .73.

    Attributes
    ----------
    references : tuple of ndarray of float64, shape (n, n)
        One a view of the decoder: Riemannian mean of the covariances of all windows.
    class_means : tuple of ndarray of float64, shape (n_classes, n, n)
        One a view: Riemannian means of the training trials' windows by class, in the order of the
        estimator's classes. What `bci.decoders.recalibration` aligns a new session with.
    tau_s : float
        Time constant of forgetting, in seconds of decided signal.

    Raises
    ------
    SettingsError
        For a time constant that is none.
    """

    references: tuple[F64, ...] = field(repr=False)
    class_means: tuple[F64, ...] = field(repr=False)
    tau_s: float = TAU_S

    def __post_init__(self) -> None:
        check_time_constant(self.tau_s)
        for name in ("references", "class_means"):
            arrays = tuple(np.array(array, dtype=np.float64) for array in getattr(self, name))
            for array in arrays:
                array.flags.writeable = False
            object.__setattr__(self, name, arrays)


def check_time_constant(tau_s: float) -> None:
    """Raise SettingsError unless recentering can have this time constant (s)."""
    if not 0 < tau_s < math.inf:
        raise SettingsError(f"recentering with time constant {tau_s:g} s: give one above 0")


class RunningReference:
    """The mean of a session as it runs, and the maps from it to the reference.

    What it does depends on nothing but the covariances, in order, and the samples at which their
    windows end: a replay that is given the same does the same to the last bit.

    Parameters
    ----------
    recentering : Recentering
    length : int
        Of a window, in samples.
    rate_hz : float
    """

    def __init__(self, recentering: Recentering, length: int, rate_hz: float) -> None:
        self._references = recentering.references
        self._tau_s, self._length, self._window_s = recentering.tau_s, length, length / rate_hz
        self._learned_s = 0.0
        self._learned_at: int | None = None
        self._means = self._references
        self._maps: tuple[F64, ...] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, exactly, for JSON: a log that has it lets a replay carry on from it."""
        means = [
            base64.b64encode(M[np.tril_indices(len(M))].astype("<f8").tobytes()).decode()
            for M in self._means
        ]
        return {"learned_s": self._learned_s, "means": means}

    def carry_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what another has learned, with samples that count anew.

        Parameters
        ----------
        state : mapping
            From `state`.

        Raises
        ------
        KeyError, TypeError
            When it is none, or that of another model.
        """
        means = []
        try:
            for text, R in zip(state["means"], self._references, strict=True):
                below, M = np.tril_indices(len(R)), np.empty_like(R)
                M[below] = np.frombuffer(base64.b64decode(text), "<f8")
                M.T[below] = M[below]
                means.append(M)
        except ValueError as error:
            raise TypeError(f"recentering of another model: {error}") from error
        self._learned_s = float(state["learned_s"])
        self._learned_at = None
        self._means = tuple(means)
        if self._learned_s:
            self._maps = tuple(
                transport(M, R) for M, R in zip(means, self._references, strict=True)
            )

    @property
    def learned_at(self) -> int | None:
        """Where the last window ended that moved the mean; None: none did since the start."""
        return self._learned_at

    def transformed(self, C: Sequence[F64]) -> list[F64]:
        """Return covariances as they would be had the session not moved.

        Parameters
        ----------
        C : sequence of ndarray of float64, shape (n_windows, n, n)
            One stack a view.
        """
        if self._maps is None:
            return list(C)
        return [recentered(stack, T) for stack, T in zip(C, self._maps, strict=True)]

    def learn(self, C: Sequence[F64], end: int) -> None:
        """Move the mean toward a decided window; one that overlaps the last is passed over.

        A window whose covariance is singular, or not finite, changes nothing.

        Parameters
        ----------
        C : sequence of ndarray of float64, shape (1, n, n)
            One a view, not transformed.
        end : int
            Sample at which the window ends.
        """
        if self._learned_at is not None and end - self._learned_at < self._length:
            return
        tau_s = min(self._tau_s, self._tau_s * _FIRST + self._learned_s)
        fraction = 1 - math.exp(-self._window_s / tau_s)
        try:
            means = tuple(
                geodesic(M, stack[0], fraction) for M, stack in zip(self._means, C, strict=True)
            )
            maps = tuple(transport(M, R) for M, R in zip(means, self._references, strict=True))
        except (np.linalg.LinAlgError, ValueError):  # of SciPy, for what is not finite
            _log.debug("window that ends at %d is no covariance: not learned from", end)
            return
        self._means, self._maps = means, maps
        self._learned_at = end
        self._learned_s += self._window_s

    @property
    def moved_db(self) -> float:
        """How far the mean is from the reference (dB): power, root mean square over directions.

        Directions are those that change the signal's power independently; the affine-invariant
        distance over the root of their number. Of several views, the largest.
        """
        return max(
            10 / math.log(10) * _distance(M, R) / math.sqrt(len(R))
            for M, R in zip(self._means, self._references, strict=True)
        )


def recentered(C: F64, T: F64) -> F64:
    """Return ``T C T'`` of each matrix, symmetric to the last bit.

    Parameters
    ----------
    C : ndarray of float64, shape (n_matrices, n, n)
    T : ndarray of float64, shape (n, n)
    """
    moved = T @ C @ T.T
    symmetric: F64 = (moved + moved.transpose(0, 2, 1)) / 2
    return symmetric


def geodesic(M: F64, C: F64, fraction: float) -> F64:
    """Return the point at a fraction of the affine-invariant geodesic from `M` to `C`.

    Parameters
    ----------
    M, C : ndarray of float64, shape (n, n)
        Positive definite.
    fraction : float

    Returns
    -------
    ndarray of float64, shape (n, n)
        ``M (inv(M) C)^fraction``, symmetric to the last bit.

    Raises
    ------
    numpy.linalg.LinAlgError
        When a matrix is not positive definite.
    """
    K = np.linalg.cholesky(M)
    U, s, _ = np.linalg.svd(solve_triangular(K, np.linalg.cholesky(C), lower=True))
    half: F64 = (K @ U) * s**fraction
    return half @ half.T


def transport(M: F64, R: F64) -> F64:
    """Return the symmetric, positive T with ``T M T = R``: the geometric mean of R and inv(M).

    From singular values of factors, which stay positive where eigenvalues of the product would
    not: nearly singular covariances (sample covariances of an average reference) work too.

    Parameters
    ----------
    M, R : ndarray of float64, shape (n, n)
        Positive definite.

    Raises
    ------
    numpy.linalg.LinAlgError
        When a matrix is not positive definite.
    """
    K = np.linalg.cholesky(M)
    _, s, Vt = np.linalg.svd(np.linalg.cholesky(R).T @ K)
    half = solve_triangular(K, Vt.T * np.sqrt(s), lower=True, trans="T")
    return half @ half.T


def _distance(M: F64, R: F64) -> float:
    s = np.linalg.svd(
        solve_triangular(np.linalg.cholesky(R), np.linalg.cholesky(M), lower=True),
        compute_uv=False,
    )
    return float(2 * np.linalg.norm(np.log(s)))
