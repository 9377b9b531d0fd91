"""What goes wrong with an amplifier, on command: outlets that drop, hang, and come back changed.

Samples that fall due while an outlet is away or hangs are lost, as they are at a real amplifier
whose cable is pulled; where the source counts in a channel, the receiver sees which. What had been
pushed before a drop is given `LINGER_S` to leave.

A clock of its own: `set_clock` moves the *stamps*, not the clock of this process. On one machine
every process shares one LSL clock, so liblsl measures a clock offset near 0 whatever the stamps
say; a receiver that is to know better is given the offset at its own seam
(`bci.sources.inlets.ClockOffset`). On Linux a sender started in a time namespace
(``unshare --time --monotonic``) does have another clock, and liblsl then sees it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.markers import MarkerOutlet
from bci.sources.outlet import EegOutlet

__all__ = ["LINGER_S", "FaultyMarkers", "FaultyOutlet", "Outage", "SenderClock"]

F64 = NDArray[np.float64]

#: Between the last sample and the end of an outlet (s): what is on its way must arrive.
LINGER_S = 0.05


@dataclass(frozen=True, slots=True)
class Outage:
    """Samples that were due and were not sent.

    Attributes
    ----------
    kind : str
        ``"drop"``: the outlet was gone. ``"hang"``: it stood and was silent.
    first_lost : int
        Among all samples that ever were due, from 0.
    n_lost : int
        So far.
    last_stamp, next_stamp : float or None
        As sent, of the samples before and after; None where there was none, or none yet.
    """

    kind: str
    first_lost: int
    n_lost: int
    last_stamp: float | None
    next_stamp: float | None


@dataclass(frozen=True, slots=True)
class SenderClock:
    """How far a sender's clock is off the LSL clock.

    Attributes
    ----------
    offset_s : float
        At `since_s`.
    drift_ppm : float
        By how much it runs fast.
    since_s : float
        On the LSL clock (s).
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0
    since_s: float = 0.0

    def stamps(self, true_s: F64) -> F64:
        """Return what this clock shows at LSL times `true_s`."""
        return true_s + self.offset_s + (true_s - self.since_s) * (self.drift_ppm * 1e-6)


class FaultyOutlet:
    """An `EegOutlet` that can be made to fail; one thread pushes, another commands.

    Parameters
    ----------
    info : StreamInfo
    source_id : str
    clock : callable
        The LSL clock (s).

    Attributes
    ----------
    last_stamp : float or None
        Of the last sample that was due, before `set_clock`.
    """

    def __init__(
        self, info: StreamInfo, source_id: str, clock: Callable[[], float] = lsl_clock
    ) -> None:
        self._info, self.source_id, self._clock = info, source_id, clock
        self._lock = threading.Lock()
        self._outlet: EegOutlet | None = EegOutlet(info, source_id=source_id)
        self._every = 1
        self._kind: str | None = None  # of the outage that goes on
        self._held: list[tuple[F64, F64]] | None = None
        self._sender_clock = SenderClock()
        self._outages: list[Outage] = []
        self._sent_stamp: float | None = None
        self._n_due = 0
        self.last_stamp: float | None = None

    def push(self, volts: F64, stamps: F64) -> None:
        """Send samples, unless they are to be lost; see `EegOutlet.push`."""
        if not len(stamps):
            return
        with self._lock:
            first, self._n_due = self._n_due, self._n_due + len(stamps)
            self.last_stamp = float(stamps[-1])
            if self._held is not None:
                self._held.append((volts.copy(), stamps.copy()))
            elif self._kind is not None:
                self._lose(self._kind, first, len(stamps))
            else:
                self._send(volts, stamps, first)

    def _lose(self, kind: str, first: int, n_lost: int) -> None:
        if self._outages and self._outages[-1].next_stamp is None:
            outage = self._outages[-1]
            self._outages[-1] = replace(outage, n_lost=outage.n_lost + n_lost)
        else:
            self._outages.append(Outage(kind, first, n_lost, self._sent_stamp, None))

    def _send(self, volts: F64, stamps: F64, first: int) -> None:
        outlet = self._outlet
        if outlet is None:
            return
        keep = np.arange(-first % self._every, len(stamps), self._every)
        if not len(keep):
            return
        columns = np.arange(len(outlet.info.channels)) % volts.shape[1]
        sent = self._sender_clock.stamps(stamps[keep])
        outlet.push(volts[np.ix_(keep, columns)], sent)
        if self._outages and self._outages[-1].next_stamp is None:
            self._outages[-1] = replace(self._outages[-1], next_stamp=float(sent[0]))
        self._sent_stamp = float(sent[-1])

    def drop(self) -> None:
        """Take the outlet off the network, as a program that ends does."""
        with self._lock:
            self._kind = "drop"
            outlet, self._outlet = self._outlet, None
        if outlet is not None:
            time.sleep(LINGER_S)
            outlet.close()

    def hang(self, lose: bool = True) -> None:
        """Fall silent while the outlet stands; without `lose`, all is sent late by `restore`."""
        with self._lock:
            self._kind = "hang"
            if not lose and self._held is None:
                self._held = []

    def restore(
        self, rate_hz: float | None = None, n_channels: int | None = None, dtype: str | None = None
    ) -> None:
        """Send again, over a new outlet where the old one is gone or is to be another.

        Parameters
        ----------
        rate_hz : float or None
            A whole fraction of the source's: every k-th sample is sent.
        n_channels : int or None
            The first so many, begun anew beyond the last.
        dtype : str or None
            On the wire.
        """
        every = _fraction(self._info.rate_hz, rate_hz)
        info = replace(
            self._info,
            rate_hz=self._info.rate_hz / every,
            channels=_channels(self._info.channels, n_channels),
            dtype=dtype or self._info.dtype,
        )
        if not (rate_hz is None and n_channels is None and dtype is None):
            self.drop()
        with self._lock:
            if self._outlet is None:
                self._every = every
                self._outlet = EegOutlet(info, source_id=self.source_id)
            held, self._held, self._kind = self._held, None, None
            first = self._n_due - sum(len(stamps) for _, stamps in held or ())
            for volts, stamps in held or ():
                self._send(volts, stamps, first)
                first += len(stamps)

    def set_clock(self, offset_s: float, drift_ppm: float) -> SenderClock:
        """Let stamps be those of a clock that is off by so much from now on."""
        with self._lock:
            self._sender_clock = SenderClock(offset_s, drift_ppm, self._clock())
            return self._sender_clock

    @property
    def sender_clock(self) -> SenderClock:
        """The clock of the stamps."""
        return self._sender_clock

    @property
    def outages(self) -> tuple[Outage, ...]:
        """What was lost so far."""
        with self._lock:
            return tuple(self._outages)

    def have_consumers(self) -> bool:
        """Whether somebody listens."""
        with self._lock:
            return self._outlet is not None and self._outlet.have_consumers()

    def close(self) -> None:
        """Take the stream off the network; more than once is harmless."""
        with self._lock:
            if self._outlet is not None:
                self._outlet.close()
            self._outlet, self._kind = None, "drop"


