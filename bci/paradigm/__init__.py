"""Graz protocol: runs, trials, cues, markers."""

from bci.paradigm.graz import GrazSettings, Step, TrialPlan, plan_run
from bci.paradigm.played import play_run
from bci.paradigm.run import LslTime, RunClock, StreamTime, present_run

__all__ = [
    "GrazSettings",
    "LslTime",
    "RunClock",
    "Step",
    "StreamTime",
    "TrialPlan",
    "plan_run",
    "play_run",
    "present_run",
]
