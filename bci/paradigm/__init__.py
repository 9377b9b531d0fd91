"""Graz protocol: runs, trials, cues, markers."""

from bci.paradigm.clock import LslTime, RunClock, StreamTime
from bci.paradigm.control import HELD_BY_PAUSE, HELD_BY_SIGNAL, RunControl, RunProgress
from bci.paradigm.graz import GrazSettings, Step, TrialPlan, plan_run
from bci.paradigm.played import play_run
from bci.paradigm.presentation import PresentationSettings
from bci.paradigm.run import present_run

__all__ = [
    "HELD_BY_PAUSE",
    "HELD_BY_SIGNAL",
    "GrazSettings",
    "LslTime",
    "PresentationSettings",
    "RunClock",
    "RunControl",
    "RunProgress",
    "Step",
    "StreamTime",
    "TrialPlan",
    "plan_run",
    "play_run",
    "present_run",
]
