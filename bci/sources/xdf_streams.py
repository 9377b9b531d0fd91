"""The streams of an XDF file as recorded: stamps, samples, clock offsets, header and footer.

Nothing is corrected here. Chunks whose content is not what they say are left out, and counted.
"""

import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from bci.errors import RecordingError
from bci.sources.xdf_chunks import BOUNDARY, ChunkWalk, Tag, XdfChunk, open_xdf_bytes, read_count
from bci.sources.xdf_samples import SampleFormat, Values, parse_xml

__all__ = [
    "_OF_STREAMS",
    "StreamReader",
    "StreamTable",
    "XdfFile",
    "XdfStream",
    "load_streams",
    "torn_samples",
]

F64 = NDArray[np.float64]

#: Tags whose content begins with the number of a stream.
_OF_STREAMS = (Tag.STREAM_HEADER, Tag.SAMPLES, Tag.CLOCK_OFFSET, Tag.STREAM_FOOTER)
_LONGEST_START = 4 + 1 + 8  # of samples: their stream and count


@dataclass(slots=True)
class XdfStream:
    """One stream of a file.

    Attributes
    ----------
    stream_id : int
        Its number in the file.
    info : Element
        The header, as its sender described the stream.
    layout : SampleFormat
    stamps : ndarray of float64, shape (n_samples,)
        As recorded, those that the file leaves out deduced.
    values : ndarray, shape (n_samples, n_channels), or list of list of str
    offsets : ndarray of float64, shape (n_measured, 2)
        When, on the sender's clock, and what to add there.
    offsets_after : ndarray of int64, shape (n_measured,)
        How many samples stand before each offset in the file.
    closed : bool
        Whether it has its footer.
    n_counted : int or None
        Samples by the footer.
    """

    stream_id: int
    info: ET.Element
    layout: SampleFormat
    stamps: F64
    values: Values
    offsets: F64
    offsets_after: NDArray[np.int64]
    closed: bool
    n_counted: int | None

    @property
    def name(self) -> str:
        """As messages show it."""
        return self.text("name") or f"stream {self.stream_id}"

    def text(self, path: str) -> str:
        """Return the text of an element of the header, empty if there is none."""
        return (self.info.findtext(path) or "").strip()


@dataclass(frozen=True, slots=True)
class XdfFile:
    """What a file holds, and what it does not hold any more.

    Attributes
    ----------
    streams : tuple of XdfStream
    n_cut_bytes : int
        At the end, that are no whole chunk.
    n_damaged_bytes : int
        Between whole chunks.
    torn : (int, int) or None
        Stream whose chunk of samples was cut, and the samples that it says it holds.
    lost_streams : frozenset of int
        Streams with samples whose header is damaged.
    """

    streams: tuple[XdfStream, ...]
    n_cut_bytes: int
    n_damaged_bytes: int
    torn: tuple[int, int] | None
    lost_streams: frozenset[int]


class StreamReader:
    """Takes the content of one stream's chunks, in order, and checks it.

    Each method raises ValueError for content that is not what its tag says.
    """

    def __init__(self, info: ET.Element) -> None:
        self.info = info
        self.layout = SampleFormat.of(info)
        self.n_samples = 0
        self.first_stamp: float | None = None
        self.last_stamp = 0.0
        self.footer: ET.Element | None = None
        self.offsets: list[tuple[float, float]] = []
        self.offsets_after: list[int] = []

    @property
    def n_counted(self) -> int | None:
        """How many samples the footer counts; None when it does not say."""
        text = self.footer.findtext("sample_count") if self.footer is not None else None
        text = (text or "").strip()
        return int(text) if text.isdecimal() and len(text) < 20 else None

    def samples(self, content: bytes) -> tuple[F64, Values]:
        """Take a chunk of samples and return them."""
        stamps, values = self.layout.parse(content, self.last_stamp)
        if len(stamps):
            self.n_samples += len(stamps)
            self.last_stamp = float(stamps[-1])
            if self.first_stamp is None:
                self.first_stamp = float(stamps[0])
        return stamps, values

    def offset(self, content: bytes) -> None:
        """Take a clock offset."""
        if len(content) != 16:
            raise ValueError("a clock offset of other than 16 bytes")
        time_s, value_s = struct.unpack("<dd", content)
        self.offsets.append((time_s, value_s))
        self.offsets_after.append(self.n_samples)

    def close(self, content: bytes) -> None:
        """Take the footer."""
        self.footer = parse_xml(content)


