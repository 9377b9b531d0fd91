"""Recording LSL streams to an XDF file, without losing a sample.

Each source has a follower, a thread that waits in the pull (`bci.sources.inlets` says why) and
looks for it when it is lost; one thread empties their queues into the file twenty times a second,
and one more forces that to the disk. What is wanted and not there has a thread that looks for it.

Nothing is dropped: not for a disk that stalls, for which there are queues and liblsl's buffers of
six minutes, and not for one that is full, before which the file is closed in order.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

from bci.errors import RecordingError, SettingsError, StreamError
from bci.recording.connection import Connection
from bci.recording.disk import DiskWatch, Reserve, free_bytes
from bci.recording.follower import Follower
from bci.recording.naming import is_free, open_new, release
from bci.recording.settings import RecorderSettings
from bci.recording.shared import Shared
from bci.recording.status import RecorderStatus, RecorderSummary, StreamCount, StreamState
from bci.recording.waiting import Waiting, no_count, refuse_unrecordable, twins
from bci.recording.writing import Writing
from bci.recording.xdf import XdfWriter
from bci.sources.clock import lsl_clock
from bci.sources.discovery import FoundStream, StreamQuery, await_streams, resolve_streams

__all__ = ["Recorder"]

logger = logging.getLogger(__name__)

#: What is not there by then joins late, where that is allowed (s).
_BRIEFLY_S = 1.0


class Recorder:
    """Records all streams that match, from `start` to `stop`.

    Parameters
    ----------
    queries : sequence of StreamQuery
        Each must match at least one stream, if `settings` require all; all that match are recorded,
        each once.
    path : Path
        A file that does not exist, or a name from `next_free`; made only when the streams are
        connected.
    timeout_s : float
        To wait for the streams to appear (s).
    settings : RecorderSettings
    clock : callable
        The LSL clock (s).
    open_file : callable
        Makes the file, without a buffer.
    free : callable
        From a folder to the bytes that may still be written there.
    """

    def __init__(
        self,
        queries: Sequence[StreamQuery],
        path: Path,
        *,
        timeout_s: float = 10.0,
        settings: RecorderSettings | None = None,
        clock: Callable[[], float] = lsl_clock,
        open_file: Callable[[Path], FileIO] = open_new,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        if not queries:
            raise SettingsError("name at least one stream to record")
        self._queries = tuple(queries)
        self.path = Path(path)
        self._timeout_s = timeout_s
        self._settings = settings or RecorderSettings()
        self._clock, self._open_file, self._free = clock, open_file, free
        self._shared = Shared(self.path, self._settings, clock)
        self._followers: list[Follower] = []
        self._waiting: list[Waiting] = []
        self._lock = threading.Lock()  # of the two lists
        self._closing = threading.Lock()
        self._writing: Writing | None = None
        self._disk: DiskWatch | None = None
        self._started_s = 0.0
        self._hung = False

    def start(self) -> None:
        """Find and connect the streams, make the file with its headers, begin.

        Every sample that is sent after this returns is recorded.

        Raises
        ------
        StreamError
            When a stream is not found or does not answer; no file is made then.
        SettingsError
            When the file exists or cannot be made.
        RecordingError
            When there is no room for it.
        """
        folder = self.path.absolute().parent
        if not folder.is_dir():
            raise SettingsError(f"{self.path.parent} is no folder: make it first")
        if not is_free(self.path):
            raise SettingsError(f"{self.path} exists: recordings are never overwritten")
        try:
            missing = self._connect()
            reserve = self._make_room(folder)
        except BaseException:
            release(self.path)
            raise
        self._writer = XdfWriter(self.path, self._open_file)
        self._writing = Writing(self._writer, self._shared, self._disk_watch, reserve)
        try:
            self._writing.begin()
        except OSError as error:
            self._writer.abandon()
            reserve.release()
            raise RecordingError(f"{self.path} cannot be written: {error.strerror}") from error
        self._started_s = self._clock()
        for follower in self._followers:
            follower.start()
        self._writing.start()
        for query in missing:
            self.add(query)

    def add(self, query: StreamQuery) -> None:
        """Record also what matches this, as soon as there is a stream that does.

        Raises
        ------
        SettingsError
            For a predicate that is not XPath.
        """
        waiting = Waiting(query, self._shared, self._joined)
        with self._lock:
            self._waiting.append(waiting)
        waiting.start()

    def note(self, kind: str, **fields: Any) -> None:
        """Let the file's own stream say that something happened now."""
        self._shared.event(kind, **fields)

    def status(self) -> RecorderStatus:
        """Return how it goes."""
        shared, disk, writing = self._shared, self._disk, self._writing
        if writing is not None:
            writing.tell_stall()
        now_s = self._clock()
        until_s = shared.stopped_s if shared.stop.is_set() else now_s
        with self._lock:
            waiting = [one for one in self._waiting if not one.over]
        return RecorderStatus(
            path=self.path,
            streams=(
                *(track.counted(now_s) for track in shared.tracks),
                *(one.counted() for one in waiting),
                *(_refused(found) for found in shared.refused),
            ),
            duration_s=self._span_s(until_s),
            n_bytes=0 if writing is None else self._writer.n_bytes,
            disk_left_bytes=0 if disk is None else disk.left_bytes,
            disk_left_s=None if disk is None else disk.left_s,
            notices=shared.notices,
            error=shared.error,
            finished=writing is not None and writing.finished,
        )

    def _span_s(self, until_s: float) -> float:
        """Return how much time the file holds (s).

        That of the stream that has most, by its stamps: its first samples came while it was
        connected, before the start. By our clock where that is no sensible answer: the clock of a
        sender that restarted in between has leapt, or no stream is regular.
        """
        by_clock_s = until_s - self._started_s
        spans = [
            track.last_stamp - track.first_stamp + 1.0 / track.found.rate_hz
            for track in self._shared.tracks
            if track.found.rate_hz
            and track.first_stamp is not None
            and track.last_stamp is not None
        ]
        span_s = max(spans, default=by_clock_s)
        sensible = 0 <= span_s <= by_clock_s + self._timeout_s + 10.0
        if not sensible or not self._shared.stop.is_set():  # what is late is on its way
            return max(by_clock_s, span_s) if sensible else by_clock_s
        return span_s

    def stop(self) -> RecorderSummary:
        """Receive what was sent before, write the footers, close the file; again is harmless.

        A stream of which something arrives that was stamped after the stop has brought all that
        was sent before; the others are given `RecorderSettings.drain_s`. Which was which is in
        the file's own stream ("stopped").

        Returns
        -------
        RecorderSummary

        Raises
        ------
        RecordingError
            When the file could not be written to its end, or the disk does not answer within
            `RecorderSettings.stop_s`: then it says what is not known to be on it.
        """
        if self._writing is None:
            raise RuntimeError("the recorder has not been started")
        self._shared.ask_stop()
        with self._closing:
            self._end(self._writing)
        if self._shared.error is not None:
            raise RecordingError(self._shared.error)
        status = self.status()
        return RecorderSummary(
            path=self.path,
            streams=status.streams,
            duration_s=status.duration_s,
            n_bytes=status.n_bytes,
            notices=status.notices,
        )

    def _end(self, writing: Writing) -> None:
        if self._hung:
            return
        until_s = time.monotonic() + self._settings.stop_s
        with self._lock:
            waiting = list(self._waiting)
        for one in waiting:
            one.join()
        with self._lock:  # not before: one that was waited for may have joined a moment ago
            followers = list(self._followers)
        for follower in followers:
            follower.join(until_s)
        if not writing.finished:
            tracks = self._shared.tracks
            self._shared.event(
                "stopped",
                at_s=self._shared.stopped_s,
                proven=[track.stream_id for track in tracks if track.proven],
                waited=[track.stream_id for track in tracks if not track.proven],
            )
        if not writing.finish(until_s):
            self._shared.fail(self._not_on_disk())
        for follower in followers:
            follower.close()

    def _not_on_disk(self) -> str:
        """Say what a disk that hangs has not taken; the end of the recorder is not waited for."""
        self._hung = True
        missing = "; ".join(
            f"{track.n_samples - track.n_synced} of {track.n_samples} samples of "
            f"{track.found.name!r}"
            for track in self._shared.tracks
        )
        return (
            f"{self.path}: the disk has not answered for {self._settings.stop_s:g} s at the stop, "
            f"so the file is not closed; not known to be on the disk: {missing}"
        )

    @property
    def _disk_watch(self) -> DiskWatch:
        if self._disk is None:
            raise RuntimeError("the disk has not been looked at")
        return self._disk

    def _connect(self) -> list[StreamQuery]:
        """Find and connect; return what is missing and may join late."""
        all_of_them = self._settings.require_all
        timeout_s = self._timeout_s if all_of_them else min(self._timeout_s, _BRIEFLY_S)
        missing: list[StreamQuery] = []
        unique: dict[str, FoundStream] = {}

        def resolve(query: StreamQuery) -> list[FoundStream]:
            return (resolve_streams if all_of_them else await_streams)(query, timeout_s)

        with ThreadPoolExecutor(len(self._queries)) as pool:
            for query, matches in zip(self._queries, pool.map(resolve, self._queries), strict=True):
                unique |= {found.uid: found for found in matches}
                if not matches:
                    missing.append(query)
                    self._shared.say(
                        f"there is no LSL stream with {query} yet: it is looked for, and joins "
                        "the recording when it appears"
                    )
        streams = [
            found
            for found in unique.values()
            if self._shared.claim(found) and not refuse_unrecordable(found, self._shared)
        ]
        if not streams and all_of_them:
            raise StreamError("; ".join(self._shared.notices) or "none of the streams is there")
        with ThreadPoolExecutor(max(1, len(streams))) as pool:
            for found, connection in zip(streams, pool.map(self._connection, streams), strict=True):
                if connection is None:
                    missing.append(StreamQuery(found.name, found.kind, found.source_id or None))
                    self._shared.unclaim(found)
                else:
                    self._followers.append(Follower(connection, self._shared))
        for text in twins(streams):
            self._shared.event("twins", text=text)
            self._shared.say(text)
        return missing

    def _connection(self, found: FoundStream) -> Connection | None:
        try:
            connection = Connection(found, self._settings.offsets_s)
            connection.measure_clock()
        except StreamError:
            if self._settings.require_all:
                raise
            return None
        return connection

    def _make_room(self, folder: Path) -> Reserve:
        """Look whether there is room, and keep some for the end."""
        settings = self._settings
        try:
            self._disk = DiskWatch(
                folder, settings.disk_warn_s, settings.disk_stop_bytes, self._free
            )
            if not self._disk.full:
                return Reserve(folder)
        except OSError as error:
            raise RecordingError(
                f"{folder} takes no recording: {error.strerror}; make room, or choose another"
            ) from error
        raise RecordingError(
            f"{folder} has {self._disk.left_bytes / 1e6:.1f} MB left, and recording stops at "
            f"{settings.disk_stop_bytes / 1e6:.1f}: make room, or choose another"
        )

    def _joined(self, connection: Connection) -> None:
        follower = Follower(connection, self._shared)
        with self._lock:
            self._followers.append(follower)
        follower.start()


def _refused(found: FoundStream) -> StreamCount:
    return no_count(
        found.name,
        found.kind,
        found.source_id,
        StreamState.REFUSED,
        hostname=found.hostname,
        rate_hz=found.rate_hz,
        n_channels=found.n_channels,
    )
