"""From the queues into the file, and from there to the disk: two threads.

One writes twenty times a second and hands what it wrote to the system, which acknowledges it; the
other forces it to the disk every second and looks how much room there is. So a disk that takes its
time to sync delays no write, and a write that stalls delays no reader: samples wait in the queues,
then in liblsl's buffers of six minutes.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bci.errors import RecordingError
from bci.recording.connection import Connection
from bci.recording.disk import DiskWatch, Reserve, sync_folder
from bci.recording.shared import Shared, events_xml
from bci.recording.status import StreamState
from bci.recording.track import Track
from bci.recording.xdf import XdfWriter

__all__ = ["Writing"]

logger = logging.getLogger(__name__)

#: A clock offset that differs by this from the one before is another clock's: drift takes 40 s for
#: it at 500 ppm, and offsets come every 5 s.
_STEP_S = 0.02
#: A write that took this long is worth a word, and a sync (s).
_STALL_S, _SYNC_STALL_S = 1.0, 3.0
#: At least between looks at the disk (s).
_LOOK_S = 1.0


class Writing:
    """Writes what the followers bring.

    Parameters
    ----------
    writer : XdfWriter
    shared : Shared
    disk : DiskWatch
    reserve : Reserve

    Attributes
    ----------
    finished : bool
        The file is closed.
    """

    def __init__(
        self, writer: XdfWriter, shared: Shared, disk: DiskWatch, reserve: Reserve
    ) -> None:
        self._writer, self._shared, self._disk, self._reserve = writer, shared, disk, reserve
        self._events_id = 0
        self._clocks: dict[int, tuple[Connection, float]] = {}  # with their newest offset
        self._last = threading.Event()
        self._synced = threading.Event()
        self._full = False
        self._sync_error: OSError | None = None
        # What the disk is asked for just now: since when (monotonic, s), and whether it was said.
        self._asked: dict[str, tuple[float, bool]] = {}
        self._asked_lock = threading.Lock()
        self.finished = False
        self._write_thread = threading.Thread(target=self._write, name="record", daemon=True)
        self._sync_thread = threading.Thread(target=self._sync, name="record sync", daemon=True)

    def begin(self) -> None:
        """Write the headers of all streams there are, to the disk.

        Raises
        ------
        OSError
        """
        self._shared.event("started")
        self._write_queued()
        self._writer.write_boundary()
        self._writer.flush(to_disk=True)
        sync_folder(self._shared.path.parent)

    def start(self) -> None:
        """Start the threads, after `begin`."""
        self._write_thread.start()
        self._sync_thread.start()

    def finish(self, until_s: float) -> bool:
        """Write the rest, the footers last, and close; nobody brings any more.

        Parameters
        ----------
        until_s : float
            Monotonic (s): how long it is waited for.

        Returns
        -------
        bool
            False when the disk did not answer by then.
        """
        self._last.set()
        for thread in (self._write_thread, self._sync_thread):
            # A moment for one that has nothing more to do: what was waited for may have come late.
            thread.join(max(0.05, until_s - time.monotonic()))
        return not (self._write_thread.is_alive() or self._sync_thread.is_alive())

    def tell_stall(self) -> None:
        """Say that the disk does not answer, while it does not; from any thread, once each time."""
        now_s = time.monotonic()
        for what, limit_s in (("write", _STALL_S), ("sync", _SYNC_STALL_S)):
            with self._asked_lock:
                since_s, told = self._asked.get(what, (now_s, True))
                if told or now_s - since_s < limit_s:
                    continue
                self._asked[what] = (since_s, True)
            self._shared.event("stalled", what=what, for_s=round(now_s - since_s, 3))
            self._shared.say(
                f"the disk of {self._shared.path.parent} has STALLED: a {what} has not been "
                f"answered for {now_s - since_s:.1f} s; what comes meanwhile "
                + ("waits in memory" if what == "write" else "is written, and not known to be safe")
            )

    @contextmanager
    def _disk_asked(self, what: str) -> Iterator[None]:
        """Take note that the disk is asked; say how long it took, if that was said to be long."""
        since_s = time.monotonic()
        with self._asked_lock:
            self._asked[what] = (since_s, False)
        try:
            yield
        finally:
            with self._asked_lock:
                told = self._asked.pop(what)[1]
            took_s = time.monotonic() - since_s
            if told or took_s > {"write": _STALL_S, "sync": _SYNC_STALL_S}[what]:
                self._shared.event("stalled", what=what, took_s=round(took_s, 3))
                self._shared.say(
                    f"the disk stood still for {took_s:.1f} s; what came meanwhile is now "
                    + ("written" if what == "write" else "on it")
                )

    def _write(self) -> None:
        """Write what is brought, until the last, or the disk is full."""
        try:
            next_boundary_s = self._shared.clock() + self._shared.settings.offsets_s
            while not self._last.wait(self._shared.settings.write_s):
                self.tell_stall()
                self._write_queued()
                if self._shared.clock() >= next_boundary_s:
                    self._writer.write_boundary()
                    next_boundary_s += self._shared.settings.offsets_s
                self._flush()
                if self._sync_error is not None:
                    raise self._sync_error
                if self._full:
                    return self._end_full()
            self._write_queued()
            self._writer.write_boundary()
            self._close()
        except (OSError, RecordingError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._rescue(f"{self._shared.path} cannot be written on: {reason}")
        except Exception as error:
            logger.exception("writing %s", self._shared.path)
            self._rescue(f"{self._shared.path} could not be written on: {error!r}")
        finally:
            self._synced.set()
            self._reserve.release()
            self.finished = True

    def _flush(self) -> None:
        """Hand everything to the system, and acknowledge it."""
        with self._disk_asked("write"):
            self._writer.flush()
        self._acknowledge()

    def _acknowledge(self) -> None:
        for track in self._shared.tracks:
            if track.stream_id:
                track.n_written = self._writer.n_written(track.stream_id)

    def _close(self, *, brief: bool = False) -> None:
        """Close in order: first everything to the system, then wait for the disk."""
        self._writer.finish(brief=brief)
        self._acknowledge()
        self._synced.set()
        if self._sync_thread.is_alive():
            self._sync_thread.join()
        self._writer.close()
        for track in self._shared.tracks:
            track.n_synced = track.n_written

    def _end_full(self) -> None:
        """Stop because there is no more room, while there is enough for an orderly end."""
        left = self._disk.left_bytes
        self._reserve.release()
        self._shared.event("disk", left_bytes=left, written=self._counts())
        self._write_events()
        self._close(brief=True)
        self._shared.fail(
            f"the disk of {self._shared.path.parent} is full ({left / 1e6:.1f} MB left): recording "
            f"has stopped; {self._shared.path} is closed in order with what came before"
        )

    def _rescue(self, reason: str) -> None:
        """Close the file as well as it goes after a failure."""
        self._reserve.release()
        try:
            self._shared.event("failed", reason=reason, written=self._counts())
            self._write_events()
            self._close(brief=True)
            end = "it is closed in order with what came before"
        except (OSError, RecordingError):
            logger.debug("closing %s", self._shared.path, exc_info=True)
            self._acknowledge()
            self._synced.set()
            if self._sync_thread.is_alive():
                self._sync_thread.join()
            self._writer.abandon()
            end = "it reads up to its cut (`bci repair` completes it)"
        self._shared.fail(f"{reason}; {end}")

    def _counts(self) -> dict[str, int]:
        return {str(track.stream_id): track.n_samples for track in self._shared.tracks}

    def _write_queued(self) -> None:
        for track in self._shared.tracks:
            if not track.stream_id:
                track.stream_id = self._writer.add_stream(track.xml)
            self._write_clock(track)
            batch = track.take()
            if batch is None:
                continue
            stamps, samples = batch
            if isinstance(samples, list):
                self._writer.write_strings(track.stream_id, stamps.tolist(), samples)
            else:
                self._writer.write_samples(track.stream_id, stamps, samples)
        self._write_events()

    def _write_events(self) -> None:
        events = self._shared.take_events()
        if events:
            if not self._events_id:  # behind the streams: many a script takes a file's first
                self._events_id = self._writer.add_stream(events_xml())
            stamps = [at_s for at_s, _ in events]
            self._writer.write_strings(self._events_id, stamps, [[text] for _, text in events])

    def _write_clock(self, track: Track) -> None:
        """Write a clock offset if there is a new one, with its time on the sender's clock."""
        now_s, connection = self._shared.clock(), track.connection
        offset_s = connection.fresh_offset(now_s)
        if offset_s is None or track.state is StreamState.REFUSED:
            return
        before = self._clocks.get(track.stream_id)
        self._clocks[track.stream_id] = (connection, offset_s)
        if before is not None and abs(offset_s - before[1]) > _STEP_S:
            self._stepped(track, *before, offset_s)
        self._writer.write_clock_offset(track.stream_id, now_s - offset_s, offset_s)

    def _stepped(self, track: Track, old: Connection, before_s: float, after_s: float) -> None:
        """Say that a clock stepped, and write to where the old offset holds, if that is known."""
        if old is not track.connection:
            for stamp, offset_s in (
                (old.last_stamp, before_s),
                (track.connection.first_stamp, after_s),
            ):
                if stamp is not None:
                    self._writer.write_clock_offset(track.stream_id, stamp, offset_s)
        self._shared.event("clock_step", track, before_s=before_s, after_s=after_s)
        self._shared.say(
            f"the clock of {track.label} stepped by {before_s - after_s:+.3f} s; "
            "the file holds its offsets"
        )

    def _sync(self) -> None:
        """Force to the disk what is written, and look at its room, until the end."""
        shared = self._shared
        every_s = min(shared.settings.sync_s, _LOOK_S)
        next_sync_s = shared.clock() + shared.settings.sync_s
        while not self._synced.wait(every_s):
            self._look()
            if shared.clock() < next_sync_s - 0.5 * every_s:
                continue
            written = [(track, track.n_written) for track in shared.tracks]
            try:
                with self._disk_asked("sync"):
                    self._writer.sync()
            except OSError as error:
                self._sync_error = error
                return
            for track, n_written in written:
                track.n_synced = n_written
            next_sync_s = shared.clock() + shared.settings.sync_s

    def _look(self) -> None:
        try:
            notice = self._disk.look(self._shared.clock(), self._writer.n_bytes)
        except OSError as error:
            logger.warning("how full the disk is cannot be told: %s", error)
            return
        if notice is not None:
            disk = self._disk
            self._shared.event("disk", left_bytes=disk.left_bytes, left_s=disk.left_s)
            self._shared.say(notice)
        self._full = self._disk.full
