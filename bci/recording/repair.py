"""Completing an XDF file that was cut or damaged: all that is whole in it, with footers.

A recorder that is killed, a computer that loses its power or a disk that is full leave a file that
ends anywhere. `bci`'s own readers open it wherever it was cut. pyxdf 1.17 opens it too, but for
three places: within the two bytes of a chunk's tag, within the sixteen of a clock offset, and
within the XML of the file's or a stream's header. There it raises; where it is cut within the last
sample of a chunk it gives one sample more, made of the bytes that are there. Both end here: only
whole chunks are copied.

Memory does not grow with the file, but for its clock offsets (16 bytes every 5 s and stream).
"""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from bci.errors import RecordingError, SettingsError
from bci.recording.control import is_recorded
from bci.recording.xdf import footer_xml, framed
from bci.sources.files import readable_file
from bci.sources.xdf_chunks import BOUNDARY, MAGIC, ChunkWalk, Tag, open_xdf_bytes
from bci.sources.xdf_streams import StreamReader, StreamTable, torn_samples

__all__ = ["RepairReport", "RepairedStream", "examine_file", "repair_file", "repaired_path"]

Progress = Callable[[int, int], None]

_REPORT_EVERY = 1 << 22
_SUFFIXES = (".xdf.gz", ".xdfz", ".xdf")


