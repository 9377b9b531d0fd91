"""A simulated amplifier with a person who watches the session's cues: to try, to show, to test."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bci.acquisition import RingBuffer
from bci.errors import StreamError
from bci.paradigm import LslTime, RunClock, StreamTime
from bci.sources.amplifier import AmplifierProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery

__all__ = ["Simulator"]

# Cues leave this much of the simulated person's time before they are due (see `StreamTime`).
_AHEAD_S = 2.0
_CUES_S, _LOOK_S = 15.0, 0.05
# How far behind the present its time may be (s), how often it is looked at (s), and how many times.
_PRESENT_S, _STEP_S, _MOST_STEPS = 0.002, 0.25, 400


class Simulator:
    """A simulated person in a process of its own.

    Parameters
    ----------
    cues : StreamQuery
        What the person watches.
    person : mapping, optional
        Keyword arguments of `bci.sources.simulate.SimulatedSource`.
    history_s : float
        The signal begins so long ago: time that runs faster than real (`speed`) may use up (s).
    speed : float
        Times real time in calibration runs, as long as there is history.
    """

    def __init__(
        self,
        cues: StreamQuery,
        person: Mapping[str, Any] | None = None,
        *,
        history_s: float = 0.0,
        speed: float = 1.0,
    ) -> None:
        self._history_s, self._speed = history_s, speed
        self.amplifier = AmplifierProcess(
            person=dict(person or {"ability": 1.0}), name="Rolandic simulated amplifier", cues=cues
        )

    @property
    def query(self) -> StreamQuery:
        """Its stream of signals."""
        return StreamQuery(source_id=self.amplifier.source_id)

    def start(self) -> None:
        """Start its process, and wait until the person sees the cues; nothing is sent yet.

        Raises
        ------
        StreamError
            When it cannot be started, or the person does not see the cues.
        """
        self.amplifier.start()
        deadline = time.monotonic() + _CUES_S
        while not self.amplifier.cues_connected():
            if time.monotonic() > deadline:
                raise StreamError(
                    "the simulated person does not see the cues: LSL finds no streams on this "
                    "machine; is multicast blocked by a firewall?"
                )
            time.sleep(_LOOK_S)

    def begin(self) -> None:
        """Let it send: whoever is to see every sample is connected."""
        self.amplifier.run(1.0, backdate_s=self._history_s)

    @contextmanager
    def paced(self, ring: RingBuffer, patience_s: float = 5.0) -> Iterator[RunClock]:
        """Give the clock of a calibration run; within, time passes at the simulator's speed."""
        if self._speed == 1.0:
            yield LslTime(ring, patience_s)
            return
        self.amplifier.set_speed(self._speed)
        try:
            yield StreamTime(ring, _AHEAD_S, patience_s)
        finally:
            self.amplifier.set_speed(1.0)

    def catch_up(self, cancelled: threading.Event) -> None:
        """Wait until its time is the present, as decisions need it; at its speed, if it is late."""
        if self._history_s == 0.0:
            return
        for _ in range(_MOST_STEPS):
            now_s = lsl_clock()
            late_s = now_s - self.amplifier.virtual().at(now_s)
            if cancelled.is_set() or 0 <= late_s < _PRESENT_S:
                break
            # The last step is as slow as needed to end in the present, or a trifle before it.
            speed = 1.0 + (late_s - _PRESENT_S / 2) / _STEP_S
            self.amplifier.set_speed(min(max(speed, 0.2), max(self._speed, 1.0)))
            cancelled.wait(_STEP_S)
        self.amplifier.set_speed(1.0)

    def stop(self) -> None:
        """End its process; more than once is harmless."""
        self.amplifier.stop()
