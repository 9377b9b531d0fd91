"""Accuracies with their intervals and chance, as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from bci.report.sitting import Accuracy

__all__ = ["accuracies_figure"]

_COLOUR, _CHANCE = "#0072B2", "#c5cbd3"


def accuracies_figure(found: Sequence[Accuracy]) -> Figure:
    """Draw a row for each run: a point, its 95 % interval, and what chance alone reaches.

    Parameters
    ----------
    found : sequence of Accuracy
        At least one; the first is drawn at the top.
    """
    figure = Figure(figsize=(7.2, 0.75 + 0.34 * len(found)), layout="constrained")
    ax = figure.subplots()
    for row, score in enumerate(found):
        chance = min(score.chance, 1.0)
        ax.barh(row, chance, height=0.62, color=_CHANCE, linewidth=0)
        ax.errorbar(
            score.mean,
            row,
            xerr=[[score.mean - score.low], [score.high - score.mean]],
            fmt="o",
            color=_COLOUR,
            capsize=3,
            markersize=6,
        )
        ax.annotate(
            f"{100 * score.mean:.0f} %", (1.02, row), xycoords=("axes fraction", "data"),
            va="center", fontweight="bold",
        )  # fmt: skip
    names = [f"{score.name} ({score.n})" for score in found]
    ax.set_yticks(range(len(found)), names)
    ax.set(ylim=(len(found) - 0.5, -0.5), xlim=(0, 1))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return figure
