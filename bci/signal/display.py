"""Filters for the eye: what a clinician looks through; nothing is recorded or decoded by them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

__all__ = ["DisplayFilter"]

F64 = NDArray[np.float64]

#: A notch this many times narrower than its frequency: 1.7 Hz at 50 Hz.
_NOTCH_Q = 30.0
#: Filters end below half the sampling rate by this share.
_NYQUIST_SHARE = 0.45


@dataclass(frozen=True, slots=True)
class DisplayFilter:
    """A causal filter of up to three parts.

    Attributes
    ----------
    highpass_hz, lowpass_hz : float or None
        Butterworth, of second and of fourth order; None: none.
    notch_hz : float or None
        The mains, with its second harmonic; None: none.

    Examples
    --------
    >>> str(DisplayFilter(0.5, 40.0, 50.0)), str(DisplayFilter())
    ('0.5-40 Hz, notch 50 Hz', 'unfiltered')
    """

    highpass_hz: float | None = None
    lowpass_hz: float | None = None
    notch_hz: float | None = None

    def sections(self, rate_hz: float) -> F64:
        """Design it; parts that the sampling rate does not hold are left out.

        Returns
        -------
        sos : ndarray of float64, shape (n_sections, 6)
        """
        most_hz = _NYQUIST_SHARE * rate_hz
        parts = [np.empty((0, 6))]
        high, low = self.highpass_hz, self.lowpass_hz
        if high is not None and high < most_hz:
            parts.append(signal.butter(2, high, btype="highpass", output="sos", fs=rate_hz))
        if low is not None and low < most_hz:
            parts.append(signal.butter(4, low, btype="lowpass", output="sos", fs=rate_hz))
        if self.notch_hz is not None:
            for hz in (self.notch_hz, 2 * self.notch_hz):
                if hz < most_hz:
                    parts.append(signal.tf2sos(*signal.iirnotch(hz, _NOTCH_Q, fs=rate_hz)))
        sos: F64 = np.concatenate(parts)
        return sos

    def __str__(self) -> str:
        match self.highpass_hz, self.lowpass_hz:
            case None, None:
                band = ""
            case low, None:
                band = f"above {low:g} Hz"
            case None, high:
                band = f"below {high:g} Hz"
            case low, high:
                band = f"{low:g}-{high:g} Hz"
        notch = f"notch {self.notch_hz:g} Hz" if self.notch_hz is not None else ""
        return ", ".join(filter(None, (band, notch))) or "unfiltered"
