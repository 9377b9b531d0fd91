"""The online decoder: from the ring to a decision every hop.

Everything falls on a grid of hops anchored to the sample at which the decoder starts. Each hop's
samples are taken from the ring, checked for gaps by a clock of the decoder's own, filtered, and
appended to the filtered signal, whatever the chunks in which they came. Nothing but the samples,
their stamps, the start and the few events that `OnlineDecoder.script` describes enters, so that a
replay which is given these decides the same to the last bit.
"""

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.decoders.plugins import reason_of
from bci.online.adaptation import Adaptation
from bci.online.decision import LATE, OVERRAN, STALE, Decision, DecisionRule
from bci.online.scorer import WindowScorer
from bci.online.smoothing import Smoother
from bci.signal import CausalFilter, design_bandpass, hop_samples, window_samples
from bci.signal.artifacts import window_problem
from bci.sources.base import StreamInfo

__all__ = ["OnlineDecoder", "Script"]

_log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

#: Hops whose windows a thread scores at a time.
_PART = 8
#: Why a window has no decision on which the decoder raised; letters of what it said.
FAILED, _LONGEST = "decoder failed", 200


@dataclass(slots=True)
class Script:
    """What happened to a live decoder from outside, by the sample at which a hop ends.

    A live decoder fills `restarts` and `jumps`; what was withheld, its decisions say.

    Attributes
    ----------
    restarts : set of int
        Evidence was restarted before the hop.
    withheld : dict of int to str
        The hop came, or was decoded, too late: the decision's reason.
    jumps : dict of int to int
        The ring overran at the first sample; the decoder went on at the second.
    """

    restarts: set[int] = field(default_factory=set)
    withheld: dict[int, str] = field(default_factory=dict)
    jumps: dict[int, int] = field(default_factory=dict)


class _Hop(NamedTuple):
    """A hop that is taken in: where it ends, its stamps, why it must not be decided on (or "").

    `evidence_lost`: what was gathered before it counts no more.
    """

    end: int
    time_s: float
    visible_s: float
    started_s: float
    reason: str
    evidence_lost: bool


