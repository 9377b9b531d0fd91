"""Scores of held-out trials, each with its 95 % interval.

Intervals have closed forms here; those by resampling are in `bci.evaluation.resampling`. They say
what the number of trials leaves open for decoders trained as these were; they treat trials as
independent and don't hold what another split into folds would change. None of those here collapses
at a perfect score, as a bootstrap or a Wald interval does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

__all__ = [
    "Score",
    "accuracy",
    "class_accuracies",
    "cohen_kappa",
    "confusion",
    "fold_roc_auc",
    "matthews",
    "normalised_matthews",
    "roc_auc",
    "wilson_interval",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_Z = 1.959963984540054  # two-sided 95 %
_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """A score and its 95 % interval.

    Attributes
    ----------
    mean, low, high : float
    """

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return it for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def wilson_interval(n_correct: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a proportion (Wilson 1927).

    >>> [round(bound, 3) for bound in wilson_interval(45, 45)]
    [0.921, 1.0]
    """
    share = n_correct / n
    scale = 1 + _Z**2 / n
    centre = (share + _Z**2 / (2 * n)) / scale
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / scale
    # Of none or all, one bound is the share itself, and rounding must not put it on the other side.
    return float(max(0.0, min(centre - half, share))), float(min(1.0, max(centre + half, share)))


def accuracy(y: I64, decided: I64) -> Score:
    """Return the share of trials decided right, with Wilson's interval.

    Parameters
    ----------
    y, decided : ndarray of int64, shape (n_trials,)
    """
    n_correct = int(np.count_nonzero(y == decided))
    return Score(n_correct / len(y), *wilson_interval(n_correct, len(y)))


def class_accuracies(y: I64, decided: I64, classes: Sequence[str]) -> dict[str, Score]:
    """Return each class's share of trials decided right (its recall), with Wilson's interval."""
    return {
        name: accuracy(y[y == k], decided[y == k])
        for k, name in enumerate(classes)
        if np.any(y == k)
    }


def cohen_kappa(y: I64, decided: I64, n_classes: int) -> Score:
    """Return Cohen's kappa: how far the accuracy lies above what agreement by chance gives.

    ``kappa = (accuracy - e) / (1 - e)`` with `e` the agreement expected from how often each class
    was there and was decided (Cohen 1960). The interval is Wilson's of the accuracy, sent through
    the same formula: `e` is taken as known, which it nearly is beside the accuracy.

    Parameters
    ----------
    y, decided : ndarray of int64, shape (n_trials,)
    n_classes : int
    """
    there = np.bincount(y, minlength=n_classes) / len(y)
    said = np.bincount(decided, minlength=n_classes) / len(y)
    expected = float(there @ said)
    score = accuracy(y, decided)
    if expected >= 1:  # one class there and always decided: agreement says nothing
        return Score(0.0, 0.0, 0.0)
    mean, low, high = (
        float((value - expected) / (1 - expected)) for value in (score.mean, score.low, score.high)
    )
    return Score(mean, max(-1.0, low), high)


def confusion(y: I64, decided: I64, n_classes: int) -> I64:
    """Return how often each class (row) was decided as each (column), (n_classes, n_classes)."""
    counts = np.bincount(y * n_classes + decided, minlength=n_classes**2)
    return counts.astype(np.int64).reshape(n_classes, n_classes)


def matthews(counts: I64 | F64) -> F64:
    """Return Matthews' correlation of confusion matrices, for any number of classes.

    Gorodkin (2004, Computational Biology and Chemistry 28, 367-374). Zero where one class alone
    was there, or was decided.

    Parameters
    ----------
    counts : ndarray, shape (..., n_classes, n_classes)

    Returns
    -------
    ndarray of float64, shape (...)
        -1 to 1; chance gives 0.

    >>> float(matthews(np.array([[3, 1], [1, 3]])))
    0.5
    """
    counts = np.asarray(counts, np.float64)
    n = counts.sum(axis=(-2, -1))
    there, said = counts.sum(axis=-1), counts.sum(axis=-2)
    right = np.trace(counts, axis1=-2, axis2=-1)
    shared = right * n - (there * said).sum(axis=-1)
    spread = (n**2 - (there**2).sum(axis=-1)) * (n**2 - (said**2).sum(axis=-1))
    result: F64 = np.divide(
        shared, np.sqrt(spread), out=np.zeros_like(shared), where=np.asarray(spread > 0)
    )
    return result


def normalised_matthews(counts: I64 | F64) -> F64:
    """Return nMCC: Matthews' correlation brought from -1..1 to 0..1, ``(MCC + 1) / 2``.

    The normalisation of Carrara and Papadopoulo (2023, arXiv 2308.11656). Chance gives 0.5,
    however unequal the classes are, which an idle class always makes them.

    Parameters
    ----------
    counts : ndarray, shape (..., n_classes, n_classes)
    """
    return (matthews(counts) + 1) / 2


def roc_auc(positive: F64, negative: F64) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Ties count half (Mann and Whitney 1947).

    Parameters
    ----------
    positive, negative : ndarray of float64, shape (n,)
        Scores of the trials of the one and of the other class.

    >>> roc_auc(np.array([0.6, 0.9]), np.array([0.1, 0.6]))
    0.875
    """
    n, m = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def fold_roc_auc(y: I64, scores: F64, folds: I64) -> Score | None:
    """Return the mean over the folds of each fold's ROC-AUC, and its interval.

    The mean over folds is the field's convention (MOABB, scikit-learn's ``cross_val_score``):
    scores of different folds come from different decoders and are not compared with each other.
    Folds that lack a class have no AUC and don't count.

    The interval is the pseudo-score interval of Newcombe (2006, Statistics in Medicine 25,
    559-573, method 5: Hanley and McNeil's variance with both exponents symmetric, taken at the
    bound itself), with the variance of the mean over folds in place of one sample's.

    Parameters
    ----------
    y : ndarray of int64, shape (n_trials,)
        1: positive, 0: negative.
    scores : ndarray of float64, shape (n_trials,)
    folds : ndarray of int64, shape (n_trials,)
        In which fold each trial was tested.

    Returns
    -------
    Score or None
        None when no fold holds both classes.
    """
    areas, sizes = [], []
    for fold in np.unique(folds):
        positive = scores[(folds == fold) & (y == 1)]
        negative = scores[(folds == fold) & (y == 0)]
        if len(positive) and len(negative):
            areas.append(roc_auc(positive, negative))
            sizes.append((len(positive), len(negative)))
    if not areas:
        return None
    mean = float(np.mean(areas))

    def spread(area: float) -> float:
        shared = (1 - area) / (2 - area) + area / (1 + area)
        variance = sum(
            area * (1 - area) / (m * n) * (1 + ((m + n) / 2 - 1) * shared) for m, n in sizes
        )
        return _Z * float(np.sqrt(max(variance, 0.0))) / len(sizes)

    # The spread vanishes at 0 and at 1: there each equation has a second root, which is not meant.
    low, high = 0.0, 1.0
    if mean > _NEAR:
        low = float(optimize.brentq(lambda area: mean - area - spread(area), 0.0, mean - _NEAR))
    if mean < 1 - _NEAR:
        high = float(optimize.brentq(lambda area: area - mean - spread(area), mean + _NEAR, 1.0))
    return Score(mean, low, high)
