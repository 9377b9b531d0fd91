"""How accurate a decoder would be with the trials so far, and whether they are enough.

The score is that of five stratified folds over all trials so far, with Wilson's 95 % interval over
trials, beside the chance level of that number of trials (`bci.evaluation.chance`). Trials are
*enough* when the whole interval lies above the chance level, and training on fewer of them gave
about as much (`bci.evaluation.learning`). How many more should settle it follows from the interval
alone: the smallest number of trials for which it would lie above its chance level if the accuracy
stayed as it is.

A decoder is chosen here by nobody: looking after every trial costs nothing of what the score means
as long as it does not decide which trials are kept.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bci.config import EpochSettings, OnlineSettings
from bci.errors import InputError
from bci.evaluation import Protocol, evaluate
from bci.evaluation.chance import chance_level
from bci.evaluation.learning import learning_curve
from bci.evaluation.metrics import Score, wilson_interval
from bci.signal.epochs import Epochs, LeftOut, cut_epochs
from bci.signal.trials import find_trials
from bci.sources.reading import open_recording
from bci.sources.recording import Recording

__all__ = ["ANSWERS", "CalibrationScore", "ScorePoint", "more_trials", "score_so_far"]

#: Fewer of a class than this are not scored: a fold would have no more than one of it.
FEWEST = 4
#: With fewer of a class an accuracy near chance says nothing yet.
_EARLY = 10
#: More trials than this nobody records to settle a question (about ten minutes).
_MOST_MORE = 60
#: The learning curve and past points are worked out as long as a score takes less (s).
_PATIENCE_S, _CURVE_S = 4.0, 8.0
_BEYOND = "reaches beyond the end of the recording"

#: What is said of each verdict; the fields are those of `CalibrationScore.answer`.
ANSWERS = {
    "early": "The first score comes after {more} more trials.",
    "wide": "Too early to tell: the interval is still {width} percentage points wide.",
    "unsettled": "{more} more trials should settle it, if the accuracy stays as it is.",
    "far": (
        "It would take about {more} more trials to be sure. Look at the signals and talk "
        "about the task first."
    ),
    "chance": (
        "No better than chance so far: more trials alone will not change that. Look at the "
        "signals and talk about the task."
    ),
    "rises": (
        "Above chance. Accuracy still rises: {fewer_percent} % with {fewer} training trials, "
        "{percent} % with {all}. More trials help."
    ),
    "enough": "Enough: the whole interval is above chance, and more trials add little.",
    "settled": "Above chance: the whole interval is.",
}


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The score after a number of usable trials."""

    n_trials: int
    accuracy: float
    low: float
    high: float
    chance_95: float


