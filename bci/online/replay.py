"""A recording through the very acquisition and decoder that run live, as fast as they can."""

import math
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

from bci.acquisition import Acquisition, timeline
from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.online.adaptation import Adaptation
from bci.online.decision import Decision
from bci.online.decoder import OnlineDecoder, Script
from bci.online.trials import Cue, TrialOutcome, score_trials
from bci.signal.epochs import nearest_sample, sample_times
from bci.signal.trials import find_trials
from bci.sources.playback import PlaybackSource
from bci.sources.recording import Recording

__all__ = ["Progress", "Replay", "cues_of", "decode", "outcomes_of", "replay"]

#: Signal whose windows are computed together (s): a part of what the ring holds.
_TOGETHER_S = 10.0

#: Called with how many samples are done and how many there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay decided, and how fast.

    Attributes
    ----------
    decisions : list of Decision
    trials : list of TrialOutcome
    elapsed_s : float
        For the samples' whole way from source to decision; reading the file is not in it.
    realtime_factor : float
    moved_db : float or None
        How far the reference point had moved at the end; None: the model does not recentre.
    """

    decisions: list[Decision] = field(repr=False)
    trials: list[TrialOutcome] = field(repr=False)
    elapsed_s: float
    realtime_factor: float
    moved_db: float | None = None


def cues_of(recording: Recording, model: Model) -> list[Cue]:
    """Return the cues of the model's classes, each with the sample that training would take.

    Those of rejected trials are left out, as they are from training.
    """
    line = timeline(recording.stamps, recording.info.rate_hz, recording.returns)
    times = sample_times(recording, line)
    # A model trained on somebody's event codes meets the paradigm's own class names online.
    for event_map in (model.epochs.event_map, {}):
        cues = [
            Cue(trial.class_name, nearest_sample(times, trial.onset_s), trial.onset_s)
            for trial in find_trials(recording.markers, event_map)
            if trial.class_name in model.classes
            and not trial.rejected
            and times[0] <= trial.onset_s <= times[-1]
        ]
        if cues:
            break
    return cues


def replay(
    recording: Recording,
    model: Model,
    settings: OnlineSettings,
    *,
    start_sample: int = 0,
    script: Script | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Decode a recording hop by hop.

    Parameters
    ----------
    recording : Recording
    model : Model
    settings : OnlineSettings
    start_sample : int
        Where the decoder starts (a live one may have started within the recording).
    script : Script, optional
        What happened to the live decoder from outside.
    progress : callable, optional
        Called about fifty times.

    Raises
    ------
    ModelError
        When the recording has not the channels, rate or unit that the model needs.
    """
    began = time.perf_counter()
    decisions, decoder = decode(
        recording, model, settings, start_sample=start_sample, script=script, progress=progress
    )
    elapsed_s = time.perf_counter() - began
    return Replay(
        decisions,
        outcomes_of(recording, model, settings, decisions),
        elapsed_s,
        recording.duration_s / elapsed_s,
        decoder.moved_db,
    )


def outcomes_of(
    recording: Recording, model: Model, settings: OnlineSettings, decisions: list[Decision]
) -> list[TrialOutcome]:
    """Return how each trial of a recording ended, by decisions on it."""
    return score_trials(
        cues_of(recording, model),
        decisions,
        model.classes,
        model.epochs,
        settings,
        model.rate_hz,
    )


def decode(
    recording: Recording,
    model: Model,
    settings: OnlineSettings,
    *,
    start_sample: int = 0,
    script: Script | None = None,
    learned: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    adaptation: Adaptation | None = None,
) -> tuple[list[Decision], OnlineDecoder]:
    """Run the decoder over a recording; the parameters are those of `replay`.

    Parameters
    ----------
    learned : mapping, optional
        What recentering carries on from (`OnlineDecoder.learned`).
    adaptation : Adaptation, optional
        What decides and learns in place of the trained decoder.
    """
    source = PlaybackSource(recording)
    acquisition = Acquisition(source, buffer_s=30.0, clock=lambda: math.nan)
    acquisition.open()
    ring = acquisition.ring
    decoder = OnlineDecoder(
        model,
        ring,
        acquisition.info,
        settings,
        start_sample=start_sample,
        script=script if script is not None else Script(),
        learned=learned,
        adaptation=adaptation,
    )
    decisions: list[Decision] = []
    report_every = max(1, recording.n_samples // 50)
    report_at = report_every
    n_threads = os.cpu_count() or 1
    together = round(_TOGETHER_S * acquisition.info.rate_hz)
    with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        while not source.ended:
            acquisition.pump(0.0)
            if ring.n_written - decoder.next_sample >= together or source.ended:
                decisions.extend(decoder.advance_together(pool, n_threads))
            if progress is not None and ring.n_written >= report_at:
                report_at = ring.n_written + report_every
                progress(ring.n_written, recording.n_samples)
    source.close()
    return decisions, decoder