@dataclass(frozen=True, slots=True)
class RepairedStream:
    """What a file holds of a stream.

    Attributes
    ----------
    stream_id : int
    name, source_id : str
    n_samples : int
    first_stamp, last_stamp : float or None
        As recorded (s).
    n_offsets : int
    had_footer : bool
    n_missing : int
        Samples that its footer counts, and the file does not hold (any more).
    """

    stream_id: int
    name: str
    source_id: str
    n_samples: int
    first_stamp: float | None
    last_stamp: float | None
    n_offsets: int
    had_footer: bool
    n_missing: int


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was found, and what was done.

    Attributes
    ----------
    path : Path
    out : Path or None
        Where the whole file is; None when nothing was written.
    n_bytes : int
        Of the file (unpacked, if it is packed).
    n_cut_bytes : int
        At its end, that are no whole chunk.
    damaged : tuple of (int, int)
        From where to where it was skipped.
    torn_stream : str or None
        Stream whose chunk of samples was cut.
    n_torn_samples : int
        Samples that this chunk says it held.
    lost_streams : tuple of int
        Streams without a description that can be read: their samples are left out.
    had_header : bool
        Whether the file's own header can be read.
    streams : tuple of RepairedStream
    """

    path: Path
    out: Path | None
    n_bytes: int
    n_cut_bytes: int
    damaged: tuple[tuple[int, int], ...]
    torn_stream: str | None
    n_torn_samples: int
    lost_streams: tuple[int, ...]
    had_header: bool
    streams: tuple[RepairedStream, ...]

    @property
    def n_damaged_bytes(self) -> int:
        """Bytes that were skipped."""
        return sum(end - start for start, end in self.damaged)

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to repair."""
        return (
            not self.n_cut_bytes
            and not self.damaged
            and self.had_header
            and all(stream.had_footer for stream in self.streams)
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What is missing, in words."""
        words = []
        if self.n_cut_bytes:
            text = f"cut: the last {self.n_cut_bytes} bytes are no whole chunk"
            if self.torn_stream is not None:
                text += f"; it was to hold {self.n_torn_samples} samples of {self.torn_stream!r}"
            words.append(text)
        if not self.had_header:
            words.append("the file's header cannot be read")
        words += [
            f"damaged: bytes {start} to {end} cannot be read" for start, end in self.damaged[:20]
        ]
        if len(self.damaged) > 20:
            words.append(f"damaged: {len(self.damaged) - 20} more places")
        words += [
            f"stream {stream_id}: no description; its samples cannot be read"
            for stream_id in self.lost_streams
        ]
        for stream in self.streams:
            if not stream.had_footer:
                words.append(f"{stream.name!r} was not closed: it has no footer")
            if stream.n_missing > 0:
                words.append(
                    f"{stream.name!r}: {stream.n_missing} samples that its footer counts are "
                    "missing"
                )
        return tuple(words)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "path": str(self.path),
            "out": None if self.out is None else str(self.out),
            "whole": self.is_whole,
            "n_bytes": self.n_bytes,
            "n_cut_bytes": self.n_cut_bytes,
            "damaged": [list(part) for part in self.damaged],
            "torn_stream": self.torn_stream,
            "n_torn_samples": self.n_torn_samples,
            "lost_streams": list(self.lost_streams),
            "had_header": self.had_header,
            "findings": list(self.findings),
            "streams": [
                {name: getattr(stream, name) for name in RepairedStream.__dataclass_fields__}
                for stream in self.streams
            ],
        }


def repaired_path(path: Path) -> Path:
    """Return the name that a repaired file gets.

    >>> repaired_path(Path("day/a.xdf")).name, repaired_path(Path("b.xdf.gz")).name
    ('a_repaired.xdf', 'b_repaired.xdf')
    """
    stem = path.name
    for suffix in _SUFFIXES:
        if stem.lower().endswith(suffix):
            stem = stem[: -len(suffix)]
            break
    return path.with_name(f"{stem}_repaired.xdf")


def examine_file(path: Path, progress: Progress | None = None) -> RepairReport:
    """Read a file from end to end, write nothing, and say what is missing.

    Raises
    ------
    RecordingError
        When it is no XDF file, or holds no stream.
    """
    path = readable_file(Path(path))
    with open_xdf_bytes(path) as file:
        return _copied(path, file, None, progress)


def repair_file(
    path: Path,
    out: Path | None = None,
    *,
    in_place: bool = False,
    progress: Progress | None = None,
) -> RepairReport:
    """Write what is whole in a file, with the footers that are missing.

    Parameters
    ----------
    path : Path
        Is not touched, unless `in_place`.
    out : Path or None
        Must not exist; default: `repaired_path`.
    in_place : bool
        Put the repaired file in the place of the other, at once and only when it is on the disk.
    progress : callable
        Called with how many bytes are read, and how many there are.

    Returns
    -------
    RepairReport
        Of a file that is whole, and nothing is written then.

    Raises
    ------
    RecordingError
        When it is no XDF file, holds no stream, is being written, or the disk is full.
    SettingsError
        When `out` exists or cannot be made.
    """
    path = readable_file(Path(path))
    out = Path(out) if out is not None else repaired_path(path)
    if in_place:
        out = path.resolve()
        # A recorder whose streams are silent writes nothing for seconds: the file's times tell too
        # little, and all that it wrote later would be in a file that no longer has a name.
        if is_recorded(out):
            raise RecordingError(f"{path} is being recorded: stop its recorder first")
        with path.open("rb") as head:
            if head.read(len(MAGIC)) != MAGIC:
                raise SettingsError(f"{path} is packed: repair it to another file")
    elif out.exists():
        raise SettingsError(f"{out} exists: name another file with --out")
    if not out.absolute().parent.is_dir():
        raise SettingsError(f"{out.parent} is no folder: make it first")
    before = _signature(path)
    with open_xdf_bytes(path) as file, _scratch_beside(out) as (scratch, scratch_path):
        try:
            report = _copied(path, file, scratch, progress)
            if report.is_whole:
                return report
            scratch.flush()
            os.fsync(scratch.fileno())
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be copied to {out.parent}: {error.strerror}"
            ) from error
        if in_place and _signature(path) != before:
            raise RecordingError(f"{path} is being written: stop the recorder first")
        file.close()  # Windows replaces no file that is open
        scratch.close()
        _publish(scratch_path, out, replace=in_place)
    return dataclasses.replace(report, out=out)


def _signature(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _scratch_beside(out: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Make a file of another name in the same folder; it goes, unless it was given its name."""
    try:
        descriptor, name = tempfile.mkstemp(".part", f".{out.name}.", out.absolute().parent)
    except OSError as error:
        raise SettingsError(f"{out} cannot be made: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _publish(scratch: Path, out: Path, *, replace: bool) -> None:
    """Give a finished file its name."""
    claimed = False
    try:
        if not replace:
            # Whoever made this name meanwhile keeps it.
            os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            claimed = True
        os.replace(scratch, out)
    except FileExistsError as error:
        raise SettingsError(f"{out} exists: name another file with --out") from error
    except OSError as error:
        if claimed:
            with contextlib.suppress(OSError):
                out.unlink()
        raise SettingsError(f"{out} cannot be made: {error.strerror}") from error


def _copied(
    path: Path, file: BinaryIO, out: BinaryIO | None, progress: Progress | None
) -> RepairReport:
    """Go through a file; copy what is whole, add what is missing, say what was found."""
    walk, table = ChunkWalk(file), StreamTable()
    had_header = False
    begun = False
    told = 0
    for chunk in walk:
        if progress is not None and chunk.end - told >= _REPORT_EVERY:
            told = chunk.end
            progress(told, walk.n_bytes)
        content = walk.content(chunk)
        try:
            table.take(chunk, content)
        except ValueError:
            walk.reject()
            continue
        is_header = chunk.tag == Tag.FILE_HEADER
        if out is not None and not begun:
            out.write(MAGIC)
            if not is_header:
                info = b'<?xml version="1.0"?><info><version>1.0</version></info>'
                out.write(framed(Tag.FILE_HEADER, info))
        begun = True
        had_header |= is_header
        if out is not None:
            out.write(walk.head(chunk))
            out.write(content)
    table.check_opened(walk, path)
    if out is not None:
        out.write(framed(Tag.BOUNDARY, BOUNDARY))
        for stream_id, reader in table.readers.items():
            if reader.footer is None:
                out.write(framed(Tag.STREAM_FOOTER, _footer(stream_id, reader)))
    if progress is not None:
        progress(walk.n_bytes, walk.n_bytes)
    torn_id, n_torn = torn_samples(walk) or (0, 0)
    torn = table.readers.get(torn_id)
    return RepairReport(
        path=path,
        out=None,
        n_bytes=walk.n_bytes,
        n_cut_bytes=walk.n_cut_bytes,
        damaged=tuple(walk.damaged),
        torn_stream=None if torn is None else _name(torn_id, torn),
        n_torn_samples=0 if torn is None else n_torn,
        lost_streams=tuple(sorted(table.lost)),
        had_header=had_header,
        streams=tuple(_stream(stream_id, r) for stream_id, r in table.readers.items()),
    )


def _footer(stream_id: int, reader: StreamReader) -> bytes:
    last = reader.last_stamp if reader.n_samples else None
    xml = footer_xml(reader.n_samples, reader.first_stamp, last, reader.offsets)
    return stream_id.to_bytes(4, "little") + xml


def _name(stream_id: int, reader: StreamReader) -> str:
    return (reader.info.findtext("name") or "").strip() or f"stream {stream_id}"


def _number(stamp: float | None) -> float | None:
    """Return a stamp; None for one that a damaged file makes NaN or infinite."""
    return stamp if stamp is not None and isfinite(stamp) else None


def _stream(stream_id: int, reader: StreamReader) -> RepairedStream:
    return RepairedStream(
        stream_id=stream_id,
        name=_name(stream_id, reader),
        source_id=(reader.info.findtext("source_id") or "").strip(),
        n_samples=reader.n_samples,
        first_stamp=_number(reader.first_stamp),
        last_stamp=_number(reader.last_stamp) if reader.n_samples else None,
        n_offsets=len(reader.offsets),
        had_footer=reader.footer is not None,
        n_missing=0 if (n := reader.n_counted) is None else max(n - reader.n_samples, 0),
    )
