"""Pictures of the head from above: topographies, and connectivity as a network."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.features.contrast import contrast
from bci.features.network import EdgeContrast, Edges, significant_edges
from bci.features.palette import DIVERGING, SEQUENTIAL, counted, foot, words
from bci.features.scalp import Scalp, is_sensorimotor
from bci.features.spectra import bins_of

__all__ = ["contrast_network", "contrast_topographies", "networks", "topographies"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

_GREY = "#444444"
_LINES = "#B0B0B0"


def topographies(
    values: F64,
    scalp: Scalp,
    titles: Sequence[str],
    *,
    label: str,
    note: str,
    signed: bool = True,
    significant: Bool | None = None,
    least: float = 0.0,
) -> Figure:
    """Draw values on the scalp, several maps on one scale.

    Parameters
    ----------
    values : ndarray of float64, shape (n_maps, n_channels)
    scalp : Scalp
    titles : sequence of str, length n_maps
    label : str
        Of the scale, with its unit.
    note : str
        Number of trials, and what chance looks like.
    signed : bool
        Whether the scale lies around zero.
    significant : ndarray of bool, shape (n_maps, n_channels), optional
        Channels that are marked.
    least : float
        The scale reaches this far, at least: noise alone does not fill it.

    Raises
    ------
    ChannelError
        When the channels span no map.
    """
    grid = scalp.grid()
    points = scalp.points
    limit = max(float((np.abs(values) if signed else values).max()), least) or 1.0
    low = -limit if signed else min(float(values.min()), 0.0)
    edge = 1.0 + 1.0 / (grid.shown.shape[0] - 1)  # of the outermost pixels
    figure = Figure(figsize=(1.2 + 2.5 * len(values), 3.3), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(values)))
    for index, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        image = ax.imshow(
            grid.image(values[index]),
            extent=(-edge, edge, -edge, edge),
            origin="lower",
            interpolation="bilinear",
            cmap=DIVERGING if signed else SEQUENTIAL,
            vmin=low,
            vmax=limit,
        )
        image.set_clip_path(Circle((0, 0), 1.0, transform=ax.transData))
        _head(ax, points)
        ax.plot(points[:, 0], points[:, 1], "o", markersize=2, color="black")
        if significant is not None:
            x, y = points[significant[index]].T
            ax.plot(x, y, "o", markersize=6, fillstyle="none", color="black", markeredgewidth=1.4)
        ax.set_title(title, fontsize=10)
    bar = figure.colorbar(image, ax=axes.tolist(), shrink=0.75)
    bar.set_label(label)
    foot(figure, note)
    return figure


def contrast_topographies(
    features: F64,
    freqs_hz: F64,
    y: I64,
    classes: Sequence[str],
    scalp: Scalp,
    bands_hz: Sequence[tuple[float, float]],
    *,
    what: str = "log power",
    test: Literal["wilcoxon", "t"] = "wilcoxon",
    level: float = 0.05,
    seed: int = 0,
) -> Figure:
    """Draw R2 of bands on the scalp; channels that are significant are ringed.

    Parameters
    ----------
    features : ndarray of float64, shape (n_trials, n_channels, n_freqs)
    freqs_hz : ndarray of float64, shape (n_freqs,)
    y : ndarray of int, shape (n_trials,)
    classes : sequence of str
    scalp : Scalp
    bands_hz : sequence of (low, high)
        Equal for a single frequency.
    what : str
        Of the features, for the scale.
    test, level, seed
        Of `bci.features.contrast.contrast`, over all channels and bands.

    Raises
    ------
    SettingsError
        When a band lies outside of the spectrum, or there is none.
    ChannelError
        When the channels span no map.
    TrialError
        When a class has fewer than two trials.
    """
    if not bands_hz:
        raise SettingsError("no band to draw: name one or more")
    # The R2 of a band's mean, not the mean of its bins' R2.
    bands = np.stack([features[..., bins_of(freqs_hz, b)].mean(axis=-1) for b in bands_hz], axis=-1)
    found = contrast(bands, y, test, level=level, seed=seed)
    signed = len(classes) == 2
    label = f"R² of {what}"
    if signed:
        label = f"signed R² of {what}\nblue: more in {words(classes[0])}, red: {words(classes[1])}"
    return topographies(
        found.r2.T,
        scalp,
        [f"{low:g} Hz" if low == high else f"{low:g} to {high:g} Hz" for low, high in bands_hz],
        label=label,
        note=(
            f"{counted(classes, found.n_trials)} trials. By chance in 1 of 20: one channel "
            f"{found.chance_r2:.2f}, the largest of all {found.r2.size} values "
            f"{found.chance_largest_r2:.2f}; here {np.abs(found.r2).max():.2f} "
            f"(p = {found.p_largest:.3f}). Ringed: significant ({found.test} test, false discovery "
            f"rate {found.level:g})."
        ),
        signed=signed,
        significant=found.significant.T,
        least=found.chance_largest_r2,
    )


def networks(
    edges: Sequence[Edges],
    scalp: Scalp,
    titles: Sequence[str],
    *,
    label: str,
    note: str,
    signed: bool = False,
    least: float = 0.0,
) -> Figure:
    """Draw pairs of channels as lines on the scalp, several networks on one scale.

    Parameters
    ----------
    edges : sequence of Edges
        The first are drawn last, on top.
    scalp : Scalp
    titles : sequence of str
    label : str
        Of the scale.
    note : str
        Number of trials, and what chance looks like.
    signed : bool
    least : float
        The scale reaches this far, at least.

    Raises
    ------
    SettingsError
        When there is no network.
    """
    if not edges:
        raise SettingsError("no network to draw: give one or more")
    points = scalp.points
    values = np.concatenate([found.values for found in edges])
    limit = max(float(np.abs(values).max(initial=0.0)), least) or 1.0
    low = -limit if signed else float(values.min(initial=limit))
    scale = Normalize(low if low < limit else 0.0, limit)
    figure = Figure(figsize=(1.4 + 3.4 * len(edges), 4.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(edges)))
    # Reversed, so that the palest of the sequential colours are the weakest pairs.
    colours = DIVERGING if signed else f"{SEQUENTIAL}_r"
    for ax, found, title in zip(axes, edges, titles, strict=True):
        _head(ax, points)
        order = np.argsort(np.abs(found.values), kind="stable")
        shown = found.pairs[order]
        lines = LineCollection(
            [points[pair] for pair in shown],
            cmap=colours,
            norm=scale,
            linewidths=0.8 + 2.4 * np.abs(found.values[order]) / limit,
            zorder=1.5,
        )
        lines.set_array(found.values[order])
        ax.add_collection(lines)
        _nodes(ax, scalp, points, set(shown.ravel().tolist()))
        what = f"{len(shown)} of {found.n_possible} pairs" if len(shown) else "no pair"
        ax.set_title(f"{title}\n{what}", fontsize=10)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes.tolist(), shrink=0.75)
    bar.set_label(label)
    foot(figure, note)
    return figure


def contrast_network(
    found: EdgeContrast, scalp: Scalp, classes: Sequence[str], title: str, n_edges: int = 30
) -> Figure:
    """Draw the pairs in which classes differ significantly; an empty head where none does.

    Parameters
    ----------
    found : EdgeContrast
    scalp : Scalp
    classes : sequence of str
    title : str
        Measure and band.
    n_edges : int
        At most.
    """
    c = found.contrast
    signed = len(classes) == 2
    label = "R²"
    if signed:
        label = f"signed R²\nblue: more in {words(classes[0])}, red: {words(classes[1])}"
    note = (
        f"{counted(classes, c.n_trials)} trials. By chance in 1 of 20: one pair {c.chance_r2:.2f}, "
        f"the largest {c.chance_largest_r2:.2f}; here {np.abs(c.r2).max():.2f} "
        f"(p = {c.p_largest:.3f}). Drawn: significant (false discovery rate {c.level:g})."
    )
    return networks(
        [significant_edges(found, n_edges)],
        scalp,
        [title],
        label=label,
        note=note,
        signed=signed,
        least=c.chance_largest_r2,
    )


def _head(ax: Axes, points: F64) -> None:
    """Draw the outline of the head from above, nose up."""
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color=_GREY, linewidth=1.2, zorder=1)
    ax.plot([-0.12, 0, 0.12], [0.993, 1.12, 0.993], color=_GREY, linewidth=1.2, zorder=1)
    bow = np.linspace(-np.pi / 2, np.pi / 2, 30)
    for sign in (-1, 1):
        x, y = sign * (1.0 + 0.07 * np.cos(bow)), 0.2 * np.sin(bow)
        ax.plot(x, y, color=_GREY, linewidth=1.2, zorder=1)
    reach = max(1.16, float(np.abs(points).max()) + 0.05)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.axis("off")


def _nodes(ax: Axes, scalp: Scalp, points: F64, joined: set[int]) -> None:
    """Mark the channels, and name those that are joined or sensorimotor."""
    for channel, name in enumerate(scalp.names):
        x, y = points[channel]
        known = channel in joined
        ax.plot(x, y, "o", markersize=3.5 if known else 2, color="black" if known else _LINES)
        if known or is_sensorimotor(name):
            ax.annotate(
                name,
                (x, y),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=6,
                color="black" if known else _GREY,
                in_layout=False,  # within the head, and dozens to measure
            )
