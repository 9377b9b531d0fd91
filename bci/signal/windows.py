"""Where the windows of a trial lie, in samples."""

import numpy as np
from numpy.typing import NDArray

from bci.config import EpochSettings
from bci.errors import SettingsError

__all__ = ["hop_samples", "span_ends", "window_samples", "window_starts"]


def window_samples(settings: EpochSettings, rate_hz: float) -> int:
    """Return the length of one window in samples.

    Raises
    ------
    SettingsError
        For a window shorter than two samples.
    """
    n_times = round(settings.window_length_s * rate_hz)
    if n_times < 2:
        raise SettingsError(
            f"a window of {settings.window_length_s:g} s holds {n_times} samples at {rate_hz:g} Hz"
        )
    return n_times


def window_starts(settings: EpochSettings, rate_hz: float) -> NDArray[np.int64]:
    """Return where the windows of a trial begin, in samples after the cue.

    >>> window_starts(EpochSettings(window_s=(0.5, 3.5), length_s=2, step_s=0.5), 100.0)
    array([ 50, 100, 150])
    >>> window_starts(EpochSettings(window_s=(0.5, 3.5)), 100.0)
    array([50])
    """
    first = round(settings.window_s[0] * rate_hz)
    last = round(settings.window_s[1] * rate_hz) - window_samples(settings, rate_hz)
    if settings.step_s is None:
        return np.array([first], dtype=np.int64)
    step = max(1, round(settings.step_s * rate_hz))
    return np.arange(first, max(last, first) + 1, step, dtype=np.int64)


def span_ends(settings: EpochSettings, rate_hz: float) -> tuple[int, int]:
    """Return where the first window of a trial ends, and the last may, in samples after the cue.

    >>> span_ends(EpochSettings(window_s=(0.5, 3.5), length_s=2), 100.0)
    (250, 350)
    """
    first = round(settings.window_s[0] * rate_hz) + window_samples(settings, rate_hz)
    # Start, length and stop are rounded apart: the first window may end a sample behind the span.
    return first, max(first, round(settings.window_s[1] * rate_hz))


def hop_samples(hop_s: float, rate_hz: float) -> int:
    """Return the hop in samples: the nearest whole number, at least one.

    >>> hop_samples(0.1, 125.0)
    12
    """
    return max(1, round(hop_s * rate_hz))
