"""Graz protocol: runs, trials, cues, markers."""

from typing import TYPE_CHECKING

from bci.lazy import names_of

if TYPE_CHECKING:
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

__getattr__ = names_of(
    __name__,
    {
        "HELD_BY_PAUSE": "bci.paradigm.control",
        "HELD_BY_SIGNAL": "bci.paradigm.control",
        "GrazSettings": "bci.paradigm.graz",
        "LslTime": "bci.paradigm.clock",
        "PresentationSettings": "bci.paradigm.presentation",
        "RunClock": "bci.paradigm.clock",
        "RunControl": "bci.paradigm.control",
        "RunProgress": "bci.paradigm.control",
        "Step": "bci.paradigm.graz",
        "StreamTime": "bci.paradigm.clock",
        "TrialPlan": "bci.paradigm.graz",
        "plan_run": "bci.paradigm.graz",
        "play_run": "bci.paradigm.played",
        "present_run": "bci.paradigm.run",
    },
)
