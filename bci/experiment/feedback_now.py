"""What an online run lets one see at a moment: feedback that may be shown, and how late it is."""

from dataclasses import dataclass

from bci.online import Decision, LatencyReport

__all__ = ["NOT_YET", "NO_RUN", "Feedback", "LatencyNow"]

#: Why there is nothing to show beside a decision's own reasons: no run goes on; its first window
#: is not full yet.
NO_RUN, NOT_YET = "no run", "not yet"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What feedback may show at this moment.

    Attributes
    ----------
    classes : tuple of str
        Of the decoder.
    evidence : tuple of float or None
        Smoothed probabilities in the order of `classes`; None: nothing may be shown.
    withheld : str
        Why: a `Decision.reason`, `NO_RUN` or `NOT_YET`; empty: it is not.
    decided : str or None
        The class that was decided in this trial; in a free run, just now.
    decision : Decision or None
        What it rests on.
    age_s : float
        Since it was made (s); NaN without one.
    """

    classes: tuple[str, ...] = ()
    evidence: tuple[float, ...] | None = None
    withheld: str = NO_RUN
    decided: str | None = None
    decision: Decision | None = None
    age_s: float = float("nan")


@dataclass(frozen=True, slots=True)
class LatencyNow:
    """How late decisions are, in short.

    Attributes
    ----------
    report : LatencyReport
    """

    report: LatencyReport

    @property
    def median_ms(self) -> float | None:
        """From a sample's time stamp to the decision (ms); None before the first."""
        return self._of("command", "median")

    @property
    def p99_ms(self) -> float | None:
        """What one decision in a hundred exceeds (ms)."""
        return self._of("command", "p99")

    @property
    def screen_median_ms(self) -> float | None:
        """From a sample's time stamp to the person's screen (ms), where it was noted."""
        return self._of("system", "median")

    def _of(self, stage: str, name: str) -> float | None:
        spread = self.report.stages.get(stage)
        return None if spread is None else float(getattr(spread, name))
