"""The chunks of an XDF file: where each begins and ends, and what is damaged or cut.

Structure: Kothe et al., "XDF (Extensible Data Format)" 1.0, https://github.com/sccn/xdf/wiki:
``XDF:``, then chunks of [bytes of the length: 1, 4 or 8][length][tag: 2 bytes][content].

No length is believed before it is checked. A chunk must end within the file; what it holds must be
what its tag says (who reads it rejects it otherwise); and where another chunk does not begin at its
end, it must be of a known kind and of no more than 16 MiB. So a byte that lies makes nobody read,
or allocate, much more than the file holds.
"""

import enum
import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bci.errors import RecordingError

__all__ = ["BOUNDARY", "MAGIC", "ChunkWalk", "Tag", "XdfChunk", "open_xdf_bytes", "read_count"]

MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_GZIP = b"\x1f\x8b"
_LENGTH = {1: "<B", 4: "<I", 8: "<Q"}
_LONGEST_HEAD = 1 + 8 + 2
_BLOCK = 1 << 20
_LONGEST_UNCONFIRMED = 1 << 24


class Tag(enum.IntEnum):
    """What a chunk holds."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


_KNOWN = frozenset(Tag)
#: The least that a chunk of a kind holds.
_LEAST_CONTENT: dict[int, int] = {
    Tag.STREAM_HEADER: 4,
    Tag.SAMPLES: 6,
    Tag.CLOCK_OFFSET: 20,
    Tag.STREAM_FOOTER: 4,
    Tag.BOUNDARY: 16,
}


@dataclass(frozen=True, slots=True)
class XdfChunk:
    """Where a chunk lies.

    Attributes
    ----------
    start, content, end : int
        Positions in the file: of its length, of what follows its tag, of what follows it.
    tag : int
    """

    start: int
    content: int
    end: int
    tag: int


class ChunkWalk:
    """Walks over the chunks of an XDF file, from boundary to boundary where it is damaged.

    Parameters
    ----------
    file : binary file
        Its position belongs to the walk.

    Attributes
    ----------
    n_bytes : int
        Of the file.
    n_whole_bytes : int
        Up to the end of the last whole chunk so far.
    damaged : list of (int, int)
        From where to where bytes before it were skipped.
    torn : XdfChunk or None
        Set at the end, when the file is cut within a chunk whose head is there.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.n_bytes = file.seek(0, io.SEEK_END)
        self.n_whole_bytes = len(MAGIC)
        self.damaged: list[tuple[int, int]] = []
        self.torn: XdfChunk | None = None
        self._rejected = False

    @property
    def n_damaged_bytes(self) -> int:
        """Bytes that were skipped."""
        return sum(end - start for start, end in self.damaged)

    @property
    def n_cut_bytes(self) -> int:
        """Bytes at the end that are no whole chunk; known when the walk is over."""
        return self.n_bytes - self.n_whole_bytes

    def reject(self) -> None:
        """Say of the chunk that was yielded last that its content is not what its tag says."""
        self._rejected = True

    def content(self, chunk: XdfChunk) -> bytes:
        """Read what follows a chunk's tag."""
        self._file.seek(chunk.content)
        return self._file.read(min(chunk.end, self.n_bytes) - chunk.content)

    def head(self, chunk: XdfChunk) -> bytes:
        """Read a chunk's length and tag."""
        self._file.seek(chunk.start)
        return self._file.read(chunk.content - chunk.start)

    def __iter__(self) -> Iterator[XdfChunk]:
        position = self.n_whole_bytes
        while position < self.n_bytes:
            chunk = self._head(position)
            if chunk is not None and chunk.end <= self.n_bytes:
                followed = self._is_followed(chunk)
                self._rejected = not followed and (
                    chunk.tag not in _KNOWN or chunk.end - chunk.content > _LONGEST_UNCONFIRMED
                )
                if not self._rejected:
                    yield chunk
                if not self._rejected:
                    position = self.n_whole_bytes = chunk.end
                    continue
                if followed and chunk.end < self.n_bytes:  # its frame is right, its content is not
                    self._skip(position, chunk.end)
                    position = self.n_whole_bytes = chunk.end
                    continue
            after = self._after_boundary(position)
            if after is None:
                self.torn = chunk
                return
            self._skip(position, after)
            position = self.n_whole_bytes = after

    def _skip(self, start: int, end: int) -> None:
        """Note damage; what adjoins is one."""
        if self.damaged and self.damaged[-1][1] == start:
            start = self.damaged.pop()[0]
        self.damaged.append((start, end))

    def _head(self, position: int) -> XdfChunk | None:
        """Read a chunk's head; None when there is none, or not the whole of it."""
        self._file.seek(position)
        head = self._file.read(_LONGEST_HEAD)
        code = _LENGTH.get(head[0]) if head else None
        if code is None or len(head) < head[0] + 3:
            return None
        length = struct.unpack_from(code, head, 1)[0]
        content = position + head[0] + 3
        tag = int.from_bytes(head[head[0] + 1 : head[0] + 3], "little")
        if length < 2 + _LEAST_CONTENT.get(tag, 0):
            return None
        return XdfChunk(position, content, content + length - 2, tag)

    def _is_followed(self, chunk: XdfChunk) -> bool:
        """Say whether at a chunk's end another begins, whole or cut, or the file ends."""
        if chunk.end == self.n_bytes:
            return True
        following = self._head(chunk.end)
        if following is not None:
            return following.tag in _KNOWN or following.end <= self.n_bytes
        rest = self.n_bytes - chunk.end  # the head is cut, or is none
        self._file.seek(chunk.end)
        width = self._file.read(1)[0]
        return width in _LENGTH and rest < width + 3

    def _after_boundary(self, position: int) -> int | None:
        """Return the position after the next boundary, None when there is no more."""
        while True:
            self._file.seek(position)
            block = self._file.read(_BLOCK)
            found = block.find(BOUNDARY)
            if found >= 0:
                return position + found + len(BOUNDARY)
            if len(block) < _BLOCK:
                return None
            position += len(block) - len(BOUNDARY) + 1


