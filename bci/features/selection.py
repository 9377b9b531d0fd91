"""Which features to use: ranked by how far they hold the classes apart, few alike among them.

A score of features that were chosen on the same trials says nothing: on noise, the best three of
64 channels x 40 bins hold 64 to 76 % of the trials apart. Whatever is scored must choose within
the fold, as `bci.decoders.features.FeatureDecoder` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bci.config import Settings
from bci.errors import SettingsError
from bci.features.contrast import signed_r2
from bci.sources.labels import SENSORIMOTOR, canonical_label, match_channels, standard_position

__all__ = ["Candidates", "Choice", "SelectionSettings", "choose", "stability"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Index = NDArray[np.intp]

#: What an R2 counts at channels that are not sensorimotor, with the prior on.
_ELSEWHERE = 0.5


class SelectionSettings(Settings):
    """What suggestions must keep to.

    Attributes
    ----------
    n_features : int
        How many are suggested.
    width_hz : float
        Width of their bands.
    fmin_hz, fmax_hz : float
        Where bands may lie.
    channels : tuple of str
        Those that may be chosen; empty: all.
    min_distance_m : float
        No two chosen channels are nearer than this, on the standard head; 0: no matter. Bands of
        one channel never overlap.
    redundancy : bool
        Weigh how alike a candidate is to what is chosen (mRMR, Peng et al. 2005): its R2 less its
        mean squared correlation with the chosen ones. Off: the largest R2.
    prior : bool
        Halve the R2 of channels that are not sensorimotor.
    """

    n_features: int = Field(default=6, ge=1)
    width_hz: float = Field(default=4.0, ge=0)
    fmin_hz: float = Field(default=6.0, ge=0)
    fmax_hz: float = Field(default=35.0, gt=0)
    channels: tuple[str, ...] = ()
    min_distance_m: float = Field(default=0.0, ge=0)
    redundancy: bool = True
    prior: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Every band of every channel, trial by trial.

    Attributes
    ----------
    values : ndarray of float64, shape (n_trials, n_candidates)
    channels : ndarray of int, shape (n_candidates,)
    bands_hz : ndarray of float64, shape (n_candidates, 2)
    """

    values: F64 = field(repr=False)
    channels: Index = field(repr=False)
    bands_hz: F64 = field(repr=False)

    @classmethod
    def of(
        cls, features: F64, freqs_hz: F64, names: Sequence[str], settings: SelectionSettings
    ) -> "Candidates":
        """Average features over bands, one beginning at each frequency.

        Parameters
        ----------
        features : ndarray of float64, shape (n_trials, n_channels, n_freqs)
            Log power, or node strength.
        freqs_hz : ndarray of float64, shape (n_freqs,)
        names : sequence of str, length n_channels
        settings : SelectionSettings

        Raises
        ------
        SettingsError
            When no band lies within the limits.
        ChannelError
            When a channel that may be chosen is not there.
        """
        kept = (
            match_channels(settings.channels, names)
            if settings.channels
            else np.arange(len(names), dtype=np.intp)
        )
        starts, stops = _bands(freqs_hz, settings)
        # Means over runs of bins, as differences of running sums.
        sums = np.cumsum(features[:, kept], axis=-1)
        sums = np.concatenate([np.zeros((*sums.shape[:2], 1)), sums], axis=-1)
        means = (sums[..., stops] - sums[..., starts]) / (stops - starts)
        bands = np.column_stack([freqs_hz[starts], freqs_hz[stops - 1]])
        return cls(
            means.reshape(len(features), -1),
            np.repeat(kept, len(starts)),
            np.tile(bands, (len(kept), 1)),
        )

    def of_trials(self, trials: Index) -> "Candidates":
        """Return the same candidates, of some trials."""
        return Candidates(self.values[trials], self.channels, self.bands_hz)


