"""An analysis: one set of parameters, and all that it shows of recordings.

What is shown is found on all trials. It says what a person's brain does, not how well a decoder
will do: a score of suggested features on the trials that suggested them means nothing (see
`bci.features.selection`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bci.features.cache import Arrays, Cache, content_hash, recording_content, unpack
from bci.features.contrast import ClusterTest, Contrast
from bci.features.erds import Erds, ErdsSettings
from bci.features.grammar import Feature, parse_features
from bci.features.network import EdgeContrast
from bci.features.parameters import AnalysisSettings
from bci.features.plan import plan
from bci.features.scalp import Scalp
from bci.features.spatial import resolved
from bci.signal.epochs import LeftOut
from bci.sources.files import recording_hash
from bci.sources.recording import Recording

__all__ = ["Analysis", "AnalysisSettings", "Described", "FeatureMap", "Origin", "analyse"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Called with the number of steps done and the number there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Origin:
    """A recording that was analysed.

    Attributes
    ----------
    name : str
        File name.
    sha256 : str or None
        Of the file; None where it was never one.
    content : str
        Hash of what was read from it, see `bci.features.cache.recording_content`.
    """

    name: str
    sha256: str | None
    content: str


@dataclass(frozen=True, slots=True)
class Described:
    """How far the classes are apart in one feature, on the trials of the analysis.

    Attributes
    ----------
    feature : Feature
    r2 : float
        Signed, see `bci.features.contrast.signed_r2`.
    d : float or None
        Cohen's; None for more than two classes.
    p : float
        Of the test of this feature alone: of a feature that was chosen for being far apart it is
        smaller than it should be.
    stability : float or None
        Share of draws of the trials that suggest it again; None for one that was asked for.
    """

    feature: Feature
    r2: float
    d: float | None
    p: float
    stability: float | None = None

    @property
    def name(self) -> str:
        """The feature as people type it: power goes without saying."""
        return str(self.feature).removeprefix("psd ")

    def cells(self) -> tuple[str, ...]:
        """Return name, R2, d, p and stability, as a table shows them."""
        return (
            self.name,
            f"{self.r2:+.2f}",
            "" if self.d is None else f"{self.d:+.2f}",
            f"{self.p:.2g}",
            "" if self.stability is None else f"{100 * self.stability:.0f} %",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        numbers = {name: getattr(self, name) for name in ("r2", "d", "p", "stability")}
        return {"feature": str(self.feature), **numbers}


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMap:
    """One kind of feature, over channels and frequencies.

    Attributes
    ----------
    kind : {"psd", "fc"}
    freqs_hz : ndarray of float64, shape (n_freqs,)
    values : ndarray of float64, shape (n_trials, n_channels, n_freqs)
        Log power (dB), or node strength.
    contrast : Contrast
        Of each channel and frequency.
    laterality_pairs : tuple of (str, str)
        Channels that mirror each other, the left one first.
    laterality : ndarray of float64, shape (n_trials, n_pairs, n_freqs)
        From -1 (all on the right) to 1 (all on the left).
    clusters : ClusterTest or None
    """

    kind: Literal["psd", "fc"]
    freqs_hz: F64 = field(repr=False)
    values: F64 = field(repr=False)
    contrast: Contrast = field(repr=False)
    laterality_pairs: tuple[tuple[str, str], ...] = field(repr=False)
    laterality: F64 = field(repr=False)
    clusters: ClusterTest | None = field(default=None, repr=False)

    def means(self, y: I64) -> F64:
        """Return each class's mean, shape (n_classes, n_channels, n_freqs)."""
        return np.array([self.values[y == k].mean(axis=0) for k in range(int(y.max()) + 1)])


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What an analysis shows.

    Attributes
    ----------
    settings : AnalysisSettings
    recordings : tuple of Origin
    channels, classes : tuple of str
    positions_m : ndarray of float64, shape (n_channels, 3)
        In head coordinates, the stream's own or those of the standard head; NaN where unknown.
    rate_hz : float
    y : ndarray of int64, shape (n_trials,)
        Class of each trial.
    trial_runs : ndarray of int64, shape (n_trials,)
        Index into `recordings`.
    trial_onsets_s : ndarray of float64, shape (n_trials,)
        Of the cue, from the recording's first sample.
    left_out : tuple of LeftOut
        Trials that are not used, and why.
    power : FeatureMap
    order : int or None
        Of the autoregressive models of the spectra.
    strength : FeatureMap or None
        Node strength of connectivity.
    matrices : ndarray of float64, shape (n_classes, n_channels, n_channels, n_freqs), or None
        Mean connectivity of each class.
    edges : dict of str to EdgeContrast
        How far the classes are apart in each pair of channels, in ``"mu"`` and ``"beta"``.
    unrelated : ndarray of float64, shape (n_freqs,), or None
        What the mean connectivity of one pair in twenty reaches though its channels have nothing
        to do with each other.
    n_pieces : int or None
        Segments or tapers behind each value of connectivity.
    peaks : dict of str to ndarray of float64, shape (n_channels, 3)
        ``"mu"`` and ``"beta"``: frequency (Hz), height (dB) and width (Hz) of each channel's own
        rhythm over the background; NaN where none stands out.
    erds : Erds or None
    suggestions : tuple of Described
    features : tuple of Described
        Those that were asked for.
    notes : tuple of str
        What could not be shown, and why.
    steps : mapping of str to Arrays
        All of it, as it is kept.
    computed : tuple of str
        Steps that had to be computed, since they were not kept from before.
    """

    settings: AnalysisSettings
    recordings: tuple[Origin, ...]
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    positions_m: F64 = field(repr=False)
    rate_hz: float
    y: I64 = field(repr=False)
    trial_runs: I64 = field(repr=False)
    trial_onsets_s: F64 = field(repr=False)
    left_out: tuple[LeftOut, ...]
    power: FeatureMap
    order: int | None
    strength: FeatureMap | None
    matrices: F64 | None = field(repr=False)
    edges: dict[str, EdgeContrast] = field(repr=False)
    unrelated: F64 | None = field(repr=False)
    n_pieces: int | None
    peaks: dict[str, F64] = field(repr=False)
    erds: Erds | None
    suggestions: tuple[Described, ...]
    features: tuple[Described, ...]
    notes: tuple[str, ...]
    steps: Mapping[str, Arrays] = field(repr=False)
    computed: tuple[str, ...] = ()

    @property
    def n_trials(self) -> dict[str, int]:
        """Trials that are used, by class."""
        counts = np.bincount(self.y, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))

    @property
    def places(self) -> list[tuple[float, float, float] | None]:
        """The channels' places in head coordinates (m); None where unknown."""
        return [
            None if np.isnan(place).any() else (float(place[0]), float(place[1]), float(place[2]))
            for place in self.positions_m
        ]

    @property
    def scalp(self) -> Scalp:
        """The channels in their places.

        Raises
        ------
        ChannelError
            When a channel has no place.
        """
        return Scalp.of(self.channels, self.places)

    @property
    def spatial(self) -> str:
        """The spatial filter that was used: ``"auto"`` has become one."""
        return resolved(self.settings.spatial, self.channels)

    @property
    def content(self) -> str:
        """Hash of the parameters and the recordings, in hexadecimal."""
        return content_hash([self.settings.content, [source.content for source in self.recordings]])

    @property
    def label(self) -> str:
        """Name and the first digits of the hash: what its folder is called."""
        return f"{self.settings.name}_{self.content[:10]}"

    @classmethod
    def of(
        cls,
        settings: AnalysisSettings,
        recordings: Sequence[Origin],
        steps: Mapping[str, Arrays],
        computed: Sequence[str] = (),
    ) -> "Analysis":
        """Put together the results of steps.

        Parameters
        ----------
        settings : AnalysisSettings
        recordings : sequence of Origin
        steps : mapping of str to Arrays
            As `bci.features.plan.plan` names them, without the epochs.
        computed : sequence of str
        """
        trials = unpack(dict[str, Any], steps["trials"])
        power = unpack(dict[str, Any], steps["power"])
        strength = unpack(dict[str, Any], steps["strength"]) if "strength" in steps else {}
        return cls(
            settings=settings,
            recordings=tuple(recordings),
            channels=trials["channels"],
            classes=trials["classes"],
            positions_m=trials["positions_m"],
            rate_hz=trials["rate_hz"],
            y=trials["y"],
            trial_runs=trials["runs"],
            trial_onsets_s=trials["onsets_s"],
            left_out=tuple(LeftOut(*item) for item in trials["left_out"]),
            power=_feature_map("power", steps),
            order=power["order"],
            strength=_feature_map("strength", steps) if strength else None,
            matrices=strength.get("matrices"),
            edges=_edges(steps) if strength else {},
            unrelated=steps["unrelated"]["level"] if strength else None,
            n_pieces=strength.get("n_pieces"),
            peaks={band: steps["peaks"][band] for band in ("mu", "beta")},
            erds=_erds(steps["erds"]) if "erds" in steps else None,
            suggestions=_described(steps["suggestions"]),
            features=_described(steps["features"]),
            notes=tuple(
                why
                for arrays in steps.values()
                if (why := unpack(dict[str, Any], arrays).get("why"))
            ),
            steps=steps,
            computed=tuple(computed),
        )


