"""Causal band-pass filtering, the same for a stream and for a recording.

The filter is a Butterworth cascade of second-order sections. It starts, at the first sample of
each segment, in the steady state of a signal that has always had that sample's value
(`scipy.signal.sosfilt_zi`): an amplifier's offset of many millivolts causes no transient. After a
gap it starts anew. The recursion runs sample by sample, so the output does not depend, to the last
bit, on how the stream was cut into chunks.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bci.errors import SettingsError

__all__ = ["CausalFilter", "design_bandpass", "filter_segments"]

F64 = NDArray[np.float64]


def design_bandpass(band_hz: tuple[float, float], rate_hz: float, order: int = 4) -> F64:
    """Design the Butterworth band-pass.

    Returns
    -------
    sos : ndarray of float64, shape (order, 6)

    Raises
    ------
    SettingsError
        When the band does not lie between 0 and the Nyquist frequency.
    """
    low, high = band_hz
    nyquist = rate_hz / 2
    if not 0 < low < high < nyquist:
        raise SettingsError(
            f"band {low:g} {high:g} Hz does not lie between 0 and {nyquist:g} Hz, half the "
            f"sampling rate ({rate_hz:g} Hz): choose a lower --band"
        )
    sos: F64 = signal.butter(order, band_hz, btype="bandpass", output="sos", fs=rate_hz)
    return sos


class CausalFilter:
    """A second-order-section cascade with its state.

    Parameters
    ----------
    sos : ndarray of float64, shape (n_sections, 6)
    n_channels : int
    """

    def __init__(self, sos: F64, n_channels: int) -> None:
        self._sos = sos
        self._steady = np.repeat(signal.sosfilt_zi(sos)[:, :, None], n_channels, axis=2)
        self._zi: F64 | None = None

    def restart(self) -> None:
        """Forget the past: the next sample is a first one."""
        self._zi = None

    def __call__(self, samples: F64) -> F64:
        """Filter the next samples.

        Parameters
        ----------
        samples : ndarray of float64, shape (n_samples, n_channels)

        Returns
        -------
        ndarray of float64, shape (n_samples, n_channels)
        """
        if not len(samples):
            return np.empty_like(samples)
        if self._zi is None:
            self._zi = self._steady * samples[0]
        filtered: F64
        filtered, self._zi = signal.sosfilt(self._sos, samples, axis=0, zi=self._zi)
        return filtered


def filter_segments(samples: F64, segments: NDArray[np.int64], sos: F64) -> F64:
    """Filter a whole recording, starting anew in each segment.

    Parameters
    ----------
    samples : ndarray of float64, shape (n_samples, n_channels)
    segments : ndarray of int64, shape (n_samples,)
        Number of the gapless segment of each sample (`bci.acquisition.Timeline`).
    sos : ndarray of float64, shape (n_sections, 6)

    Returns
    -------
    ndarray of float64, shape (n_samples, n_channels)
    """
    filtered = np.empty_like(samples)
    starts = np.flatnonzero(np.diff(segments, prepend=segments[:1] - 1))
    causal = CausalFilter(sos, samples.shape[1])
    for start, stop in zip(starts, [*starts[1:], len(samples)], strict=True):
        causal.restart()
        filtered[start:stop] = causal(samples[start:stop])
    return filtered
