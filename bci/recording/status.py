"""What a recorder says of itself, while it runs and at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bci.sources.base import StreamState

if TYPE_CHECKING:
    from bci.recording.readback import ReadBack

__all__ = [
    "RecordedGap",
    "RecorderStatus",
    "RecorderSummary",
    "StreamCount",
    "StreamState",
    "samples_by_source",
]


@dataclass(frozen=True, slots=True)
class RecordedGap:
    """Where samples of a stream are missing in the file.

    Attributes
    ----------
    after_sample : int
        Samples of the stream that are before the gap.
    last_stamp : float
        Of the newest sample before it, as sent (s).
    next_stamp : float or None
        Of the first sample after it; None while there is none.
    lost_s : float or None
        From the one to the other on this machine's clock, less one sample period: the two stamps
        can be of clocks that differ.
    reason : str
        Such as ``"its connection ended"``.
    """

    after_sample: int
    last_stamp: float
    next_stamp: float | None
    lost_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class StreamCount:
    """What has been received of one stream.

    Attributes
    ----------
    name, kind, source_id, hostname : str
    rate_hz : float
        Nominal; 0 for an irregular stream.
    n_channels : int
    n_samples : int
        Received so far; in a summary, all of them are in the file.
    n_written : int
        Acknowledged: handed to the system, so that they survive the end of this process.
    n_synced : int
        Forced to the disk: they survive a power cut.
    first_stamp, last_stamp : float or None
        As sent, on the sender's clock (s); None before the first sample.
    age_s : float or None
        Since the newest sample arrived.
    effective_hz : float or None
        Samples a second by the stamps of the present connection; None without enough of them.
    state : StreamState
    gaps : tuple of RecordedGap
        The newest of them (`RecorderSettings.n_gaps_kept`); the file's own "Rolandic recorder"
        stream has all.
    n_gaps : int
        How many there were.
    clock_offset_s : float or None
        What to add to the stamps to be on this machine's clock.
    stream_id : int
        In the file; 0: not there yet.
    """

    name: str
    kind: str
    source_id: str
    hostname: str
    rate_hz: float
    n_channels: int
    n_samples: int
    n_written: int
    n_synced: int
    first_stamp: float | None
    last_stamp: float | None
    age_s: float | None
    effective_hz: float | None
    state: StreamState
    gaps: tuple[RecordedGap, ...] = ()
    n_gaps: int = 0
    clock_offset_s: float | None = None
    stream_id: int = 0

    @property
    def lost(self) -> bool:
        """Whether its connection has ended."""
        return self.state is StreamState.LOST


def samples_by_source(streams: Sequence[StreamCount]) -> dict[str, int]:
    """Return how many samples there are of each stream, by its source id (else its name).

    Of two with the same, the second is ``"ID (2)"``.
    """
    counts: dict[str, int] = {}
    for stream in streams:
        label = key = stream.source_id or stream.name
        number = 1
        while key in counts:
            number += 1
            key = f"{label} ({number})"
        counts[key] = stream.n_samples
    return counts


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recording goes.

    Attributes
    ----------
    path : Path
    streams : tuple of StreamCount
        In the order in which they came; one that is waited for has no samples.
    duration_s : float
        Since the start.
    n_bytes : int
        In the file.
    disk_left_bytes : int
        Free where the file is.
    disk_left_s : float or None
        Until nothing more can be recorded, at the present rate; None while that is unknown.
    notices : tuple of str
        What the user should know, in the order in which it happened.
    error : str or None
        Why nothing is written any more.
    finished : bool
        The file is closed.
    """

    path: Path
    streams: tuple[StreamCount, ...]
    duration_s: float
    n_bytes: int
    disk_left_bytes: int
    disk_left_s: float | None
    notices: tuple[str, ...] = ()
    error: str | None = None
    finished: bool = False

    @property
    def lost(self) -> tuple[StreamCount, ...]:
        """The streams whose connection has ended."""
        return tuple(stream for stream in self.streams if stream.lost)

    @property
    def all_lost(self) -> bool:
        """Whether no stream is received or waited for."""
        ended = (StreamState.LOST, StreamState.REFUSED)
        return all(stream.state in ended for stream in self.streams)


@dataclass(frozen=True, slots=True)
class RecorderSummary:
    """What is in the file.

    Attributes
    ----------
    path : Path
    streams : tuple of StreamCount
    duration_s : float
    n_bytes : int
    notices : tuple of str
    readback : ReadBack or None
        What reading the file back has shown, where that was done.
    """

    path: Path
    streams: tuple[StreamCount, ...]
    duration_s: float
    n_bytes: int
    notices: tuple[str, ...] = ()
    readback: "ReadBack | None" = None
