"""Following the cues of a live run: where they fall in the ring, and how each trial ended."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from bci.acquisition import RingBuffer
from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.events import Marker, class_of
from bci.online.decision import Decision
from bci.online.trials import Cue, TrialOutcome, score_trials

__all__ = ["CueTracker", "locate"]


def locate(ring: RingBuffer, time_s: float) -> int | None:
    """Return the sample nearest to a time, or None while the stream has not come so far.

    Only the newest gapless segment is searched: before a clock that stepped, times mean nothing.
    """
    n = min(ring.n_written - ring.first_available, ring.capacity // 2)
    window = ring.window(ring.n_written, n) if n else None
    if window is None or time_s > window.times[-1]:
        return None
    in_segment = int(np.searchsorted(window.segments, window.segments[-1]))
    times = window.times[in_segment:]
    at = int(np.searchsorted(times, time_s))
    if at and time_s - times[at - 1] <= times[at] - time_s:
        at -= 1
    return window.first_sample + in_segment + at


class CueTracker:
    """Turns markers into cues and, once its windows have been decided, each into an outcome.

    Parameters
    ----------
    model : Model
    ring : RingBuffer
    online : OnlineSettings
    on_cue : callable
        Called when a cue's marker arrives, with its class.
    on_outcome : callable
        Called with each finished trial.
    """

    def __init__(
        self,
        model: Model,
        ring: RingBuffer,
        online: OnlineSettings,
        on_cue: Callable[[str], Any],
        on_outcome: Callable[[TrialOutcome], Any],
    ) -> None:
        self._model, self._ring, self._online = model, ring, online
        self._on_cue, self._on_outcome = on_cue, on_outcome
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, float]] = []
        self._pending: list[Cue] = []
        self._decisions: list[Decision] = []
        self._until = round(model.epochs.window_s[1] * model.rate_hz)
        self.outcomes: list[TrialOutcome] = []

    def take_marker(self, marker: Marker) -> None:
        """Take a marker as it arrives; those that are no cue of the model's classes pass by."""
        label = class_of(marker.label, self._model.epochs.event_map)
        if label not in self._model.classes:
            return
        self._on_cue(label)
        with self._lock:
            self._waiting.append((label, marker.time_s))

    def take_decision(self, decision: Decision) -> None:
        """Take a decision; a trial that it completes is accounted for."""
        finished: list[Cue] = []
        with self._lock:
            self._decisions.append(decision)
            for label, time_s in self._waiting[:]:
                sample = locate(self._ring, time_s)
                if sample is not None:
                    self._waiting.remove((label, time_s))
                    self._pending.append(Cue(label, sample, time_s))
            finished = [c for c in self._pending if c.sample + self._until <= decision.sample]
            self._pending = [c for c in self._pending if c not in finished]
        self._account(finished)

    def finish(self) -> None:
        """Account for the trials that the end of the run cut short."""
        with self._lock:
            rest, self._pending = self._pending, []
        self._account(rest)

    def _account(self, cues: list[Cue]) -> None:
        model = self._model
        for outcome in score_trials(
            cues, self._decisions, model.classes, model.epochs, self._online, model.rate_hz
        ):
            self.outcomes.append(outcome)
            self._on_outcome(outcome)