def _bands(freqs_hz: F64, settings: SelectionSettings) -> tuple[Index, Index]:
    """Return the first bin of each band, and the one after its last."""
    inside = np.flatnonzero(
        (freqs_hz >= settings.fmin_hz - 1e-9) & (freqs_hz <= settings.fmax_hz + 1e-9)
    )
    step_hz = float(np.diff(freqs_hz).min()) if len(freqs_hz) > 1 else 1.0
    n_bins = int(settings.width_hz / step_hz + 1e-9) + 1
    if len(inside) < n_bins:
        raise SettingsError(
            f"no band of {settings.width_hz:g} Hz lies between {settings.fmin_hz:g} and "
            f"{settings.fmax_hz:g} Hz in a spectrum of {freqs_hz[0]:g} to {freqs_hz[-1]:g} Hz"
        )
    starts = inside[: len(inside) - n_bins + 1].astype(np.intp)
    return starts, starts + n_bins


@dataclass(frozen=True, slots=True)
class Choice:
    """A candidate that was chosen.

    Attributes
    ----------
    channel : int
    band_hz : (low, high)
    r2 : float
        Signed, see `signed_r2`.
    candidate : int
        Which of the candidates it is.
    """

    channel: int
    band_hz: tuple[float, float]
    r2: float
    candidate: int


def choose(
    candidates: Candidates, y: I64, names: Sequence[str], settings: SelectionSettings
) -> list[Choice]:
    """Choose features one by one, the best first.

    Parameters
    ----------
    candidates : Candidates
    y : ndarray of int, shape (n_trials,)
        Classes, from 0.
    names : sequence of str, length n_channels
    settings : SelectionSettings

    Returns
    -------
    list of Choice
        Fewer than asked for when the constraints leave no more.
    """
    r2 = signed_r2(candidates.values, y)
    score = np.abs(r2)
    if settings.prior:
        score = score * _prior(names)[candidates.channels]
    near = _near(names, settings.min_distance_m)
    centred = candidates.values - candidates.values.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    centred = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    alike = np.zeros(len(score))
    free = norms > 0
    chosen: list[Choice] = []
    while len(chosen) < settings.n_features and free.any():
        merit = score - alike / len(chosen) if chosen and settings.redundancy else score
        best = int(np.where(free, merit, -np.inf).argmax())
        channel, (low, high) = int(candidates.channels[best]), candidates.bands_hz[best]
        chosen.append(Choice(channel, (float(low), float(high)), float(r2[best]), best))
        alike += (centred[:, best] @ centred) ** 2
        overlap = (candidates.bands_hz[:, 0] <= high) & (candidates.bands_hz[:, 1] >= low)
        free &= ~(overlap & (candidates.channels == channel))
        free &= ~near[channel, candidates.channels]
    return chosen


def _prior(names: Sequence[str]) -> F64:
    """Return each channel's weight; alike where none of the names is known to be sensorimotor."""
    known = np.array([canonical_label(name) in SENSORIMOTOR for name in names])
    return np.where(known | ~known.any(), 1.0, _ELSEWHERE)


def _near(names: Sequence[str], distance_m: float) -> NDArray[np.bool_]:
    """Return which pairs of different channels are nearer than a distance."""
    if not distance_m:
        return np.zeros((len(names), len(names)), dtype=bool)
    places = np.array([standard_position(name) or (np.nan,) * 3 for name in names])
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart < distance_m, dtype=bool)


def stability(
    candidates: Candidates,
    y: I64,
    names: Sequence[str],
    settings: SelectionSettings,
    *,
    n_bootstraps: int = 50,
    seed: int = 0,
) -> list[float]:
    """Return how often each choice comes again when trials are drawn anew.

    Parameters
    ----------
    candidates, y, names, settings
        As for `choose`.
    n_bootstraps : int
        Trials are drawn with replacement, within classes.
    seed : int

    Returns
    -------
    list of float
        Of each of `choose`'s: the share of draws that chose its channel in an overlapping band.
    """
    rng = np.random.default_rng(seed)
    chosen = choose(candidates, y, names, settings)
    hits = np.zeros(len(chosen))
    members = [np.flatnonzero(y == k) for k in range(int(y.max()) + 1)]
    for _ in range(n_bootstraps):
        drawn = np.concatenate([rng.choice(rows, len(rows)) for rows in members])
        again = choose(candidates.of_trials(drawn), y[drawn], names, settings)
        for k, choice in enumerate(chosen):
            low, high = choice.band_hz
            hits[k] += any(
                other.channel == choice.channel
                and other.band_hz[0] <= high
                and other.band_hz[1] >= low
                for other in again
            )
    return [float(share) for share in hits / n_bootstraps]
