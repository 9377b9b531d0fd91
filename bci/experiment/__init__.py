"""The experiment: the state machine that commands drive, and a session as the window sees it.

Where to look:

===============  ==================================================================================
for              modules
===============  ==================================================================================
the experiment   machine; states, runs, streams, run_recorder, sealing: what it is made of
a session        session: all of it, a part for each step; opening, recovery, demo, ahead; worker:
                 processes for what takes long
Signals          signals; electrodes, traces, snapshots: what is drawn; searching, placement,
                 unit_question: before a stream is connected; simulator
Calibrate        calibration; calibration_score: accuracy so far; outside: cues that others give
Features         analyses; analysis_tasks: what its worker does; choice, trial_states
Train            training; attempt_shelf, attempts: what was trained; comparing: what its worker
                 does; training_rows, decoder_choices
Online           feedback; feedback_now, online_account: what is shown; free_run, adaptation
Report           reports
===============  ==================================================================================
"""

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
