"""How many trials are enough for this person: accuracy against the number of training trials.

In each fold of a cross-validation the decoder is trained on random, stratified subsets of the
training trials, nested in one another, and tested on the fold's test trials; again with other folds
and subsets. Every number of trials is thus tested on all trials, each as often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.config import OnlineSettings
from bci.errors import TrialError
from bci.evaluation.chance import chance_level
from bci.evaluation.crossval import Progress, score_split
from bci.evaluation.metrics import Score, fold_roc_auc, wilson_interval
from bci.evaluation.protocols import Protocol, Split, splits
from bci.signal.epochs import Epochs

__all__ = [
    "LearningCurve",
    "LearningPoint",
    "learning_curve",
    "learning_repeat",
    "learning_sizes",
    "learning_summary",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Accuracy that nobody would record for.
WORTH = 0.02


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """What a number of training trials gives.

    Attributes
    ----------
    n_train : int
        Of all classes together.
    accuracy : Score
        Mean over repeats. The interval is that of the trials tested: repeats don't narrow it.
    roc_auc : Score or None
        Two classes only; mean over folds and repeats.
    """

    n_train: int
    accuracy: Score
    roc_auc: Score | None


@dataclass(frozen=True, slots=True, eq=False)
class LearningCurve:
    """Accuracy against the number of training trials, and what follows from it.

    Attributes
    ----------
    decoder : str
    points : tuple of LearningPoint
        In order of `n_train`; the last has all trials that a fold leaves for training.
    chance_95 : float
        The smallest accuracy above chance at 5 %.
    n_repeats, n_trials : int
    gains : ndarray of float64, shape (n_points,)
        How much more accurate training on all is (0 for the last).
    gain_errors : ndarray of float64, shape (n_points,)
        Its standard error over trials, paired.
    """

    decoder: str
    points: tuple[LearningPoint, ...]
    chance_95: float
    n_repeats: int
    n_trials: int
    gains: F64 = field(repr=False)
    gain_errors: F64 = field(repr=False)

    @property
    def enough(self) -> int | None:
        """The fewest training trials from which on more gave less than `WORTH`; None: not yet.

        More gave less where neither all trials nor any number between gained more. All trials
        themselves are enough only if the step before them gained no more either.
        """
        if not self.above_chance:
            return None
        accuracies = np.array([point.accuracy.mean for point in self.points])
        for k, point in enumerate(self.points[:-1]):
            if accuracies[k:].max() - accuracies[k] <= WORTH:
                return point.n_train
        return None

    @property
    def above_chance(self) -> bool:
        """Whether training on all trials is above chance."""
        return self.points[-1].accuracy.mean >= self.chance_95 - 1e-12

    def answer(self) -> str:
        """Say in plain words how many trials are enough."""
        last = self.points[-1]
        if not self.above_chance:
            return (
                f"not above chance with {last.n_train} training trials "
                f"({100 * last.accuracy.mean:.0f} %, chance reaches "
                f"{100 * self.chance_95:.0f} %): more trials of this kind may not help"
            )
        if self.enough is not None:
            point = next(point for point in self.points if point.n_train == self.enough)
            return (
                f"{self.enough} trials are enough: {100 * point.accuracy.mean:.0f} % with "
                f"{self.enough}, {100 * last.accuracy.mean:.0f} % with {last.n_train}"
            )
        before = self.points[-2]
        gain, error = float(self.gains[-2]), float(self.gain_errors[-2])
        sure = "" if gain > 2 * error else ", which may be luck"
        return (
            f"{last.n_train} trials are not yet enough: accuracy still rises, from "
            f"{100 * before.accuracy.mean:.0f} % with {before.n_train} to "
            f"{100 * last.accuracy.mean:.0f} % with {last.n_train}{sure}; record more"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "decoder": self.decoder,
            "points": [
                {
                    "n_train": point.n_train,
                    "accuracy": point.accuracy.as_dict(),
                    "roc_auc": point.roc_auc.as_dict() if point.roc_auc else None,
                }
                for point in self.points
            ],
            "chance_95": self.chance_95,
            "n_repeats": self.n_repeats,
            "n_trials": self.n_trials,
            "enough": self.enough,
            "answer": self.answer(),
        }


def learning_curve(
    epochs: Epochs,
    decoder: str,
    params: Mapping[str, Any] | None = None,
    *,
    sizes: Sequence[int] = (),
    repeats: int = 5,
    folds: int = 5,
    seed: int = 0,
    online: OnlineSettings | None = None,
    progress: Progress | None = None,
) -> LearningCurve:
    """Evaluate a decoder with fewer and more training trials.

    Parameters
    ----------
    epochs : Epochs
    decoder, params, online
        As for `evaluate`.
    sizes : sequence of int, optional
        Numbers of training trials; default: from four a class, half as many again each time.
    repeats : int
        Of folds and subsets, each with another seed.
    folds, seed : int
    progress : callable, optional
        Called with the repeats done and their number.

    Raises
    ------
    TrialError
        As `splits`, and for a size that the training part of a fold has not, or that leaves a
        class fewer than two trials.
    """
    chosen = learning_sizes(epochs, sizes, folds=folds, seed=seed)
    found = []
    for repeat in range(repeats):
        found.append(
            learning_repeat(
                epochs,
                decoder,
                params,
                sizes=chosen,
                folds=folds,
                seed=seed + repeat,
                online=online,
            )
        )
        if progress:
            progress(repeat + 1, repeats)
    return learning_summary(epochs, decoder, found, sizes=chosen, folds=folds, seed=seed)


def learning_sizes(
    epochs: Epochs, sizes: Sequence[int] = (), *, folds: int = 5, seed: int = 0
) -> tuple[int, ...]:
    """Return the numbers of training trials: those asked for, or the default, and the most.

    Parameters
    ----------
    epochs, sizes, folds, seed
        As for `learning_curve`.

    Raises
    ------
    TrialError
        As `learning_curve`.
    """
    n_classes = len(epochs.classes)
    divided = splits(epochs, Protocol(folds=folds, seed=seed))
    most = min(len(split.train) for split in divided)
    chosen = sorted({*sizes, most} if sizes else _default_sizes(4 * n_classes, most))
    if chosen[0] < 2 * n_classes or chosen[-1] > most:
        raise TrialError(
            f"sizes {', '.join(str(size) for size in chosen)}: give numbers of training trials "
            f"from {2 * n_classes} (two a class) to {most} (what {folds} folds of "
            f"{epochs.n_trials} trials leave)"
        )
    return tuple(chosen)


def learning_repeat(
    epochs: Epochs,
    decoder: str,
    params: Mapping[str, Any] | None = None,
    *,
    sizes: Sequence[int],
    folds: int,
    seed: int,
    online: OnlineSettings | None = None,
) -> F64:
    """Test every trial once with each number of training trials.

    Parameters
    ----------
    epochs, decoder, params, folds, online
        As for `learning_curve`.
    sizes : sequence of int
        As `learning_sizes` gives them.
    seed : int
        Of this repeat.

    Returns
    -------
    ndarray of float64, shape (n_sizes, n_trials, n_classes)
        Probabilities.
    """
    rng = np.random.default_rng([seed, 0x1EA2])
    probabilities = np.empty((len(sizes), epochs.n_trials, len(epochs.classes)))
    for split in splits(epochs, Protocol(folds=folds, seed=seed)):
        order = _stratified_order(split.train, epochs.trial_y, rng)
        for k, size in enumerate(sizes):
            fewer = Split(split.name, np.sort(order[:size]), split.test)
            probabilities[k, split.test] = score_split(epochs, fewer, decoder, params, online)
    return probabilities


def learning_summary(
    epochs: Epochs,
    decoder: str,
    found: Sequence[F64],
    *,
    sizes: Sequence[int],
    folds: int,
    seed: int,
) -> LearningCurve:
    """Return the curve of all repeats.

    Parameters
    ----------
    epochs, decoder, sizes, folds, seed
        As for `learning_curve`; of the epochs the windows are not needed.
    found : sequence of ndarray of float64
        From `learning_repeat`, with the seeds that follow on `seed`.
    """
    y, n_classes = epochs.trial_y, len(epochs.classes)
    right = np.mean([probabilities.argmax(axis=2) == y for probabilities in found], axis=0)
    areas: list[list[Score]] = [[] for _ in sizes]
    if n_classes == 2:
        for number, probabilities in enumerate(found):
            fold_of = np.empty(epochs.n_trials, np.int64)
            for fold, split in enumerate(splits(epochs, Protocol(folds=folds, seed=seed + number))):
                fold_of[split.test] = fold
            for k in range(len(sizes)):
                area = fold_roc_auc(y, probabilities[k, :, 1], fold_of)
                if area is not None:
                    areas[k].append(area)
    gained = right[-1] - right
    return LearningCurve(
        decoder=decoder,
        points=tuple(
            LearningPoint(size, _accuracy(right[k]), _mean(areas[k]))
            for k, size in enumerate(sizes)
        ),
        chance_95=chance_level([int(n) for n in np.bincount(y, minlength=n_classes)]),
        n_repeats=len(found),
        n_trials=epochs.n_trials,
        gains=gained.mean(axis=1),
        gain_errors=gained.std(axis=1, ddof=1) / np.sqrt(epochs.n_trials),
    )


def _default_sizes(first: int, most: int) -> set[int]:
    sizes, size = {most}, float(first)
    while size < 0.9 * most:
        sizes.add(round(size))
        size *= 1.5
    return sizes


def _stratified_order(trials: I64, y: I64, rng: np.random.Generator) -> I64:
    """Return trials in a random order of which every beginning is as mixed as the whole."""
    place = np.empty(len(trials))
    for label in np.unique(y[trials]):
        members = rng.permutation(np.flatnonzero(y[trials] == label))
        place[members] = (np.arange(len(members)) + rng.uniform(0.4, 0.6)) / len(members)
    return trials[np.argsort(place, kind="stable")]


def _accuracy(right: F64) -> Score:
    n, share = len(right), float(right.mean())
    return Score(share, *wilson_interval(share * n, n))


def _mean(areas: Sequence[Score]) -> Score | None:
    if not areas:
        return None
    return Score(*np.mean([(area.mean, area.low, area.high) for area in areas], axis=0).tolist())
