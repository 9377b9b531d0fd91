"""The decoder's thread: it waits for a hop, decides, calls the outputs, logs, says what is amiss.

================  ==================  ======================================
attribute         writer              readers
================  ==================  ======================================
decisions         decoder thread      any (append-only; the newest, if bounded)
account           decoder thread      any, through its `report`
error             decoder thread      any, after `stop`
================  ==================  ======================================

The live rule: what is late is dropped or withheld (`OnlineDecoder` says which, the log names each),
and said at once; a decision that took more than three quarters of a hop is spoken of before that.
While the amplifier is silent the outputs are told that there is no signal, so that none goes on
showing the last decision.

A run of the decoder ends with the connection over which its samples come, and another begins on the
next: see `bci.online.footing`.
"""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bci.acquisition import RingBuffer
from bci.errors import InputError
from bci.online.decision import NO_SIGNAL, Decision
from bci.online.decoder import OnlineDecoder
from bci.online.latency import LatencyAccount
from bci.online.lateness import LateSpeaker
from bci.online.outputs import Output
from bci.online.teaching import Teacher
from bci.recording.eventlog import EventLog
from bci.sources.clock import lsl_clock

__all__ = ["CONNECTION_LOST", "DecoderThread"]

_log = logging.getLogger(__name__)

_WAIT_S = 0.1
# How often outputs are told that there is still no signal.
_REMIND_S = 1.0

# Windows in a row on which a decoder may raise before it is spoken of.
_MOST_FAILED = 10

# Between looks whether another run may begin (s).
_LOOK_S = 0.05

#: Why a run ended.
CONNECTION_LOST, STREAM_OVER, STOPPED = "connection lost", "stream over", "stopped"

# A packet whose samples all carry one stamp is shorter than this.
_REPEATS = 512


