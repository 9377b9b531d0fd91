"""The steps of an analysis: what each hangs on, and how it is computed."""

from collections.abc import Sequence
from dataclasses import astuple
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.errors import SettingsError, TrialError
from bci.features.cache import Arrays, Cache, Steps, pack, unpack
from bci.features.connectivity import connectivity, node_strength
from bci.features.contrast import cluster_test, contrast
from bci.features.description import Kind, Table, describe, suggest
from bci.features.erds import erds
from bci.features.grammar import parse_features
from bci.features.network import chance_connectivity, homologous_pairs, laterality_index
from bci.features.parameters import AnalysisSettings
from bci.features.peaks import BETA_HZ, MU_HZ, rhythms_of
from bci.features.scalp import Scalp
from bci.features.settings import ConnectivitySettings, SpectrumSettings
from bci.features.spatial import spatial_filter
from bci.features.spectra import bins_of, frequencies, spectra
from bci.signal.epochs import Epochs, cut_epochs
from bci.signal.rejection import without_marked
from bci.sources.labels import canonical_label, match_channels, standard_position
from bci.sources.recording import Recording

__all__ = ["bands_within", "plan"]

F64 = NDArray[np.float64]

#: Windows whose matrices are in memory at once: 64 channels x 37 frequencies take 20 MB.
_BLOCK = 16

#: A person's own rhythms are looked for where the filter passes at least this.
PEAKS, PEAKS_HZ = ("mu", "beta"), (4.0, 35.0)

#: Channels whose ERD/ERS is mapped unless others are named: the bootstrap of 64 takes 10 s.
ERDS_CHANNELS = ("C3", "Cz", "C4")

#: Settings that a method does not look at: what hangs on them is nothing.
_UNUSED: dict[str, set[str]] = {
    "burg": {"segment_s", "overlap", "bandwidth_hz"},
    "welch": {"order", "bandwidth_hz"},
    "multitaper": {"order", "segment_s", "overlap"},
}


def plan(
    recordings: Sequence[Recording],
    contents: Sequence[str],
    settings: AnalysisSettings,
    cache: Cache | None = None,
) -> Steps:
    """Return the steps of an analysis, none of them computed yet.

    ::

        recordings ─ epochs ─┬─ trials, erds
                             └─ signals ─┬─ peaks
                                         ├─ unrelated
                                         ├─ power ────┬─ .._laterality
                                         └─ strength ─┼─ .._contrast, edges
                                                      ├─ .._clusters
                                                      └─ suggestions, features

    Parameters
    ----------
    recordings : sequence of Recording
    contents : sequence of str
        Their hashes: `bci.features.cache.recording_content`.
    settings : AnalysisSettings
    cache : Cache, optional
    """
    return _Plan(recordings, contents, settings, Steps(cache)).steps


def bands_within(freqs_hz: F64) -> dict[str, tuple[float, float]]:
    """Return the mu and the beta band, as far as frequencies reach.

    >>> bands_within(np.arange(4.0, 12.0))
    {'mu': (7.0, 11.0)}
    """
    found = {}
    for name, (low, high) in (("mu", MU_HZ), ("beta", BETA_HZ)):
        inside = freqs_hz[(freqs_hz >= low) & (freqs_hz <= high)]
        if len(inside):
            found[name] = (float(inside[0]), float(inside[-1]))
    return found


