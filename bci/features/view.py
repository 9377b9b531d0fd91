"""What an analysis shows, made ready for a window: ordered, with intervals, scales and words.

Everything that a window paints of an analysis is in here, so that it computes nothing itself but
one product for each topography (`ScalpView.image`), which follows the pointer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from bci.errors import ChannelError
from bci.features.analysis import Analysis, FeatureMap
from bci.features.erds import Erds
from bci.features.grammar import Feature
from bci.features.network import Edges, significant_edges, strongest_edges
from bci.features.palette import counted, words
from bci.features.plan import bands_within
from bci.features.scalp import ScalpGrid, display_order, is_sensorimotor, side
from bci.features.spectra import bins_of
from bci.features.tables import MEASURES, signals_line

__all__ = ["AnalysisView", "Cell", "MapView", "NetworkView", "ScalpView", "view_of"]

F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

#: dB re 1 V2/Hz to dB re 1 uV2/Hz.
_MICRO_DB = 120.0
#: The colours of ERD/ERS reach this share of the cells, and so far at least (%).
_ERDS_SHARE, _ERDS_LEAST = 98.0, 50.0


@dataclass(frozen=True, slots=True, eq=False)
class ScalpView:
    """The channels of a map on the head, seen from above.

    Attributes
    ----------
    points : ndarray of float64, shape (n_channels, 2)
        x to the right, y to the nose; the outline of the head is the circle of radius 1.
    grid : ScalpGrid or None
        None: the channels span no map (fewer than three, or in one line).
    """

    points: F64 = field(repr=False)
    grid: ScalpGrid | None = field(repr=False)

    def image(self, values: F64) -> F64 | None:
        """Return values of the channels as a map, its first row the back of the head."""
        return None if self.grid is None else self.grid.image(values)


@dataclass(frozen=True, slots=True)
class Cell:
    """The numbers of one channel at one frequency.

    Attributes
    ----------
    channel : str
    freq_hz : float
    r2 : float
    d : float or None
    p : float
    significant : bool
    means : tuple of float
        Of each class, in the map's unit.
    """

    channel: str
    freq_hz: float
    r2: float
    d: float | None
    p: float
    significant: bool
    means: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapView:
    """One kind of feature over channels and frequencies; rows are in the order of the picture.

    Attributes
    ----------
    kind : {"psd", "fc"}
    title, unit : str
        What is shown; the unit of the means (empty: none).
    channels, sides : tuple of str
        Of the rows: names and hemispheres.
    sensorimotor : tuple of bool
    freqs_hz : ndarray of float64, shape (n_freqs,)
    r2, p : ndarray of float64, shape (n_channels, n_freqs)
    d : ndarray of float64, same shape, or None
    significant : ndarray of bool, same shape
        False discovery rate.
    clustered : ndarray of bool, same shape, or None
        In a significant cluster.
    means, low, high : ndarray of float64, shape (n_classes, n_channels, n_freqs)
        Of each class, with the 95 % interval of the mean.
    chance_r2, chance_largest_r2, p_largest, level : float
        See `bci.features.contrast.Contrast`.
    test : str
    limit : float
        Where the scale of R2 ends: at the largest, and not below chance.
    signed : bool
        Whether R2 has a sign: of two classes.
    """

    kind: str
    title: str
    unit: str
    channels: tuple[str, ...]
    sides: tuple[str, ...]
    sensorimotor: tuple[bool, ...]
    freqs_hz: F64 = field(repr=False)
    r2: F64 = field(repr=False)
    p: F64 = field(repr=False)
    d: F64 | None = field(repr=False)
    significant: Bool = field(repr=False)
    clustered: Bool | None = field(repr=False)
    means: F64 = field(repr=False)
    low: F64 = field(repr=False)
    high: F64 = field(repr=False)
    chance_r2: float
    chance_largest_r2: float
    p_largest: float
    level: float
    test: str
    limit: float
    signed: bool

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of the largest R2, whatever its sign."""
        row, column = np.unravel_index(int(np.abs(self.r2).argmax()), self.r2.shape)
        return int(row), int(column)

    def cell(self, row: int, column: int) -> Cell:
        """Return the numbers of a place in the map."""
        return Cell(
            self.channels[row],
            float(self.freqs_hz[column]),
            float(self.r2[row, column]),
            None if self.d is None else float(self.d[row, column]),
            float(self.p[row, column]),
            bool(self.significant[row, column]),
            tuple(float(mean) for mean in self.means[:, row, column]),
        )

    def feature(self, row: int, first: int, last: int) -> Feature:
        """Return the feature from one column to another, in either order."""
        low, high = sorted((float(self.freqs_hz[first]), float(self.freqs_hz[last])))
        return Feature("psd" if self.kind == "psd" else "fc", self.channels[row], low, high)

    def place(self, feature: Feature) -> tuple[int, int, int] | None:
        """Return row, first and last column of a feature; None where the map does not have it."""
        if feature.kind != self.kind or feature.channel not in self.channels:
            return None
        if feature.high_hz < self.freqs_hz[0] - 1e-9 or feature.low_hz > self.freqs_hz[-1] + 1e-9:
            return None
        bins = bins_of(self.freqs_hz, (feature.low_hz, feature.high_hz))
        return self.channels.index(feature.channel), int(bins[0]), int(bins[-1])

    @property
    def chance(self) -> str:
        """What chance looks like, in one line."""
        return (
            f"by chance in 1 of 20: one cell {self.chance_r2:.2f}, the largest of all "
            f"{self.r2.size} cells {self.chance_largest_r2:.2f}; here {np.abs(self.r2).max():.2f} "
            f"(p = {self.p_largest:.3f})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class NetworkView:
    """Pairs of channels, by what is asked of them and in which band.

    Attributes
    ----------
    title : str
        Measure.
    bands_hz : dict of str to (low, high)
    strongest : dict of (class, band) to Edges
        Mean over the class's trials, without direction.
    differing : dict of str to Edges
        By band: pairs in which the classes differ, by signed R2.
    unrelated : dict of str to float
        By band: what one pair in twenty reaches though its channels have nothing in common.
    chance : dict of str to str
        By band: what the classes' difference comes to, and to what by chance.
    chance_largest_r2 : dict of str to float
    """

    title: str
    bands_hz: dict[str, tuple[float, float]]
    strongest: dict[tuple[str, str], Edges] = field(repr=False)
    differing: dict[str, Edges] = field(repr=False)
    unrelated: dict[str, float]
    chance: dict[str, str]
    chance_largest_r2: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisView:
    """What a window shows of an analysis.

    Attributes
    ----------
    maps : tuple of MapView
        Power, and connectivity where it was asked for.
    scalp : ScalpView or None
        None: a channel has no place; its reason is among `notes`.
    erds : Erds or None
    erds_limit : float
        Where its scale ends (%).
    network : NetworkView or None
    classes : tuple of str
    n_trials : dict of str to int
    trials : str
        As people write them.
    signals : str
        Filter, reference, spectra: what is written on each plot.
    brief : str
        The same in few words: band and spatial filter.
    reference : str
        The spatial filter.
    notes : tuple of str
    """

    maps: tuple[MapView, ...]
    scalp: ScalpView | None
    erds: Erds | None
    erds_limit: float
    network: NetworkView | None
    classes: tuple[str, ...]
    n_trials: dict[str, int]
    trials: str
    signals: str
    brief: str
    reference: str
    notes: tuple[str, ...]

    def map(self, kind: str) -> MapView | None:
        """Return the map of a kind of feature; None where there is none."""
        return next((found for found in self.maps if found.kind == kind), None)


def view_of(analysis: Analysis) -> AnalysisView:
    """Make an analysis ready to be shown."""
    rows = display_order(analysis.channels, analysis.places)
    notes = list(analysis.notes)
    scalp = None
    try:
        placed = analysis.scalp
        scalp = ScalpView(
            placed.points[rows],
            _reordered(placed.grid(), rows) if placed.spans_a_map else None,
        )
        if scalp.grid is None:
            notes.append("no topography: it needs three channels or more that are not in one line")
    except ChannelError as error:
        notes.append(str(error))
    maps = [_map_view(analysis, analysis.power, "Power", "dB re 1 µV²/Hz", rows)]
    used = analysis.settings.connectivity
    if analysis.strength is not None and used is not None:
        title = f"Node strength: {MEASURES[used.measure].lower()}"
        maps.append(_map_view(analysis, analysis.strength, title, "", rows))
    limit = _ERDS_LEAST
    if analysis.erds is not None:
        largest = float(np.percentile(np.abs(analysis.erds.percent), _ERDS_SHARE))
        limit = max(limit, largest)
    low, high = analysis.settings.epochs.band_hz
    spatial = {"none": "reference as recorded", "average": "average reference"}.get(
        analysis.spatial, words(analysis.spatial).replace("-", " ")
    )
    return AnalysisView(
        maps=tuple(maps),
        scalp=scalp,
        erds=analysis.erds,
        erds_limit=limit,
        network=_network(analysis, rows),
        classes=analysis.classes,
        n_trials=analysis.n_trials,
        trials=counted(analysis.classes, list(analysis.n_trials.values())),
        signals=signals_line(analysis),
        brief=f"{low:g} to {high:g} Hz causal, {spatial}",
        reference=words(analysis.spatial).replace("-", " "),
        notes=tuple(notes),
    )


def _reordered(grid: ScalpGrid, rows: NDArray[np.intp]) -> ScalpGrid:
    return ScalpGrid(np.ascontiguousarray(grid.weights[:, rows]), grid.shown)


def _map_view(
    analysis: Analysis, found: FeatureMap, title: str, unit: str, rows: NDArray[np.intp]
) -> MapView:
    c = found.contrast
    places = analysis.places
    values = found.values[:, rows] + (_MICRO_DB if found.kind == "psd" else 0.0)
    means, half = _intervals(values, analysis.y, len(analysis.classes))
    clusters = found.clusters
    return MapView(
        kind=found.kind,
        title=title,
        unit=unit,
        channels=tuple(analysis.channels[row] for row in rows),
        sides=tuple(side(analysis.channels[row], places[row]) for row in rows),
        sensorimotor=tuple(is_sensorimotor(analysis.channels[row]) for row in rows),
        freqs_hz=found.freqs_hz,
        r2=c.r2[rows],
        p=c.p[rows],
        d=None if c.d is None else c.d[rows],
        significant=c.significant[rows],
        clustered=None if clusters is None else clusters.significant(c.level)[rows],
        means=means,
        low=means - half,
        high=means + half,
        chance_r2=c.chance_r2,
        chance_largest_r2=c.chance_largest_r2,
        p_largest=c.p_largest,
        level=c.level,
        test=c.test,
        limit=max(float(np.abs(c.r2).max()), c.chance_largest_r2) or 1.0,
        signed=len(analysis.classes) == 2,
    )


def _intervals(values: F64, y: NDArray[np.int64], n_classes: int) -> tuple[F64, F64]:
    """Return the mean of each class, and half of its 95 % interval."""
    means, half = np.empty((2, n_classes, *values.shape[1:]))
    for k in range(n_classes):
        group = values[y == k]
        means[k] = group.mean(axis=0)
        n = len(group)
        # A contrast has two trials or more of each class.
        half[k] = t.ppf(0.975, n - 1) * group.std(axis=0, ddof=1) / np.sqrt(n)
    return means, half


def _network(analysis: Analysis, rows: NDArray[np.intp]) -> NetworkView | None:
    used, strength = analysis.settings.connectivity, analysis.strength
    if used is None or strength is None or analysis.matrices is None or len(rows) < 3:
        return None
    # Where each channel of the analysis is among the rows.
    where = np.argsort(rows)
    bands = bands_within(strength.freqs_hz)
    strongest, differing, unrelated, chance, largest = {}, {}, {}, {}, {}
    for band, limits in bands.items():
        bins = bins_of(strength.freqs_hz, limits)
        for name, matrix in zip(analysis.classes, analysis.matrices, strict=True):
            # How strongly, not who leads: lines have no direction.
            edges = strongest_edges(np.abs(matrix[..., bins].mean(axis=-1)))
            strongest[name, band] = _moved(edges, where)
        level = analysis.unrelated
        unrelated[band] = 0.0 if level is None else float(level[bins].mean())
        found = analysis.edges[band]
        differing[band] = _moved(significant_edges(found), where)
        c = found.contrast
        largest[band] = c.chance_largest_r2
        chance[band] = (
            f"by chance in 1 of 20: one pair {c.chance_r2:.2f}, the largest of all "
            f"{len(found.pairs)} pairs {c.chance_largest_r2:.2f}; here the largest is "
            f"{np.abs(c.r2).max():.2f} (p = {c.p_largest:.3f})"
        )
    title = MEASURES[used.measure]
    return NetworkView(title, bands, strongest, differing, unrelated, chance, largest)


def _moved(edges: Edges, where: Sequence[int] | NDArray[np.intp]) -> Edges:
    return Edges(np.asarray(where)[edges.pairs], edges.values, edges.n_possible)
