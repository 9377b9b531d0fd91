"""How good the electrodes are while a stream is connected, twice a second, in a thread."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci.acquisition import Acquisition
from bci.features import SpectrumSettings
from bci.features.spectra import Spectra, spectra_at
from bci.recording.disk import free_bytes
from bci.signal.quality import advice, number
from bci.signal.quality_words import BAD, grade
from bci.signal.recent import recent_quality, recent_samples
from bci.sources.base import StreamState

__all__ = ["ElectrodeWatch", "Electrodes", "LiveSpectra"]

_log = logging.getLogger(__name__)

F64 = NDArray[np.float64]

_EVERY_S = 0.5
_JOIN_S = 2.0
#: Spectra: mean of Hann windows of two seconds over the newest eight; shown from 1 to 60 Hz.
_SPECTRUM_S, _SEGMENT_S = 8.0, 2.0
_BAND_HZ = (1.0, 60.0)
#: A flat channel has no power; it lies this low (dB of 1 µV²/Hz).
_LEAST_DB = -60.0


@dataclass(frozen=True, slots=True, eq=False)
class LiveSpectra:
    """Spectra of the newest seconds.

    Attributes
    ----------
    freqs_hz : ndarray of float64, shape (n_freqs,)
    decibels : ndarray of float64, shape (n_channels, n_freqs)
        Density, dB of 1 µV²/Hz.
    seconds : float
        That they are the mean of.
    segment_s : float
        Length of a Hann window.
    """

    freqs_hz: F64 = field(repr=False)
    decibels: F64 = field(repr=False)
    seconds: float
    segment_s: float

    def median_of(self, channels: Sequence[int]) -> F64:
        """Return the median of channels, frequency by frequency (dB)."""
        return np.asarray(np.median(self.decibels[list(channels)], axis=0))

    @property
    def limits(self) -> tuple[float, float]:
        """Where an axis begins and ends: in steps of 10 dB, so that it mostly stands still."""
        low = 10.0 * float(np.floor(np.percentile(self.decibels, 2) / 10))
        high = 10.0 * float(np.ceil((self.decibels.max() + 2) / 10))
        return low, max(high, low + 20.0)

    def nearest(self, hz: float) -> int:
        """Return the place of the frequency that is nearest."""
        return int(np.argmin(np.abs(self.freqs_hz - hz)))


@dataclass(frozen=True, slots=True, eq=False)
class Electrodes:
    """What was seen last.

    Attributes
    ----------
    labels : tuple of str
        EEG channels.
    quality : tuple of str
        Of `bci.signal.quality.QUALITIES`; empty texts while nothing can be told.
    numbers : tuple of str
        Behind each word, with its unit.
    why_unknown : str
        Why nothing can be told.
    spectra : LiveSpectra or None
    """

    labels: tuple[str, ...]
    quality: tuple[str, ...]
    numbers: tuple[str, ...]
    why_unknown: str = ""
    spectra: LiveSpectra | None = None

    @property
    def n_usable(self) -> int:
        """Channels of which something can be decoded: good ones, and those that deserve care."""
        return sum(grade(word) in ("good", "care") for word in self.quality)

    @property
    def todo(self) -> tuple[tuple[str, str], ...]:
        """The words that are not good, worst first, each with what to do."""
        words = {word for word in self.quality if word not in ("", "good")}
        ordered = sorted(words, key=lambda word: (word not in BAD, word))
        return tuple((word, advice(word, self.of(word))) for word in ordered)

    def of(self, word: str) -> list[str]:
        """Return the channels of a quality."""
        return [
            label for label, found in zip(self.labels, self.quality, strict=True) if found == word
        ]


class ElectrodeWatch:
    """Looks at the newest seconds twice a second, from `start` to `stop`.

    Parameters
    ----------
    acquisition : Acquisition
    mains_hz : callable
        Asked each time (Hz).
    folder : Path
        Where recordings go: its free space is asked for here, as a disk of the network may take
        its time to say it.
    told : callable
        Called in this thread with each `Electrodes`.

    Attributes
    ----------
    seen : Electrodes
    free_bytes : int or None
    """

    def __init__(
        self,
        acquisition: Acquisition,
        mains_hz: Callable[[], float],
        folder: Path,
        told: Callable[[Electrodes], object],
    ) -> None:
        self._acquisition, self._mains_hz, self._told = acquisition, mains_hz, told
        self._folder = folder
        info = acquisition.info
        self._eeg = [k for k, c in enumerate(info.channels) if c.kind.upper() in ("EEG", "")]
        self._labels = tuple(info.labels[k] for k in self._eeg)
        self.seen = self._unknown("waiting for two seconds of signal")
        self.free_bytes: int | None = None
        n_windows = 1 + round((_SPECTRUM_S - _SEGMENT_S) / _EVERY_S)
        self._windows: deque[F64] = deque(maxlen=n_windows)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="electrodes", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; more than once is harmless."""
        self._stop.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    def _unknown(self, why: str) -> Electrodes:
        blank = ("",) * len(self._labels)
        return Electrodes(self._labels, blank, blank, why)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + _EVERY_S, time.monotonic())
            try:
                self.free_bytes = free_bytes(self._folder)
            except OSError:
                self.free_bytes = None
            try:
                self.seen = self._look()
            except Exception:
                _log.exception("the quality of the electrodes could not be told")
                self.seen = self._unknown("the quality could not be told")
            if not self._stop.is_set():
                self._told(self.seen)

    def _look(self) -> Electrodes:
        acquisition = self._acquisition
        ring, info = acquisition.ring, acquisition.info
        health = acquisition.health
        if not ring.n_written:
            return self._unknown("waiting for the first samples")
        if health.state is not StreamState.RECEIVING:
            return self._unknown(health.reason or "the stream sends nothing")
        if not self._eeg:
            return self._unknown("the stream has no EEG channel")
        recent = recent_quality(ring, info, mains_hz=self._mains_hz(), channels=self._eeg)
        if recent is None:
            return self._unknown("waiting for two seconds of signal without a gap")
        found = recent[0]
        numbers = tuple(number(found, k, self._labels) for k in range(len(self._labels)))
        return Electrodes(self._labels, found.quality, numbers, "", self._spectra())

    def _spectra(self) -> LiveSpectra | None:
        """Add the newest window to the mean: all of them anew would cost four times as much."""
        ring, rate_hz = self._acquisition.ring, self._acquisition.info.rate_hz
        recent = recent_samples(ring, round(_SEGMENT_S * rate_hz), self._eeg)
        if recent is None:
            self._windows.clear()
            return None
        most_hz = min(_BAND_HZ[1], 0.45 * rate_hz)
        freqs_hz = np.arange(_BAND_HZ[0], most_hz, 1 / _SEGMENT_S)
        settings = SpectrumSettings(
            method="welch", segment_s=_SEGMENT_S, fmin_hz=_BAND_HZ[0], fmax_hz=most_hz
        )
        microvolts = np.nan_to_num(np.ascontiguousarray(1e6 * recent[0].T))[None]
        found = spectra_at(microvolts, rate_hz, freqs_hz, settings)
        self._windows.append(found.power[0])
        mean = Spectra(np.mean(self._windows, axis=0), found.freqs_hz)
        decibels = np.maximum(mean.log_power, _LEAST_DB)
        seconds = _SEGMENT_S + _EVERY_S * (len(self._windows) - 1)
        return LiveSpectra(found.freqs_hz, decibels, seconds, _SEGMENT_S)
