"""Finding LSL streams, and reading what they say of themselves.

How far discovery reaches is set here, once a process, before liblsl's first use
(:func:`configure_lsl`): this machine only, unless the user has a configuration of their own. That
hides, it does not lock: an outlet still listens on every interface, and a program elsewhere that
asks by broadcast is answered.
"""

import functools
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pylsl

from bci.errors import SettingsError, StreamError
from bci.sources.base import Channel, StreamInfo
from bci.sources.labels import canonical_label

__all__ = [
    "DTYPES",
    "FoundStream",
    "StreamQuery",
    "configure_lsl",
    "describe_stream",
    "find_streams",
    "resolve_one",
    "resolve_streams",
    "user_lsl_config",
]

#: liblsl's channel formats by number, under the names that XDF uses.
DTYPES = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")

# The multicast group is ours (RFC 2365 leaves 239.255/16 to the site) and its packets leave with a
# time to live of 0, as scope "machine" sets it. Without one, the only address of that scope is
# 127.0.0.1 and only one of several outlets hears a packet to it: each resolve then waited 0.5 s for
# the second wave. With it, and with this machine as a known peer for programs that do not join the
# group (a second wave, after MulticastMinRTT), a resolve takes 1 ms among ourselves and 0.1 s for
# others (measured, liblsl 1.18.0). Log level -3 (fatal): liblsl writes to stderr, which is ours.
_CONFIG = """
[multicast]
ResolveScope = machine
MachineAddresses = {127.0.0.1, 239.255.77.83}
[lab]
KnownPeers = {127.0.0.1}
[tuning]
MulticastMinRTT = 0.1
UnicastMinRTT = 0.2
[log]
level = -3
"""

#: Others that match answer within this time of the first (s).
_GATHER_S = 0.3

#: How long one call may wait inside liblsl (s).
_SLICE_S = 0.5


def user_lsl_config() -> Path | None:
    """Return the configuration file that liblsl would read; None when the user has none.

    One that ``LSLAPICFG`` names counts even if it is not there: the user meant to have one.
    """
    if "LSLAPICFG" in os.environ:
        return Path(os.environ["LSLAPICFG"])
    places = [Path("lsl_api.cfg")]
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    if home:
        places.append(Path(home) / "lsl_api" / "lsl_api.cfg")
    places.append(Path("/etc/lsl_api/lsl_api.cfg"))
    return next((place for place in places if place.is_file()), None)


@functools.cache
def configure_lsl() -> bool:
    """Limit LSL's discovery to this machine, unless the user has an ``lsl_api.cfg``.

    Called before every first use of LSL in a process; again is harmless. The session id stays
    ``default``, so that other LSL programs on this machine see our streams and we theirs.

    Returns
    -------
    bool
        True when the configuration is ours, False when the user's file decides.
    """
    if user_lsl_config() is not None:
        return False
    pylsl.util.set_config_content(_CONFIG)
    return True


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


def _found(handle: pylsl.StreamInfo) -> FoundStream:
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
    return _sorted(_found(handle) for handle in handles)


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


def resolve_streams(query: StreamQuery, timeout_s: float) -> list[FoundStream]:
    """Wait for at least one stream that matches, then return all that do.

    Raises
    ------
    StreamError
        When none appears within `timeout_s`; the message lists the streams that are there.
    SettingsError
        For a predicate that is not XPath.
    """
    configure_lsl()
    _check(query)
    first: list[Any] = []
    deadline = time.monotonic() + timeout_s
    while not first and (left_s := deadline - time.monotonic()) > 0:
        # In slices: Ctrl-C does not reach a call that waits inside liblsl.
        first = pylsl.resolve_bypred(query.xpath(), minimum=1, timeout=min(left_s, _SLICE_S))
    if first and query.source_id is not None:
        return _sorted(map(_found, first))  # a source id means one device: none to wait for
    if first:
        return find_streams(query, _GATHER_S)
    there = find_streams(None, 1.0)
    listed = "; ".join(map(str, there)) if there else "none at all"
    scope = (
        "; streams of other machines are seen with an lsl_api.cfg that says so"
        if configure_lsl() and not there
        else ""
    )
    raise StreamError(
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
    streams = resolve_streams(query, timeout_s)
    if not streams:
        raise StreamError(f"the LSL stream with {query} went away while it was being resolved")
    if len(streams) > 1:
        raise StreamError(
            f"{len(streams)} LSL streams match {query}: {'; '.join(map(str, streams))}; "
            "choose one by its source id"
        )
    return streams[0]


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
