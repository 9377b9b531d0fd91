"""The acquisition thread: it owns the source and fills the ring.

The life of an `Acquisition`::

    NEW --start--> RUNNING --stop--> STOPPED        (asked for)
                      |
                      +--source ends--> ENDED       (a recording has no more samples)
                      +--source fails-> FAILED      (`error` says why)

================  ==================  =======================
attribute         writer              readers
================  ==================  =======================
state, error      acquisition thread  any
ring              acquisition thread  any (see `RingBuffer`)
gaps, info        acquisition thread  any (tuple, swapped whole)
================  ==================  =======================
"""

import enum
import logging
import threading
from collections.abc import Callable

import numpy as np

from bci.acquisition.clock import Gap, StreamClock
from bci.acquisition.ring import RingBuffer
from bci.errors import InputError
from bci.sources.base import Source, StreamInfo
from bci.sources.clock import lsl_clock

__all__ = ["Acquisition", "AcquisitionState"]

_log = logging.getLogger(__name__)

# How long a read may keep the thread from noticing that it is asked to stop.
_READ_TIMEOUT_S = 0.2


class AcquisitionState(enum.Enum):
    """Where an acquisition is in its life."""

    NEW = "new"
    RUNNING = "running"
    STOPPED = "stopped"
    ENDED = "ended"
    FAILED = "failed"


class Acquisition:
    """A thread that reads a source into a ring buffer.

    Parameters
    ----------
    source : Source
        Opened by `start` in the caller's thread, read and closed by the acquisition thread alone.
    buffer_s : float
        Length of the ring.
    clock : callable
        This machine's LSL clock (s).
    """

    def __init__(
        self, source: Source, *, buffer_s: float = 60.0, clock: Callable[[], float] = lsl_clock
    ) -> None:
        self._source = source
        self._buffer_s = buffer_s
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ring: RingBuffer | None = None
        self._times = np.empty(0)
        self._segments = np.empty(0, dtype=np.int64)
        self.state = AcquisitionState.NEW
        self.error: BaseException | None = None
        self.gaps: tuple[Gap, ...] = ()

    @property
    def info(self) -> StreamInfo:
        """The stream's description; complete after `start`."""
        return self._source.info

    @property
    def ring(self) -> RingBuffer:
        """The buffer; there after `start`."""
        if self._ring is None:
            raise RuntimeError("the acquisition has not been started")
        return self._ring

    def open(self) -> None:
        """Open the source and lay out the ring, without a thread: `pump` then does its work.

        Raises
        ------
        InputError
            What the source says when it cannot be opened.
        """
        if self.state is not AcquisitionState.NEW:
            raise RuntimeError(f"the acquisition is {self.state.value}: start a new one")
        self._source.open()
        info = self._source.info
        capacity = max(int(self._buffer_s * info.rate_hz), 1024)
        self._ring = RingBuffer(capacity, len(info.channels))
        self._stream_clock = StreamClock(info.rate_hz)
        self.state = AcquisitionState.RUNNING

    def start(self) -> None:
        """Open the source and start the thread that reads it; raises what `open` raises."""
        self.open()
        self._thread = threading.Thread(target=self._run, name="acquisition", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end and wait for it; more than once is harmless."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def raise_error(self) -> None:
        """Raise what made the thread end, if something did."""
        if self.error is not None:
            raise self.error

    def pump(self, timeout_s: float) -> bool:
        """Move one chunk from the source to the ring; what the thread does over and over.

        Returns
        -------
        bool
            False when nothing came within the time.
        """
        chunk = self._source.read(timeout_s)
        if chunk is None:
            return False
        arrival_s = self._clock()
        n = len(chunk.stamps)
        if n > len(self._times):
            # Work arrays for the largest chunk so far: they grow a few times at the start, and
            # then no chunk costs an allocation.
            self._times, self._segments = np.empty(2 * n), np.empty(2 * n, dtype=np.int64)
        times, segments = self._times[:n], self._segments[:n]
        gaps = self._stream_clock.update(chunk.stamps, times, segments)
        times += chunk.clock_offset_s
        for gap in gaps:
            self.gaps += (gap,)
            _log.info(
                "%s: %.3f s of signal are missing before sample %d",
                self.info.name,
                gap.lost_s,
                gap.began_at,
            )
        self.ring.write(chunk.samples, times, chunk.stamps, segments, arrival_s)
        return True

    def _run(self) -> None:
        state = AcquisitionState.STOPPED
        try:
            while not self._stop.is_set():
                if not self.pump(_READ_TIMEOUT_S) and self._source.ended:
                    state = AcquisitionState.ENDED
                    break
        except InputError as error:
            self.error, state = error, AcquisitionState.FAILED
        except Exception as error:
            _log.exception("acquisition of %s failed", self.info.name)
            self.error, state = error, AcquisitionState.FAILED
        finally:
            try:
                self._source.close()
            finally:
                self.state = state
                self.ring.close()
