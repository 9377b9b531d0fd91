"""How good each channel is: one word, the number behind it with its unit, and what to do.

What is judged is a window of some seconds (live), or all windows of a file
(`bci.signal.recorded_quality`). Limits are in volts at the electrode, wide enough that blinks and
alpha pass, narrow enough that an electrode that hangs in the air does not. Each has its source or
was measured on 13 people of EEGMMIDB (64 channels, one run each), three of MI-OpenBCI and one of
bci4als (16 channels, three days); the medians over windows of 2 s of single channels were:

================  ===============================  =============================================
measure           what the recordings show         limit
================  ===============================  =============================================
RMS, 1 to 45 Hz   5 to 81 uV; S023's Fp1, which    100 uV
                  blinks all the time, 125 uV
mains             0.4 to 5 uV where the cap sat    15 uV, and more than all of 1 to 45 Hz
                  well; 18 to 39 uV on all
                  channels of S005, S007, and S03
                  and S04 of MI-OpenBCI
muscle ratio      0.2 to 0.9, at the edge of the   1.0 and 5 uV: Whitham et al. 2007 find the
                  cap up to 1.1; 1.5 at FC6 of     scalp's power above 20 Hz to be mostly muscle,
                  S026, 2.3 at channel 4 of P1     and most of it under paralysis gone
drift             5 to 30 uV/s; 5 % of windows     100 uV/s
                  beyond 17 to 130
jump in 8 ms      1 to 6 robust SD; 5 % of         12 robust SD and 50 uV
                  windows beyond 2 to 8
likeness          0.5 to 0.98; least at T10        0.3; PREP (Bigdely-Shamlo et al. 2015) takes
                                                   0.4 in windows of 1 s, which T10 fails in
                                                   three people
distance          bridged 0.3 to 1.0 uV, others    1 uV, or 3 % of the RMS. Electrical distance
                  from 1.5 uV                      after Tenke and Kayser 2001, here its root
================  ===============================  =============================================

Blinks: 30 a minute, where `bci.signal.blinks` counts 0 to 25 in twelve of the thirteen and 36 in
S023; 17 are usual at rest. Impedance: Ferree et al. 2001 lose no quality up to 40 kOhm with today's
amplifiers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from bci.signal.electrodes import (
    at_end_of_range,
    levelled,
    likeness_of,
    pair_measures,
    pop_counts,
)
from bci.signal.quality_words import BAD, QUALITIES
from bci.sources.base import Channel

__all__ = [
    "BAD",
    "QUALITIES",
    "ChannelQuality",
    "advice",
    "channel_quality",
    "impedances",
    "number",
]

F64 = NDArray[np.float64]

_ADVICE = {
    "good": "",
    "mains": "press {} on or add gel; keep chargers and cables away",
    "muscle": "ask to relax jaw, forehead and neck near {}",
    "blinking": "ask to blink between trials, seen at {}",
    "drifting": "let the gel settle, or press {} on",
    "high impedance": "clean the skin under {} and add gel",
    "popping": "fasten {} and the cable",
    "noisy": "part the hair, add gel, press {} on; at the forehead, first ask for still eyes",
    "unlike others": "part the hair, add gel, press {} on",
    "bridged": "gel joins {} to a neighbour: wipe between, use less",
    "saturated": "fix {}, or lower the amplifier's gain",
    "flat": "plug in {}, or mend the cable",
    "not a number": "check the amplifier's connection to {}",
}

# Less than this from peak to peak in a second is no scalp: amplifiers alone have about 0.5 uV.
_FLAT_V = 2e-7
_MOST_NAMED = 10
_NOISY_V = 1e-4
_MAINS_V, _MAINS_RATIO = 1.5e-5, 1.0
_MUSCLE_V, _MUSCLE_RATIO = 5e-6, 1.0
_MUSCLE_HZ = (30.0, 100.0)
_MUSCLE_AGAINST_HZ = (8.0, 30.0)
_DRIFT_V_PER_S = 1e-4
_LIKENESS = 0.3
_BRIDGED_V, _BRIDGED_SHARE = 1e-6, 0.03
_HIGH_OHM = 40e3
_BLINKS_PER_MIN = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class ChannelQuality:
    """What a window, or a file, shows of each channel; NaN where a measure does not apply.

    Attributes
    ----------
    quality : tuple of str
        Of `QUALITIES`: the worst that is true.
    span_v : ndarray of float64, shape (n_channels,)
        From peak to peak (V).
    rms_v : ndarray of float64, shape (n_channels,)
        Between 1 and 45 Hz (V).
    mains_v : ndarray of float64, shape (n_channels,)
        RMS within 1 Hz of the line (V); zero when that lies beyond half the sampling rate.
    muscle_v : ndarray of float64, shape (n_channels,)
        RMS between 30 and 100 Hz, or 90 % of half the sampling rate, without the line and its
        multiples (V).
    muscle_ratio : ndarray of float64, shape (n_channels,)
        That against the RMS between 8 and 30 Hz.
    drift_v_per_s : ndarray of float64, shape (n_channels,)
        How fast the level moves (V/s).
    pops_per_min : ndarray of float64, shape (n_channels,)
        Jumps within 8 ms, as of an electrode that loses its hold.
    likeness : ndarray of float64, shape (n_channels,)
        98th percentile of the absolute correlations with the other channels, 1 to 45 Hz.
    distance_v : ndarray of float64, shape (n_channels, n_channels)
        RMS of the difference of two channels, 1 to 45 Hz (V); infinite on the diagonal and for
        channels that are flat or no numbers.
    blinks_per_min : ndarray of float64, shape (n_channels,)
        At the electrodes above the eyes.
    impedance_ohm : ndarray of float64, shape (n_channels,)
        As the stream declares it.
    """

    quality: tuple[str, ...]
    span_v: F64
    rms_v: F64
    mains_v: F64
    muscle_v: F64
    muscle_ratio: F64
    drift_v_per_s: F64
    pops_per_min: F64
    likeness: F64
    distance_v: F64
    blinks_per_min: F64
    impedance_ohm: F64


def impedances(channels: Sequence[Channel]) -> F64:
    """Return the declared impedances (Ohm), NaN where there is none, shape (n_channels,)."""
    return np.array([np.nan if c.impedance_ohm is None else c.impedance_ohm for c in channels])


def channel_quality(
    samples: F64,
    rate_hz: float,
    *,
    mains_hz: float = 50.0,
    blinks_per_min: F64 | None = None,
    impedance_ohm: F64 | None = None,
) -> ChannelQuality:
    """Judge each channel by a window.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples, n_channels)
        In volts, without a gap; a second at least, two to tell the mains well.
    rate_hz : float
    mains_hz : float
    blinks_per_min : ndarray of float64, shape (n_channels,), optional
        From `bci.signal.blinks`, over a longer time than this window.
    impedance_ohm : ndarray of float64, shape (n_channels,), optional
        From `impedances`.

    Raises
    ------
    ValueError
        For less than a second.

    Examples
    --------
    >>> t = np.arange(500)[:, None] / 250
    >>> channel_quality(np.hstack([0 * t, 1e-4 * np.sin(100 * np.pi * t)]), 250.0).quality
    ('flat', 'mains')
    """
    n, n_channels = samples.shape
    if n < rate_hz:
        raise ValueError(f"{n} samples at {rate_hz:g} Hz are less than a second")
    finite = np.isfinite(samples).all(axis=0)
    # Channels first: every measure runs along time, and that is three times faster.
    clean = np.ascontiguousarray(np.where(finite, samples, 0.0).T)
    span = np.ptp(clean, axis=1)
    alive = finite & (span >= _FLAT_V)

    window = signal.windows.hann(n, sym=False)
    spectrum = fft.rfft(levelled(clean) * window, axis=1)
    frequencies = fft.rfftfreq(n, 1 / rate_hz)
    scale = 2 / (n * np.sum(window**2))
    power = scale * (spectrum.real**2 + spectrum.imag**2)

    def rms(low: float, high: float) -> F64:
        off_line = np.abs(frequencies - mains_hz * np.round(frequencies / mains_hz)) > 2.0
        off_line |= frequencies < mains_hz / 2
        band = (frequencies >= low) & (frequencies <= high) & off_line
        root: F64 = np.sqrt(power[:, band].sum(axis=1))
        return root

    eeg = (frequencies >= 1.0) & (frequencies <= min(45.0, mains_hz - 3.0))
    muscle = rms(_MUSCLE_HZ[0], min(_MUSCLE_HZ[1], 0.45 * rate_hz))
    unknown = np.full(n_channels, np.nan)
    correlation, distance = pair_measures(spectrum[:, eeg], scale, alive)
    quarter = max(1, n // 4)
    drift = np.abs(clean[:, -quarter:].mean(axis=1) - clean[:, :quarter].mean(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = muscle / rms(*_MUSCLE_AGAINST_HZ)
    figures = {
        "span_v": span,
        "rms_v": np.sqrt(power[:, eeg].sum(axis=1)),
        "mains_v": np.sqrt(power[:, np.abs(frequencies - mains_hz) <= 1.0].sum(axis=1)),
        "muscle_v": muscle,
        "muscle_ratio": np.where(alive, ratio, np.nan),
        "drift_v_per_s": drift * rate_hz / (n - quarter),
        "pops_per_min": pop_counts(clean, rate_hz) * 60.0 * rate_hz / n,
    }
    for values in figures.values():
        values[~finite] = np.nan
    return judged(
        **figures,
        likeness=likeness_of(correlation, alive),
        distance_v=distance,
        blinks_per_min=unknown if blinks_per_min is None else blinks_per_min,
        impedance_ohm=unknown if impedance_ohm is None else impedance_ohm,
        saturated=at_end_of_range(clean),
    )


def judged(*, saturated: NDArray[np.bool_], **figures: F64) -> ChannelQuality:
    """Give each channel its word.

    Parameters
    ----------
    saturated : ndarray of bool, shape (n_channels,)
    **figures : ndarray of float64
        The attributes of `ChannelQuality` but the first.
    """
    rms, mains = figures["rms_v"], figures["mains_v"]
    nearest = figures["distance_v"].min(axis=1, initial=np.inf)
    # A comparison with NaN, what does not apply, is false.
    true = {
        "not a number": np.isnan(rms),
        "flat": figures["span_v"] < _FLAT_V,
        "saturated": saturated,
        "unlike others": figures["likeness"] < _LIKENESS,
        # Whose eyes move all the time has forehead electrodes beyond that, and they are well.
        "noisy": (rms > _NOISY_V) & ~(figures["blinks_per_min"] > _BLINKS_PER_MIN),
        "popping": figures["pops_per_min"] > 0,
        "bridged": nearest < np.maximum(_BRIDGED_V, _BRIDGED_SHARE * np.nan_to_num(rms)),
        "high impedance": figures["impedance_ohm"] > _HIGH_OHM,
        "drifting": figures["drift_v_per_s"] > _DRIFT_V_PER_S,
        "blinking": figures["blinks_per_min"] > _BLINKS_PER_MIN,
        "muscle": (figures["muscle_v"] > _MUSCLE_V) & (figures["muscle_ratio"] > _MUSCLE_RATIO),
        "mains": (mains > _MAINS_V) & (mains > _MAINS_RATIO * rms),
    }
    words = list(true)
    place = np.select(list(true.values()), range(len(true)), len(true))
    return ChannelQuality(tuple([*words, "good"][k] for k in place), **figures)


def number(found: ChannelQuality, channel: int, labels: Sequence[str]) -> str:
    """Say the number, with its unit, behind a channel's word.

    Parameters
    ----------
    found : ChannelQuality
    channel : int
    labels : sequence of str
    """
    k = channel
    neighbour = int(found.distance_v[k].argmin())
    return {
        "mains": f"mains {1e6 * found.mains_v[k]:.0f} µV",
        "muscle": f"{1e6 * found.muscle_v[k]:.0f} µV above 30 Hz, "
        f"{found.muscle_ratio[k]:.1f} x that of 8 to 30 Hz",
        "blinking": f"{found.blinks_per_min[k]:.0f} blinks a minute",
        "drifting": f"{1e6 * found.drift_v_per_s[k]:.0f} µV/s",
        "high impedance": f"{1e-3 * found.impedance_ohm[k]:.0f} kΩ",
        "popping": f"{found.pops_per_min[k]:.0f} jumps a minute",
        "unlike others": f"correlation {found.likeness[k]:.2f} at most",
        "bridged": f"{1e6 * found.distance_v[k, neighbour]:.1f} µV from {labels[neighbour]}",
        "saturated": f"rests at the end of its range, {1e6 * found.span_v[k]:.0f} µV wide",
        "flat": f"{1e6 * found.span_v[k]:.2g} µV from peak to peak",
        "not a number": "values that are no numbers",
    }.get(found.quality[k], f"{1e6 * found.rms_v[k]:.0f} µV RMS")


def advice(quality: str, labels: Sequence[str]) -> str:
    """Say what to do about channels that share a word; nothing where they are good.

    >>> advice("flat", ["C3", "C4"])
    'plug in C3, C4, or mend the cable'
    """
    listed = ", ".join(labels[:_MOST_NAMED])
    more = len(labels) - _MOST_NAMED
    return _ADVICE[quality].format(listed + (f" and {more} more" if more > 0 else ""))
