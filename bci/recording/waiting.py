"""Streams that are wanted and not there: they are looked for, and join the recording late."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from bci.errors import StreamError
from bci.recording.connection import Connection
from bci.recording.follower import recordable
from bci.recording.shared import Shared
from bci.recording.status import StreamCount, StreamState
from bci.sources.discovery import FoundStream, Lookout, StreamQuery

__all__ = ["Waiting", "no_count", "refuse_unrecordable", "twins"]

logger = logging.getLogger(__name__)

_LOOK_S = 0.1


class Waiting:
    """A thread that looks for streams that match a query, until there is one.

    Parameters
    ----------
    query : StreamQuery
    shared : Shared
    on_found : callable
        Called with a connection to each that was found, its outlet claimed.

    Attributes
    ----------
    query : StreamQuery
    over : bool
        It was found, or is recorded already.
    busy : bool
        It is connecting, which cannot be interrupted.
    """

    def __init__(
        self, query: StreamQuery, shared: Shared, on_found: Callable[[Connection], None]
    ) -> None:
        self.query = query
        self.over = False
        self.busy = False
        self._shared, self._on_found = shared, on_found
        self._lookout = Lookout(query)
        self._thread = threading.Thread(target=self._run, name=f"record wait {query}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def join(self) -> None:
        """Wait for its end, after the stop."""
        while self._thread.is_alive() and not self.busy:
            self._thread.join(_LOOK_S)

    def _run(self) -> None:
        while not self.over and not self._shared.stop.wait(_LOOK_S) and not self._shared.over:
            try:
                self._look()
            except Exception as error:
                logger.exception("looking for %s", self.query)
                self._shared.say(f"the LSL stream with {self.query} cannot be recorded: {error!r}")
                self.over = True

    def _look(self) -> None:
        for found in self._lookout.found():
            if self._shared.claimed(found):
                self.over = any(
                    track.connection.found.uid == found.uid for track in self._shared.tracks
                )
                continue
            if not self._shared.claim(found) or refuse_unrecordable(found, self._shared):
                continue
            self.busy = True
            try:
                connection = Connection(found, self._shared.settings.offsets_s, timeout_s=1.5)
            except StreamError:
                logger.info("%s does not answer yet", found)
                self._shared.unclaim(found)
                continue
            finally:
                self.busy = False
            if self._shared.over:
                connection.close()
                return
            self._shared.event("joined", name=found.name, source_id=found.source_id)
            self._shared.say(f"LSL stream {found} joined late and is recorded from now on")
            self._on_found(connection)
            self.over = True

    def counted(self) -> StreamCount:
        """Return what is known of it."""
        query = self.query
        return no_count(
            query.name or str(query), query.kind or "", query.source_id or "", StreamState.WAITING
        )


def refuse_unrecordable(found: FoundStream, shared: Shared) -> bool:
    """Say that a stream has no form in the file, if so; the others go on."""
    if recordable(found):
        return False
    shared.refuse(found)
    shared.event("refused", name=found.name, source_id=found.source_id, why="no form in XDF")
    shared.say(
        f"LSL stream {found} is not recorded: a stream of {found.n_channels} channels of type "
        f"{found.dtype} has no form in XDF"
    )
    return True


def twins(streams: Sequence[FoundStream]) -> Iterator[str]:
    """Yield what is to be said of streams that have the source id of another.

    Which of them is meant cannot be told, so all are recorded.
    """
    by_id: dict[str, list[FoundStream]] = {}
    for found in streams:
        by_id.setdefault(found.source_id, []).append(found)
    for source_id, same in by_id.items():
        if source_id and len(same) > 1:
            listed = " and ".join(sorted(set(map(str, same))))
            yield (
                f"the source id {source_id!r} is there {len(same)} times: {listed}; each is "
                "recorded, as a stream of its own: end all but the one that is meant, or give each "
                "an id of its own"
            )


def no_count(
    name: str,
    kind: str,
    source_id: str,
    state: StreamState,
    *,
    hostname: str = "",
    rate_hz: float = 0.0,
    n_channels: int = 0,
) -> StreamCount:
    """Return the count of a stream of which nothing is in the file."""
    return StreamCount(
        name=name,
        kind=kind,
        source_id=source_id,
        hostname=hostname,
        rate_hz=rate_hz,
        n_channels=n_channels,
        n_samples=0,
        n_written=0,
        n_synced=0,
        first_stamp=None,
        last_stamp=None,
        age_s=None,
        effective_hz=None,
        state=state,
    )