class FaultyMarkers:
    """A `MarkerOutlet` that can be taken away and brought back; markers in between are lost.

    Parameters
    ----------
    name, source_id : str
    signals : FaultyOutlet
        Whose clock the markers' stamps are on.
    """

    def __init__(self, name: str, source_id: str, signals: FaultyOutlet) -> None:
        self._name, self._source_id, self._signals = name, source_id, signals
        self._lock = threading.Lock()
        self._outlet: MarkerOutlet | None = MarkerOutlet(name, source_id)

    def push(self, label: str, time_s: float) -> None:
        """Send one marker, stamped `time_s` on the sender's clock."""
        with self._lock:
            if self._outlet is not None:
                stamp = self._signals.sender_clock.stamps(np.array([time_s]))
                self._outlet.push(label, float(stamp[0]))

    def drop(self) -> None:
        """Take the outlet off the network."""
        with self._lock:
            outlet, self._outlet = self._outlet, None
        if outlet is not None:
            time.sleep(LINGER_S)
            outlet.close()

    def restore(self) -> None:
        """Bring it back under the same source id."""
        with self._lock:
            if self._outlet is None:
                self._outlet = MarkerOutlet(self._name, self._source_id)

    def close(self) -> None:
        """Take the stream off the network; more than once is harmless."""
        with self._lock:
            self._outlet = None


def _fraction(rate_hz: float, wanted_hz: float | None) -> int:
    """Return k such that every k-th sample makes the rate that is wanted."""
    every = 1 if wanted_hz is None else round(rate_hz / wanted_hz) if wanted_hz > 0 else 0
    if every < 1 or abs(rate_hz / every - (wanted_hz or rate_hz)) > 1e-6 * rate_hz:
        raise SettingsError(
            f"rate {wanted_hz} Hz: give a whole fraction of the amplifier's {rate_hz:g} Hz"
        )
    return every


def _channels(channels: tuple[Channel, ...], n_wanted: int | None) -> tuple[Channel, ...]:
    """Return the first so many channels, with more of the same kind beyond the last."""
    n_channels = len(channels) if n_wanted is None else n_wanted
    if n_channels < 1:
        raise SettingsError(f"{n_channels} channels: an amplifier has at least one")
    more = tuple(
        replace(channels[k % len(channels)], label=f"X{k + 1}", position_m=None)
        for k in range(len(channels), n_channels)
    )
    return channels[:n_channels] + more
