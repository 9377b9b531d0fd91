"""What decisions over whole runs do for the person: commands in trials, alarms in the rest.

By trial: a *hit* when the first command that begins while it goes on is the class that was cued;
*wrong* when it is another; *missed* when there is none. A command that was there before the cue and
goes on is no answer to it. A decision falls at the end of its window, and its time is counted from
the cue.

In the rest: a *false alarm* is a stretch of one command over consecutive decisions. A window still
holds samples of a trial when that is over: until it holds none, the class of that trial is no false
alarm (a decoder without fault would be given one after every trial). One that goes on beyond is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bci.evaluation.metrics import Score, wilson_interval
from bci.evaluation.truth import OTHER, Truth

__all__ = [
    "Outcome",
    "Windows",
    "count_alarms",
    "median_score",
    "rate_per_min",
    "share",
    "trial_outcomes",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Decisions over runs.

    Attributes
    ----------
    runs, ends : ndarray of int64, shape (n_windows,)
        Recording, and the sample behind the window's last; in order within a run.
    said, labels : ndarray of int64, shape (n_windows,)
        Class decided (idle where none was), and what the window is labelled.
    withheld : ndarray of bool, shape (n_windows,)
        Not decoded (gap, artifact): said idle.
    """

    runs: I64 = field(repr=False)
    ends: I64 = field(repr=False)
    said: I64 = field(repr=False)
    labels: I64 = field(repr=False)
    withheld: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def joined(cls, parts: Sequence["Windows"]) -> "Windows":
        """Return the windows of several, one after the other."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("runs", "ends", "said", "labels", "withheld")
            )
        )


class Outcome(NamedTuple):
    """How a trial went: its kind, what it took to the first command, and to the first right one."""

    kind: str
    spent_s: float
    first_correct_s: float | None


def trial_outcomes(
    found: Windows, run: int, truth: Truth, idle: int, rate_hz: float
) -> list[Outcome]:
    """Return how each trial of a recording went in which a decision fell.

    Parameters
    ----------
    found : Windows
    run : int
        Which recording.
    truth : Truth
        Of that recording.
    idle : int
        Label that is no command.
    rate_hz : float
    """
    ends, said = _of_run(found, run)
    outcomes = []
    for start, stop, label in zip(truth.starts, truth.stops, truth.labels, strict=True):
        inside = np.flatnonzero((ends > start) & (ends <= stop))
        if label in (idle, OTHER) or not len(inside):
            continue
        after_s, decided = (ends[inside] - start) / rate_hz, said[inside].copy()
        if inside[0] and said[inside[0] - 1] == decided[0]:
            others = np.flatnonzero(decided != decided[0])
            decided[: others[0] if len(others) else None] = idle
        commands, right = np.flatnonzero(decided != idle), np.flatnonzero(decided == label)
        if len(commands):
            first = int(commands[0])
            kind, spent_s = "hit" if decided[first] == label else "wrong", float(after_s[first])
        else:
            kind, spent_s = "missed", float((stop - start) / rate_hz)
        outcomes.append(Outcome(kind, spent_s, float(after_s[right[0]]) if len(right) else None))
    return outcomes


def count_alarms(
    found: Windows, run: int, truth: Truth, idle: int, length: int, hop: int
) -> tuple[int, int]:
    """Count the false alarms in the rest of a recording, and the decisions that fell in it.

    Parameters
    ----------
    found, run, truth, idle
        As for `trial_outcomes`.
    length, hop : int
        Of a window, and from one to the next, in samples.
    """
    ends, said = _of_run(found, run)
    rest = np.ones(len(ends), np.bool_)
    excused = said == idle
    for start, stop, label in zip(truth.starts, truth.stops, truth.labels, strict=True):
        if label == idle:
            continue
        rest &= (ends <= start) | (ends > stop)
        touches = (ends > start) & (ends - length < stop)
        excused |= touches & ((said == label) | (label == OTHER))
    alarm = rest & ~excused
    goes_on = np.zeros(len(ends), np.bool_)
    # At a fold's edge the hop grid changes: the next decision may come a little sooner or later.
    near = np.diff(ends) <= 2 * hop
    goes_on[1:] = alarm[:-1] & (said[1:] == said[:-1]) & near
    return int((alarm & ~goes_on).sum()), int(rest.sum())


def _of_run(found: Windows, run: int) -> tuple[I64, I64]:
    """Return the ends of a recording's windows, in order, and what was said."""
    rows = np.flatnonzero(found.runs == run)
    rows = rows[np.argsort(found.ends[rows])]
    return found.ends[rows], found.said[rows]


def share(k: int, n: int) -> Score:
    """Return `k` of `n` as a share with Wilson's interval; not a number of none."""
    return Score(k / n, *wilson_interval(k, n)) if n else Score(np.nan, 0.0, 1.0)


def rate_per_min(k: int, seconds: float) -> Score:
    """Return a rate with the exact interval of a Poisson count (Garwood 1936)."""
    if not seconds:
        return Score(np.nan, 0.0, np.inf)
    low = stats.chi2.ppf(0.025, 2 * k) / 2 if k else 0.0
    high = stats.chi2.ppf(0.975, 2 * k + 2) / 2
    return Score(*(float(count * 60 / seconds) for count in (k, low, high)))


def median_score(ordered: F64) -> Score:
    """Return the median with its interval by order statistics (binomial, no distribution)."""
    n = len(ordered)
    below = int(stats.binom.ppf(0.025, n, 0.5))
    low, high = max(below - 1, 0), min(n - below, n - 1)
    return Score(float(np.median(ordered)), float(ordered[low]), float(ordered[high]))
