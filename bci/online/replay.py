"""A recording through the very acquisition and decoder that run live, as fast as they can."""

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bci.acquisition import Acquisition, timeline
from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.errors import ModelError, RecordingError
from bci.online.decision import LATE, OVERRAN, STALE, Decision
from bci.online.decoder import OnlineDecoder, Script
from bci.online.trials import Cue, TrialOutcome, score_trials
from bci.recording.eventlog import read_event_log
from bci.signal.epochs import nearest_sample, sample_times
from bci.signal.trials import find_trials
from bci.sources.playback import PlaybackSource
from bci.sources.recording import Recording

__all__ = ["Replay", "Verification", "cues_of", "logged_unit", "replay", "verify"]

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
    """Return the cues of the model's classes, each with the sample that training would take."""
    line = timeline(recording.stamps, recording.info.rate_hz, recording.returns)
    times = sample_times(recording, line)
    # A model trained on somebody's event codes meets the paradigm's own class names online.
    for event_map in (model.epochs.event_map, {}):
        cues = [
            Cue(trial.class_name, nearest_sample(times, trial.onset_s), trial.onset_s)
            for trial in find_trials(recording.markers, event_map)
            if trial.class_name in model.classes and times[0] <= trial.onset_s <= times[-1]
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
    )
    decisions: list[Decision] = []
    report_every = max(1, recording.n_samples // 50)
    report_at = report_every
    n_threads = os.cpu_count() or 1
    together = round(_TOGETHER_S * acquisition.info.rate_hz)
    began = time.perf_counter()
    with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        while not source.ended:
            acquisition.pump(0.0)
            if ring.n_written - decoder.next_sample >= together or source.ended:
                decisions.extend(decoder.advance_together(pool, n_threads))
            if progress is not None and ring.n_written >= report_at:
                report_at = ring.n_written + report_every
                progress(ring.n_written, recording.n_samples)
    elapsed_s = time.perf_counter() - began
    source.close()
    trials = score_trials(
        cues_of(recording, model),
        decisions,
        model.classes,
        model.epochs,
        settings,
        model.rate_hz,
    )
    return Replay(decisions, trials, elapsed_s, recording.duration_s / elapsed_s, decoder.moved_db)


@dataclass(frozen=True, slots=True)
class Verification:
    """How a replay compares with the decisions that were logged live.

    Attributes
    ----------
    n_logged, n_identical : int
        Decisions in the log, and those that the replay reproduced to the last bit.
    max_difference : float
        Largest difference of a probability.
    differences : tuple of str
        The first few, in words.
    complete : bool
        Whether the log goes on to the end of the run; what was cut off cannot be compared.
    same_machine : bool
        Whether the log names this machine's processor and library versions: only then is the
        last bit promised; elsewhere 1e-9.
    """

    n_logged: int
    n_identical: int
    max_difference: float
    differences: tuple[str, ...]
    complete: bool
    same_machine: bool

    @property
    def reproduced(self) -> bool:
        """Whether every decision came out as logged, as exactly as can be asked for here."""
        if self.same_machine:
            return self.complete and self.n_identical == self.n_logged
        return self.complete and not self.differences and self.max_difference <= 1e-9


def verify(
    recording: Recording,
    model: Model,
    model_sha256: str,
    log_path: Path,
    platform: dict[str, str],
    progress: Progress | None = None,
) -> tuple[Replay, Verification]:
    """Replay a recorded session and compare each decision with the one logged live.

    Raises
    ------
    RecordingError
        When the log is broken, holds no online run, or the recording does not hold the sample
        at which the live decoder started.
    ModelError
        When the log names another model.
    """
    try:
        return _verified(recording, model, model_sha256, log_path, platform, progress)
    except (KeyError, TypeError) as error:
        raise RecordingError(
            f"{log_path}: an event lacks what this version of Rolandic needs ({error}): verify it "
            "with the version that wrote it (named in its first line)"
        ) from error


def _verified(
    recording: Recording,
    model: Model,
    model_sha256: str,
    log_path: Path,
    platform: dict[str, str],
    progress: Progress | None,
) -> tuple[Replay, Verification]:
    run, first_sample = _logged_run(list(read_event_log(log_path)), recording, log_path)
    start = run[0]
    if start["model_sha256"] != model_sha256:
        raise ModelError(f"{log_path}: this run was decided by another model (its SHA-256 differs)")
    logged = [event for event in run if event["event"] == "decision"]
    if not logged:
        raise RecordingError(f"{log_path}: the log holds no decision to compare with")
    shift = first_sample - int(start["sample"])
    script = Script(
        restarts={e["sample"] + shift for e in run if e["event"] == "evidence_restarted"},
        withheld={
            e["sample"] + shift: e["reason"]
            for e in logged
            if e["reason"] in (STALE, LATE, OVERRAN)
        },
        jumps={e["sample"] + shift: e["to_sample"] + shift for e in run if e["event"] == "overrun"},
    )
    settings = OnlineSettings.make(**start["settings"])
    outcome = replay(
        recording,
        model,
        settings,
        start_sample=first_sample,
        script=script,
        progress=progress,
    )
    n_identical, largest, differences = _compare(logged, outcome.decisions, shift)
    ends = [event["n_decisions"] for event in run if event["event"] == "online_finished"]
    return outcome, Verification(
        n_logged=len(logged),
        n_identical=n_identical,
        max_difference=largest,
        differences=differences,
        complete=ends == [len(logged)],
        same_machine=start["platform"] == platform,
    )


def logged_unit(log_path: Path) -> str | None:
    """Return the unit that the user said the stream of the last online run had, if he did."""
    started = [e for e in read_event_log(log_path) if e["event"] == "online_started"]
    return started[-1]["unit"] if started else None


def _logged_run(
    events: list[dict[str, Any]], recording: Recording, log_path: Path
) -> tuple[list[dict[str, Any]], int]:
    """Return the events of the online run that a recording holds, and the sample of its start."""
    starts = [i for i, event in enumerate(events) if event["event"] == "online_started"]
    for at, until in zip(starts, [*starts[1:], len(events)], strict=True):
        found = np.flatnonzero(recording.stamps == events[at]["stamp"])
        # A sender may stamp whole packets alike: the log says which of them it was.
        if len(found) > events[at]["stamp_repeat"]:
            return events[at:until], int(found[events[at]["stamp_repeat"]])
    raise RecordingError(
        f"{recording.path}: holds none of the {len(starts)} online runs of {log_path} "
        "(the stamp of their first sample is not in it): is it the recording of that session?"
    )


def _compare(
    logged: list[dict[str, Any]], decisions: list[Decision], shift: int
) -> tuple[int, float, tuple[str, ...]]:
    by_sample = {decision.sample: decision for decision in decisions}
    n_identical, largest, differences = 0, 0.0, []
    for event in logged:
        decision = by_sample.get(event["sample"] + shift)
        if decision is None:
            differences.append(f"sample {event['sample']}: the replay made no decision")
            continue
        live = (event["probabilities"], event["smoothed"])
        again = (decision.probabilities, decision.smoothed)
        if event["label"] != decision.label or event["reason"] != decision.reason:
            differences.append(
                f"sample {event['sample']}: live {event['label'] or event['reason']!r}, "
                f"replay {decision.label or decision.reason!r}"
            )
            continue
        identical = True
        for a, b in zip(live, again, strict=True):
            if (a is None) != (b is None):
                identical = False
                differences.append(f"sample {event['sample']}: decoded only once")
            elif a is not None and b is not None:
                gap = max(abs(x - y) for x, y in zip(a, b, strict=True))
                largest = max(largest, gap)
                identical &= gap == 0.0
        n_identical += identical
    return n_identical, largest, tuple(differences[:5])
