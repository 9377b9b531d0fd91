"""The pictures of an analysis, each with what it shows and how it was made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bci.features.analysis import Analysis, FeatureMap
from bci.features.maps import R2Map, r2_figure
from bci.features.network import strongest_edges
from bci.features.palette import counted, words
from bci.features.plan import bands_within
from bci.features.scalp import Scalp
from bci.features.scalp_maps import contrast_network, contrast_topographies, networks
from bci.features.spectra import bins_of
from bci.features.tables import MEASURES, signals_line
from bci.features.trial_maps import class_spectra, erds_figure
from bci.sources.labels import canonical_label

__all__ = ["Drawing", "of_analysis", "side_by_side"]

F64 = NDArray[np.float64]

#: Channels whose spectra are drawn.
_PANELS = 4
#: Pairs of channels that are drawn: no more than a quarter of all.
_EDGES = 30


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that is drawn when it is wanted.

    Attributes
    ----------
    stem : str
        Of its file's name.
    title, caption : str
    draw : callable
    """

    stem: str
    title: str
    caption: str
    draw: Callable[[], Figure]


def of_analysis(analysis: Analysis, *, heads: bool = True) -> list[Drawing]:
    """Return the pictures of an analysis.

    Parameters
    ----------
    analysis : Analysis
    heads : bool
        False: no picture that needs the places of the channels.

    Raises
    ------
    ChannelError
        When a channel has no place.
    """
    found = [_contrasts(analysis), _spectra(analysis)]
    if heads:
        found += _heads(analysis, analysis.scalp)
    if analysis.erds is not None:
        maps = analysis.erds
        found.append(
            Drawing(
                "erds",
                "ERD and ERS",
                f"Unfiltered recording, spatial filter: {words(analysis.spatial)}.",
                lambda: erds_figure(maps),
            )
        )
    return found


def _contrasts(analysis: Analysis) -> Drawing:
    maps = [_r2_map(analysis, found, what) for found, what in _kinds(analysis)]
    return Drawing(
        "r2",
        "Contrast of the classes",
        f"{signals_line(analysis)}. Outlined: significant, false discovery rate "
        f"{analysis.settings.level:g}, {analysis.settings.test} test; thick: clusters. "
        "Sensorimotor channels are marked.",
        lambda: r2_figure(maps),
    )


def _spectra(analysis: Analysis) -> Drawing:
    usual = [name for name in analysis.channels if canonical_label(name) in ("C3", "Cz", "C4")]
    wanted = [item.feature.channel for item in analysis.suggestions if item.feature.kind == "psd"]
    channels = list(dict.fromkeys([*usual, *wanted, *analysis.channels]))[:_PANELS]
    return Drawing(
        "spectra",
        "Spectra of the classes",
        f"{signals_line(analysis)}.",
        lambda: class_spectra(
            analysis.power.values,
            analysis.power.freqs_hz,
            analysis.y,
            analysis.channels,
            analysis.classes,
            channels=channels,
            contrast=analysis.power.contrast,
        ),
    )


def _heads(analysis: Analysis, scalp: Scalp) -> list[Drawing]:
    drawn = []
    power = analysis.power
    bands = list(bands_within(power.freqs_hz).values())
    best = [item.feature for item in analysis.suggestions if item.feature.kind == "psd"]
    bands = list(dict.fromkeys([*((f.low_hz, f.high_hz) for f in best[:1]), *bands]))
    if bands and scalp.spans_a_map:
        drawn.append(
            Drawing(
                "topographies",
                "Where the classes differ",
                f"{signals_line(analysis)}. First the band suggested first, then mu and beta.",
                lambda: contrast_topographies(
                    power.values,
                    power.freqs_hz,
                    analysis.y,
                    analysis.classes,
                    scalp,
                    bands,
                    what="power",
                    test=analysis.settings.test,
                    level=analysis.settings.level,
                    seed=analysis.settings.seed,
                ),
            )
        )
    for band, edges in analysis.edges.items():
        if edges.contrast.significant.any():
            drawn.append(
                Drawing(
                    f"network_{band}",
                    f"Pairs of channels that differ, {band}",
                    f"{_measure(analysis)}. {signals_line(analysis)}.",
                    partial(
                        contrast_network,
                        edges,
                        scalp,
                        analysis.classes,
                        f"{_measure(analysis)}, {_band(analysis, band)}",
                    ),
                )
            )
    if analysis.matrices is not None and "mu" in analysis.edges and len(scalp.names) > 2:
        drawn.append(_strongest(analysis, scalp, analysis.matrices))
    return drawn


