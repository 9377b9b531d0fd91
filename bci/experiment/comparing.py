"""What a worker's process does for the Train step: scores, models, searches, learning curves.

All decoders of a comparison are tested on the same trials in the same folds. What is tested is what
goes online: the same decoder with the same parameters, fitted once more, on all trials.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from bci.config import EpochSettings, OnlineSettings
from bci.decoders import CovarianceDecoder, Model, make_decoder
from bci.decoders.acm import sensorimotor_picks
from bci.decoders.patterns import activation_patterns
from bci.decoders.recentering import TAU_S
from bci.decoders.search import ACMSearchCV
from bci.decoders.search_map import search_maps
from bci.errors import RolandicError, SettingsError
from bci.evaluation import (
    Difference,
    Protocol,
    Result,
    evaluate,
    learning_curve,
    paired_differences,
    splits,
)
from bci.evaluation.crossval import score_estimator, summarised
from bci.evaluation.training import fit_model, with_card
from bci.experiment.attempts import (
    Attempt,
    AttemptDetails,
    Patterns,
    details_path,
    load_details,
    save_details,
)
from bci.experiment.decoder_choices import SEARCH
from bci.features.scalp import Scalp
from bci.signal.epochs import Epochs, cut_epochs
from bci.signal.rejection import without_marked
from bci.sources.reading import open_recording
from bci.sources.recording import Recording

__all__ = [
    "Job",
    "SearchSettings",
    "compare_attempts",
    "curve_of_attempt",
    "search_lags",
    "train_to_file",
]

Progress = Callable[[int, int], None]

#: More rows (order * channels) than this are too many for online decisions within a few ms.
_MOST_ROWS = 130
#: Patterns that are shown, at most.
_MOST_PATTERNS = 6
_PIXELS = 72
_DECIBELS = 10 / np.log(10)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How far the search over order and lag goes.

    Attributes
    ----------
    most : int
        Highest order.
    longest_s : float
        Longest lag (s).
    n_lags : int
    """

    most: int = 6
    longest_s: float = 0.06
    n_lags: int = 6


@dataclass(frozen=True, slots=True)
class Job:
    """A decoder to be tested and trained.

    Attributes
    ----------
    paths : tuple of Path
        Recordings, each a run.
    unit : str or None
        Of their channels, where they do not say.
    epochs : EpochSettings
    decoder : str
        Registered name, or `SEARCH`.
    params : dict
    protocol : Protocol
    online : OnlineSettings
        How a trial's windows are smoothed.
    montage : str
    file : Path
        Of the model.
    search : SearchSettings
    remarks : tuple of str
    """

    paths: tuple[Path, ...]
    unit: str | None
    epochs: EpochSettings
    decoder: str
    params: dict[str, Any]
    protocol: Protocol
    online: OnlineSettings
    montage: str
    file: Path
    search: SearchSettings = SearchSettings()
    remarks: tuple[str, ...] = field(default=())


