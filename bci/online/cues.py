"""Following the cues of a live run: where they fall in the ring, and how each trial ended."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from bci.acquisition import RingBuffer
from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.events import Marker, class_of, normalised_label
from bci.online.decision import NO_SIGNAL, Decision
from bci.online.trials import Cue, TrialOutcome, score_trials
from bci.signal import span_ends
from bci.signal.trials import NO_CLASS, REJECTED

__all__ = ["CueTracker", "locate"]

_log = logging.getLogger(__name__)

# Cues among which the one is looked for that a rejection means.
_RECENT = 8


def locate(ring: RingBuffer, time_s: float) -> int | None:
    """Return the sample nearest to a time, or None while the stream has not come so far.

    The gapless segments are searched from the newest back: where a sender's clock was set back,
    a time means the segment that came last.
    """
    n = min(ring.n_written - ring.first_available, ring.capacity // 2)
    window = ring.window(ring.n_written, n) if n else None
    if window is None or time_s > window.times[-1]:
        return None
    starts = [0, *(np.flatnonzero(np.diff(window.segments)) + 1)]
    for start in reversed(starts):
        if window.times[start] <= time_s or start == 0:
            break
    times = window.times[start:]
    # Up to the first sample of the next segment, which may be the nearest behind a gap.
    beyond = [other for other in starts if other > start]
    if beyond:
        times = times[: beyond[0] - start + 1]
    at = int(np.clip(np.searchsorted(times, time_s), 0, len(times) - 1))
    if at and time_s - times[at - 1] <= times[at] - time_s:
        at -= 1
    return window.first_sample + int(start) + at


class CueTracker:
    """Turns markers into cues and, once its windows have been decided, each into an outcome.

    The marker ``trial_rejected`` takes back the trial whose cue came last before it: one that is
    not over yet has no outcome, that of another counts no more. (An arm that has learned from it
    by then has done so.)

    Parameters
    ----------
    model : Model
    ring : RingBuffer
    online : OnlineSettings
    on_cue : callable
        Called when a cue's marker arrives, with its class.
    on_outcome : callable
        Called with each finished trial. A listener that fails is logged; nothing else changes.
    n_kept : int or None
        How many of the newest outcomes are kept; None: all.
    """

    def __init__(
        self,
        model: Model,
        ring: RingBuffer,
        online: OnlineSettings,
        on_cue: Callable[[str], Any],
        on_outcome: Callable[[TrialOutcome], Any],
        n_kept: int | None = None,
    ) -> None:
        self._model, self._ring, self._online = model, ring, online
        self._on_cue, self._on_outcome = on_cue, on_outcome
        self._lock = threading.Lock()
        self._cue_times_s: deque[float] = deque(maxlen=_RECENT)
        self._waiting: list[tuple[str, float]] = []
        self._pending: list[Cue] = []
        self._decisions: deque[Decision] = deque()
        _, self._until = span_ends(model.epochs, model.rate_hz)
        self._outcomes: deque[TrialOutcome] = deque(maxlen=n_kept)

    @property
    def outcomes(self) -> list[TrialOutcome]:
        """Trials that are over and were not rejected; the newest, where not all are kept."""
        with self._lock:
            return list(self._outcomes)

    def take_marker(self, marker: Marker) -> None:
        """Take a marker as it arrives: a cue of the model's classes, or one that takes it back."""
        if normalised_label(marker.label) == REJECTED:
            with self._lock:
                self._reject(marker.time_s)
            return
        # A model trained on somebody's event codes meets the paradigm's own class names online.
        label = class_of(marker.label, self._model.epochs.event_map) or class_of(marker.label, {})
        if label is None or label == NO_CLASS:
            return
        known = label in self._model.classes
        with self._lock:
            self._cue_times_s.append(marker.time_s)
            if known:
                self._waiting.append((label, marker.time_s))
        if known:
            _tell(self._on_cue, label)

    def _reject(self, time_s: float) -> None:
        """Take back the trial whose cue came last before a time, whatever its class."""
        before = [cue_s for cue_s in self._cue_times_s if cue_s <= time_s]
        if not before:
            return
        cue_s = max(before)
        self._waiting = [waiting for waiting in self._waiting if waiting[1] != cue_s]
        self._pending = [cue for cue in self._pending if cue.time_s != cue_s]
        kept = (outcome for outcome in self._outcomes if outcome.time_s != cue_s)
        self._outcomes = deque(kept, self._outcomes.maxlen)

    def take_decision(self, decision: Decision) -> None:
        """Take a decision; a trial that it completes is accounted for."""
        if decision.reason == NO_SIGNAL:
            return  # no hop: a replay has none either
        with self._lock:
            self._decisions.append(decision)
            self._locate_waiting()
            finished = [c for c in self._pending if c.sample + self._until <= decision.sample]
            self._pending = [c for c in self._pending if c not in finished]
            outcomes = self._account(finished)
            self._forget(decision.sample)
        self._report(outcomes)

    def finish(self) -> None:
        """Account for the trials that the end of the run cut short."""
        with self._lock:
            self._locate_waiting()
            rest, self._pending = self._pending, []
            outcomes = self._account(rest)
        self._report(outcomes)

    def _locate_waiting(self) -> None:
        for label, time_s in self._waiting[:]:
            sample = locate(self._ring, time_s)
            if sample is not None:
                self._waiting.remove((label, time_s))
                self._pending.append(Cue(label, sample, time_s))

    def _forget(self, newest: int) -> None:
        """Let go of the decisions that no cue, known or on its way, can need any more."""
        oldest = min((cue.sample for cue in self._pending), default=newest) - 2 * self._until
        while self._decisions and self._decisions[0].sample < oldest:
            self._decisions.popleft()

    def _account(self, cues: list[Cue]) -> list[TrialOutcome]:
        model = self._model
        outcomes = score_trials(
            cues, self._decisions, model.classes, model.epochs, self._online, model.rate_hz
        )
        self._outcomes += outcomes
        return outcomes

    def _report(self, outcomes: list[TrialOutcome]) -> None:
        for outcome in outcomes:
            _tell(self._on_outcome, outcome)


def _tell(listener: Callable[[Any], Any], what: Any) -> None:
    try:
        listener(what)
    except Exception:
        _log.exception("a listener failed at %r", what)
