"""What every source of samples is: a small protocol and what passes through it."""

import enum
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Channel", "Chunk", "ReturningSource", "Source", "StreamInfo", "StreamState"]


class StreamState(enum.Enum):
    """How a stream is at this moment.

    ::

        WAITING ──appears──> RECEIVING <──samples── SILENT
                                 │  └────no sample────^ │
                                 └──connection gone──> LOST ──comes back──> RECEIVING
        REFUSED: what came back, or appeared, is another stream than it was
    """

    RECEIVING = "receiving"
    SILENT = "silent"
    """Connected, but no sample for longer than its rate allows."""
    LOST = "lost"
    """Its connection has ended; it is looked for."""
    REFUSED = "refused"
    """Changed: recorded in another stream of the file, or not at all; a notice says which."""
    WAITING = "waiting"
    """Wanted, never seen."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as its stream describes it.

    Attributes
    ----------
    label : str
        Canonical electrode name where one is recognised (``"C3"``), else as declared.
    unit : str
        As declared (``"microvolts"``, ``"uV"``, ...); empty when the stream names none.
    kind : str
        ``"EEG"``, ``"EOG"``, ``"EMG"``, ``"Misc"``, ...
    position_m : (float, float, float) or None
        In head coordinates (m), where the stream gives it.
    impedance_ohm : float or None
        As measured before the stream began, where it says so; no part of what a channel is.
    """

    label: str
    unit: str = ""
    kind: str = "EEG"
    position_m: tuple[float, float, float] | None = None
    impedance_ohm: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is known of a stream before its first sample.

    Attributes
    ----------
    name, kind, source_id : str
        As LSL has them (`kind` is LSL's type: ``"EEG"``, ``"Markers"``).
    rate_hz : float
        Nominal sampling rate; 0 for an irregular stream.
    channels : tuple of Channel
    dtype : str
        Sample type on the wire or in the file: ``"float32"``, ``"int16"``, ``"string"``, ...
    hostname : str
    """

    name: str
    kind: str
    source_id: str
    rate_hz: float
    channels: tuple[Channel, ...] = field(repr=False)
    dtype: str = "float32"
    hostname: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels, in the stream's order."""
        return tuple(channel.label for channel in self.channels)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of a stream.

    The arrays belong to the source and hold until its next `read`: whoever keeps them copies.

    Attributes
    ----------
    first_sample : int
        Index of the first sample, counted from the source's first.
    samples : ndarray of float64, shape (n_samples, n_channels)
        In volts.
    stamps : ndarray of float64, shape (n_samples,)
        Time stamps as sent, on the sender's clock (s): neither dejittered nor corrected.
    clock_offset_s : float
        What to add to `stamps` to be on this machine's LSL clock.
    """

    first_sample: int
    samples: NDArray[np.float64]
    stamps: NDArray[np.float64]
    clock_offset_s: float = 0.0


class Source(Protocol):
    """Where samples come from: an LSL stream, a recording, a simulated person.

    `info` is complete once `open` has returned. One thread reads.
    """

    @property
    def info(self) -> StreamInfo:
        """The stream's description."""

    @property
    def ended(self) -> bool:
        """True once a source that has an end (a recording) has yielded its last sample."""

    def open(self) -> None:
        """Connect or open.

        Raises
        ------
        InputError
            When there is nothing that can be read.
        """

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next samples, waiting at most `timeout_s`; None when there were none.

        Raises
        ------
        StreamLostError
            When the stream has stopped for good.
        """

    def close(self) -> None:
        """Release what `open` took; more than once is harmless."""


@runtime_checkable
class ReturningSource(Source, Protocol):
    """A source whose stream may be lost and come back."""

    def resume(self) -> bool:
        """Take the stream up again where it is there anew, over another connection.

        Called again and again while the stream is lost or silent: the first call begins to look
        in the background, none waits for the stream to appear. Samples go on counting.

        Returns
        -------
        bool
            True once `read` reads the new connection.

        Raises
        ------
        StreamRefusedError
            When what came back is another stream than it was; said once for each.
        """
