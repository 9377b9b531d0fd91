"""The augmented covariance method (ACM), with order and lag given or searched."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.metrics import roc_auc_score

from bci.decoders.base import F64, Index, check_at_least, covariances
from bci.decoders.folds import trial_folds
from bci.decoders.linear import Folds, out_of_fold_scores
from bci.decoders.tangent import TangentDecoder
from bci.errors import SettingsError
from bci.riemann import riemannian_mean, tangent_vectors, whitening

__all__ = ["ACMDecoder", "acm_lr", "acm_svm"]

#: Gradient at which a reference is good enough to compare (order, lag) pairs.
_SEARCH_TOLERANCE = 1e-3


class ACMDecoder(TangentDecoder):
    """Augmented covariance, tangent space, linear rule.

    Carrara and Papadopoulo 2024, "Classification of BCI-EEG based on the augmented covariance
    matrix", IEEE Trans Biomed Eng 71(9).

    With ``order="search"``, order and lag are chosen within `fit`, on inner folds of the training
    trials: each pair's score is the mean over folds of the ROC-AUC of its trials (two classes) or
    of their accuracy (more). Order 1, plain tangent space, always takes part. The lowest order
    stands whose best pair falls behind the best of all by no more than one standard error of
    their difference over the folds; with few trials a bare maximum chooses noise.

    The reference point is the mean of all training windows, labels unseen, also in inner folds.

    Parameters
    ----------
    classifier : {"lr", "svm"}
    order : int or "search"
    lag : int
        In samples; without effect when searched.
    covariance : {"oas", "lwf", "scm"}
    C : float
    n_folds : int
        Inner folds, for the search and for calibration.
    seed : int
    orders, lags : sequence of int
        What is searched. Pairs that leave fewer augmented samples than half a window are not.
    max_rows : int
        Orders above 1 that make more rows (order * n_channels) than this are not searched: with
        a session's number of trials, matrices that large lose to plain tangent space (over 60
        channels on five of six data sets, in Carrara and Papadopoulo's own results).

    Attributes
    ----------
    order_, lag_ : int
        As chosen.
    search_orders_, search_lags_ : ndarray of int, shape (n_pairs,)
        Pairs that were compared; empty without a search.
    search_scores_ : ndarray of float64, shape (n_pairs, n_folds)
    """

    def __init__(
        self,
        classifier: Literal["lr", "svm"] = "svm",
        order: int | Literal["search"] = 3,
        lag: int = 4,
        covariance: str = "oas",
        C: float = 1.0,
        n_folds: int = 5,
        seed: int = 0,
        orders: Sequence[int] = (1, 2, 3),
        lags: Sequence[int] = (2, 4, 8),
        max_rows: int = 128,
    ) -> None:
        super().__init__(
            classifier,
            order,
            lag,
            covariance,
            C,
            n_folds,
            seed,
        )
        self.orders = orders
        self.lags = lags
        self.max_rows = max_rows

    def _choose(self, X: F64, target: Index, trials: Index) -> tuple[int, int]:
        if not isinstance(self.order, str):
            self.search_orders_ = self.search_lags_ = np.empty(0, dtype=np.intp)
            self.search_scores_ = np.empty((0, 0))
            return super()._choose(X, target, trials)
        if self.order != "search":
            raise SettingsError(f"order {self.order!r}: give a whole number, or search")
        pairs = self._pairs(*X.shape[1:])
        folds = trial_folds(target, trials, self.n_folds, self.seed)
        self.search_orders_ = np.array([order for order, _ in pairs], dtype=np.intp)
        self.search_lags_ = np.array([lag for _, lag in pairs], dtype=np.intp)
        self.search_scores_ = np.array(
            [self._fold_scores(X, target, trials, pair, folds) for pair in pairs]
        )
        return pairs[one_standard_error_choice(self.search_orders_, self.search_scores_)]

    def _pairs(self, n_channels: int, n_times: int) -> list[tuple[int, int]]:
        for order in self.orders:
            check_at_least("orders", order, 1)
        for lag in self.lags:
            check_at_least("lags", lag, 1)
        higher = sorted({int(order) for order in self.orders} - {1})
        lags = sorted({int(lag) for lag in self.lags})
        fitting = [
            (order, lag)
            for order in higher
            for lag in lags
            if order * n_channels <= self.max_rows and (order - 1) * lag <= n_times // 2
        ]
        return [(1, 1), *fitting]

    def _fold_scores(
        self, X: F64, target: Index, trials: Index, pair: tuple[int, int], folds: Folds
    ) -> F64:
        C = covariances(X, *pair, self.covariance)
        W = whitening(riemannian_mean(C, _SEARCH_TOLERANCE))
        held_out = out_of_fold_scores(tangent_vectors(C, W), target, self.classifier, self.C, folds)
        return np.array(
            [_trial_score(held_out[test], target[test], trials[test]) for _, test in folds]
        )


def _trial_score(values: F64, target: Index, trials: Index) -> float:
    """Score trials by the mean of their windows' scores: AUC for two classes, else accuracy."""
    numbers, first, member = np.unique(trials, return_index=True, return_inverse=True)
    mean = np.zeros((len(numbers), values.shape[1]))
    np.add.at(mean, member, values)
    mean /= np.bincount(member)[:, None]
    label = target[first]
    if values.shape[1] > 1:
        return float(np.mean(mean.argmax(axis=1) == label))
    return float(roc_auc_score(label, mean[:, 0]))


def one_standard_error_choice(orders: Index, fold_scores: F64) -> int:
    """Choose a pair: the lowest order within one standard error of the best.

    Parameters
    ----------
    orders : ndarray of int, shape (n_pairs,)
    fold_scores : ndarray of float64, shape (n_pairs, n_folds)

    Returns
    -------
    int
        Number of the pair: the best of the chosen order, the first of equals.
    """
    means = fold_scores.mean(axis=1)
    best = int(means.argmax())
    for order in np.unique(orders):
        members = np.flatnonzero(orders == order)
        candidate = int(members[means[members].argmax()])
        behind = fold_scores[best] - fold_scores[candidate]
        error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else np.inf
        if behind.mean() <= error:
            return candidate
    return best


def acm_lr(
    order: int | Literal["search"] = 3,
    lag: int = 4,
    covariance: str = "oas",
    C: float = 1.0,
    n_folds: int = 5,
    seed: int = 0,
    orders: Sequence[int] = (1, 2, 3),
    lags: Sequence[int] = (2, 4, 8),
    max_rows: int = 128,
) -> ACMDecoder:
    """Map augmented covariances to the tangent space; logistic regression."""
    return ACMDecoder("lr", order, lag, covariance, C, n_folds, seed, orders, lags, max_rows)


def acm_svm(
    order: int | Literal["search"] = "search",
    lag: int = 4,
    covariance: str = "oas",
    C: float = 1.0,
    n_folds: int = 5,
    seed: int = 0,
    orders: Sequence[int] = (1, 2, 3),
    lags: Sequence[int] = (2, 4, 8),
    max_rows: int = 128,
) -> ACMDecoder:
    """Map augmented covariances to the tangent space; calibrated support vector machine."""
    return ACMDecoder("svm", order, lag, covariance, C, n_folds, seed, orders, lags, max_rows)
