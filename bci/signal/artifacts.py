"""What keeps a window from being decided on: numbers that are none, flat channels, artifacts.

An artifact is what calibration never saw: a window whose peak-to-peak amplitude, at some channel,
is beyond 1.5 times the largest that the training windows had there. The filter has already taken
off offset and drift, so the measure needs no baseline.

The plain maximum fails in both directions. One wild training window (a cable pulled) would lift it
a hundredfold and leave the gate open for good; and thirty windows are too few to know a channel's
range, so the maximum of some of 64 channels is soon exceeded by ordinary windows. So the largest is
counted without the top 3 % of windows (at least one; a trial cut into overlapping windows holds
several of the same artifact), and is taken to lie between 2.5 and 5 times the channel's median.

Measured with limits from imagery windows of R04 and R08, 7-35 Hz, and every window of R12 (a hop
of 0.1 s), share of windows rejected at any of 64 channels:

=====================================  =====  ==============  ==========================
limit                                  S001   twelve people   one wild training window
=====================================  =====  ==============  ==========================
1.5 x maximum                          5.0 %  0 to 35 %       limit grows 60 to 100 times
1.5 x without the top, 1.5 to 4 med.   2.5 %  0 to 41 %       up to 2.8 times
1.5 x without the top, 2 to 4 medians  0.0 %  0 to 16 %       up to 2.1 times
as built, 2.5 to 5 medians             0.0 %  0 to 2.8 %      up to 2.1 times
=====================================  =====  ==============  ==========================

On P1 (8-32 Hz, 11 channels), from day to day and run to run, the limits reject 0 to 2.5 % of the
windows, and 6.1 % in one pairing of runs (7.0 % with the plain maximum: those windows stand out).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLAT_SHARE", "WindowProblem", "artifact_limits", "window_problem"]

F64 = NDArray[np.float64]

_MARGIN = 1.5
_LEFT_OUT = 0.03
_LEAST_MEDIANS, _MOST_MEDIANS = 2.5, 5.0
#: Of its limit: a channel whose peak-to-peak amplitude is no more is flat.
FLAT_SHARE = 1e-3


@dataclass(frozen=True, slots=True)
class WindowProblem:
    """Why a window must not be decided on.

    Attributes
    ----------
    kind : str
        ``"not a number"``, ``"flat"`` or ``"artifact"``.
    channel : int
        Index of the channel; of several, the first that is no number or flat, the one farthest
        beyond its limit.
    """

    kind: str
    channel: int


def artifact_limits(windows: F64) -> F64:
    """Return the peak-to-peak amplitude beyond which a window holds an artifact.

    Parameters
    ----------
    windows : ndarray of float64, shape (n_windows, n_channels, n_times)
        Of the training trials, filtered (V).

    Returns
    -------
    ndarray of float64, shape (n_channels,)
        In volts.

    Raises
    ------
    ValueError
        When there is no window, or one holds a value that is not finite.
    """
    if windows.ndim != 3 or not windows.size:
        raise ValueError(f"artifact limits need windows, not an array of shape {windows.shape}")
    if not np.isfinite(windows).all():
        raise ValueError("artifact limits need windows whose values are all finite")
    span = np.ptp(windows, axis=2)
    n_windows = len(span)
    rank = max(n_windows - 1 - max(1, round(_LEFT_OUT * n_windows)), 0)
    largest = np.partition(span, rank, axis=0)[rank]
    median = np.median(span, axis=0)
    limits: F64 = _MARGIN * np.clip(largest, _LEAST_MEDIANS * median, _MOST_MEDIANS * median)
    return limits


def window_problem(window: F64, limits: F64) -> WindowProblem | None:
    """Return why this window must not be decided on, or None.

    Parameters
    ----------
    window : ndarray of float64, shape (n_channels, n_times)
        Filtered (V).
    limits : ndarray of float64, shape (n_channels,)
        From `artifact_limits` (V).

    Notes
    -----
    A channel is flat when its peak-to-peak amplitude is no more than a thousandth of its limit.
    Costs about 20 us for 64 channels of 480 samples.
    """
    # infinite minus infinite is NaN, and NaN passes through maximum and minimum: one test finds all
    with np.errstate(invalid="ignore"):
        span = window.max(axis=1) - window.min(axis=1)
    if not np.isfinite(span).all():
        return WindowProblem("not a number", int(np.isfinite(span).argmin()))
    flat = span <= FLAT_SHARE * limits
    if flat.any():
        return WindowProblem("flat", int(flat.argmax()))
    beyond = span > limits
    if beyond.any():
        with np.errstate(divide="ignore", invalid="ignore"):  # limits of a channel dead in training
            return WindowProblem("artifact", int(np.nan_to_num(span / limits, nan=0.0).argmax()))
    return None
