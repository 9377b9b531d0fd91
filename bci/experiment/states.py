"""Where an experiment is, and what it says on its way."""

import enum
import logging

from psygnal import EmitLoopError, Signal, SignalGroup, SignalInstance

from bci.errors import InputError
from bci.events import Marker
from bci.online import Decision, TrialOutcome
from bci.paradigm import Step

__all__ = ["ExperimentError", "ExperimentEvents", "State", "tell"]

_log = logging.getLogger(__name__)


class State(enum.Enum):
    """Where an experiment is."""

    IDLE = "idle"
    MONITORING = "monitoring"
    CALIBRATING = "calibrating"
    TRAINED = "trained"
    ONLINE = "online"
    CLOSED = "closed"


class ExperimentError(InputError):
    """Something was asked for that the state of the experiment does not allow."""


class ExperimentEvents(SignalGroup):
    """What happens, in the past tense."""

    state_changed = Signal(State)
    noticed = Signal(str)
    step_reached = Signal(Step, float)
    cue_received = Signal(str)
    marker_received = Signal(Marker)
    decision_made = Signal(Decision)
    trial_finished = Signal(TrialOutcome)
    training_progressed = Signal(int, int)


def tell(signal: SignalInstance, *what: object) -> None:
    """Tell the listeners; one that fails is logged, and the experiment goes on."""
    try:
        signal.emit(*what)
    except EmitLoopError:
        _log.exception("a listener of %s failed", signal.name)
