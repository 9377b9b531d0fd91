"""Learning while decoding: a trial is revealed, a thread learns, a hop boundary swaps it in.

The decoder's thread owns the arm that decides. When a trial has been revealed, it copies the arm at
the boundary behind a hop (`Update.asked`) and hands the copy, with the trial's windows, to a thread
of its own, which learns. At the boundary behind the first hop by which that is done
(`Update.sample`) the copy, having observed the windows that came meanwhile, takes the place of the
arm: whole, and after that hop's decision was handed out. A copy that raised is dropped and the arm
decides on. One trial is learned at a time, in the order in which they were revealed.

The samples of both boundaries, what was revealed, and the ends of the trial's windows are all that
a replay needs to do the same: it learns at `asked` and swaps at `sample`.

An arm that raises while it decides or observes (a plugin's may) is out: the trained decoder goes on
from that very hop.
"""

import hashlib
import json
import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bci.decoders.adapt import Adapter, Revealed
from bci.decoders.adapt_arms import ModelAdapter
from bci.decoders.adapt_guard import GuardedAdapter
from bci.decoders.base import F64
from bci.decoders.model import Model
from bci.online.tail import SignalTail
from bci.signal import hop_samples, span_ends, window_samples

__all__ = ["Adaptation", "Ask", "Update", "capacity_samples", "state_hash"]

_log = logging.getLogger(__name__)

#: Windows of a trial that are learned from, at most.
_MOST_WINDOWS = 16
#: Trials that wait to be learned from, at most.
_MOST_WAITING = 8
#: How long after its end a trial can still be revealed (s).
LATEST_S = 5.0


