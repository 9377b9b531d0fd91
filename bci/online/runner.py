"""The decoder's thread: it waits for a hop, decides, calls the outputs and logs.

================  ==================  ======================================
attribute         writer              readers
================  ==================  ======================================
decisions         decoder thread      any (append-only list)
error             decoder thread      any, after `stop`
================  ==================  ======================================
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bci.acquisition import RingBuffer
from bci.errors import InputError, StreamLostError
from bci.online.decision import Decision
from bci.online.decoder import OnlineDecoder
from bci.online.outputs import Output
from bci.recording.eventlog import EventLog
from bci.sources.clock import lsl_clock

__all__ = ["DecoderThread"]

_log = logging.getLogger(__name__)

_WAIT_S = 0.1

# A packet whose samples all carry one stamp is shorter than this.
_REPEATS = 512


class DecoderThread:
    """Runs an online decoder until it is stopped or the stream ends.

    Parameters
    ----------
    decoder : OnlineDecoder
    ring : RingBuffer
    outputs : sequence of callables
        Called with each decision; one that fails is logged and not called again, the others
        go on.
    log : EventLog or None
    header : dict
        What the log says when the first sample has come, beside its stamp.
    clock : callable
        LSL clock (s).
    on_failure : callable
        Called with what ended the thread early.
    silence_s : float
        A stream that sends nothing for this long is reported as lost.
    """

    def __init__(
        self,
        decoder: OnlineDecoder,
        ring: RingBuffer,
        outputs: Sequence[Output] = (),
        log: EventLog | None = None,
        *,
        header: Mapping[str, Any] | None = None,
        on_failure: Callable[[BaseException], Any] = lambda error: None,
        clock: Callable[[], float] = lsl_clock,
        silence_s: float = 5.0,
    ) -> None:
        self._decoder, self._ring, self._log, self._clock = decoder, ring, log, clock
        self._outputs = list(outputs)
        self._on_failure = on_failure
        self._header = dict(header or {})
        self._silence_s = silence_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        self.decisions: list[Decision] = []
        self.error: BaseException | None = None

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
        silent_s, begun = 0.0, False
        while not self._stop.is_set():
            seen = self._ring.n_written
            if not self._ring.wait_for(self._decoder.next_sample, _WAIT_S):
                silent_s = 0.0 if self._ring.n_written > seen else silent_s + _WAIT_S
                if self._ring.closed:
                    break
                if silent_s >= self._silence_s:
                    raise StreamLostError(
                        f"the stream has sent nothing for {self._silence_s:g} s: "
                        "is the amplifier still on?"
                    )
                continue
            silent_s = 0.0
            if not begun:
                begun = True
                self._begin()
            self._hand_out()
        if begun:
            self._hand_out()
            if self._log is not None:
                # By it a replay knows that the log's tail is not missing.
                self._log.write(
                    "online_finished",
                    n_decisions=len(self.decisions),
                    recentering_moved_db=self._decoder.moved_db,
                )

    def _begin(self) -> None:
        start = self._decoder.start_sample
        n_before = min(start - self._ring.first_available, _REPEATS)
        window = self._ring.window(start + 1, n_before + 1)
        if self._log is not None and window is not None:
            stamp = float(window.stamps[-1])
            repeat = int(np.count_nonzero(window.stamps[:-1] == stamp))
            self._log.write("online_started", stamp=stamp, stamp_repeat=repeat, **self._header)

    def _hand_out(self) -> None:
        jumps_before = dict(self._decoder.script.jumps)
        for decision in self._decoder.advance():
            for output in tuple(self._outputs):
                try:
                    output(decision)
                except Exception:
                    _log.exception("output %r failed; it is not called again", output)
                    self._outputs.remove(output)
            issued = replace(decision, issued_s=self._clock())
            self.decisions.append(issued)
            if self._log is not None:
                if decision.sample in self._decoder.script.restarts:
                    self._log.write("evidence_restarted", sample=decision.sample)
                self._log.write("decision", **issued.as_dict())
        for sample, to_sample in self._decoder.script.jumps.items():
            if sample not in jumps_before and self._log is not None:
                self._log.write("overrun", sample=sample, to_sample=to_sample)