class OnlineDecoder:
    """Decides every hop what the person imagines.

    Live, it keeps up with the signal: every sample is filtered, but a hop is decoded only while
    it is the newest. One behind which a newer is complete (`LATE`), or that is too old (`STALE`),
    yields a decision without probabilities; one that took longer than a hop (`OVERRAN`) keeps its
    probabilities as evidence, but nothing that feedback may show.

    Parameters
    ----------
    model : Model
    ring : RingBuffer
    info : StreamInfo
        Of the stream in the ring; the model's channels are found in it by name.
    settings : OnlineSettings
    start_sample : int
        Where the filter starts and the hop grid is anchored.
    clock : callable, optional
        LSL clock (s) by which a hop can be too late and a decision's way is stamped; None: a
        replay, in which nothing is late but what `script` names.
    script : Script, optional
        What to do again in a replay; a live decoder fills its own.
    learned : mapping, optional
        What the reference point learned in the run before (`learned`), to go on from.
    until : callable, optional
        Says the sample before which the decoder's connection ended, None while it stands: nothing
        behind is decided on.
    adaptation : Adaptation, optional
        The arm that decides in place of the trained decoder, and goes on learning.

    Attributes
    ----------
    carried_on : mapping or None
        `learned` as it was given.
    n_failed : int
        Windows in a row, up to now, on which the decoder raised.
    failed_by : str
        The last reason.

    Raises
    ------
    ModelError
        When the stream has not the channels, rate or unit that the model needs.
    """

    def __init__(
        self,
        model: Model,
        ring: RingBuffer,
        info: StreamInfo,
        settings: OnlineSettings,
        *,
        start_sample: int = 0,
        clock: Callable[[], float] | None = None,
        script: Script | None = None,
        learned: Mapping[str, Any] | None = None,
        until: Callable[[], int | None] = lambda: None,
        adaptation: Adaptation | None = None,
    ) -> None:
        self.adaptation = adaptation
        self._model, self._ring, self._settings, self._clock = model, ring, settings, clock
        self._until, self.carried_on = until, learned
        self._picks = np.asarray(model.match_stream(info), dtype=np.intp)
        # The model's rate, not the stream's, which may differ in its last digits: windows are as
        # long as those it was trained on.
        self.hop = hop_samples(settings.hop_s, model.rate_hz)
        self.length = window_samples(model.epochs, model.rate_hz)
        self.hop_s = self.hop / model.rate_hz
        self.start_sample = start_sample
        self._next = start_sample
        n_channels = len(self._picks)
        sos = design_bandpass(model.epochs.band_hz, model.rate_hz, model.epochs.filter_order)
        self._filter = CausalFilter(sos, n_channels)
        self._rate_hz = info.rate_hz
        self._gap_clock = StreamClock(info.rate_hz, start_sample)
        self._times = np.empty(self.hop)
        self._segments = np.empty(self.hop, dtype=np.int64)
        # Filtered signal, channel by channel; moved back to the front when full, which costs one
        # copy of a window every few windows.
        self._history = np.empty((n_channels, 4 * self.length + 4 * self.hop))
        self._filled = 0
        self._n_since_gap = 0
        self._restarted_by = "gap"
        self._window = np.empty((1, n_channels, self.length))
        self._scorer = WindowScorer(model, self.length, self.hop, learned, adaptation)
        self._smoother = Smoother(settings, self.hop_s, len(model.classes))
        self._rule = DecisionRule(settings, self.hop_s, model.classes)
        self.n_failed, self.failed_by = 0, ""
        self._restart_wanted = False
        self._evidence_lost = False
        self._replaying = script is not None
        self.script = script if script is not None else Script()

    @property
    def next_sample(self) -> int:
        """End of the hop that is waited for."""
        return self._next + self.hop

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where the model does not recentre."""
        return self._scorer.moved_db

    @property
    def learned(self) -> dict[str, Any] | None:
        """What the reference point has learned, for JSON; None where that is nothing."""
        return self._scorer.learned

    @property
    def ended_at(self) -> int | None:
        """The sample before which its connection ended; None while that stands."""
        return self._until()

    def restart_evidence(self) -> None:
        """Forget the probabilities so far before the next hop; may be called from any thread."""
        self._restart_wanted = True

    def advance(self) -> Iterator[Decision]:
        """Yield a decision for every complete hop that the ring holds.

        The first comes when a whole window of signal has passed since the start.
        """
        for hop in self._hops():
            yield self._decided(*self._scored(hop))
            self._scorer.learn()
            if self.adaptation is not None:
                self.adaptation.at_boundary(hop.end)

    def _scored(self, hop: _Hop) -> tuple[_Hop, F64 | None]:
        """Return the newest window's probabilities; None, and why, when the decoder raised."""
        if hop.reason:
            return hop, None
        try:
            raw = self._scorer.probabilities(self._window[0], hop.end)
        except Exception as error:
            # A plugin's decoder may raise anything: this window has no decision, the next may.
            self.n_failed += 1
            why = f"{FAILED} ({reason_of(error)[:_LONGEST]})"
            if why != self.failed_by:
                _log.exception("the decoder failed on the window that ends at %d", hop.end)
            self.failed_by = why
            return hop._replace(reason=self.failed_by), None
        self.n_failed = 0
        return hop, raw

    def advance_together(self, pool: Executor, n_threads: int) -> Iterator[Decision]:
        """Yield the decisions of `advance`, to the last bit, with the work shared by threads.

        For a replay: while the pool scores the windows of some hops, the next are taken in. Where
        windows depend on one another, or the decoder is not known to be safe, it is `advance`.
        """
        if not self._scorer.in_any_order:
            yield from self.advance()
            return
        taken = (
            (hop, None if hop.reason else self._scorer.covariances(self._window[0]))
            for hop in self._hops()
        )
        waiting: deque[tuple[tuple[_Hop, ...], Future[list[F64 | None]]]] = deque()
        while part := list(itertools.islice(taken, _PART)):
            hops, windows = zip(*part, strict=True)
            waiting.append((hops, pool.submit(self._scorer.scored, windows)))
            # No more than the threads need: large covariances would fill the memory.
            if len(waiting) > n_threads + 1:
                yield from self._finished(*waiting.popleft())
        while waiting:
            yield from self._finished(*waiting.popleft())

    def _finished(
        self, hops: tuple[_Hop, ...], scored: Future[list[F64 | None]]
    ) -> Iterator[Decision]:
        for hop, raw in zip(hops, scored.result(), strict=True):
            yield self._decided(hop, raw)

    def _hops(self) -> Iterator[_Hop]:
        """Yield the complete hops; the window of one without a reason is in the work array."""
        while True:
            self._skip_what_is_lost()
            end = self._next + self.hop
            block = self._ring.window(end, self.hop)
            # In this order: by the time that a sample of the next connection is there, it is known.
            if block is None or self._behind_the_end(end):
                return
            started_s = self._clock() if self._clock else np.nan
            samples = np.take(block.samples, self._picks, axis=1)
            stamps, time_s = block.stamps.copy(), float(block.times[-1])
            visible_s = float(block.arrivals[-1])
            if not self._ring.is_intact(block):
                continue
            self._next = end
            self._take(block.first_sample, samples, stamps)
            if end - self.start_sample >= self.length:
                if self._restart_wanted or end in self.script.restarts:
                    self._restart_wanted = False
                    self._evidence_lost = True
                    self.script.restarts.add(end)
                reason = self._reason_against(end, time_s, started_s)
                yield _Hop(end, time_s, visible_s, started_s, reason, self._evidence_lost)
                self._evidence_lost = False

    def _behind_the_end(self, end: int) -> bool:
        until = self._until()
        return until is not None and end > until

    def _skip_what_is_lost(self) -> None:
        """Go on at the newest hop when the ring has overrun; a replay repeats the jump."""
        target = self._next
        if self._replaying:
            target = self.script.jumps.get(self._next, self._next)
        elif self._ring.first_available > self._next:
            newest, until = self._ring.n_written, self._until()
            newest = newest if until is None else min(newest, until)
            target += self.hop * (max(newest - self._next, 0) // self.hop)
            if target == self._next:
                return
            self.script.jumps[self._next] = target
            _log.warning("decoder overrun: samples %d to %d were not decoded", self._next, target)
        if target != self._next:
            self._next = target
            self._gap_clock = StreamClock(self._rate_hz, target)
            self._restart_filter()

    def _restart_filter(self, why: str = "gap") -> None:
        self._filter.restart()
        self._restarted_by = why
        self._n_since_gap = 0
        self._scorer.restart()
        self._evidence_lost = True

    def _take(self, first_sample: int, samples: F64, stamps: F64) -> None:
        """Filter a hop's samples into the history, starting anew behind each gap."""
        at = 0
        for gap in self._gap_clock.update(stamps, self._times, self._segments):
            cut = gap.declared_at - first_sample
            self._append(samples[at:cut])
            self._restart_filter()
            at = cut
        self._append(samples[at:])
        n = min(self._n_since_gap, self.length)
        self._scorer.append(self._history[:, self._filled - n : self._filled])
        if self.adaptation is not None:
            n = min(self._n_since_gap, self.hop)
            self.adaptation.keep(self._next, self._history[:, self._filled - n : self._filled])

    def _append(self, samples: F64) -> None:
        broken = np.flatnonzero(~np.isfinite(samples).all(axis=1))
        if len(broken):
            # Once in a recursive filter, a value that is no number would never leave it.
            self._restart_filter("not a number")
            samples = samples[broken[-1] + 1 :]
        n = len(samples)
        if not n:
            return
        if self._filled + n > self._history.shape[1]:
            keep = self.length
            self._history[:, :keep] = self._history[:, self._filled - keep : self._filled].copy()
            self._filled = keep
        self._history[:, self._filled : self._filled + n] = self._filter(samples).T
        self._filled += n
        self._n_since_gap += n

    def _decided(self, hop: _Hop, raw: F64 | None) -> Decision:
        if hop.evidence_lost:
            self._smoother.restart()
            self._rule.restart()
        probabilities = smoothed = label = None
        reason = hop.reason
        if raw is not None:
            probabilities = tuple(raw.tolist())
            smoothed = tuple(self._smoother.update(raw).tolist())
        decoded_s = self._clock() if self._clock else np.nan
        if smoothed is not None and self._overran(hop, decoded_s):
            smoothed, reason = None, OVERRAN
        if smoothed is None:
            self._rule.skip()
        else:
            label, reason = self._rule.decide(smoothed)
        return Decision(
            hop.end,
            hop.time_s,
            probabilities,
            smoothed,
            label,
            reason,
            hop.visible_s,
            hop.started_s,
            decoded_s,
        )

    def _overran(self, hop: _Hop, decoded_s: float) -> bool:
        """Whether decoding this hop took so long that the decision is feedback on old data."""
        if self._replaying:
            return self.script.withheld.get(hop.end) == OVERRAN
        return decoded_s - hop.visible_s > self.hop_s

    def _too_late(self, end: int, time_s: float, started_s: float) -> str:
        """Say why there is no time to decode this hop; empty when there is."""
        if self._replaying:
            reason = self.script.withheld.get(end, "")
            return "" if reason == OVERRAN else reason
        if started_s - time_s > self._settings.stale_s:
            return STALE
        newer_is_there = self._clock is not None and self._ring.n_written - end >= self.hop
        return LATE if newer_is_there else ""

    def _reason_against(self, end: int, time_s: float, started_s: float) -> str:
        """Say why this window must not be decided on; else put it into the work array."""
        if self._n_since_gap < self.length:
            return self._restarted_by
        if too_late := self._too_late(end, time_s, started_s):
            return too_late
        self._window[0] = self._history[:, self._filled - self.length : self._filled]
        problem = window_problem(self._window[0], self._model.artifact_limit_v)
        if problem is not None:
            return f"{problem.kind} at {self._model.channels[problem.channel]}"
        return ""