def _strongest(analysis: Analysis, scalp: Scalp, matrices: F64) -> Drawing:
    """Return the strongest pairs of each class in the mu band."""
    freqs_hz = (analysis.strength or analysis.power).freqs_hz
    bins = bins_of(freqs_hz, bands_within(freqs_hz)["mu"])
    counts = list(analysis.n_trials.values())
    n_channels = len(scalp.names)
    n_edges = min(_EDGES, max(3, n_channels * (n_channels - 1) // 8))
    titles = [f"{words(name)}, {n} trials" for name, n in analysis.n_trials.items()]
    level = 0.0 if analysis.unrelated is None else float(analysis.unrelated[bins].mean())
    note = (
        f"{_band(analysis, 'mu')}, {counted(analysis.classes, counts)} trials. Channels that have "
        f"nothing to do with each other reach {level:.2f} in one pair of 20.\n{_chance(analysis)}"
    )
    return Drawing(
        "networks",
        "Strongest pairs of channels, mu",
        f"{_measure(analysis)}, mean over trials. {signals_line(analysis)}. Neighbours share the "
        "same sources: strong pairs need not speak to each other.",
        lambda: networks(
            # How strongly, not who leads: lines have no direction.
            [
                strongest_edges(np.abs(matrix[..., bins].mean(axis=-1)), n_edges)
                for matrix in matrices
            ],
            scalp,
            titles,
            label=_measure(analysis),
            note=note,
        ),
    )


def _chance(analysis: Analysis) -> str:
    """Say what the classes' difference in pairs comes to, and to what by chance."""
    c = analysis.edges["mu"].contrast
    return (
        f"Classes: R² of a pair up to {abs(c.r2).max():.2f}, by chance in 1 of 20 up to "
        f"{c.chance_largest_r2:.2f}."
    )


def _measure(analysis: Analysis) -> str:
    used = analysis.settings.connectivity
    return MEASURES[used.measure] if used else ""


def _band(analysis: Analysis, band: str) -> str:
    """Say which frequencies of connectivity a band is the mean of."""
    low, high = bands_within((analysis.strength or analysis.power).freqs_hz)[band]
    return f"{low:g} to {high:g} Hz"


def side_by_side(first: Analysis, second: Analysis) -> Drawing:
    """Return the contrast of power in two analyses, on one scale."""
    maps = [_r2_map(analysis, analysis.power, analysis.label) for analysis in (first, second)]
    return Drawing(
        "compare",
        f"Beside {second.label}",
        f"Power. Left: {signals_line(first)}. Right: {signals_line(second)}.",
        lambda: r2_figure(maps),
    )


def _kinds(analysis: Analysis) -> list[tuple[FeatureMap, str]]:
    kinds = [(analysis.power, "Power")]
    if analysis.strength is not None:
        kinds.append((analysis.strength, f"Node strength: {_measure(analysis).lower()}"))
    return kinds


def _r2_map(analysis: Analysis, found: FeatureMap, title: str) -> R2Map:
    return R2Map.of(
        found.contrast,
        found.freqs_hz,
        analysis.channels,
        analysis.classes,
        clusters=found.clusters,
        places=analysis.places,
        title=title,
    )
