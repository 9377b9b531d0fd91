"""Connectivity as a network on the scalp, and how the two hemispheres compare."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError, SettingsError, TrialError
from bci.features.connectivity import connectivity, laterality
from bci.features.contrast import Contrast, contrast
from bci.features.settings import ConnectivitySettings
from bci.sources.labels import canonical_label, standard_position

__all__ = [
    "EdgeContrast",
    "Edges",
    "chance_connectivity",
    "edge_contrast",
    "homologous_pairs",
    "laterality_index",
    "significant_edges",
    "strongest_edges",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Index = NDArray[np.intp]

_SITE = re.compile(r"([A-Za-z]+)(\d+)(h?)")


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Pairs of channels, the strongest first.

    Attributes
    ----------
    pairs : ndarray of int, shape (n_edges, 2)
    values : ndarray of float64, shape (n_edges,)
    n_possible : int
        Pairs that there are: how many of them are not shown is said.
    """

    pairs: Index = field(repr=False)
    values: F64 = field(repr=False)
    n_possible: int


def strongest_edges(matrix: F64, n_edges: int = 30) -> Edges:
    """Return the pairs whose connectivity is the largest, whatever its sign.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n_channels, n_channels)
        Of one frequency, or the mean of a band. Of both triangles the upper one is read; pairs of
        connectivity zero are none.
    n_edges : int
        At most; a network of all pairs of 64 channels shows nothing.

    Raises
    ------
    SettingsError
        For fewer than one.
    """
    if n_edges < 1:
        raise SettingsError(f"{n_edges} edges: give 1 or more")
    pairs = _pairs(len(matrix))
    values = matrix[pairs[:, 0], pairs[:, 1]]
    order = np.argsort(-np.abs(values), kind="stable")[:n_edges]
    order = order[values[order] != 0]
    return Edges(pairs[order], values[order], len(pairs))


def chance_connectivity(
    X: F64, rate_hz: float, freqs_hz: F64, settings: ConnectivitySettings, *, seed: int = 0
) -> F64:
    """Return what one pair in twenty reaches though its channels have nothing to do with another.

    Each channel gets its windows in an order of its own: its spectrum stays, and what it shares
    with others at the same time goes, but for the one window that two orders have in common on
    average: of few windows the level is rather too high than too low.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    rate_hz : float
    freqs_hz : ndarray of float64, shape (n_freqs,)
    settings : ConnectivitySettings
    seed : int

    Returns
    -------
    ndarray of float64, shape (n_freqs,)
        Of the size of the mean over as many windows.

    Raises
    ------
    TrialError
        For fewer than two windows.
    SettingsError
        As `bci.features.connectivity.connectivity`.
    """
    n_windows, n_channels, _ = X.shape
    if n_windows < 2:
        raise TrialError("chance connectivity pairs windows with others: give two or more")
    rng = np.random.default_rng(seed)
    unrelated = np.empty_like(X)
    for channel in range(n_channels):
        unrelated[:, channel] = X[rng.permutation(n_windows), channel]
    pairs = _pairs(n_channels)
    # A few windows at a time: the matrices of 45 take 50 MB.
    total = 0.0
    for start in range(0, n_windows, 8):
        found = connectivity(unrelated[start : start + 8], rate_hz, freqs_hz, settings)
        total = total + found.values[:, pairs[:, 0], pairs[:, 1]].sum(axis=0)
    return np.asarray(np.quantile(np.abs(total) / n_windows, 0.95, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class EdgeContrast:
    """How far classes are apart in each pair of channels.

    Attributes
    ----------
    contrast : Contrast
        Its arrays have shape (n_pairs,).
    pairs : ndarray of int, shape (n_pairs, 2)
    """

    contrast: Contrast
    pairs: Index = field(repr=False)


def edge_contrast(matrices: F64, y: I64, *, level: float = 0.05, seed: int = 0) -> EdgeContrast:
    """Compare the classes in the connectivity of every pair.

    Parameters
    ----------
    matrices : ndarray of float64, shape (n_trials, n_channels, n_channels)
        Of one frequency, or the mean of a band.
    y : ndarray of int, shape (n_trials,)
        Classes, from 0.
    level : float
        False discovery rate over all pairs.
    seed : int

    Raises
    ------
    TrialError
        When a class has fewer than two trials.
    """
    pairs = _pairs(matrices.shape[1])
    values = matrices[:, pairs[:, 0], pairs[:, 1]]
    return EdgeContrast(contrast(values, y, level=level, seed=seed), pairs)


def significant_edges(found: EdgeContrast, n_edges: int = 30) -> Edges:
    """Return the pairs in which classes differ, by signed R2, the largest first.

    Parameters
    ----------
    found : EdgeContrast
    n_edges : int
        At most.

    Returns
    -------
    Edges
        Empty where none is significant.
    """
    rows = np.flatnonzero(found.contrast.significant)
    r2 = found.contrast.r2[rows]
    order = np.argsort(-np.abs(r2), kind="stable")[:n_edges]
    return Edges(found.pairs[rows[order]], r2[order], len(found.pairs))


def _pairs(n_channels: int) -> Index:
    return np.column_stack(np.triu_indices(n_channels, 1)).astype(np.intp)


def homologous_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the channels that mirror each other: left and right, by their names' numbers.

    >>> homologous_pairs(["C3", "Cz", "C4", "FC6", "FC5", "T7"])
    [(0, 2), (4, 3)]
    """
    places = {canonical_label(name): channel for channel, name in enumerate(names)}
    pairs = []
    for name, channel in places.items():
        found = _SITE.fullmatch(name)
        # "EEG1" and "EEG2" are numbers of channels, not places.
        if found and int(found[2]) % 2 and standard_position(name):
            other = places.get(f"{found[1]}{int(found[2]) + 1}{found[3]}")
            if other is not None:
                pairs.append((channel, other))
    return pairs


def laterality_index(
    values: F64, names: Sequence[str], pairs: Sequence[tuple[int, int]] | None = None
) -> tuple[F64, list[tuple[str, str]]]:
    """Return (left - right) / (left + right) of each pair of channels that mirror each other.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n_channels, n_freqs)
        What is not negative: power (no decibels), node strength.
    names : sequence of str, length n_channels
    pairs : sequence of (left, right), optional
        Channels; None: all of `homologous_pairs`.

    Returns
    -------
    index : ndarray of float64, shape (..., n_pairs, n_freqs)
        From -1 (all on the right) to 1 (all on the left).
    pair_names : list of (str, str)

    Raises
    ------
    ChannelError
        When no two channels mirror each other.
    SettingsError
        For negative values.
    """
    found = homologous_pairs(names) if pairs is None else list(pairs)
    if not found:
        raise ChannelError(
            "laterality compares channels that mirror each other, such as C3 and C4, and there "
            f"are none among {', '.join(names[:8])}: choose others with --channels"
        )
    if (values < 0).any():
        raise SettingsError(
            "laterality compares what is not negative: give power, not decibels, and a measure of "
            "connectivity without a sign"
        )
    left, right = np.array(found, dtype=np.intp).T
    index = laterality(values[..., left, :], values[..., right, :])
    return index, [(names[a], names[b]) for a, b in found]