class StreamTable:
    """Takes the chunks of a file in order; checks each against what its tag says.

    Attributes
    ----------
    readers : dict of int to StreamReader
        By the stream's number.
    lost : set of int
        Streams whose header is damaged or missing.
    """

    def __init__(self) -> None:
        self.readers: dict[int, StreamReader] = {}
        self.lost: set[int] = set()

    def take(self, chunk: XdfChunk, content: bytes) -> tuple[int, F64, Values] | None:
        """Take a chunk; of samples, return the stream's number, stamps and values.

        Raises
        ------
        ValueError
            When the content is not what the tag says.
        """
        if chunk.tag == Tag.FILE_HEADER:
            parse_xml(content)
        if chunk.tag == Tag.BOUNDARY and content != BOUNDARY:
            raise ValueError("a boundary that is none")
        if chunk.tag not in _OF_STREAMS:
            return None
        stream_id, rest = int.from_bytes(content[:4], "little"), content[4:]
        if chunk.tag == Tag.STREAM_HEADER:
            self._open(stream_id, rest)
            return None
        reader = self.readers.get(stream_id)
        if reader is None:
            self.lost.add(stream_id)
            raise ValueError("a stream without a header")
        if chunk.tag == Tag.SAMPLES:
            return (stream_id, *reader.samples(rest))
        if chunk.tag == Tag.CLOCK_OFFSET:
            reader.offset(rest)
        else:
            reader.close(rest)
        return None

    def _open(self, stream_id: int, content: bytes) -> None:
        if stream_id in self.readers:
            raise ValueError("a second header of a stream")
        self.lost.add(stream_id)
        self.readers[stream_id] = StreamReader(parse_xml(content))
        self.lost.discard(stream_id)

    def check_opened(self, walk: ChunkWalk, path: Path) -> None:
        """Refuse a file that holds no stream.

        Raises
        ------
        RecordingError
        """
        if self.readers:
            return
        if self.lost or walk.damaged or (walk.torn and walk.torn.end <= walk.n_bytes):
            raise RecordingError(f"{path} is damaged: no description of a stream can be read")
        raise RecordingError(
            f"{path} holds no stream: its {walk.n_bytes} bytes end before the first one"
        )


def load_streams(path: Path) -> XdfFile:
    """Read all streams of a file.

    Raises
    ------
    RecordingError
        When it is no XDF file, holds no stream, or no header that can be read.
    """
    with open_xdf_bytes(path) as file:
        walk, table = ChunkWalk(file), StreamTable()
        stamps: dict[int, list[F64]] = defaultdict(list)
        values: dict[int, list[Values]] = defaultdict(list)
        for chunk in walk:
            try:
                taken = table.take(chunk, walk.content(chunk))
            except ValueError:
                walk.reject()
                continue
            if taken is not None:
                stream_id, part_stamps, part_values = taken
                stamps[stream_id].append(part_stamps)
                values[stream_id].append(part_values)
        table.check_opened(walk, path)
        return XdfFile(
            streams=tuple(
                _joined(stream_id, reader, stamps.pop(stream_id, []), values.pop(stream_id, []))
                for stream_id, reader in table.readers.items()
            ),
            n_cut_bytes=walk.n_cut_bytes,
            n_damaged_bytes=walk.n_damaged_bytes,
            torn=torn_samples(walk),
            lost_streams=frozenset(table.lost),
        )


def _joined(
    stream_id: int, reader: StreamReader, stamps: list[F64], parts: list[Values]
) -> XdfStream:
    values: Values = reader.layout.empty()
    if reader.layout.is_text:
        values = [row for part in parts for row in part]
    elif parts:
        values = np.concatenate(parts)
    return XdfStream(
        stream_id=stream_id,
        info=reader.info,
        layout=reader.layout,
        stamps=np.concatenate(stamps) if stamps else np.empty(0),
        values=values,
        offsets=np.array(reader.offsets, np.float64).reshape(-1, 2),
        offsets_after=np.array(reader.offsets_after, np.int64),
        closed=reader.footer is not None,
        n_counted=reader.n_counted,
    )


def torn_samples(walk: ChunkWalk) -> tuple[int, int] | None:
    """Return the stream of a torn chunk of samples, and how many it was to hold, if it says so."""
    chunk = walk.torn
    if chunk is None or chunk.tag != Tag.SAMPLES:
        return None
    head = XdfChunk(chunk.start, chunk.content, chunk.content + _LONGEST_START, chunk.tag)
    content = walk.content(head)
    try:
        n_samples, _ = read_count(content, 4)
    except ValueError:
        return None
    if n_samples > chunk.end - chunk.content:
        return None
    return int.from_bytes(content[:4], "little"), n_samples
