"""Features of an analysis in numbers: which are suggested, and how far apart the classes are."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError, SettingsError
from bci.features.cache import Arrays, pack
from bci.features.contrast import contrast
from bci.features.grammar import Feature
from bci.features.selection import Candidates, SelectionSettings, choose, stability
from bci.sources.labels import match_channels

__all__ = ["Kind", "Table", "describe", "suggest"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Kind = Literal["psd", "fc"]
Test = Literal["wilcoxon", "t"]


class Table(NamedTuple):
    """One kind of feature over trials, channels and frequencies."""

    #: Shape (n_trials, n_channels, n_freqs).
    values: F64
    freqs_hz: F64

    def of(self, feature: Feature, names: Sequence[str]) -> F64:
        """Return a feature of every trial.

        Raises
        ------
        ChannelError
            When its channel is not there.
        SettingsError
            When its band is not, or holds no frequency.
        """
        try:
            (channel,) = match_channels([feature.channel], names)
        except ChannelError as error:
            said = str(error).removesuffix(": choose others with --channels")
            raise ChannelError(f"feature {feature}: {said}; name another") from error
        freqs_hz, low, high = self.freqs_hz, feature.low_hz, feature.high_hz
        if low < freqs_hz[0] - 1e-9 or high > freqs_hz[-1] + 1e-9:
            raise SettingsError(
                f"feature {feature}: the analysis has {freqs_hz[0]:g} to {freqs_hz[-1]:g} Hz; "
                "choose a band within, or analyse more"
            )
        bins = np.flatnonzero((freqs_hz >= low - 1e-9) & (freqs_hz <= high + 1e-9))
        if not len(bins):
            step_hz = float(np.diff(freqs_hz).min())
            raise SettingsError(
                f"feature {feature}: none of the frequencies, {step_hz:g} Hz apart, lies in this "
                "band; widen it, or analyse in finer steps"
            )
        mean: F64 = self.values[:, channel, bins].mean(axis=-1)
        return mean


def describe(
    features: Sequence[Feature],
    tables: Mapping[Kind, Table],
    names: Sequence[str],
    y: I64,
    test: Test,
) -> Arrays:
    """Return how far the classes are apart in features, each by itself.

    Parameters
    ----------
    features : sequence of Feature
    tables : mapping of str to Table
        By kind: what the analysis has.
    names : sequence of str, length n_channels
    y : ndarray of int, shape (n_trials,)
        Classes, from 0.
    test : {"wilcoxon", "t"}

    Raises
    ------
    SettingsError
        For a feature of connectivity where there is none; as `Table.of`.
    ChannelError
        As `Table.of`.
    """
    said = [str(feature) for feature in features]
    if not features:
        return pack({"names": said, "r2": np.zeros(0), "p": np.zeros(0)})
    values = []
    for feature in features:
        if feature.kind not in tables:
            raise SettingsError(
                f"feature {feature}: the analysis has no connectivity; leave it out, or name a "
                "measure"
            )
        values.append(tables[feature.kind].of(feature, names))
    found = contrast(np.column_stack(values), y, test, n_shuffles=1)
    described = {"names": said, "r2": found.r2, "p": found.p}
    return pack(described | ({} if found.d is None else {"d": found.d}))


def suggest(
    tables: Mapping[Kind, Table],
    names: Sequence[str],
    y: I64,
    settings: SelectionSettings,
    test: Test,
    *,
    n_bootstraps: int,
    seed: int,
) -> Arrays:
    """Choose features of each kind, and describe them with their stability.

    Parameters
    ----------
    tables, names, y, test
        As for `describe`.
    settings : SelectionSettings
    n_bootstraps, seed : int
        Of `bci.features.selection.stability`.
    """
    features: list[Feature] = []
    shares: list[float] = []
    for kind, table in tables.items():
        candidates = Candidates.of(table.values, table.freqs_hz, names, settings)
        chosen = choose(candidates, y, names, settings)
        features += [Feature(kind, names[choice.channel], *choice.band_hz) for choice in chosen]
        shares += stability(candidates, y, names, settings, n_bootstraps=n_bootstraps, seed=seed)
    return describe(features, tables, names, y, test) | {"stability": np.array(shares)}
