"""Speaking of decisions that are late: at once, and then not more often than anyone can read."""

from collections.abc import Callable
from typing import Any

from bci.online.decision import LATE, OVERRAN, STALE, Decision
from bci.online.latency import LatencyAccount

__all__ = ["LateSpeaker"]

#: Between two notices of the same kind (s).
_QUIET_S = 10.0


class LateSpeaker:
    """Watches issued decisions and says when they are slow, withheld or dropped.

    Parameters
    ----------
    hop_s : float
    say : callable
        Called with a line: for the first of each kind, and after ten seconds with how many there
        were.
    clock : callable
        (s).
    """

    def __init__(self, hop_s: float, say: Callable[[str], Any], clock: Callable[[], float]) -> None:
        self._hop_s, self._say, self._clock = hop_s, say, clock
        self._slow_s = LatencyAccount.SLOW * hop_s
        self._unsaid: dict[str, int] = {}
        self._said_s: dict[str, float] = {}

    def take(self, decision: Decision) -> None:
        """Take a decision after it was issued."""
        took_ms, hop_ms = 1e3 * decision.processing_s, 1e3 * self._hop_s
        if decision.reason == OVERRAN:
            self._note(
                OVERRAN,
                f"a decision took {took_ms:.0f} ms, longer than a hop "
                f"({hop_ms:.0f} ms): it is withheld",
            )
        elif decision.reason == LATE:
            self._note(
                LATE,
                "the decoder is behind the signal: a hop was dropped undecoded, "
                "since a newer one was there",
            )
        elif decision.reason == STALE:
            age_ms = 1e3 * (decision.started_s - decision.time_s)
            self._note(
                STALE,
                f"the newest sample was {age_ms:.0f} ms old when it came: it is not decided on",
            )
        elif decision.smoothed is not None and decision.processing_s > self._slow_s:
            self._note(
                "slow",
                f"a decision took {took_ms:.0f} ms, over three quarters of a hop "
                f"({hop_ms:.0f} ms): use a longer hop, fewer channels or a smaller order",
            )

    def _note(self, kind: str, text: str) -> None:
        self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
        now = self._clock()
        if now - self._said_s.get(kind, -_QUIET_S) < _QUIET_S:
            return
        n, self._unsaid[kind], self._said_s[kind] = self._unsaid[kind], 0, now
        self._say(text if n == 1 else f"{text} ({n} such since it was last said)")
