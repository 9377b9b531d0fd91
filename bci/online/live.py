"""A live run of the decoder: its start on the stream, its thread, its cues, its end."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bci.acquisition import Acquisition, RingBuffer
from bci.config import OnlineSettings
from bci.decoders import Model
from bci.events import Marker
from bci.online.adaptation import Update
from bci.online.cues import CueTracker
from bci.online.decision import Decision, Presentation
from bci.online.decoder import OnlineDecoder
from bci.online.footing import Footing
from bci.online.latency import LatencyReport, Lengths
from bci.online.outputs import Output
from bci.online.runner import DecoderThread
from bci.online.teaching import AdaptSettings, Teacher
from bci.online.trials import TrialOutcome
from bci.realtime import realtime_interpreter
from bci.recording.eventlog import EventLog
from bci.recording.status import RecorderStatus
from bci.signal import hop_samples, window_samples
from bci.sources.base import StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.devices import device_offset_s

__all__ = ["LiveDecoding"]

# What a chunk may take (s); a recorder's account of itself may be so old; between looks at it.
_CHUNK_S, _RECORDER_S, _LOOK_S = 0.3, 0.5, 0.05


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
    recorder : callable or None
        Gives how the recorder is that writes the stream down (a few times a second; None while
        that is unknown). With it, no run begins before the recorder holds the connection's samples.
    adapt : AdaptSettings or None
        How the decoder goes on learning; None: as it was trained, but for recentering.
    on_update : callable
        Called in the decoder's thread with what became of each trial that was learned from.

    Raises
    ------
    ModelError
        When the stream has not what the model needs.
    SettingsError
        When the arm of `adapt` does not exist for the model.
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
        recorder: Callable[[], RecorderStatus | None] | None = None,
        adapt: AdaptSettings | None = None,
        on_update: Callable[[Update], Any] = lambda update: None,
    ) -> None:
        model.match_stream(acquisition.info)
        self._model, self._acquisition, self._settings = model, acquisition, settings
        self._log, self._identity = log, identity
        self._on_cue, self._on_failure, self._on_notice = on_cue, on_failure, on_notice
        self._n_kept, self._recorder = n_kept, recorder
        self._footing = Footing(acquisition, recorder)
        self._amplifier_s = device_offset_s(acquisition.info)
        self._teacher: Teacher | None = None
        if adapt is not None:
            self._teacher = Teacher(adapt, model, settings, on_notice, on_update)
        self._on_outcome = on_outcome
        self._tracker = CueTracker(
            model, acquisition.ring, settings, self._cue_came, self._trial_over, n_kept
        )
        self._outputs = [*outputs, self._tracker.take_decision]
        self._decoder: OnlineDecoder | None = None
        self._marker_s = math.nan
        self._thread: DecoderThread | None = None
        self._process = ExitStack()

    @property
    def decisions(self) -> list[Decision]:
        """Decisions so far; the newest, where not all are kept."""
        return list(self._thread.decisions) if self._thread is not None else []

    @property
    def latency(self) -> LatencyReport:
        """How late the decisions have been so far."""
        if self._thread is None:
            return LatencyReport({})
        rate_hz, hop_s = self._model.rate_hz, self._settings.hop_s
        return self._thread.account.report(
            Lengths(
                chunk=1e3 * _chunk_samples(self._acquisition.ring) / rate_hz,
                hop=1e3 * hop_samples(hop_s, rate_hz) / rate_hz,
                window=1e3 * window_samples(self._model.epochs, rate_hz) / rate_hz,
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

    @property
    def adapter_effect(self) -> dict[str, Any] | None:
        """What adaptation comes to so far (`Teacher.effect`); None without."""
        return self._teacher.effect if self._teacher is not None else None

    def reward(self, value: float, time_s: float | None = None) -> None:
        """Take by key whether the newest trial was right (1) or wrong (0); from any thread."""
        if self._teacher is not None:
            self._teacher.reward(value, lsl_clock() if time_s is None else time_s)

    def begin(self) -> None:
        """Start to decide with the samples that come from now on.

        Call it when the recorder runs: a replay can reproduce what was decided only if the
        recording holds the decoder's first sample. Where the recorder is not there yet with the
        present connection, or there is none, the thread waits for it.

        When the connection is lost the run ends at its last sample; after the return another
        begins, whose filter and smoothing start anew. Recentering carries on, from a state that
        the log holds; so does what the arm has learned.

        Raises
        ------
        StreamError
            When the stream of rewards is not there.
        """
        ring = self._acquisition.ring
        self._process.enter_context(realtime_interpreter())
        _warm_up(self._model, self._acquisition.info, self._settings)
        if self._teacher is not None:
            _warm_up_learning(self._teacher, self._model)
            self._teacher.begin()
        # One chunk is let pass: samples that were on their way when the recorder subscribed may
        # not be in its file.
        idle = not ring.wait_for(ring.n_written + 1, _CHUNK_S)
        decoder = self._next_run(idle=idle)
        deadline_s = lsl_clock() + _RECORDER_S
        while decoder is None and lsl_clock() < deadline_s:
            ring.wait_for(ring.n_written + 1, _LOOK_S)
            decoder = self._next_run()
        recentering, model = self._model.recentering, self._model
        status = self._recorder() if self._recorder is not None else None
        header = {
            "settings": self._settings.model_dump(),
            "classes": model.classes,
            "recentering": recentering and {"tau_s": recentering.tau_s},
            "amplifier_s": self._amplifier_s,
            "recording": status and status.path.name,
            **self._identity,
        }
        self._thread = DecoderThread(
            decoder,
            ring,
            self._outputs,
            self._log,
            header=header,
            on_failure=self._on_failure,
            on_notice=self._on_notice,
            amplifier_s=self._amplifier_s,
            n_kept=self._n_kept,
            next_run=self._next_run,
            hop_s=hop_samples(self._settings.hop_s, model.rate_hz) / model.rate_hz,
            teacher=self._teacher,
        )
        self._thread.start()

    def _next_run(self, *, idle: bool = False) -> OnlineDecoder | None:
        """Return a decoder for the run that may begin now, if one may."""
        start = self._footing.start(idle=idle)
        if start is None:
            return None
        adaptation = self._teacher.next_adaptation() if self._teacher is not None else None
        learned = None
        if self._decoder is not None and self._teacher is None:
            learned = self._decoder.learned
        self._decoder = OnlineDecoder(
            self._model,
            self._acquisition.ring,
            self._acquisition.info,
            self._settings,
            start_sample=start.sample,
            clock=lsl_clock,
            learned=learned,
            until=partial(self._acquisition.connection_end, start.connection),
            adaptation=adaptation,
        )
        return self._decoder

    def take_marker(self, marker: Marker) -> None:
        """Take a marker as it arrives."""
        self._marker_s = marker.time_s
        self._tracker.take_marker(marker)

    def _cue_came(self, label: str) -> None:
        if self._decoder is not None:
            self._decoder.restart_evidence()
        if self._teacher is not None:
            self._teacher.trial_began(self._marker_s)
        self._on_cue(label)

    def _trial_over(self, outcome: TrialOutcome) -> None:
        if self._teacher is not None:
            self._teacher.trial_over(outcome)
        self._on_outcome(outcome)

    def finish(self) -> None:
        """Decide what is complete and end."""
        self._process.close()
        if self._thread is not None:
            self._thread.stop()
            self._tracker.finish()
        if self._teacher is not None:
            self._teacher.finish()


def _warm_up_learning(teacher: Teacher, model: Model) -> None:
    length = window_samples(model.epochs, model.rate_hz)
    noise = np.random.default_rng(0).standard_normal((2, len(model.channels), length))
    with threadpool_limits(1):
        teacher.warm_up(noise * model.artifact_limit_v.min() / 20)


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
