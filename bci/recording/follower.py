"""Following one source of samples: through silence, loss, return and change.

A source is known by its source id, name and type. What comes back under these with the same rate,
channels and format goes on in the same stream of the file, behind a marked gap; with others it is
refused there and gets a stream of its own. A source without a source id is known by its name, type
and machine. If two look alike, which one returns cannot be told, and each return gets a stream of
its own.
"""

import logging
import queue
import threading
import time

from bci.errors import StreamError
from bci.recording.connection import Batch, Connection
from bci.recording.shared import Shared
from bci.recording.status import RecordedGap, StreamState
from bci.recording.track import Track
from bci.sources.discovery import FoundStream, Lookout, StreamQuery
from bci.sources.inlets import NUMPY_DTYPES

__all__ = ["Follower", "recordable"]

logger = logging.getLogger(__name__)

#: Between looks at who is there (s), and after an error of ours or of liblsl.
_LOOK_S, _RETRY_S = 0.05, 1.0
#: For each of the two steps of connecting again (s).
_CONNECT_S = 1.5
#: After a silence, stamps that are no further apart than this continue (s, sample periods).
_CONTINUES_S, _CONTINUES_PERIODS = 0.1, 2.5


def recordable(found: FoundStream) -> bool:
    """Whether a stream has a form in XDF."""
    return found.n_channels > 0 and (found.dtype in NUMPY_DTYPES or found.dtype == "string")


