"""The experiment: the state machine that the commands and the window both drive."""

from typing import TYPE_CHECKING

from bci.lazy import names_of

if TYPE_CHECKING:
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

__getattr__ = names_of(
    __name__,
    {
        "Experiment": "bci.experiment.machine",
        "ExperimentError": "bci.experiment.states",
        "ExperimentEvents": "bci.experiment.states",
        "OnlineResult": "bci.experiment.runs",
        "Run": "bci.experiment.runs",
        "RunContext": "bci.experiment.runs",
        "State": "bci.experiment.states",
    },
)
