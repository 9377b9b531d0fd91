"""Finding LSL streams, and reading what they say of themselves.

How far discovery reaches, :mod:`bci.sources.lsl_config` says.
"""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self
from xml.etree import ElementTree as ET

import pylsl

from bci.errors import SettingsError, StreamAbsentError, StreamError
from bci.sources.base import Channel, StreamInfo
from bci.sources.labels import canonical_label
from bci.sources.lsl_config import configure_lsl, lsl_settings
from bci.sources.units import declared_impedance

__all__ = [
    "DTYPES",
    "FoundStream",
    "Lookout",
    "StreamQuery",
    "await_streams",
    "configure_lsl",
    "describe_stream",
    "find_streams",
    "found_stream",
    "reach_hint",
    "resolve_one",
    "resolve_streams",
]

#: liblsl's channel formats by number, under the names that XDF uses.
DTYPES = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")

#: Others that match answer within this time of the first (s).
_GATHER_S = 0.3

#: How long one call may wait inside liblsl (s).
_SLICE_S = 0.5


def _xpath_literal(text: str) -> str:
    """Quote for XPath 1.0, which has no escapes.

    >>> print(_xpath_literal("Bob's"), _xpath_literal("a'b" + '"c'))
    "Bob's" concat('a', "'", 'b"c')
    """
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    return "concat(" + ', "\'", '.join(f"'{part}'" for part in text.split("'")) + ")"


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """Which stream is meant: all that is given must match.

    Attributes
    ----------
    name, kind, source_id : str or None
        As LSL has them (`kind` is LSL's type).
    predicate : str or None
        An XPath 1.0 predicate over the stream's description, such as
        ``"starts-with(name,'BioSemi')"``.
    """

    name: str | None = None
    kind: str | None = None
    source_id: str | None = None
    predicate: str | None = None

    @classmethod
    def of(cls, stream: "FoundStream | StreamInfo") -> Self:
        """Return what finds a stream again: its source id; else its name and type.

        An empty source id is none: it would match whatever else has none.
        """
        if stream.source_id:
            return cls(source_id=stream.source_id)
        return cls(name=stream.name, kind=stream.kind)

    def xpath(self) -> str:
        """Return the predicate that liblsl resolves by.

        >>> print(StreamQuery(name="Bob's", kind="EEG").xpath())
        name="Bob's" and type='EEG'
        """
        terms = [
            f"{tag}={_xpath_literal(value)}"
            for tag, value in (
                ("name", self.name),
                ("type", self.kind),
                ("source_id", self.source_id),
            )
            if value is not None
        ]
        if self.predicate is not None:
            terms.append(f"({self.predicate})")
        return " and ".join(terms) or "true()"

    def __str__(self) -> str:
        words = [
            f"{word} {value!r}"
            for word, value in (
                ("name", self.name),
                ("type", self.kind),
                ("source id", self.source_id),
                ("predicate", self.predicate),
            )
            if value is not None
        ]
        return ", ".join(words) or "any stream"


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A stream on the network, without its description (an inlet fetches that).

    Attributes
    ----------
    name, kind, source_id, hostname : str
    rate_hz : float
        0 for an irregular stream.
    n_channels : int
    dtype : str
        One of :data:`DTYPES`.
    uid : str
        LSL's own id of this very outlet.
    handle : pylsl.StreamInfo
        What inlets are made of.
    """

    name: str
    kind: str
    source_id: str
    hostname: str
    rate_hz: float
    n_channels: int
    dtype: str
    uid: str
    handle: pylsl.StreamInfo = field(repr=False, compare=False)

    def __str__(self) -> str:
        rate = f"at {self.rate_hz:g} Hz" if self.rate_hz else "irregular"
        return (
            f"{self.name!r} (type {self.kind!r}, source id {self.source_id!r}, "
            f"{self.n_channels} x {self.dtype} {rate}, on {self.hostname})"
        )


def found_stream(handle: pylsl.StreamInfo) -> FoundStream:
    """Return what a handle of liblsl's says of its stream."""
    return FoundStream(
        name=handle.name(),
        kind=handle.type(),
        source_id=handle.source_id(),
        hostname=handle.hostname(),
        rate_hz=handle.nominal_srate(),
        n_channels=handle.channel_count(),
        dtype=DTYPES[handle.channel_format()],
        uid=handle.uid(),
        handle=handle,
    )


def _sorted(streams: Iterable[FoundStream]) -> list[FoundStream]:
    """Each outlet once, in an order that does not depend on who answered first."""
    unique = {stream.uid: stream for stream in streams}
    return sorted(unique.values(), key=lambda stream: (stream.name, stream.source_id, stream.uid))


def find_streams(query: StreamQuery | None = None, timeout_s: float = 1.0) -> list[FoundStream]:
    """List the streams that answer within `timeout_s` (None: all).

    Raises
    ------
    SettingsError
        For a predicate that is not XPath.
    """
    configure_lsl()
    query = query or StreamQuery()
    _check(query)
    handles = pylsl.resolve_bypred(query.xpath(), minimum=1024, timeout=timeout_s)
    return _sorted(found_stream(handle) for handle in handles)


def _check(query: StreamQuery) -> None:
    """Raise for a predicate that liblsl cannot parse: its resolve would only say "none found"."""
    if query.predicate is None:
        return
    try:
        pylsl.ContinuousResolver(pred=query.xpath())
    except RuntimeError as error:
        raise SettingsError(
            f"predicate {query.predicate!r} is not an XPath 1.0 predicate: write one such as "
            "\"starts-with(name,'BioSemi')\""
        ) from error


