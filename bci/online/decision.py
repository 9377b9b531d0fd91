"""A decision, with the account of how it came about and how late it is."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from bci.config import OnlineSettings

__all__ = ["LATE", "NO_SIGNAL", "OVERRAN", "STALE", "Decision", "DecisionRule", "Presentation"]

#: Reasons against a decision that are a matter of time: its newest sample was older than allowed;
#: a newer hop was complete before it was begun; it took longer than a hop.
STALE, LATE, OVERRAN = "stale", "late", "overran"
#: Nothing comes from the amplifier.
NO_SIGNAL = "no signal"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the decoder said after one hop.

    Attributes
    ----------
    sample : int
        End of the window: its newest sample is ``sample - 1``, counted as the source counts.
    time_s : float
        LSL time of the newest sample.
    probabilities : tuple of float or None
        Of the classes, in the model's order; None when the window was not decoded.
    smoothed : tuple of float or None
        What feedback may show. None when the window was not decoded, or when that took longer
        than a hop: by then it is feedback on old data.
    label : str or None
        The class decided, if one was.
    reason : str
        Why there is no decision; empty when there is one.
    visible_s : float
        LSL clock: the newest sample was in the ring. Acquisition ends here, processing begins.
    started_s, decoded_s : float
        The decoder began; probabilities and class were there.
    issued_s : float
        The command was issued: all outputs had been called. Processing ends here. When the
        screen showed it is known later, elsewhere: see `Presentation`.

    Notes
    -----
    The stages are BCI2000's (Wilson, Mellinger, Schalk and Williams, IEEE Trans. Biomed. Eng. 57,
    2010), named in `account`. All stamps are NaN in a replay, where they mean nothing.
    """

    sample: int
    time_s: float
    probabilities: tuple[float, ...] | None
    smoothed: tuple[float, ...] | None
    label: str | None
    reason: str
    visible_s: float = math.nan
    started_s: float = math.nan
    decoded_s: float = math.nan
    issued_s: float = math.nan

    @property
    def latency_s(self) -> float:
        """From the newest sample's time stamp to the outputs."""
        return self.issued_s - self.time_s

    @property
    def acquisition_s(self) -> float:
        """From the newest sample's time stamp to its being visible in the ring."""
        return self.visible_s - self.time_s

    @property
    def processing_s(self) -> float:
        """From the newest sample's being visible to the command."""
        return self.issued_s - self.visible_s

    def account(self) -> dict[str, float]:
        """Return the stages of the latency (s).

        ``acquisition`` and ``processing`` add up to `latency_s`; ``queueing``, ``computing`` and
        ``output`` to ``processing``.
        """
        return {
            "acquisition": self.acquisition_s,
            "processing": self.processing_s,
            "queueing": self.started_s - self.visible_s,
            "computing": self.decoded_s - self.started_s,
            "output": self.issued_s - self.decoded_s,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, with None for the stamps that do not exist (JSON has no NaN)."""
        fields = asdict(self)
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in fields.items()
        }


@dataclass(frozen=True, slots=True)
class Presentation:
    """When a decision reached the person; known only after its command was issued.

    Attributes
    ----------
    sample : int
        Of the decision.
    shown_s : float
        LSL clock: the frame that shows it was swapped.
    lit_s : float
        A photodiode saw it, where there is one; presentation then ends here.
    """

    sample: int
    shown_s: float
    lit_s: float = math.nan

    @property
    def ended_s(self) -> float:
        """When presentation ended, as well as that is known."""
        return self.shown_s if math.isnan(self.lit_s) else self.lit_s


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
