"""Where a run of the decoder may begin: on a connection over which the recorder receives too.

The acquisition and the recorder are two receivers of one stream. When its sender goes away and
returns they lose and regain it at different moments, so that each has samples which the other has
not. Where both have the same sample of the present connection, both have all that follow it.
"""

from collections.abc import Callable
from typing import NamedTuple

from bci.acquisition import Acquisition
from bci.recording.status import RecorderStatus, StreamCount, StreamState

__all__ = ["Footing", "Start"]

_RECEIVED = (StreamState.RECEIVING, StreamState.SILENT)


class Start(NamedTuple):
    """A sample at which a run may begin, and the number of the connection that brings it."""

    sample: int
    connection: int


class Footing:
    """Finds where a run may begin.

    Parameters
    ----------
    acquisition : Acquisition
        Started.
    recorder : callable or None
        Gives how the recorder is at present, None while that is unknown. Without a recorder there
        is nothing that a replay could be made of, and no reason to wait for it.
    """

    def __init__(
        self, acquisition: Acquisition, recorder: Callable[[], RecorderStatus | None] | None
    ) -> None:
        self._acquisition, self._recorder = acquisition, recorder

    def start(self, *, idle: bool = False) -> Start | None:
        """Return where a run may begin at this moment, or None.

        Parameters
        ----------
        idle : bool
            The amplifier is connected and rests: a recorder that is connected too and has received
            nothing misses nothing.
        """
        number = self._acquisition.connection
        if number is None:
            return None
        began_at = self._acquisition.connection_end(number - 1) if number else 0
        if began_at is None:
            return None
        ring = self._acquisition.ring
        if self._recorder is None:
            is_there = idle or ring.n_written > began_at
        else:
            status = self._recorder()
            is_there = status is not None and any(
                self._shared(count, began_at, idle) for count in self._counts(status)
            )
        return Start(ring.n_written, number) if is_there else None

    def _counts(self, status: RecorderStatus) -> list[StreamCount]:
        """Return the streams of the file that may be the acquisition's."""
        info = self._acquisition.info
        return [
            count
            for count in status.streams
            if (count.source_id, count.name, count.kind) == (info.source_id, info.name, info.kind)
        ]

    def _shared(self, count: StreamCount, began_at: int, idle: bool) -> bool:
        """Whether the recorder's newest sample came to us too, over the present connection."""
        if count.state not in _RECEIVED:
            return False
        if count.last_stamp is None:
            return idle
        ring = self._acquisition.ring
        end = ring.n_written
        n = min(end - max(began_at, ring.first_available), ring.capacity // 2)
        window = ring.window(end, n) if n > 0 else None
        return window is not None and bool((window.stamps == count.last_stamp).any())