def state_hash(state: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what an arm has learned."""
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def capacity_samples(model: Model) -> int:
    """Return how much of the signal must be held for trials that are revealed late."""
    _, until = span_ends(model.epochs, model.rate_hz)
    length = window_samples(model.epochs, model.rate_hz)
    return until + length + round(LATEST_S * model.rate_hz)


@dataclass(frozen=True, slots=True)
class Ask:
    """A trial that was revealed.

    Attributes
    ----------
    trial : int
        Sample nearest to its cue.
    chosen : int
        The class that was decided.
    revealed : Revealed
    windows : tuple of int
        Where those of its windows end that are learned from.
    """

    trial: int
    chosen: int
    revealed: Revealed
    windows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """What became of it.

    Attributes
    ----------
    ask : Ask
    asked : int
        Sample behind which the arm was copied.
    sample : int
        Sample behind which the copy took its place; of one that failed, when that was seen.
    state_sha256 : str
        Of what the copy had learned, before it observed what came meanwhile.
    error : str
        Why it failed; empty when it did not.
    effect : dict
        Of a guarded arm: see `GuardedAdapter.effect`.
    """

    ask: Ask
    asked: int
    sample: int
    state_sha256: str = ""
    error: str = ""
    effect: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "trial": self.ask.trial,
            "chosen": self.ask.chosen,
            "label": self.ask.revealed.label,
            "reward": self.ask.revealed.reward,
            "windows": self.ask.windows,
            "asked": self.asked,
            "sample": self.sample,
            "state_sha256": self.state_sha256,
            "error": self.error,
            "effect": self.effect,
        }

    @classmethod
    def from_dict(cls, event: Mapping[str, Any], shift: int = 0) -> "Update":
        """Return the update that an event tells of, with `shift` added to samples.

        Raises
        ------
        KeyError, TypeError
            When it is none.
        """
        label, reward = event["label"], event["reward"]
        revealed = Revealed(
            None if label is None else int(label), None if reward is None else float(reward)
        )
        windows = tuple(int(end) + shift for end in event["windows"])
        ask = Ask(int(event["trial"]) + shift, int(event["chosen"]), revealed, windows)
        return cls(
            ask,
            int(event["asked"]) + shift,
            int(event["sample"]) + shift,
            str(event["state_sha256"]),
            str(event["error"]),
        )


@dataclass(slots=True)
class _Pending:
    """A copy that learns, and what came meanwhile."""

    update: Update
    learning: "Future[tuple[Adapter, str]]"
    missed: list[tuple[Any, int]] = field(default_factory=list)


class Adaptation:
    """The arm of one decoder run.

    ==============  =================  ==========================
    attribute       writer             readers
    ==============  =================  ==========================
    adapter         decoder's thread   any (swapped whole)
    broken_at       decoder's thread   any
    waiting         any, under a lock  decoder's thread
    ==============  =================  ==========================

    Parameters
    ----------
    adapter : Adapter
        It belongs to this from now on.
    model : Model
    hop_s : float
    pool : Executor or None
        Of one thread, in which copies learn; None: a replay, which does what `script` says.
    script : sequence of Update
        In the order of `asked`.
    breaks_at : int or None
        In a replay: the hop at which the arm was out.
    """

    def __init__(
        self,
        adapter: Adapter,
        model: Model,
        hop_s: float,
        pool: Executor | None = None,
        *,
        script: Sequence[Update] = (),
        breaks_at: int | None = None,
    ) -> None:
        self.adapter, self._model, self._pool = adapter, model, pool
        self._script, self._breaks_at = deque(script), breaks_at
        self._length = window_samples(model.epochs, model.rate_hz)
        self._hop = hop_samples(hop_s, model.rate_hz)
        step_s = model.epochs.step_s
        self._step = round(step_s * model.rate_hz) if step_s else self._length
        self._tail = SignalTail(len(model.channels), max(capacity_samples(model), self._hop))
        self._decided: deque[int] = deque(maxlen=self._tail_hops())
        self._lock = threading.Lock()
        self._waiting: deque[Ask] = deque()
        self._pending: _Pending | None = None
        self._updates: list[Update] = []
        self.broken_at: int | None = None
        self.broken_by = ""
        self.n_dropped = 0
        self.begun_with = adapter.state
        self.name = adapter.name

    def _tail_hops(self) -> int:
        return capacity_samples(self._model) // self._hop + 1

    # --- what the scorer asks -------------------------------------------------------------

    @property
    def by_covariances(self) -> ModelAdapter | None:
        """The arm, if it takes covariances; they slide along with the stream."""
        inner = self.adapter
        if isinstance(inner, GuardedAdapter):
            inner = inner.guarded
        return inner if isinstance(inner, ModelAdapter) and inner.takes_covariances else None

    @property
    def works(self) -> bool:
        """False when the arm is out, and the trained decoder decides."""
        return self.broken_at is None

    def probabilities(self, given: Any, end: int) -> F64 | None:
        """Return a window's class probabilities by the arm; None when it is out.

        Parameters
        ----------
        given : list of ndarray or ndarray
            Covariances, where `by_covariances` takes them; else the window, shape (1, n_channels,
            n_times).
        end : int
            Where the window ends.
        """
        if self._breaks_at is not None and end >= self._breaks_at:
            self._break(end, "as it did live")
            return None
        inner = self.by_covariances
        try:
            p = inner.probabilities_from(given) if inner else self.adapter.probabilities(given)
            p = np.asarray(p, dtype=np.float64)
            if p.shape != (1, len(self._model.classes)) or not np.isfinite(p).all():
                raise ValueError(f"probabilities {p.tolist()}")
        except Exception as error:
            # A plugin's arm may raise anything; the session goes on.
            _log.exception("arm %s failed in a decision", self.name)
            self._break(end, f"{type(error).__name__}: {error}")
            return None
        self._decided.append(end)
        first: F64 = p[0]
        return first

    def _break(self, end: int, why: str) -> None:
        self.broken_at, self.broken_by = end, why
        self._pending = None

    def observe(self, given: Any, end: int) -> None:
        """Let the arm follow a decided window; given as for `probabilities`."""
        if not self.works:
            return
        try:
            self._observed(self.adapter, given, end)
        except Exception as error:
            _log.exception("arm %s failed while observing", self.name)
            self._break(end + self._hop, f"{type(error).__name__}: {error}")
            return
        if self._pending is not None:
            self._pending.missed.append((_copied(given), end))

    def _observed(self, adapter: Adapter, given: Any, end: int) -> None:
        if isinstance(adapter, GuardedAdapter):
            if adapter.ended:
                return
            adapter = adapter.guarded
        if isinstance(adapter, ModelAdapter) and adapter.takes_covariances:
            adapter.observe_from(given, end)
        else:
            adapter.observe(given)

    # --- what the decoder says ------------------------------------------------------------

    def keep(self, end: int, samples: F64) -> None:
        """Take a hop of the filtered signal, shape (n_channels, n_samples)."""
        self._tail.write(end, samples)

    def windows_in(self, after: int, until: int) -> tuple[int, ...]:
        """Return where decided windows end that lie in ``(after, until]``, a step apart."""
        ends: list[int] = []
        for end in tuple(self._decided):
            if after < end <= until and (not ends or end - ends[-1] >= self._step):
                ends.append(end)
        return tuple(ends[:_MOST_WINDOWS])

    def ask(self, ask: Ask) -> bool:
        """Let a trial be learned from when its turn comes; False when too many wait."""
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING or not ask.windows:
                self.n_dropped += 1
                return False
            self._waiting.append(ask)
            return True

    def at_boundary(self, end: int) -> None:
        """Swap in what has been learned and begin with the next trial, behind a hop."""
        if not self.works:
            return
        self._swap(end)
        if self._pending is None:
            self._begin(end)

    @property
    def learning(self) -> bool:
        """Whether a copy is learning, or waits to be swapped in."""
        return self._pending is not None

    def take_updates(self) -> list[Update]:
        """Return what became of trials since the last call."""
        updates, self._updates = self._updates, []
        return updates

    def _swap(self, end: int) -> None:
        pending = self._pending
        if pending is None or not self._is_due(pending, end):
            return
        self._pending = None
        done = replace(pending.update, sample=end)
        try:
            adapter, sha256 = pending.learning.result()
            for given, at in pending.missed:
                self._observed(adapter, given, at)
        except Exception as error:
            _log.exception("arm %s failed in an update", self.name)
            self._updates.append(replace(done, error=f"{type(error).__name__}: {error}"))
            return
        self.adapter = adapter
        effect = adapter.effect if isinstance(adapter, GuardedAdapter) else {}
        self._updates.append(replace(done, state_sha256=sha256, effect=effect))

    def _is_due(self, pending: _Pending, end: int) -> bool:
        if self._pool is None:
            return end >= pending.update.sample
        return pending.learning.done()

    def _begin(self, end: int) -> None:
        update = self._next_update(end)
        if update is None:
            return
        windows = [self._tail.window(at, self._length) for at in update.ask.windows]
        held = [window for window in windows if window is not None]
        if len(held) < len(windows) or not held:
            self.n_dropped += 1
            return
        arguments = self.adapter.copy(), np.stack(held), update.ask
        if self._pool is not None:
            learning = self._pool.submit(_learned, *arguments)
        else:
            learning = Future()
            try:
                learning.set_result(_learned(*arguments))
            except Exception as error:
                learning.set_exception(error)
        self._pending = _Pending(update, learning)

    def _next_update(self, end: int) -> Update | None:
        if self._pool is None:
            if self._script and end >= self._script[0].asked:
                return self._script.popleft()
            return None
        with self._lock:
            return Update(self._waiting.popleft(), end, end) if self._waiting else None

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where it stays."""
        inner = self.by_covariances
        return None if inner is None else inner.moved_db

    @property
    def effect(self) -> dict[str, Any]:
        """What adaptation comes to so far, see `GuardedAdapter.effect`; empty without a guard."""
        adapter = self.adapter
        return adapter.effect if isinstance(adapter, GuardedAdapter) else {}


def _learned(adapter: Adapter, windows: F64, ask: Ask) -> tuple[Adapter, str]:
    adapter.reveal(windows, ask.chosen, ask.revealed)
    return adapter, state_hash(adapter.state)


def _copied(given: Any) -> Any:
    return [C.copy() for C in given] if isinstance(given, list) else given.copy()
