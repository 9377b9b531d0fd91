"""The picture of a search: score over order and lag."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bci.decoders.search import ACMSearchCV
from bci.decoders.search_map import SCORE_NAMES, SearchMap, search_maps

__all__ = ["plot_search"]


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
    maps = search_maps(search)
    orders, lags = maps[0].orders, maps[0].lags
    low = min(float(np.nanmin(found.scores)) for found in maps)
    high = max(float(np.nanmax(found.scores)) for found in maps)
    width = 1.6 + 0.62 * len(orders)
    figure = Figure(figsize=(width * len(maps) + 1.2, 1.6 + 0.42 * len(lags)), layout="constrained")
    panels = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
    for axes, found in zip(panels, maps, strict=True):
        image = _panel(axes, found, (low, max(high, low + 1e-3)))
        if found.chosen is not None:
            _frame(axes, found.chosen, orders, lags)
        axes.set_xlabel("order")
        axes.set_title(found.subset)
    unit = "lag (samples)" if rate_hz is None else "lag (samples; ms)"
    panels[0].set_ylabel(unit)
    labels = [str(lag) if rate_hz is None else f"{lag}; {1e3 * lag / rate_hz:.0f}" for lag in lags]
    panels[0].set_yticks(range(len(lags)), labels)
    name = SCORE_NAMES.get(search.scoring_, search.scoring_)
    kernels = "L linear, R Gaussian, and C" if search.classifier == "svm" else "and C"
    figure.suptitle(
        f"score in hundredths; {kernels}; italics: quick score; blank: none; framed: chosen",
        fontsize=7,
    )
    figure.colorbar(
        image, ax=list(panels), label=f"mean {name} over {search.n_splits_} inner folds"
    )
    return figure


def _panel(axes: Axes, found: SearchMap, limits: tuple[float, float]) -> Any:
    orders, lags = found.orders, found.lags
    image = axes.imshow(
        found.scores, origin="lower", aspect="auto", cmap="viridis", vmin=limits[0], vmax=limits[1]
    )
    middle = sum(limits) / 2
    for row, column in np.argwhere(np.isfinite(found.scores)):
        if orders[column] == 1 and row:
            continue
        score = found.scores[row, column]
        kernel = str(found.kernels[row, column])
        axes.text(
            column,
            (len(lags) - 1) / 2 if orders[column] == 1 else row,
            f"{100 * score:.0f}\n{kernel[:1].upper()} {found.Cs[row, column]:g}",
            ha="center",
            va="center",
            fontsize=6.5,
            linespacing=0.95,
            style="normal" if found.exact[row, column] else "italic",
            color="black" if score > middle else "white",
        )
    axes.set_xticks(range(len(orders)), [str(order) for order in orders])
    if orders[0] == 1 and len(orders) > 1:
        axes.axvline(0.5, color="white", linewidth=3)
    return image


def _frame(
    axes: Axes, chosen: tuple[int, int], orders: tuple[int, ...], lags: tuple[int, ...]
) -> None:
    order, lag = chosen
    whole = order == 1
    x = orders.index(order)
    y, height = (0, len(lags)) if whole else (lags.index(lag), 1)
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
