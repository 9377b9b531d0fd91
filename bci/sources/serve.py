"""Playing a source on the network in real time, or faster.

Time on the outlet is virtual: the sample that the source stamps ``s`` leaves with the stamp
``t0 + (s - s0)``, `s0` being the source's first stamp and `t0` the LSL clock at the start, and it
leaves when the clock reaches ``t0 + (s - s0) / speed``. At speed 1 stamps are the LSL clock. At a
higher speed virtual time runs ahead of it: a recording of 120 s played at 10 leaves in 12 s, and
its last stamp lies 108 s in the future. Whoever wants the stream live after a fast part starts
that part `backdate_s` in the past, so that virtual time ends where the clock then is.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bci.errors import InputError, SettingsError
from bci.events import Marker
from bci.sources.base import Chunk, Source
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerInlet

__all__ = ["CueListener", "ServeReport", "Server", "VirtualClock", "serve"]

F64 = NDArray[np.float64]

logger = logging.getLogger(__name__)

#: Steps of a recording's stamps beyond these (s) are kept as stamps but not waited for: its clock
#: was reset, or the program was paused.
_BACKWARD_S, _FORWARD_S = -1.0, 10.0

_SHORTEST_TURN_S = 0.002

#: How often the search for the marker stream looks up (s).
_RESOLVE_S = 0.5


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """What time it is on an outlet that may run faster than the clock.

    Attributes
    ----------
    real_s, virtual_s : float
        A moment on the LSL clock, and the stamp that is due then.
    speed : float
    """

    real_s: float
    virtual_s: float
    speed: float

    def at(self, real_s: float) -> float:
        """Return the stamp that is due at LSL time `real_s`."""
        return self.virtual_s + (real_s - self.real_s) * self.speed

    def when(self, virtual_s: float) -> float:
        """Return the LSL time at which stamp `virtual_s` is due."""
        return self.real_s + (virtual_s - self.virtual_s) / self.speed


@dataclass(frozen=True, slots=True)
class ServeReport:
    """What was pushed.

    Attributes
    ----------
    n_samples, n_markers : int
        That were due: what a `FaultyOutlet` then lost, its `outages` say.
    start_s : float
        Virtual time of the source's first sample (`t0`).
    first_stamp, last_stamp : float or None
        None when no sample left.
    worst_late_s : float
        By how much a sample left later than it was due, at worst. None was dropped for it.
    ended : bool
        The source came to its end (and was not stopped).
    """

    n_samples: int
    n_markers: int
    start_s: float
    first_stamp: float | None
    last_stamp: float | None
    worst_late_s: float
    ended: bool


class _Cued(Protocol):
    def cue(self, label: str, time_s: float) -> None: ...


class _SignalsOut(Protocol):
    @property
    def last_stamp(self) -> float | None: ...
    def push(self, volts: F64, stamps: F64) -> None: ...


class _MarkersOut(Protocol):
    def push(self, label: str, time_s: float) -> None: ...


class CueListener:
    """Lets a simulated person see the markers of a stream, whenever that stream appears.

    A thread looks for the stream and connects; `deliver` only hands over what has arrived.

    Parameters
    ----------
    query : StreamQuery
    """

    def __init__(self, query: StreamQuery) -> None:
        self._query = query
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._inlet: MarkerInlet | None = None
        self._thread = threading.Thread(target=self._run, name="cue listener", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether the stream was found and is open."""
        return self._inlet is not None

    def deliver(self, person: _Cued, source_time: Callable[[float], float]) -> int:
        """Hand the markers that have arrived to the person; return how many.

        Parameters
        ----------
        person : object with ``cue(label, time_s)``
        source_time : callable
            From stamps on the network to stamps of the source.
        """
        inlet = self._inlet
        if inlet is None:
            return 0
        try:
            markers = inlet.pull()
        except InputError as error:
            logger.info("cues: %s", error)
            self._inlet = None
            self._lost.set()
            return 0
        for marker in markers:
            person.cue(marker.label, source_time(marker.time_s))
        return len(markers)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                inlet = MarkerInlet(self._query, _RESOLVE_S)
            except InputError as error:
                logger.debug("cues: %s", error)
                self._stop.wait(_RESOLVE_S)
                continue
            self._inlet = inlet
            while not (self._stop.is_set() or self._lost.wait(_RESOLVE_S)):
                pass
            self._inlet = None
            self._lost.clear()
            inlet.close()

    def close(self) -> None:
        """Stop looking and disconnect."""
        self._stop.set()
        self._lost.set()
        self._thread.join()


