"""One stream of the file: what is on its way into it, what is in it, where it has gaps.

======================================  ===================  =======================
attribute of `Track`                    written by           read by
======================================  ===================  =======================
queue                                   follower (puts)      writer (takes)
n_samples, stamps, state, gaps          its follower         any (single values)
connection                              its follower         any
stream_id, n_written                    writer               any
n_synced                                syncer               any
======================================  ===================  =======================
"""

import queue
from collections import deque
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bci.recording.connection import Batch, Connection
from bci.recording.status import RecordedGap, StreamCount, StreamState
from bci.sources.devices import with_device_offset
from bci.sources.discovery import FoundStream

__all__ = ["Track"]

#: Pulls that wait for the writer; beyond, a follower leaves samples in liblsl's buffer.
QUEUE_LENGTH = 4096


class Track:
    """A stream of the file, fed by one connection after another.

    Parameters
    ----------
    connection : Connection
        The first.
    n_gaps_kept : int

    Attributes
    ----------
    found : FoundStream
        As it was first found: what its header says.
    connection : Connection
        The present one, or the last.
    state : StreamState
    stream_id : int
        In the file; 0 until its header is written.
    n_samples, n_written, n_synced : int
        Received; handed to the system; on the disk.
    last_s : float or None
        When the newest sample arrived.
    proven : bool
        At the stop, something arrived that was sent after it.
    """

    def __init__(self, connection: Connection, n_gaps_kept: int) -> None:
        self.found = connection.found
        self.xml = with_device_offset(connection.xml)
        self.connection = connection
        self.state = StreamState.RECEIVING
        self.stream_id = 0
        self.queue: queue.Queue[Batch] = queue.Queue(QUEUE_LENGTH)
        self.n_samples = self.n_written = self.n_synced = 0
        self.first_stamp: float | None = None
        self.last_stamp: float | None = None
        self.last_s: float | None = None
        self.proven = False
        self.n_gaps = 0
        self._gaps: deque[RecordedGap] = deque(maxlen=n_gaps_kept)

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"LSL stream {self.found.name!r} (source id {self.found.source_id!r})"

    def fits(self, found: FoundStream) -> bool:
        """Whether a stream's samples can go on here: what the header says is still true."""
        ours = self.found
        return (ours.name, ours.kind, ours.rate_hz, ours.n_channels, ours.dtype) == (
            found.name, found.kind, found.rate_hz, found.n_channels, found.dtype,
        )  # fmt: skip

    def count(self, stamps: NDArray[np.float64], now_s: float) -> None:
        """Account for samples that are in the queue."""
        if self.first_stamp is None:
            self.first_stamp = float(stamps[0])
        self.last_stamp = float(stamps[-1])
        self.last_s = now_s
        self.n_samples += len(stamps)

    def open_gap(self, reason: str) -> RecordedGap | None:
        """Mark that samples are missing from here on; None before the first sample."""
        if self.last_stamp is None:
            return None
        gap = RecordedGap(self.n_samples, self.last_stamp, None, None, reason)
        self.n_gaps += 1
        self._gaps.append(gap)
        return gap

    def close_gap(self, next_stamp: float, now_s: float) -> RecordedGap | None:
        """Mark that samples come again, before they are counted; None without an open gap."""
        if not self._gaps or self._gaps[-1].next_stamp is not None or self.last_s is None:
            return None
        period_s = 1.0 / self.found.rate_hz if self.found.rate_hz else 0.0
        lost_s = max(0.0, now_s - self.last_s - period_s)
        self._gaps[-1] = replace(self._gaps[-1], next_stamp=next_stamp, lost_s=lost_s)
        return self._gaps[-1]

    def take(self) -> Batch | None:
        """Empty the queue; None when nothing is in it."""
        batches: list[Batch] = []
        while not self.queue.empty():  # one consumer: what is there stays there
            batches.append(self.queue.get_nowait())
        if len(batches) <= 1:
            return batches[0] if batches else None
        stamps = np.concatenate([stamps for stamps, _ in batches])
        if isinstance(batches[0][1], list):
            return stamps, [row for _, rows in batches for row in rows]
        return stamps, np.concatenate([samples for _, samples in batches])

    def counted(self, now_s: float) -> StreamCount:
        """Return how it is."""
        found, last_s = self.found, self.last_s
        return StreamCount(
            name=found.name,
            kind=found.kind,
            source_id=found.source_id,
            hostname=found.hostname,
            rate_hz=found.rate_hz,
            n_channels=found.n_channels,
            n_samples=self.n_samples,
            n_written=self.n_written,
            n_synced=self.n_synced,
            first_stamp=self.first_stamp,
            last_stamp=self.last_stamp,
            age_s=None if last_s is None else max(0.0, now_s - last_s),
            effective_hz=self.connection.effective_hz(),
            state=self.state,
            gaps=tuple(self._gaps),
            n_gaps=self.n_gaps,
            clock_offset_s=self.connection.offset_s,
            stream_id=self.stream_id,
        )
