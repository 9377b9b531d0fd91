"""Carrying a run out: markers sent when their time has come, on the clock of the stream."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from bci.acquisition import RingBuffer
from bci.errors import StreamLostError
from bci.paradigm.graz import GrazSettings, Step, plan_run, run_steps
from bci.sources.clock import lsl_clock
from bci.sources.markers import MarkerOutlet

__all__ = ["LslTime", "RunClock", "StreamTime", "present_run"]


# How often a run that waits looks whether its stream is still there, and how long a stream may be
# silent in it.
_LOOK_S, _SILENT_S = 0.1, 5.0


class RunClock(Protocol):
    """The time by which a run is paced."""

    def now(self) -> float:
        """Return the time on the common (LSL) clock (s)."""

    def wait_until(self, time_s: float, cancelled: threading.Event) -> bool:
        """Wait; False when `cancelled` was set before.

        Raises
        ------
        StreamLostError
            When the time cannot come any more.
        """

    def stamp(self, due_s: float) -> float:
        """Return the time that a marker which was due at `due_s` carries when sent now."""


class _Liveness:
    """Notices that a stream has closed, or has been silent for too long."""

    def __init__(self, ring: RingBuffer, clock: Callable[[], float]) -> None:
        self._ring, self._clock = ring, clock
        self._seen, self._since_s = ring.n_written, clock()

    def check(self) -> None:
        """Raise `StreamLostError` when there is nobody left to cue."""
        n_written, now_s = self._ring.n_written, self._clock()
        if n_written > self._seen:
            self._seen, self._since_s = n_written, now_s
        if self._ring.closed:
            raise StreamLostError("the stream stopped in the middle of the run")
        if now_s - self._since_s > _SILENT_S:
            raise StreamLostError(
                f"the stream has sent nothing for {_SILENT_S:g} s in the middle of the run: "
                "is the amplifier still on?"
            )


class LslTime:
    """Real time, while a stream is alive.

    Parameters
    ----------
    ring : RingBuffer
        Of the stream.
    """

    def __init__(self, ring: RingBuffer) -> None:
        self._stream = _Liveness(ring, lsl_clock)

    def now(self) -> float:
        """Return the LSL clock (s)."""
        return lsl_clock()

    def wait_until(self, time_s: float, cancelled: threading.Event) -> bool:
        """Wait until the LSL clock shows `time_s`; False when cancelled before."""
        while (left := time_s - lsl_clock()) > 0:
            if cancelled.wait(min(left, _LOOK_S)):
                return False
            self._stream.check()
        return not cancelled.is_set()

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
    """

    def __init__(self, ring: RingBuffer, ahead_s: float = 0.0) -> None:
        self._ring, self._ahead_s = ring, ahead_s
        self._stream = _Liveness(ring, time.monotonic)

    def now(self) -> float:
        """Return the time of the newest sample (s); waits for the first."""
        while True:
            newest = self._ring.window(self._ring.n_written, 1)
            if newest is not None:
                return float(newest.times[-1])
            self._ring.wait_for(self._ring.n_written + 1, _LOOK_S)
            self._stream.check()

    def wait_until(self, time_s: float, cancelled: threading.Event) -> bool:
        """Wait until the stream has come within `ahead_s` of a time; False when cancelled."""
        while self.now() < time_s - self._ahead_s:
            if cancelled.is_set():
                return False
            self._ring.wait_for(self._ring.n_written + 1, _LOOK_S)
            self._stream.check()
        return not cancelled.is_set()

    def stamp(self, due_s: float) -> float:
        """Return the time due."""
        return due_s


def present_run(
    settings: GrazSettings,
    outlet: MarkerOutlet,
    clock: RunClock,
    cancelled: threading.Event,
    *,
    run: int = 0,
    on_step: Callable[[Step, float], None] | None = None,
) -> bool:
    """Present one run of the protocol.

    Parameters
    ----------
    settings : GrazSettings
    outlet : MarkerOutlet
        Gets every marker, stamped by the run's clock.
    clock : RunClock
    cancelled : threading.Event
        Ends the run early; ``run_end`` is still sent.
    run : int
        Number of the run: another order of trials.
    on_step : callable, optional
        Called with each step and its time (LSL clock, s) when it is due.

    Returns
    -------
    bool
        Whether the run came to its end.
    """
    start_s = clock.now()
    for step in run_steps(settings, plan_run(settings, run)):
        if not clock.wait_until(start_s + step.at_s, cancelled):
            outlet.push("run_end", clock.now())
            return False
        time_s = clock.stamp(start_s + step.at_s)
        outlet.push(step.label, time_s)
        if on_step is not None:
            on_step(step, time_s)
    return True
