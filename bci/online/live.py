"""A live run of the decoder: its start on the stream, its thread, its cues, its end."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bci.acquisition import Acquisition, RingBuffer
from bci.config import OnlineSettings
from bci.decoders import Model
from bci.events import Marker
from bci.online.cues import CueTracker
from bci.online.decision import Decision, Presentation
from bci.online.decoder import OnlineDecoder
from bci.online.latency import LatencyReport, Lengths
from bci.online.outputs import Output
from bci.online.process import realtime_interpreter
from bci.online.runner import DecoderThread
from bci.online.trials import TrialOutcome
from bci.recording.eventlog import EventLog
from bci.signal import hop_samples, window_samples
from bci.sources.base import StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.devices import device_offset_s

__all__ = ["LiveDecoding"]


class LiveDecoding:
    """Decodes a running acquisition from `begin` to `finish`.

    Parameters
    ----------
    model : Model
    acquisition : Acquisition
    settings : OnlineSettings
    log : EventLog
    identity : dict
        What a replay must know to promise the last bit (the model's hash, the platform).
    outputs : sequence of callables
    on_cue, on_outcome : callable
        Called with the class of a cue as it arrives, and with each trial when it is over.
    on_failure : callable
        Called with what ended the decoder early.
    on_notice : callable
        Called with a line when decisions become late, or an output has failed.
    n_kept : int or None
        How many of the newest decisions and outcomes are kept; None: all.

    Raises
    ------
    ModelError
        When the stream has not what the model needs.
    """

    def __init__(
        self,
        model: Model,
        acquisition: Acquisition,
        settings: OnlineSettings,
        log: EventLog,
        identity: dict[str, Any],
        *,
        outputs: Sequence[Output] = (),
        on_cue: Callable[[str], Any] = lambda label: None,
        on_outcome: Callable[[TrialOutcome], Any] = lambda outcome: None,
        on_failure: Callable[[BaseException], Any] = lambda error: None,
        on_notice: Callable[[str], Any] = lambda text: None,
        n_kept: int | None = None,
    ) -> None:
        model.match_stream(acquisition.info)
        self._model, self._acquisition, self._settings = model, acquisition, settings
        self._log, self._identity = log, identity
        self._on_cue, self._on_failure, self._on_notice = on_cue, on_failure, on_notice
        self._n_kept = n_kept
        self._amplifier_s = device_offset_s(acquisition.info)
        self._tracker = CueTracker(
            model, acquisition.ring, settings, self._cue_came, on_outcome, n_kept
        )
        self._outputs = [*outputs, self._tracker.take_decision]
        self._decoder: OnlineDecoder | None = None
        self._thread: DecoderThread | None = None
        self._process = ExitStack()

    @property
    def decisions(self) -> list[Decision]:
        """Decisions so far; the newest, where not all are kept."""
        return list(self._thread.decisions) if self._thread is not None else []

    @property
    def latency(self) -> LatencyReport:
        """How late the decisions have been so far."""
        if self._thread is None or self._decoder is None:
            return LatencyReport({})
        rate_hz = self._model.rate_hz
        return self._thread.account.report(
            Lengths(
                chunk=1e3 * _chunk_samples(self._acquisition.ring) / rate_hz,
                hop=1e3 * self._decoder.hop_s,
                window=1e3 * self._decoder.length / rate_hz,
            )
        )

    def add_presentation(self, decision: Decision, presentation: Presentation) -> None:
        """Take when a decision reached the person; from one thread, the display's."""
        if self._thread is not None:
            self._thread.account.add_presentation(decision, presentation)

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where the model does not recentre."""
        return self._decoder.moved_db if self._decoder is not None else None

    @property
    def outcomes(self) -> list[TrialOutcome]:
        """Trials that are over; the newest, where not all are kept."""
        return self._tracker.outcomes

    def begin(self) -> None:
        """Start to decide with the samples that come from now on.

        Call it when the recorder runs: a replay can reproduce what was decided only if the
        recording holds the decoder's first sample. One more chunk is let pass, since samples that
        were on their way when the recorder subscribed may not be in its file.
        """
        ring = self._acquisition.ring
        self._process.enter_context(realtime_interpreter())
        _warm_up(self._model, self._acquisition.info, self._settings)
        ring.wait_for(ring.n_written + 1, 0.3)
        start = ring.n_written
        self._decoder = OnlineDecoder(
            self._model,
            ring,
            self._acquisition.info,
            self._settings,
            start_sample=start,
            clock=lsl_clock,
        )
        recentering = self._model.recentering
        header = {
            "sample": start,
            "settings": self._settings.model_dump(),
            "classes": self._model.classes,
            "recentering": recentering and {"tau_s": recentering.tau_s},
            "amplifier_s": self._amplifier_s,
            **self._identity,
        }
        self._thread = DecoderThread(
            self._decoder,
            ring,
            self._outputs,
            self._log,
            header=header,
            on_failure=self._on_failure,
            on_notice=self._on_notice,
            amplifier_s=self._amplifier_s,
            n_kept=self._n_kept,
        )
        self._thread.start()

    def take_marker(self, marker: Marker) -> None:
        """Take a marker as it arrives."""
        self._tracker.take_marker(marker)

    def _cue_came(self, label: str) -> None:
        if self._decoder is not None:
            self._decoder.restart_evidence()
        self._on_cue(label)

    def finish(self) -> None:
        """Decide what is complete and end."""
        self._process.close()
        if self._thread is None:
            return
        self._thread.stop()
        self._tracker.finish()


def _chunk_samples(ring: RingBuffer) -> float:
    """Return how many samples came at a time, lately; NaN of an empty ring."""
    n = min(ring.n_written - ring.first_available, ring.capacity // 2, 1000)
    newest = ring.window(ring.n_written, n) if n else None
    if newest is None:
        return math.nan
    return n / len(np.unique(newest.arrivals))


def _warm_up(model: Model, info: StreamInfo, settings: OnlineSettings) -> None:
    """Pay every first-call cost (compiled kernels, lazy imports) on noise, before the first sample.

    The first decision of a fresh process was seen to take seconds.
    """
    length = window_samples(model.epochs, info.rate_hz)
    n = length + 2 * hop_samples(settings.hop_s, info.rate_hz)
    ring = RingBuffer(n, len(info.channels))
    decoder = OnlineDecoder(model, ring, info, settings)
    noise = np.random.default_rng(0).standard_normal((n, len(info.channels)))
    noise *= model.artifact_limit_v.min() / 20
    stamps = np.arange(n) / info.rate_hz
    ring.write(noise, stamps, stamps, np.zeros(n, dtype=np.int64), 0.0)
    with threadpool_limits(1):
        for _ in decoder.advance():
            pass
