"""Feedback in a terminal: a bar for each class that moves with the decisions."""

import threading
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bci.experiment import Experiment
from bci.online import Decision, TrialOutcome

__all__ = ["Feedback"]

_BAR = 30
_COLOURS = ("blue", "dark_orange", "green", "magenta", "cyan", "red")


class Feedback:
    """Shows cues, probabilities and outcomes while an experiment is online.

    On a terminal a live picture; elsewhere a line for each trial.

    Parameters
    ----------
    console : Console
    experiment : Experiment
    n_trials : int or None
        To come, where it is known.
    """

    def __init__(self, console: Console, experiment: Experiment, n_trials: int | None) -> None:
        self._console, self._experiment, self._n_trials = console, experiment, n_trials
        self._classes = experiment.model.classes if experiment.model is not None else ()
        self._lock = threading.Lock()
        self._cue = ""
        self._decision: Decision | None = None
        self._outcomes: list[TrialOutcome] = []
        self._live = Live(
            get_renderable=self._picture, console=console, refresh_per_second=10, transient=True
        )

    def __enter__(self) -> Self:
        events = self._experiment.events
        events.cue_received.connect(self._take_cue)
        events.decision_made.connect(self._take_decision)
        events.trial_finished.connect(self._take_outcome)
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        events = self._experiment.events
        events.cue_received.disconnect(self._take_cue)
        events.decision_made.disconnect(self._take_decision)
        events.trial_finished.disconnect(self._take_outcome)
        if self._console.is_terminal:
            self._live.stop()

    def _take_cue(self, label: str) -> None:
        with self._lock:
            self._cue = label

    def _take_decision(self, decision: Decision) -> None:
        with self._lock:
            self._decision = decision

    def _take_outcome(self, outcome: TrialOutcome) -> None:
        with self._lock:
            self._outcomes.append(outcome)
            number, self._cue = len(self._outcomes), ""
        of = f" of {self._n_trials}" if self._n_trials else ""
        self._console.print(f"trial {number}{of}: {_said(outcome)}")

    def _picture(self) -> Any:
        with self._lock:
            decision, cue, outcomes = self._decision, self._cue, list(self._outcomes)
        grid = Table.grid(padding=(0, 1))
        of = f" of {self._n_trials}" if self._n_trials else ""
        grid.add_row("trial", f"{len(outcomes) + 1 if cue else len(outcomes)}{of}")
        grid.add_row("cue", Text(cue.replace("_", " ") or "(pause)", style="bold"))
        for index, name in enumerate(self._classes):
            p = decision.smoothed[index] if decision is not None and decision.smoothed else 0.0
            bar = Text("█" * round(p * _BAR), style=_COLOURS[index % len(_COLOURS)])
            bar.append("·" * (_BAR - round(p * _BAR)), style="dim")
            decided = decision is not None and decision.label == name
            grid.add_row(name.replace("_", " "), bar, f"{p:.2f}", "◀ decided" if decided else "")
        grid.add_row("so far", " ".join("✓" if o.correct else "✗" for o in outcomes))
        if decision is not None and decision.label is None:
            grid.add_row("", Text(decision.reason, style="dim"))
        return grid


def _said(outcome: TrialOutcome) -> str:
    decoded = (outcome.decoded or f"undecided ({', '.join(outcome.reasons)})").replace("_", " ")
    p = f" ({max(outcome.probabilities):.2f})" if outcome.probabilities else ""
    mark = "✓" if outcome.correct else "✗"
    return f"{outcome.cue.replace('_', ' ')} cued, {decoded} decoded{p} {mark}"
