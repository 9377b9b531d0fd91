"""The numbers of paired comparisons: corrected t, Holm, and scores over thousands of draws."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = [
    "areas",
    "corrected_resampled_t",
    "drawn_areas",
    "drawn_shares",
    "holm",
    "shares",
    "times_drawn",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def corrected_resampled_t(differences: ArrayLike, n_train: float, n_test: float) -> float | None:
    """Return the two-sided p-value of a mean difference over folds.

    Parameters
    ----------
    differences : array_like of float, shape (n_folds,)
        Of all repeats.
    n_train, n_test : float
        Trials of a fold.

    Returns
    -------
    float or None
        None for fewer than two folds. 1 when no fold differs.
    """
    d = np.asarray(differences, np.float64)
    if len(d) < 2:
        return None
    variance = float(d.var(ddof=1)) * (1 / len(d) + n_test / n_train)
    if variance <= 0:
        return 1.0 if d.mean() == 0 else 0.0
    t = abs(float(d.mean())) / np.sqrt(variance)
    return float(2 * stats.t.sf(t, len(d) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that 5 % bounds the chance of any false positive among them.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    n = len(p_values)
    adjusted, largest = [0.0] * n, 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (n - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def times_drawn(strata: I64, n_draws: int, rng: np.random.Generator) -> I64:
    """Return how often each trial is drawn, each stratum keeping its size."""
    times = np.zeros((n_draws, len(strata)), np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        share = np.full(len(members), 1 / len(members))
        times[:, members] = rng.multinomial(len(members), share, size=n_draws)
    return times


def areas(y: I64, values: F64) -> F64:
    """Return the area under the ROC curve of each row of values.

    Parameters
    ----------
    y : ndarray of int64, shape (n_trials,)
        1: positive, 0: negative; some of both.
    values : ndarray of float64, shape (n_rows, n_trials)
    """
    n, m = int(np.count_nonzero(y == 1)), int(np.count_nonzero(y == 0))
    ranks = stats.rankdata(values, axis=1)[:, y == 1].sum(axis=1)
    area: F64 = (ranks - n * (n + 1) / 2) / (n * m)
    return area


def drawn_areas(y: I64, values: F64, times: I64) -> F64:
    """Return the area under the ROC curve of each draw; not a number where it lacks a class.

    Parameters
    ----------
    y : ndarray of int64, shape (n_trials,)
    values : ndarray of float64, shape (n_trials,)
    times : ndarray of int64, shape (n_draws, n_trials)
        How often each trial is drawn.
    """
    above = values[y == 1][:, None] - values[y == 0]
    won = (above > 0) + 0.5 * (above == 0)
    positive, negative = times[:, y == 1].astype(np.float64), times[:, y == 0].astype(np.float64)
    n_pairs = positive.sum(axis=1) * negative.sum(axis=1)
    total = ((positive @ won) * negative).sum(axis=1)
    area: F64 = np.divide(total, n_pairs, out=np.full(len(times), np.nan), where=n_pairs > 0)
    return area


def shares(y: I64, right: F64) -> F64:
    """Return the share of trials decided right in each row; `y` has no say."""
    share: F64 = right.mean(axis=1)
    return share


def drawn_shares(y: I64, right: F64, times: I64) -> F64:
    """Return the share of trials decided right in each draw; `y` has no say."""
    share: F64 = times @ right / times.sum(axis=1)
    return share
