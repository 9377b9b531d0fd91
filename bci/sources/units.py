"""Units of voltage, as amplifiers and files spell them, and whether amplitudes can be EEG."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError, SettingsError
from bci.sources.base import Channel

__all__ = [
    "DEFAULT_STREAM_UNIT",
    "declared_impedance",
    "implausible_volts",
    "is_eeg",
    "suggested_unit",
    "undeclared_unit_warning",
    "unit_scale",
    "volts_per",
    "with_unit",
]

F64 = NDArray[np.float64]

#: What LSL's EEG meta-data recommends, and what nearly every LSL amplifier that is silent sends.
DEFAULT_STREAM_UNIT = "microvolts"

_PREFIXES = {
    1.0: ("", ""),
    1e-3: ("m", "milli"),
    1e-6: ("u", "micro"),
    1e-9: ("n", "nano"),
}
_VOLTS_PER: dict[str, float] = {
    short + name: volts
    for volts, prefixes in _PREFIXES.items()
    for short in prefixes
    for name in ("v", "volt", "volts")
}

#: Spellings of mu: Greek letter, micro sign, the two read as Latin-1 or Shift-JIS, and a lost one.
_MU = ("μ", "µ", "Âµ", "Î¼", "\x83\xca", "�", "mu")

#: Typical spread of a channel (robust standard deviation) between which it can be EEG (V).
_PLAUSIBLE_V = (1e-8, 5e-3)
_BLOCK = 256
_N_BLOCKS = 64


def volts_per(unit: str) -> float | None:
    """Return how many volts one of `unit` is; None when it is no known voltage.

    >>> [volts_per(unit) for unit in ("microvolts", "uV", "µV", "mV", "Volts", "", "degC")]
    [1e-06, 1e-06, 1e-06, 0.001, 1.0, None, None]
    """
    spelled = unit.strip()
    for mu in _MU:
        if spelled.startswith(mu):
            spelled = "u" + spelled.removeprefix(mu)
            break
    return _VOLTS_PER.get(spelled.lower().replace(" ", ""))


def declared_impedance(text: str) -> float | None:
    """Read a channel's impedance as LSL's EEG meta-data has it, in kOhm; None for what is none.

    >>> declared_impedance("7.5"), declared_impedance(""), declared_impedance("-1")
    (7500.0, None, None)
    """
    try:
        kilo_ohm = float(text)
    except ValueError:
        return None
    # Amplifiers that cannot measure declare 0 or a negative number.
    return 1000.0 * kilo_ohm if 0.0 < kilo_ohm < float("inf") else None


def is_eeg(channel: Channel) -> bool:
    """Return whether a channel is declared as EEG."""
    return channel.kind.upper() == "EEG"


def _override(unit: str | None) -> float | None:
    """Return the volts of the unit that the user gave, None when none was."""
    if unit is None:
        return None
    volts = volts_per(unit)
    if volts is None:
        raise SettingsError(f"--unit {unit!r} is no voltage: write uV, mV, nV or V")
    return volts


def unit_scale(channels: Sequence[Channel], override_unit: str | None = None) -> F64:
    """Return what to multiply a stream's numbers by to have volts.

    A live stream and its recording must give the same volts to the last bit: both compute
    ``samples.astype(np.float64) * unit_scale(...)``.

    Parameters
    ----------
    channels : sequence of Channel
    override_unit : str or None
        The unit of all EEG channels, whatever they declare.

    Returns
    -------
    ndarray of float64, shape (n_channels,)
        EEG channels that declare no unit are taken for microvolts (`undeclared_unit_warning` says
        so); a channel that is no EEG and no voltage keeps its numbers.

    Raises
    ------
    SettingsError
        When `override_unit` is no voltage.
    ChannelError
        When an EEG channel declares a unit that is no voltage.
    """
    override = _override(override_unit)
    scale = np.ones(len(channels))
    strange: dict[str, list[str]] = {}
    for index, channel in enumerate(channels):
        volts = volts_per(channel.unit)
        if is_eeg(channel):
            if override is not None:
                volts = override
            elif not channel.unit:
                volts = volts_per(DEFAULT_STREAM_UNIT)
            elif volts is None:
                strange.setdefault(channel.unit, []).append(channel.label)
        scale[index] = 1.0 if volts is None else volts
    if strange:
        named = "; ".join(f"{unit!r} of {', '.join(labels)}" for unit, labels in strange.items())
        raise ChannelError(f"unit {named} is no voltage: say --unit uV if that is what it means")
    return scale


def with_unit(channels: Sequence[Channel], override_unit: str | None) -> tuple[Channel, ...]:
    """Return the channels with the unit that the user says their EEG has, where he says one."""
    if override_unit is None:
        return tuple(channels)
    return tuple(
        replace(channel, unit=override_unit) if is_eeg(channel) else channel for channel in channels
    )


def undeclared_unit_warning(
    channels: Sequence[Channel], override_unit: str | None = None
) -> str | None:
    """Return what to tell the user when EEG channels declare no unit and none was given."""
    if override_unit is not None:
        return None
    silent = [channel.label for channel in channels if is_eeg(channel) and not channel.unit]
    if not silent:
        return None
    n_eeg = sum(map(is_eeg, channels))
    which = (
        "the stream names no unit" if len(silent) == n_eeg else f"no unit for {', '.join(silent)}"
    )
    return f"{which}: taken for {DEFAULT_STREAM_UNIT}; say --unit if that is wrong"


def _blocks(samples: F64) -> F64:
    """Return short blocks spread over a recording, shape (n_blocks, n_times, n_channels)."""
    length = min(_BLOCK, len(samples))
    n_blocks = min(_N_BLOCKS, len(samples) // length)
    starts = np.linspace(0, len(samples) - length, n_blocks).astype(int)
    return np.stack([samples[start : start + length] for start in starts])


def _spread(samples: F64) -> F64:
    """Return each channel's typical spread, shape (n_channels,); NaN where it cannot be told.

    The inter-quartile range over blocks of 256 samples, its median over the blocks, as a standard
    deviation (Gaussian: 1.349 of them): neither an offset of 200 mV nor slow drift nor an artifact
    counts.
    """
    if len(samples) < 2:
        return np.full(samples.shape[1], np.nan)
    blocks = _blocks(samples)
    finite = np.isfinite(blocks).all(axis=(0, 1))
    low, high = np.percentile(np.where(finite, blocks, 0.0), [25, 75], axis=1)
    spread: F64 = np.median(high - low, axis=0) / 1.349
    return np.where(finite & (spread > 0), spread, np.nan)


def implausible_volts(samples: F64, labels: Sequence[str]) -> str | None:
    """Say why samples cannot be EEG in volts.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples, n_channels)
        Taken for volts.
    labels : sequence of str

    Returns
    -------
    str or None
        Such as ``"amplitudes reach 87 V (F3)"`` when the median channel's spread exceeds 5 mV or
        falls short of 10 nV; None when the amplitudes are possible, or no channel has any.
    """
    spread = _spread(samples)
    if not np.isfinite(spread).any():
        return None
    low, high = _PLAUSIBLE_V
    typical = float(np.nanmedian(spread))
    if low <= typical <= high:
        return None
    blocks = _blocks(samples)
    swing = np.abs(blocks - np.median(blocks, axis=1, keepdims=True)).max(axis=(0, 1))
    widest = int(np.argmax(np.where(np.isfinite(spread), swing, -1.0)))
    verb = "reach" if typical > high else "stay below"
    return f"amplitudes {verb} {swing[widest]:.3g} V ({labels[widest]})"


def suggested_unit(numbers: F64) -> str:
    """Return the unit in which bare numbers would be EEG: ``"uV"`` unless another fits better.

    Parameters
    ----------
    numbers : ndarray of float64, shape (n_samples, n_channels)
        As the file holds them.
    """
    spread = _spread(numbers)
    if np.isfinite(spread).any():
        typical = float(np.nanmedian(spread))
        for unit, volts in (("uV", 1e-6), ("mV", 1e-3), ("nV", 1e-9), ("V", 1.0)):
            if 5e-7 <= typical * volts <= 1e-3:
                return unit
    return "uV"