class Server:
    """Pushes a source's samples and markers as they become due; never drops one, but catches up.

    Parameters
    ----------
    eeg : EegOutlet
    markers_out : MarkerOutlet or None
    speed : float
        Virtual seconds in a second.
    clock : callable
        The LSL clock (s).
    chunk_s : float
        How often samples leave (real s), as blocks of an amplifier's.

    Raises
    ------
    SettingsError
        For a speed that is not positive.
    """

    def __init__(
        self,
        eeg: _SignalsOut,
        markers_out: _MarkersOut | None = None,
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = lsl_clock,
        chunk_s: float = 0.02,
    ) -> None:
        self._eeg = eeg
        self._markers_out = markers_out
        self._clock = clock
        self._chunk_s = chunk_s
        self._lock = threading.Lock()
        self._virtual = VirtualClock(0.0, 0.0, 1.0)
        self._speed = 1.0
        self.set_speed(speed)

    @property
    def virtual(self) -> VirtualClock:
        """The outlet's clock now; of a meaning once `run` has begun."""
        with self._lock:
            return self._virtual

    def set_speed(self, speed: float) -> VirtualClock:
        """Go on at another speed, from the virtual time that it is now."""
        if not (math.isfinite(speed) and speed > 0):
            raise SettingsError(f"speed {speed:g}: give a number above 0, 1 for real time")
        with self._lock:
            now = self._clock()
            self._virtual = VirtualClock(now, self._virtual.at(now), speed)
            self._speed = speed
            return self._virtual

    def begin(self, backdate_s: float = 0.0) -> VirtualClock:
        """Set virtual time for the next `run`.

        It is the clock's, `backdate_s` earlier; but at least 1 s after the last sample pushed
        before, so that stamps only grow and consumers see a gap between two recordings.
        """
        with self._lock:
            now = self._clock()
            start = max(now - backdate_s, self._earliest_s())
            self._virtual = VirtualClock(now, start, self._speed)
            return self._virtual

    def lead_s(self) -> float:
        """Return how far ahead of the present a `begin` would start.

        A run that was faster than real time and was paused late has stamped the future.
        """
        return max(0.0, self._earliest_s() - self._clock())

    def _earliest_s(self) -> float:
        last_stamp = self._eeg.last_stamp
        return -math.inf if last_stamp is None else last_stamp + 1.0

    def run(
        self,
        source: Source,
        markers: Sequence[Marker] = (),
        *,
        stop: threading.Event,
        cues: CueListener | None = None,
        duration_s: float | None = None,
        start_s: float | None = None,
    ) -> ServeReport:
        """Push until the source ends, `duration_s` of it have passed, or `stop` is set.

        Parameters
        ----------
        source : Source
            Open, and never waiting in `read`. Its stamps, with its clock offset added, and the
            markers are on one clock. A new chunk is read when the last one has left.
        markers : sequence of Marker
            In order of time. Each leaves before the first sample that is not earlier, those that
            remain when the source has ended leave then.
        stop : threading.Event
        cues : CueListener or None
            For a source that has ``cue``.
        duration_s : float or None
            Of the source's time (s).
        start_s : float or None
            Virtual time of the source's first sample; None: that of a new `begin`.

        Returns
        -------
        ServeReport
        """
        if start_s is None:
            start_s = self.begin().virtual_s
        state = _Run(source, start_s, duration_s)
        pending = list(reversed(markers))
        n_markers = n_samples = 0
        worst_late_s = 0.0
        first_stamp: float | None = None
        deadline = self._clock()
        while not stop.is_set():
            if cues is not None:
                cues.deliver(source, state.source_time)  # type: ignore[arg-type]
            virtual = self.virtual
            due_s = virtual.at(self._clock())
            while (ready := state.take(due_s)) is not None:
                stamps, volts, due_first_s = ready
                n_markers += self._push_markers(pending, state, float(stamps[-1]))
                worst_late_s = max(worst_late_s, self._clock() - virtual.when(due_first_s))
                self._eeg.push(volts, stamps)
                n_samples += len(stamps)
                first_stamp = float(stamps[0]) if first_stamp is None else first_stamp
                if stop.is_set():
                    break
            if state.done:
                n_markers += self._push_markers(pending, state, math.inf)
                break
            # Absolute deadlines: a late turn is followed by an early one, and nothing accumulates.
            now = self._clock()
            turn_s = self._chunk_s
            if cues is not None:  # a person sees a cue at most one block late in virtual time, too
                turn_s = max(_SHORTEST_TURN_S, turn_s / max(virtual.speed, 1.0))
            deadline = max(deadline + turn_s, now - turn_s)
            stop.wait(max(0.0, deadline - now))
        return ServeReport(
            n_samples=n_samples,
            n_markers=n_markers,
            start_s=start_s,
            first_stamp=first_stamp,
            last_stamp=self._eeg.last_stamp if n_samples else None,
            worst_late_s=worst_late_s,
            ended=state.done,
        )

    def _push_markers(self, pending: list[Marker], state: "_Run", until_s: float) -> int:
        """Push the markers up to virtual time `until_s`; return how many."""
        n_pushed = 0
        while pending and state.virtual_time(pending[-1].time_s) <= until_s:
            marker = pending.pop()
            if self._markers_out is not None:
                self._markers_out.push(marker.label, state.virtual_time(marker.time_s))
                n_pushed += 1
        return n_pushed


