"""Accuracy over the trials of a session, arm by arm, as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from bci.evaluation.adaptation_table import Curve

__all__ = ["adaptation_figure"]

# Okabe and Ito's, and a marker each: safe for every kind of colour blindness.
_COLOURS = ("#666666", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#000000")
_MARKERS = "xos^Dv*P"


def adaptation_figure(curves: Sequence[Curve], n_classes: int) -> Figure:
    """Draw the course of accuracy, a panel for each decoder and feedback.

    Arms that are told no reward stand in every panel of their decoder.

    Parameters
    ----------
    curves : sequence of Curve
    n_classes : int
        For the line of chance.
    """
    panels = [
        (decoder, feedback)
        for decoder in dict.fromkeys(curve.decoder for curve in curves)
        for feedback in _feedback(curves, decoder)
    ]
    arms = list(dict.fromkeys(curve.arm for curve in curves))
    n_columns = min(2, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(1.2 + 5.4 * n_columns, 1.3 + 3.6 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (decoder, feedback) in zip(axes, panels, strict=False):
        own = [c for c in curves if c.decoder == decoder and c.feedback in ("", feedback)]
        for k, curve in enumerate(own):
            again, look = divmod(arms.index(curve.arm), len(_COLOURS))
            # Beside each other, or the bars of arms would hide one another.
            aside = 0.6 * (k - (len(own) - 1) / 2)
            ax.errorbar(
                [trial + aside for trial in curve.trials],
                [score.mean for score in curve.scores],
                [
                    [score.mean - score.low for score in curve.scores],
                    [score.high - score.mean for score in curve.scores],
                ],
                color=_COLOURS[look],
                marker=_MARKERS[look],
                markersize=5,
                linewidth=1.6,
                linestyle="--" if again else "-",
                elinewidth=0.6,
                label=curve.arm,
            )
        ax.axhline(1 / n_classes, color="#777777", linestyle=":", linewidth=1)
        said = f"{decoder}, reward {feedback}" if feedback else decoder
        ax.set(ylim=(max(0.0, 0.8 / n_classes - 0.1), 1.02), title=said)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    figure.supxlabel("Trials of the session so far (dotted: chance)", fontsize=10)
    figure.supylabel("Accuracy of the last ten", fontsize=10)
    handles = {
        label: handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        [handles[arm] for arm in arms],
        arms,
        loc="outside upper center",
        ncols=min(4, len(arms)),
        frameon=False,
    )
    return figure


def _feedback(curves: Sequence[Curve], decoder: str) -> list[str]:
    said = [c.feedback for c in curves if c.decoder == decoder and c.feedback]
    return list(dict.fromkeys(said)) or [""]
