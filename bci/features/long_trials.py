"""Trials with time before and after them, as they were recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.timelines import timeline
from bci.errors import TrialError
from bci.signal.epochs import Epochs, LeftOut, nearest_sample, sample_times
from bci.sources.labels import match_channels
from bci.sources.recording import Recording

__all__ = ["LongTrials", "long_trials"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LongTrials:
    """Trials with time before and after.

    Attributes
    ----------
    X : ndarray of float64, shape (n_trials, n_channels, n_times)
        As recorded, in volts.
    y : ndarray of int64, shape (n_trials,)
    start_s : float
        Of the first sample, relative to the cue.
    rate_hz : float
    left_out : tuple of LeftOut
        Trials without that much time around them.
    """

    X: F64 = field(repr=False)
    y: I64 = field(repr=False)
    start_s: float
    rate_hz: float
    left_out: tuple[LeftOut, ...] = ()


def long_trials(
    recordings: Sequence[Recording], epochs: Epochs, span_s: tuple[float, float]
) -> LongTrials:
    """Cut the trials of epochs anew: another span, without a filter.

    Parameters
    ----------
    recordings : sequence of Recording
        Those that the epochs are of.
    epochs : Epochs
        Which trials and channels.
    span_s : (start, stop)
        Relative to the cue; it may reach before the cue and beyond the trial.

    Raises
    ------
    TrialError
        When no trial of a class has that much time around it without a gap.
    """
    rate_hz = epochs.rate_hz
    start, stop = (round(edge * rate_hz) for edge in span_s)
    pieces: list[F64] = []
    kept: list[int] = []
    left_out: list[LeftOut] = []
    for run, recording in enumerate(recordings):
        picks = match_channels(epochs.channels, recording.info.labels)
        line = timeline(recording.stamps, recording.info.rate_hz, recording.returns)
        times = sample_times(recording, line)
        for trial in np.flatnonzero(epochs.trial_runs == run):
            onset_s = float(epochs.trial_onsets_s[trial])
            cue = nearest_sample(times, float(times[0]) + onset_s)
            first, last = cue + start, cue + stop
            if first < 0 or last > recording.n_samples:
                why = "not enough time around it"
            elif line.crosses_gap(first, last):
                why = "crosses a gap"
            else:
                pieces.append(recording.samples[first:last, picks].T)
                kept.append(int(trial))
                continue
            left_out.append(LeftOut(epochs.recordings[run], onset_s, why))
    y = epochs.trial_y[kept]
    emptied = [name for k, name in enumerate(epochs.classes) if not np.any(y == k)]
    if emptied:
        raise TrialError(
            f"no trial of class {', '.join(emptied)} has {-span_s[0]:.3g} s before and "
            f"{span_s[1]:.3g} s after its cue without a gap: shorten the span"
        )
    return LongTrials(np.array(pieces), y, start / rate_hz, rate_hz, tuple(left_out))
