"""How alike the channels of a window are, frequency by frequency.

Everything starts from the Fourier coefficients of the pieces of a window: overlapping segments
(Welch), or tapers. With x_k of piece k, S = mean of x_k x_k^H is the cross-spectrum,
C = S_ij / sqrt(S_ii S_jj) the coherency.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import dpss

from bci.compiled import kernel
from bci.errors import ChannelError, SettingsError
from bci.features.burg import pair_coherency
from bci.features.settings import ConnectivitySettings
from bci.features.spectra import check_bandwidth, check_frequencies, nearest_bins, segment_samples

__all__ = ["Connectivity", "connectivity", "laterality", "node_strength", "strengths"]

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]
Index = NDArray[np.intp]

_NO_PARTNER = "node strength needs a partner besides the channel itself: name more"


@dataclass(frozen=True, slots=True, eq=False)
class Connectivity:
    """A measure of all pairs of channels.

    Attributes
    ----------
    values : ndarray of float64, shape (n_windows, n_channels, n_channels, n_freqs)
        Symmetric, but for ``"imaginary"``, which is antisymmetric: positive where the first
        channel leads. Zero on the diagonal, and where a channel does not move.
    freqs_hz : ndarray of float64, shape (n_freqs,)
    measure : str
    n_pieces : int or None
        Segments or tapers that were averaged; the fewer, the larger chance values are.
    """

    values: F64 = field(repr=False)
    freqs_hz: F64 = field(repr=False)
    measure: str = ""
    n_pieces: int | None = None


def connectivity(
    X: F64, rate_hz: float, freqs_hz: F64, settings: ConnectivitySettings
) -> Connectivity:
    """Return the connectivity of all pairs of channels of windows.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    rate_hz : float
    freqs_hz : ndarray of float64, shape (n_freqs,)
        Ascending. Segments and tapers have frequencies of their own: the nearest is taken.
    settings : ConnectivitySettings

    Raises
    ------
    SettingsError
        For a frequency above half of the rate; for windows too short for the segment, the tapers
        or the order; for segments of which a window holds only one.
    """
    check_frequencies(float(freqs_hz[-1]), rate_hz)
    if settings.method == "burg":
        return _of_models(X, rate_hz, freqs_hz, settings)
    pieces = _pieces(X.shape[-1], rate_hz, tuple(freqs_hz.tolist()), settings)
    n_channels = X.shape[1]
    values = np.empty((len(X), n_channels, n_channels, len(pieces.freqs_hz)))
    for window, found in zip(X, values, strict=True):
        x = pieces.coefficients(window)
        found[:] = np.moveaxis(_measure(x, x, settings.measure), 0, -1)
    diagonal = np.arange(n_channels)
    values[:, diagonal, diagonal] = 0.0
    return Connectivity(values, pieces.freqs_hz, settings.measure, pieces.n_pieces)


def strengths(
    X: F64,
    rate_hz: float,
    freqs_hz: F64,
    settings: ConnectivitySettings,
    channels: Index | None = None,
) -> tuple[F64, F64]:
    """Return node strengths without keeping the connectivity of all pairs.

    Parameters
    ----------
    X, rate_hz, freqs_hz, settings
        As for `connectivity`.
    channels : ndarray of int, shape (n_nodes,), optional
        Whose strength is wanted; None: of all channels. All others are partners.

    Returns
    -------
    strength : ndarray of float64, shape (n_windows, n_nodes, n_freqs)
        Each window's is the same to the last bit, alone and among others.
    freqs_hz : ndarray of float64, shape (n_freqs,)

    Raises
    ------
    SettingsError
        As for `connectivity`.
    ChannelError
        For a lone channel.
    """
    n_channels = X.shape[1]
    nodes = np.arange(n_channels) if channels is None else channels
    if settings.method == "burg":
        found = connectivity(X, rate_hz, freqs_hz, settings)
        return node_strength(found.values)[:, nodes], found.freqs_hz
    if n_channels < 2:
        raise ChannelError(_NO_PARTNER)
    check_frequencies(float(freqs_hz[-1]), rate_hz)
    pieces = _pieces(X.shape[-1], rate_hz, tuple(freqs_hz.tolist()), settings)
    strength = np.empty((len(X), len(nodes), len(pieces.freqs_hz)))
    rows = np.arange(len(nodes))
    for window, row in zip(X, strength, strict=True):
        x = pieces.coefficients(window)
        if settings.measure == "coherence":
            total = _coherence_sums(_per_channel(x), nodes)
        else:
            values = _measure(x if channels is None else x[:, nodes], x, settings.measure)
            values[:, rows, nodes] = 0.0
            total = np.abs(values).sum(axis=-1)
        row[:] = total.T / (n_channels - 1)
    return strength, pieces.freqs_hz


class _Pieces(NamedTuple):
    """How a window becomes Fourier coefficients, for one length, rate and set of frequencies."""

    freqs_hz: F64
    starts: Index
    #: Real parts of all tapers' transforms, then imaginary ones: (n_piece, 2 * n_tapers * n_freqs).
    transform: F64
    n_pieces: int

    def coefficients(self, window: F64) -> C128:
        """Return Fourier coefficients of a window, shape (n_freqs, n_channels, n_pieces)."""
        n_piece, n_freqs = len(self.transform), len(self.freqs_hz)
        # The transform sees no offset; without it a channel that does not move is exactly zero.
        window = window - window[:, :1]
        pieces = np.lib.stride_tricks.sliding_window_view(window, n_piece, axis=-1)
        flat = np.ascontiguousarray(pieces[:, self.starts]).reshape(-1, n_piece)
        # (n_channels * n_starts, 2, n_tapers, n_freqs)
        found = (flat @ self.transform).reshape(len(flat), 2, -1, n_freqs)
        found = found.reshape(len(window), len(self.starts), 2, -1, n_freqs)
        x = np.empty((n_freqs, len(window), self.n_pieces), dtype=np.complex128)
        parts = np.moveaxis(found, (2, 4), (0, 1)).reshape(2, n_freqs, len(window), -1)
        x.real, x.imag = parts
        return x


@lru_cache(maxsize=16)
def _pieces(
    n_times: int, rate_hz: float, freqs_hz: tuple[float, ...], settings: ConnectivitySettings
) -> _Pieces:
    """Return how windows of a length are cut, tapered and transformed; kept for the next one."""
    if settings.method == "welch":
        n_piece = segment_samples(settings.segment_s, n_times, rate_hz)
        tapers = np.hanning(n_piece)[None]
        starts = _starts(n_piece, n_times, settings)
    else:
        n_piece = n_times
        check_bandwidth(settings.bandwidth_hz, n_times, rate_hz)
        half = settings.bandwidth_hz * n_times / rate_hz / 2
        tapers, ratios = dpss(n_times, half, max(int(2 * half - 1), 1), return_ratios=True)
        tapers = tapers[ratios > 0.9]  # those whose power leaks are left out, as MNE does
        starts = np.zeros(1, dtype=np.intp)
    n_pieces = len(tapers) * len(starts)
    if n_pieces < 2:
        raise SettingsError(
            "one taper says nothing of connectivity (everything is coherent with everything): "
            "widen the bandwidth, or lengthen the window"
        )
    wanted_hz = np.array(freqs_hz)
    step_hz = float(np.diff(wanted_hz).min()) if len(wanted_hz) > 1 else np.inf
    found_hz = np.asarray(np.fft.rfftfreq(n_piece, 1 / rate_hz), dtype=np.float64)
    at = nearest_bins(found_hz, wanted_hz, step_hz)
    turns = np.outer(np.arange(n_piece), at) % n_piece
    matrix = tapers[:, :, None] * np.exp(-2j * np.pi / n_piece * turns)
    # Without their mean over time, they see nothing of a piece's mean.
    matrix -= matrix.mean(axis=1, keepdims=True)
    flat = np.moveaxis(matrix, 1, 0).reshape(n_piece, -1)
    transform = np.ascontiguousarray(np.concatenate([flat.real, flat.imag], axis=1))
    return _Pieces(found_hz[at], starts, transform, n_pieces)


def _starts(n_piece: int, n_times: int, settings: ConnectivitySettings) -> Index:
    step = max(1, round(n_piece * (1 - settings.overlap)))
    starts = np.arange(0, n_times - n_piece + 1, step)
    if len(starts) < 2:
        raise SettingsError(
            f"a window holds only one segment of {settings.segment_s:g} s, and one says nothing of "
            "connectivity (everything is coherent with everything): shorten the segment, or "
            "lengthen the window"
        )
    return starts


def _measure(x: C128, others: C128, measure: str) -> F64:
    """Return a measure between coefficients (n_freqs, n_channels, n_pieces) of channels.

    Shape (n_freqs, n_channels of x, n_channels of the others); zero where it is undefined.
    """
    if measure == "wpli":
        found = np.empty((len(x), x.shape[1], others.shape[1]))
        _lag_index(np.ascontiguousarray(x), others, found)
        return found
    unit = _per_piece if measure in ("plv", "ciplv") else _per_channel
    return _of_coherency(unit(x) @ unit(others).conj().transpose(0, 2, 1), measure)


@kernel
def _lag_index(x: C128, others: C128, found: F64) -> None:
    """Fill the mean over pieces of the imaginary part of x_i x_j*, over the mean of its size."""
    for f in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(others.shape[1]):
                total, size = 0.0, 0.0
                for k in range(x.shape[2]):
                    a, b = x[f, i, k], others[f, j, k]
                    product = a.imag * b.real - a.real * b.imag
                    total += product
                    size += abs(product)
                found[f, i, j] = abs(total) / size if size > 0.0 else 0.0


def _per_channel(x: C128) -> C128:
    """Scale coefficients so that each channel's squares sum to 1: products are coherency."""
    power = (x.real**2 + x.imag**2).sum(axis=-1, keepdims=True)
    # A channel that does not move is coherent with none.
    scaled: C128 = x * _ratio(np.ones_like(power), np.sqrt(power))
    return scaled


