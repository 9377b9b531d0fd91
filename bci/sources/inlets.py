"""Opening LSL inlets, and pulling from them without losing the end of a stream.

Inlets here never recover (``recover=False``): a stream that comes back is a new stream, and
whoever reads decides what that means. liblsl refuses what is still queued in an inlet once the
connection is lost (`data_receiver.cpp`, `try_get_next_sample`): measured with liblsl 1.18.0, a
reader that polls every 50 ms lost the last 20 to 30 of 500 samples, one that waits inside the pull
lost none. So every reader here is a thread that waits in the pull, and what a failing pull had
already copied is kept.
"""

import ctypes
import re
from collections.abc import Callable

import numpy as np
import pylsl
from numpy.typing import NDArray

from bci.errors import StreamError
from bci.sources.clock import ClockReading, lsl_clock, read_clock
from bci.sources.discovery import DTYPES, FoundStream, configure_lsl
from bci.sources.offsets import OffsetLine

__all__ = ["NUMPY_DTYPES", "ClockOffset", "NumericPull", "open_inlet"]

#: How numeric formats look in memory.
NUMPY_DTYPES: dict[str, np.dtype[np.generic]] = {
    "float32": np.dtype(np.float32),
    "double64": np.dtype(np.float64),
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
}

_LOST = -2
#: References to characters that XML 1.0 does not have, as liblsl (pugixml) writes them.
_NO_CHARACTER = re.compile(r"&#0*(?:[0-8]|1[124-9]|2[0-9]|3[01]);")


def open_inlet(stream: FoundStream, timeout_s: float) -> tuple[pylsl.StreamInlet, str]:
    """Connect to a stream: from here on, what it sends is queued.

    Parameters
    ----------
    stream : FoundStream
    timeout_s : float
        For each of the two steps, description and connection.

    Returns
    -------
    inlet : pylsl.StreamInlet
        With six minutes of buffer, no post-processing, no recovery; strings come as bytes, since
        nothing in LSL makes them UTF-8.
    xml : str
        The stream's full description.

    Raises
    ------
    StreamError
        When the stream does not answer.
    """
    configure_lsl()
    inlet = pylsl.StreamInlet(stream.handle, max_buflen=360, recover=False, as_numpy=True)
    try:
        # A control character in a name (a string that was not terminated) is written as a reference
        # that no parser of XML takes: one such stream must not keep the others from being recorded.
        xml = _NO_CHARACTER.sub("?", inlet.info(timeout_s).as_xml())
        inlet.open_stream(timeout_s)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        raise StreamError(
            f"LSL stream {stream} was found but does not answer ({error}): is its program still "
            "running, and does a firewall let it through?"
        ) from error
    return inlet, xml


