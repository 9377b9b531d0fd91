"""What an online run amounts to so far: decisions, trials, commands in the rest.

It is gathered from events, in the threads that send them, so that it is there at any moment and
outlives a run that fails. The figures are those of `bci.evaluation`: trials as they are scored in a
replay, false alarms as in pseudo-online evaluation.

================  =====================================  ==========================
attribute         writer                                 readers
================  =====================================  ==========================
decisions         decoder's thread (append-only)         any
trials            decoder's or the run's thread          any
spans             the run's thread, and the clinician's  any, under the lock
================  =====================================  ==========================
"""

import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bci.config import OnlineSettings
from bci.decoders import Model
from bci.evaluation.chance import chance_level
from bci.evaluation.metrics import Score
from bci.evaluation.outcomes import Windows, count_alarms, rate_per_min, share
from bci.evaluation.truth import OTHER, Truth
from bci.events import CLASSES
from bci.online import Decision, TrialOutcome
from bci.online.decision import NO_SIGNAL
from bci.paradigm import Step
from bci.signal import hop_samples, window_samples

__all__ = ["Alarms", "OnlineAccount", "OnlineLedger", "TrialMark"]

_ENDS = ("imagery_end", "trial_end", "run_end")


@dataclass(frozen=True, slots=True)
class TrialMark:
    """One cued trial, as the clinician sees it.

    Attributes
    ----------
    cue : str
    decoded : str or None
        None: no window of it could be decoded.
    rejected : bool
        It is to be given again, and counts nowhere.
    reasons : tuple of str
        Why windows of it were not decoded.
    """

    cue: str
    decoded: str | None
    rejected: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def correct(self) -> bool:
        """Whether the cued class was decoded."""
        return self.decoded == self.cue


@dataclass(frozen=True, slots=True)
class Alarms:
    """Commands that came while the person rested.

    Attributes
    ----------
    n : int
    rest_s : float
        How much rest there was (s).
    per_min : Score or None
        With the exact interval of a Poisson count; None without rest.
    """

    n: int = 0
    rest_s: float = 0.0
    per_min: Score | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        rate = self.per_min.as_dict() if self.per_min is not None else None
        return {"n": self.n, "rest_s": round(self.rest_s, 3), "per_min": rate}


@dataclass(frozen=True, slots=True)
class OnlineAccount:
    """What a run comes to so far.

    Attributes
    ----------
    trials : tuple of TrialMark
        In the order of their cues.
    accuracy : Score or None
        Of the trials that could be decoded, with Wilson's 95 % interval; None without any.
    n_correct, n_scored : int
    chance : float or None
        The smallest accuracy that chance alone reaches in at most one run of twenty
        (`bci.evaluation.chance`); above 1: too few trials to tell.
    alarms : Alarms
    n_decisions, n_commands : int
        Hops; and those at which a class was decided.
    withheld : dict of str to int
        Hops without probabilities, or too late to show, by reason.
    """

    trials: tuple[TrialMark, ...] = ()
    accuracy: Score | None = None
    n_correct: int = 0
    n_scored: int = 0
    chance: float | None = None
    alarms: Alarms = Alarms()
    n_decisions: int = 0
    n_commands: int = 0
    withheld: dict[str, int] = field(default_factory=dict)

    @property
    def n_withheld(self) -> int:
        """Hops whose decision feedback must not show."""
        return sum(self.withheld.values())


@dataclass(slots=True)
class _Span:
    """Something that went on from a time to a time (LSL clock, s)."""

    label: str
    start_s: float
    stop_s: float = math.inf