def _per_piece(x: C128) -> C128:
    """Scale coefficients so that each counts by its phase alone: products are phase locking."""
    size = np.abs(x)
    scaled: C128 = x * _ratio(np.full_like(size, x.shape[-1] ** -0.5), size)
    return scaled


def _coherence_sums(u: C128, nodes: Index) -> F64:
    """Return the sum of the coherence of each node with all other channels, (n_freqs, n_nodes).

    The sum over j of |u_i u_j^H|^2 is u_i (sum of u_j^H u_j) u_i^H: a matrix of the size of the
    few pieces instead of one of all pairs of channels, which takes twice as long.
    """
    chosen = u[:, nodes]
    products = chosen @ (u.conj().transpose(0, 2, 1) @ u)
    total = (products.real * chosen.real + products.imag * chosen.imag).sum(axis=-1)
    own = (chosen.real**2 + chosen.imag**2).sum(axis=-1) ** 2
    return np.asarray(np.maximum(total - own, 0.0), dtype=np.float64)


def _ratio(above: F64, below: F64) -> F64:
    """Divide; zero where the divisor is."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _of_coherency(C: C128, measure: str) -> F64:
    if measure == "coherence":
        found = C.real**2
        found += C.imag**2
    elif measure == "plv":
        found = np.abs(C)
    elif measure == "ciplv":
        found = _ratio(np.abs(C.imag), np.sqrt(np.maximum(1 - C.real**2, 0.0)))
    else:
        found = C.imag if measure == "imaginary" else np.abs(C.imag)
    return np.asarray(found, dtype=np.float64)


def _of_models(
    X: F64, rate_hz: float, freqs_hz: F64, settings: ConnectivitySettings
) -> Connectivity:
    n_channels = X.shape[1]
    first, second = np.triu_indices(n_channels, 1)
    pairs = np.column_stack([first, second]).astype(np.intp)
    C = pair_coherency(X, pairs, settings.order, freqs_hz, rate_hz)
    found = np.nan_to_num(_of_coherency(C, settings.measure))
    values = np.zeros((len(X), n_channels, n_channels, len(freqs_hz)))
    values[:, first, second] = found
    values[:, second, first] = -found if settings.measure == "imaginary" else found
    return Connectivity(values, freqs_hz, settings.measure)


def node_strength(values: F64, partners: Index | None = None) -> F64:
    """Return the mean connectivity of each channel with its partners.

    How strong it is counts, not who leads: a measure with a sign (``"imaginary"``) loses it.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n_channels, n_channels, n_freqs)
    partners : ndarray of int, optional
        Channels that count; None: all others. A channel is no partner of its own.

    Returns
    -------
    ndarray of float64, shape (..., n_channels, n_freqs)

    Raises
    ------
    ChannelError
        When a channel has no partner but itself.
    """
    n_channels = values.shape[-2]
    counted = np.zeros(n_channels)
    counted[slice(None) if partners is None else partners] = 1.0
    # The diagonal is zero: a channel among its own partners adds nothing, and is not counted.
    n_partners = counted.sum() - counted
    if (n_partners < 1).any():
        raise ChannelError(_NO_PARTNER)
    strength: F64 = np.einsum("...ijf,j->...if", np.abs(values), counted) / n_partners[:, None]
    return strength


def laterality(left: F64, right: F64) -> F64:
    """Return (left - right) / (left + right) of positive numbers; zero where both are zero."""
    total = left + right
    index: F64 = np.divide(left - right, total, out=np.zeros_like(total), where=total != 0)
    return index
