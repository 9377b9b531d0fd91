"""The time by which a run is paced: the clock's, or that of the stream."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from bci.acquisition import RingBuffer
from bci.errors import StreamLostError
from bci.sources.clock import lsl_clock

__all__ = ["LOOK_S", "LslTime", "RunClock", "StreamTime"]


#: How often a run that waits looks up (s).
LOOK_S = 0.1
# How long a stream may be silent in a run, unless somebody is more patient (s).
_SILENT_S = 5.0

Looked = Callable[[], object]


class RunClock(Protocol):
    """The time by which a run is paced."""

    def now(self) -> float:
        """Return the time on the common (LSL) clock (s)."""

    def wait_until(
        self, time_s: float, cancelled: threading.Event, looked: Looked | None = None
    ) -> bool:
        """Wait; False when `cancelled` was set before. `looked` is called ten times a second.

        Raises
        ------
        StreamLostError
            When the time cannot come any more.
        """

    def silence_s(self) -> float:
        """Return the longest time without a sample since the last call, the present one included.

        Raises
        ------
        StreamLostError
            When the stream has closed, or was silent for too long.
        """

    def stamp(self, due_s: float) -> float:
        """Return the time that a marker which was due at `due_s` carries when sent now."""


class _Liveness:
    """Notices that a stream has closed, or has been silent for too long."""

    def __init__(self, ring: RingBuffer, clock: Callable[[], float], patience_s: float) -> None:
        self._ring, self._clock, self._patience_s = ring, clock, patience_s
        self._seen, self._since_s = ring.n_written, clock()
        self._longest_s = 0.0

    def check(self) -> None:
        """Raise `StreamLostError` when there is nobody left to cue."""
        n_written, now_s = self._ring.n_written, self._clock()
        silent_s = now_s - self._since_s
        if n_written > self._seen:
            self._seen, self._since_s = n_written, now_s
        # Where samples have come since the last look, they may have come at once.
        self._longest_s = max(self._longest_s, silent_s)
        if self._ring.closed:
            raise StreamLostError("the stream stopped in the middle of the run")
        if now_s - self._since_s > self._patience_s:
            raise StreamLostError(
                f"the stream has sent nothing for {self._patience_s:g} s in the middle of the "
                "run: is the amplifier still on?"
            )

    def silence_s(self) -> float:
        """Return the longest silence since the last call (s)."""
        self.check()
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s


class LslTime:
    """Real time, while a stream is alive.

    Parameters
    ----------
    ring : RingBuffer
        Of the stream.
    patience_s : float
        How long it may be silent before waiting fails (s).
    """

    def __init__(self, ring: RingBuffer, patience_s: float = _SILENT_S) -> None:
        self._stream = _Liveness(ring, lsl_clock, patience_s)

    def now(self) -> float:
        """Return the LSL clock (s)."""
        return lsl_clock()

    def wait_until(
        self, time_s: float, cancelled: threading.Event, looked: Looked | None = None
    ) -> bool:
        """Wait until the LSL clock shows `time_s`; False when cancelled before."""
        while (left := time_s - lsl_clock()) > 0:
            if cancelled.wait(min(left, LOOK_S)):
                return False
            self._stream.check()
            if looked is not None:
                looked()
        return not cancelled.is_set()

    def silence_s(self) -> float:
        """Return the longest silence since the last call (s)."""
        return self._stream.silence_s()

    def stamp(self, due_s: float) -> float:
        """Return the moment of presentation, not the intention."""
        return max(due_s, lsl_clock())


class StreamTime:
    """The time of a stream's newest sample.

    By it a run keeps step with an amplifier that runs faster than real time (a simulated one, a
    recording played back).

    Parameters
    ----------
    ring : RingBuffer
        Of the stream.
    ahead_s : float
        Waits end this much of the stream's time before what was waited for. A marker carries the
        time when it is due, so a simulated person whose time runs twenty times too fast sees it
        at the right moment although it travels for a while: 2 s are then 100 ms.
    patience_s : float
        How long the stream may be silent before waiting fails (s of the clock's).
    """

    def __init__(
        self, ring: RingBuffer, ahead_s: float = 0.0, patience_s: float = _SILENT_S
    ) -> None:
        self._ring, self._ahead_s = ring, ahead_s
        self._stream = _Liveness(ring, time.monotonic, patience_s)

    def now(self) -> float:
        """Return the time of the newest sample (s); waits for the first."""
        while True:
            newest = self._ring.window(self._ring.n_written, 1)
            if newest is not None:
                return float(newest.times[-1])
            self._ring.wait_for(self._ring.n_written + 1, LOOK_S)
            self._stream.check()

    def wait_until(
        self, time_s: float, cancelled: threading.Event, looked: Looked | None = None
    ) -> bool:
        """Wait until the stream has come within `ahead_s` of a time; False when cancelled."""
        while self.now() < time_s - self._ahead_s:
            if cancelled.is_set():
                return False
            self._ring.wait_for(self._ring.n_written + 1, LOOK_S)
            self._stream.check()
            if looked is not None:
                looked()
        return not cancelled.is_set()

    def silence_s(self) -> float:
        """Return the longest silence since the last call (s)."""
        return self._stream.silence_s()

    def stamp(self, due_s: float) -> float:
        """Return the time due."""
        return due_s
