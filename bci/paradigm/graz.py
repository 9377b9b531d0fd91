"""The Graz protocol: fixation, cue, imagery, pause, in randomised balanced trials.

After Pfurtscheller and Neuper 2001 ("Motor imagery and direct brain-computer communication",
Proceedings of the IEEE 89, 1123-1134). A trial::

    trial_start, fixation   CLASS, imagery_start              imagery_end       trial_end
    |<---- fixation_s ----->|<---------- imagery_s ---------->|<--- pause_s --->|
                            |<-- cue_s -->|
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from bci.config import Settings
from bci.events import CLASSES

__all__ = [
    "GrazSettings",
    "Step",
    "TrialPlan",
    "plan_run",
    "run_length_s",
    "run_steps",
    "trial_end_s",
    "trial_steps",
]


class GrazSettings(Settings):
    """The protocol's settings.

    Attributes
    ----------
    classes : tuple of str
        What is cued; two or more of left_hand, right_hand, both_hands, feet, tongue, rest.
    trials_per_class : int
        In each run.
    n_runs : int
    fixation_s : float
        Cross on the screen before the cue.
    cue_s : float
        How long the cue is shown; imagery begins with it.
    imagery_s : float
        From the cue to the end of imagery.
    pause_s : (shortest, longest)
        After imagery; drawn evenly between the two, so that nobody learns the rhythm.
    lead_s : float
        From the start of the run to its first trial, and from the last to its end: a causal
        filter settles in it.
    seed : int
        Of the order of trials and the pauses.
    """

    classes: tuple[str, ...] = ("left_hand", "right_hand")
    trials_per_class: int = Field(default=20, ge=1)
    n_runs: int = Field(default=1, ge=1)
    fixation_s: float = Field(default=2.0, ge=0)
    cue_s: float = Field(default=1.25, gt=0)
    imagery_s: float = Field(default=4.0, gt=0)
    pause_s: tuple[float, float] = (1.5, 2.5)
    lead_s: float = Field(default=2.0, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = [name for name in self.classes if name not in CLASSES]
        if unknown:
            raise ValueError(f"class {unknown[0]!r} is none of {', '.join(CLASSES)}")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError("classes: name two or more different ones")
        if self.cue_s > self.imagery_s:
            raise ValueError(f"cue {self.cue_s:g} s is longer than imagery {self.imagery_s:g} s")
        shortest, longest = self.pause_s
        if not 0 <= shortest <= longest:
            raise ValueError(f"pause {shortest:g} {longest:g} s: give 0 <= shortest <= longest")
        return self


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """One trial to come: its class, when its fixation begins after the run's start, its pause."""

    label: str
    start_s: float
    pause_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """A marker to send: when (s after the start of the run), what, in which trial (0-based)."""

    at_s: float
    label: str
    trial: int | None = None


def plan_run(settings: GrazSettings, run: int = 0) -> list[TrialPlan]:
    """Draw the order of the trials and the pauses of a run.

    Each class comes equally often, in every `2 n_classes` trials twice: a long stretch of one
    class would let slow drift pass for a difference between classes.

    Examples
    --------
    >>> sorted(trial.label for trial in plan_run(GrazSettings(trials_per_class=2)))
    ['left_hand', 'left_hand', 'right_hand', 'right_hand']
    """
    draw = random.Random(f"{settings.seed}/{run}")
    labels: list[str] = []
    left = settings.trials_per_class
    while left:
        block = list(settings.classes) * min(2, left)
        draw.shuffle(block)
        labels += block
        left -= min(2, left)
    trials, start_s = [], settings.lead_s
    for label in labels:
        pause_s = draw.uniform(*settings.pause_s)
        trials.append(TrialPlan(label, start_s, pause_s))
        start_s += settings.fixation_s + settings.imagery_s + pause_s
    return trials


def trial_end_s(settings: GrazSettings, trial: TrialPlan) -> float:
    """Return when a trial ends, and the next begins (s after the start of the run)."""
    # Summed as `plan_run` sums it, so that steps are in order to the last bit.
    return trial.start_s + (settings.fixation_s + settings.imagery_s + trial.pause_s)


def trial_steps(settings: GrazSettings, trial: TrialPlan, number: int) -> Iterator[Step]:
    """Yield the markers of one trial in order."""
    cue_s, end_s = trial.start_s + settings.fixation_s, trial_end_s(settings, trial)
    yield Step(trial.start_s, "trial_start", number)
    yield Step(trial.start_s, "fixation", number)
    yield Step(cue_s, trial.label, number)
    yield Step(cue_s, "imagery_start", number)
    yield Step(min(cue_s + settings.imagery_s, end_s), "imagery_end", number)
    yield Step(end_s, "trial_end", number)


def run_steps(settings: GrazSettings, trials: list[TrialPlan]) -> Iterator[Step]:
    """Yield the markers of a run in order."""
    yield Step(0.0, "run_start")
    end_s = settings.lead_s
    for number, trial in enumerate(trials):
        yield from trial_steps(settings, trial, number)
        end_s = trial_end_s(settings, trial)
    yield Step(end_s + settings.lead_s, "run_end")


def run_length_s(settings: GrazSettings, run: int = 0) -> float:
    """Return how long a run lasts (s)."""
    *_, last = run_steps(settings, plan_run(settings, run))
    return last.at_s
