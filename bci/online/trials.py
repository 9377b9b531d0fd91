"""What the decisions of a trial amount to: the same account live, in a replay and in a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bci.config import EpochSettings, OnlineSettings
from bci.online.decision import Decision
from bci.online.smoothing import Smoother
from bci.signal import hop_samples, span_ends

__all__ = ["Cue", "TrialOutcome", "score_trials"]


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue and the sample nearest to it."""

    label: str
    sample: int
    time_s: float


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """One cued trial and what was decoded in it.

    Attributes
    ----------
    cue : str
    time_s : float
        Of the cue, on the clock of the markers.
    sample : int
        Nearest to the cue.
    decoded : str or None
        The most probable class at the end of the trial's windows; None when no window of the
        trial could be decoded.
    probabilities : tuple of float or None
        Smoothed over the trial's windows.
    n_windows, n_without : int
        Windows that were decoded, and that were not (gap, artifact, late).
    reasons : tuple of str
        Why those were not, each once.
    """

    cue: str
    time_s: float
    sample: int
    decoded: str | None
    probabilities: tuple[float, ...] | None
    n_windows: int
    n_without: int
    reasons: tuple[str, ...]

    @property
    def correct(self) -> bool:
        """Whether the cued class was decoded."""
        return self.decoded == self.cue

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and `correct`, ready for JSON."""
        return {
            "cue": self.cue,
            "time_s": self.time_s,
            "sample": self.sample,
            "decoded": self.decoded,
            "correct": self.correct,
            "probabilities": self.probabilities,
            "n_windows": self.n_windows,
            "n_without": self.n_without,
            "reasons": self.reasons,
        }


def score_trials(
    cues: Sequence[Cue],
    decisions: Sequence[Decision],
    classes: tuple[str, ...],
    epochs: EpochSettings,
    online: OnlineSettings,
    rate_hz: float,
) -> list[TrialOutcome]:
    """Account for each cued trial.

    A trial's windows are the decisions whose window lies within the span that training used,
    give or take the hop by which the grid misses the cue: ends in
    ``(cue + start + length - hop, cue + stop]``. They are smoothed from the trial's first window
    on, as in the evaluation of a recording.
    """
    hop = hop_samples(online.hop_s, rate_hz)
    first_end, last_end = span_ends(epochs, rate_hz)
    ends = np.array([decision.sample for decision in decisions], dtype=np.int64)
    outcomes = []
    for cue in cues:
        after, until = cue.sample + first_end - hop, cue.sample + last_end
        inside = [
            decisions[i]
            for i in range(
                int(np.searchsorted(ends, after, side="right")),
                int(np.searchsorted(ends, until, side="right")),
            )
        ]
        smoother = Smoother(online, hop / rate_hz, len(classes))
        smoothed = None
        for decision in inside:
            if decision.probabilities is not None:
                smoothed = smoother.update(np.array(decision.probabilities))
        outcomes.append(
            TrialOutcome(
                cue=cue.label,
                time_s=cue.time_s,
                sample=cue.sample,
                decoded=None if smoothed is None else classes[int(np.argmax(smoothed))],
                probabilities=None if smoothed is None else tuple(smoothed.tolist()),
                n_windows=smoother.n_windows,
                n_without=len(inside) - smoother.n_windows,
                reasons=("cut short",)
                if not inside
                else tuple(dict.fromkeys(d.reason for d in inside if d.probabilities is None)),
            )
        )
    return outcomes
