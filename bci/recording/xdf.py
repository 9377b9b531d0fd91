"""Writing XDF 1.0 files, chunk by chunk, append only.

Layout (Kothe et al., "XDF (Extensible Data Format)", https://github.com/sccn/xdf/wiki):
``XDF:``, then chunks of [bytes of the length][length][tag][content]. Every sample carries its own
stamp of eight bytes: none is deduced, so what is read back is what was sent.
"""

import contextlib
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from bci.errors import RecordingError
from bci.recording.naming import open_new
from bci.sources.xdf_chunks import BOUNDARY, MAGIC, Tag

__all__ = ["XdfWriter", "footer_xml", "framed"]

#: The smallest piece in which disks write.
_SECTOR = 512

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


#: Clock offsets of a stream that a footer repeats; the chunks before it hold all.
_FOOTER_OFFSETS = 512


def framed(tag: int, content: bytes) -> bytes:
    """Return a whole chunk."""
    return _length(len(content) + 2) + struct.pack("<H", tag) + content


def footer_xml(
    n_samples: int,
    first_stamp: float | None,
    last_stamp: float | None,
    offsets: Sequence[tuple[float, float]],
) -> bytes:
    """Return what the footer of a stream says: counts, ends, rate, and clock offsets."""
    info = ET.Element("info")
    if first_stamp is not None and last_stamp is not None:
        ET.SubElement(info, "first_timestamp").text = repr(first_stamp)
        ET.SubElement(info, "last_timestamp").text = repr(last_stamp)
    ET.SubElement(info, "sample_count").text = str(n_samples)
    if first_stamp is not None and last_stamp is not None and last_stamp > first_stamp:
        rate_hz = (n_samples - 1) / (last_stamp - first_stamp)
        ET.SubElement(info, "measured_srate").text = repr(rate_hz)
    table = ET.SubElement(info, "clock_offsets")
    for time_s, offset_s in offsets:
        node = ET.SubElement(table, "offset")
        ET.SubElement(node, "time").text = repr(time_s)
        ET.SubElement(node, "value").text = repr(offset_s)
    return b'<?xml version="1.0"?>' + ET.tostring(info)


def _head(start: int, tag: int, n_content: int) -> bytes | None:
    """Return a chunk's length and tag, such that no sector ends where pyxdf cannot read a cut.

    pyxdf 1.17 raises on a file that ends within a chunk's tag or within the two numbers of a clock
    offset (`bci.recording.repair` counts these places). Where a power cut or a full disk ends a
    file, it ends with a sector: so a length takes more bytes than it must where that keeps sector
    ends out of them, which the format allows and every reader reads. None where nothing does.

    >>> _head(0, 3, 600).hex(), _head(507, 3, 600).hex()
    ('045a0200000300', '085a020000000000000300')
    """
    shortest = _length(n_content + 2)
    for width in (1, 4, 8):
        at = start + 1 + width  # of the tag
        unreadable = [*range(at, at + 2)]
        if tag == Tag.CLOCK_OFFSET:
            unreadable += range(at + 6, at + 22)
        if width >= shortest[0] and all(end % _SECTOR for end in unreadable):
            length = (n_content + 2).to_bytes(width, "little")
            return bytes([width]) + length + struct.pack("<H", tag)
    return None


def _force(descriptor: int) -> None:
    """Have a file written to the disk itself; macOS's fsync leaves it in the drive's own memory."""
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None:
        try:
            fcntl.fcntl(descriptor, full_sync)
        except OSError:  # a file system that does not know it
            os.fsync(descriptor)
        return
    os.fsync(descriptor)


@dataclass(slots=True)
class _Stream:
    """What the footer of a stream will say, and how its samples are packed."""

    n_channels: int
    rows: np.dtype[np.void] | None  # one sample: bytes of the stamp, stamp, values; None: strings
    n_written: int = 0
    first_stamp: float | None = None
    last_stamp: float | None = None
    offsets: list[tuple[float, float]] = field(default_factory=list)
    offset_stride: int = 1
    n_offsets: int = 0
    closed: bool = False

    def add_offset(self, time_s: float, offset_s: float) -> None:
        """Keep every nth: a footer must fit the disk's reserve, and a week's list the memory."""
        if self.n_offsets % self.offset_stride == 0:
            self.offsets.append((time_s, offset_s))
        self.n_offsets += 1
        if len(self.offsets) >= _FOOTER_OFFSETS:
            self.offsets = self.offsets[::2]
            self.offset_stride *= 2


@dataclass(frozen=True, slots=True)
class _Pending:
    """A chunk that the system does not have yet."""

    parts: tuple[bytes | memoryview, ...]
    n_bytes: int
    stream: _Stream | None = None
    stamps: tuple[float, float] = (0.0, 0.0)  # first, last
    n_samples: int = 0


