"""The header of EDF, EDF+, BDF and BDF+ files, and whether the file keeps what it promises.

MNE reads the samples. It does not refuse a file that was cut short, joins the pieces of a
discontinuous one, and does not notice one that was copied as text: that is checked here.

Sources: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+: time-stamped annotation lists, the
first of each record giving its onset), BioSemi's description of BDF.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci.errors import RecordingError

__all__ = ["EdfHeader", "is_text_damaged", "read_edf_header", "record_onsets"]

_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_ONSET = re.compile(rb"([+-]\d+(?:\.\d*)?)\x14\x14")
_LONE_LINE_FEED = re.compile(rb"(?<!\r)\n")
#: So many line feeds cannot all follow a carriage return by chance.
_MIN_LINE_FEEDS = 64


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What the header says, and how much the file holds.

    Attributes
    ----------
    labels, units : tuple of str
        Of all signals, annotations included, stripped.
    n_per_record : tuple of int
        Samples of each signal in a record.
    n_records : int
        Promised; -1 when the recorder never wrote it.
    n_records_held : int
        Complete records in the file.
    record_s : float
        Duration of a record.
    n_header_bytes, sample_bytes : int
    discontinuous : bool
        EDF+D or BDF+D: records need not follow on one another.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    n_per_record: tuple[int, ...]
    n_records: int
    n_records_held: int
    record_s: float
    n_header_bytes: int
    sample_bytes: int
    discontinuous: bool

    @property
    def record_bytes(self) -> int:
        """Size of one record."""
        return sum(self.n_per_record) * self.sample_bytes

    @property
    def signals(self) -> tuple[int, ...]:
        """Indices of the signals that are no annotations."""
        return tuple(i for i, label in enumerate(self.labels) if label not in _ANNOTATIONS)

    @property
    def annotations(self) -> tuple[int, ...]:
        """Indices of the annotation signals."""
        return tuple(i for i, label in enumerate(self.labels) if label in _ANNOTATIONS)


def _parse(head: bytes, n_file_bytes: int) -> EdfHeader:
    """Read the fields; ValueError when they are not those of a header."""
    if head[:8] == b"0       ":
        sample_bytes = 2
    elif head[:8] == b"\xffBIOSEMI":
        sample_bytes = 3
    else:
        raise ValueError(f"it begins with {head[:8]!r}")
    n_header_bytes, n_signals = int(head[184:192]), int(head[252:256])
    n_records, record_s = int(head[236:244]), float(head[244:252])
    if n_signals < 1 or n_header_bytes < 256 * (n_signals + 1):
        raise ValueError(f"it names {n_signals} signals in {n_header_bytes} bytes")
    if len(head) < 256 * (n_signals + 1):
        raise ValueError(f"it ends after {len(head)} of {n_header_bytes} bytes")

    def column(start: int, width: int) -> list[str]:
        first = 256 + start * n_signals
        fields = (head[first + width * i : first + width * (i + 1)] for i in range(n_signals))
        return [field.decode("latin-1").strip() for field in fields]

    n_per_record = tuple(int(count) for count in column(216, 8))
    record_bytes = sum(n_per_record) * sample_bytes
    if min(n_per_record) < 0 or record_bytes == 0:
        raise ValueError("its records hold no samples")
    return EdfHeader(
        labels=tuple(column(0, 16)),
        units=tuple(column(96, 8)),
        n_per_record=n_per_record,
        n_records=n_records,
        n_records_held=max(0, n_file_bytes - n_header_bytes) // record_bytes,
        record_s=record_s,
        n_header_bytes=n_header_bytes,
        sample_bytes=sample_bytes,
        discontinuous=head[192:197] in (b"EDF+D", b"BDF+D"),
    )


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header and compare it with the file's size.

    Raises
    ------
    RecordingError
        When it is no EDF or BDF header, or the file holds fewer records than it promises.
    """
    with path.open("rb") as file:
        head = file.read(256)
        if head[252:256].strip().isdigit():
            head += file.read(256 * int(head[252:256]))
    kind = path.suffix.lstrip(".").upper()
    try:
        header = _parse(head, path.stat().st_size)
    except ValueError as error:
        raise RecordingError(
            f"{path} is no {kind} file: its header does not read as one ({error})"
        ) from error
    if header.n_records_held < max(header.n_records, 1):
        promised = str(header.n_records) if header.n_records >= 0 else "an unknown number of"
        raise RecordingError(
            f"{path} is cut short: its header promises {promised} records and the file holds "
            f"{header.n_records_held}: copy it again"
        )
    return header


def is_text_damaged(path: Path) -> bool:
    """Return whether a binary file was copied as text: each line feed became CR LF.

    The samples behind the first such byte are shifted and mean nothing. By chance one line feed
    in 256 follows a carriage return; here all do.
    """
    n_line_feeds, before = 0, b""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            if _LONE_LINE_FEED.search(before + block):
                return False  # a sound file ends here, at its first block
            n_line_feeds += block.count(b"\n")
            before = b"\r" if block.endswith(b"\r") else b""
    return n_line_feeds >= _MIN_LINE_FEEDS


def record_onsets(path: Path, header: EdfHeader) -> NDArray[np.float64]:
    """Read when each record of an EDF+ or BDF+ file begins.

    Returns
    -------
    ndarray of float64, shape (n_records_held,)
        In s, the first record's being 0.

    Raises
    ------
    RecordingError
        When a record does not begin with its time.
    """
    first = header.annotations[0]
    offset = sum(header.n_per_record[:first]) * header.sample_bytes
    n_bytes = header.n_per_record[first] * header.sample_bytes
    onsets = np.empty(header.n_records_held)
    with path.open("rb") as file:
        for record in range(header.n_records_held):
            file.seek(header.n_header_bytes + record * header.record_bytes + offset)
            found = _ONSET.match(file.read(n_bytes))
            if found is None:
                raise RecordingError(
                    f"{path} is damaged: its record {record} does not begin with a time stamp"
                )
            onsets[record] = float(found[1])
    onsets -= onsets[0]
    return onsets