class Follower:
    """A thread that brings the samples of one source to the writer, as long as the recorder runs.

    ::

        receive ──lost, or replaced while silent──> look for it ──found──> receive
           └──stop: until all that was sent before it is there──> end

    Parameters
    ----------
    connection : Connection
        Its outlet is claimed.
    shared : Shared

    Attributes
    ----------
    busy : bool
        It is connecting, which cannot be interrupted.
    """

    def __init__(self, connection: Connection, shared: Shared) -> None:
        self._shared = shared
        self._connection = connection
        self._track = shared.new_track(connection)
        self._tracks = [self._track]
        self._lookout: Lookout | None = None
        self.busy = False
        self._thread = threading.Thread(
            target=self._run, name=f"record {connection.found.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def join(self, until_s: float) -> None:
        """Wait until what was sent before the stop is with the writer, or a time has come.

        Parameters
        ----------
        until_s : float
            Monotonic (s): a writer whose disk hangs takes no more.
        """
        while self._thread.is_alive() and not self.busy and time.monotonic() < until_s:
            self._thread.join(_LOOK_S)

    def close(self) -> None:
        """Disconnect, after `join`."""
        self._connection.close()
        self._lookout = None

    def _run(self) -> None:
        while True:
            try:
                if self._receive() or self._seek():
                    return
            except Exception as error:
                logger.exception("recording %s", self._track.label)
                self._ended(f"could not be read on ({error!r})", "it could not be read")
                self._connection.lost = True
                self._shared.unclaim(self._connection.found)  # its outlet may be as alive as ever
                if self._shared.stop.wait(_RETRY_S):
                    return

    def _receive(self) -> bool:
        """Receive until the connection is lost, or another takes its place; True at the end."""
        shared, connection, track = self._shared, self._connection, self._track
        connected_s = shared.clock()
        if not track.found.rate_hz and track.found.source_id:
            self._lookout = self._new_lookout()  # whether it lives cannot be seen from its samples
        look_s = connected_s + _RETRY_S
        while not connection.lost and shared.error is None:
            batch = connection.receive()
            now_s = shared.clock()
            if batch is not None:
                self._bring(batch, now_s)
            elif track.state is StreamState.RECEIVING and now_s > connection.silent_after_s(
                shared.settings.silent_s, connected_s
            ):
                self._fell_silent(now_s)
            if shared.stop.is_set():
                if self._drained(now_s):
                    return True
            elif self._lookout is not None and now_s > look_s:
                look_s = now_s + 4 * _LOOK_S
                if any(self._is_ours(found) for found in self._lookout.found()):
                    self._ended("was started anew", "its connection was dead")
                    return False
        if shared.over:
            return True
        self._ended("stopped: its connection ended", "its connection ended")
        return False

    def _bring(self, batch: Batch, now_s: float) -> None:
        """Queue samples for the writer; wait while it is behind, give up when it has failed."""
        track, stamps = self._track, batch[0]
        if track.state is not StreamState.RECEIVING:
            self._goes_on(float(stamps[0]), now_s)
        while self._shared.error is None:
            try:
                track.queue.put(batch, timeout=0.5)
            except queue.Full:
                continue
            self._connection.count(stamps, now_s)
            track.count(stamps, now_s)
            return

    def _drained(self, now_s: float) -> bool:
        """Whether all that was sent before the stop has arrived, as far as can be known."""
        connection, stop_s = self._connection, self._shared.stopped_s
        self._track.proven = connection.proves(stop_s)
        if self._track.proven:
            return True
        drain_s = self._shared.settings.drain_s
        waited_s = now_s - stop_s
        late = connection.behind(stop_s, now_s) and waited_s < 1.6 * drain_s
        return waited_s >= drain_s and not late

    def _fell_silent(self, now_s: float) -> None:
        track = self._track
        track.state = StreamState.SILENT
        for_s = now_s - (self._connection.last_s or now_s)
        if track.found.source_id:  # without, what appears anew may be another
            self._lookout = self._lookout or self._new_lookout()
        self._shared.event(
            "silent", track, after_sample=track.n_samples, **{"from": track.last_stamp}
        )
        self._shared.say(
            f"{track.label} is connected but has sent nothing"
            + (f" for {for_s:.1f} s, after {track.n_samples} samples" if for_s else " yet")
        )

    def _ended(self, how: str, reason: str) -> None:
        """Say that the stream is gone, and mark where."""
        track = self._track
        if track.state is StreamState.LOST:
            return
        track.state = StreamState.LOST
        track.open_gap(reason)
        self._shared.event(
            "lost", track, after_sample=track.n_samples, reason=reason, **{"from": track.last_stamp}
        )
        self._shared.say(
            f"{track.label} {how}, after {track.n_samples} samples, which are in the file; "
            "it is looked for"
        )

    def _goes_on(self, next_stamp: float, now_s: float) -> None:
        """Close the gap before the first sample that comes again."""
        track, before = self._track, self._track.state
        track.state = StreamState.RECEIVING
        if self._track.found.rate_hz:
            self._lookout = None
        if track.last_stamp is None or track.last_s is None:
            self._shared.say(f"{track.label} sends now")
            self._shared.event("resumed", track, after_sample=0, to=next_stamp)
            return
        away_s = now_s - track.last_s
        if before is StreamState.SILENT:
            rate_hz = track.found.rate_hz
            step_s = next_stamp - track.last_stamp
            if step_s <= max(_CONTINUES_S, _CONTINUES_PERIODS / rate_hz):
                self._shared.event("resumed", track, after_sample=track.n_samples, to=next_stamp)
                self._shared.say(
                    f"{track.label} sends again after {away_s:.1f} s; by its stamps nothing is "
                    "missing"
                )
                return
            track.open_gap("it was silent")
        gap = track.close_gap(next_stamp, now_s)
        if gap is not None:
            self._shared.event("gap", track, **_fields(gap))
            self._shared.say(f"{track.label} is back after {away_s:.1f} s{_missing(gap, track)}")

    def _seek(self) -> bool:
        """Look for the source until it is back; True at the end."""
        shared, dead = self._shared, self._connection
        dead.close()
        lookout = self._lookout or self._new_lookout()
        self._lookout = None
        while not shared.stop.wait(_LOOK_S) and shared.error is None:
            for found in lookout.found():
                if self._is_ours(found) and shared.claim(found) and self._connect(found):
                    if found.uid != dead.found.uid:
                        shared.unclaim(dead.found)
                    return False
        return True

    def _connect(self, found: FoundStream) -> bool:
        """Connect to what came back, and decide where in the file it goes."""
        shared, old = self._shared, self._track
        if not recordable(found):
            self._refuse(found, "it cannot be recorded")
            return False  # still claimed: not looked at again
        self.busy = True
        try:
            connection = Connection(found, shared.settings.offsets_s, timeout_s=_CONNECT_S)
        except StreamError:
            logger.info("%s does not answer yet", found)
            shared.unclaim(found)
            return False
        finally:
            self.busy = False
        if shared.over:
            connection.close()
            return False
        fitting = [track for track in self._tracks if track.fits(found)]
        if fitting and not self._ambiguous():
            self._track = fitting[-1]
            self._track.connection = connection
            if self._track is not old:
                old.state = StreamState.REFUSED
        else:
            self._refuse(found, "its samples go into a new stream of the file")
            self._track = shared.new_track(connection)
            self._tracks.append(self._track)
        self._connection = connection
        return True

    def _refuse(self, found: FoundStream, consequence: str) -> None:
        track = self._track
        track.state = StreamState.REFUSED
        now = f"{found.n_channels} x {found.dtype} at {found.rate_hz:g} Hz"
        was = f"{track.found.n_channels} x {track.found.dtype} at {track.found.rate_hz:g} Hz"
        self._shared.event(
            "refused", track, after_sample=track.n_samples, was=was, now=now,
            **{"from": track.last_stamp},
        )  # fmt: skip
        how = (
            f"came back changed ({now}, before {was})"
            if was != now
            else "came back, but it may be another that looks like it"
        )
        self._shared.say(f"{track.label} {how}: {consequence}")

    def _is_ours(self, found: FoundStream) -> bool:
        """Whether an outlet is this source, and nobody's."""
        ours = self._tracks[0].found
        same = (found.source_id, found.name, found.kind) == (ours.source_id, ours.name, ours.kind)
        if not ours.source_id and found.hostname != ours.hostname:
            return False
        return same and not self._shared.claimed(found)

    def _ambiguous(self) -> bool:
        """Whether another source looks like this one."""
        ours = self._tracks[0].found
        return any(
            (track.found.source_id, track.found.name, track.found.kind)
            == (ours.source_id, ours.name, ours.kind)
            for track in self._shared.tracks
            if track not in self._tracks
        )

    def _new_lookout(self) -> Lookout:
        return Lookout(StreamQuery.of(self._tracks[0].found))


def _fields(gap: RecordedGap) -> dict[str, object]:
    """Return a gap as the file has it."""
    return {
        "after_sample": gap.after_sample,
        "from": gap.last_stamp,
        "to": gap.next_stamp,
        "lost_s": gap.lost_s,
        "reason": gap.reason,
    }


def _missing(gap: RecordedGap, track: Track) -> str:
    """Return how much a gap is."""
    rate_hz = track.found.rate_hz
    if not rate_hz or gap.lost_s is None:
        return f"; what it sent meanwhile is missing, after sample {gap.after_sample}"
    return (
        f": about {round(gap.lost_s * rate_hz)} samples are missing after sample "
        f"{gap.after_sample} (stamps {gap.last_stamp:.3f} to {gap.next_stamp:.3f})"
    )
