"""What the worker's process does for the Features step: analyse, keep, put side by side."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bci.errors import InputError, RolandicError
from bci.experiment.choice import feature_name
from bci.features.analysis import Analysis, Described, analyse
from bci.features.cache import recording_content
from bci.features.comparison import compare
from bci.features.description import Kind, Table, describe
from bci.features.grammar import Feature
from bci.features.library import Library, load_analysis
from bci.features.parameters import AnalysisSettings
from bci.features.tables import chance_lines, laterality_rows
from bci.features.trial_rows import TrialRow, trial_rows
from bci.features.view import AnalysisView, view_of
from bci.signal.epochs import LeftOut
from bci.sources.reading import open_recording
from bci.sources.recording import Recording

__all__ = [
    "AnalysisRequest",
    "AnalysisResult",
    "Beside",
    "SupersededError",
    "keep_analysis",
    "show",
]

#: Recordings stay open in the worker's process up to this many bytes: reading takes longer than
#: most of what a changed parameter needs.
_OPEN_BYTES = 300_000_000

Progress = Callable[[int, int], None]


class SupersededError(RolandicError):
    """A newer analysis was asked for."""


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """What is to be analysed.

    Attributes
    ----------
    paths : tuple of Path
        Recordings, each one run.
    unit : str or None
        Of their channels, where they do not say.
    settings : AnalysisSettings
    features : tuple of Feature
        Those that were chosen.
    workspace : Path
        Where analyses, and results of steps, are kept.
    beside : Path or None
        Folder of a kept analysis to put beside it.
    stop : Path
        The analysis ends between two steps once this file is there.
    """

    paths: tuple[Path, ...]
    unit: str | None
    settings: AnalysisSettings
    features: tuple[Feature, ...]
    workspace: Path
    beside: Path | None
    stop: Path


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Another analysis, to be shown beside this one.

    Attributes
    ----------
    name : str
    view : AnalysisView
    differences : tuple of (str, str, str)
        Parameter, its value here, its value there.
    suggested : tuple of str
        Names of the features that it suggests.
    correlation : float
        Of the two maps of power; NaN where they share nothing.
    n_channels : int
        That both have.
    """

    name: str
    view: AnalysisView = field(repr=False)
    differences: tuple[tuple[str, str, str], ...]
    suggested: tuple[str, ...]
    correlation: float
    n_channels: int


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisResult:
    """What became of a request.

    Attributes
    ----------
    settings : AnalysisSettings
    trials : tuple of TrialRow
        All trials; empty when they could not be read.
    view : AnalysisView or None
        None: there is no analysis; `error` says why.
    error : str
    left_out : tuple of LeftOut
    suggestions : tuple of Described
    described : dict of str to Described or str
        Of each chosen feature, by its name in the record, its numbers, or why it has none.
    chance, laterality : tuple
        As `bci.features.tables` has them.
    beside : Beside or None
    beside_error : str
    computed : tuple of str
        Steps that were not kept from before.
    """

    settings: AnalysisSettings
    trials: tuple[TrialRow, ...] = field(repr=False)
    view: AnalysisView | None = field(default=None, repr=False)
    error: str = ""
    left_out: tuple[LeftOut, ...] = ()
    suggestions: tuple[Described, ...] = ()
    described: dict[str, Described | str] = field(default_factory=dict)
    chance: tuple[str, ...] = ()
    laterality: tuple[tuple[str, ...], ...] = ()
    beside: Beside | None = None
    beside_error: str = ""
    computed: tuple[str, ...] = ()


