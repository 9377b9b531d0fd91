"""A live run of the decoder: its start on the stream, its thread, its cues, its end."""

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
from bci.online.decision import Decision
from bci.online.decoder import OnlineDecoder
from bci.online.outputs import Output
from bci.online.process import realtime_interpreter
from bci.online.runner import DecoderThread
from bci.online.trials import TrialOutcome
from bci.recording.eventlog import EventLog
from bci.signal import hop_samples, window_samples
from bci.sources.base import StreamInfo
from bci.sources.clock import lsl_clock

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
    ) -> None:
        model.match_stream(acquisition.info)
        self._model, self._acquisition, self._settings = model, acquisition, settings
        self._log, self._identity = log, identity
        self._on_cue, self._on_failure = on_cue, on_failure
        self._tracker = CueTracker(model, acquisition.ring, settings, self._cue_came, on_outcome)
        self._outputs = [*outputs, self._tracker.take_decision]
        self._decoder: OnlineDecoder | None = None
        self._thread: DecoderThread | None = None
        self._process = ExitStack()

    @property
    def decisions(self) -> list[Decision]:
        """Decisions so far."""
        return self._thread.decisions if self._thread is not None else []

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where the model does not recentre."""
        return self._decoder.moved_db if self._decoder is not None else None

    @property
    def outcomes(self) -> list[TrialOutcome]:
        """Trials that are over."""
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
            **self._identity,
        }
        self._thread = DecoderThread(
            self._decoder,
            ring,
            self._outputs,
            self._log,
            header=header,
            on_failure=self._on_failure,
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
