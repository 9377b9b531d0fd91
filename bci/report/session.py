"""What a report is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from bci.config import OnlineSettings
from bci.decoders import Model
from bci.online import Decision, LatencyReport, TrialOutcome
from bci.sources.recording import Recording

__all__ = ["SessionSummary"]


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What a report is made of.

    Attributes
    ----------
    title : str
    model : Model
    calibrations : sequence of Recording
        What the model was trained on.
    trials : sequence of TrialOutcome
        Of the online run.
    decisions : sequence of Decision
    online : OnlineSettings
    notes : sequence of (name, value)
        What else the first page should say.
    latency : LatencyReport or None
        None for a replay, which has none.
    """

    title: str
    model: Model
    calibrations: Sequence[Recording]
    trials: Sequence[TrialOutcome]
    decisions: Sequence[Decision]
    online: OnlineSettings
    notes: Sequence[tuple[str, str]] = ()
    latency: LatencyReport | None = None
