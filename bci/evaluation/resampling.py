"""Intervals by resampling trials: the bootstrap, for scores without a closed form and beside it.

Whole trials are drawn, never windows: windows of a trial are not independent. They are drawn
within fold and class, as many as there are, since those numbers were chosen and not observed. The
decoders stay as they were trained: what another training set would change is not in the interval.

A percentile bootstrap is a little narrow for few trials (a nominal 95 % covers some 92 % at 45),
and collapses at a perfect score; closed forms (`bci.evaluation.metrics`) do neither.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bci.evaluation.metrics import Score, cohen_kappa, confusion, normalised_matthews

__all__ = ["bootstrap_scores", "nmcc_score", "resampled_rows"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Draws: the bounds then move by less than a tenth of a standard error with the seed.
N_DRAWS = 2000


def resampled_rows(strata: I64, n_draws: int, seed: int) -> I64:
    """Return draws with replacement, each stratum keeping its size.

    Parameters
    ----------
    strata : ndarray of int64, shape (n_trials,)
    n_draws, seed : int

    Returns
    -------
    ndarray of int64, shape (n_draws, n_trials)
        Position j is drawn from the stratum of trial j.
    """
    rng = np.random.default_rng([seed, 0xB007])
    rows = np.empty((n_draws, len(strata)), np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        rows[:, members] = rng.choice(members, size=(n_draws, len(members)))
    return rows


def bootstrap_scores(
    y: I64, probabilities: F64, folds: I64, *, n_draws: int = N_DRAWS, seed: int = 0
) -> dict[str, Score]:
    """Return the scores of held-out trials with percentile intervals from drawing trials anew.

    Parameters
    ----------
    y : ndarray of int64, shape (n_trials,)
    probabilities : ndarray of float64, shape (n_trials, n_classes)
    folds : ndarray of int64, shape (n_trials,)
        In which fold each trial was tested.
    n_draws, seed : int

    Returns
    -------
    dict of str to Score
        ``accuracy``, ``kappa``, ``nmcc``; of two classes ``roc_auc``, if a fold holds both.
    """
    n_classes = probabilities.shape[1]
    decided = np.argmax(probabilities, axis=1)
    cells = y * n_classes + decided
    rows = resampled_rows(folds * n_classes + y, n_draws, seed)
    drawn = _tables(cells[rows], n_classes)
    observed = confusion(y, decided, n_classes)
    statistics: dict[str, Callable[[I64], F64]] = {
        "accuracy": _accuracy,
        "kappa": _kappa,
        "nmcc": normalised_matthews,
    }
    result = {
        name: _score(float(statistic(observed)), statistic(drawn))
        for name, statistic in statistics.items()
    }
    if n_classes == 2:
        area = _fold_areas(y, probabilities[:, 1], folds, np.arange(len(y))[None])
        if area is not None:
            areas = _fold_areas(y, probabilities[:, 1], folds, rows)
            if areas is not None:
                result["roc_auc"] = _score(float(area[0]), areas)
    return result


def nmcc_score(y: I64, decided: I64, n_classes: int, bootstrap: Score) -> Score:
    """Return nMCC with its bootstrap interval, or where that collapses, with kappa's bounds.

    Where every trial is right, drawing trials anew leaves no interval. There, and nearly there,
    Matthews' correlation and kappa are one, and kappa's interval does not collapse.

    Parameters
    ----------
    y, decided : ndarray of int64, shape (n_trials,)
    n_classes : int
    bootstrap : Score
        Of nMCC, from `bootstrap_scores`.
    """
    if bootstrap.high - bootstrap.low > 1e-12:
        return bootstrap
    kappa = cohen_kappa(y, decided, n_classes)
    mean = bootstrap.mean
    return Score(mean, min(mean, (1 + kappa.low) / 2), max(mean, (1 + kappa.high) / 2))


def _tables(cells: I64, n_classes: int) -> I64:
    """Count cells of confusion matrices: (n_draws, n_trials) to (n_draws, n, n)."""
    n_cells = n_classes**2
    numbered = cells + n_cells * np.arange(len(cells))[:, None]
    counts = np.bincount(numbered.ravel(), minlength=n_cells * len(cells))
    return counts.reshape(len(cells), n_classes, n_classes).astype(np.int64)


def _accuracy(tables: I64) -> F64:
    right: F64 = np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1))
    return right


def _kappa(tables: I64) -> F64:
    n = tables.sum(axis=(-2, -1))
    expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / n**2
    right = _accuracy(tables)
    kappa: F64 = np.divide(
        right - expected, 1 - expected, out=np.zeros_like(right), where=np.asarray(expected < 1)
    )
    return kappa


def _fold_areas(y: I64, scores: F64, folds: I64, rows: I64) -> F64 | None:
    """Return the mean over folds of the ROC-AUC for each row of drawn trials."""
    areas = []
    for fold in np.unique(folds):
        positive = np.flatnonzero((folds == fold) & (y == 1))
        negative = np.flatnonzero((folds == fold) & (y == 0))
        if len(positive) and len(negative):
            drawn = np.concatenate([rows[:, positive], rows[:, negative]], axis=1)
            ranks = stats.rankdata(scores[drawn], axis=1)
            n, m = len(positive), len(negative)
            areas.append((ranks[:, :n].sum(axis=1) - n * (n + 1) / 2) / (n * m))
    return np.mean(areas, axis=0) if areas else None


def _score(observed: float, drawn: F64) -> Score:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Score(observed, float(low), float(high))