class NumericPull:
    """Pull samples of a numeric stream into memory that is allocated once.

    Parameters
    ----------
    inlet : pylsl.StreamInlet
    capacity : int
        Samples that one pull returns at most.

    Attributes
    ----------
    samples : ndarray, shape (capacity, n_channels)
        In the stream's own type.
    stamps : ndarray of float64, shape (capacity,)
    lost : bool
        The stream is gone: no pull will bring more.
    """

    def __init__(self, inlet: pylsl.StreamInlet, capacity: int) -> None:
        dtype = NUMPY_DTYPES[DTYPES[inlet.channel_format]]
        n_channels: int = inlet.channel_count
        self.samples = np.empty((capacity, n_channels), dtype=dtype)
        self.stamps = np.zeros(capacity)
        self.lost = False
        self._inlet = inlet
        self._n_channels = n_channels
        self._error = ctypes.c_int()
        self._timeout = ctypes.c_double()
        row, at, since = dtype.itemsize * n_channels, self.samples.ctypes.data, self.stamps.ctypes
        # Arguments of the two calls of each pull: wait for one sample, then take what is there.
        self._first = self._arguments(at, since.data, 1, self._timeout)
        self._rest = self._arguments(at + row, since.data + 8, capacity - 1, ctypes.c_double(0.0))

    def _arguments(
        self, samples_at: int, stamps_at: int, n_samples: int, timeout: ctypes.c_double
    ) -> tuple[object, ...]:
        return (
            self._inlet.obj,
            ctypes.c_void_p(samples_at),
            ctypes.c_void_p(stamps_at),
            ctypes.c_size_t(n_samples * self._n_channels),
            ctypes.c_size_t(n_samples),
            timeout,
            ctypes.byref(self._error),
        )

    def __call__(self, timeout_s: float) -> int:
        """Wait for a sample, take it and all that are queued behind it.

        Returns
        -------
        int
            How many rows of `samples` and `stamps` are new; 0 after `timeout_s` without one.

        Raises
        ------
        StreamError
            For an error of liblsl other than the loss of the stream, which sets `lost`.
        """
        if self.lost:
            return 0
        self._timeout.value = timeout_s
        n_samples = self._pull(self._first, 0, 1)
        if n_samples and not self.lost and len(self.stamps) > 1:
            n_samples += self._pull(self._rest, 1, len(self.stamps))
        return n_samples

    def copies(self, n_samples: int) -> tuple[NDArray[np.float64], NDArray[np.generic]]:
        """Return the newest `n_samples` stamps and samples as arrays of their own."""
        return self.stamps[:n_samples].copy(), self.samples[:n_samples].copy()

    def _pull(self, arguments: tuple[object, ...], start: int, stop: int) -> int:
        stamps = self.stamps[start:stop]
        stamps.fill(0.0)
        n_values: int = self._inlet.do_pull_chunk(*arguments)
        code = self._error.value
        if code == 0:
            return n_values // self._n_channels
        self._error.value = 0
        if code != _LOST:
            raise StreamError(f"liblsl could not read the stream (error {code})")
        self.lost = True
        # liblsl reports no count with an error. No sample's stamp is zero: to a sender that is now.
        return int(np.count_nonzero(stamps))


class ClockOffset:
    """What to add to a stream's stamps to be on this machine's LSL clock, kept fresh.

    Parameters
    ----------
    inlet : pylsl.StreamInlet
    interval_s : float
        Between refreshments. liblsl measures in the background every 2 s.
    read : callable
        Measures: `bci.sources.clock.read_clock`, or what stands in for a sender with another clock.
    clock : callable
        The LSL clock (s).

    Attributes
    ----------
    value_s : float
        As measured last.
    line : OffsetLine
        Through the measurements.
    """

    def __init__(
        self,
        inlet: pylsl.StreamInlet,
        interval_s: float = 5.0,
        *,
        read: Callable[[pylsl.StreamInlet, float], ClockReading] = read_clock,
        clock: Callable[[], float] = lsl_clock,
    ) -> None:
        self._inlet = inlet
        self._interval_s = interval_s
        self._read = read
        self._clock = clock
        self._due = 0.0
        self.value_s = 0.0
        self.line = OffsetLine()

    def measure(self, timeout_s: float = 5.0) -> None:
        """Take the first measurement: 0.6 s with liblsl's eight probes.

        Raises
        ------
        StreamError
            When the sender does not answer.
        """
        self._take(self._read(self._inlet, timeout_s))

    def refresh(self) -> bool:
        """Take the newest value if it is time for it, without waiting; True if it was."""
        if self._clock() < self._due:
            return False
        try:
            self._take(self._read(self._inlet, 0.0))
        except StreamError:
            self._due = self._clock() + self._interval_s
            return False  # the last one holds; the loss shows in the pull
        return True

    def now_s(self) -> float:
        """Return the offset at this moment, by the line through the measurements."""
        return self.line.at(self._clock())

    def _take(self, reading: ClockReading) -> None:
        now = self._clock()
        self._due = now + self._interval_s
        self.value_s = reading.offset_s
        self.line.take(now, reading)
