"""Writing XDF 1.0 files, chunk by chunk, append only.

Layout (Kothe et al., "XDF (Extensible Data Format)", https://github.com/sccn/xdf/wiki):
``XDF:``, then chunks of [bytes of the length][length][tag][content]. Every sample carries its own
stamp of eight bytes: none is deduced, so what is read back is what was sent.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from bci.errors import RecordingError, SettingsError

__all__ = ["XdfWriter"]

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _BOUNDARY, _STREAM_FOOTER = range(1, 7)
_MAGIC = b"XDF:"
_BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")

#: Little-endian, as the format has it.
_NUMBERS = {
    "float32": "<f4",
    "double64": "<f8",
    "int8": "i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
}


def _length(number: int) -> bytes:
    """Return a length, preceded by how many bytes it takes: 1, 4 or 8.

    >>> _length(255).hex(), _length(256).hex()
    ('01ff', '0400010000')
    """
    if number < 1 << 8:
        return b"\x01" + struct.pack("<B", number)
    if number < 1 << 32:
        return b"\x04" + struct.pack("<I", number)
    return b"\x08" + struct.pack("<Q", number)


@dataclass(slots=True)
class _Stream:
    """What the footer of a stream will say, and how its samples are packed."""

    n_channels: int
    rows: np.dtype[np.void] | None  # one sample: bytes of the stamp, stamp, values; None: strings
    n_samples: int = 0
    first_stamp: float | None = None
    last_stamp: float | None = None
    offsets: list[tuple[float, float]] = field(default_factory=list)
    closed: bool = False


class XdfWriter:
    """Appends chunks to a new file, which only its owner may read.

    One thread writes. Every chunk is handed to the system whole, at the latest by `flush`.

    Parameters
    ----------
    path : Path
        Must not exist: nothing is ever overwritten.

    Raises
    ------
    SettingsError
        When the file exists or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            descriptor = os.open(
                self.path,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0),
                0o600,
            )
        except FileExistsError as error:
            raise SettingsError(f"{path} exists: recordings are never overwritten") from error
        except OSError as error:
            raise SettingsError(f"{path} cannot be made: {error.strerror}") from error
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=1 << 20)
        self._streams: dict[int, _Stream] = {}
        self._file.write(_MAGIC)
        now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        header = f"<info><version>1.0</version><datetime>{now}</datetime></info>"
        self._chunk(_FILE_HEADER, f'<?xml version="1.0"?>{header}'.encode())

    def add_stream(self, xml: str) -> int:
        """Write a stream's header and return its number in the file.

        Parameters
        ----------
        xml : str
            The stream's full description, ``StreamInlet.info().as_xml()``.

        Raises
        ------
        ValueError
            For a description without a channel count or of an unknown format.
        """
        root = ET.fromstring(xml)
        kind = root.findtext("channel_format") or ""
        n_channels = int(root.findtext("channel_count") or 0)
        if n_channels < 1 or not (kind == "string" or kind in _NUMBERS):
            raise ValueError(f"a stream of {n_channels} channels of type {kind!r} has no XDF form")
        rows = (
            np.dtype([("bytes", "u1"), ("stamp", "<f8"), ("values", _NUMBERS[kind], (n_channels,))])
            if kind in _NUMBERS
            else None
        )
        stream_id = len(self._streams) + 1
        self._streams[stream_id] = _Stream(n_channels, rows)
        self._stream_chunk(_STREAM_HEADER, stream_id, xml.encode())
        return stream_id

    def write_samples(
        self, stream_id: int, stamps: NDArray[np.float64], samples: NDArray[np.generic]
    ) -> None:
        """Append numeric samples as one chunk.

        Parameters
        ----------
        stream_id : int
        stamps : ndarray of float64, shape (n_samples,)
        samples : ndarray, shape (n_samples, n_channels)
            In the stream's type.
        """
        stream = self._open_stream(stream_id)
        if stream.rows is None:
            raise ValueError(f"stream {stream_id} holds strings")
        if samples.shape != (len(stamps), stream.n_channels):
            raise ValueError(f"{samples.shape} samples, {len(stamps)} stamps")
        if not len(stamps):
            return
        rows = np.empty(len(stamps), dtype=stream.rows)
        rows["bytes"] = 8
        rows["stamp"] = stamps
        rows["values"] = samples
        self._stream_chunk(_SAMPLES, stream_id, _length(len(rows)), rows.tobytes())
        self._count(stream, float(stamps[0]), float(stamps[-1]), len(rows))

    def write_strings(
        self,
        stream_id: int,
        stamps: Sequence[float],
        samples: Sequence[Sequence[str | bytes]],
    ) -> None:
        """Append samples of strings as one chunk, one sequence of `n_channels` values a sample."""
        stream = self._open_stream(stream_id)
        if stream.rows is not None:
            raise ValueError(f"stream {stream_id} holds numbers")
        parts: list[bytes] = [_length(len(stamps))]
        for stamp, values in zip(stamps, samples, strict=True):
            if len(values) != stream.n_channels:
                raise ValueError(f"{len(values)} values for {stream.n_channels} channels")
            parts.append(struct.pack("<Bd", 8, stamp))
            for value in values:
                text = value.encode() if isinstance(value, str) else value
                parts += (_length(len(text)), text)
        if not len(stamps):
            return
        self._stream_chunk(_SAMPLES, stream_id, *parts)
        self._count(stream, float(stamps[0]), float(stamps[-1]), len(stamps))

    def write_clock_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Append a measured clock offset.

        Parameters
        ----------
        stream_id : int
        time_s : float
            When, on the sender's clock.
        offset_s : float
            What to add to be on this machine's.
        """
        self._open_stream(stream_id).offsets.append((time_s, offset_s))
        self._stream_chunk(_CLOCK_OFFSET, stream_id, struct.pack("<dd", time_s, offset_s))

    def write_boundary(self) -> None:
        """Append a boundary: where a reader goes on after damage."""
        self._chunk(_BOUNDARY, _BOUNDARY_UUID)

    def write_footer(self, stream_id: int) -> None:
        """Close a stream: no more samples follow."""
        stream = self._open_stream(stream_id)
        stream.closed = True
        info = ET.Element("info")
        first, last = stream.first_stamp, stream.last_stamp
        if first is not None and last is not None:
            ET.SubElement(info, "first_timestamp").text = repr(first)
            ET.SubElement(info, "last_timestamp").text = repr(last)
        ET.SubElement(info, "sample_count").text = str(stream.n_samples)
        if first is not None and last is not None and last > first:
            rate_hz = (stream.n_samples - 1) / (last - first)
            ET.SubElement(info, "measured_srate").text = repr(rate_hz)
        offsets = ET.SubElement(info, "clock_offsets")
        for time_s, offset_s in stream.offsets:
            node = ET.SubElement(offsets, "offset")
            ET.SubElement(node, "time").text = repr(time_s)
            ET.SubElement(node, "value").text = repr(offset_s)
        self._stream_chunk(_STREAM_FOOTER, stream_id, b'<?xml version="1.0"?>' + ET.tostring(info))

    def flush(self, *, to_disk: bool = False) -> None:
        """Hand all chunks to the system; with `to_disk`, and through it to the disk."""
        self._file.flush()
        if to_disk:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the footers that are missing and close the file; again is harmless.

        Raises
        ------
        RecordingError
            When the disk takes no more. The file is closed nevertheless.
        """
        if self._file.closed:
            return
        try:
            for stream_id, stream in self._streams.items():
                if not stream.closed:
                    self.write_footer(stream_id)
            self.flush(to_disk=True)
        except OSError as error:
            raise RecordingError(
                f"{self.path} could not be closed in order ({error.strerror}): it reads up to "
                "its cut"
            ) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is, without footers."""
        try:
            self._file.close()
        except OSError:
            # what the buffer held cannot be written; the descriptor must go all the same
            self._file.raw.close()  # type: ignore[attr-defined]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_stream(self, stream_id: int) -> _Stream:
        stream = self._streams[stream_id]
        if stream.closed:
            raise ValueError(f"stream {stream_id} has its footer")
        return stream

    @staticmethod
    def _count(stream: _Stream, first: float, last: float, n_samples: int) -> None:
        stream.n_samples += n_samples
        stream.last_stamp = last
        if stream.first_stamp is None:
            stream.first_stamp = first

    def _stream_chunk(self, tag: int, stream_id: int, *content: bytes) -> None:
        self._chunk(tag, struct.pack("<I", stream_id), *content)

    def _chunk(self, tag: int, *content: bytes) -> None:
        body = b"".join(content)
        self._file.write(b"".join((_length(len(body) + 2), struct.pack("<H", tag), body)))
