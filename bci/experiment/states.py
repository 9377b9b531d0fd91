"""Where an experiment is, and what it says on its way."""

import enum
import logging
import time
from dataclasses import dataclass, field

from psygnal import EmitLoopError, Signal, SignalGroup, SignalInstance

from bci.errors import InputError
from bci.events import Marker
from bci.paradigm.graz import Step

__all__ = [
    "ActiveRun",
    "ExperimentError",
    "ExperimentEvents",
    "Notice",
    "Readiness",
    "State",
    "tell",
]

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
    #: `bci.online.Decision`
    decision_made = Signal(object)
    #: `bci.online.TrialOutcome`
    trial_finished = Signal(object)
    training_progressed = Signal(int, int)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the clinician should know.

    Attributes
    ----------
    text : str
        One line: what, and what to do.
    level : {"info", "caution", "trouble"}
    step : str
        Where it belongs; empty: everywhere.
    at_s : float
        `time.time`.
    """

    text: str
    level: str = "info"
    step: str = ""
    at_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a step is done, can be done, or why it cannot."""

    done: bool
    why_not: str = ""

    @property
    def ready(self) -> bool:
        """Whether it can be done."""
        return not self.why_not


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run that is going on."""

    kind: str
    began_s: float


def tell(signal: SignalInstance, *what: object) -> None:
    """Tell the listeners; one that fails is logged, and the experiment goes on."""
    try:
        signal.emit(*what)
    except EmitLoopError:
        _log.exception("a listener of %s failed", signal.name)