def await_streams(query: StreamQuery, timeout_s: float) -> list[FoundStream]:
    """Wait for at least one stream that matches, then return all that do; empty: none came.

    Two programs may send under one source id, by mistake: both are returned.

    Raises
    ------
    SettingsError
        For a predicate that is not XPath.
    """
    first = _first(query, timeout_s)
    return _sorted([*first, *find_streams(query, _GATHER_S)]) if first else []


def resolve_streams(query: StreamQuery, timeout_s: float) -> list[FoundStream]:
    """Wait for at least one stream that matches, then return all that do.

    Raises
    ------
    StreamError
        When none appears within `timeout_s`; the message lists the streams that are there.
    SettingsError
        For a predicate that is not XPath.
    """
    streams = await_streams(query, timeout_s)
    if not streams:
        raise _none_there(query, timeout_s)
    return streams


def _first(query: StreamQuery, timeout_s: float) -> list[FoundStream]:
    """Return who answers first, within the time."""
    configure_lsl()
    _check(query)
    first: list[Any] = []
    deadline = time.monotonic() + timeout_s
    while not first and (left_s := deadline - time.monotonic()) > 0:
        # In slices: Ctrl-C does not reach a call that waits inside liblsl.
        first = pylsl.resolve_bypred(query.xpath(), minimum=1, timeout=min(left_s, _SLICE_S))
    return _sorted(map(found_stream, first))


def reach_hint() -> str:
    """Say how to reach further, for those who find nothing and look on this machine only."""
    held = lsl_settings()
    if held is None or held.scope != "machine" or held.known_peers:
        return ""
    return "; only this machine was asked: --lsl-peer HOST or --lsl-scope link asks others"


def _none_there(query: StreamQuery, timeout_s: float) -> StreamAbsentError:
    """Return the error that says what is there instead."""
    there = find_streams(None, 1.0)
    listed = "; ".join(map(str, there)) if there else "none at all"
    scope = "" if there else reach_hint()
    return StreamAbsentError(
        f"no LSL stream with {query} within {timeout_s:g} s; there are: {listed}{scope}"
    )


def resolve_one(query: StreamQuery, timeout_s: float) -> FoundStream:
    """Wait for the one stream that matches.

    Raises
    ------
    StreamError
        When none appears within `timeout_s`, or several match; the message lists them.
    SettingsError
        For a predicate that is not XPath.
    """
    # A source id means one device: it is not waited whether there is another.
    look = _first if query.source_id is not None else await_streams
    streams = look(query, timeout_s)
    if not streams:
        raise _none_there(query, timeout_s)
    if len(streams) > 1:
        raise StreamError(
            f"{len(streams)} LSL streams match {query}: {'; '.join(map(str, streams))}; "
            "choose one by its source id"
        )
    return streams[0]


class Lookout:
    """Keeps looking for streams in the background: who is there is known without waiting.

    liblsl asks twice a second: one that appears was found 0.4 s later (measured, liblsl 1.18.0).

    Parameters
    ----------
    query : StreamQuery

    Raises
    ------
    SettingsError
        For a predicate that is not XPath.
    """

    def __init__(self, query: StreamQuery) -> None:
        configure_lsl()
        _check(query)
        # One that went away is forgotten after so many seconds.
        self._resolver = pylsl.ContinuousResolver(pred=query.xpath(), forget_after=2.0)

    def found(self) -> list[FoundStream]:
        """Return who answered in the last two seconds."""
        return _sorted(found_stream(handle) for handle in self._resolver.results())


def describe_stream(xml: str) -> StreamInfo:
    """Read a stream's full description.

    Labels, units, types and positions come from ``desc/channels/channel`` as the XDF metadata
    specification has them; channels that are not described are named ``ch1``, ``ch2``, ... with no
    unit. All as the reader of XDF files does it: a stream and its recording look the same.

    Parameters
    ----------
    xml : str
        ``StreamInlet.info().as_xml()``.
    """
    root = ET.fromstring(xml)
    n_channels = int(root.findtext("channel_count") or 0)
    kind = (root.findtext("type") or "").strip() or "EEG"
    described = root.findall("desc/channels/channel")
    if len(described) != n_channels:
        described = []  # whose is whose cannot be told
    channels = [
        Channel(
            label=canonical_label(_text(node, "label")) or f"ch{number}",
            unit=_text(node, "unit"),
            kind=_text(node, "type") or kind,
            position_m=_position(node),
            impedance_ohm=declared_impedance(_text(node, "impedance")),
        )
        for number, node in enumerate(described, start=1)
    ] or [Channel(label=f"ch{number}", kind=kind) for number in range(1, n_channels + 1)]
    return StreamInfo(
        name=root.findtext("name") or "",
        kind=kind,
        source_id=root.findtext("source_id") or "",
        rate_hz=float(root.findtext("nominal_srate") or 0.0),
        channels=tuple(channels),
        dtype=root.findtext("channel_format") or "undefined",
        hostname=root.findtext("hostname") or "",
    )


def _text(node: ET.Element, tag: str) -> str:
    return (node.findtext(tag) or "").strip()


def _position(node: ET.Element) -> tuple[float, float, float] | None:
    """Read a place: millimetres by the specification, metres where senders err."""
    try:
        x, y, z = (float(_text(node, f"location/{axis}")) for axis in "XYZ")
    except ValueError:
        return None
    distance = math.hypot(x, y, z)
    if not math.isfinite(distance) or distance == 0.0:
        return None
    per_m = 1000.0 if distance > 1.0 else 1.0  # no electrode is a metre from the head's centre
    return x / per_m, y / per_m, z / per_m