def _feature_map(step: str, steps: Mapping[str, Arrays]) -> FeatureMap:
    tested = steps.get(f"{step}_clusters")
    laterality = unpack(dict[str, Any], steps[f"{step}_laterality"])
    return FeatureMap(
        kind="psd" if step == "power" else "fc",
        freqs_hz=steps[step]["freqs_hz"],
        values=steps[step]["values"],
        contrast=unpack(Contrast, steps[f"{step}_contrast"]),
        laterality_pairs=laterality["pairs"],
        laterality=laterality["values"],
        clusters=None if tested is None else unpack(ClusterTest, tested),
    )


def _edges(steps: Mapping[str, Arrays]) -> dict[str, EdgeContrast]:
    n_channels = steps["strength"]["values"].shape[1]
    pairs = np.column_stack(np.triu_indices(n_channels, 1)).astype(np.intp)
    bands: dict[str, Arrays] = {}
    for key, array in steps["edges"].items():
        band, _, name = key.partition(".")
        if name:
            bands.setdefault(band, {})[name] = array
    return {name: EdgeContrast(unpack(Contrast, found), pairs) for name, found in bands.items()}


def _erds(arrays: Arrays) -> Erds | None:
    found = unpack(dict[str, Any], arrays)
    if "why" in found:
        return None
    found["settings"] = ErdsSettings(**found["settings"])
    found["left_out"] = tuple(LeftOut(*item) for item in found["left_out"])
    return Erds(**found)


