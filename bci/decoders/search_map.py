"""The score over order and lag that a search found, as arrays for a picture."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.decoders.base import F64
from bci.decoders.search import ACMSearchCV

__all__ = ["SCORE_NAMES", "SearchMap", "search_maps"]

#: What people call the score of a search.
SCORE_NAMES = {
    "roc_auc": "ROC-AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
}


@dataclass(frozen=True, slots=True, eq=False)
class SearchMap:
    """The best score of each pair of order and lag, on one subset of channels.

    Order 1 has no lag: what holds for it stands in its whole column.

    Attributes
    ----------
    subset : str
        Of the channels; empty: all that there were.
    orders, lags : tuple of int
        Lags in samples.
    scores : ndarray of float64, shape (n_lags, n_orders)
        Means over inner folds; NaN where the race passed a pair over.
    exact : ndarray of bool, shape (n_lags, n_orders)
        False where a pair was scored quickly only.
    Cs : ndarray of float64, shape (n_lags, n_orders)
        Of the best machine.
    kernels : ndarray of str, shape (n_lags, n_orders)
        Likewise; empty for logistic regression.
    chosen : (order, lag) or None
        The pair that stands; None: one of another subset does.
    """

    subset: str
    orders: tuple[int, ...]
    lags: tuple[int, ...]
    scores: F64 = field(repr=False)
    exact: NDArray[np.bool_] = field(repr=False)
    Cs: F64 = field(repr=False)
    kernels: NDArray[np.str_] = field(repr=False)
    chosen: tuple[int, int] | None = None


def search_maps(search: ACMSearchCV) -> list[SearchMap]:
    """Return the maps of a fitted search, one a subset of channels, on common axes."""
    results = search.cv_results_
    # By subset and pair, the best machine.
    best: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    for params, score, exact in zip(
        results["params"], results["mean_test_score"], results["exact"], strict=True
    ):
        pairs = best.setdefault(params.get("subset", ""), {})
        pair = (params["order"], params["lag"])
        if pair not in pairs or score > pairs[pair]["score"]:
            pairs[pair] = params | {"score": float(score), "exact": bool(exact)}
    every = [pair for pairs in best.values() for pair in pairs]
    orders = sorted({order for order, _ in every})
    lags = sorted({lag for order, lag in every if order > 1}) or [1]
    chosen = search.best_params_
    maps = []
    for subset, pairs in best.items():
        shape = (len(lags), len(orders))
        scores, Cs = np.full(shape, np.nan), np.full(shape, np.nan)
        exact_there, kernels = np.zeros(shape, dtype=bool), np.full(shape, "", dtype="<U8")
        for (order, lag), row in pairs.items():
            where = (slice(None) if order == 1 else lags.index(lag), orders.index(order))
            scores[where], exact_there[where] = row["score"], row["exact"]
            Cs[where], kernels[where] = row["C"], row.get("kernel", "")
        stands = chosen.get("subset", "") == subset
        maps.append(
            SearchMap(
                subset,
                tuple(orders),
                tuple(lags),
                scores,
                exact_there,
                Cs,
                kernels,
                (chosen["order"], chosen["lag"]) if stands else None,
            )
        )
    return maps
