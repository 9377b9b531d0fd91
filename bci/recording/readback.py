"""Reading a recording back, to see that what was counted live is in the file.

The recorder's process follows the file while it grows, a second behind its writer, so that at the
stop only the last second is left to read, however long the recording. One pass gives the counts
and the SHA-256. Samples are not decoded, but their bytes are counted: in our files each carries
its own stamp, so a chunk of n samples has exactly one length.

Strict on purpose: it reads what was written moments ago by us. Files of others, cut or damaged ones
are read by `bci.sources.xdf`.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree as ET

from bci.recording.status import StreamCount
from bci.sources.xdf_chunks import MAGIC, Tag, read_count

__all__ = ["FileFollower", "ReadBack", "StreamReadBack", "read_back"]

_log = logging.getLogger(__name__)

_BLOCK = 1 << 20
_FOLLOW_S = 1.0
#: Bytes that tell all of a chunk of numbers: [length][tag][stream][number of samples].
_HEAD = 9 + 2 + 4 + 9
#: Of the shortest head that tells whose chunk it is: [length][tag][stream].
_LEAST = 2 + 2 + 4
_TAGS = frozenset(tag.value for tag in Tag)
_SIZES = {"float32": 4, "double64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8}


@dataclass(frozen=True, slots=True)
class StreamReadBack:
    """One stream as counted and as found.

    Attributes
    ----------
    name, kind, source_id : str
    n_received : int
        By the live counter.
    n_found : int
        In the file.
    is_text : bool
        Strings: markers.
    """

    name: str
    kind: str
    source_id: str
    n_received: int
    n_found: int
    is_text: bool


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What reading a recording back has shown.

    Attributes
    ----------
    sha256 : str
        Of the file, in hexadecimal.
    n_bytes : int
    streams : tuple of StreamReadBack
    problems : tuple of str
        What is not as it should be; empty: all is there.
    """

    sha256: str
    n_bytes: int
    streams: tuple[StreamReadBack, ...]
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all that was counted is in the file, and the file is whole."""
        return not self.problems

    def __str__(self) -> str:
        """Say it in one sentence.

        >>> eeg = StreamReadBack("amp", "EEG", "a", 71285, 71285, False)
        >>> print(ReadBack("", 0, (eeg, StreamReadBack("cues", "Markers", "m", 12, 12, True))))
        read back: 71,285 of 71,285 samples, 12 of 12 markers
        """
        parts = []
        for word, text in (("samples", False), ("markers", True)):
            streams = [stream for stream in self.streams if stream.is_text is text]
            if streams:
                found = sum(stream.n_found for stream in streams)
                received = sum(stream.n_received for stream in streams)
                parts.append(f"{found:,} of {received:,} {word}")
        return "; ".join((f"read back: {', '.join(parts) or 'no stream'}", *self.problems))


@dataclass(slots=True)
class _Stream:
    """A stream of the file, as far as it has been read."""

    name: str
    kind: str
    source_id: str
    sample_bytes: int | None  # None: strings
    n_channels: int
    n_samples: int = 0
    n_stated: int | None = None  # by its footer


@dataclass(slots=True)
class _Counts:
    """Counts the samples of a file that is fed in pieces of any size."""

    streams: dict[int, _Stream] = field(default_factory=dict)
    problem: str | None = None
    _pending: bytes = b""
    _position: int = 0  # in the file, of the pending bytes
    _skip: int = 0

    def feed(self, block: bytes) -> None:
        """Take the next bytes; after a problem nothing more is understood."""
        if self.problem is not None:
            return
        if self._skip >= len(block):
            self._skip -= len(block)
            self._position += len(block)
            return
        self._position += self._skip
        self._pending += block[self._skip :]
        self._skip = 0
        try:
            self._pending = self._pending[self._walk(self._pending) :]
        except ValueError as error:
            self.problem = f"{error} at byte {self._position:,}"

    def end(self) -> None:
        """Say that this was all."""
        if self.problem is None and (self._pending or self._skip or not self._position):
            self.problem = f"the file ends within a chunk, after byte {self._position:,}"

    def _walk(self, data: bytes) -> int:
        """Count what is whole in `data`; return how much of it is done with."""
        at = 0
        if self._position == 0:
            if len(data) < len(MAGIC):
                return 0
            if not data.startswith(MAGIC):
                raise ValueError("no XDF file")
            at = self._position = len(MAGIC)
        while len(data) - at >= _LEAST and len(data) - at >= _LEAST - 1 + data[at]:
            length, content = read_count(data, at)
            end = content + length
            tag = int.from_bytes(data[content : content + 2], "little")
            stream_id = int.from_bytes(data[content + 2 : content + 6], "little")
            stream = self.streams.get(stream_id) if tag == Tag.SAMPLES else None
            if stream is not None and stream.sample_bytes is not None:
                if len(data) - at < _HEAD and len(data) < end:
                    break
                n_samples, first = read_count(data, content + 6)
                if end - first != n_samples * stream.sample_bytes:
                    raise ValueError(f"a chunk of {n_samples} samples has not their length")
                stream.n_samples += n_samples
            elif end > len(data):
                break
            else:
                self._take(tag, stream_id, data[content + 6 : end])
            self._position += end - at
            at = end
        if at > len(data):  # the rest of a chunk of numbers is still to come
            self._skip = at - len(data)
            self._position -= self._skip
            at = len(data)
        return at

    def _take(self, tag: int, stream_id: int, content: bytes) -> None:
        """Take a chunk that is no chunk of numbers."""
        if tag == Tag.STREAM_HEADER:
            info = ET.fromstring(content)
            n_channels = int(info.findtext("channel_count") or 0)
            size = _SIZES.get(info.findtext("channel_format") or "")
            self.streams[stream_id] = _Stream(
                name=info.findtext("name") or "",
                kind=info.findtext("type") or "",
                source_id=info.findtext("source_id") or "",
                sample_bytes=None if size is None else 1 + 8 + n_channels * size,
                n_channels=n_channels,
            )
        elif tag == Tag.SAMPLES:
            stream = self.streams.get(stream_id)
            if stream is None:
                raise ValueError(f"samples of stream {stream_id}, which has no header")
            stream.n_samples += _count_texts(content, stream.n_channels)
        elif tag == Tag.STREAM_FOOTER and stream_id in self.streams:
            stated = ET.fromstring(content).findtext("sample_count")
            self.streams[stream_id].n_stated = int(stated or 0)
        elif tag not in _TAGS:
            raise ValueError(f"a chunk of the unknown kind {tag}")


def _count_texts(content: bytes, n_channels: int) -> int:
    """Count samples of strings, to the last byte."""
    n_samples, at = read_count(content, 0)
    for _ in range(n_samples):
        at += 1 + content[at] if at < len(content) else 1
        for _ in range(n_channels):
            length, at = read_count(content, at)
            at += length
    if at != len(content):
        raise ValueError(f"a chunk of {n_samples} strings has not their length")
    return n_samples


class FileFollower:
    """Reads a recording while it grows.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts = _Counts()
        self._digest = hashlib.sha256()
        self._n_bytes = 0
        self._file: BinaryIO | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="record readback", daemon=True)

    def start(self) -> None:
        """Begin to follow, in a thread."""
        self._thread.start()

    def finish(
        self, streams: Sequence[StreamCount], progress: Callable[[int, int], object] | None = None
    ) -> ReadBack:
        """Read the rest of the file, which is closed, and compare.

        Parameters
        ----------
        streams : sequence of StreamCount
            As counted live.
        progress : callable or None
            Called with how many bytes of how many are read.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        problems: list[str] = []
        try:
            n_total = self._path.stat().st_size
            if n_total < self._n_bytes:
                problems.append(f"the file had {self._n_bytes:,} bytes and has {n_total:,}")
            self._advance(progress and (lambda done: progress(done, n_total)))
        except OSError as error:
            problems.append(f"{self._path} cannot be read back: {error.strerror}")
        finally:
            if self._file is not None:
                self._file.close()
        self._counts.end()
        if self._counts.problem is not None:
            problems.append(self._counts.problem)
        compared = tuple(_compare(self._counts.streams, streams, problems))
        return ReadBack(self._digest.hexdigest(), self._n_bytes, compared, tuple(problems))

    def _follow(self) -> None:
        try:
            while not self._stop.wait(_FOLLOW_S):
                self._advance()
        except OSError as error:  # `finish` tries again, and says so
            _log.warning("%s cannot be read back while it is recorded: %s", self._path, error)

    def _advance(self, progress: Callable[[int], object] | None = None) -> None:
        """Read what there is."""
        if self._file is None:
            self._file = self._path.open("rb", buffering=0)
        while block := self._file.read(_BLOCK):
            self._digest.update(block)
            self._counts.feed(block)
            self._n_bytes += len(block)
            if progress is not None:
                progress(self._n_bytes)


def read_back(
    path: Path,
    streams: Sequence[StreamCount],
    progress: Callable[[int, int], object] | None = None,
) -> ReadBack:
    """Read a closed recording from its beginning; see `FileFollower.finish`."""
    return FileFollower(path).finish(streams, progress)


def _compare(
    found: dict[int, _Stream], received: Sequence[StreamCount], problems: list[str]
) -> list[StreamReadBack]:
    """Put what was found beside what was received, noting what differs."""
    compared = []
    for count in received:
        stream = found.get(count.stream_id)
        n_found = 0 if stream is None else stream.n_samples
        label = f"{count.name!r} (source id {count.source_id!r})"
        if n_found != count.n_samples:
            problems.append(f"{label}: {count.n_samples:,} were received, {n_found:,} are there")
        elif stream is not None and stream.n_stated != n_found:
            stated = "has no footer" if stream.n_stated is None else f"states {stream.n_stated:,}"
            problems.append(f"{label}: {n_found:,} are there, the file {stated}")
        if stream is not None:
            text = stream.sample_bytes is None
            compared.append(
                StreamReadBack(
                    count.name, count.kind, count.source_id, count.n_samples, n_found, text
                )
            )
    return compared
