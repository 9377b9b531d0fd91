"""From recordings to the windows that decoders learn from.

Every recording is filtered as a whole by the causal filter that runs online, starting anew after
gaps; then the windows are cut. Nothing of a window depends on a later sample.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.timelines import Timeline, timeline
from bci.config import EpochSettings
from bci.errors import ChannelError, RecordingError, TrialError
from bci.signal.filters import design_bandpass, filter_segments, muscle_filter
from bci.signal.trials import TOLERANCE_S, Trial, check_span, find_trials, trial_classes
from bci.signal.windows import window_samples, window_starts
from bci.sources.labels import canonical_label, match_channels
from bci.sources.reading import check_channels
from bci.sources.recording import Recording
from bci.sources.units import is_eeg

__all__ = [
    "BY_HAND",
    "REJECTED",
    "Epochs",
    "LeftOut",
    "cut_epochs",
    "nearest_sample",
    "sample_times",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


#: Why a trial of `EpochSettings.left_out` is not used.
BY_HAND = "taken out by hand"
#: Why a trial that the paradigm marked is not used.
REJECTED = "rejected while it was recorded"


class LeftOut(NamedTuple):
    """A trial that was not used, and why.

    Attributes
    ----------
    recording : str
        File name.
    onset_s : float
        Of the cue, from the recording's first sample (s).
    reason : str
        Rejected ones: a reason of `bci.signal.rejection`, a colon and the number.
    class_name : str
    """

    recording: str
    onset_s: float
    reason: str
    class_name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """The windows of the trials of one or more recordings.

    Attributes
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
        Filtered, in volts; the windows of a trial follow each other in order of time.
    y : ndarray of int64, shape (n_windows,)
        Class of each window, as an index into `classes`.
    trials : ndarray of int64, shape (n_windows,)
        Number of the trial that each window is of: what must stay together in a split.
    trial_y : ndarray of int64, shape (n_trials,)
    trial_onsets_s : ndarray of float64, shape (n_trials,)
        Of the cue, from the recording's first sample (s).
    trial_runs : ndarray of int64, shape (n_trials,)
        Index into `recordings`.
    classes, channels, recordings : tuple of str
    rate_hz : float
    settings : EpochSettings
    left_out : tuple of LeftOut
    muscle_v : ndarray of float64, shape (n_windows, n_channels), or None
        RMS above 30 Hz (V); only where the settings ask for rejection.
    """

    X: F64 = field(repr=False)
    y: I64 = field(repr=False)
    trials: I64 = field(repr=False)
    trial_y: I64 = field(repr=False)
    trial_onsets_s: F64 = field(repr=False)
    trial_runs: I64 = field(repr=False)
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    recordings: tuple[str, ...]
    rate_hz: float
    settings: EpochSettings
    left_out: tuple[LeftOut, ...] = ()
    muscle_v: F64 | None = field(default=None, repr=False)

    @property
    def n_trials(self) -> int:
        """Trials that are used."""
        return len(self.trial_y)


def cut_epochs(recordings: Sequence[Recording], settings: EpochSettings) -> Epochs:
    """Filter recordings and cut the windows of their trials.

    The cue's sample is the one nearest in (dejittered) time. Trials that cross a gap, reach
    beyond the recording, were broken off before the window's end, were rejected while they were
    recorded or taken out by hand are left out and listed.

    Parameters
    ----------
    recordings : sequence of Recording
        Each is one run.
    settings : EpochSettings

    Returns
    -------
    Epochs

    Raises
    ------
    RecordingError
        When the recordings disagree in sampling rate, or there is none.
    ChannelError
        When channels are missing, disagree between the recordings, or hold no signal.
    SettingsError
        When the band or the window don't fit the sampling rate.
    TrialError
        When no annotation names a class, there is but one class, a class is not there, the
        window lies outside the trial, or no trial is left.
    """
    rate_hz = _common_rate(recordings)
    sos = design_bandpass(settings.band_hz, rate_hz, settings.filter_order)
    starts = window_starts(settings, rate_hz)
    n_times = window_samples(settings, rate_hz)
    channels, indices = _common_channels(recordings, settings)

    names = tuple(recording.path.name for recording in recordings)
    where = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    found = [find_trials(recording.markers, settings.event_map) for recording in recordings]
    markers = [marker for recording in recordings for marker in recording.markers]
    classes = trial_classes([trial for run in found for trial in run], markers, settings, where)
    used = [[trial for trial in run if trial.class_name in classes] for run in found]
    check_span([trial for run in used for trial in run], settings, where)

    lines: list[Timeline] = []
    placed: list[tuple[int, int, Trial, float]] = []  # run, cue's sample, trial, onset
    left_out: list[LeftOut] = []
    for run, recording in enumerate(recordings):
        check_channels(recording, indices[run])
        line = timeline(recording.stamps, rate_hz, recording.returns)
        lines.append(line)
        times = sample_times(recording, line)
        for trial in used[run]:
            onset_s = trial.onset_s - float(times[0])
            cue = nearest_sample(times, trial.onset_s)
            stop = cue + int(starts[-1]) + n_times
            reason = _why_unusable(trial, float(times[cue]), cue, stop, line, settings, rate_hz)
            if not reason and _taken_out(settings.left_out.get(names[run], ()), onset_s):
                reason = BY_HAND
            if reason:
                left_out.append(LeftOut(names[run], onset_s, reason, trial.class_name))
            else:
                placed.append((run, cue, trial, onset_s))
    trial_y = np.array([classes.index(trial.class_name) for _, _, trial, _ in placed], np.int64)
    _check_left(trial_y, classes, left_out, where)

    n_windows = len(starts)
    X = np.empty((len(placed) * n_windows, len(channels), n_times))
    muscle_v = np.empty((len(X), len(channels))) if settings.reject else None
    at = 0
    for run, recording in enumerate(recordings):
        samples = recording.samples[:, indices[run]]
        filtered = filter_segments(samples, lines[run].segments, sos)
        fast = None
        if muscle_v is not None:
            fast = filter_segments(samples, lines[run].segments, muscle_filter(rate_hz))
        for _, cue, _, _ in (place for place in placed if place[0] == run):
            for start in starts:
                window = slice(cue + start, cue + start + n_times)
                X[at] = filtered[window].T
                if muscle_v is not None and fast is not None:
                    muscle_v[at] = np.sqrt(np.mean(fast[window] ** 2, axis=0))
                at += 1
    trials = np.repeat(np.arange(len(placed), dtype=np.int64), n_windows)
    return Epochs(
        X=X,
        y=trial_y[trials],
        trials=trials,
        trial_y=trial_y,
        trial_onsets_s=np.array([onset_s for _, _, _, onset_s in placed]),
        trial_runs=np.array([run for run, _, _, _ in placed], np.int64),
        classes=classes,
        channels=channels,
        recordings=names,
        rate_hz=rate_hz,
        settings=settings,
        left_out=tuple(left_out),
        muscle_v=muscle_v,
    )


def sample_times(recording: Recording, line: Timeline) -> F64:
    """Return the time of each sample on the clock of the markers.

    Parameters
    ----------
    recording : Recording
    line : Timeline
        Of its stamps.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    times: F64 = line.times
    offsets = recording.clock_offsets
    if len(offsets):
        times = times + np.interp(times, offsets[:, 0], offsets[:, 1])
    return times