def _described(arrays: Arrays) -> tuple[Described, ...]:
    found = unpack(dict[str, Any], arrays)
    nothing = [None] * len(found["names"])
    columns = [
        nothing if (column := found.get(name)) is None else column.tolist()
        for name in ("r2", "d", "p", "stability")
    ]
    return tuple(
        Described(parse_features(name)[0], *numbers)
        for name, *numbers in zip(found["names"], *columns, strict=True)
    )


def analyse(
    recordings: Sequence[Recording],
    settings: AnalysisSettings | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse recordings.

    Parameters
    ----------
    recordings : sequence of Recording
        Each is one run.
    settings : AnalysisSettings, optional
    cache : Cache, optional
        Where the results of steps are kept, and taken from.
    progress : callable, optional
        Called with the number of steps done and the number there are.

    Raises
    ------
    InputError
        As `bci.signal.epochs.cut_epochs` and the steps: one line that names what does not fit.
    """
    settings = settings or AnalysisSettings()
    contents = [recording_content(recording) for recording in recordings]
    steps = plan(recordings, contents, settings, cache)
    names = [name for name in steps if name not in ("epochs", "signals")]
    found: dict[str, Arrays] = {}
    with threadpool_limits(limits=1):
        for done, name in enumerate(names):
            if progress:
                progress(done, len(names))
            found[name] = steps[name]
    if progress:
        progress(len(names), len(names))
    sources = [
        Origin(r.path.name, recording_hash(r.path) if r.path.is_file() else None, content)
        for r, content in zip(recordings, contents, strict=True)
    ]
    return Analysis.of(settings, sources, found, steps.computed)
