"""A live LSL stream as a source of samples."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bci.errors import StreamError, StreamLostError
from bci.sources.base import Chunk, StreamInfo
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


class LslSource:
    """A `Source` that reads one regular, numeric LSL stream.

    Stamps are as sent (no dejittering by liblsl); each chunk carries the clock offset. After
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

    Attributes
    ----------
    warnings : tuple of str
        What the user should know of the stream, once open: units that it does not declare.
    """

    def __init__(
        self, query: StreamQuery, *, timeout_s: float = 10.0, unit: str | None = None
    ) -> None:
        self._query = query
        self._timeout_s = timeout_s
        self._unit = unit
        self._info: StreamInfo | None = None
        self._pull: NumericPull | None = None
        self._clock: ClockOffset | None = None
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
        if stream.dtype not in NUMPY_DTYPES:
            raise StreamError(f"LSL stream {stream} carries {stream.dtype}, not numbers")
        if stream.rate_hz <= 0:
            raise StreamError(
                f"LSL stream {stream} declares no sampling rate: choose a stream of signals"
            )
        inlet, xml = open_inlet(stream, timeout_s=5.0)
        info = describe_stream(xml)
        self._scale = unit_scale(info.channels, self._unit)
        warning = undeclared_unit_warning(info.channels, self._unit)
        self.warnings = (warning,) if warning else ()
        clock = ClockOffset(inlet)
        clock.measure()
        self._clock = clock
        # One second at most in a chunk; more than that waits for the next read.
        self._pull = NumericPull(inlet, max(64, math.ceil(info.rate_hz)))
        self._volts = np.empty(self._pull.samples.shape)
        self._volts_seen = _read_only(self._volts)
        self._stamps_seen = _read_only(self._pull.stamps)
        self._next_sample = 0
        self._info = replace(info, channels=with_unit(info.channels, self._unit))

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
        clock.refresh()
        np.multiply(pull.samples[:n_samples], self._scale, out=self._volts[:n_samples])
        chunk = Chunk(
            first_sample=self._next_sample,
            samples=self._volts_seen[:n_samples],
            stamps=self._stamps_seen[:n_samples],
            clock_offset_s=clock.value_s,
        )
        self._next_sample += n_samples
        return chunk

    def close(self) -> None:
        """Disconnect."""
        # pylsl disconnects when the last reference to the inlet goes
        self._pull = None
        self._clock = None


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    view = array.view()
    view.flags.writeable = False
    return view
