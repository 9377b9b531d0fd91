"""Trials that stand out from a person's others, each with its reason; off unless asked for.

A trial is marked where one of its windows is not like those it is compared with:

=============  ==================================================================================
reason         what it means
=============  ==================================================================================
``flat``       a channel's peak-to-peak amplitude is a thousandth of its limit or less
``amplitude``  a channel is beyond the limit that also keeps windows from being decided on online
               (`bci.signal.artifacts`)
``muscle``     a channel's RMS above 30 Hz is more than three times its median over the trials,
               and 5 uV
``potato``     the window's covariance lies three standard deviations of the log distances from
               the mean of the others (Riemannian potato; Barachant, Andreev and Congedo 2013)
=============  ==================================================================================

Trials that cross a gap are no epochs in the first place: `cut_epochs` lists them.

Limits come from the trials that a decoder is trained on, within each fold of a cross-validation,
and only those can be rejected: a test trial is always tested, whatever it looks like, or the score
would be that of easy trials. Of each class at most a third is rejected, those that stand out most.

Why it is off unless asked for: two 5-fold cross-validations (8-30 Hz, 0.5-3.5 s), change of the
ROC-AUC with its standard error. Thirteen people of EEGMMIDB, 21 sensorimotor channels: ts-lr
+.007 +- .008, csp-lda +.016 +- .015. With all channels, and three people of MI-OpenBCI and two days
of bci4als besides: ts-lr -.005 +- .005, csp-lda +.017 +- .025. Neither is a gain that can be told
from none.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bci.signal.artifacts import FLAT_SHARE, artifact_limits
from bci.signal.epochs import Epochs, LeftOut

__all__ = [
    "REASONS",
    "Mark",
    "class_counts",
    "kept_trials",
    "mark_trials",
    "standing_out",
    "without_marked",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

REASONS = ("flat", "amplitude", "muscle", "potato")

_MUSCLE_MEDIANS, _MUSCLE_V = 3.0, 5e-6
_POTATO_SD = 3.0
#: Of fewer windows a standard deviation of distances says little.
_POTATO_WINDOWS = 10
_MOST = 1 / 3


class Mark(NamedTuple):
    """Why a trial stands out.

    Attributes
    ----------
    trial : int
    reason : str
        Of `REASONS`.
    channel : str
        Where most; empty for the potato, which sees all channels at once.
    excess : float
        The value against its limit, above 1.
    text : str
        The number with its unit.
    """

    trial: int
    reason: str
    channel: str
    excess: float
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """One measure of windows: how far each is beyond its limit, and where."""

    reason: str
    excess: F64
    value: F64
    channel: I64


def mark_trials(epochs: Epochs, trials: I64 | None = None) -> list[Mark]:
    """Mark the trials that stand out from the given ones.

    Parameters
    ----------
    epochs : Epochs
    trials : ndarray of int64, optional
        Which are compared with each other; None: all.

    Returns
    -------
    list of Mark
        One for each marked trial, in their order: its first reason in the order of `REASONS`.
    """
    of_trials = (
        np.ones(len(epochs.X), np.bool_) if trials is None else np.isin(epochs.trials, trials)
    )
    if not of_trials.any():
        return []
    X, number = epochs.X[of_trials], epochs.trials[of_trials]
    measures = [*_amplitudes(X)]
    if epochs.muscle_v is not None:
        measures.append(_muscle(epochs.muscle_v[of_trials]))
    measures.append(_potato(X))
    marks: dict[int, Mark] = {}
    for measure in measures:
        for window in np.argsort(-measure.excess, kind="stable"):
            if measure.excess[window] <= 1.0:
                break
            marks.setdefault(
                int(number[window]), _mark(int(number[window]), measure, window, epochs.channels)
            )
    return [marks[trial] for trial in sorted(marks)]


def kept_trials(epochs: Epochs, trials: I64, trial_y: I64 | None = None) -> I64:
    """Return the trials to learn from: all of them, unless the settings ask for rejection.

    Parameters
    ----------
    epochs : Epochs
    trials : ndarray of int64
        Those that may be learned from. No other has a say.
    trial_y : ndarray of int64, shape (n_trials,), optional
        Labels in place of the true ones.
    """
    if not epochs.settings.reject:
        return trials
    y = epochs.trial_y if trial_y is None else trial_y
    rejected = [mark.trial for mark in _rejected(mark_trials(epochs, trials), y, trials)]
    return trials[~np.isin(trials, rejected)]


def without_marked(epochs: Epochs) -> Epochs:
    """Return epochs without the trials that stand out, which are listed among those left out.

    Epochs whose settings ask for no rejection come back as they are.
    """
    if not epochs.settings.reject:
        return epochs
    everything = np.arange(epochs.n_trials)
    rejected = _rejected(mark_trials(epochs), epochs.trial_y, everything)
    kept = everything[~np.isin(everything, [mark.trial for mark in rejected])]
    windows = np.isin(epochs.trials, kept)
    left_out = tuple(
        LeftOut(
            epochs.recordings[epochs.trial_runs[mark.trial]],
            float(epochs.trial_onsets_s[mark.trial]),
            f"{mark.reason}: {mark.text}",
            epochs.classes[epochs.trial_y[mark.trial]],
        )
        for mark in rejected
    )
    return replace(
        epochs,
        X=epochs.X[windows],
        y=epochs.y[windows],
        trials=np.searchsorted(kept, epochs.trials[windows]),
        trial_y=epochs.trial_y[kept],
        trial_onsets_s=epochs.trial_onsets_s[kept],
        trial_runs=epochs.trial_runs[kept],
        muscle_v=None if epochs.muscle_v is None else epochs.muscle_v[windows],
        left_out=(*epochs.left_out, *left_out),
    )


def standing_out(epochs: Epochs) -> str:
    """Say how many trials of each class stand out from all others, and why.

    Such as ``2 of 22 trials of left_hand (muscle 1, potato 1) and 0 of 23 of right_hand stand
    out``.
    """
    marks = mark_trials(epochs)
    said: list[str] = []
    for k, name in enumerate(epochs.classes):
        reasons = Counter(mark.reason for mark in marks if epochs.trial_y[mark.trial] == k)
        why = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
        n = int(np.count_nonzero(epochs.trial_y == k))
        said.append(
            f"{reasons.total()} of {n} {'' if said else 'trials '}of {name}"
            + (f" ({why})" if why else "")
        )
    return f"{', '.join(said[:-1])} and {said[-1]} stand out"


def class_counts(left_out: Sequence[LeftOut]) -> dict[str, dict[str, int]]:
    """Count the trials that were left out: of each class, for each reason.

    >>> class_counts([LeftOut("a.edf", 3.0, "potato: 3.4 SD", "feet")])
    {'feet': {'potato': 1}}
    """
    counts: dict[str, Counter[str]] = {}
    for item in left_out:
        counts.setdefault(item.class_name, Counter())[item.reason.partition(":")[0]] += 1
    return {name: dict(reasons.most_common()) for name, reasons in sorted(counts.items())}


def _rejected(marks: Sequence[Mark], trial_y: I64, trials: I64) -> list[Mark]:
    """Return the marks that count: of each class a third at most, the farthest out."""
    rejected: list[Mark] = []
    for k in np.unique(trial_y[trials]):
        most = int(_MOST * np.count_nonzero(trial_y[trials] == k))
        of_class = [mark for mark in marks if trial_y[mark.trial] == k]
        rejected += sorted(of_class, key=lambda mark: -mark.excess)[:most]
    return sorted(rejected)


def _amplitudes(X: F64) -> tuple[_Windows, _Windows]:
    span = np.ptp(X, axis=2)
    limits = artifact_limits(X)
    with np.errstate(divide="ignore", invalid="ignore"):
        # What is flat in every window has a limit of zero: that is the channel's fault, no trial's.
        flat = np.nan_to_num(FLAT_SHARE * limits / span, nan=0.0, posinf=np.inf)
        beyond = np.nan_to_num(span / limits, nan=0.0, posinf=0.0)
    return _worst("flat", flat, span), _worst("amplitude", beyond, span)


def _muscle(muscle_v: F64) -> _Windows:
    limits = np.maximum(_MUSCLE_MEDIANS * np.median(muscle_v, axis=0), _MUSCLE_V)
    return _worst("muscle", muscle_v / limits, muscle_v)


def _worst(reason: str, excess: F64, values: F64) -> _Windows:
    channel = excess.argmax(axis=1)
    rows = np.arange(len(excess))
    return _Windows(reason, excess[rows, channel], values[rows, channel], channel)


def _potato(X: F64) -> _Windows:
    """Measure how far each window's covariance lies from the mean of those that lie near."""
    channel = np.full(len(X), -1)
    if len(X) < _POTATO_WINDOWS:
        return _Windows("potato", np.zeros(len(X)), np.zeros(len(X)), channel)
    # pyriemann brings scikit-learn, which takes a second to import.
    from pyriemann.artifact_detection import Potato
    from pyriemann.estimation import Covariances

    # The mean by logarithms, distances by the affine metric: an iteration is one eigendecomposition
    # a window. The rejected leave the mean and the spread, again until none is left to reject.
    potato = Potato(
        metric={"mean": "logeuclid", "distance": "riemann"}, threshold=_POTATO_SD, n_iter_max=20
    )
    with threadpool_limits(limits=1):
        # In microvolts: the powers of volts are too small for pyriemann's tolerances.
        score: F64 = potato.fit_transform(Covariances("oas").transform(1e6 * X))
    return _Windows("potato", score / _POTATO_SD, score, channel)


def _mark(trial: int, measure: _Windows, window: np.intp, channels: Sequence[str]) -> Mark:
    excess, value = float(measure.excess[window]), float(measure.value[window])
    if measure.reason == "potato":
        return Mark(trial, "potato", "", excess, f"{value:.1f} SD from the other windows")
    channel = channels[int(measure.channel[window])]
    over = " above 30 Hz" if measure.reason == "muscle" else " from peak to peak"
    return Mark(trial, measure.reason, channel, excess, f"{1e6 * value:.3g} µV{over} at {channel}")
