"""Testing decoders on trials that they have not seen.

A trial's windows stay together. For each split a new decoder is made and fitted on the training
trials' windows alone; a test trial's windows then go, in order, through the smoothing that runs
online, and the last smoothed probabilities are the trial's. Whatever a decoder estimates
(references, scalings, features, hyper-parameters) it estimates in `fit`, hence within the split.

`evaluate` does all of it; `score_split` and `summarised` are its parts, for who spreads the splits
over processes: the same numbers to the last bit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bci.config import OnlineSettings
from bci.decoders import make_decoder
from bci.decoders.plugins import told_in_one_line
from bci.errors import TrialError
from bci.evaluation.chance import chance_level, permutation_p
from bci.evaluation.metrics import (
    accuracy,
    class_accuracies,
    cohen_kappa,
    fold_roc_auc,
)
from bci.evaluation.protocols import Protocol, Split, splits
from bci.evaluation.resampling import bootstrap_scores, nmcc_score
from bci.evaluation.result import Result
from bci.online.smoothing import Smoother
from bci.signal.epochs import Epochs
from bci.signal.rejection import kept_trials

__all__ = [
    "Progress",
    "evaluate",
    "permuted_labels",
    "score_estimator",
    "score_split",
    "statistic",
    "summarised",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

NOT_PERMUTABLE = (
    "--permutations: no recording has trials of two classes, so that labels cannot be permuted "
    "within recordings: leave it out"
)

#: Called with the number of folds done and the number there will be.
Progress = Callable[[int, int], None]


def evaluate(
    epochs: Epochs,
    decoder: str,
    params: Mapping[str, Any] | None = None,
    protocol: Protocol | None = None,
    *,
    permutations: int = 0,
    online: OnlineSettings | None = None,
    progress: Progress | None = None,
) -> Result:
    """Test a decoder as a protocol says.

    Parameters
    ----------
    epochs : Epochs
    decoder : str
        Its registered name.
    params : mapping, optional
        Its parameters.
    protocol : Protocol, optional
        Default: five stratified folds over all trials.
    permutations : int
        How often the trials' labels are permuted, each time with all fits again, for a p-value;
        0: not at all.
    online : OnlineSettings, optional
        How the windows of a trial are smoothed.
    progress : callable, optional

    Returns
    -------
    Result

    Raises
    ------
    TrialError
        As `splits`.
    """
    protocol = protocol or Protocol()
    online = online or OnlineSettings()
    divided = splits(epochs, protocol)
    total = len(divided) * (1 + permutations)
    done = 0

    def scored(parts: Sequence[Split], trial_y: I64) -> list[F64]:
        nonlocal done
        probabilities = []
        for split in parts:
            probabilities.append(score_split(epochs, split, decoder, params, online, trial_y))
            done += 1
            if progress:
                progress(done, total)
        return probabilities

    probabilities = scored(divided, epochs.trial_y)
    permuted = []
    for shuffled in permuted_labels(epochs, permutations, protocol.seed):
        parts = splits(epochs, protocol, shuffled)
        permuted.append(statistic(shuffled, parts, scored(parts, shuffled)))
    return summarised(epochs, decoder, protocol, divided, probabilities, permuted)


def score_split(
    epochs: Epochs,
    split: Split,
    decoder: str,
    params: Mapping[str, Any] | None = None,
    online: OnlineSettings | None = None,
    trial_y: I64 | None = None,
) -> F64:
    """Fit on the training trials of a split and return the probabilities of its test trials.

    Parameters
    ----------
    epochs : Epochs
    split : Split
    decoder, params, online
        As for `evaluate`.
    trial_y : ndarray of int64, shape (n_trials,), optional
        Labels to learn instead of the true ones.

    Returns
    -------
    ndarray of float64, shape (n_test, n_classes)
    """
    estimator = make_decoder(
        decoder, channels=epochs.channels, rate_hz=epochs.rate_hz, **(params or {})
    )
    return score_estimator(epochs, split, estimator, online, trial_y)


def score_estimator(
    epochs: Epochs,
    split: Split,
    estimator: Any,
    online: OnlineSettings | None = None,
    trial_y: I64 | None = None,
) -> F64:
    """Do as `score_split` with a decoder that is there: a search, say, which has no name.

    Parameters
    ----------
    epochs, split, online, trial_y
        As for `score_split`.
    estimator : Decoder
        Unfitted.

    Returns
    -------
    ndarray of float64, shape (n_test, n_classes)
    """
    y = epochs.trial_y if trial_y is None else trial_y
    n_classes = len(epochs.classes)
    step_s = epochs.settings.step_s or epochs.settings.window_length_s
    smoother = Smoother(online or OnlineSettings(), step_s, n_classes)
    result = np.empty((len(split.test), n_classes))
    training = np.isin(epochs.trials, kept_trials(epochs, split.train, y))
    with threadpool_limits(limits=1):
        with told_in_one_line(estimator, "learn from these trials"):
            estimator.fit(
                epochs.X[training], y[epochs.trials[training]], groups=epochs.trials[training]
            )
        with told_in_one_line(estimator, "decide on these trials"):
            for row, trial in enumerate(split.test):
                smoother.restart()
                for probabilities in estimator.predict_proba(epochs.X[epochs.trials == trial]):
                    result[row] = smoother.update(probabilities)
    return result


def summarised(
    epochs: Epochs,
    decoder: str,
    protocol: Protocol,
    parts: Sequence[Split],
    scored: Sequence[F64],
    permuted: Sequence[float] = (),
) -> Result:
    """Return the scores of all splits together.

    Parameters
    ----------
    epochs : Epochs
    decoder : str
    protocol : Protocol
    parts : sequence of Split
        As `splits` gives them.
    scored : sequence of ndarray of float64
        From `score_split`, one a split.
    permuted : sequence of float
        The `statistic` of each permutation.
    """
    trials, folds, probabilities = _together(parts, scored)
    y = epochs.trial_y[trials]
    decided = np.argmax(probabilities, axis=1)
    n_classes = len(epochs.classes)
    bootstrap = bootstrap_scores(y, probabilities, folds)
    observed = statistic(epochs.trial_y, parts, scored)
    return Result(
        decoder=decoder,
        protocol=protocol.label,
        classes=epochs.classes,
        n_trials=len(trials),
        roc_auc=fold_roc_auc(y, probabilities[:, 1], folds) if n_classes == 2 else None,
        accuracy=accuracy(y, decided),
        kappa=cohen_kappa(y, decided, n_classes),
        nmcc=nmcc_score(y, decided, n_classes, bootstrap["nmcc"]),
        per_class=class_accuracies(y, decided, epochs.classes),
        chance_95=chance_level([int(n) for n in np.bincount(y, minlength=n_classes)]),
        bootstrap=bootstrap,
        p_value=permutation_p(observed, permuted) if len(permuted) else None,
        n_permutations=len(permuted),
        probabilities=probabilities,
        trial_y=y,
        folds=folds,
        trials=trials,
        n_train=tuple(len(split.train) for split in parts),
        decision_s=epochs.settings.window_s[1],
    )


def statistic(trial_y: I64, parts: Sequence[Split], scored: Sequence[F64]) -> float:
    """Return what the permutation test compares: ROC-AUC for two classes, else accuracy."""
    trials, folds, probabilities = _together(parts, scored)
    y = trial_y[trials]
    if probabilities.shape[1] == 2:
        area = fold_roc_auc(y, probabilities[:, 1], folds)
        if area is not None:
            return area.mean
    return accuracy(y, np.argmax(probabilities, axis=1)).mean


def permuted_labels(epochs: Epochs, n: int, seed: int) -> Iterator[I64]:
    """Yield the trials' labels, permuted within each run.

    Within runs, because what differs from run to run (another cap, another mood, other numbers of
    trials) is no matter of the labels, and must not make them look exchangeable.

    Raises
    ------
    TrialError
        When no run has trials of two classes.
    """
    runs = np.unique(epochs.trial_runs)
    if n and not any(len(np.unique(epochs.trial_y[epochs.trial_runs == run])) > 1 for run in runs):
        raise TrialError(NOT_PERMUTABLE)
    rng = np.random.default_rng([seed, 0x5EED])
    for _ in range(n):
        shuffled = epochs.trial_y.copy()
        for run in runs:
            within = epochs.trial_runs == run
            shuffled[within] = rng.permutation(shuffled[within])
        yield shuffled


def _together(parts: Sequence[Split], scored: Sequence[F64]) -> tuple[I64, I64, F64]:
    """Return tested trials in order, the split of each, and their probabilities."""
    trials = np.concatenate([split.test for split in parts])
    folds = np.repeat(np.arange(len(parts)), [len(split.test) for split in parts])
    order = np.argsort(trials)
    return trials[order], folds[order].astype(np.int64), np.concatenate(scored)[order]
