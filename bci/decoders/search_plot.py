"""The picture of a search: score over order and lag."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bci.decoders.search import ACMSearchCV

__all__ = ["plot_search"]

_NAMES = {"roc_auc": "ROC-AUC", "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}


def plot_search(search: ACMSearchCV, rate_hz: float | None = None) -> Figure:
    """Draw the best mean score of each (order, lag) pair.

    One panel a channel subset. Order 1 has no lag: its score fills its column. In each cell: the
    score in hundredths, the best kernel (L linear, R Gaussian) and C; in italics where the pair
    was scored quickly only, blank where the race passed it over. A frame marks the chosen pair.

    Parameters
    ----------
    search : ACMSearchCV
        Fitted.
    rate_hz : float, optional
        Sampling rate; given, lags are labelled in milliseconds too.

    Returns
    -------
    matplotlib.figure.Figure
        Not bound to a screen; save it with ``savefig``.
    """
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
    every = [(pair, row["score"]) for pairs in best.values() for pair, row in pairs.items()]
    orders = sorted({order for (order, _), _ in every})
    lags = sorted({lag for (order, lag), _ in every if order > 1}) or [1]
    low, high = min(score for _, score in every), max(score for _, score in every)
    width = 1.6 + 0.62 * len(orders)
    figure = Figure(figsize=(width * len(best) + 1.2, 1.6 + 0.42 * len(lags)), layout="constrained")
    panels = figure.subplots(1, len(best), squeeze=False, sharey=True)[0]
    for axes, (subset, pairs) in zip(panels, best.items(), strict=True):
        image = _panel(axes, pairs, orders, lags, (low, max(high, low + 1e-3)))
        if search.best_params_.get("subset", "") == subset:
            _frame(axes, search.best_params_, orders, lags)
        axes.set_xlabel("order")
        axes.set_title(subset)
    unit = "lag (samples)" if rate_hz is None else "lag (samples; ms)"
    panels[0].set_ylabel(unit)
    labels = [str(lag) if rate_hz is None else f"{lag}; {1e3 * lag / rate_hz:.0f}" for lag in lags]
    panels[0].set_yticks(range(len(lags)), labels)
    name = _NAMES.get(search.scoring_, search.scoring_)
    kernels = "L linear, R Gaussian, and C" if search.classifier == "svm" else "and C"
    figure.suptitle(
        f"score in hundredths; {kernels}; italics: quick score; blank: none; framed: chosen",
        fontsize=7,
    )
    figure.colorbar(
        image, ax=list(panels), label=f"mean {name} over {search.n_splits_} inner folds"
    )
    return figure


def _panel(
    axes: Axes,
    best: dict[tuple[int, int], dict[str, Any]],
    orders: list[int],
    lags: list[int],
    limits: tuple[float, float],
) -> Any:
    grid = np.full((len(lags), len(orders)), np.nan)
    for (order, lag), row in best.items():
        where = slice(None) if order == 1 else lags.index(lag)
        grid[where, orders.index(order)] = row["score"]
    image = axes.imshow(
        grid, origin="lower", aspect="auto", cmap="viridis", vmin=limits[0], vmax=limits[1]
    )
    middle = sum(limits) / 2
    for (order, lag), row in best.items():
        text = f"{100 * row['score']:.0f}"
        text += f"\n{row.get('kernel', '')[:1].upper()} {row['C']:g}"
        axes.text(
            orders.index(order),
            (len(lags) - 1) / 2 if order == 1 else lags.index(lag),
            text,
            ha="center",
            va="center",
            fontsize=6.5,
            linespacing=0.95,
            style="normal" if row["exact"] else "italic",
            color="black" if row["score"] > middle else "white",
        )
    axes.set_xticks(range(len(orders)), [str(order) for order in orders])
    if orders[0] == 1 and len(orders) > 1:
        axes.axvline(0.5, color="white", linewidth=3)
    return image


def _frame(axes: Axes, chosen: dict[str, Any], orders: list[int], lags: list[int]) -> None:
    whole = chosen["order"] == 1
    x = orders.index(chosen["order"])
    y, height = (0, len(lags)) if whole else (lags.index(chosen["lag"]), 1)
    axes.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5),
            1,
            height,
            fill=False,
            edgecolor="crimson",
            linewidth=2.5,
            clip_on=False,
            zorder=3,
        )
    )
