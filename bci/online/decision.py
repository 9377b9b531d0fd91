"""A decision, with the account of how it came about and how late it is."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from bci.config import OnlineSettings

__all__ = ["Decision", "DecisionRule"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the decoder said after one hop.

    Attributes
    ----------
    sample : int
        End of the window: its newest sample is ``sample - 1``, counted as the source counts.
    time_s : float
        LSL time of the newest sample.
    probabilities, smoothed : tuple of float, or None
        Of the classes, in the model's order; None when the window was not decoded.
    label : str or None
        The class decided, if one was.
    reason : str
        Why there is no decision; empty when there is one.
    visible_s, started_s, computed_s, issued_s : float
        LSL clock: the newest sample was in the ring; the decoder began; probabilities were
        there; the outputs had been called. All NaN in a replay, where they mean nothing.
    """

    sample: int
    time_s: float
    probabilities: tuple[float, ...] | None
    smoothed: tuple[float, ...] | None
    label: str | None
    reason: str
    visible_s: float = math.nan
    started_s: float = math.nan
    computed_s: float = math.nan
    issued_s: float = math.nan

    @property
    def latency_s(self) -> float:
        """From the newest sample's time stamp to the outputs."""
        return self.issued_s - self.time_s

    def account(self) -> dict[str, float]:
        """Return the parts of the latency (s): sample age at arrival, queueing, computing, output.

        They add up to `latency_s`.
        """
        return {
            "sample_age_s": self.visible_s - self.time_s,
            "queueing_s": self.started_s - self.visible_s,
            "computing_s": self.computed_s - self.started_s,
            "output_s": self.issued_s - self.computed_s,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, with None for the stamps that do not exist (JSON has no NaN)."""
        fields = asdict(self)
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in fields.items()
        }


class DecisionRule:
    """Turns smoothed probabilities into a class, or the reason for none.

    A class is decided when its probability has been at least the threshold for the dwell time,
    and not within the refractory time after another decision.

    Parameters
    ----------
    settings : OnlineSettings
    hop_s : float
    classes : tuple of str
    """

    def __init__(self, settings: OnlineSettings, hop_s: float, classes: tuple[str, ...]) -> None:
        self._threshold = settings.threshold
        self._dwell_hops = round(settings.dwell_s / hop_s)
        self._refractory_hops = round(settings.refractory_s / hop_s)
        self._classes = classes
        self.restart()

    def restart(self) -> None:
        """Forget what was held and decided before."""
        self._held: str | None = None
        self._held_hops = 0
        self._rest_hops = 0

    def skip(self) -> None:
        """Take a hop without probabilities: what was held is interrupted, the rest goes on."""
        self._held, self._held_hops = None, 0
        self._rest_hops = max(0, self._rest_hops - 1)

    def decide(self, smoothed: tuple[float, ...]) -> tuple[str | None, str]:
        """Return the class decided, or None and the reason."""
        best = max(range(len(smoothed)), key=smoothed.__getitem__)
        resting = self._rest_hops > 0
        self._rest_hops = max(0, self._rest_hops - 1)
        if smoothed[best] < self._threshold:
            self._held, self._held_hops = None, 0
            return None, "below threshold"
        if self._held != self._classes[best]:
            self._held, self._held_hops = self._classes[best], 0
        else:
            self._held_hops += 1
        if self._held_hops < self._dwell_hops:
            return None, "dwelling"
        if resting:
            return None, "refractory"
        self._rest_hops = self._refractory_hops
        return self._held, ""