def _common_rate(recordings: Sequence[Recording]) -> float:
    if not recordings:
        raise RecordingError("no recording was given: name at least one file")
    first = recordings[0]
    for other in recordings[1:]:
        if not np.isclose(other.info.rate_hz, first.info.rate_hz, rtol=1e-6):
            raise RecordingError(
                f"{first.path.name} has {first.info.rate_hz:g} Hz, {other.path.name} has "
                f"{other.info.rate_hz:g} Hz: recordings that are used together need one sampling "
                "rate; give those of one rate"
            )
    return first.info.rate_hz


def _common_channels(
    recordings: Sequence[Recording], settings: EpochSettings
) -> tuple[tuple[str, ...], list[I64]]:
    """Return the channels' names and, for each recording, where they are."""
    first, wanted = recordings[0], settings.channels
    eeg = tuple(channel.label for channel in first.info.channels if is_eeg(channel))
    if not (wanted or eeg):
        raise ChannelError(
            f"{first.path.name} has no EEG channel: name channels with --channels "
            f"({', '.join(first.info.labels[:8])}, ...)"
        )
    bad = {canonical_label(name) for name in settings.bad_channels}
    used = tuple(name for name in wanted or eeg if canonical_label(name) not in bad)
    if not used:
        raise ChannelError(
            f"{first.path.name}: every channel is marked bad ({', '.join(settings.bad_channels)}): "
            "leave some in"
        )
    indices = []
    for recording in recordings:
        if not wanted:
            _check_same(first, recording, eeg)
        try:
            found = match_channels(used, recording.info.labels)
        except ChannelError as error:
            raise ChannelError(f"{recording.path.name}: {error}") from error
        indices.append(np.asarray(found, dtype=np.int64))
    return tuple(first.info.labels[index] for index in indices[0]), indices


