"""How late decisions are, and where the time goes: the one place that computes it.

In BCI2000's terms (Wilson, Mellinger, Schalk and Williams, IEEE Trans. Biomed. Eng. 57, 2010):

==============  ==============================================================================
stage           from ... to
==============  ==============================================================================
amplifier       the electrode to the sample's time stamp: what LSL cannot see, a constant of the
                device that somebody measured (`bci.sources.devices`)
acquisition     the time stamp of a hop's newest sample to its being visible in the ring
processing      visible to the command; its parts: ``queueing`` (until the decoder began),
                ``computing``, ``output`` (until all outputs had been called)
command         amplifier, acquisition and processing together: what a program that listens has
presentation    the command to the frame's swap, or to the light where a photodiode saw it
system          command and presentation together: what the person has
==============  ==============================================================================

Three lengths are no latencies, but are felt as such, and are told beside them: of a chunk (how
long the first of its samples waited for the last), of a hop (the longest wait for the next
decision) and of a window (how much of the past a decision rests on).
"""

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from bci.online.decision import LATE, OVERRAN, STALE, Decision, Presentation

__all__ = ["LatencyAccount", "LatencyReport", "Lengths", "Spread", "Tally"]

#: Stages of a decision, in the order of the way; those that add up to ``processing`` after it.
STAGES = (
    "amplifier",
    "acquisition",
    "processing",
    "queueing",
    "computing",
    "output",
    "command",
    "presentation",
    "system",
)

# Quantiles come from counts in bins that are this wide, relative to the value, and finer than a
# microsecond near zero: memory stays flat over a day, at a relative error of half a per cent.
_BIN = 0.01
_FINEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class Spread:
    """How a time is distributed; all in ms.

    Attributes
    ----------
    median, p99, worst, mean, sd : float
    n : int
    """

    median: float
    p99: float
    worst: float
    mean: float
    sd: float
    n: int


class Tally:
    """A distribution of times that is added to one by one, in flat memory.

    Examples
    --------
    >>> tally = Tally()
    >>> for ms in range(1, 101):
    ...     tally.add(ms / 1000)
    >>> spread = tally.spread()
    >>> spread.n, spread.worst, round(spread.mean, 6), abs(spread.median - 50.5) < 1
    (100, 100.0, 50.5, True)
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.n = 0
        self._mean_s = self._squares = 0.0
        self._least_s, self._worst_s = math.inf, -math.inf

    def add(self, time_s: float) -> None:
        """Take one time (s); one that is no number is passed over."""
        if not math.isfinite(time_s):
            return
        self.n += 1
        step = time_s - self._mean_s
        self._mean_s += step / self.n
        self._squares += step * (time_s - self._mean_s)
        self._least_s = min(self._least_s, time_s)
        self._worst_s = max(self._worst_s, time_s)
        size = round(math.log1p(abs(time_s) / _FINEST_S) / _BIN)
        self._counts[size if time_s >= 0 else -size] += 1

    def quantile(self, q: float) -> float:
        """Return the smallest time (s) that a share `q` of all does not exceed; NaN of none."""
        wanted, seen = max(1, math.ceil(q * self.n)), 0
        for key in sorted(self._counts):
            seen += self._counts[key]
            if seen >= wanted:
                value = math.copysign(_FINEST_S * math.expm1(abs(key) * _BIN), key)
                return min(max(value, self._least_s), self._worst_s)
        return math.nan

    def spread(self) -> Spread | None:
        """Return what it comes to; None of nothing."""
        if not self.n:
            return None
        return Spread(
            median=1e3 * self.quantile(0.5),
            p99=1e3 * self.quantile(0.99),
            worst=1e3 * self._worst_s,
            mean=1e3 * self._mean_s,
            sd=1e3 * math.sqrt(self._squares / self.n),
            n=self.n,
        )


@dataclass(frozen=True, slots=True)
class Lengths:
    """What is no latency, but is felt as one (ms); NaN where it is not known.

    Attributes
    ----------
    chunk, hop, window : float
    """

    chunk: float = math.nan
    hop: float = math.nan
    window: float = math.nan


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """What an account comes to.

    Attributes
    ----------
    stages : dict of str to Spread
        Those of `STAGES` that are known; of issued decisions only.
    lengths : Lengths
    n_decisions, n_issued : int
        Hops accounted for; and those whose decision, or reason for none, was in time.
    n_late : int
        Dropped undecoded: a newer hop was there, or the newest sample was too old.
    n_overran : int
        Decoded, but withheld: it took longer than a hop.
    n_slow : int
        Issued, after more than three quarters of a hop.
    """

    stages: dict[str, Spread]
    lengths: Lengths = field(default_factory=Lengths)
    n_decisions: int = 0
    n_issued: int = 0
    n_late: int = 0
    n_overran: int = 0
    n_slow: int = 0

    @property
    def whole(self) -> Spread | None:
        """The whole way, as far as it is known; None when no decision was issued."""
        return self.stages.get("system", self.stages.get("command"))

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: times in ms, None where there are none."""
        return {
            **{name: asdict(self.stages[name]) if name in self.stages else None for name in STAGES},
            "lengths": {
                name: value if math.isfinite(value) else None
                for name, value in asdict(self.lengths).items()
            },
            "n_decisions": self.n_decisions,
            "n_issued": self.n_issued,
            "n_late": self.n_late,
            "n_overran": self.n_overran,
            "n_slow": self.n_slow,
        }

    def line(self) -> str:
        """Say it in a line, for people."""
        whole = self.whole
        if whole is None:
            return "no decision was issued"
        late = self.n_late + self.n_overran
        dropped = f"; {late} too late and withheld" if late else ""
        return (
            f"median {whole.median:.1f} ms, p99 {whole.p99:.1f} ms, worst {whole.worst:.1f} ms "
            f"({whole.n} decisions{dropped})"
        )