class _Plan:
    """What the steps are computed with."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        contents: Sequence[str],
        settings: AnalysisSettings,
        steps: Steps,
    ) -> None:
        self.recordings = recordings
        self.settings = settings
        self.steps = steps
        s = settings
        steps.add("epochs", self._epochs, [list(contents), s.epochs.model_dump(mode="json")])
        # The samples are many times as large as all the rest: most steps need only what is known
        # of the trials.
        steps.add("trials", self._trials, s.montage, ["epochs"])
        steps.add("signals", self._signals, s.spatial, ["epochs"], keep=False)
        steps.add("power", self._power, _used(s.spectrum), ["signals"])
        kinds = ["power"]
        if s.connectivity is not None:
            kinds.append("strength")
            used = [_used(s.connectivity), self._strength_freqs().tolist(), s.partners]
            steps.add("strength", self._strength, used, ["signals", "trials"])
        steps.add("peaks", self._peaks, s.epochs.band_hz, ["signals"])
        if s.erds is not None:
            shown = [s.erds.model_dump(mode="json"), s.erds_channels, s.spatial]
            steps.add("erds", self._erds, shown, ["epochs"])
        test = {"test": s.test, "level": s.level, "n_shuffles": s.n_shuffles, "seed": s.seed}
        if s.connectivity is not None:
            steps.add("edges", self._edges, test, ["strength", "trials"])
            chance = [_used(s.connectivity), self._strength_freqs().tolist(), s.seed]
            steps.add("unrelated", self._unrelated, chance, ["signals"])
        for kind in kinds:
            steps.add(f"{kind}_laterality", partial(self._laterality, kind), None, [kind, "trials"])
            steps.add(f"{kind}_contrast", partial(self._contrast, kind), test, [kind, "trials"])
            if s.clusters:
                shuffles = [s.n_permutations, s.seed]
                steps.add(
                    f"{kind}_clusters", partial(self._clusters, kind), shuffles, [kind, "trials"]
                )
        choice = [s.selection.model_dump(mode="json"), s.n_bootstraps, s.test, s.seed]
        steps.add("suggestions", self._suggestions, choice, [*kinds, "trials"])
        steps.add("features", self._features, [s.features, s.test], [*kinds, "trials"])

    def _epochs(self) -> Arrays:
        epochs = without_marked(cut_epochs(self.recordings, self.settings.epochs))
        return pack(
            {
                "X": epochs.X,
                "y": epochs.trial_y,
                "runs": epochs.trial_runs,
                "onsets_s": epochs.trial_onsets_s,
                "classes": epochs.classes,
                "channels": epochs.channels,
                "rate_hz": epochs.rate_hz,
                "left_out": epochs.left_out,
            }
        )

    def _trials(self) -> Arrays:
        known = unpack(dict[str, Any], self.steps["epochs"])
        del known["X"]
        names = known["channels"]
        declared = {c.label: c.position_m for c in self.recordings[0].info.channels}
        if self.settings.montage:
            found = Scalp.of(names, montage=self.settings.montage).places_m
        else:
            places = [declared[name] or standard_position(name) for name in names]
            found = np.array([place or (np.nan,) * 3 for place in places])
        return pack(known | {"positions_m": found})

    @property
    def _y(self) -> NDArray[np.int64]:
        return self.steps["trials"]["y"]

    def _known(self, what: str) -> Any:
        return unpack(dict[str, Any], self.steps["trials"])[what]

    def _signals(self) -> Arrays:
        X = self.steps["epochs"]["X"]
        kind = self.settings.spatial
        return {"X": X if kind == "none" else spatial_filter(kind, self._known("channels")) @ X}

    def _power(self) -> Arrays:
        X = self.steps["signals"]["X"]
        found = spectra(X, self._known("rate_hz"), self.settings.spectrum)
        return pack({"values": found.log_power, "freqs_hz": found.freqs_hz, "order": found.order})

    def _strength_freqs(self) -> F64:
        """Return the spectrum's frequencies, no denser than the segments have them."""
        spectrum, used = self.settings.spectrum, self.settings.connectivity
        step_hz = spectrum.step_hz
        if used is not None and used.method == "welch":
            step_hz = max(step_hz, 1 / used.segment_s)
        return frequencies(spectrum.model_copy(update={"step_hz": step_hz}))

    def _strength(self) -> Arrays:
        used, X = self.settings.connectivity, self.steps["signals"]["X"]
        if used is None:
            raise ValueError("an analysis without connectivity has no step for it")
        rate_hz, freqs_hz = self._known("rate_hz"), self._strength_freqs()
        names = self._known("channels")
        partners = match_channels(self.settings.partners, names) if self.settings.partners else None
        first, second = np.triu_indices(len(names), 1)
        bins = [bins_of(freqs_hz, band) for band in bands_within(freqs_hz).values()]
        pairs = np.empty((len(X), len(bins), len(first)))
        matrices = np.zeros((int(self._y.max()) + 1, len(names), len(names), len(freqs_hz)))
        values = np.empty((len(X), len(names), len(freqs_hz)))
        n_pieces = None
        for start in range(0, len(X), _BLOCK):
            block = slice(start, start + _BLOCK)
            found = connectivity(X[block], rate_hz, freqs_hz, used)
            n_pieces, freqs_hz = found.n_pieces, found.freqs_hz
            values[block] = node_strength(found.values, partners)
            of_pairs = found.values[:, first, second]
            for band, members in enumerate(bins):
                pairs[block, band] = of_pairs[..., members].mean(axis=-1)
            for window, k in zip(found.values, self._y[block], strict=True):
                matrices[k] += window
        matrices /= np.bincount(self._y)[:, None, None, None]
        made = {"values": values, "freqs_hz": freqs_hz, "matrices": matrices, "pairs": pairs}
        return pack(made | {"n_pieces": n_pieces})

    def _unrelated(self) -> Arrays:
        """Return what pairs reach that have nothing to do with each other."""
        s, X = self.settings, self.steps["signals"]["X"]
        if s.connectivity is None:
            raise ValueError("an analysis without connectivity has no step for it")
        freqs_hz = self._strength_freqs()
        rate_hz = self._known("rate_hz")
        found = chance_connectivity(X, rate_hz, freqs_hz, s.connectivity, seed=s.seed)
        return pack({"level": found})

    def _edges(self) -> Arrays:
        """Compare the classes in every pair of channels, in each band by itself."""
        s = self.settings
        pairs = self.steps["strength"]["pairs"]
        named = bands_within(self.steps["strength"]["freqs_hz"])
        found: dict[str, Any] = {}
        for band, name in enumerate(named):
            tested = contrast(
                pairs[:, band],
                self._y,
                s.test,
                level=s.level,
                n_shuffles=s.n_shuffles,
                seed=s.seed,
            )
            found |= {f"{name}.{part}": array for part, array in pack(tested).items()}
        return pack(found)

    def _contrast(self, kind: str) -> Arrays:
        s = self.settings
        values = self.steps[kind]["values"]
        return pack(
            contrast(values, self._y, s.test, level=s.level, n_shuffles=s.n_shuffles, seed=s.seed)
        )

    def _clusters(self, kind: str) -> Arrays:
        s = self.settings
        places = [None if np.isnan(p).any() else tuple(p) for p in self._known("positions_m")]
        near = Scalp.of(self._known("channels"), places).neighbours()
        found = cluster_test(
            self.steps[kind]["values"],
            self._y,
            near,
            n_shuffles=s.n_permutations,
            seed=s.seed,
        )
        clusters = np.array(found.clusters, dtype=bool).reshape(-1, *found.statistic.shape)
        return pack(
            {
                "statistic": found.statistic,
                "clusters": clusters,
                "p": found.p,
                "n_shuffles": found.n_shuffles,
            }
        )

    def _laterality(self, kind: str) -> Arrays:
        values = self.steps[kind]["values"]
        positive = 10 ** (values / 10) if kind == "power" else values
        names = self._known("channels")
        if not homologous_pairs(names):
            return pack({"pairs": (), "values": np.zeros((len(values), 0, values.shape[2]))})
        index, pairs = laterality_index(positive, names)
        return pack({"pairs": pairs, "values": index})

    def _peaks(self) -> Arrays:
        nothing = {band: np.full((len(self._known("channels")), 3), np.nan) for band in PEAKS}
        low, high = self.settings.epochs.band_hz
        if low > PEAKS_HZ[0] or high < PEAKS_HZ[1]:
            # Where the filter bends the spectrum there is no background to stand out of.
            why = f"the filter passes less than {PEAKS_HZ[0]:g} to {PEAKS_HZ[1]:g} Hz"
            return pack(nothing | {"why": f"no individual peaks: {why}"})
        try:
            found = rhythms_of(self.steps["signals"]["X"], self._known("rate_hz"))
        except SettingsError as error:
            return pack(nothing | {"why": f"no individual peaks: {error}"})
        for row, rhythm in enumerate(found):
            for band in PEAKS:
                peak = getattr(rhythm, band)
                if peak is not None:
                    nothing[band][row] = astuple(peak)
        return pack(nothing)

    def _erds(self) -> Arrays:
        known = unpack(dict[str, Any], self.steps["epochs"])
        names = known["channels"]
        epochs = Epochs(
            X=known["X"],
            y=known["y"],
            trials=np.arange(len(known["y"])),
            trial_y=known["y"],
            trial_onsets_s=known["onsets_s"],
            trial_runs=known["runs"],
            classes=known["classes"],
            channels=names,
            recordings=tuple(recording.path.name for recording in self.recordings),
            rate_hz=known["rate_hz"],
            settings=self.settings.epochs,
        )
        shown = self.settings.erds_channels or [
            name for name in names if canonical_label(name) in ERDS_CHANNELS
        ]
        matrix = spatial_filter(self.settings.spatial, names)
        try:
            return pack(
                erds(self.recordings, epochs, self.settings.erds, shown or names[:3], matrix)
            )
        except (TrialError, SettingsError) as error:
            # Too little time around the cues, or too low a rate: the rest can be shown.
            return pack({"why": f"no ERD/ERS maps: {error}"})

    def _tables(self) -> dict[Kind, Table]:
        """Return what features are chosen from, by kind."""
        steps: dict[Kind, str] = {"psd": "power", "fc": "strength"}
        return {
            kind: Table(self.steps[step]["values"], self.steps[step]["freqs_hz"])
            for kind, step in steps.items()
            if step in self.steps
        }

    def _suggestions(self) -> Arrays:
        s = self.settings
        return suggest(
            self._tables(),
            self._known("channels"),
            self._y,
            s.selection,
            s.test,
            n_bootstraps=s.n_bootstraps,
            seed=s.seed,
        )

    def _features(self) -> Arrays:
        """Describe the features that were asked for."""
        asked = self.settings.features
        features = parse_features(", ".join(asked)) if asked else ()
        names = self._known("channels")
        return describe(features, self._tables(), names, self._y, self.settings.test)


def _used(settings: SpectrumSettings | ConnectivitySettings) -> dict[str, Any]:
    """Return the settings without those that the method does not look at."""
    return settings.model_dump(mode="json", exclude=_UNUSED[settings.method])
