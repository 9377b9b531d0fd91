"""What a person was asked to do at each sample of a recording, rest between trials included.

A trial lasts from its cue to the event that ends it. Where nothing but the next cue ends it (files
that mark no end), or nothing at all, it lasts as long as the span that training uses: the rest
would have no place otherwise. Everything else is idle.

A window is labelled by what most of its samples are, however much or little windows overlap: a
window that has just left a trial still is that trial's. A tie is idle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.timelines import timeline
from bci.config import EpochSettings
from bci.errors import TrialError
from bci.events import Marker, class_of, normalised_label
from bci.signal.epochs import Epochs, nearest_sample, sample_times
from bci.signal.filters import design_bandpass, filter_segments
from bci.signal.trials import find_trials
from bci.signal.windows import window_samples
from bci.sources.labels import match_channels
from bci.sources.recording import Recording

__all__ = [
    "OTHER",
    "Truth",
    "find_truth",
    "part_of",
    "permuted_cues",
    "window_labels",
    "with_idle",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Label of trials that were rejected, or are of classes not asked for: neither task nor idle.
OTHER = -1


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The trials of one recording, in samples.

    Attributes
    ----------
    starts, stops : ndarray of int64, shape (n_trials,)
        A trial is samples ``starts`` to ``stops - 1``.
    labels : ndarray of int64, shape (n_trials,)
        Index of the class, or `OTHER`.
    n_samples : int
    """

    starts: I64 = field(repr=False)
    stops: I64 = field(repr=False)
    labels: I64 = field(repr=False)
    n_samples: int

    def part(self, first: int, stop: int) -> "Truth":
        """Return the truth of samples `first` to `stop` - 1, counted from `first`."""
        inside = (self.stops > first) & (self.starts < stop)
        return Truth(
            np.clip(self.starts[inside] - first, 0, stop - first),
            np.clip(self.stops[inside] - first, 0, stop - first),
            self.labels[inside],
            stop - first,
        )


def find_truth(recording: Recording, settings: EpochSettings, classes: Sequence[str]) -> Truth:
    """Return when a person was asked for what.

    Parameters
    ----------
    recording : Recording
    settings : EpochSettings
    classes : sequence of str
    """
    line = timeline(recording.stamps, recording.info.rate_hz, recording.returns)
    times = sample_times(recording, line)
    rows = []
    for trial in find_trials(recording.markers, settings.event_map):
        if not times[0] <= trial.onset_s <= times[-1]:
            continue
        length_s = trial.length_s
        if length_s is None or class_of(trial.ended_by, settings.event_map) is not None:
            length_s = min(length_s or np.inf, settings.window_s[1])
        start = nearest_sample(times, trial.onset_s)
        stop = nearest_sample(times, trial.onset_s + length_s)
        asked = trial.class_name in classes and not trial.rejected
        label = classes.index(trial.class_name) if asked else OTHER
        rows.append((start, stop, label))
    columns = np.array(rows, np.int64).reshape(-1, 3)
    return Truth(columns[:, 0], columns[:, 1], columns[:, 2], recording.n_samples)


def permuted_cues(
    recording: Recording, settings: EpochSettings, rng: np.random.Generator
) -> tuple[Marker, ...]:
    """Return a recording's markers, the cues of the settings' classes with labels exchanged.

    Parameters
    ----------
    recording : Recording
    settings : EpochSettings
        With its classes.
    rng : numpy.random.Generator
    """
    markers = list(recording.markers)
    cues = [
        k
        for k, marker in enumerate(markers)
        if class_of(normalised_label(marker.label), settings.event_map) in settings.classes
    ]
    labels = [markers[k].label for k in cues]
    for k, source in zip(cues, rng.permutation(len(cues)), strict=True):
        markers[k] = replace(markers[k], label=labels[source])
    return tuple(markers)


def window_labels(truth: Truth, ends: I64, length: int, idle: int) -> I64:
    """Label windows by what most of their samples are.

    Parameters
    ----------
    truth : Truth
    ends : ndarray of int64, shape (n_windows,)
        A window is samples ``ends - length`` to ``ends - 1``.
    length : int
    idle : int
        Label of idle; trials of that class are idle too.

    Returns
    -------
    ndarray of int64, shape (n_windows,)
    """
    ends = np.asarray(ends, np.int64)
    shared = np.minimum(ends[:, None], truth.stops) - np.maximum(
        ends[:, None] - length, truth.starts
    )
    shared = np.clip(shared, 0, None)
    kinds = [label for label in np.unique(truth.labels) if label != idle]
    task = np.stack([shared[:, truth.labels == kind].sum(axis=1) for kind in kinds] or [0 * ends])
    counts = np.concatenate([(length - task.sum(axis=0))[None], task])
    # argmax takes the first of equals: idle.
    most = np.argmax(counts, axis=0)
    labels: I64 = np.array([idle, *kinds], np.int64)[most]
    return labels