class XdfWriter:
    """Appends chunks to a new file, which only its owner may read.

    One thread writes; another may `sync`. Chunks are handed to the system whole, by `flush`: what
    is flushed survives the end of this process.

    Parameters
    ----------
    path : Path
        Must not exist, or be a claim (`bci.recording.naming`): nothing is ever overwritten.
    open_file : callable
        Makes the file, without a buffer.

    Attributes
    ----------
    n_bytes : int
        That the system has.

    Raises
    ------
    SettingsError
        When the file exists or cannot be made.
    """

    def __init__(self, path: Path, open_file: Callable[[Path], FileIO] = open_new) -> None:
        self.path = Path(path)
        self.n_bytes = 0
        self._file = open_file(self.path)
        self._streams: dict[int, _Stream] = {}
        now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        header = f"<info><version>1.0</version><datetime>{now}</datetime></info>"
        self._pending = [_Pending((MAGIC,), len(MAGIC))]
        self._chunk(Tag.FILE_HEADER, f'<?xml version="1.0"?>{header}'.encode())

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
        self._stream_chunk(Tag.STREAM_HEADER, stream_id, xml.encode())
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
        self._samples_chunk(stream_id, stamps, _length(len(rows)), rows.view(np.uint8).data)

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
        self._samples_chunk(stream_id, stamps, b"".join(parts))

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
        self._open_stream(stream_id).add_offset(time_s, offset_s)
        self._stream_chunk(Tag.CLOCK_OFFSET, stream_id, struct.pack("<dd", time_s, offset_s))

    def write_boundary(self) -> None:
        """Append a boundary: where a reader goes on after damage."""
        self._chunk(Tag.BOUNDARY, BOUNDARY)

    def write_footer(self, stream_id: int, *, brief: bool = False) -> None:
        """Close a stream: no more samples follow; `brief`: without the clock offsets."""
        stream = self._open_stream(stream_id)
        self.flush()  # the counts are those of the file, also where it took no more
        stream.closed = True
        content = footer_xml(
            stream.n_written,
            stream.first_stamp,
            stream.last_stamp,
            () if brief else stream.offsets,
        )
        self._stream_chunk(Tag.STREAM_FOOTER, stream_id, content)

    def n_written(self, stream_id: int) -> int:
        """Return how many samples of a stream the system has."""
        return self._streams[stream_id].n_written

    def flush(self, *, to_disk: bool = False) -> None:
        """Hand all chunks to the system; with `to_disk`, and through it to the disk.

        Raises
        ------
        OSError
            When the system takes no more. The file then ends with the last chunk that fitted; the
            others are dropped, and the counts are those of the file.
        """
        if self._pending:
            data = memoryview(b"".join(part for chunk in self._pending for part in chunk.parts))
            n_done = 0
            try:
                while n_done < len(data):
                    n_done += self._file.write(data[n_done:])
            finally:
                self._account(n_done)
        if to_disk:
            self.sync()

    def sync(self) -> None:
        """Force what was flushed to the disk; any thread may, while another writes."""
        _force(self._file.fileno())

    def finish(self, *, brief: bool = False) -> None:
        """Hand everything to the system, the footers that are missing last; again is harmless.

        Parameters
        ----------
        brief : bool
            Leave the clock offsets out of the footers: for a disk that is full.

        Raises
        ------
        OSError
            As `flush` does.
        """
        for stream_id, stream in self._streams.items():
            if not stream.closed:
                self.write_footer(stream_id, brief=brief)
        self.flush()

    def close(self) -> None:
        """Finish, force to the disk and close the file; again is harmless.

        Raises
        ------
        RecordingError
            When the disk takes no more. The file is closed nevertheless.
        """
        if self._file.closed:
            return
        try:
            self.finish()
            self.sync()
        except OSError as error:
            raise RecordingError(
                f"{self.path} could not be closed in order ({error.strerror}): it reads up to "
                "its cut"
            ) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is, without footers."""
        self._pending = []
        with contextlib.suppress(OSError):  # a network file system may speak of the disk only now
            self._file.close()

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

    def _account(self, n_done: int) -> None:
        """Count the chunks that the system took; cut the file after the last of them."""
        pending, self._pending = self._pending, []
        whole = 0
        for chunk in pending:
            whole += chunk.n_bytes
            if whole > n_done:
                continue
            self.n_bytes += chunk.n_bytes
            if (stream := chunk.stream) is not None:
                stream.n_written += chunk.n_samples
                stream.last_stamp = chunk.stamps[1]
                if stream.first_stamp is None:
                    stream.first_stamp = chunk.stamps[0]
        if whole > n_done:
            with contextlib.suppress(OSError):
                self._file.truncate(self.n_bytes)
                self._file.seek(self.n_bytes)

    def _samples_chunk(
        self,
        stream_id: int,
        stamps: Sequence[float] | NDArray[np.float64],
        *content: bytes | memoryview,
    ) -> None:
        stream = self._streams[stream_id]
        ends = (float(stamps[0]), float(stamps[-1]))
        head = struct.pack("<I", stream_id)
        self._chunk(Tag.SAMPLES, head, *content, stream=stream, stamps=ends, n_samples=len(stamps))

    def _stream_chunk(self, tag: int, stream_id: int, *content: bytes) -> None:
        self._chunk(tag, struct.pack("<I", stream_id), *content)

    def _chunk(
        self,
        tag: int,
        *content: bytes | memoryview,
        stream: _Stream | None = None,
        stamps: tuple[float, float] = (0.0, 0.0),
        n_samples: int = 0,
    ) -> None:
        n_content = sum(len(part) for part in content)
        start = self.n_bytes + sum(chunk.n_bytes for chunk in self._pending)
        head = _head(start, tag, n_content)
        if head is None:
            self._chunk(Tag.BOUNDARY, BOUNDARY)  # moves it on by 20 bytes
            self._chunk(tag, *content, stream=stream, stamps=stamps, n_samples=n_samples)
            return
        parts = (head, *content)
        self._pending.append(_Pending(parts, len(head) + n_content, stream, stamps, n_samples))
