"""What the decisions over whole runs amount to, by window and by trial.

By window: Matthews' correlation of what was decided and what the window is labelled, normalised.
Windows overlap, so intervals come from drawing whole episodes (a trial and the rest before it). By
trial, and in the rest: see `bci.evaluation.outcomes`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.evaluation.metrics import Score, confusion, normalised_matthews
from bci.evaluation.outcomes import (
    Windows,
    count_alarms,
    median_score,
    rate_per_min,
    share,
    trial_outcomes,
)
from bci.evaluation.resampling import N_DRAWS, resampled_rows
from bci.evaluation.transfer import transfer_rate
from bci.evaluation.truth import OTHER, Truth

__all__ = ["PseudoOnline", "account"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PseudoOnline:
    """How well a decoder did on whole runs.

    Attributes
    ----------
    decoder, protocol : str
    classes : tuple of str
    idle : str
    n_trials, n_windows, n_withheld : int
    counts : ndarray of int64, shape (n_classes, n_classes)
        Windows: labelled (row), decided (column).
    nmcc, accuracy : Score
        Of windows, with intervals over episodes.
    hits, wrong, missed : Score
        Shares of trials.
    false_alarms_per_min : Score
        In the rest, with the exact interval of a Poisson count.
    idle_min : float
        How much rest that was (min).
    first_correct_s : Score or None
        From the cue to the first right decision of a trial: median and its interval, over the
        trials that had one.
    itr_bits_per_min : float or None
        Information transfer rate in trials; None with one class beside idle.
    fold_nmcc : tuple of float
        Of each split.
    episode_counts : ndarray of int64, shape (n_episodes, n_classes, n_classes)
    episode_labels : ndarray of int64, shape (n_episodes,)
        Class of an episode's trial.
    p_value : float or None
        Of nMCC, by permuting the classes of cues; None: not asked for.
    n_permutations : int
    """

    decoder: str
    protocol: str
    classes: tuple[str, ...]
    idle: str
    n_trials: int
    n_windows: int
    n_withheld: int
    counts: I64
    nmcc: Score
    accuracy: Score
    hits: Score
    wrong: Score
    missed: Score
    false_alarms_per_min: Score
    idle_min: float
    first_correct_s: Score | None
    itr_bits_per_min: float | None
    fold_nmcc: tuple[float, ...]
    episode_counts: I64 = field(repr=False)
    episode_labels: I64 = field(repr=False)
    p_value: float | None = None
    n_permutations: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the scores for JSON."""
        scores = ("nmcc", "accuracy", "hits", "wrong", "missed", "false_alarms_per_min")
        document = {
            "decoder": self.decoder,
            "protocol": self.protocol,
            "classes": list(self.classes),
            "idle": self.idle,
            "n_trials": self.n_trials,
            "n_windows": self.n_windows,
            "n_withheld": self.n_withheld,
            "confusion": self.counts.tolist(),
            **{name: getattr(self, name).as_dict() for name in scores},
            "idle_min": self.idle_min,
            "first_correct_s": self.first_correct_s.as_dict() if self.first_correct_s else None,
            "itr_bits_per_min": self.itr_bits_per_min,
            "fold_nmcc": list(self.fold_nmcc),
        }
        if self.p_value is not None:
            document |= {"p_value": self.p_value, "n_permutations": self.n_permutations}
        return document


def account(
    decoder: str,
    protocol: str,
    found: Sequence[Windows],
    truths: Sequence[Truth],
    classes: tuple[str, ...],
    idle: int,
    *,
    length: int,
    hop: int,
    rate_hz: float,
) -> PseudoOnline:
    """Return what decisions amount to.

    Parameters
    ----------
    decoder, protocol : str
    found : sequence of Windows
        One a split.
    truths : sequence of Truth
        One a recording.
    classes : tuple of str
    idle : int
    length, hop : int
        Of a window, and from one to the next, in samples.
    rate_hz : float
    """
    n = len(classes)
    every = Windows.joined(found)
    counted = every.labels != OTHER
    outcomes = [
        outcome
        for run, truth in enumerate(truths)
        for outcome in trial_outcomes(every, run, truth, idle, rate_hz)
    ]
    alarms = [
        count_alarms(every, run, truth, idle, length, hop) for run, truth in enumerate(truths)
    ]
    n_alarms = sum(n for n, _ in alarms)
    idle_s = sum(n for _, n in alarms) * hop / rate_hz
    n_trials = len(outcomes)
    hits, wrong, missed = (
        share(sum(outcome.kind == kind for outcome in outcomes), n_trials)
        for kind in ("hit", "wrong", "missed")
    )
    times = np.sort([o.first_correct_s for o in outcomes if o.first_correct_s is not None])
    tables, strata = _episodes(every, truths, length, n)
    nmcc, right = _window_scores(tables, strata)
    n_task = n - 1
    spent_s = float(np.mean([outcome.spent_s for outcome in outcomes])) if outcomes else np.nan
    return PseudoOnline(
        decoder=decoder,
        protocol=protocol,
        classes=classes,
        idle=classes[idle],
        n_trials=n_trials,
        n_windows=int(counted.sum()),
        n_withheld=int((every.withheld & counted).sum()),
        counts=tables.sum(axis=0),
        nmcc=nmcc,
        accuracy=right,
        hits=hits,
        wrong=wrong,
        missed=missed,
        false_alarms_per_min=rate_per_min(n_alarms, idle_s),
        idle_min=idle_s / 60,
        first_correct_s=median_score(times) if len(times) else None,
        itr_bits_per_min=(
            transfer_rate(hits.mean, n_task, spent_s) if n_task > 1 and outcomes else None
        ),
        fold_nmcc=tuple(
            float(normalised_matthews(confusion(part.labels[kept], part.said[kept], n)))
            for part in found
            if (kept := part.labels != OTHER).any()
        ),
        episode_counts=tables,
        episode_labels=strata,
    )


def _episodes(
    every: Windows, truths: Sequence[Truth], length: int, n_classes: int
) -> tuple[I64, I64]:
    """Return the confusion matrix of each episode, and the label of its trial."""
    tables, strata = [], []
    for run, truth in enumerate(truths):
        rows = np.flatnonzero((every.runs == run) & (every.labels != OTHER))
        if not len(rows):
            continue
        order = np.argsort(truth.stops)
        stops = truth.stops[order]
        # Behind the last trial there is no other episode to belong to.
        episode = np.searchsorted(stops, every.ends[rows] - length // 2, side="right")
        episode = np.clip(episode, 0, max(len(stops) - 1, 0))
        for number in np.unique(episode):
            inside = rows[episode == number]
            tables.append(confusion(every.labels[inside], every.said[inside], n_classes))
            strata.append(truth.labels[order[number]] if len(order) else OTHER)
    return np.stack(tables), np.array(strata, np.int64)


def _window_scores(tables: I64, strata: I64) -> tuple[Score, Score]:
    """Return nMCC and the share of windows decided right, drawing episodes anew."""
    rows = resampled_rows(strata, N_DRAWS, seed=0)
    times = np.stack([np.bincount(row, minlength=len(tables)) for row in rows])
    drawn = np.tensordot(times, tables, axes=1)
    observed = tables.sum(axis=0)
    return _percentiles(normalised_matthews, observed, drawn), _percentiles(_right, observed, drawn)


def _percentiles(of: Callable[[I64], F64], observed: I64, drawn: I64) -> Score:
    low, high = np.percentile(of(drawn), [2.5, 97.5])
    return Score(float(of(observed)), float(low), float(high))


def _right(tables: I64) -> F64:
    share: F64 = np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1))
    return share
