"""What a recorder says of itself, while it runs and at its end."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RecorderStatus", "RecorderSummary", "StreamCount"]


@dataclass(frozen=True, slots=True)
class StreamCount:
    """What has been received of one stream.

    Attributes
    ----------
    name, kind, source_id : str
    n_samples : int
        Received so far; in a summary, all of them are in the file.
    first_stamp, last_stamp : float or None
        As sent, on the sender's clock (s); None before the first sample.
    lost : bool
        The stream has closed.
    """

    name: str
    kind: str
    source_id: str
    n_samples: int
    first_stamp: float | None
    last_stamp: float | None
    lost: bool


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recording goes.

    Attributes
    ----------
    streams : tuple of StreamCount
    duration_s : float
        Since the start.
    notices : tuple of str
        What the user should know, in the order in which it happened: a stream that was lost.
    error : str or None
        Why nothing is written any more.
    """

    streams: tuple[StreamCount, ...]
    duration_s: float
    notices: tuple[str, ...] = ()
    error: str | None = None

    @property
    def lost(self) -> tuple[StreamCount, ...]:
        """The streams that have closed."""
        return tuple(stream for stream in self.streams if stream.lost)

    @property
    def all_lost(self) -> bool:
        """Whether no stream is left."""
        return all(stream.lost for stream in self.streams)


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
    """

    path: Path
    streams: tuple[StreamCount, ...]
    duration_s: float
    n_bytes: int
    notices: tuple[str, ...] = ()