class OnlineLedger:
    """Gathers what happens in an online run.

    Parameters
    ----------
    model : Model
    settings : OnlineSettings
    cued : bool
        In a run with cues the person rests outside the trials; in a free one, only where the
        clinician said so (`rest`).
    """

    def __init__(self, model: Model, settings: OnlineSettings, *, cued: bool) -> None:
        self.classes, self.settings, self.cued = model.classes, settings, cued
        rate_hz = model.rate_hz
        self._rate_hz = rate_hz
        self._hop = hop_samples(settings.hop_s, rate_hz)
        self._length = window_samples(model.epochs, rate_hz)
        self.decisions: list[Decision] = []
        self._outcomes: list[TrialOutcome] = []
        self._lock = threading.Lock()
        self._cues: dict[int, _Span] = {}
        self._trials: list[_Span] = []
        self._rests: list[_Span] = []
        self._rejected: dict[float, str] = {}

    @property
    def trials(self) -> list[TrialOutcome]:
        """Trials that are over and count."""
        return [trial for trial in self._outcomes if not self._is_rejected(trial)]

    # --- from events ----------------------------------------------------------------------

    def take_decision(self, decision: Decision) -> None:
        """Take a decision."""
        self.decisions.append(decision)

    def take_trial(self, trial: TrialOutcome) -> None:
        """Take a trial that is over."""
        self._outcomes.append(trial)

    def take_step(self, step: Step, time_s: float) -> None:
        """Take a step of the protocol: from a cue to the end of imagery is a trial."""
        with self._lock:
            if step.label in CLASSES:
                span = _Span(step.label, time_s)
                self._trials.append(span)
                if step.trial is not None:
                    self._cues[step.trial] = span
            elif step.label in _ENDS:
                _end(self._trials, time_s)
            elif step.label == "trial_rejected" and step.trial in self._cues:
                span = self._cues[step.trial]
                self._rejected[span.start_s] = span.label

    def rest(self, time_s: float, *, begins: bool) -> None:
        """Say that the person begins to rest, or that the rest is over, in a free run."""
        with self._lock:
            _end(self._rests, time_s)
            if begins:
                self._rests.append(_Span("rest", time_s))

    @property
    def resting(self) -> bool:
        """Whether the person rests, in a free run."""
        with self._lock:
            return bool(self._rests) and math.isinf(self._rests[-1].stop_s)

    # --- for readers ----------------------------------------------------------------------

    def newest(self, n: int) -> list[Decision]:
        """Return the newest decisions, oldest first."""
        return self.decisions[-n:]

    def account(self) -> OnlineAccount:
        """Return what it comes to so far; under a millisecond for a run of ten minutes."""
        decisions = self.decisions[:]
        outcomes = self._outcomes[:]
        marks = self._marks(outcomes)
        scored = [mark for mark in marks if mark.decoded is not None and not mark.rejected]
        n_correct = sum(mark.correct for mark in scored)
        chance = None
        if scored:
            chance = chance_level(list(Counter(mark.cue for mark in scored).values()))
        return OnlineAccount(
            trials=marks,
            accuracy=share(n_correct, len(scored)) if scored else None,
            n_correct=n_correct,
            n_scored=len(scored),
            chance=chance,
            alarms=self._alarms(decisions),
            n_decisions=len(decisions),
            n_commands=sum(decision.label is not None for decision in decisions),
            withheld=dict(Counter(d.reason for d in decisions if d.smoothed is None)),
        )

    def _marks(self, outcomes: list[TrialOutcome]) -> tuple[TrialMark, ...]:
        """Return every trial in the order of time; one rejected before its end has no outcome."""
        timed = [
            (t.time_s, TrialMark(t.cue, t.decoded, self._is_rejected(t), t.reasons))
            for t in outcomes
        ]
        with self._lock:
            rejected = list(self._rejected.items())
        timed += [
            (cue_s, TrialMark(label, None, rejected=True))
            for cue_s, label in rejected
            if not any(_same(trial, cue_s) for trial in outcomes)
        ]
        return tuple(mark for _, mark in sorted(timed, key=lambda item: item[0]))

    def _is_rejected(self, trial: TrialOutcome) -> bool:
        with self._lock:
            return any(_same(trial, cue_s) for cue_s in self._rejected)

    def _alarms(self, decisions: list[Decision]) -> Alarms:
        """Count as `bci.evaluation` does; samples are counted on the clock, from the first."""
        heard = [d for d in decisions if d.reason != NO_SIGNAL and math.isfinite(d.time_s)]
        truth_of = self._cued_truth if self.cued else self._free_truth
        if not heard:
            return Alarms()
        start_s = heard[0].time_s - self._length / self._rate_hz
        ends = np.array([round((d.time_s - start_s) * self._rate_hz) for d in heard], np.int64)
        idle = self.classes.index("rest") if "rest" in self.classes else len(self.classes)
        said = [idle if d.label is None else self.classes.index(d.label) for d in heard]
        windows = Windows(
            runs=np.zeros(len(ends), np.int64),
            ends=ends,
            said=np.array(said, np.int64),
            labels=np.full(len(ends), idle, np.int64),
            withheld=np.array([d.probabilities is None for d in heard], bool),
        )
        truth = truth_of(start_s, int(ends[-1]) + 1)
        n, n_rest = count_alarms(windows, 0, truth, idle, self._length, self._hop)
        rest_s = n_rest * self._hop / self._rate_hz
        return Alarms(n, rest_s, rate_per_min(n, rest_s) if rest_s else None)

    def _cued_truth(self, start_s: float, n_samples: int) -> Truth:
        with self._lock:
            spans = [(s.start_s, s.stop_s, s.label) for s in self._trials]
        return self._truth(spans, start_s, n_samples)

    def _free_truth(self, start_s: float, n_samples: int) -> Truth:
        """Return what is not rest as trials of no known class."""
        with self._lock:
            rests = [(s.start_s, s.stop_s) for s in self._rests]
        edges_s = [-math.inf, *(edge_s for rest in rests for edge_s in rest), math.inf]
        between = [(edges_s[k], edges_s[k + 1], "") for k in range(0, len(edges_s), 2)]
        return self._truth([b for b in between if b[0] < b[1]], start_s, n_samples)

    def _truth(
        self, spans: list[tuple[float, float, str]], start_s: float, n_samples: int
    ) -> Truth:
        def sample(time_s: float) -> int:
            at = np.clip((time_s - start_s) * self._rate_hz, 0, n_samples)
            return round(float(at))

        labels = [self.classes.index(c) if c in self.classes else OTHER for *_, c in spans]
        return Truth(
            np.array([sample(begin_s) for begin_s, _, _ in spans], np.int64),
            np.array([sample(end_s) for _, end_s, _ in spans], np.int64),
            np.array(labels, np.int64),
            n_samples,
        )


def _same(trial: TrialOutcome, cue_s: float) -> bool:
    # Markers travel as they are stamped; the stamp is that of the step.
    return abs(trial.time_s - cue_s) < 1e-3


def _end(spans: list[_Span], time_s: float) -> None:
    if spans and math.isinf(spans[-1].stop_s):
        spans[-1].stop_s = time_s
