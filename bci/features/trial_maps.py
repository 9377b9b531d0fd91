"""Pictures of trials: the classes' spectra, and the maps of ERD and ERS."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import t

from bci.errors import SettingsError
from bci.features.contrast import Contrast, chance_r2
from bci.features.erds import Erds
from bci.features.outlines import outline
from bci.features.palette import DIVERGING, class_colours, counted, foot, words
from bci.sources.labels import match_channels

__all__ = ["class_spectra", "erds_figure"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: dB re 1 V2/Hz to dB re 1 uV2/Hz.
_MICRO_DB = 120.0
#: Channels in one row of a picture.
_IN_ROW = 4


def class_spectra(
    features: F64,
    freqs_hz: F64,
    y: I64,
    names: Sequence[str],
    classes: Sequence[str],
    *,
    channels: Sequence[str] = ("C3", "Cz", "C4"),
    contrast: Contrast | None = None,
    decibels: bool = True,
    label: str = "Power density (dB re 1 µV²/Hz)",
) -> Figure:
    """Draw the mean of each class with its 95 % interval, channel by channel.

    Parameters
    ----------
    features : ndarray of float64, shape (n_trials, n_channels, n_freqs)
        Log power in dB re 1 V2/Hz, or (`decibels` off) node strength.
    freqs_hz : ndarray of float64, shape (n_freqs,)
    y : ndarray of int, shape (n_trials,)
        Classes, from 0.
    names : sequence of str, length n_channels
    classes : sequence of str
    channels : sequence of str
        Those that are drawn.
    contrast : Contrast, optional
        Of these features: significant frequencies are marked along the foot.
    decibels : bool
    label : str
        Of what is drawn, with its unit.

    Raises
    ------
    ChannelError
        When a channel is not there.
    SettingsError
        When no channel is named.
    """
    if not channels:
        raise SettingsError("no channel to draw: name one or more")
    shown = match_channels(channels, names)
    values = features[:, shown] + (_MICRO_DB if decibels else 0.0)
    figure, axes = _panels(len(shown), 2.9, 2.6)
    colours = class_colours(classes)
    counts = [int(np.sum(y == k)) for k in range(len(classes))]
    for index, (ax, channel) in enumerate(zip(axes, shown, strict=True)):
        for k, name in enumerate(classes):
            group = values[y == k, index]
            mean = group.mean(axis=0)
            n = len(group)
            ax.plot(freqs_hz, mean, color=colours[name], label=f"{words(name)} ({n} trials)")
            if n > 1:
                half = t.ppf(0.975, n - 1) * group.std(axis=0, ddof=1) / np.sqrt(n)
                ax.fill_between(
                    freqs_hz, mean - half, mean + half, color=colours[name], alpha=0.2, linewidth=0
                )
        title = names[channel]
        if contrast is not None:
            r2 = contrast.r2[channel]
            best = int(np.abs(r2).argmax())
            title += f": R² up to {abs(r2[best]):.2f}, at {freqs_hz[best]:g} Hz"
            _mark_foot(ax, freqs_hz, contrast.significant[channel])
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("Frequency (Hz)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(label, fontsize=9)
    axes[0].legend(frameon=False, fontsize=7)
    chance = chance_r2(len(y), len(classes))
    note = f"Bands: 95 % intervals of the mean. One bin's R² exceeds {chance:.2f} in 1 of 20"
    if contrast is not None:
        note += (
            f", the largest of all {contrast.r2.size} bins {contrast.chance_largest_r2:.2f}. "
            f"Squares: significant ({contrast.test} test, false discovery rate {contrast.level:g})"
        )
    foot(figure, f"{counted(classes, counts)} trials. {note}.")
    return figure


def _mark_foot(ax: Axes, freqs_hz: F64, significant: NDArray[np.bool_]) -> None:
    at = freqs_hz[significant]
    ax.plot(at, np.full(len(at), 0.02), "s", color="black", markersize=3,
            transform=ax.get_xaxis_transform())  # fmt: skip


def _panels(n_panels: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    n_columns = min(n_panels, _IN_ROW)
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(1.2 + width * n_columns, 0.7 + height * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for ax in grid.flat[n_panels:]:
        ax.remove()
    return figure, list(grid.flat[:n_panels])


def erds_figure(found: Erds, channels: Sequence[str] = ()) -> Figure:
    """Draw maps of ERD and ERS, a row for each class, a column for each channel.

    Full colours, outlined, are significant; the rest is pale.

    Parameters
    ----------
    found : Erds
    channels : sequence of str
        Those that are drawn; empty: all, 8 at most.

    Raises
    ------
    ChannelError
        When a channel is not there.
    """
    shown = match_channels(channels or found.channels[:8], found.channels)
    n_rows, n_columns = len(found.classes), len(shown)
    figure = Figure(figsize=(1.8 + 2.7 * n_columns, 1.0 + 2.2 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    # Few cells of a rebound would take the colours of all the rest.
    limit = max(50.0, float(np.percentile(np.abs(found.percent[:, shown]), 98)))
    half_s = float(found.times_s[1] - found.times_s[0]) / 2
    half_hz = float(found.freqs_hz[1] - found.freqs_hz[0]) / 2 if len(found.freqs_hz) > 1 else 0.5
    extent = (
        float(found.times_s[0]) - half_s,
        float(found.times_s[-1]) + half_s,
        float(found.freqs_hz[0]) - half_hz,
        float(found.freqs_hz[-1]) + half_hz,
    )
    for (k, column), ax in np.ndenumerate(axes):
        channel = shown[column]
        mask = found.significant[k, channel]
        image = ax.imshow(
            found.percent[k, channel],
            cmap=DIVERGING,
            vmin=-limit,
            vmax=limit,
            alpha=np.where(mask, 1.0, 0.45),
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=extent,
        )
        # Frequencies rise upwards: the first row of the mask is the lowest of the picture.
        lines = outline(mask, (extent[0], extent[1], extent[3], extent[2]))
        ax.add_collection(LineCollection(lines, colors="black", linewidths=0.9))
        ax.axvline(0, color="black", linewidth=1)
        ax.axvspan(*found.settings.baseline_s, ymax=0.02, color="#444444", linewidth=0)
        if k == 0:
            ax.set_title(found.channels[channel], fontsize=10)
        if k == n_rows - 1:
            ax.set_xlabel("Time from the cue (s)")
        if column == 0:
            name = f"{words(found.classes[k])}, {found.n_trials[k]} trials"
            ax.set_ylabel(f"{name}\nFrequency (Hz)")
    # The scale is that of the significant cells: an image of its own, without the paleness.
    bar = figure.colorbar(
        ScalarMappable(image.norm, image.cmap), ax=axes.ravel().tolist(), extend="both", shrink=0.8
    )
    bar.set_label("Change of power (%)\nblue: ERD, red: ERS")
    foot(figure, _account(found))
    return figure


def _account(found: Erds) -> str:
    s = found.settings
    chance = (
        f"a map without any change shows an outline with probability {s.level:g}"
        if s.correction == "cluster"
        else f"{100 * s.level:g} % of the cells are outlined without any change"
    )
    reasons = Counter(item.reason for item in found.left_out)
    without = ", ".join(f"{n} ({reason})" for reason, n in reasons.items())
    return (
        f"Unfiltered recording; baseline {s.baseline_s[0]:g} to {s.baseline_s[1]:g} s (bar); "
        f"resolution {s.width_hz:g} Hz, {s.duration_s:.2g} s. Outlined: bootstrap over trials, "
        f"{s.n_bootstraps} draws; {chance}." + (f" Trials left out: {without}." if without else "")
    )
