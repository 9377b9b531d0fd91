"""How good each channel of a recording is, and how that went on from its start to its end.

The recording is judged in windows of 2 s. Of each measure, the value counts that a fifth of the
windows reach: less is a yawn, more is an electrode. Of the RMS and of the distance of two channels
it is the median: the first to see through blinks, the second as for the bridges of MNE (Alschuler
et al. 2014). A value that is no number counts wherever it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bci.acquisition.timelines import timeline
from bci.errors import ChannelError, RecordingError
from bci.signal.blinks import SHORTEST_S, blinks_per_min
from bci.signal.quality import BAD, QUALITIES, ChannelQuality, channel_quality, impedances, judged
from bci.sources.labels import match_channels
from bci.sources.recording import Recording
from bci.sources.units import is_eeg

__all__ = ["RecordedQuality", "find_mains", "recorded_quality", "verdict", "worst_of"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_WINDOW_S = 2.0
_SHARE = 0.2
# With more of the cap than this lost, what remains is another montage.
_USABLE_SHARE = 0.1
_CARE_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class RecordedQuality:
    """What a recording shows of its EEG channels.

    Attributes
    ----------
    name : str
        Of the file.
    labels : tuple of str
    found : ChannelQuality
        Over the whole of it.
    times_s : ndarray of float64, shape (n_windows,)
        Where each window begins, from the first sample (s).
    windows : ndarray of int64, shape (n_windows, n_channels)
        Each window's words, as places in `QUALITIES`.
    n_torn : int
        Windows that hold a gap, and are not judged.
    mains_hz : float
    """

    name: str
    labels: tuple[str, ...]
    found: ChannelQuality
    times_s: F64
    windows: I64
    n_torn: int
    mains_hz: float

    @property
    def bad(self) -> tuple[str, ...]:
        """Labels of the channels from which nothing should be decoded."""
        pairs = zip(self.labels, self.found.quality, strict=True)
        return tuple(label for label, quality in pairs if quality in BAD)

    @property
    def n_bad(self) -> I64:
        """How many channels are bad in each window, shape (n_windows,)."""
        n_bad: I64 = np.count_nonzero(self.windows >= QUALITIES.index(BAD[0]), axis=1)
        return n_bad

    @property
    def trend(self) -> tuple[float, float, float]:
        """Bad channels on average in the first, middle and last third of the windows."""
        first, middle, last = (float(part.mean()) for part in np.array_split(self.n_bad, 3))
        return first, middle, last


def recorded_quality(
    recording: Recording, channels: Sequence[str] = (), *, mains_hz: float | None = None
) -> RecordedQuality:
    """Judge the EEG channels of a recording.

    Parameters
    ----------
    recording : Recording
    channels : sequence of str
        By name; empty: all EEG channels.
    mains_hz : float, optional
        None: 50 or 60, whichever stands out (`find_mains`).

    Raises
    ------
    ChannelError
        When it has no EEG channel, or not those that are named.
    RecordingError
        When less than 6 s of it are free of gaps.
    """
    info, rate_hz = recording.info, recording.info.rate_hz
    picks = (
        match_channels(channels, info.labels).tolist()
        if channels
        else [index for index, channel in enumerate(info.channels) if is_eeg(channel)]
    )
    if not picks:
        raise ChannelError(
            f"{recording.path.name} has no EEG channel to judge ({', '.join(info.labels[:8])}): "
            "give a recording that has"
        )
    mains_hz = find_mains(recording) if mains_hz is None else mains_hz
    samples = recording.samples[:, picks]
    labels = tuple(info.labels[index] for index in picks)
    ohm = impedances([info.channels[index] for index in picks])
    segments = timeline(recording.stamps, rate_hz, recording.returns).segments
    n_times = round(_WINDOW_S * rate_hz)
    starts = np.arange(0, len(samples) - n_times + 1, n_times)
    whole = segments[starts] == segments[starts + n_times - 1]
    if np.count_nonzero(whole) < 3:
        raise RecordingError(
            f"{recording.path.name} lasts {recording.duration_s:.3g} s and has less than "
            f"{3 * _WINDOW_S:g} s without a gap: too little to judge it; give a longer one"
        )
    blinks = _blinks(samples, labels, segments, rate_hz)
    found = [
        channel_quality(
            samples[start : start + n_times],
            rate_hz,
            mains_hz=mains_hz,
            blinks_per_min=blinks,
            impedance_ohm=ohm,
        )
        for start in starts[whole]
    ]
    windows = np.array([[QUALITIES.index(word) for word in item.quality] for item in found])
    return RecordedQuality(
        name=recording.path.name,
        labels=labels,
        found=_over_windows(found, windows),
        times_s=starts[whole] / rate_hz,
        windows=windows,
        n_torn=int(np.count_nonzero(~whole)),
        mains_hz=mains_hz,
    )


def find_mains(recording: Recording) -> float:
    """Say whether 50 or 60 Hz stands out more above what lies beside it.

    Parameters
    ----------
    recording : Recording
        Its first minute is looked at; 50 where neither lies below half the sampling rate.
    """
    rate_hz = recording.info.rate_hz
    minute = np.nan_to_num(recording.samples[: round(60 * rate_hz)])
    n_segment = min(len(minute), round(2 * rate_hz))
    frequencies, power = signal.welch(minute, rate_hz, nperseg=n_segment, axis=0)
    stands_out = {}
    for line in (50.0, 60.0):
        off = np.abs(frequencies - line)
        if line + 1 < rate_hz / 2:
            beside = np.median(power[(off > 1.5) & (off <= 4)], axis=0)
            alive = beside > 0
            stands_out[line] = float(
                np.sum(
                    np.log(np.maximum(power[off <= 1].max(axis=0)[alive], 1e-40) / beside[alive])
                )
            )
    return max(stands_out, key=lambda line: stands_out[line], default=50.0)


def verdict(runs: Sequence[RecordedQuality]) -> tuple[str, str]:
    """Say what can be done with recordings.

    Returns
    -------
    word : str
        ``"good"``; ``"usable"``: without a few bad channels, or with many that need care;
        ``"poor"``: with more than a tenth of the channels bad.
    sentence : str
    """
    labels = list(dict.fromkeys(label for run in runs for label in run.labels))
    worst = {label: worst_of(runs, label) for label in labels}
    words = {label: run.found.quality[k] for label, (run, k) in worst.items()}
    bad = [label for label in labels if words[label] in BAD]
    care = Counter(word for word in words.values() if word not in BAD and word != QUALITIES[0])
    also = "; care: " + ", ".join(f"{word} ({n})" for word, n in care.most_common()) if care else ""
    of_all = f"of {len(labels)} channels"
    if not bad:
        word = "good" if care.total() <= _CARE_SHARE * len(labels) else "usable"
        return word, f"none {of_all} is bad{also}"
    listed = ", ".join(bad[:8]) + (f" and {len(bad) - 8} more" if len(bad) > 8 else "")
    if len(bad) <= max(1, _USABLE_SHARE * len(labels)):
        return "usable", f"leave out {listed} ({len(bad)} {of_all}){also}"
    return "poor", f"{len(bad)} {of_all} are bad: {listed}{also}"


def worst_of(runs: Sequence[RecordedQuality], label: str) -> tuple[RecordedQuality, int]:
    """Return the run in which a channel is worst, the first of several, and its place there."""
    there = [(run, run.labels.index(label)) for run in runs if label in run.labels]
    return max(there, key=lambda place: QUALITIES.index(place[0].found.quality[place[1]]))


def _over_windows(found: Sequence[ChannelQuality], windows: I64) -> ChannelQuality:
    """Judge by the values that a fifth of the windows reach."""
    measures = [field.name for field in fields(ChannelQuality) if field.name != "quality"]
    stacked = {name: np.array([getattr(item, name) for item in found]) for name in measures}
    rms = np.median(stacked.pop("rms_v"), axis=0)
    distance = np.median(stacked.pop("distance_v"), axis=0)
    high = {name: _quantile(values, 1 - _SHARE) for name, values in stacked.items()}
    high["span_v"] = _quantile(stacked["span_v"], _SHARE)
    high["likeness"] = _quantile(stacked["likeness"], _SHARE)
    often = high["pops_per_min"] > 0
    high["pops_per_min"] = np.where(often, np.nanmean(stacked["pops_per_min"], axis=0), 0.0)
    saturated = np.mean(windows == QUALITIES.index("saturated"), axis=0) >= _SHARE
    return judged(saturated=saturated, rms_v=rms, distance_v=distance, **high)


def _quantile(values: F64, share: float) -> F64:
    """Return a quantile along the first axis; NaN where there is nothing but NaN."""
    filled = np.where(np.isnan(values).all(axis=0), 0.0, values)
    result: F64 = np.nanquantile(filled, share, axis=0)
    return np.where(np.isnan(values).all(axis=0), np.nan, result)


def _blinks(samples: F64, labels: Sequence[str], segments: I64, rate_hz: float) -> F64:
    """Return the rates of blinks over the longest stretch without a gap."""
    edges = np.flatnonzero(np.diff(segments, prepend=segments[:1] - 1, append=segments[-1:] + 1))
    longest = int(np.diff(edges).argmax())
    stretch = samples[edges[longest] : edges[longest + 1]]
    if len(stretch) < SHORTEST_S * rate_hz:
        return np.full(len(labels), np.nan)
    return blinks_per_min(stretch, labels, rate_hz)
