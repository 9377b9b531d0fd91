"""What a run has to work with, and what an online run gives."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bci.acquisition import RingBuffer
from bci.online import Decision, LatencyReport, TrialOutcome
from bci.paradigm import Step
from bci.recording import RecorderSummary

__all__ = ["OnlineResult", "Run", "RunContext"]


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run has to work with.

    Attributes
    ----------
    ring : RingBuffer
        The stream.
    cancelled : threading.Event
        Set when the run is to end early.
    on_step : callable
        To be called with each step of a protocol and its time.
    """

    ring: RingBuffer
    cancelled: threading.Event
    on_step: Callable[[Step, float], None]


#: Presents cues, or lets a recording play; returns whether it came to its end.
Run = Callable[[RunContext], bool]


@dataclass(frozen=True, slots=True)
class OnlineResult:
    """What an online run gave.

    `moved_db` is how far the reference point moved, if it does; `adaptation` what adaptation came
    to (`bci.online.teaching.Teacher.effect`), if there was any.
    """

    recording: Path
    recorded: RecorderSummary
    decisions: list[Decision] = field(repr=False)
    trials: list[TrialOutcome] = field(repr=False)
    completed: bool
    moved_db: float | None = None
    latency: LatencyReport = field(default_factory=lambda: LatencyReport({}), repr=False)
    adaptation: dict[str, Any] | None = None
