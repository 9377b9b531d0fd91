"""Learning curves as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from bci.evaluation.learning import LearningCurve

__all__ = ["learning_figure"]

# Okabe and Ito's, and a marker each: safe for every kind of colour blindness.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_MARKERS = "os^Dv*"
_COLUMNS = 3
_CHANCE = "chance seldom reaches"


def learning_figure(curves: Sequence[tuple[str, LearningCurve]]) -> Figure:
    """Draw accuracy against the number of training trials, a panel for each person.

    Parameters
    ----------
    curves : sequence of (str, LearningCurve)
        Person and curve.
    """
    people = list(dict.fromkeys(name for name, _ in curves))
    decoders = list(dict.fromkeys(curve.decoder for _, curve in curves))
    n_columns = min(_COLUMNS, len(people))
    n_rows = -(-len(people) // n_columns)
    figure = Figure(figsize=(1.6 + 4.2 * n_columns, 0.7 + 3.1 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, person in zip(panels, people, strict=False):
        own = [curve for name, curve in curves if name == person]
        spread = 0.012 * max(point.n_train for curve in own for point in curve.points)
        for k, curve in enumerate(own):
            look = decoders.index(curve.decoder) % len(_COLOURS)
            scores = [point.accuracy for point in curve.points]
            # Beside each other, or the bars of decoders would hide one another.
            aside = spread * (k - (len(own) - 1) / 2)
            ax.errorbar(
                [point.n_train + aside for point in curve.points],
                [score.mean for score in scores],
                [
                    [score.mean - score.low for score in scores],
                    [score.high - score.mean for score in scores],
                ],
                color=_COLOURS[look],
                marker=_MARKERS[look],
                markersize=5,
                linewidth=1.4,
                elinewidth=0.8,
                label=curve.decoder,
            )
        ax.axhline(own[0].chance_95, color="#777777", linestyle="--", linewidth=1, label=_CHANCE)
        ax.set(ylim=(0, 1.03), title=person)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.spines[["top", "right"]].set_visible(False)
    for ax in panels[len(people) :]:
        ax.set_visible(False)
    figure.supxlabel("Training trials", fontsize=10)
    figure.supylabel("Accuracy on held-out trials", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    order = [labels.index(name) for name in [*decoders, _CHANCE] if name in labels]
    figure.legend(
        [handles[k] for k in order],
        [labels[k] for k in order],
        loc="outside upper center",
        ncols=min(4, len(order)),
        frameon=False,
    )
    return figure
