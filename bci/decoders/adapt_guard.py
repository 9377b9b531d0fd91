"""A guard over an arm: what goes wrong is taken back.

The trained decoder decides the same trials in the shadow. After each trial whose outcome is known,
the difference d of what the two got right (-1, 0 or 1) is taken into two accounts:

- the running score ``s <- s + (d - s) / memory``, the exponential average by which the arm is ahead
  of the trained decoder, or behind;
- the evidence that it is worse, ``R <- (R + 1) (1 - bet d)``: the Shiryaev-Roberts e-detector
  (Shin, Ramdas and Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change
  detection", New England J Stat Data Sci 2(2), definition 2.2 with the e-values of a bet).

The arm is taken back to its last good state when s is below -margin *and* R is `limit` or more.
While the arm is as good as the trained decoder or better, whatever either gets right and however
trials depend on the past, ``R - n`` is a supermartingale: the chance that an alarm is raised
falsely within n trials is at most ``n / limit``, and between false alarms lie `limit` trials or
more on average. By default that is 10 % in a session of 100 trials, a bound that holds always.
Measured, an arm that is as often right as the shadow and independent of it: 2 to 5 % of sessions of
100 trials, 17 to 21 % of 300 (bound 30 %). An arm at 20, 40, 50 and 60 % accuracy where the shadow
has 80 % is taken back after 22, 32, 42 and 60 trials (medians).

What the guard sees is what is told: rewards that have nothing to do with what was decided say of
neither that it is worse, and no guard that knows them alone can tell.

A state is good when from its trial on the running score stayed above 0 for `memory` trials: it
remembers about so long, and a state that has just gone wrong has a good score still. If the arm
falls behind again before it was good, it goes back to the trained decoder and learns no more in
this session.

With a label every outcome is known. With a reward alone it is known of the arm; of the shadow where
it chose the same class, where the arm was right, or of two classes. Else the shadow is credited
with the probability that it was right, by its own account, given that the arm's class was wrong:
to leave such trials out would leave out every trial that the arm alone got wrong.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bci.decoders.adapt import Adapter, Revealed
from bci.decoders.base import F64

__all__ = ["BET", "LIMIT", "MARGIN", "MEMORY", "GuardedAdapter"]

#: Trials over which the running score remembers.
MEMORY = 20
#: How far behind the trained decoder is too far (accuracy).
MARGIN = 0.05
#: What the evidence must reach.
LIMIT = 1000.0
#: What each trial risks of the evidence.
BET = 0.5


class GuardedAdapter:
    """An arm that is taken back to its last good state when the trained decoder does better.

    Parameters
    ----------
    adapter : Adapter
        The arm; it belongs to the guard from now on.
    shadow : Adapter
        The trained decoder, frozen.
    memory, margin, limit, bet
        See the module.
    """

    def __init__(
        self,
        adapter: Adapter,
        shadow: Adapter,
        *,
        memory: float = MEMORY,
        margin: float = MARGIN,
        limit: float = LIMIT,
        bet: float = BET,
    ) -> None:
        self._adapter, self._shadow = adapter, shadow
        self._memory, self._margin, self._limit, self._bet = memory, margin, limit, bet
        self._start = adapter.copy()
        self._good = self._start
        self._ahead, self._evidence = 0.0, 0.0
        self._hits, self._shadow_hits, self._n = 0.0, 0.0, 0
        self._candidate: Adapter | None = None
        self._n_ahead = 0
        self._was_good, self._reverted, self._ended = False, 0, False

    @property
    def name(self) -> str:
        """Name of the arm."""
        return self._adapter.name

    @property
    def guarded(self) -> Adapter:
        """The arm."""
        return self._adapter

    @property
    def n_reverted(self) -> int:
        """How often the arm was taken back."""
        return self._reverted

    @property
    def ended(self) -> bool:
        """Whether the arm learns no more."""
        return self._ended

    @property
    def effect(self) -> dict[str, Any]:
        """What adaptation comes to so far.

        Returns
        -------
        dict
            ``n`` trials whose outcome is known, ``adapted`` and ``frozen`` (accuracy on them, None
            without any), ``ahead`` (running score, adapted less frozen), ``reverted``, ``ended``.
        """
        return {
            "n": self._n,
            "adapted": self._hits / self._n if self._n else None,
            "frozen": self._shadow_hits / self._n if self._n else None,
            "ahead": self._ahead,
            "reverted": self._reverted,
            "ended": self._ended,
        }

    def probabilities(self, windows: F64) -> F64:
        """Return the arm's class probabilities; see `Adapter`."""
        return self._adapter.probabilities(windows)

    def observe(self, windows: F64) -> None:
        """Let the arm follow the signal; see `Adapter`."""
        if not self._ended:
            self._adapter.observe(windows)

    def reveal(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        """Compare, take back or learn; see `Adapter`."""
        if revealed.label is None and revealed.reward is None:
            if not self._ended:
                self._learn(windows, chosen, revealed)
            return
        p = _decided(self._shadow.probabilities(windows))
        other = int(np.argmax(p))
        hit, shadow_hit = _hits(p, chosen, other, revealed)
        d = hit - shadow_hit
        ahead = self._ahead + (d - self._ahead) / self._memory
        evidence = (self._evidence + 1) * (1 - self._bet * d)
        behind = not self._ended and ahead < -self._margin and evidence >= self._limit
        if behind:
            ended = self._reverted > 0 and not self._was_good
            self._adapter = (self._start if ended else self._good).copy()
            self._good, self._ended, self._candidate = self._start, ended, None
            self._was_good, self._reverted = False, self._reverted + 1
            ahead, evidence = 0.0, 0.0
        elif not self._ended:
            decided = self._adapter
            self._learn(windows, chosen, revealed)
            self._consider(decided, ahead)
        self._ahead, self._evidence = ahead, evidence
        self._hits += hit
        self._shadow_hits += shadow_hit
        self._n += 1

    def _consider(self, decided: Adapter, ahead: float) -> None:
        """Take the state that has decided into account as one to go back to."""
        if ahead <= 0:
            self._candidate = None
        elif self._candidate is None:
            self._candidate, self._n_ahead = decided, 0
        else:
            self._n_ahead += 1
            if self._n_ahead >= self._memory:
                self._good, self._was_good, self._candidate = self._candidate, True, None

    def _learn(self, windows: F64, chosen: int, revealed: Revealed) -> None:
        learned = self._adapter.copy()
        learned.reveal(windows, chosen, revealed)
        self._adapter = learned

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, by the arm and by the guard, exactly, for JSON."""
        return {
            "arm": self.name,
            "adapter": self._adapter.state,
            "good": self._good.state,
            "candidate": None if self._candidate is None else self._candidate.state,
            "n_ahead": self._n_ahead,
            "ahead": self._ahead,
            "evidence": self._evidence,
            "hits": self._hits,
            "shadow_hits": self._shadow_hits,
            "n": self._n,
            "was_good": self._was_good,
            "reverted": self._reverted,
            "ended": self._ended,
        }

    def carry_on(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another guard over the same arm and model."""
        adapter, good = self._adapter.copy(), self._start.copy()
        adapter.carry_on(state["adapter"])
        good.carry_on(state["good"])
        candidate, kept = None, state["candidate"]
        if kept is not None:
            candidate = self._start.copy()
            candidate.carry_on(kept)
        numbers = [float(state[name]) for name in ("ahead", "evidence", "hits", "shadow_hits")]
        counts = int(state["n"]), int(state["reverted"]), int(state["n_ahead"])
        self._was_good, self._ended = bool(state["was_good"]), bool(state["ended"])
        self._adapter, self._good, self._candidate = adapter, good, candidate
        self._ahead, self._evidence, self._hits, self._shadow_hits = numbers
        self._n, self._reverted, self._n_ahead = counts

    def copy(self) -> "GuardedAdapter":
        """Return a guard over a copy of the arm that goes on from here by itself."""
        # The shadow is frozen and the snapshots are never changed: they are shared.
        other = object.__new__(GuardedAdapter)
        other.__dict__.update(self.__dict__ | {"_adapter": self._adapter.copy()})
        return other


def _decided(p: F64) -> F64:
    """Return a trial's probabilities from its windows': the mean of their logarithms, as shares."""
    logs = np.log(np.maximum(p, 1e-12)).mean(axis=0)
    shares = np.exp(logs - logs.max())
    mean: F64 = shares / shares.sum()
    return mean


def _hits(p: F64, chosen: int, other: int, revealed: Revealed) -> tuple[float, float]:
    """Return whether the arm was right and whether the shadow was, or how probably."""
    if revealed.label is not None:
        return float(chosen == revealed.label), float(other == revealed.label)
    hit = min(max(float(revealed.reward or 0.0), 0.0), 1.0)
    if other == chosen:
        return hit, hit
    # Of two classes the rest is all on the shadow's class: exact.
    return hit, (1 - hit) * float(p[other] / max(1 - p[chosen], 1e-12))
