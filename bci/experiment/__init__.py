"""The experiment: the state machine that the commands and the window both drive."""

from bci.experiment.machine import Experiment
from bci.experiment.runs import OnlineResult, Run, RunContext
from bci.experiment.states import ExperimentError, ExperimentEvents, State

__all__ = [
    "Experiment",
    "ExperimentError",
    "ExperimentEvents",
    "OnlineResult",
    "Run",
    "RunContext",
    "State",
]