def train_to_file(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Test a decoder, train it on all trials, and write its model and its arrays.

    Returns
    -------
    dict
        What the record keeps, see `Attempt`.

    Raises
    ------
    InputError
        As `cut_epochs`, `evaluate` and `fit_model`.
    """
    recordings, epochs = _read(job)
    remarks = list(job.remarks)
    params, maps, estimator = dict(job.params), [], None
    if job.decoder == SEARCH:
        result, search = _searched(epochs, job, progress)
        params |= search.best_params_
        maps, estimator = search_maps(search), clone(search.best_estimator_)
        remarks.append("order and lag were searched anew in every fold")
    else:

        def folds_done(done: int, total: int) -> None:
            progress(done, total + 1)

        result = evaluate(
            epochs, job.decoder, job.params, job.protocol, online=job.online, progress=folds_done
        )
    scores = result.as_dict() | {
        "folds": len(result.n_train),
        "seed": job.protocol.seed,
    }
    kept = without_marked(epochs)
    # Whether the reference follows the signal is chosen online, so it is always there.
    recenter_s = TAU_S if job.decoder == SEARCH or _recenters(epochs, job) else None
    model = with_card(
        fit_model(
            kept, recordings, job.decoder, job.params, recenter_s=recenter_s, estimator=estimator
        ),
        kept,
        recordings,
        params,
        scores,
    )
    save_details(
        details_path(job.file),
        AttemptDetails(
            classes=result.classes,
            probabilities=result.probabilities,
            trial_y=result.trial_y,
            folds=result.folds,
            trials=result.trials,
            onsets_s=epochs.trial_onsets_s[result.trials],
            n_train=result.n_train,
            decision_s=result.decision_s,
            patterns=_patterns(model, kept, recordings[0], job.montage),
            search=tuple(maps),
            rate_hz=epochs.rate_hz,
        ),
    )
    model.save(job.file)
    progress(1, 1)
    return Attempt(
        file=job.file.name,
        decoder=job.decoder,
        params=params,
        created=model.card["created"],
        cv=scores,
        n_trials=model.card["n_trials"],
        left_out=model.card["left_out"],
        recordings=[path.name for path in job.paths],
        epochs=job.epochs.model_dump(mode="json"),
        remarks=remarks,
    ).as_dict()


def compare_attempts(
    folder: Path, attempts: Sequence[Mapping[str, Any]], *, progress: Progress
) -> list[Difference]:
    """Compare attempts, each with each, on the trials that all were tested on.

    Parameters
    ----------
    folder : Path
        Of the session.
    attempts : sequence of mapping
        As the record keeps them.

    Raises
    ------
    SettingsError
        When two of them were not tested on the same trials in the same folds.
    """
    given = [Attempt.from_dict(kept) for kept in attempts]
    found: list[list[Result]] = []
    first: AttemptDetails | None = None
    for attempt in given:
        details = load_details(details_path(folder / attempt.file))
        if details is None or not attempt.cv:
            raise SettingsError(
                f"attempt {attempt.number} ({attempt.decoder}) has no scores by trial: train it "
                "here to compare it"
            )
        first = first or details
        # Numbers and classes of trials may agree by chance; their times do not.
        if attempt.recordings != given[0].recordings or not np.array_equal(
            details.onsets_s, first.onsets_s
        ):
            raise SettingsError(
                f"attempts {given[0].number} and {attempt.number} were tested on other trials: "
                "train both on the same runs to compare them"
            )
        if attempt.protocol != given[0].protocol or not np.array_equal(details.folds, first.folds):
            raise SettingsError(
                f"attempts {given[0].number} ({given[0].protocol}) and {attempt.number} "
                f"({attempt.protocol}) were tested in other folds: train both with the same test"
            )
        found.append([details.result(attempt)])
    differences = paired_differences(found)
    progress(1, 1)
    return differences


def curve_of_attempt(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Return how accurate a decoder is with fewer and with more trials to learn from.

    Returns
    -------
    dict
        `bci.evaluation.LearningCurve.as_dict`.
    """
    _, epochs = _read(job)
    folds = min(5, int(np.bincount(epochs.trial_y).min()))
    return learning_curve(
        epochs, job.decoder, job.params, folds=max(folds, 2), online=job.online, progress=progress
    ).as_dict()


def search_lags(settings: SearchSettings, rate_hz: float) -> list[int]:
    """Return the lags that are searched, in samples.

    >>> search_lags(SearchSettings(longest_s=0.04, n_lags=5), 250.0)
    [2, 4, 6, 8, 10]
    """
    steps = range(1, settings.n_lags + 1)
    longest = settings.longest_s * rate_hz
    return sorted({max(1, round(k * longest / settings.n_lags)) for k in steps})


def _read(job: Job) -> tuple[list[Recording], Epochs]:
    recordings = [open_recording(path, unit=job.unit) for path in job.paths]
    return recordings, cut_epochs(recordings, job.epochs)


def _recenters(epochs: Epochs, job: Job) -> bool:
    estimator = make_decoder(
        job.decoder, channels=epochs.channels, rate_hz=epochs.rate_hz, **job.params
    )
    return isinstance(estimator, CovarianceDecoder)


def _search(epochs: Epochs, settings: SearchSettings, tell: Callable[[float], None]) -> ACMSearchCV:
    """Return an unfitted search; `tell` hears how much of it is done, from 0 to 1."""

    def heard(done: int, total: int, best: dict[str, Any]) -> None:
        tell(min(done / max(total, 1), 1.0))

    picks = sensorimotor_picks(epochs.channels)
    every = range(len(epochs.channels))
    few = len(picks) < len(epochs.channels)
    return ACMSearchCV(
        orders=range(1, settings.most + 1),
        lags=search_lags(settings, epochs.rate_hz),
        subsets={"sensorimotor": tuple(map(int, picks)), "all": tuple(every)} if few else None,
        # With so few trials the best pair leads by chance: the simplest that is as good stands.
        choice="one-standard-error",
        max_rows=max(_MOST_ROWS, len(picks)),
        random_state=0,
        callback=heard,
    )


def _searched(epochs: Epochs, job: Job, progress: Progress) -> tuple[Result, ACMSearchCV]:
    """Test the search, nested: each fold searches its training trials; then search all trials."""
    divided = splits(epochs, job.protocol)
    total = 100 * (len(divided) + 1) + 1

    def within(number: int) -> Callable[[float], None]:
        return lambda share: progress(round(100 * (number + share)), total)

    scored = []
    for number, split in enumerate(divided):
        search = _search(epochs, job.search, within(number))
        scored.append(score_estimator(epochs, split, search, job.online))
    result = summarised(epochs, SEARCH, job.protocol, divided, scored)
    kept = without_marked(epochs)
    search = _search(kept, job.search, within(len(divided)))
    search.fit(kept.X, kept.y, groups=kept.trials)
    return result, search


def _patterns(model: Model, epochs: Epochs, recording: Recording, montage: str) -> Patterns:
    """Return the activation patterns, and their maps where the channels span one."""
    try:
        values = activation_patterns(model.estimator, epochs.X)
    except Exception as error:
        # A plugin's decoder may be of any kind; its scores stand without a picture.
        nothing = np.empty((0, len(epochs.channels)))
        reason = f"{type(error).__name__}: {error}"
        return Patterns((), nothing, _no_maps(), np.empty((0, 2)), epochs.channels, "", reason)
    values = values[:_MOST_PATTERNS]
    if hasattr(model.estimator, "patterns_"):
        titles = tuple(f"component {number + 1}" for number in range(len(values)))
        unit = "a. u., sign arbitrary"
        values = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-300)
    else:
        titles, unit = epochs.classes[: len(values)], "dB per SD of evidence"
        values = values * _DECIBELS
    places = {c.label: c.position_m for c in recording.info.channels}
    try:
        scalp = Scalp.of(epochs.channels, [places.get(n) for n in epochs.channels], montage)
        grid = scalp.grid(_PIXELS)
        images = np.array([grid.image(row) for row in values])
        return Patterns(titles, values, images, scalp.points, epochs.channels, unit)
    except RolandicError as error:
        reason = str(error).replace(": choose others with --channels", "")
        return Patterns(titles, values, _no_maps(), np.empty((0, 2)), epochs.channels, unit, reason)


def _no_maps() -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.empty((0, _PIXELS, _PIXELS))
