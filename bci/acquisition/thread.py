"""The acquisition thread: it owns the source and fills the ring.

The life of an `Acquisition`::

    NEW --start--> RUNNING --stop--> STOPPED        (asked for)
                      |
                      +--source ends--> ENDED       (a recording has no more samples)
                      +--source fails-> FAILED      (`error` says why)

It outlives its stream. While that is silent or lost it stays RUNNING, looks for the stream, and
takes it up when it returns: the ring goes on with the next sample, in a new segment. `health` says
how the stream is, notices say what happened to it. Only after `give_up_s` is it FAILED.

================  ==================  =======================
attribute         writer              readers
================  ==================  =======================
state, error      acquisition thread  any
ring              acquisition thread  any (see `RingBuffer`)
info              acquisition thread  any (swapped whole)
gaps              acquisition thread  any (a copy)
connection ends   acquisition thread  any; there before the first sample behind
health            acquisition thread  any (`HealthLog`)
================  ==================  =======================
"""

import enum
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bci.acquisition.align import OffsetRamp
from bci.acquisition.clock import Gap, StreamClock
from bci.acquisition.health import HealthLog, StreamHealth, StreamNotice
from bci.acquisition.ring import RingBuffer
from bci.errors import InputError, StreamLostError, StreamRefusedError
from bci.sources.base import ReturningSource, Source, StreamInfo
from bci.sources.clock import lsl_clock

__all__ = ["Acquisition", "AcquisitionState"]

_log = logging.getLogger(__name__)

# How long a read may keep the thread from noticing that it is asked to stop, or that the stream is
# silent.
_READ_TIMEOUT_S = 0.1


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
        One that is no `ReturningSource` and is lost has failed.
    buffer_s : float
        Length of the ring.
    clock : callable
        This machine's LSL clock (s).
    silent_s : float
        Without a sample for so long, the stream is silent.
    give_up_s : float or None
        Without a sample for so long, the acquisition has failed; None: it waits for ever.
    on_notice : callable
        Called in the acquisition thread with what the user should know (`StreamNotice`).
    """

    def __init__(
        self,
        source: Source,
        *,
        buffer_s: float = 60.0,
        clock: Callable[[], float] = lsl_clock,
        silent_s: float = 0.7,
        give_up_s: float | None = None,
        on_notice: Callable[[StreamNotice], object] = lambda notice: None,
    ) -> None:
        self._source = source
        self._buffer_s = buffer_s
        self._clock = clock
        self._silent_s = silent_s
        self._give_up_s = give_up_s
        self._on_notice = on_notice
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ring: RingBuffer | None = None
        self._health: HealthLog | None = None
        self._times = np.empty(0)
        self._segments = np.empty(0, dtype=np.int64)
        self._n_steps = 0
        self._lost_s = 0.0
        self._anew = False
        self._lost: StreamLostError | None = None
        self.state = AcquisitionState.NEW
        self.error: BaseException | None = None
        # A list: a tuple that is swapped costs its whole length at each gap of a bad day.
        self._gaps: list[Gap] = []
        self._ends: list[int] = []

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All gaps so far."""
        return tuple(self._gaps)

    @property
    def connection(self) -> int | None:
        """Number of the connection over which samples come, from 0; None while it is lost."""
        number = len(self._ends)  # before the question: one that is lost meanwhile is not the next
        return number if self._lost is None else None

    def connection_end(self, number: int) -> int | None:
        """Return the sample before which a connection ended; None while it stands.

        No sample of the next connection is in the ring before this is known.
        """
        return self._ends[number] if number < len(self._ends) else None

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

    @property
    def health(self) -> StreamHealth:
        """How the stream is at this moment; there after `start`."""
        if self._health is None:
            raise RuntimeError("the acquisition has not been started")
        return self._health.snapshot(self._clock())

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
        self._ramp = OffsetRamp(info.rate_hz)
        self._health = HealthLog(info, self._clock(), self._silent_s, self._tell)
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
        leap_s = self._ramp.apply(times, chunk.clock_offset_s, self._anew)
        self._anew = False
        if leap_s:
            gaps = self._leapt(gaps, leap_s, self.ring.n_written)
        segments += self._n_steps
        for gap in gaps:
            self._lost_s += gap.lost_s
            self._gaps.append(gap)
            _log.info(
                "%s: %.3f s of signal are missing before sample %d",
                self.info.name,
                gap.lost_s,
                gap.began_at,
            )
        self.ring.write(chunk.samples, times, chunk.stamps, segments, arrival_s)
        if self._health is not None:
            self._health.counted(len(self._gaps), self._lost_s + self._stream_clock.given_back_s)
            lost_s = sum(gap.lost_s for gap in gaps)
            self._health.received(n, arrival_s, chunk.clock_offset_s, lost_s)
        return True

    def _leapt(self, gaps: tuple[Gap, ...], leap_s: float, sample: int) -> tuple[Gap, ...]:
        """Account for a leap of the clock offset at `sample`.

        What is missing is counted on this machine's clock: where the sender's stamps leapt too, as
        they do when it restarts, both belong to one gap.
        """
        if gaps and gaps[0].declared_at == sample:
            return (replace(gaps[0], lost_s=gaps[0].lost_s + leap_s), *gaps[1:])
        self._n_steps += 1
        return (Gap(declared_at=sample, began_at=sample, lost_s=leap_s), *gaps)

    def _run(self) -> None:
        state = AcquisitionState.STOPPED
        try:
            while not self._stop.is_set():
                if self._receive():
                    continue
                if self._source.ended:
                    state = AcquisitionState.ENDED
                    break
                self._bear_absence()
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

    def _receive(self) -> bool:
        """Wait for a chunk; False when none came, or the stream is lost."""
        if self._lost is not None:
            self._stop.wait(_READ_TIMEOUT_S)
            return False
        try:
            return self.pump(_READ_TIMEOUT_S)
        except StreamLostError as error:
            if not isinstance(self._source, ReturningSource):
                raise
            self._lost = error
            self._ends.append(self.ring.n_written)
            return False

    def _bear_absence(self) -> None:
        """Say that the stream is away, look for it, take it up, or give up."""
        health, source, now = self._health, self._source, self._clock()
        if health is None:
            return
        if self._lost is not None:
            health.lost()
        if not health.silent(now):
            return
        if isinstance(source, ReturningSource):
            try:
                if source.resume():
                    if self._lost is None:  # it was only silent, and is another one now
                        self._ends.append(self.ring.n_written)
                    self._lost = None
                    self._anew = True
                    self._stream_clock.restart()
                    return
            except StreamRefusedError as error:
                health.refused(str(error))
        if self._give_up_s is not None and health.absent_s(now) > self._give_up_s:
            raise self._lost or StreamLostError(
                f"LSL stream {self.info.name!r} (source id {self.info.source_id!r}) has sent "
                f"nothing for {self._give_up_s:g} s: is the amplifier on?"
            )

    def _tell(self, notice: StreamNotice) -> None:
        _log.info("%s", notice)
        try:
            self._on_notice(notice)
        except Exception:
            _log.exception("a notice could not be handed on")