class LatencyAccount:
    """Adds decisions up as they are issued; memory does not grow with their number.

    One thread writes. Another may ask for the report at the price of a decision that is counted in
    some stages and not yet in others.

    Parameters
    ----------
    hop_s : float
        By which a decision is slow.
    amplifier_s : float or None
        Age of a sample at its time stamp, where it was measured.
    """

    #: Share of a hop from which a decision is slow.
    SLOW = 0.75

    def __init__(self, hop_s: float = math.inf, amplifier_s: float | None = None) -> None:
        self._hop_s, self._amplifier_s = hop_s, amplifier_s
        self._tallies = {name: Tally() for name in STAGES}
        self._reasons: Counter[str] = Counter()
        self._n_decisions = self._n_slow = 0

    def is_slow(self, decision: Decision) -> bool:
        """Whether a decision took more than three quarters of a hop, and is issued all the same."""
        return decision.smoothed is not None and decision.processing_s > self.SLOW * self._hop_s

    def add(self, decision: Decision) -> None:
        """Take a decision after it was issued."""
        self._n_decisions += 1
        if decision.reason in (LATE, STALE, OVERRAN):
            self._reasons[decision.reason] += 1
        self._n_slow += self.is_slow(decision)
        if decision.smoothed is None:
            return
        for name, time_s in decision.account().items():
            self._tallies[name].add(time_s)
        if self._amplifier_s is not None:
            self._tallies["amplifier"].add(self._amplifier_s)
        self._tallies["command"].add(decision.latency_s + (self._amplifier_s or 0.0))

    def add_presentation(self, decision: Decision, presentation: Presentation) -> None:
        """Take when a decision that was issued reached the person."""
        self._tallies["presentation"].add(presentation.ended_s - decision.issued_s)
        whole_s = presentation.ended_s - decision.time_s + (self._amplifier_s or 0.0)
        self._tallies["system"].add(whole_s)

    def report(self, lengths: Lengths | None = None) -> LatencyReport:
        """Return what it comes to so far."""
        spreads = {name: tally.spread() for name, tally in self._tallies.items()}
        late = self._reasons[LATE] + self._reasons[STALE]
        overran = self._reasons[OVERRAN]
        return LatencyReport(
            stages={name: spread for name, spread in spreads.items() if spread is not None},
            lengths=lengths or Lengths(hop=1e3 * self._hop_s),
            n_decisions=self._n_decisions,
            n_issued=self._n_decisions - late - overran,
            n_late=late,
            n_overran=overran,
            n_slow=self._n_slow,
        )
