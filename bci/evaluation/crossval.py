"""Cross-validation over trials.

A trial's windows stay together. For each fold a new decoder is made and fitted on the training
trials' windows alone; a test trial's windows then go, in order, through the smoothing that runs
online, and the last smoothed probabilities are the trial's. Whatever a decoder estimates
(references, scalings, hyper-parameters) it estimates in `fit`, hence within the fold.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from bci.config import OnlineSettings
from bci.decoders import make_decoder
from bci.errors import TrialError
from bci.evaluation.chance import chance_level, permutation_p
from bci.evaluation.metrics import (
    Score,
    accuracy,
    class_accuracies,
    cohen_kappa,
    fold_roc_auc,
)
from bci.online.smoothing import Smoother
from bci.signal.epochs import Epochs

__all__ = ["Progress", "Result", "Scheme", "evaluate", "trial_folds"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

Scheme = Literal["within", "leave-one-run-out"]

#: Called with the number of folds done and the number there will be.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """How well a decoder did on trials that it had not seen.

    Attributes
    ----------
    decoder : str
    classes : tuple of str
    n_trials : int
    roc_auc : Score or None
        Mean over folds; None for more than two classes.
    accuracy, kappa : Score
        Over all trials.
    per_class : dict of str to Score
        Each class's share of trials decided right.
    chance_95 : float
        The smallest accuracy that is above chance at 5 %.
    p_value : float or None
        Of the ROC-AUC (two classes) or accuracy, by permutation; None: not asked for.
    n_permutations : int
    probabilities : ndarray of float64, shape (n_trials, n_classes)
        Of each trial, when it was a test trial.
    trial_y, folds : ndarray of int64, shape (n_trials,)
        Its class, and the fold in which it was tested.
    """

    decoder: str
    classes: tuple[str, ...]
    n_trials: int
    roc_auc: Score | None
    accuracy: Score
    kappa: Score
    per_class: dict[str, Score]
    chance_95: float
    p_value: float | None = None
    n_permutations: int = 0
    probabilities: F64 = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    trial_y: I64 = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    folds: I64 = field(default_factory=lambda: np.empty(0, np.int64), repr=False)

    @property
    def above_chance(self) -> bool:
        """True when the accuracy is one that chance seldom (at most 5 %) reaches."""
        return self.accuracy.mean >= self.chance_95 - 1e-12

    def as_dict(self) -> dict[str, Any]:
        """Return the scores for JSON."""
        document: dict[str, Any] = {
            "decoder": self.decoder,
            "roc_auc": self.roc_auc.as_dict() if self.roc_auc else None,
            "accuracy": self.accuracy.as_dict(),
            "kappa": self.kappa.as_dict(),
            "chance_95": self.chance_95,
            "above_chance": self.above_chance,
            "n_trials": self.n_trials,
            "per_class": {name: score.as_dict() for name, score in self.per_class.items()},
        }
        if self.p_value is not None:
            document |= {"p_value": self.p_value, "n_permutations": self.n_permutations}
        return document


def evaluate(
    epochs: Epochs,
    decoder: str,
    params: Mapping[str, Any] | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    scheme: Scheme = "within",
    permutations: int = 0,
    online: OnlineSettings | None = None,
    progress: Progress | None = None,
) -> Result:
    """Cross-validate a decoder.

    Parameters
    ----------
    epochs : Epochs
    decoder : str
        Its registered name.
    params : mapping, optional
        Its parameters.
    folds : int
        Stratified folds over trials, for the scheme ``"within"``.
    seed : int
        Of the shuffling into folds and of the permutations.
    scheme : {"within", "leave-one-run-out"}
        All trials shuffled into folds, or each recording tested by the others.
    permutations : int
        How often the trials' labels are permuted, each time with the whole cross-validation
        again, for a p-value; 0: not at all. Labels of leave-one-run-out are permuted within runs.
    online : OnlineSettings, optional
        How the windows of a trial are smoothed.
    progress : callable, optional

    Returns
    -------
    Result

    Raises
    ------
    TrialError
        When there are too few trials or recordings for the folds.
    """
    online = online or OnlineSettings()
    fold_of = trial_folds(epochs, folds=folds, seed=seed, scheme=scheme)
    total = len(np.unique(fold_of)) * (1 + permutations)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    with threadpool_limits(limits=1):
        y = epochs.trial_y
        probabilities = _cross_validate(epochs, y, fold_of, decoder, params or {}, online, step)
        observed = _statistic(y, probabilities, fold_of)
        permuted = []
        for shuffled in _permutations(epochs, permutations, scheme, seed):
            folds_now = trial_folds(epochs, folds=folds, seed=seed, scheme=scheme, trial_y=shuffled)
            scores = _cross_validate(
                epochs, shuffled, folds_now, decoder, params or {}, online, step
            )
            permuted.append(_statistic(shuffled, scores, folds_now))

    decided = np.argmax(probabilities, axis=1)
    n_classes = len(epochs.classes)
    return Result(
        decoder=decoder,
        classes=epochs.classes,
        n_trials=epochs.n_trials,
        roc_auc=fold_roc_auc(y, probabilities[:, 1], fold_of) if n_classes == 2 else None,
        accuracy=accuracy(y, decided),
        kappa=cohen_kappa(y, decided, n_classes),
        per_class=class_accuracies(y, decided, epochs.classes),
        chance_95=chance_level([int(n) for n in np.bincount(y, minlength=n_classes)]),
        p_value=permutation_p(observed, permuted) if permutations else None,
        n_permutations=permutations,
        probabilities=probabilities,
        trial_y=y,
        folds=fold_of,
    )


def trial_folds(
    epochs: Epochs,
    *,
    folds: int = 5,
    seed: int = 0,
    scheme: Scheme = "within",
    trial_y: I64 | None = None,
) -> I64:
    """Return the fold in which each trial is tested.

    Parameters
    ----------
    epochs : Epochs
    folds, seed, scheme
        As for `evaluate`. ``"within"`` is scikit-learn's ``StratifiedKFold(folds, shuffle=True,
        random_state=seed)`` over the trials.
    trial_y : ndarray of int64, shape (n_trials,), optional
        Labels to stratify by instead of the true ones.

    Returns
    -------
    ndarray of int64, shape (n_trials,)

    Raises
    ------
    TrialError
    """
    y = epochs.trial_y if trial_y is None else trial_y
    if scheme == "leave-one-run-out":
        _check_runs(epochs)
        return epochs.trial_runs
    if folds < 2:
        raise TrialError(f"--folds {folds}: cross-validation needs at least 2")
    counts = np.bincount(y, minlength=len(epochs.classes))
    fewest = int(counts.argmin())
    # Every fold tests one of each class or more, and leaves two or more to train on.
    needed = max(folds, 4 if folds == 2 else 3)
    if counts[fewest] < needed:
        left_out = f" ({len(epochs.left_out)} were left out)" if epochs.left_out else ""
        raise TrialError(
            f"--folds {folds}: too few trials, class {epochs.classes[fewest]} has "
            f"{counts[fewest]}{left_out} in {', '.join(epochs.recordings)} and needs {needed}: "
            "give fewer --folds or more recordings"
        )
    fold_of = np.empty(len(y), np.int64)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)
    for fold, (_, test) in enumerate(split):
        fold_of[test] = fold
    return fold_of


def _check_runs(epochs: Epochs) -> None:
    runs = np.unique(epochs.trial_runs)
    if len(runs) < 2:
        raise TrialError(
            f"--scheme leave-one-run-out needs trials in at least 2 recordings, here only "
            f"{epochs.recordings[runs[0]]} has any: give more recordings or --scheme within"
        )
    for run in runs:
        others = epochs.trial_y[epochs.trial_runs != run]
        counts = np.bincount(others, minlength=len(epochs.classes))
        fewest = int(counts.argmin())
        if counts[fewest] < 2:
            raise TrialError(
                f"--scheme leave-one-run-out: without {epochs.recordings[run]}, class "
                f"{epochs.classes[fewest]} has {counts[fewest]} trials to train on and needs 2: "
                "give more recordings or --scheme within"
            )


def _cross_validate(
    epochs: Epochs,
    trial_y: I64,
    fold_of: I64,
    decoder: str,
    params: Mapping[str, Any],
    online: OnlineSettings,
    step: Callable[[], None],
) -> F64:
    """Return the probabilities of each trial from the decoder that was not trained on it."""
    n_classes = len(epochs.classes)
    step_s = epochs.settings.step_s or epochs.settings.window_length_s
    smoother = Smoother(online, step_s, n_classes)
    result = np.empty((len(trial_y), n_classes))
    for fold in np.unique(fold_of):
        test = fold_of == fold
        training = ~test[epochs.trials]
        estimator = make_decoder(decoder, channels=epochs.channels, **params)
        estimator.fit(
            epochs.X[training], trial_y[epochs.trials[training]], groups=epochs.trials[training]
        )
        for trial in np.flatnonzero(test):
            windows = epochs.X[epochs.trials == trial]
            smoother.restart()
            for probabilities in estimator.predict_proba(windows):
                result[trial] = smoother.update(probabilities)
        step()
    return result


def _statistic(trial_y: I64, probabilities: F64, fold_of: I64) -> float:
    """Return what the permutation test compares: ROC-AUC for two classes, else accuracy."""
    if probabilities.shape[1] == 2:
        area = fold_roc_auc(trial_y, probabilities[:, 1], fold_of)
        if area is not None:
            return area.mean
    return accuracy(trial_y, np.argmax(probabilities, axis=1)).mean


def _permutations(epochs: Epochs, n: int, scheme: Scheme, seed: int) -> Iterator[I64]:
    rng = np.random.default_rng([seed, 0x5EED])
    for _ in range(n):
        shuffled = epochs.trial_y.copy()
        if scheme == "leave-one-run-out":
            for run in np.unique(epochs.trial_runs):
                within = epochs.trial_runs == run
                shuffled[within] = rng.permutation(shuffled[within])
        else:
            rng.shuffle(shuffled)
        yield shuffled