class DecoderThread:
    """Runs an online decoder until it is stopped or the stream ends.

    Parameters
    ----------
    decoder : OnlineDecoder or None
        None: the first, too, is what `next_run` gives.
    ring : RingBuffer
    outputs : sequence of callables
        Called with each decision; one that fails is logged and not called again, the others
        go on.
    log : EventLog or None
    header : dict
        What the log says when the first sample of a run has come, beside what it is and its stamp.
    clock : callable
        LSL clock (s).
    on_failure : callable
        Called with what ended the thread early.
    on_notice : callable
        Called with a line when decisions become late, or an output has failed.
    silence_s : float
        When the stream has sent nothing for this long, there is no signal.
    amplifier_s : float or None
        Age of a sample at its time stamp, where it was measured.
    n_kept : int or None
        How many of the newest decisions `decisions` keeps; None: all.
    next_run : callable or None
        Called in the thread when a connection has ended, over and over: gives another decoder as
        soon as there is one. None: the thread ends with the connection.
    hop_s : float or None
        Of the decoders, if the first is not there yet.
    teacher : Teacher or None
        Hears what becomes of trials that the decoder's arm learns from.
    """

    def __init__(
        self,
        decoder: OnlineDecoder | None,
        ring: RingBuffer,
        outputs: Sequence[Output] = (),
        log: EventLog | None = None,
        *,
        header: Mapping[str, Any] | None = None,
        on_failure: Callable[[BaseException], Any] = lambda error: None,
        on_notice: Callable[[str], Any] = lambda text: None,
        clock: Callable[[], float] = lsl_clock,
        silence_s: float = 0.7,
        amplifier_s: float | None = None,
        n_kept: int | None = None,
        next_run: Callable[[], OnlineDecoder | None] | None = None,
        hop_s: float | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        if hop_s is None:
            if decoder is None:
                raise ValueError("without a decoder, the length of its hops must be given")
            hop_s = decoder.hop_s
        self._decoder, self._ring, self._log, self._clock = decoder, ring, log, clock
        self._outputs = list(outputs)
        self._on_failure = on_failure
        self._header = dict(header or {})
        self._silence_s = silence_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        self._on_notice = on_notice
        self._next_run = next_run
        self._late = LateSpeaker(hop_s, on_notice, clock)
        self._heard_s, self._seen = clock(), ring.n_written
        self._silent_since_s: float | None = None
        self._said_silent_s = -math.inf
        self.decisions: deque[Decision] = deque(maxlen=n_kept)
        self.account = LatencyAccount(hop_s, amplifier_s)
        self.error: BaseException | None = None
        self._n_decided = 0
        self._teacher = teacher
        self._said_broken = self._said_failing = False

    def start(self) -> None:
        """Start to decide."""
        self._thread.start()

    def stop(self) -> None:
        """Decide the hops that are complete, then end; more than once is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def join(self, timeout_s: float) -> None:
        """Wait for the stream to end, and the thread with it."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            # Two BLAS threads make one small eigendecomposition three times slower.
            with threadpool_limits(1):
                self._decide_until_stopped()
        except InputError as error:
            self._fail(error)
        except Exception as error:
            _log.exception("the online decoder failed")
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.error = error
        if self._log is not None:
            try:
                self._log.write("decoder_failed", reason=str(error))
            except InputError as failure:
                _log.error("%s", failure)
        self._on_failure(error)

    def _decide_until_stopped(self) -> None:
        self._heard_s, self._seen = self._clock(), self._ring.n_written
        decoder, lost = self._decoder, False
        while True:
            decoder = decoder or self._wait_for_run(lost)
            if decoder is None or self._run_ended(decoder) != CONNECTION_LOST:
                return
            decoder, lost = None, True

    def _wait_for_run(self, lost: bool) -> OnlineDecoder | None:
        """Wait until another run may begin; None: none will."""
        while self._next_run is not None and not self._stop.is_set():
            decoder = self._next_run()
            now = self._clock()
            came = self._has_come(now)
            if decoder is not None:
                self._signal_is_there(now)
                return decoder
            if self._ring.closed:
                break
            if lost or not (came or now - self._heard_s < self._silence_s):
                self._signal_is_missing(now)
            self._stop.wait(_LOOK_S)
        if lost or self._ring.closed:
            self._signal_is_missing(self._clock())
        return None

    def _run_ended(self, decoder: OnlineDecoder) -> str:
        """Decide until a run is over; return why it is."""
        self._n_decided = 0
        begun, reason = False, STOPPED
        while not self._stop.is_set():
            hop_came = self._ring.wait_for(decoder.next_sample, _WAIT_S)
            # In this order: where the hop reaches into the next connection, the end is known.
            end, now = decoder.ended_at, self._clock()
            if self._has_come(now):
                self._signal_is_there(now)
            elif now - self._heard_s >= self._silence_s:
                self._signal_is_missing(now)
            if hop_came and (end is None or decoder.next_sample <= end):
                if not begun:
                    begun = True
                    self._begin(decoder)
                self._hand_out(decoder)
            elif end is not None:
                reason = CONNECTION_LOST
                break
            elif self._ring.closed:
                self._signal_is_missing(now)
                reason = STREAM_OVER
                break
        if begun:
            self._hand_out(decoder)
            end = decoder.ended_at
            # By it a replay knows that the log's tail is not missing.
            self._write(
                "online_finished",
                n_decisions=self._n_decided,
                reason=reason if end is None else CONNECTION_LOST,
                sample=decoder.next_sample - decoder.hop if end is None else end,
                latency_ms=self.account.report().as_dict(),
                recentering_moved_db=decoder.moved_db,
            )
        return reason

    def _has_come(self, now: float) -> bool:
        """Whether there are samples that were not there before."""
        n_written = self._ring.n_written
        if n_written == self._seen:
            return False
        self._heard_s, self._seen = now, n_written
        return True

    def _signal_is_missing(self, now: float) -> None:
        """Tell the outputs every second that nothing comes, the log once.

        The acquisition is what tells the user.
        """
        if self._silent_since_s is None:
            self._silent_since_s = self._heard_s
            if not self._ring.closed:  # a stream that is over is its owner's to speak of
                self._write("signal_missing", since_s=self._heard_s, sample=self._ring.n_written)
        if now - self._said_silent_s >= _REMIND_S:
            self._said_silent_s = now
            newest = self._ring.window(self._ring.n_written, 1)
            time_s = math.nan if newest is None else float(newest.times[-1])
            self._tell_outputs(Decision(self._ring.n_written, time_s, None, None, None, NO_SIGNAL))

    def _signal_is_there(self, now: float) -> None:
        if self._silent_since_s is None:
            return
        away_s, self._silent_since_s = now - self._silent_since_s, None
        self._said_silent_s = -math.inf
        self._write("signal_returned", after_s=away_s, sample=self._ring.n_written)

    def _write(self, event: str, **fields: Any) -> None:
        if self._log is not None:
            self._log.write(event, **fields)

    def _begin(self, decoder: OnlineDecoder) -> None:
        start = decoder.start_sample
        n_before = min(start - self._ring.first_available, _REPEATS)
        window = self._ring.window(start + 1, n_before + 1)
        if window is None:
            return
        stamp = float(window.stamps[-1])
        repeat = int(np.count_nonzero(window.stamps[:-1] == stamp))
        fields = {"stamp": stamp, "stamp_repeat": repeat, **self._header, "sample": start}
        if decoder.carried_on is not None:
            fields["recentering_carried_on"] = decoder.carried_on
        if decoder.adaptation is not None and self._teacher is not None:
            fields["adaptation"] = self._teacher.header(decoder.adaptation)
        self._write("online_started", **fields)

    def _hand_out(self, decoder: OnlineDecoder) -> None:
        jumps_before = dict(decoder.script.jumps)
        for decision in decoder.advance():
            self._tell_outputs(decision)
            issued = replace(decision, issued_s=self._clock())
            self._n_decided += 1
            self.decisions.append(issued)
            self.account.add(issued)
            if decision.sample in decoder.script.restarts:
                self._write("evidence_restarted", sample=decision.sample)
            self._write("decision", **issued.as_dict())
            self._late.take(issued)
            self._tell_of_failures(decoder)
        for sample, to_sample in decoder.script.jumps.items():
            if sample not in jumps_before:
                self._write("overrun", sample=sample, to_sample=to_sample)

        self._tell_of_learning(decoder)

    def _tell_of_failures(self, decoder: OnlineDecoder) -> None:
        """Say once, until it works again, that the decoder raises window after window."""
        if decoder.n_failed < _MOST_FAILED:
            self._said_failing &= decoder.n_failed > 0
        elif not self._said_failing:
            self._said_failing = True
            self._on_notice(
                f"no decisions: the {decoder.failed_by} on {decoder.n_failed} windows in a row; go "
                "on with another model"
            )

    def _tell_of_learning(self, decoder: OnlineDecoder) -> None:
        adaptation = decoder.adaptation
        if adaptation is None or self._teacher is None:
            return
        for update in adaptation.take_updates():
            self._write("adaptation_updated", **update.as_dict())
            self._teacher.took(update)
        if not adaptation.works and not self._said_broken:
            self._said_broken = True
            self._write(
                "adaptation_failed", sample=adaptation.broken_at, reason=adaptation.broken_by
            )
            self._on_notice(
                f"arm {adaptation.name} failed, the decoder as it was trained goes on "
                f"({adaptation.broken_by})"
            )

    def _tell_outputs(self, decision: Decision) -> None:
        for output in tuple(self._outputs):
            try:
                output(decision)
            except Exception:
                _log.exception("output %r failed; it is not called again", output)
                self._outputs.remove(output)
                self._on_notice(f"an output of decisions failed and is not called again: {output}")
