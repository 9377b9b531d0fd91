"""Which frequencies of a window features need, and what each feature averages."""

from collections.abc import Sequence

import numpy as np

from bci.decoders.base import F64, Index

__all__ = ["averages", "grid"]

#: Finest step from one frequency to the next.
_STEP_HZ = 1.0


def grid(low_hz: float, high_hz: float, resolution_hz: float | None) -> F64:
    """Return the frequencies of a band; one, at the least.

    Parameters
    ----------
    low_hz, high_hz : float
        Both ends are included.
    resolution_hz : float or None
        Of segments or tapers, which have its multiples (of 1 Hz where it is finer); None: a
        model, which has every frequency.
    """
    if resolution_hz is None:
        n_freqs = int((high_hz - low_hz) / _STEP_HZ + 1e-9) + 1
        return np.asarray(low_hz + _STEP_HZ * np.arange(n_freqs), dtype=np.float64)
    step_hz = max(resolution_hz, _STEP_HZ)
    numbers = np.arange(np.ceil(low_hz / step_hz - 1e-9), np.floor(high_hz / step_hz + 1e-9) + 1)
    if not len(numbers):
        numbers = np.round([(low_hz + high_hz) / 2 / step_hz])
    return np.asarray(step_hz * numbers, dtype=np.float64)


def averages(columns: Index, grids: Sequence[F64 | None]) -> tuple[Index, F64, F64]:
    """Return what of each window is to be computed for features, and what each averages of it.

    Parameters
    ----------
    columns : ndarray of int, shape (n_features,)
        The features' channels.
    grids : sequence of ndarray of float64, length n_features
        The frequencies of each; None for a feature of another kind.

    Returns
    -------
    nodes : ndarray of int, shape (n_nodes,)
        Channels, ascending.
    freqs_hz : ndarray of float64, shape (n_freqs,)
        Ascending.
    weights : ndarray of float64, shape (n_features, n_nodes * n_freqs)
        Rows of another kind are zero.
    """
    used = {k: np.round(found, 9) for k, found in enumerate(grids) if found is not None}
    freqs_hz = np.unique(np.concatenate(list(used.values())))
    nodes = np.unique(columns[list(used)])
    weights = np.zeros((len(columns), len(nodes), len(freqs_hz)))
    for k, found in used.items():
        node = np.searchsorted(nodes, columns[k])
        weights[k, node, np.searchsorted(freqs_hz, found)] = 1.0 / len(found)
    return nodes, freqs_hz, weights.reshape(len(weights), -1)