def part_of(recording: Recording, first: int, stop: int) -> Recording:
    """Return samples `first` to `stop` - 1 of a recording with the markers in them, as one.

    What filters, clocks and decoders make of it cannot depend on what was cut away.
    """
    line = timeline(recording.stamps, recording.info.rate_hz, recording.returns)
    times = sample_times(recording, line)[first:stop]
    return replace(
        recording,
        samples=recording.samples[first:stop],
        stamps=recording.stamps[first:stop],
        markers=tuple(m for m in recording.markers if times[0] <= m.time_s <= times[-1]),
        gaps=tuple(gap - first for gap in recording.gaps if first < gap < stop),
        returns=tuple(at - first for at in recording.returns if first < at < stop),
    )


def with_idle(
    epochs: Epochs,
    recordings: Sequence[Recording],
    truths: Sequence[Truth],
    classes: tuple[str, ...],
    idle: int,
) -> Epochs:
    """Return the epochs with windows of rest as trials of a class of their own, or of one of them.

    Each stretch of rest that is long enough for a window is a trial: one window in its middle, or
    where the epochs have a step, a window every step.

    Parameters
    ----------
    epochs : Epochs
    recordings : sequence of Recording
        That they were cut from.
    truths : sequence of Truth
        Of the recordings.
    classes : tuple of str
        As the result has them; the first are those of `epochs`.
    idle : int
        Which of them is idle.

    Raises
    ------
    TrialError
        When no stretch of rest holds a window.
    """
    settings, rate_hz = epochs.settings, epochs.rate_hz
    length = window_samples(settings, rate_hz)
    step = None if settings.step_s is None else max(1, round(settings.step_s * rate_hz))
    sos = design_bandpass(settings.band_hz, rate_hz, settings.filter_order)
    windows: list[F64] = []
    trials: list[int] = []
    onsets: list[float] = []
    runs: list[int] = []
    for run, (recording, truth) in enumerate(zip(recordings, truths, strict=True)):
        picks = match_channels(epochs.channels, recording.info.labels)
        line = timeline(recording.stamps, rate_hz, recording.returns)
        filtered = filter_segments(recording.samples[:, picks], line.segments, sos)
        for first, stop in _rests(truth):
            spare = stop - first - length
            if spare < 0:
                continue
            starts = [first + spare // 2] if step is None else range(first, first + spare + 1, step)
            kept = [at for at in starts if not line.crosses_gap(at, at + length)]
            windows += [filtered[at : at + length].T for at in kept]
            trials += [epochs.n_trials + len(onsets)] * len(kept)
            if kept:
                onsets.append(first / rate_hz)
                runs.append(run)
    if not windows:
        raise TrialError(
            f"{', '.join(epochs.recordings)}: no rest between trials is long enough for a window "
            f"of {length / rate_hz:.3g} s: give a shorter --length, or tell idle by the threshold"
        )
    label = np.full(len(windows), idle, np.int64)
    return replace(
        epochs,
        X=np.concatenate([epochs.X, np.stack(windows)]),
        y=np.concatenate([epochs.y, label]),
        trials=np.concatenate([epochs.trials, np.array(trials, np.int64)]),
        trial_y=np.concatenate([epochs.trial_y, np.full(len(onsets), idle, np.int64)]),
        trial_onsets_s=np.concatenate([epochs.trial_onsets_s, onsets]),
        trial_runs=np.concatenate([epochs.trial_runs, np.array(runs, np.int64)]),
        classes=classes,
        muscle_v=None,  # rejection, where it is asked for, is over
    )


def _rests(truth: Truth) -> list[tuple[int, int]]:
    """Return the stretches between trials; trials of the class idle are windows already."""
    at, found = 0, []
    for start, stop in sorted(zip(truth.starts.tolist(), truth.stops.tolist(), strict=True)):
        if start > at:
            found.append((at, start))
        at = max(at, stop)
    if truth.n_samples > at:
        found.append((at, truth.n_samples))
    return found
