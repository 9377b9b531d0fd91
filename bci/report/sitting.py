"""What there is to tell of a session of several runs: read from its folder, put into numbers."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bci.config import EpochSettings
from bci.decoders import Model, load_model
from bci.errors import RolandicError
from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import wilson_interval
from bci.online import TrialOutcome
from bci.signal.epochs import Epochs, cut_epochs
from bci.signal.recorded_quality import RecordedQuality, recorded_quality
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from bci.workspace import RunRecord, SessionRecord

__all__ = [
    "Accuracy",
    "OnlineRun",
    "Sitting",
    "accuracy_of",
    "cv_accuracy",
    "online_accuracies",
    "read_sitting",
    "trials_of",
    "used_cv",
]

_log = logging.getLogger(__name__)

_TRIAL_FIELDS = tuple(item.name for item in fields(TrialOutcome))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of trials that were decoded right.

    Attributes
    ----------
    name : str
        Of the run.
    mean, low, high : float
        With its 95 % interval.
    chance : float
        What chance alone reaches in one session of twenty; above 1: too few trials to tell.
    n : int
        Trials.
    """

    name: str
    mean: float
    low: float
    high: float
    chance: float
    n: int

    @property
    def verdict(self) -> str:
        """Whether it is above chance, in words."""
        if self.chance > 1:
            return "too few trials to tell from chance"
        return "above chance" if self.mean >= self.chance else "not above chance"

    def line(self) -> str:
        """Say it with its interval and what chance reaches."""
        said = (
            f"{100 * self.mean:.0f} % of {self.n} trials, 95 % interval {100 * self.low:.0f} to "
            f"{100 * self.high:.0f} %"
        )
        if self.chance > 1:
            return f"{said}; {self.verdict}"
        return (
            f"{said}; chance alone reaches {100 * self.chance:.0f} % in one session of twenty: "
            f"{self.verdict}"
        )


@dataclass(frozen=True, slots=True)
class OnlineRun:
    """A run that was decoded.

    Attributes
    ----------
    name : str
        For people, such as ``"online 2"``.
    record : RunRecord
    trials : sequence of TrialOutcome
    """

    name: str
    record: RunRecord
    trials: Sequence[TrialOutcome] = field(repr=False)

    @property
    def latency(self) -> Mapping[str, Any]:
        """`bci.online.LatencyReport.as_dict`; empty where there is none."""
        return self.record.outcome.get("latency") or {}


@dataclass(frozen=True, slots=True)
class Sitting:
    """What there is to tell.

    Attributes
    ----------
    record : SessionRecord
    model : Model or None
        The one in use, else the last that was trained.
    recordings : sequence of Recording
        Calibration runs that are ticked.
    epochs : Epochs or None
    quality : sequence of RecordedQuality
        Of those recordings.
    online : sequence of OnlineRun
    problems : sequence of str
        What could not be read, and is missing here.
    """

    record: SessionRecord
    model: Model | None = field(repr=False)
    recordings: Sequence[Recording] = field(repr=False)
    epochs: Epochs | None = field(repr=False)
    quality: Sequence[RecordedQuality] = field(repr=False)
    online: Sequence[OnlineRun]
    problems: Sequence[str] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """What was to be told apart."""
        return self.model.classes if self.model else self.record.setup.protocol.classes


def read_sitting(
    folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Sitting:
    """Read all that there is of a session; what cannot be read is said, and left out.

    Raises
    ------
    SettingsError
        When its ``session.json`` cannot be read.
    RolandicError
        When there is none.
    """
    record = SessionRecord.load(folder)
    if record is None:
        raise RolandicError(f"{folder} holds no session (there is no session.json)")
    problems: list[str] = []
    recordings, quality = [], []
    paths = record.paths("calibration")
    for number, path in enumerate(paths):
        progress(number, len(paths) + 1)
        try:
            recording = open_recording(path, unit=record.setup.unit or None)
            recordings.append(recording)
            quality.append(recorded_quality(recording))
        except RolandicError as error:
            problems.append(str(error))
    model = _model(record, problems)
    epochs = None
    if recordings:
        settings = model.epochs if model else _epochs(record)
        try:
            epochs = cut_epochs(recordings, settings)
        except RolandicError as error:
            problems.append(str(error))
    progress(len(paths) + 1, len(paths) + 1)
    return Sitting(
        record,
        model,
        recordings,
        epochs,
        quality,
        [
            OnlineRun(f"online {number}", run, trials_of(run))
            for number, run in enumerate((r for r in record.runs if r.kind == "online"), start=1)
            if run.used
        ],
        problems,
    )


def _epochs(record: SessionRecord) -> EpochSettings:
    """Return what a decoder would be trained on, where none was."""
    setup = record.setup
    classes = setup.epochs.classes or setup.protocol.classes
    return setup.epochs.model_copy(update={"classes": classes})


def _model(record: SessionRecord, problems: list[str]) -> Model | None:
    files = [record.model] if record.model else [a.get("file", "") for a in record.attempts[-1:]]
    for name in filter(None, files):
        try:
            return load_model(record.folder / name)
        except RolandicError as error:
            problems.append(str(error))
    return None


def trials_of(run: RunRecord) -> list[TrialOutcome]:
    """Return an online run's trials, as its outcome keeps them."""
    found = []
    for kept in run.outcome.get("trials") or ():
        values = {name: kept[name] for name in _TRIAL_FIELDS if name in kept}
        for name in ("probabilities", "reasons"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        try:
            found.append(TrialOutcome(**values))
        except TypeError:
            _log.warning("%s: a trial is not as it should be: %s", run.file, kept)
    return found


def accuracy_of(name: str, trials: Sequence[TrialOutcome]) -> Accuracy | None:
    """Return the accuracy of cued trials; None without one that could be decoded."""
    decoded = [trial for trial in trials if trial.decoded is not None]
    if not decoded:
        return None
    n, k = len(decoded), sum(trial.correct for trial in decoded)
    counts = [sum(t.cue == cue for t in decoded) for cue in {t.cue for t in decoded}]
    return Accuracy(name, k / n, *wilson_interval(k, n), chance_level(counts), n)


def online_accuracies(sitting: Sitting) -> list[Accuracy]:
    """Return the accuracy of each online run, and of several together."""
    found = [accuracy_of(run.name, run.trials) for run in sitting.online]
    runs = [accuracy for accuracy in found if accuracy is not None]
    if len(runs) > 1:
        together = accuracy_of("all online", [t for run in sitting.online for t in run.trials])
        runs += [together] if together is not None else []
    return runs


def used_cv(record: SessionRecord) -> Mapping[str, Any] | None:
    """Return the cross-validation of the decoder in use, else of the last that was trained."""
    ordered = sorted(record.attempts, key=lambda attempt: attempt.get("file") == record.model)
    for attempt in reversed(ordered):
        if attempt.get("cv"):
            cv: Mapping[str, Any] = attempt["cv"]
            return cv
    return None


def cv_accuracy(record: SessionRecord) -> Accuracy | None:
    """Return the cross-validated accuracy of the decoder in use; None without one."""
    cv = used_cv(record)
    if cv is None:
        return None
    score = cv["accuracy"]
    return Accuracy(
        "calibration (cross-validated)",
        score["mean"], score["low"], score["high"], cv["chance_95"], cv["n_trials"],
    )  # fmt: skip
