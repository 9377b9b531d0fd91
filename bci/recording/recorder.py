"""Recording LSL streams to an XDF file, without losing a sample.

Each stream has a reader, a thread that waits in the pull (`bci.sources.inlets` says why); one
writer, a thread too, empties their queues into the file twenty times a second. A disk that stalls
fills the queues, then liblsl's buffers of six minutes; nothing is dropped before that.

========================  ==================  =======================
attribute of `_Track`     written by          read by
========================  ==================  =======================
queue                     its reader (puts)   writer (takes)
n_samples, stamps, lost   its reader          any (single values)
clock                     writer              writer
========================  ==================  =======================
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from bci.errors import RecordingError, SettingsError
from bci.recording.status import RecorderStatus, RecorderSummary, StreamCount
from bci.recording.xdf import XdfWriter
from bci.sources.clock import lsl_clock
from bci.sources.discovery import FoundStream, StreamQuery, resolve_streams
from bci.sources.inlets import NUMPY_DTYPES, ClockOffset, NumericPull, open_inlet

__all__ = ["Recorder"]

logger = logging.getLogger(__name__)

#: Intervals (s): between writes (each is flushed to the system), between syncs to the disk,
#: between clock offsets and boundaries.
WRITE_S, SYNC_S, CLOCK_S = 0.05, 1.0, 5.0
#: How long after `stop` what was sent before may still arrive (s).
DRAIN_S = 0.25
_PULL_S = 0.1
#: Pulls that wait for the writer; beyond, a reader leaves samples in liblsl's buffer.
_QUEUE_LENGTH = 4096

_Batch = tuple[NDArray[np.float64], Any]  # stamps, and samples: an array, or rows of bytes


class _Track:
    """One stream on its way into the file."""

    def __init__(self, found: FoundStream) -> None:
        self.found = found
        self.inlet, self.xml = open_inlet(found, timeout_s=5.0)
        self.clock = ClockOffset(self.inlet, CLOCK_S)
        # Also gives liblsl time to enter the inlet into the sender's list (bci.sources.amplifier).
        self.clock.measure()
        self.queue: queue.Queue[_Batch] = queue.Queue(_QUEUE_LENGTH)
        self.stream_id = 0
        self.n_samples = 0
        self.first_stamp: float | None = None
        self.last_stamp: float | None = None
        self.lost = False
        self.is_text = found.dtype not in NUMPY_DTYPES
        self._pull = None if self.is_text else NumericPull(self.inlet, max(256, int(found.rate_hz)))

    def receive(self) -> _Batch | None:
        """Wait a moment for samples; None when none came."""
        return self._receive_text() if self._pull is None else self._receive_numbers(self._pull)

    def _receive_numbers(self, pull: NumericPull) -> _Batch | None:
        n_samples = pull(_PULL_S)
        self.lost = pull.lost
        return pull.copies(n_samples) if n_samples else None

    def _receive_text(self) -> _Batch | None:
        """Pull sample by sample: a pull of many that fails would drop those it had taken."""
        rows: list[list[bytes]] = []
        stamps: list[float] = []
        try:
            while len(rows) < _QUEUE_LENGTH:
                values, stamp = self.inlet.pull_sample(0.0 if rows else _PULL_S)
                if values is None:
                    break
                rows.append(list(values))
                stamps.append(stamp)
        except pylsl.util.LostError:
            self.lost = True
        return (np.array(stamps), rows) if rows else None

    def count(self, stamps: NDArray[np.float64]) -> None:
        """Account for samples that are in the queue."""
        if self.first_stamp is None:
            self.first_stamp = float(stamps[0])
        self.last_stamp = float(stamps[-1])
        self.n_samples += len(stamps)

    def take(self) -> _Batch | None:
        """Empty the queue; None when nothing is in it."""
        batches: list[_Batch] = []
        while not self.queue.empty():  # one consumer: what is there stays there
            batches.append(self.queue.get_nowait())
        if not batches:
            return None
        stamps = np.concatenate([batch[0] for batch in batches])
        if self.is_text:
            return stamps, [row for batch in batches for row in batch[1]]
        return stamps, np.concatenate([batch[1] for batch in batches])

    def close(self) -> None:
        """Disconnect: pylsl does when the last reference to the inlet goes."""
        del self.inlet, self.clock, self._pull

    def counted(self) -> StreamCount:
        """Return what has been received."""
        return StreamCount(
            name=self.found.name,
            kind=self.found.kind,
            source_id=self.found.source_id,
            n_samples=self.n_samples,
            first_stamp=self.first_stamp,
            last_stamp=self.last_stamp,
            lost=self.lost,
        )


class Recorder:
    """Records all streams that match, from `start` to `stop`.

    Parameters
    ----------
    queries : sequence of StreamQuery
        Each must match at least one stream; all that match are recorded, each once.
    path : Path
        A file that does not exist; made only when every stream is connected.
    timeout_s : float
        To wait for the streams to appear (s).
    clock : callable
        The LSL clock (s).
    """

    def __init__(
        self,
        queries: Sequence[StreamQuery],
        path: Path,
        *,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = lsl_clock,
    ) -> None:
        if not queries:
            raise SettingsError("name at least one stream to record")
        self._queries = tuple(queries)
        self.path = Path(path)
        self._timeout_s = timeout_s
        self._clock = clock
        self._tracks: list[_Track] = []
        self._connected: list[_Track] = []
        self._readers: list[threading.Thread] = []
        self._write_thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._drained = threading.Event()
        self._stop_at_s = 0.0
        self._started_s = 0.0
        self._ended_s: float | None = None
        self._notices: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._error: str | None = None

    def start(self) -> None:
        """Find and connect the streams, make the file with its headers, begin.

        Every sample that is sent after this returns is recorded.

        Raises
        ------
        StreamError
            When a stream is not found or does not answer; no file is made then.
        SettingsError
            When the file exists or cannot be made.
        """
        if self.path.exists():
            raise SettingsError(f"{self.path} exists: recordings are never overwritten")
        if not self.path.absolute().parent.is_dir():
            raise SettingsError(f"{self.path.parent} is no folder: make it first")
        with ThreadPoolExecutor(len(self._queries)) as pool:
            found = pool.map(lambda q: resolve_streams(q, self._timeout_s), self._queries)
            unique = {stream.uid: stream for streams in found for stream in streams}
        with ThreadPoolExecutor(len(unique)) as pool:
            self._tracks = list(pool.map(_Track, unique.values()))
        self._writer = XdfWriter(self.path)
        try:
            for track in self._tracks:
                track.stream_id = self._writer.add_stream(track.xml)
                self._write_clock(track)
            self._writer.write_boundary()
            self._writer.flush(to_disk=True)
        except OSError as error:
            self._writer.abandon()
            raise RecordingError(f"{self.path} cannot be written: {error.strerror}") from error
        self._started_s = self._clock()
        self._connected = list(self._tracks)
        self._readers = [
            threading.Thread(
                target=self._read, args=(track,), name=f"record {track.found.name}", daemon=True
            )
            for track in self._tracks
        ]
        self._write_thread = threading.Thread(target=self._write, name="record", daemon=True)
        for thread in (*self._readers, self._write_thread):
            thread.start()

    def status(self) -> RecorderStatus:
        """Return how it goes."""
        until_s = self._clock() if self._ended_s is None else self._ended_s
        return RecorderStatus(
            streams=tuple(track.counted() for track in self._tracks),
            duration_s=until_s - self._started_s,
            notices=self._notices,
            error=self._error,
        )

    def stop(self) -> RecorderSummary:
        """Receive what was sent before, write the footers, close the file.

        Returns
        -------
        RecorderSummary

        Raises
        ------
        RecordingError
            When the file could not be written to its end.
        """
        if not self._stop.is_set():
            self._ended_s = self._clock()
            self._stop_at_s = self._ended_s + DRAIN_S
            self._stop.set()
        for thread in self._readers:
            thread.join()
        self._drained.set()
        if self._write_thread is None:
            raise RuntimeError("the recorder has not been started")
        self._write_thread.join()
        with self._lock:
            for track in self._connected:
                track.close()
            self._connected = []
        if self._error is not None:
            raise RecordingError(self._error)
        status = self.status()
        return RecorderSummary(
            path=self.path,
            streams=status.streams,
            duration_s=status.duration_s,
            n_bytes=self.path.stat().st_size,
            notices=status.notices,
        )

    def _notice(self, text: str) -> None:
        with self._lock:
            self._notices += (text,)
        logger.warning("%s", text)

    def _read(self, track: _Track) -> None:
        """Receive one stream until it is lost, or the time after `stop` has passed."""
        try:
            while not (track.lost or self._error):
                batch = track.receive()
                if batch is not None:
                    self._put(track, batch)
                    track.count(batch[0])
                if self._stop.is_set() and self._clock() >= self._stop_at_s:
                    return
        except Exception as error:
            logger.exception("reading %s", track.found)
            track.lost = True
            self._notice(f"LSL stream {track.found} could not be read on: {error!r}")
            return
        if track.lost and not self._stop.is_set():
            self._notice(
                f"LSL stream {track.found.name!r} (source id {track.found.source_id!r}) stopped "
                f"after {track.n_samples} samples; they are in {self.path}"
            )

    def _put(self, track: _Track, batch: _Batch) -> None:
        """Queue samples for the writer; wait while it is behind, give up when it has failed."""
        while not self._error:
            try:
                return track.queue.put(batch, timeout=0.5)
            except queue.Full:
                continue
        return None

    def _write(self) -> None:
        """Write what the readers bring, until they have ended."""
        try:
            next_sync_s = self._clock() + SYNC_S
            next_boundary_s = self._clock() + CLOCK_S
            while not self._drained.wait(WRITE_S):
                self._write_queued()
                now = self._clock()
                if now >= next_boundary_s:
                    self._writer.write_boundary()
                    next_boundary_s = now + CLOCK_S
                self._writer.flush(to_disk=now >= next_sync_s)
                if now >= next_sync_s:
                    next_sync_s = now + SYNC_S
            self._write_queued()
            self._writer.write_boundary()
            self._writer.close()
        except (OSError, RecordingError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._fail(f"{self.path} cannot be written on: {reason}; it reads up to its cut")
        except Exception as error:
            logger.exception("writing %s", self.path)
            self._fail(f"{self.path} could not be written on: {error!r}")

    def _fail(self, message: str) -> None:
        self._error = message
        self._notice(message)
        self._writer.abandon()

    def _write_queued(self) -> None:
        for track in self._tracks:
            batch = track.take()
            if batch is not None and track.is_text:
                self._writer.write_strings(track.stream_id, batch[0].tolist(), batch[1])
            elif batch is not None:
                self._writer.write_samples(track.stream_id, *batch)
            if not track.lost and track.clock.refresh():
                self._write_clock(track)

    def _write_clock(self, track: _Track) -> None:
        """Write a clock offset, with its time on the sender's clock."""
        offset_s = track.clock.value_s
        self._writer.write_clock_offset(track.stream_id, self._clock() - offset_s, offset_s)
