"""Maps of R2 over channels and frequencies: one, or several side by side on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.features.contrast import ClusterTest, Contrast
from bci.features.outlines import outline
from bci.features.palette import DIVERGING, SEQUENTIAL, counted, words
from bci.features.scalp import Places, display_order, is_sensorimotor, side

__all__ = ["R2Map", "outline", "r2_figure"]

F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Index = NDArray[np.intp]

#: Colour of sensorimotor channels' names.
_MARKED = "#D55E00"
_SIDES = {"left": "left", "middle": "midline", "right": "right", "elsewhere": "no place"}


@dataclass(frozen=True, slots=True, eq=False)
class R2Map:
    """What one map shows: its rows are channels in the order of the picture.

    Attributes
    ----------
    r2 : ndarray of float64, shape (n_channels, n_freqs)
        Signed for two classes.
    significant : ndarray of bool, shape (n_channels, n_freqs)
        By the false discovery rate.
    clustered : ndarray of bool, shape (n_channels, n_freqs), or None
        In a significant cluster.
    freqs_hz : ndarray of float64, shape (n_freqs,)
    rows : ndarray of int, shape (n_channels,)
        Which channel of the analysis each row is.
    names : tuple of str
        Of the rows' channels.
    sides : tuple of str
        Hemisphere of each row, see `bci.features.scalp.side`.
    sensorimotor : ndarray of bool, shape (n_channels,)
    contrast : Contrast
        Numbers of trials, chance levels.
    classes : tuple of str
    title : str
    """

    r2: F64 = field(repr=False)
    significant: Bool = field(repr=False)
    clustered: Bool | None = field(repr=False)
    freqs_hz: F64 = field(repr=False)
    rows: Index = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    sides: tuple[str, ...] = field(repr=False)
    sensorimotor: Bool = field(repr=False)
    contrast: Contrast = field(repr=False)
    classes: tuple[str, ...]
    title: str = ""

    @classmethod
    def of(
        cls,
        contrast: Contrast,
        freqs_hz: F64,
        names: Sequence[str],
        classes: Sequence[str],
        *,
        clusters: ClusterTest | None = None,
        places: Places | None = None,
        title: str = "",
    ) -> "R2Map":
        """Order what a contrast found for a picture.

        Parameters
        ----------
        contrast : Contrast
            Its arrays have shape (n_channels, n_freqs).
        freqs_hz : ndarray of float64, shape (n_freqs,)
        names : sequence of str, length n_channels
        classes : sequence of str
        clusters : ClusterTest, optional
        places : see `bci.features.scalp.display_order`
        title : str
        """
        rows = display_order(names, places)
        found = [None] * len(names) if places is None else list(places)
        return cls(
            r2=contrast.r2[rows],
            significant=contrast.significant[rows],
            clustered=None if clusters is None else clusters.significant(contrast.level)[rows],
            freqs_hz=freqs_hz,
            rows=rows,
            names=tuple(names[row] for row in rows),
            sides=tuple(side(names[row], found[row]) for row in rows),
            sensorimotor=np.array([is_sensorimotor(names[row]) for row in rows]),
            contrast=contrast,
            classes=tuple(classes),
            title=title,
        )

    @property
    def chance(self) -> str:
        """Trials and chance, as the picture has it."""
        c = self.contrast
        return (
            f"{counted(self.classes, c.n_trials)} trials\n"
            f"by chance in 1 of 20: one bin {c.chance_r2:.2f}, the largest of all {c.r2.size} bins "
            f"{c.chance_largest_r2:.2f}\n"
            f"here: largest {np.abs(c.r2).max():.2f} (p = {c.p_largest:.3f})"
        )


def r2_figure(maps: Sequence[R2Map]) -> Figure:
    """Draw maps of R2 side by side, on one scale of colours.

    Thin outlines are significant by the false discovery rate, thick ones are significant clusters.
    Names of sensorimotor channels are marked.

    Parameters
    ----------
    maps : sequence of R2Map
        Power and connectivity of one analysis, or the same of two.

    Raises
    ------
    SettingsError
        When there is none, or some have two classes and others more.
    """
    if not maps:
        raise SettingsError("no map to draw: give one or more")
    signed = len(maps[0].classes) == 2
    if any((len(found.classes) == 2) != signed for found in maps):
        raise SettingsError(
            "R2 has a sign for two classes and none for more: compare analyses of as many classes"
        )
    limit = max(
        max(float(np.abs(found.r2).max()), found.contrast.chance_largest_r2) for found in maps
    )
    n_rows = max(len(found.names) for found in maps)
    height = 2.4 + max(0.13 * n_rows, 1.6)
    figure = Figure(figsize=(1.6 + 5.2 * len(maps), height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(maps)))
    for ax, found in zip(axes, maps, strict=True):
        image = ax.imshow(
            found.r2,
            cmap=DIVERGING if signed else SEQUENTIAL,
            vmin=-limit if signed else 0,
            vmax=limit,
            aspect="auto",
            interpolation="nearest",
            extent=_extent(found.freqs_hz, len(found.names)),
        )
        _label(ax, found)
        _mark(ax, found, "black" if signed else "white")
    bar = figure.colorbar(image, ax=axes.tolist(), shrink=min(1.0, 4 / height), aspect=25)
    bar.set_label(_meaning(maps[0].classes))
    if len(maps) == 1:
        _mark_chance(bar.ax, maps[0].contrast, signed)
    return figure


def _meaning(classes: Sequence[str]) -> str:
    if len(classes) == 2:
        return f"signed R²   (blue: more in {words(classes[0])},  red: more in {words(classes[1])})"
    return f"R²   (share of variance that {len(classes)} classes explain)"


def _mark_chance(ax: Axes, contrast: Contrast, signed: bool) -> None:
    """Draw the chance levels into the scale: single bin dotted, largest dashed."""
    for level, style in ((contrast.chance_r2, ":"), (contrast.chance_largest_r2, "--")):
        for value in (level, -level) if signed else (level,):
            ax.axhline(value, color="black", linestyle=style, linewidth=1.2)


def _extent(freqs_hz: F64, n_rows: int) -> tuple[float, float, float, float]:
    half = float(freqs_hz[1] - freqs_hz[0]) / 2 if len(freqs_hz) > 1 else 0.5
    return float(freqs_hz[0]) - half, float(freqs_hz[-1]) + half, n_rows - 0.5, -0.5


def _label(ax: Axes, found: R2Map) -> None:
    size = 6 if len(found.names) > 32 else 8
    ax.set_yticks(range(len(found.names)), found.names, fontsize=size)
    for label, marked in zip(ax.get_yticklabels(), found.sensorimotor, strict=True):
        if marked:
            label.set(color=_MARKED, fontweight="bold")
    ax.set_xlabel("Frequency (Hz)")
    ax.set_title(f"{found.title}\n{found.chance}" if found.title else found.chance, fontsize=9)
    ax.spines[:].set_visible(False)
    starts = [0, *(i for i in range(1, len(found.sides)) if found.sides[i] != found.sides[i - 1])]
    for start, stop in zip(starts, [*starts[1:], len(found.sides)], strict=True):
        if start:
            ax.axhline(start - 0.5, color="#444444", linewidth=0.8)
        ax.text(
            1.01,
            (start + stop - 1) / 2,
            _SIDES[found.sides[start]],
            transform=ax.get_yaxis_transform(),
            rotation=270,
            va="center",
            fontsize=8,
            color="#444444",
        )


def _mark(ax: Axes, found: R2Map, colour: str) -> None:
    for mask, width in ((found.significant, 0.8), (found.clustered, 1.8)):
        if mask is not None and mask.any():
            lines = outline(mask, _extent(found.freqs_hz, len(found.names)))
            ax.add_collection(LineCollection(lines, colors=colour, linewidths=width))