@dataclass(frozen=True, slots=True)
class CalibrationScore:
    """How accurate a decoder would be with the trials so far.

    Attributes
    ----------
    decoder : str
    classes : tuple of str
    n_per_class : tuple of int
        Trials used.
    verdict : str
        A key of `ANSWERS`.
    accuracy : Score or None
        None: too few trials.
    chance_95 : float
        The smallest accuracy above chance at 5 %, with as many trials.
    points : tuple of ScorePoint
        After so many trials, in their order; the last is the present score.
    left_out : tuple of (str, int)
        Why trials are not used, and how many.
    more : int or None
        Trials that should settle it, see the verdict.
    fewer : tuple of (int, float, int, float), or None
        Of the learning curve: training trials and accuracy, of the last step but one and the last.
    reference : str
        How the signal was filtered and cut.
    recordings : tuple of str
    problem : str
        Why there is no score, where that is not the number of trials.
    key : str
        Of what was scored: another one asks for another score.
    """

    decoder: str
    classes: tuple[str, ...]
    n_per_class: tuple[int, ...] = ()
    verdict: str = "early"
    accuracy: Score | None = None
    chance_95: float = 1.0
    points: tuple[ScorePoint, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    more: int | None = None
    fewer: tuple[int, float, int, float] | None = None
    reference: str = ""
    recordings: tuple[str, ...] = ()
    problem: str = ""
    key: str = ""

    @property
    def n_trials(self) -> int:
        """Trials used."""
        return sum(self.n_per_class)

    @property
    def enough(self) -> bool:
        """Whether the trials are enough."""
        return self.verdict in ("enough", "settled")

    @property
    def answer(self) -> tuple[str, dict[str, object]]:
        """The plain answer: a sentence of `ANSWERS`, and its values."""
        values: dict[str, object] = {"more": self.more}
        if self.accuracy is not None:
            values["width"] = round(100 * (self.accuracy.high - self.accuracy.low))
        if self.fewer is not None:
            n_before, before, n_all, all_of_them = self.fewer
            values |= {"fewer": n_before, "all": n_all}
            values |= {"fewer_percent": round(100 * before), "percent": round(100 * all_of_them)}
        return ANSWERS[self.verdict], values

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        sentence, values = self.answer
        return sentence.format(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "CalibrationScore":
        """Read what `as_dict` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it is something else.
        """
        fewer = content["fewer"]
        score = cls(
            **dict(content)
            | {
                "classes": tuple(content["classes"]),
                "n_per_class": tuple(int(n) for n in content["n_per_class"]),
                "accuracy": Score(**content["accuracy"]) if content["accuracy"] else None,
                "points": tuple(ScorePoint(**point) for point in content["points"]),
                "left_out": tuple((str(why), int(n)) for why, n in content["left_out"]),
                "fewer": tuple(fewer) if fewer else None,
                "recordings": tuple(content["recordings"]),
            }
        )
        if score.verdict not in ANSWERS:
            raise ValueError(f"verdict {score.verdict!r} is none of {', '.join(ANSWERS)}")
        return score


def more_trials(accuracy: float, n_trials: int, n_classes: int, most: int = 400) -> int | None:
    """Return how many more trials put the whole 95 % interval above the chance level.

    If the accuracy stays as it is and classes come equally often. None: not within `most`.

    >>> more_trials(0.95, 20, 2), more_trials(0.72, 40, 2), more_trials(0.5, 40, 2)
    (0, 34, None)
    """
    first = -(-n_trials // n_classes) * n_classes
    for n in range(first, n_trials + most + 1, n_classes):
        if wilson_interval(accuracy * n, n)[0] >= chance_level([n // n_classes] * n_classes):
            return max(0, n - n_trials)
    return None


def score_so_far(
    paths: Sequence[Path],
    unit: str | None,
    epochs: EpochSettings,
    decoder: str,
    params: Mapping[str, Any],
    online: OnlineSettings,
    known: Sequence[ScorePoint],
    running: str,
    key: str,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrationScore:
    """Score a decoder on the trials of recordings, one of which may still be being written.

    Parameters
    ----------
    paths : sequence of Path
        In the order in which they were recorded.
    unit : str, optional
    epochs : EpochSettings
        With its classes.
    decoder, params, online
        As for `bci.evaluation.evaluate`.
    known : sequence of ScorePoint
        Past points, not to be worked out again.
    running : str
        Name of the recording that is being written: its last trial is not over.
    key : str
        Kept in the score.
    progress : callable
    """
    began_s = time.monotonic()
    low, high = epochs.band_hz
    start, stop = epochs.window_s
    empty = CalibrationScore(
        decoder=decoder,
        classes=epochs.classes,
        reference=f"{low:g}-{high:g} Hz, {start:g} to {stop:g} s after the cue",
        recordings=tuple(path.name for path in paths),
        key=key,
    )
    recordings = [open_recording(path, unit=unit) for path in paths]
    found = _count(recordings, epochs)
    if min(found.values(), default=0) < FEWEST:
        return _too_few(empty, [found[name] for name in epochs.classes])
    try:
        cut = cut_epochs(recordings, epochs)
    except InputError as error:
        return replace(empty, problem=str(error))
    counts = np.bincount(cut.trial_y, minlength=len(cut.classes)).tolist()
    left_out = _reasons(cut.left_out, running)
    if min(counts) < FEWEST:
        return replace(_too_few(empty, counts), left_out=left_out)

    point, took_s = _scored(cut, decoder, params, online)
    progress(1, 2)
    points = {p.n_trials: p for p in known if p.n_trials < cut.n_trials} | {cut.n_trials: point}
    for n in range(2 * len(counts) * 2, cut.n_trials, 2 * len(counts)):
        if n in points or time.monotonic() - began_s > _CURVE_S or took_s > _PATIENCE_S:
            continue
        part = _first_trials(cut, n)
        if min(np.bincount(part.trial_y, minlength=len(counts))) >= FEWEST:
            points[n], _ = _scored(part, decoder, params, online)
    return _judged(
        replace(
            empty,
            n_per_class=tuple(counts),
            accuracy=Score(point.accuracy, point.low, point.high),
            chance_95=point.chance_95,
            points=tuple(points[n] for n in sorted(points)),
            left_out=left_out,
        ),
        lambda: _learning(cut, decoder, params, online) if took_s <= _PATIENCE_S else None,
    )


def _count(recordings: Sequence[Recording], epochs: EpochSettings) -> Counter[str]:
    """Count the trials of each class that was asked for."""
    found = Counter(
        trial.class_name
        for recording in recordings
        for trial in find_trials(recording.markers, epochs.event_map)
    )
    return Counter({name: found[name] for name in epochs.classes})


def _too_few(empty: CalibrationScore, counts: Sequence[int]) -> CalibrationScore:
    missing = sum(max(0, FEWEST - n) for n in counts)
    return replace(empty, n_per_class=tuple(counts), more=missing)


def _scored(
    epochs: Epochs, decoder: str, params: Mapping[str, Any], online: OnlineSettings
) -> tuple[ScorePoint, float]:
    began_s = time.monotonic()
    folds = min(5, int(np.bincount(epochs.trial_y).min()))
    result = evaluate(epochs, decoder, params, Protocol(folds=folds), online=online)
    score = result.accuracy
    point = ScorePoint(epochs.n_trials, score.mean, score.low, score.high, result.chance_95)
    return point, time.monotonic() - began_s


def _first_trials(epochs: Epochs, n_trials: int) -> Epochs:
    n_windows = int(np.searchsorted(epochs.trials, n_trials))
    return replace(
        epochs,
        X=epochs.X[:n_windows],
        y=epochs.y[:n_windows],
        trials=epochs.trials[:n_windows],
        trial_y=epochs.trial_y[:n_trials],
        trial_onsets_s=epochs.trial_onsets_s[:n_trials],
        trial_runs=epochs.trial_runs[:n_trials],
        muscle_v=None if epochs.muscle_v is None else epochs.muscle_v[:n_windows],
    )


def _reasons(left_out: Sequence[LeftOut], running: str) -> tuple[tuple[str, int], ...]:
    """Count the trials that are not used, by why; not the one that goes on."""
    counts = Counter(
        "broken off" if item.reason.startswith("ended after") else item.reason
        for item in left_out
        if not (item.recording == running and item.reason == _BEYOND)
    )
    return tuple(counts.most_common())


def _judged(
    score: CalibrationScore, learn: Callable[[], tuple[str, tuple[int, float, int, float]] | None]
) -> CalibrationScore:
    """Give a score its verdict."""
    if score.accuracy is None:
        return score
    n_classes = len(score.n_per_class)
    if score.accuracy.low >= score.chance_95:
        learnt = learn()
        if learnt is None:
            return replace(score, verdict="settled", more=0)
        return replace(score, verdict=learnt[0], fewer=learnt[1], more=0)
    more = more_trials(score.accuracy.mean, score.n_trials, n_classes)
    if more is not None and 0 < more <= _MOST_MORE:
        return replace(score, verdict="unsettled", more=more)
    if min(score.n_per_class) < _EARLY:
        return replace(score, verdict="wide")
    commonest = max(score.n_per_class) / score.n_trials
    if more is None or score.accuracy.mean <= commonest:
        return replace(score, verdict="chance")
    return replace(score, verdict="far", more=max(more, n_classes))


def _learning(
    epochs: Epochs, decoder: str, params: Mapping[str, Any], online: OnlineSettings
) -> tuple[str, tuple[int, float, int, float]] | None:
    """Say whether more trials still help; None: there are too few to tell."""
    try:
        curve = learning_curve(epochs, decoder, params, repeats=2, online=online)
    except InputError:
        return None
    if len(curve.points) < 2:
        return None
    before, last = curve.points[-2:]
    surely = float(curve.gains[-2]) > 2 * float(curve.gain_errors[-2])
    rises = curve.enough is None and surely
    numbers = (before.n_train, before.accuracy.mean, last.n_train, last.accuracy.mean)
    return ("rises" if rises else "enough"), numbers
