"""A recording in memory, whatever file it came from."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci.events import Marker
from bci.sources.base import StreamInfo

__all__ = ["Recording"]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One EEG stream of a file, with the markers of the file.

    Attributes
    ----------
    path : Path
    info : StreamInfo
    samples : ndarray of float64, shape (n_samples, n_channels)
        In volts.
    stamps : ndarray of float64, shape (n_samples,)
        As recorded, on the sender's clock (s), which a reset does not end: it is carried on;
        ``k / rate_hz`` where the file has no stamps.
    clock_offsets : ndarray of float64, shape (n_measured, 2)
        Time on the sender's clock and what to add there to be on the recording machine's clock;
        empty where the file has none.
    markers : tuple of Marker
        On the recording machine's clock, in order of time.
    gaps : tuple of int
        Samples before which the recorder marked a gap.
    returns : tuple of int
        Those of them where the stream came back over another connection: there the live clock
        began a new segment, and so does `bci.acquisition.timeline`.
    warnings : tuple of str
        What the user should know: undeclared units, a cut file, clock resets.
    """

    path: Path
    info: StreamInfo
    samples: NDArray[np.float64] = field(repr=False)
    stamps: NDArray[np.float64] = field(repr=False)
    clock_offsets: NDArray[np.float64] = field(repr=False)
    markers: tuple[Marker, ...] = field(default=(), repr=False)
    gaps: tuple[int, ...] = ()
    returns: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        """Samples in the recording."""
        return len(self.stamps)

    @property
    def duration_s(self) -> float:
        """Samples times nominal period."""
        return self.n_samples / self.info.rate_hz
