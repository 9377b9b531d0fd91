"""Inner folds: stratified by class, with the windows of a trial together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["trial_folds"]

Index = NDArray[np.intp]


def trial_folds(target: Index, trials: Index, n_folds: int, seed: int) -> list[tuple[Index, Index]]:
    """Split windows into folds.

    The trials of each class are shuffled and dealt to the folds in turn, so that every fold's
    test part holds as many of each as can be, and every training part at least one. (scikit-
    learn's StratifiedGroupKFold may leave a class out when trials are few.)

    Parameters
    ----------
    target : ndarray of int, shape (n_windows,)
        Class of each window, from 0.
    trials : ndarray of int, shape (n_windows,)
        Trial of each window; all windows of a trial are of one class.
    n_folds : int
        At most; never more than the smallest class has trials.
    seed : int

    Returns
    -------
    list of (train, test)
        Window numbers, ascending.
    """
    rng = np.random.default_rng(seed)
    numbers, first = np.unique(trials, return_index=True)
    label = target[first]
    n_folds = min(n_folds, int(np.bincount(label).min()))
    fold_of = np.empty(len(numbers), dtype=np.intp)
    dealt = 0
    for k in range(int(label.max()) + 1):
        members = rng.permutation(np.flatnonzero(label == k))
        # Dealing goes on where the last class stopped: folds of equal size.
        fold_of[members] = (dealt + np.arange(len(members))) % n_folds
        dealt += len(members)
    window_fold = fold_of[np.searchsorted(numbers, trials)]
    return list(_splits(window_fold, n_folds))


def _splits(window_fold: Index, n_folds: int) -> Iterator[tuple[Index, Index]]:
    for fold in range(n_folds):
        yield np.flatnonzero(window_fold != fold), np.flatnonzero(window_fold == fold)
