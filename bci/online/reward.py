"""Rewards that come from outside: right or wrong, by a detector over LSL or by key.

A reward means the newest trial whose cue came before it, and counts once. Whatever a sender does
wrong is counted, said, and changes nothing:

- none comes: after `_SAY_MISSED` trials in a row that is said once, until one comes again;
- it floods: more than `_MOST_PER_S` within a second are dropped;
- it contradicts itself (right, and wrong, for one trial): the first stands;
- it comes before any trial, or so late that the trial's signal is gone: dropped.

A reward that is false cannot be seen; that is what the arms' ``flips`` and their guard are for.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bci.acquisition.markers import MarkerThread
from bci.events import Marker
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerInlet

__all__ = ["RewardDesk", "RewardListener", "reward_of"]

_log = logging.getLogger(__name__)

_MOST_PER_S = 20
_SAY_MISSED = 5
_KEPT = 4

_WORDS = {"right": 1.0, "correct": 1.0, "wrong": 0.0, "error": 0.0, "incorrect": 0.0}


def reward_of(label: str) -> float | None:
    """Return the reward that a marker says; None when it says none.

    Examples
    --------
    >>> [reward_of(text) for text in ("1", "0.0", "wrong", "left_hand", "7")]
    [1.0, 0.0, 0.0, None, None]
    """
    if label.lower() in _WORDS:
        return _WORDS[label.lower()]
    try:
        value = float(label)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


@dataclass(slots=True)
class _Trial:
    """A trial for which a reward may come."""

    cue_s: float
    reward: float | None = None
    told: Callable[[float], Any] | None = None


class RewardDesk:
    """Brings rewards and trials together; its methods may be called from any thread.

    Parameters
    ----------
    latest_s : float
        A reward so long after its trial's cue is too late (s).
    on_notice : callable
        Called with a line when a sender does something wrong.
    """

    def __init__(self, latest_s: float, on_notice: Callable[[str], Any]) -> None:
        self._latest_s, self._on_notice = latest_s, on_notice
        self._lock = threading.Lock()
        self._trials: deque[_Trial] = deque(maxlen=_KEPT)
        self._recent: deque[float] = deque(maxlen=_MOST_PER_S)
        self._n_missed = 0
        self._said: set[str] = set()
        #: What came: ``used``, ``missed`` (trials), and what was dropped, by reason.
        self.counts: Counter[str] = Counter()

    def trial_began(self, cue_s: float) -> None:
        """Take a cue's time (LSL clock, s)."""
        text = ""
        with self._lock:
            if self._trials and self._trials[-1].reward is None:
                self.counts["missed"] += 1
                self._n_missed += 1
                if self._n_missed == _SAY_MISSED:
                    text = (
                        f"no reward has come for {_SAY_MISSED} trials, nothing is learned until "
                        "one does: is its sender running?"
                    )
            self._trials.append(_Trial(cue_s))
        if text:
            self._on_notice(text)

    def trial_over(self, cue_s: float, told: Callable[[float], Any]) -> None:
        """Take a trial that is over; `told` is called once with its reward, now or later."""
        with self._lock:
            trial = next((t for t in self._trials if abs(t.cue_s - cue_s) < 1e-6), None)
            if trial is None:
                return
            trial.told = told
            reward = trial.reward
        if reward is not None:
            told(reward)

    def take(self, label: str, time_s: float) -> None:
        """Take what a sender said, and when (LSL clock, s)."""
        told, text = None, ""
        with self._lock:
            value = reward_of(label)
            reason = self._reason_against(value, time_s)
            if reason:
                text = self._dropped(reason, label)
            elif value is not None:
                trial = self._meant(time_s)
                if trial is not None:
                    trial.reward, told = value, trial.told
                self._n_missed = 0
                self.counts["used"] += 1
        if text:
            self._on_notice(text)
        if told is not None and value is not None:
            told(value)

    def _meant(self, time_s: float) -> _Trial | None:
        return next((t for t in reversed(self._trials) if t.cue_s <= time_s), None)

    def _reason_against(self, value: float | None, time_s: float) -> str:
        if len(self._recent) == _MOST_PER_S and abs(time_s - self._recent[0]) < 1.0:
            return "flood"
        self._recent.append(time_s)
        if value is None:
            return "unknown"
        trial = self._meant(time_s)
        if trial is None:
            return "early"
        if trial.reward is not None:
            return "repeated" if trial.reward == value else "contradicted"
        return "late" if time_s - trial.cue_s > self._latest_s else ""

    def _dropped(self, reason: str, label: str) -> str:
        """Count it; return what is to be said of it, at its first time."""
        self.counts[reason] += 1
        if reason in self._said or reason == "repeated":
            return ""
        self._said.add(reason)
        return {
            "flood": f"the reward stream floods: more than {_MOST_PER_S} a second are dropped",
            "unknown": f"the reward stream sends {label!r}: send 1 (right) or 0 (wrong)",
            "early": "a reward came before any trial: dropped",
            "late": f"a reward came more than {self._latest_s:.1f} s after its cue: dropped",
            "contradicted": "the reward stream contradicts itself: the first reward of a trial "
            "stands",
        }[reason]


class RewardListener:
    """Listens to an LSL stream of rewards, one string or number a sample: 1 right, 0 wrong.

    Parameters
    ----------
    query : StreamQuery
    desk : RewardDesk
    on_notice : callable
        Called with what to say when the stream is gone, and back.

    Raises
    ------
    StreamError
        When there is no such stream, or several.
    """

    def __init__(
        self,
        query: StreamQuery,
        desk: RewardDesk,
        on_notice: Callable[[str], None] = _log.warning,
        timeout_s: float = 5.0,
    ) -> None:
        self._desk = desk
        self._thread = MarkerThread(MarkerInlet(query, timeout_s), self._take, on_notice)
        self._thread.start()

    def _take(self, marker: Marker) -> None:
        self._desk.take(marker.label, marker.time_s)

    def stop(self) -> None:
        """Listen no more; more than once is harmless."""
        self._thread.stop()
