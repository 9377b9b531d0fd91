"""Event-related (de)synchronisation: how power changes after a cue, in percent of before it.

The maps start from the unfiltered recording, not from the windows that decoders learn from: those
passed a causal filter, which delays each frequency by another time and keeps nothing outside of
its band, and begin after the cue. Here nothing has to be causal: wavelets are symmetric in time, a
change is shown when it happens, and each trial is cut longer than it is shown, so that no edge of
a piece reaches into the map.

Significance is a bootstrap over trials (Graimann, Huggins, Levine and Pfurtscheller 2002,
doi:10.1016/S1388-2457(01)00697-6), studentised (Efron and Tibshirani 1993, ch. 12).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bci.config import Settings
from bci.errors import TrialError
from bci.features.erds_bootstrap import bootstrapped, in_clusters, p_values
from bci.features.long_trials import LongTrials, long_trials
from bci.features.wavelets import margin_s, power_over_time, resolution_s, time_deviation_s
from bci.signal.epochs import Epochs, LeftOut
from bci.sources.labels import match_channels
from bci.sources.recording import Recording

__all__ = ["Erds", "ErdsSettings", "erds"]

F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


class ErdsSettings(Settings):
    """What a map shows.

    Attributes
    ----------
    span_s : (start, stop)
        Shown, relative to the cue.
    baseline_s : (start, stop)
        What 100 percent is, within the span.
    fmin_hz, fmax_hz, step_hz : float
    width_hz : float
        Bandwidth (full width at half of the power's maximum) of each wavelet, the same at every
        frequency; its duration is 0.22 s at 2 Hz and goes with the inverse.
    smooth_s : float
        Power is averaged over as much time around each column: within one wavelet, a trial's power
        scatters by its own size, and 22 trials show no more than a loss of half.
    time_step_s : float
        From one column to the next.
    n_bootstraps : int
    level : float
        Of significance.
    correction : {"cluster", "none"}
        What `level` is the chance of: that a map without any change shows a patch of change; or
        that a cell does, as Graimann et al. have it (give 0.01: a map has thousands of cells).
    seed : int
    """

    span_s: tuple[float, float] = (-2.0, 4.0)
    baseline_s: tuple[float, float] = (-2.0, -0.5)
    fmin_hz: float = Field(default=5.0, gt=0)
    fmax_hz: float = Field(default=35.0, gt=0)
    step_hz: float = Field(default=1.0, gt=0)
    width_hz: float = Field(default=2.0, gt=0)
    smooth_s: float = Field(default=0.5, ge=0)
    time_step_s: float = Field(default=0.1, gt=0)
    n_bootstraps: int = Field(default=500, ge=100)
    level: float = Field(default=0.05, gt=0, lt=1)
    correction: Literal["cluster", "none"] = "cluster"
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        (start, stop), (first, last) = self.span_s, self.baseline_s
        if not start <= first < last <= stop:
            raise ValueError(
                f"baseline {first:g} {last:g} s must lie within the span, {start:g} {stop:g} s"
            )
        if last - first < self.time_step_s:
            raise ValueError(f"baseline {first:g} {last:g} s: make it {self.time_step_s:g} s long")
        if not self.fmin_hz < self.fmax_hz:
            raise ValueError(f"frequencies {self.fmin_hz:g} to {self.fmax_hz:g} Hz: low, then high")
        if self.fmin_hz < self.width_hz:
            raise ValueError(
                f"bands {self.width_hz:g} Hz wide begin at {self.width_hz:g} Hz: raise the lowest "
                f"frequency, {self.fmin_hz:g} Hz, or narrow the bands"
            )
        return self

    @property
    def duration_s(self) -> float:
        """Resolution in time (s): that of the wavelet and the average together."""
        return float(np.hypot(resolution_s(self.width_hz), self.smooth_s))

    @property
    def margin_s(self) -> float:
        """What a trial needs on each side of the span (s)."""
        return margin_s(self.width_hz) + self.smooth_s / 2


@dataclass(frozen=True, slots=True, eq=False)
class Erds:
    """Maps of relative power.

    Attributes
    ----------
    percent : ndarray of float64, shape (n_classes, n_channels, n_freqs, n_steps)
        Change of the mean power over trials against the baseline's: -50 is half of it (ERD), 100
        twice of it (ERS).
    p : ndarray of float64, same shape
        Of the studentised bootstrap over trials, two-sided, cell by cell.
    significant : ndarray of bool, same shape
        See `ErdsSettings.correction`: each map (class and channel) by itself.
    freqs_hz : ndarray of float64, shape (n_freqs,)
    times_s : ndarray of float64, shape (n_steps,)
        Relative to the cue.
    channels, classes : tuple of str
    n_trials : tuple of int
        By class.
    settings : ErdsSettings
    left_out : tuple of LeftOut
    """

    percent: F64 = field(repr=False)
    p: F64 = field(repr=False)
    significant: Bool = field(repr=False)
    freqs_hz: F64 = field(repr=False)
    times_s: F64 = field(repr=False)
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    n_trials: tuple[int, ...]
    settings: ErdsSettings
    left_out: tuple[LeftOut, ...] = ()


def erds(
    recordings: Sequence[Recording],
    epochs: Epochs,
    settings: ErdsSettings | None = None,
    channels: Sequence[str] = (),
    spatial: F64 | None = None,
) -> Erds:
    """Map the change of power after the cue, by class, channel, frequency and time.

    Parameters
    ----------
    recordings : sequence of Recording
        Those that the epochs are of.
    epochs : Epochs
        Which trials are used.
    settings : ErdsSettings, optional
    channels : sequence of str
        Those that are shown; empty: all of the epochs.
    spatial : ndarray of float64, shape (n_channels, n_channels), optional
        Spatial filter over all channels of the epochs, see `bci.features.spatial`.

    Raises
    ------
    TrialError
        When a class has fewer than two trials with enough time around them.
    ChannelError
        When a channel is not there.
    SettingsError
        For a frequency above half of the rate.
    """
    used = settings or ErdsSettings()
    shown = match_channels(channels or epochs.channels, epochs.channels)
    span_s = used.span_s[0] - used.margin_s, used.span_s[1] + used.margin_s
    trials = long_trials(recordings, epochs, span_s)
    counts = np.bincount(trials.y, minlength=len(epochs.classes))
    if counts.min() < 2:
        raise TrialError(
            f"class {epochs.classes[int(counts.argmin())]} has one trial with enough time around "
            "it: a map needs two or more; shorten the span, or give more recordings"
        )
    X = trials.X[:, shown] if spatial is None else spatial[shown] @ trials.X
    freqs_hz = _freqs(used)
    times_s = _times(used)
    inside = (times_s >= used.baseline_s[0] - 1e-9) & (times_s <= used.baseline_s[1] + 1e-9)
    shape = (len(epochs.classes), len(shown), len(freqs_hz), len(times_s))
    percent, p, significant = np.empty(shape), np.empty(shape), np.empty(shape, dtype=bool)
    rng = np.random.default_rng(used.seed)
    drawn = [rng.multinomial(n, np.full(n, 1 / n), used.n_bootstraps) for n in counts]
    # Channel by channel: the bootstrap of 64 at once would take gigabytes.
    for channel in range(len(shown)):
        power = _averaged(X[:, channel], trials, freqs_hz, times_s, used)
        for k in range(shape[0]):
            cells = power[trials.y == k]
            base = cells[..., inside].mean(axis=-1, keepdims=True)
            percent[k, channel], found, draws = bootstrapped(cells, base, drawn[k])
            p[k, channel] = p_values(found, draws)
            if used.correction == "cluster":
                significant[k, channel] = in_clusters(found, draws, used.level)
            else:
                significant[k, channel] = p[k, channel] < used.level
    return Erds(
        percent=percent,
        p=p,
        significant=significant,
        freqs_hz=freqs_hz,
        times_s=times_s,
        channels=tuple(epochs.channels[channel] for channel in shown),
        classes=epochs.classes,
        n_trials=tuple(int(n) for n in counts),
        settings=used,
        left_out=epochs.left_out + trials.left_out,
    )


def _freqs(settings: ErdsSettings) -> F64:
    n_freqs = int((settings.fmax_hz - settings.fmin_hz) / settings.step_hz + 1e-9) + 1
    return np.asarray(settings.fmin_hz + settings.step_hz * np.arange(n_freqs), dtype=np.float64)


def _times(settings: ErdsSettings) -> F64:
    """Return the columns' times; the cue's own is one of them."""
    start, stop = settings.span_s
    step = settings.time_step_s
    steps = np.arange(np.ceil(start / step - 1e-9), np.floor(stop / step + 1e-9) + 1)
    return np.asarray(steps * step, dtype=np.float64)


def _averaged(
    X: F64, trials: LongTrials, freqs_hz: F64, times_s: F64, settings: ErdsSettings
) -> F64:
    """Return the power of one channel's trials, averaged around each time."""
    # As many times within each average as tell the power of a wavelet from one to the next.
    n_inner = 1 + 2 * int(np.ceil(settings.smooth_s / time_deviation_s(settings.width_hz) / 2))
    shifts = (np.arange(n_inner) - n_inner // 2) * settings.smooth_s / n_inner
    found = [
        power_over_time(
            X, trials.rate_hz, freqs_hz, times_s + shift - trials.start_s, settings.width_hz
        )
        for shift in shifts
    ]
    return np.asarray(np.mean(found, axis=0))
