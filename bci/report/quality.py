"""The quality of electrodes and trials, for a report, the command and the application."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from bci.features.palette import words
from bci.report.tables import table_html
from bci.signal.epochs import LeftOut
from bci.signal.quality import BAD, QUALITIES, advice, number
from bci.signal.recorded_quality import RecordedQuality, verdict
from bci.signal.rejection import class_counts
from bci.sources.base import Channel
from bci.sources.labels import standard_position

__all__ = [
    "CHANNEL_HEAD",
    "channel_rows",
    "draw_scalp",
    "quality_figure",
    "quality_html",
    "scalp_places",
]

F64 = NDArray[np.float64]

# Okabe and Ito's blue, orange and vermilion; the shape says it too.
_LEVELS = (("good", "#0072B2", "o"), ("care", "#E69F00", "^"), ("bad", "#D55E00", "X"))
_MOST_ROWS = 24
CHANNEL_HEAD = ("recording", "channel", "is", "by", "what to do")
# The middle of the sphere that fits the 10-20 electrodes of the standard montage best (m).
_MIDDLE_M = (0.0, 0.016, 0.044)


def _level(quality: str) -> int:
    """Return 0, 1 or 2: good, to be cared for, bad."""
    return 2 if quality in BAD else int(quality != QUALITIES[0])


def scalp_places(channels: Sequence[Channel]) -> dict[str, tuple[float, float]]:
    """Return where electrodes lie on the disc of a head seen from above.

    Parameters
    ----------
    channels : sequence of Channel
        With a place of their own or a name of the standard montage; others are left out.

    Returns
    -------
    dict of str to (float, float)
        To the right ear and to the nose; the disc's edge, at 1, is where ears and nasion are.
    """
    places = {}
    for channel in channels:
        place = channel.position_m or standard_position(channel.label)
        if place is None:
            continue
        x, y, z = np.subtract(place, _MIDDLE_M).tolist()
        across = float(np.hypot(x, y))
        # Equal angles from the vertex lie equally far apart.
        radius = float(np.arctan2(across, z)) / (0.55 * np.pi)
        places[channel.label] = (
            (0.0, 0.0) if across == 0 else (radius * x / across, radius * y / across)
        )
    return places


def draw_scalp(
    ax: Axes, qualities: Mapping[str, str], places: Mapping[str, tuple[float, float]]
) -> None:
    """Draw electrodes on a head from above, each by its quality.

    Parameters
    ----------
    ax : Axes
    qualities : mapping of str to str
        Word of each channel.
    places : mapping of str to (float, float)
        From `scalp_places`; channels that have none stand in rows below the head.
    """
    without = [label for label in qualities if label not in places]
    if len(without) < len(qualities):
        _draw_head(ax)
    rows = {
        label: (-1.1 + 0.22 * (k % 11), -1.35 - 0.22 * (k // 11)) for k, label in enumerate(without)
    }
    size = 7 if len(qualities) > 32 else 9
    for label, quality in qualities.items():
        x, y = places.get(label) or rows[label]
        _, colour, marker = _LEVELS[_level(quality)]
        ax.plot(x, y, marker, color=colour, markersize=size, markeredgewidth=0)
        ax.annotate(
            label,
            (x, y),
            (0, -size - 1),
            textcoords="offset points",
            ha="center",
            fontsize=6,
            color="black" if _level(quality) else "#777777",
        )
    counts = np.bincount([_level(quality) for quality in qualities.values()], minlength=3)
    ax.legend(
        handles=[
            Line2D([], [], color=colour, marker=marker, linestyle="", label=f"{name} ({count})")
            for (name, colour, marker), count in zip(_LEVELS, counts, strict=True)
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, -0.1),
        ncols=3,
        frameon=False,
    )
    ax.set(xlim=(-1.35, 1.35), aspect="equal")
    ax.axis("off")


def _draw_head(ax: Axes) -> None:
    ax.add_patch(Circle((0, 0), 1, fill=False, color="#777777", linewidth=1))
    ax.plot([-0.1, 0, 0.1], [0.995, 1.12, 0.995], color="#777777", linewidth=1)
    for side in (-1, 1):
        ear = side * np.array([1, 1.07, 1.07, 1])
        ax.plot(ear, [0.12, 0.08, -0.08, -0.12], color="#777777", linewidth=1)


def quality_figure(run: RecordedQuality, places: Mapping[str, tuple[float, float]]) -> Figure:
    """Draw a recording's electrodes on the head, and over its time those that are not good.

    Parameters
    ----------
    run : RecordedQuality
    places : mapping of str to (float, float)
        From `scalp_places`.
    """
    levels = np.array([[_level(QUALITIES[word]) for word in window] for window in run.windows])
    overall = np.array([_level(quality) for quality in run.found.quality])
    # The worst first: by what they are over all, then by how often they are it.
    order = np.lexsort((-levels.mean(axis=0), -overall))
    shown = [int(k) for k in order if overall[k] or (levels[:, k] == 2).mean() > 0.05][:_MOST_ROWS]
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    draw_scalp(left, dict(zip(run.labels, run.found.quality, strict=True)), places)
    word = verdict([run])[0]
    left.set_title(f"{run.name}: {word}")
    if not shown:
        right.text(0.5, 0.5, "every channel is good nearly all the time", ha="center", va="center")
        right.axis("off")
        return figure
    step = float(np.median(np.diff(run.times_s)))
    # Windows that hold a gap are not judged: they stay white.
    slots = np.round((run.times_s - run.times_s[0]) / step).astype(int)
    image = np.full((len(shown), int(slots[-1]) + 1), np.nan)
    image[:, slots] = levels[:, shown].T
    right.imshow(
        image,
        aspect="auto",
        interpolation="nearest",
        extent=(run.times_s[0], run.times_s[0] + step * image.shape[1], len(shown) - 0.5, -0.5),
        cmap=ListedColormap(["#DCE9F2", _LEVELS[1][1], _LEVELS[2][1]]),
        norm=BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3),
    )
    right.set_yticks(
        range(len(shown)), [f"{run.labels[k]}  {run.found.quality[k]}" for k in shown], fontsize=8
    )
    n_more = int(np.count_nonzero(overall)) - len(shown)
    right.set(
        xlabel="Time in the recording (s)",
        title="Windows of 2 s" + (f"; {n_more} more channels not shown" if n_more > 0 else ""),
    )
    return figure


def channel_rows(runs: Sequence[RecordedQuality]) -> list[tuple[str, ...]]:
    """Return a row for each channel that is not good; `CHANNEL_HEAD` is their head."""
    return [
        (run.name, label, quality, number(run.found, k, run.labels), advice(quality, [label]))
        for run in runs
        for k, (label, quality) in enumerate(zip(run.labels, run.found.quality, strict=True))
        if quality != QUALITIES[0]
    ]


def quality_html(
    runs: Sequence[RecordedQuality],
    n_trials: Mapping[str, int],
    left_out: Sequence[LeftOut],
    *,
    reject: bool,
) -> str:
    """Return the verdict on recordings, what is wrong with which channel, and the trials left out.

    Parameters
    ----------
    runs : sequence of RecordedQuality
    n_trials : mapping of str to int
        Trials of each class that were learned from.
    left_out : sequence of LeftOut
    reject : bool
        Whether trials that stand out were rejected.
    """
    word, sentence = verdict(runs)
    channels = channel_rows(runs)
    counts = class_counts(left_out)
    trials = [
        (
            words(name) or "unknown",
            str(n_trials.get(name, 0)),
            str(sum(counts.get(name, {}).values())),
            ", ".join(f"{reason} ({n})" for reason, n in counts.get(name, {}).items()),
        )
        for name in dict.fromkeys([*n_trials, *counts])
    ]
    switch = (
        "Trials that stand out were not learned from."
        if reject
        else "Trials that stand out were learned from like all others (no --reject)."
    )
    return (
        f"<p><b>{word}</b>: {sentence}.</p>"
        + table_html(trials, ("class", "trials used", "left out", "why"))
        + f"<p>{switch}</p>"
        + (table_html(channels, CHANNEL_HEAD) if channels else "")
    )
