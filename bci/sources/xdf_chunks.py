"""The chunks of an XDF file: how far they are whole, and what the cut took.

pyxdf reads the content. A file that was cut inside a chunk it reads to the end in its own way
(the last sample of a torn chunk may hold bytes of the one before), so the cut is found here and
pyxdf is given only what lies before it.

Structure: Kothe et al., "XDF (Extensible Data Format)" 1.0, https://github.com/sccn/xdf/wiki:
``XDF:``, then chunks of [bytes of the length: 1, 4 or 8][length][tag: 2 bytes][content].
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bci.errors import RecordingError

__all__ = ["MAGIC", "XdfExtent", "open_head", "open_xdf_bytes", "scan_chunks"]

MAGIC = b"XDF:"
_GZIP = b"\x1f\x8b"
_BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_LENGTH = {1: "<B", 4: "<I", 8: "<Q"}
_STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER = 2, 3, 4, 6
_TAGS_OF_STREAMS = (_STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER)
_SEARCH_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class XdfExtent:
    """How much of a file is whole chunks.

    Attributes
    ----------
    n_bytes, n_whole_bytes : int
        Of the file, and up to the end of its last whole chunk.
    n_damaged_bytes : int
        Between whole chunks, up to the next boundary.
    opened, closed : frozenset of int
        Streams with a header and with a footer.
    cut_stream : int or None
        Stream whose chunk of samples was cut.
    n_cut_samples : int
        Samples that this chunk says it holds.
    """

    n_bytes: int
    n_whole_bytes: int
    n_damaged_bytes: int
    opened: frozenset[int]
    closed: frozenset[int]
    cut_stream: int | None = None
    n_cut_samples: int = 0

    @property
    def n_cut_bytes(self) -> int:
        """Bytes at the end that are no whole chunk."""
        return self.n_bytes - self.n_whole_bytes


class _Head(io.RawIOBase):
    """The first bytes of a file, as a file."""

    def __init__(self, file: BinaryIO, n_bytes: int) -> None:
        super().__init__()
        self._file = file
        self._n_bytes = n_bytes
        self._file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._n_bytes}[whence]
        return self._file.seek(base + offset)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(max(0, min(len(buffer), self._n_bytes - self._file.tell())))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_xdf_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open an XDF file; a gzipped one is unpacked as far as it goes.

    Raises
    ------
    RecordingError
        When it does not begin as XDF does.
    """
    with path.open("rb") as file:
        packed: BinaryIO = file
        if file.read(2) == _GZIP:
            packed = io.BytesIO(_unpacked(path))
        packed.seek(0)
        if packed.read(len(MAGIC)) != MAGIC:
            raise RecordingError(f"{path} is no XDF file: it does not begin with 'XDF:'")
        yield packed


def _unpacked(path: Path) -> bytes:
    """Return the content of a gzipped file, of a cut one what can be unpacked.

    Not by `gzip`: it withholds the block in which the file ends.
    """
    packed, parts = path.read_bytes(), []
    while packed.startswith(_GZIP):  # a file may have several members
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(packed))
        except zlib.error:
            break  # what came before is whole, and the chunks tell where it ends
        packed = member.unused_data
    return b"".join(parts)


def open_head(file: BinaryIO, n_bytes: int) -> io.BufferedReader:
    """Return the first `n_bytes` of an open file as a file of their own."""
    return io.BufferedReader(_Head(file, n_bytes), buffer_size=1 << 16)


def _read_int(file: BinaryIO) -> int | None:
    """Read a length or a count; None when it is none, or cut."""
    width = file.read(1)
    code = _LENGTH.get(width[0]) if width else None
    if code is None:
        return None
    raw = file.read(width[0])
    return int(struct.unpack(code, raw)[0]) if len(raw) == width[0] else None


def _next_boundary(file: BinaryIO, position: int) -> int | None:
    """Return the position after the next boundary chunk, None when there is no more."""
    overlap = len(_BOUNDARY) - 1
    while True:
        file.seek(position)
        block = file.read(_SEARCH_BLOCK)
        found = block.find(_BOUNDARY)
        if found >= 0:
            return position + found + len(_BOUNDARY)
        if len(block) < _SEARCH_BLOCK:
            return None
        position += len(block) - overlap


def scan_chunks(file: BinaryIO) -> XdfExtent:
    """Walk over the chunks of an XDF file without reading their content.

    Parameters
    ----------
    file : binary file
        Its position is lost.
    """
    n_bytes = file.seek(0, io.SEEK_END)
    position = whole = len(MAGIC)
    n_damaged = 0
    opened: set[int] = set()
    closed: set[int] = set()
    cut_stream: int | None = None
    n_cut_samples = 0
    while position < n_bytes:
        file.seek(position)
        length = _read_int(file)
        content = file.tell()
        tag_bytes = file.read(2)
        if length is not None and length >= 2 and content + length <= n_bytes:
            tag = int.from_bytes(tag_bytes, "little")
            if tag in _TAGS_OF_STREAMS:
                stream = int.from_bytes(file.read(4), "little")
                if tag == _STREAM_HEADER:
                    opened.add(stream)
                elif tag == _STREAM_FOOTER:
                    closed.add(stream)
            position = whole = content + length
            continue
        after = _next_boundary(file, position)
        if after is not None:  # bytes in the middle are bad, the file goes on
            n_damaged += after - position
            position = whole = after
            continue
        if length is not None and tag_bytes == _SAMPLES.to_bytes(2, "little"):
            file.seek(content + 2)
            raw = file.read(4)
            count = _read_int(file)
            if len(raw) == 4 and count is not None and count <= length:
                cut_stream, n_cut_samples = int.from_bytes(raw, "little"), count
        break
    return XdfExtent(
        n_bytes=n_bytes,
        n_whole_bytes=whole,
        n_damaged_bytes=n_damaged,
        opened=frozenset(opened),
        closed=frozenset(closed),
        cut_stream=cut_stream,
        n_cut_samples=n_cut_samples,
    )
