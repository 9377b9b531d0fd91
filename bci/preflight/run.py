"""The whole pre-flight: folder, network, and all streams at once."""

import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

import numpy as np
import pylsl

from bci.checks import Check, failed, ok
from bci.config import LslSettings
from bci.errors import InputError
from bci.preflight import place, streams
from bci.preflight.observe import Observed, observe
from bci.preflight.plan import ExpectedStream, Plan
from bci.sources.discovery import FoundStream, find_streams
from bci.sources.inlets import NUMPY_DTYPES
from bci.sources.lsl_config import configure_lsl, lsl_settings, user_lsl_config

__all__ = ["examine"]

_log = logging.getLogger(__name__)

#: A stream that is there answers within this time, one behind a known peer too.
_FIRST_S = 1.5
#: One wait inside liblsl.
_SLICE_S = 0.5
#: A second one with the same source id answers within this time of the first. Not 0.4 s, when
#: liblsl asks known peers again: a question asked as a search ends holds it up (see lsl_config).
_GATHER_S = 0.35


@dataclass(slots=True)
class _Look:
    """What was found of one expected stream."""

    found: list[FoundStream] = field(default_factory=list)
    seen: list[tuple[FoundStream, Observed | InputError]] = field(default_factory=list)


def examine(
    plan: Plan, began: Callable[[str], object] | None = None, *, retry_s: float = 0.0
) -> Iterator[Check]:
    """Check everything that a session needs; all streams are looked at together.

    With every stream there it takes about 2.5 s.

    Parameters
    ----------
    plan : Plan
    began : callable, optional
        Told what is waited for.
    retry_s : float
        How long a stream that is not there is looked for again (s).

    Yields
    ------
    Check

    Raises
    ------
    SettingsError
        For a predicate that is not XPath, or LSL settings that come too late.
    """
    configure_lsl(plan.lsl)
    for expected in plan.streams:
        if expected.predicate is not None:
            find_streams(expected.query, 0.0)  # raises for what is no predicate
    say = began or (lambda _: None)
    stop = Event()
    with ThreadPoolExecutor(2 + len(plan.streams), "preflight") as pool:
        try:
            deadline = time.monotonic() + max(_FIRST_S, retry_s)
            say("folder")
            target = pool.submit(place.folder, "folder", plan.folder)
            network = pool.submit(_network, "network")
            looks = [pool.submit(_look, x, deadline, stop) for x in plan.streams]
            yield target.result()
            yield network.result()
            if not plan.streams:
                yield failed("streams", "none is expected", "name at least one stream")
            yield from _told(plan, looks, say)
            found = [look.result().found for look in looks]
            yield place.space("space", plan, _bytes_per_s(plan, found))
        finally:
            stop.set()


def _look(expected: ExpectedStream, deadline: float, stop: Event) -> _Look:
    """Wait for a stream, see whether it is there twice, then look at it."""
    look = _Look()
    xpath = expected.query.xpath()
    there = False
    while not there and not stop.is_set() and (left_s := deadline - time.monotonic()) > 0:
        there = bool(pylsl.resolve_bypred(xpath, minimum=1, timeout=min(left_s, _SLICE_S)))
    if there and not stop.is_set():
        look.found = find_streams(expected.query, _GATHER_S)
    if streams.several(expected, look.found) is None:
        with ThreadPoolExecutor(max(1, len(look.found)), "preflight") as pool:
            look.seen = list(pool.map(lambda x: (x, _observed(x, stop)), look.found))
    return look


def _observed(stream: FoundStream, stop: Event) -> Observed | InputError:
    try:
        return observe(stream, stop)
    except InputError as error:
        return error


def _told(
    plan: Plan,
    looks: list[Future[_Look]],
    say: Callable[[str], object],
) -> Iterator[Check]:
    """Yield what is to be said of each stream, in the order in which they are expected."""
    there: list[FoundStream] | None = None
    owners: dict[str, str] = {}
    for expected, future in zip(plan.streams, looks, strict=True):
        say(f"waiting for {expected.label}")
        look = future.result()
        if not look.found:
            there = find_streams(None, _SLICE_S) if there is None else there
            yield streams.missing(expected, there, _reach())
        elif problem := streams.several(expected, look.found):
            yield problem
        for stream, seen in look.seen:
            if (owner := owners.setdefault(stream.uid, expected.label)) != expected.label:
                # Recorded once: the recorder tells streams apart by their outlet.
                yield ok(expected.label, f"{stream.name!r} is the one that {owner!r} means too")
            elif isinstance(seen, InputError):
                yield failed(expected.label, str(seen), "restart its program; look at the firewall")
            else:
                yield from streams.judge(expected, stream, seen, plan.fits.get(expected.label))


def _network(name: str) -> Check:
    """Say how far streams are looked for; check that known peers have addresses."""
    held = lsl_settings()
    if held is None:
        return ok(name, f"streams are looked for as {user_lsl_config()} says")
    unknown = [peer for peer in held.known_peers if not _has_address(peer)]
    if unknown:
        return failed(
            name,
            f"known peer {', '.join(unknown)}: no machine of that name is known here",
            "mend the name, or give the address (such as 192.0.2.7)",
        )
    return ok(name, _reached(held))


def _reached(held: LslSettings) -> str:
    where = "this machine" if held.scope == "machine" else f"this machine and scope {held.scope!r}"
    asked = f", asked directly: {', '.join(held.known_peers)}" if held.known_peers else ""
    session = "" if held.session_id == "default" else f", session {held.session_id!r}"
    return f"streams are looked for on {where}{asked}{session}"


def _reach() -> str:
    held = lsl_settings()
    if held is None or held.scope != "machine" or held.known_peers:
        return ""
    return "; one of another machine: --lsl-peer HOST, or known_peers"


def _has_address(peer: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(peer))
    try:
        socket.getaddrinfo(peer, None)
    except OSError:
        return False
    return True


def _bytes_per_s(plan: Plan, found: list[list[FoundStream]]) -> float:
    """Return what the streams bring to an XDF file (bytes/s): a mark, a stamp, the numbers.

    One that is not there yet counts as it is expected, in float32.
    """
    unique = {stream.uid: stream for streams in found for stream in streams}
    brought = sum(
        stream.rate_hz * (9 + stream.n_channels * np.dtype(NUMPY_DTYPES[stream.dtype]).itemsize)
        for stream in unique.values()
        if stream.dtype in NUMPY_DTYPES
    )
    awaited = sum(
        (expected.rate_hz or 0.0) * (9 + 4 * (expected.n_channels or 0))
        for expected, streams in zip(plan.streams, found, strict=True)
        if not streams
    )
    return brought + awaited
