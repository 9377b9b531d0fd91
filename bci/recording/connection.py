"""One connection to an outlet: what is received over it, and the clock at its other end."""

import math

import numpy as np
import pylsl
from numpy.typing import NDArray

from bci.errors import StreamError
from bci.sources.discovery import FoundStream
from bci.sources.inlets import NUMPY_DTYPES, ClockOffset, NumericPull, open_inlet
from bci.sources.rhythm import PushRhythm

__all__ = ["PULL_S", "Batch", "Connection"]

#: How long one pull waits (s): what a stop, or a silence, waits for at most.
PULL_S = 0.05
#: Strings that one pull returns at most.
_MOST_TEXTS = 4096
#: Between attempts at the first clock offset, of which liblsl makes 0.6 s of probes (s).
_FIRST_OFFSET_S = 0.05
#: A stamp is believed to be the time of its push, give or take the sender's chunk, within this (s).
_HONEST_S = (-0.1, 2.0)

Batch = tuple[NDArray[np.float64], NDArray[np.generic] | list[list[bytes]]]  # stamps, samples


class Connection:
    """An inlet that is pulled until it is lost. One thread receives; another asks for offsets.

    Parameters
    ----------
    found : FoundStream
    offsets_s : float
        Between clock offsets.
    timeout_s : float
        For each of the two steps of connecting.

    Attributes
    ----------
    found : FoundStream
    xml : str
        Its full description.
    lost : bool
        No more will come.
    n_samples : int
        Received.
    first_stamp, last_stamp, first_s, last_s : float or None
        Of the first and the newest sample: stamps as sent, and when they arrived.
    offset_s : float or None
        What to add to stamps to be on this machine's clock, as last measured.

    Raises
    ------
    StreamError
        When the stream does not answer.
    """

    def __init__(self, found: FoundStream, offsets_s: float, *, timeout_s: float = 5.0) -> None:
        self.found = found
        inlet, self.xml = open_inlet(found, timeout_s)
        self._inlet: pylsl.StreamInlet | None = inlet
        self._offsets_s = offsets_s
        self._offset_due_s = -math.inf
        self.offset_s: float | None = None
        self.lost = False
        self.n_samples = 0
        self.first_stamp: float | None = None
        self.last_stamp: float | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None
        self._rhythm = PushRhythm(found.rate_hz) if found.rate_hz else None
        self._ahead_s = 0.0
        self._pull = (
            NumericPull(inlet, max(256, int(found.rate_hz)))
            if found.dtype in NUMPY_DTYPES
            else None
        )

    def measure_clock(self) -> None:
        """Wait for the first clock offset, 0.6 s.

        That also gives liblsl time to enter the inlet into the sender's list
        (`bci.sources.amplifier`): what is sent from then on is received.

        Raises
        ------
        StreamError
            When the sender's clock does not answer.
        """
        if self._inlet is None:
            raise StreamError(f"LSL stream {self.found} is closed")
        clock = ClockOffset(self._inlet)
        clock.measure()
        self.offset_s = clock.value_s

    def fresh_offset(self, now_s: float) -> float | None:
        """Return the clock offset if it is time for one and it is there; does not wait."""
        inlet = self._inlet  # `close`, in another thread, takes it away
        if now_s < self._offset_due_s or self.lost or inlet is None:
            return None
        try:
            self.offset_s = float(inlet.time_correction(0.0))
        except RuntimeError:  # all that pylsl raises: no clock is worth the writer, who asks
            self._offset_due_s = now_s + _FIRST_OFFSET_S
            return None
        self._offset_due_s = now_s + self._offsets_s
        return self.offset_s

    def receive(self) -> Batch | None:
        """Wait a moment for samples; None when none came."""
        if self._inlet is None:
            return None
        if self._pull is None:
            return self._receive_text(self._inlet)
        return self._receive_numbers(self._pull)

    def _receive_numbers(self, pull: NumericPull) -> Batch | None:
        n_samples = pull(PULL_S)
        self.lost = pull.lost
        return pull.copies(n_samples) if n_samples else None

    def _receive_text(self, inlet: pylsl.StreamInlet) -> Batch | None:
        """Pull sample by sample: a pull of many that fails would drop those it had taken."""
        rows: list[list[bytes]] = []
        stamps: list[float] = []
        try:
            while len(rows) < _MOST_TEXTS:
                values, stamp = inlet.pull_sample(0.0 if rows else PULL_S)
                if values is None:
                    break
                rows.append(list(values))
                stamps.append(stamp)
        except pylsl.util.LostError:
            self.lost = True
        return (np.array(stamps), rows) if rows else None

    def count(self, stamps: NDArray[np.float64], now_s: float) -> None:
        """Account for samples that have just been received."""
        if self.first_stamp is None or self.last_s is None:
            self.first_stamp, self.first_s = float(stamps[0]), now_s
        if self._rhythm is not None:
            self._rhythm.arrived(len(stamps), now_s)
        self.n_samples += len(stamps)
        self.last_stamp, self.last_s = float(stamps[-1]), now_s
        if self.offset_s is not None:
            self._ahead_s = max(self._ahead_s, self.last_stamp + self.offset_s - now_s)

    def silent_after_s(self, silent_s: float, connected_s: float) -> float:
        """Return until when a sample is due (s); infinite for an irregular stream.

        A sender that pushes once a second is not silent in between (`PushRhythm`).
        """
        if self._rhythm is None:
            return math.inf
        patience_s = self._rhythm.patience_s(silent_s)
        if self.last_s is None:  # many start to send some time after they appear
            return connected_s + max(2.0, patience_s)
        return self.last_s + patience_s

    def proves(self, stop_s: float) -> bool:
        """Whether all that was sent before a time has arrived: something sent later has.

        LSL keeps the order of a stream. A stamp later than the stop, on this machine's clock,
        proves a push later than the stop if the sender does not stamp ahead of time: how far it
        has been seen to do so is taken off, and what a clock offset errs by on a local network.
        """
        return self._newest_s() - max(0.0, self._ahead_s) - 0.005 > stop_s

    def behind(self, stop_s: float, now_s: float) -> bool:
        """Whether samples that were sent before a time are still coming in."""
        coming = self.last_s is not None and now_s - self.last_s < PULL_S
        return coming and -math.inf < self._newest_s() <= stop_s

    def _newest_s(self) -> float:
        """Return the newest stamp on this machine's clock; minus infinity if it is no push time."""
        if self.last_stamp is None or self.last_s is None or self.offset_s is None:
            return -math.inf
        stamp_s = self.last_stamp + self.offset_s
        early_s, late_s = _HONEST_S
        return stamp_s if early_s < self.last_s - stamp_s < late_s else -math.inf

    def effective_hz(self) -> float | None:
        """Return samples a second by the stamps, over this connection."""
        if self.n_samples < 2 or self.first_stamp is None or self.last_stamp is None:
            return None
        span_s = self.last_stamp - self.first_stamp
        return (self.n_samples - 1) / span_s if span_s > 0 else None

    def close(self) -> None:
        """Disconnect: pylsl does when the last reference to the inlet goes."""
        self.lost = True
        self._inlet = self._pull = None
