"""Choosing among scored (order, lag) pairs."""

import numpy as np

from bci.decoders.base import F64, Index

__all__ = ["CHOICES", "best_few", "one_standard_error"]

#: Rules by name.
CHOICES = ("best", "one-standard-error", "average")


def one_standard_error(orders: Index, fold_scores: F64, bonus: F64 | None = None) -> int:
    """Choose a pair: the lowest order within one standard error of the best.

    With few trials a bare maximum chooses noise. The error is that of the paired difference to
    the best, over folds; the rule is that of Breiman et al. 1984 for pruning trees.

    Parameters
    ----------
    orders : ndarray of int, shape (n_pairs,)
    fold_scores : ndarray of float64, shape (n_pairs, n_folds)
    bonus : ndarray of float64, shape (n_pairs,), optional
        Added to the mean scores.

    Returns
    -------
    int
        Number of the pair: the best of the chosen order, the first of equals.
    """
    added = np.zeros(len(orders)) if bonus is None else bonus
    means = fold_scores.mean(axis=1) + added
    best = int(means.argmax())
    for order in np.unique(orders):
        members = np.flatnonzero(orders == order)
        candidate = int(members[means[members].argmax()])
        behind = fold_scores[best] - fold_scores[candidate]
        error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else np.inf
        if means[best] - means[candidate] <= error:
            return candidate
    return best


def best_few(means: F64, n: int) -> Index:
    """Return the numbers of the `n` best pairs, best first, the first of equals before others."""
    return np.argsort(-means, kind="stable")[:n]