def _check_same(first: Recording, other: Recording, eeg: tuple[str, ...]) -> None:
    theirs = {channel.label for channel in other.info.channels if is_eeg(channel)}
    differing = [label for label in eeg if label not in theirs] or sorted(theirs - set(eeg))
    if differing:
        lacking, having = (other, first) if differing[0] in eeg else (first, other)
        named = ", ".join(differing[:6]) + (", ..." if len(differing) > 6 else "")
        raise ChannelError(
            f"{lacking.path.name} lacks {named} ({len(differing)} in all), which "
            f"{having.path.name} has: choose channels that all recordings have with --channels"
        )


def nearest_sample(times: F64, time_s: float) -> int:
    """Return the index of the time nearest to `time_s`; of two, the earlier.

    Parameters
    ----------
    times : ndarray of float64, shape (n_samples,)
        Two or more.
    time_s : float
    """
    after = int(np.clip(np.searchsorted(times, time_s), 1, len(times) - 1))
    return after - int(time_s - times[after - 1] <= times[after] - time_s)


def _why_unusable(
    trial: Trial,
    cue_time_s: float,
    cue: int,
    stop: int,
    line: Timeline,
    settings: EpochSettings,
    rate_hz: float,
) -> str:
    """Return why the trial cannot be used; empty when it can."""
    if trial.rejected:
        return REJECTED
    n_samples = len(line.times)
    if abs(trial.onset_s - cue_time_s) > 1 / rate_hz:
        outside = cue == 0 or cue >= n_samples - 1
        return "cue outside the recording" if outside else "crosses a gap"
    if stop > n_samples:
        return "reaches beyond the end of the recording"
    if line.crosses_gap(cue, stop):
        return "crosses a gap"
    if trial.length_s is not None and settings.window_s[1] > trial.length_s + TOLERANCE_S:
        return f"ended after {trial.length_s:.3g} s, before the window does"
    return ""


def _taken_out(onsets_s: Sequence[float], onset_s: float) -> bool:
    """Say whether a trial is one of those that were taken out by hand."""
    return any(abs(onset_s - other_s) < TOLERANCE_S for other_s in onsets_s)


def _check_left(
    trial_y: I64, classes: tuple[str, ...], left_out: Sequence[LeftOut], where: str
) -> None:
    emptied = [name for k, name in enumerate(classes) if not np.any(trial_y == k)]
    if emptied:
        reasons = Counter(item.reason for item in left_out).most_common(3)
        why = ", ".join(f"{reason} ({n})" for reason, n in reasons)
        by_hand = any(reason == BY_HAND for reason, _ in reasons)
        hint = "take some in again" if by_hand else "give a shorter --window or more recordings"
        raise TrialError(
            f"{where}: no usable trial of class {', '.join(emptied)} is left; left out: {why}; "
            f"{hint}"
        )