def show(request: AnalysisRequest, *, progress: Progress) -> AnalysisResult:
    """Analyse recordings, and make ready what a window shows of it.

    What the clinician can mend is in the result's words, beside what could be made.

    Raises
    ------
    SupersededError
        When `AnalysisRequest.stop` came to be.
    """
    told = _stoppable(progress, request.stop)
    settings = request.settings
    told(0, 20)
    rows: tuple[TrialRow, ...] = ()
    try:
        opened = [_opened(path, request.unit) for path in request.paths]
        recordings = [recording for recording, _ in opened]
        cache = Library(request.workspace).cache
        rows = trial_rows(recordings, [content for _, content in opened], settings.epochs, cache)
        analysis = analyse(recordings, settings, cache, told)
    except InputError as error:
        return AnalysisResult(settings, rows, error=str(error))
    beside, beside_error = None, ""
    if request.beside is not None:
        try:
            beside = _beside(analysis, request.beside)
        except InputError as error:
            beside_error = str(error)
    return AnalysisResult(
        settings=settings,
        trials=rows,
        view=view_of(analysis),
        left_out=analysis.left_out,
        suggestions=analysis.suggestions,
        described={feature_name(f): _described(analysis, f) for f in request.features},
        chance=tuple(chance_lines(analysis)),
        laterality=tuple(laterality_rows(analysis)),
        beside=beside,
        beside_error=beside_error,
        computed=analysis.computed,
    )


def keep_analysis(request: AnalysisRequest, name: str, *, progress: Progress) -> Path:
    """Keep an analysis under a name, where ``bci features --list`` finds it too.

    Raises
    ------
    InputError
        As `analyse`; for a name that cannot be one.
    """
    recordings = [_opened(path, request.unit)[0] for path in request.paths]
    settings = request.settings
    library = Library(request.workspace)
    analysis = analyse(recordings, settings, library.cache, progress)
    good = [f for f in request.features if isinstance(_described(analysis, f), Described)]
    values = settings.model_dump() | {"name": name, "features": tuple(map(str, good))}
    settings = AnalysisSettings.make(**values)
    return library.write(analyse(recordings, settings, library.cache, progress))


def _beside(analysis: Analysis, folder: Path) -> Beside:
    other = load_analysis(folder)
    found = compare(analysis, other)
    return Beside(
        name=other.settings.name,
        view=view_of(other),
        differences=tuple(
            (name, _said(here), _said(there)) for name, (here, there) in found.differences.items()
        ),
        suggested=tuple(item.name for item in other.suggestions),
        correlation=found.correlation,
        n_channels=len(found.channels),
    )


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    return "none" if value is None or value == {} else str(value)


def _described(analysis: Analysis, feature: Feature) -> Described | str:
    """Describe a feature that was chosen; in words why it cannot be."""
    tables: dict[Kind, Table] = {"psd": Table(analysis.power.values, analysis.power.freqs_hz)}
    if analysis.strength is not None:
        tables["fc"] = Table(analysis.strength.values, analysis.strength.freqs_hz)
    try:
        found = describe(
            [feature],
            tables,
            analysis.channels,
            analysis.y,
            analysis.settings.test,
        )
    except InputError as error:
        return str(error)
    d = found.get("d")
    return Described(
        feature, float(found["r2"][0]), None if d is None else float(d[0]), float(found["p"][0])
    )


def _stoppable(progress: Progress, stop: Path) -> Progress:
    def told(done: int, total: int) -> None:
        if stop.exists():
            raise SupersededError("a newer analysis was asked for")
        progress(done, total)

    return told


#: By path, time of change, size and unit; of this process alone.
_recordings: OrderedDict[tuple[Path, int, int, str | None], tuple[Recording, str]] = OrderedDict()


def _opened(path: Path, unit: str | None) -> tuple[Recording, str]:
    """Return a recording and the hash of its content, from before where it has not changed."""
    try:
        status = path.stat()
    except OSError:
        return (found := open_recording(path, unit=unit)), recording_content(found)  # says why
    key = (path, status.st_mtime_ns, status.st_size, unit)
    if key not in _recordings:
        recording = open_recording(path, unit=unit)
        _recordings[key] = recording, recording_content(recording)
    _recordings.move_to_end(key)
    while len(_recordings) > 1 and _open_bytes() > _OPEN_BYTES and next(iter(_recordings)) != key:
        _recordings.popitem(last=False)
    return _recordings[key]


def _open_bytes() -> int:
    return sum(recording.samples.nbytes for recording, _ in _recordings.values())
