"""Which changes of power against a baseline are more than chance: a bootstrap over trials."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label

__all__ = ["bootstrapped", "in_clusters", "p_values"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Two-sided significance, by itself, of the cells that patches are made of.
_CELL_LEVEL = 0.05


def bootstrapped(cells: F64, base: F64, drawn: I64) -> tuple[F64, F64, F64]:
    """Return the change in percent, its statistic, and what that is in draws of no change.

    The statistic is ln(A / R) in its standard errors, A and R the means over trials of a cell's
    power and of the baseline's at its frequency. The variance comes from a first-order expansion:
    that of a / A - r / R over trials, divided by their number. It is studentised in each draw too:
    power over few trials is far from normal, and quantiles of Student's t would find 10 % of all
    cells significant at 5 %.

    Parameters
    ----------
    cells : ndarray of float64, shape (n_trials, n_freqs, n_steps)
    base : ndarray of float64, shape (n_trials, n_freqs, 1)
    drawn : ndarray of int, shape (n_bootstraps, n_trials)
        How often each trial is drawn.

    Returns
    -------
    percent, statistic : ndarray of float64, shape (n_freqs, n_steps)
    draws : ndarray of float64, shape (n_bootstraps, n_freqs, n_steps)
    """
    n_trials = len(cells)
    tiny = np.finfo(np.float64).tiny
    # Scaled to the mean: volts squared are small enough to lose their squares.
    scale = np.maximum(base.mean(axis=0), tiny)
    a, r = cells / scale, base / scale
    (ratio,), (error,) = _log_ratio(np.full((1, n_trials), 1 / n_trials), a, r)
    ratios, errors = _log_ratio(drawn / n_trials, a, r)
    draws = np.divide(ratios - ratio, errors, out=np.zeros_like(ratios), where=errors > 0)
    statistic = np.divide(ratio, error, out=np.zeros_like(ratio), where=error > 0)
    return 100 * (np.exp(ratio) - 1), statistic, draws


def p_values(statistic: F64, draws: F64) -> F64:
    """Return the two-sided p of each cell by itself, see `bootstrapped`; never zero."""
    reached = (np.abs(draws) >= np.abs(statistic)).sum(axis=0)
    return np.asarray((1 + reached) / (1 + len(draws)))


def in_clusters(statistic: F64, draws: F64, level: float) -> Bool:
    """Return which cells are in a patch of one sign that is larger than chance makes.

    A patch is what touches (by sides) of cells that are significant by themselves; its mass is the
    sum of their statistics. Chance is the largest patch of each draw (Maris and Oostenveld 2007,
    with the bootstrap's draws for permutations: there is nothing to permute against a baseline).
    """
    limit = np.maximum(np.quantile(np.abs(draws), 1 - _CELL_LEVEL, axis=0), 1e-12)
    maps = np.concatenate([statistic[None], draws]) / limit
    touching = np.zeros((3, 3, 3), dtype=bool)
    touching[1] = generate_binary_structure(2, 1)  # a patch lies in one map
    largest = np.zeros(len(maps))
    heavy: list[tuple[Any, F64]] = []  # patches of the map itself, masses of all
    for sign in (1, -1):
        inside = sign * maps > 1
        labels, n_patches = label(inside, structure=touching)
        patch_of = labels[inside]
        masses = np.bincount(patch_of, np.abs(maps[inside]), n_patches + 1).astype(np.float64)
        map_of = np.zeros(n_patches + 1, dtype=np.intp)
        map_of[patch_of] = np.nonzero(inside)[0]
        np.maximum.at(largest, map_of, masses)
        heavy.append((labels[0], masses))
    # The map itself counts as one draw: no p is zero.
    least = np.quantile(largest, 1 - level, method="higher")
    found = np.zeros(statistic.shape, dtype=bool)
    for patch, masses in heavy:
        found |= (masses > least)[patch]
    return found


def _log_ratio(weights: F64, a: F64, r: F64) -> tuple[F64, F64]:
    """Return ln(A / R) and its standard error, shape (n_draws, n_freqs, n_steps)."""
    n_trials = len(a)
    flat = (n_trials, -1)

    def mean(values: F64) -> F64:
        return (weights @ values.reshape(flat)).reshape(len(weights), *values.shape[1:])

    tiny = np.finfo(np.float64).tiny
    A, R = np.maximum(mean(a), tiny), np.maximum(mean(r), tiny)
    variance = mean(a**2) / A**2 - 2 * mean(a * r) / (A * R) + mean(r**2) / R**2
    return np.log(A / R), np.sqrt(np.maximum(variance, 0.0) / (n_trials - 1))