def read_count(content: bytes, at: int) -> tuple[int, int]:
    """Read a length or a count: its value, and the position after it.

    Raises
    ------
    ValueError
        When it is none, or cut.
    """
    width = content[at] if at < len(content) else 0
    code = _LENGTH.get(width)
    if code is None or at + 1 + width > len(content):
        raise ValueError("a length that is none")
    return struct.unpack_from(code, content, at + 1)[0], at + 1 + width


@contextmanager
def open_xdf_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open an XDF file; a gzipped one is unpacked, as far as it goes, to a temporary file.

    Raises
    ------
    RecordingError
        When it does not begin as XDF does.
    """
    with path.open("rb") as packed, tempfile.TemporaryFile() as unpacked:
        file: BinaryIO = packed
        if packed.read(len(_GZIP)) == _GZIP:
            _unpack(packed, unpacked, path)
            file = unpacked
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise RecordingError(f"{path} is no XDF file: it does not begin with 'XDF:'")
        yield file


def _unpack(packed: BinaryIO, unpacked: BinaryIO, path: Path) -> None:
    """Unpack a gzipped file, of a cut one what can be unpacked.

    Not by `gzip`: it withholds the block in which the file ends.
    """
    packed.seek(0)
    member, rest = zlib.decompressobj(wbits=31), b""
    try:
        while data := rest or packed.read(_BLOCK):
            unpacked.write(member.decompress(data, _BLOCK))
            rest = member.unconsumed_tail
            if member.eof:  # a file may have several members
                rest = member.unused_data or packed.read(_BLOCK)
                if not rest.startswith(_GZIP):
                    break
                member = zlib.decompressobj(wbits=31)
    except zlib.error:
        pass  # what came before is whole, and the chunks tell where it ends
    except OSError as error:
        raise RecordingError(f"{path} cannot be unpacked here: {error.strerror}") from error
