"""Chunks of samples of an XDF file, as arrays.

A sample is [bytes of its stamp: 0 or 8][stamp][values]; without a stamp it comes one nominal period
after the one before (at once in an irregular stream). Text is [length][UTF-8] for each channel.
"""

import functools
import struct
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from bci.sources.xdf_chunks import read_count

__all__ = ["SampleFormat", "parse_xml"]

F64 = NDArray[np.float64]
#: Samples of numbers, shape (n_samples, n_channels), or a list of texts for each sample.
Values = NDArray[np.generic] | list[list[str]]

_NUMBERS = {
    "float32": "<f4",
    "double64": "<f8",
    "int8": "i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
}
#: NumPy describes a row by C ints.
_LONGEST_ROW = 1 << 30


def parse_xml(content: bytes) -> ET.Element:
    """Read the XML of a header or a footer; bytes that are no UTF-8 are replaced, as pyxdf does.

    Raises
    ------
    ValueError
        When it is none.
    """
    try:
        return ET.fromstring(content.decode("utf-8", "replace"))
    except ET.ParseError as error:
        raise ValueError(f"broken XML: {error}") from error


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How a stream's samples are laid out.

    Attributes
    ----------
    n_channels : int
        May be 0.
    dtype : str
        As XDF names it.
    rate_hz : float
        Nominal, 0 for an irregular stream.
    """

    n_channels: int
    dtype: str
    rate_hz: float

    @classmethod
    def of(cls, info: ET.Element) -> "SampleFormat":
        """Read it from a stream's header.

        Raises
        ------
        ValueError
            When the header does not say it.
        """
        dtype = (info.findtext("channel_format") or "").strip()
        n_channels = int(info.findtext("channel_count") or "")
        rate_hz = float(info.findtext("nominal_srate") or "")
        if dtype != "string" and dtype not in _NUMBERS:
            raise ValueError(f"samples of type {dtype!r}")
        if n_channels < 0 or not 0 <= rate_hz < np.inf:
            raise ValueError(f"{n_channels} channels at {rate_hz:g} Hz")
        return cls(n_channels, dtype, rate_hz)

    @property
    def is_text(self) -> bool:
        """Whether the samples are strings."""
        return self.dtype == "string"

    def empty(self) -> Values:
        """Return no samples."""
        if self.is_text:
            return []
        return np.empty((0, self.n_channels), np.dtype(_NUMBERS[self.dtype]).newbyteorder("="))

    def parse(self, content: bytes, last_stamp: float) -> tuple[F64, Values]:
        """Read the samples of a chunk.

        Parameters
        ----------
        content : bytes
            What follows the stream's number.
        last_stamp : float
            Of the sample before, 0 at the start: what a missing stamp is deduced from.

        Returns
        -------
        stamps : ndarray of float64, shape (n_samples,)
        values : ndarray, shape (n_samples, n_channels), or list of list of str

        Raises
        ------
        ValueError
            When the content is not what it says: too short, too long, or of another layout.
        """
        n_samples, at = read_count(content, 0)
        # Before anything is allocated by what the file says: each sample takes a byte at least.
        if n_samples > len(content) - at:
            raise ValueError(f"{n_samples} samples in {len(content) - at} bytes")
        if n_samples == 0:
            if at != len(content):
                raise ValueError("bytes after the last sample")
            return np.empty(0), self.empty()
        if self.is_text:
            stamps, texts = self._texts(content, at, n_samples)
            return self._deduced(stamps, last_stamp), texts
        raw, numbers = self._numbers(content, at, n_samples)
        return self._deduced(raw, last_stamp), numbers

    def _numbers(self, content: bytes, at: int, n_samples: int) -> tuple[F64, NDArray[np.generic]]:
        """Read samples of numbers; a missing stamp is NaN with a payload of its own."""
        code = _NUMBERS[self.dtype]
        size = np.dtype(code).itemsize * self.n_channels
        if size > _LONGEST_ROW:
            raise ValueError(f"{self.n_channels} channels")
        rest = len(content) - at
        full, bare = _rows(code, self.n_channels)
        native = np.dtype(code).newbyteorder("=")
        if rest == n_samples * full.itemsize:
            rows = np.frombuffer(content, full, n_samples, at)
            if (rows["bytes"] == 8).all():
                return rows["stamp"].astype(np.float64), rows["values"].astype(native)
        elif n_samples > 1 and rest == full.itemsize + (n_samples - 1) * bare.itemsize:
            first = np.frombuffer(content, full, 1, at)
            others = np.frombuffer(content, bare, n_samples - 1, at + full.itemsize)
            if first["bytes"][0] == 8 and not others["bytes"].any():
                stamps = np.full(n_samples, _DEDUCE)
                stamps[0] = first["stamp"][0]
                return stamps, np.concatenate([first["values"], others["values"]]).astype(native)
        stamps = np.empty(n_samples)
        parts = []
        for k in range(n_samples):
            stamps[k], at = _stamp(content, at)
            parts.append(content[at : at + size])
            at += size
        if at != len(content):
            raise ValueError("samples that do not fill their chunk")
        joined = np.frombuffer(b"".join(parts), code)
        return stamps, joined.reshape(n_samples, self.n_channels).astype(native)

    def _texts(self, content: bytes, at: int, n_samples: int) -> tuple[F64, list[list[str]]]:
        """Read samples of text."""
        stamps = np.empty(n_samples)
        texts = []
        for k in range(n_samples):
            stamps[k], at = _stamp(content, at)
            row = []
            for _ in range(self.n_channels):
                length, at = read_count(content, at)
                if at + length > len(content):
                    raise ValueError("a text that is cut")
                row.append(content[at : at + length].decode("utf-8", "replace"))
                at += length
            texts.append(row)
        if at != len(content):
            raise ValueError("samples that do not fill their chunk")
        return stamps, texts

    def _deduced(self, stamps: F64, last_stamp: float) -> F64:
        """Fill in missing stamps, adding period to period as every reader does, to the bit."""
        missing = stamps.view(np.uint64) == _DEDUCE_BITS
        if not missing.any():
            return stamps
        period_s = 1.0 / self.rate_hz if self.rate_hz > 0 else 0.0
        stamps = np.concatenate([[last_stamp], stamps])
        missing = np.concatenate([[False], missing])
        edges = np.flatnonzero(np.diff(missing.astype(np.int8), append=0))
        for start, stop in zip(edges[::2], edges[1::2] + 1, strict=True):
            stamps[start + 1 : stop] = period_s
            stamps[start:stop] = np.add.accumulate(stamps[start:stop])
        return stamps[1:]


@functools.lru_cache(maxsize=64)
def _rows(code: str, n_channels: int) -> tuple[np.dtype[np.void], np.dtype[np.void]]:
    """Return the layout of a sample with a stamp, and of one without."""
    values = ("values", code, (n_channels,))
    return np.dtype([("bytes", "u1"), ("stamp", "<f8"), values]), np.dtype(
        [("bytes", "u1"), values]
    )


#: A stamp that is not in the file: a NaN that no sender makes.
_DEDUCE_BITS = np.uint64(0x7FF8DEDCEDDEDCED)
_DEDUCE = _DEDUCE_BITS.view(np.float64)


def _stamp(content: bytes, at: int) -> tuple[float, int]:
    """Read a sample's stamp: NaN of our own when it has none; and the position after it."""
    width = content[at] if at < len(content) else -1
    if width == 0:
        return float(_DEDUCE), at + 1
    if width != 8 or at + 9 > len(content):
        raise ValueError("a stamp of other than 0 or 8 bytes")
    return float(struct.unpack_from("<d", content, at + 1)[0]), at + 9