class _Run:
    """The samples of a source on their way out: what has been read, and when each part is due."""

    def __init__(self, source: Source, start_s: float, duration_s: float | None) -> None:
        self._source = source
        self._start_s = start_s
        self._duration_s = duration_s
        self._period_s = 1.0 / source.info.rate_hz
        self._chunk: Chunk | None = None
        self._next = 0
        self._stamps = self._due = np.empty(0)
        self._first_s: float | None = None
        self._last_s = self._last_due_s = 0.0
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether every sample has left."""
        return self._ended and self._chunk is None

    def virtual_time(self, source_s: float) -> float:
        """Return the stamp on the network of a time of the source's."""
        return self._start_s + (source_s - (self._first_s or 0.0))

    def source_time(self, virtual_s: float) -> float:
        """Return the inverse of `virtual_time`."""
        return (self._first_s or 0.0) + (virtual_s - self._start_s)

    def take(self, due_s: float) -> tuple[F64, F64, float] | None:
        """Return stamps and volts of the samples of one chunk that are due by `due_s`.

        The third value is when the first of them was due, in virtual time.
        """
        if self._chunk is None and not self._read():
            return None
        if self._chunk is None:
            return None
        stop = int(np.searchsorted(self._due, due_s, side="right"))
        start = self._next
        if stop <= start:
            return None
        stamps, volts = self._stamps[start:stop], self._chunk.samples[start:stop]
        self._next = stop
        if stop == len(self._stamps):
            self._chunk = None
        return stamps, volts, float(self._due[start])

    def _read(self) -> bool:
        """Have the next chunk; False when there is none."""
        chunk = None if self._ended else self._source.read(0.0)
        if chunk is None or not len(chunk.stamps):
            self._ended = self._ended or self._source.ended
            return False
        times = chunk.stamps + chunk.clock_offset_s
        if self._first_s is None:
            self._first_s = self._last_s = float(times[0])
            self._last_due_s = self._start_s
        if self._duration_s is not None:
            keep = int(np.searchsorted(times, self._first_s + self._duration_s))
            if keep < len(times):
                self._ended = True
                if not keep:
                    return False
                chunk = Chunk(
                    chunk.first_sample,
                    chunk.samples[:keep],
                    chunk.stamps[:keep],
                    chunk.clock_offset_s,
                )
                times = times[:keep]
        steps = np.diff(times, prepend=self._last_s)
        steps[(steps < _BACKWARD_S) | (steps > _FORWARD_S)] = self._period_s
        # Jitter may make a stamp earlier than the one before: due together, in order.
        self._due = np.maximum.accumulate(self._last_due_s + np.cumsum(steps))
        self._last_s, self._last_due_s = float(times[-1]), float(self._due[-1])
        self._stamps = self._start_s + (times - self._first_s)
        self._chunk, self._next = chunk, 0
        return True


def serve(
    source: Source,
    eeg: _SignalsOut,
    markers_out: _MarkersOut | None = None,
    markers: Sequence[Marker] = (),
    *,
    stop: threading.Event,
    speed: float = 1.0,
    clock: Callable[[], float] = lsl_clock,
    cues: CueListener | None = None,
    duration_s: float | None = None,
    chunk_s: float = 0.02,
) -> ServeReport:
    """Play a source on the network once; see :class:`Server`."""
    server = Server(eeg, markers_out, speed=speed, clock=clock, chunk_s=chunk_s)
    return server.run(source, markers, stop=stop, cues=cues, duration_s=duration_s)
