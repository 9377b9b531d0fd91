"""A live LSL stream as a source of samples."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from bci.errors import StreamError, StreamLostError, StreamRefusedError
from bci.sources.base import Chunk, StreamInfo
from bci.sources.clock import ClockReading, read_clock
from bci.sources.discovery import (
    FoundStream,
    StreamQuery,
    configure_lsl,
    describe_stream,
    find_streams,
    resolve_one,
    resolve_streams,
)
from bci.sources.inlets import NUMPY_DTYPES, ClockOffset, NumericPull, open_inlet
from bci.sources.returns import ReturnWatch, what_changed
from bci.sources.units import undeclared_unit_warning, unit_scale, with_unit

__all__ = [
    "FoundStream",
    "LslSource",
    "StreamQuery",
    "configure_lsl",
    "describe_stream",
    "find_streams",
    "resolve_one",
    "resolve_streams",
]

logger = logging.getLogger(__name__)

#: How often the newest clock offset is fetched (s); liblsl measures it every 2 s.
_CLOCK_S = 0.5


class LslSource:
    """A `Source` that reads one regular, numeric LSL stream, and takes it up when it returns.

    Stamps are as sent (no dejittering by liblsl); each chunk carries the clock offset
    (`bci.sources.offsets`). After
    `open`, nothing is allocated for samples: volts are computed into the same memory each time,
    bit for bit ``raw.astype(numpy.float64) * scale``.

    Parameters
    ----------
    query : StreamQuery
        Must match exactly one stream.
    timeout_s : float
        To wait for the stream to appear (s).
    unit : str or None
        Unit of every EEG channel, instead of what the stream declares.
    read_clock : callable
        Measures a sender's clock; another one stands in for a sender on another machine.

    Attributes
    ----------
    warnings : tuple of str
        What the user should know of the stream, once open: units that it does not declare.
    """

    def __init__(
        self,
        query: StreamQuery,
        *,
        timeout_s: float = 10.0,
        unit: str | None = None,
        read_clock: Callable[[pylsl.StreamInlet, float], ClockReading] = read_clock,
    ) -> None:
        self._query = query
        self._timeout_s = timeout_s
        self._unit = unit
        self._read_clock = read_clock
        self._info: StreamInfo | None = None
        self._declared: StreamInfo | None = None
        self._pull: NumericPull | None = None
        self._clock: ClockOffset | None = None
        self._watch: ReturnWatch | None = None
        self._uid = ""
        self._refused: set[str] = set()
        self._next_sample = 0
        self.warnings: tuple[str, ...] = ()

    @property
    def info(self) -> StreamInfo:
        """The stream's description, once open."""
        if self._info is None:
            raise RuntimeError("the source has not been opened")
        return self._info

    @property
    def ended(self) -> bool:
        """Never: a live stream is lost, or goes on."""
        return False

    @property
    def first_sample(self) -> int:
        """Index that the next sample will have: how many were read."""
        return self._next_sample

    def open(self) -> None:
        """Find the stream, connect, read its description and its clock.

        Raises
        ------
        StreamError
            No stream, or several, or one that holds no samples of a regular rate.
        ChannelError
            When an EEG channel declares a unit that is no voltage.
        SettingsError
            When the `unit` given is no voltage.
        """
        self.close()
        stream = resolve_one(self._query, self._timeout_s)
        _check_kind(stream)
        inlet, xml = open_inlet(stream, timeout_s=5.0)
        info = describe_stream(xml)
        # While the clock is measured, another outlet of the same source id has time to answer.
        self._watch = ReturnWatch(info, {stream.uid})
        try:
            self._scale = unit_scale(info.channels, self._unit)
            self._connect(stream, inlet, info.rate_hz, timeout_s=5.0)
            double = self._watch.found
        finally:
            self._unwatch()
        if double is not None and info.source_id:
            self.close()
            both = " and ".join(sorted(map(str, (stream, double))))  # said alike each time
            raise StreamError(
                f"two LSL streams have the source id {info.source_id!r}: {both}; "
                "end one of the two programs, or set another id in one"
            )
        warning = undeclared_unit_warning(info.channels, self._unit)
        self.warnings = (warning,) if warning else ()
        self._refused = set()
        self._next_sample = 0
        self._declared = info
        self._info = replace(info, channels=with_unit(info.channels, self._unit))

    def resume(self) -> bool:
        """Take the stream up again where it is there anew; see `ReturningSource`.

        Connecting takes 0.6 s, most of it for the clock; what is sent meanwhile is queued.
        """
        declared = self._declared
        if declared is None:
            raise RuntimeError("the source has not been opened")
        if self._watch is None:
            self._watch = ReturnWatch(declared, {self._uid, *self._refused})
        found = self._watch.found
        if found is None:
            return False
        self._unwatch()
        try:
            _check_kind(found)
            inlet, xml = open_inlet(found, timeout_s=2.0)
            changed = what_changed(declared, describe_stream(xml))
            if not changed:
                self._connect(found, inlet, declared.rate_hz, timeout_s=2.0)
                return True
        except StreamRefusedError as error:
            changed = str(error)
        except StreamError as error:
            logger.info("%s is there again, but: %s", found, error)
            return False  # looked for again by the next call
        self._refused.add(found.uid)
        raise StreamRefusedError(
            f"LSL stream {declared.name!r} (source id {declared.source_id!r}) came back as another "
            f"and is not taken up: {changed}; set its program as it was, or connect anew"
        )

    def _connect(
        self, stream: FoundStream, inlet: pylsl.StreamInlet, rate_hz: float, timeout_s: float
    ) -> None:
        clock = ClockOffset(inlet, _CLOCK_S, read=self._read_clock)
        clock.measure(timeout_s)
        # One second at most in a chunk; more than that waits for the next read.
        self._pull = NumericPull(inlet, max(64, math.ceil(rate_hz)))
        self._clock = clock
        self._uid = stream.uid
        self._volts = np.empty(self._pull.samples.shape)
        self._volts_seen = _read_only(self._volts)
        self._stamps_seen = _read_only(self._pull.stamps)

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next samples, waiting at most `timeout_s` for the first.

        Raises
        ------
        StreamLostError
            When the stream has closed; all that arrived before was returned by earlier reads.
        """
        pull, clock = self._pull, self._clock
        if pull is None or clock is None:
            raise RuntimeError("the source is not open")
        n_samples = pull(timeout_s)
        if not n_samples:
            if pull.lost:
                raise StreamLostError(
                    f"LSL stream {self.info.name!r} (source id {self.info.source_id!r}) stopped "
                    f"after {self._next_sample} samples: restart it and connect again"
                )
            return None
        self._unwatch()  # it was only silent
        clock.refresh()
        np.multiply(pull.samples[:n_samples], self._scale, out=self._volts[:n_samples])
        chunk = Chunk(
            first_sample=self._next_sample,
            samples=self._volts_seen[:n_samples],
            stamps=self._stamps_seen[:n_samples],
            clock_offset_s=clock.now_s(),
        )
        self._next_sample += n_samples
        return chunk

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def close(self) -> None:
        """Disconnect."""
        self._unwatch()
        # pylsl disconnects when the last reference to the inlet goes
        self._pull = None
        self._clock = None


def _check_kind(stream: FoundStream) -> None:
    """Raise for a stream that holds no signals."""
    if stream.dtype not in NUMPY_DTYPES:
        raise StreamRefusedError(f"LSL stream {stream} carries {stream.dtype}, not numbers")
    if not (stream.rate_hz > 0 and math.isfinite(stream.rate_hz)):
        raise StreamRefusedError(
            f"LSL stream {stream} declares no sampling rate: choose a stream of signals"
        )
    if stream.n_channels < 1:
        raise StreamRefusedError(f"LSL stream {stream} has no channels: choose one of signals")


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    view = array.view()
    view.flags.writeable = False
    return view
