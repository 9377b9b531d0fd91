"""Markers over LSL, out and in."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import pylsl

from bci.errors import StreamError, StreamLostError
from bci.events import CLASSES, EVENTS, Marker, normalised_label
from bci.sources.base import StreamInfo
from bci.sources.discovery import (
    FoundStream,
    Lookout,
    StreamQuery,
    configure_lsl,
    describe_stream,
    resolve_one,
)
from bci.sources.inlets import ClockOffset, open_inlet
from bci.sources.returns import ReturnWatch

__all__ = ["MarkerInlet", "MarkerOutlet"]

logger = logging.getLogger(__name__)

# How long closing an inlet may take.
_WAIT_S = 0.2
#: How often the newest clock offset is fetched (s).
_CLOCK_S = 0.5


class MarkerOutlet:
    """An irregular LSL stream of one string a sample, with the events' names and GDF codes.

    Parameters
    ----------
    name, source_id : str
    """

    def __init__(self, name: str, source_id: str) -> None:
        configure_lsl()
        info = pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, "string", source_id)
        desc = info.desc()
        desc.append_child_value("manufacturer", "Rolandic")
        channel = desc.append_child("channels").append_child("channel")
        channel.append_child_value("label", "Event")
        channel.append_child_value("type", "Marker")
        events = desc.append_child("events")
        for event, code in {**CLASSES, **EVENTS}.items():
            node = events.append_child("event")
            node.append_child_value("name", event)
            node.append_child_value("gdf", str(code))
        self.name = name
        self.source_id = source_id
        self.n_pushed = 0
        self._outlet: Any = pylsl.StreamOutlet(info)

    def push(self, label: str, time_s: float) -> None:
        """Send one marker, stamped `time_s` (LSL clock, s)."""
        self._outlet.push_sample([label], time_s)
        self.n_pushed += 1

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody listens; False when nobody did within `timeout_s`."""
        return bool(self._outlet.wait_for_consumers(timeout_s))

    def close(self) -> None:
        """Take the stream off the network; more than once is harmless."""
        self._outlet = None


class MarkerInlet:
    """Markers as they arrive, from a stream of strings or numbers.

    Each string that is not empty is a marker, and so is each number of an irregular stream. In a
    regular stream of numbers (a trigger channel) a marker is a change to a value other than zero.
    A thread of the inlet's own waits for them, so that nothing is left behind when the sender
    closes right after its last marker (`bci.sources.inlets`).

    Parameters
    ----------
    query : StreamQuery
        Must match exactly one stream.
    timeout_s : float
        To wait for it to appear (s).

    Raises
    ------
    StreamError
        No stream, or several.
    """

    def __init__(self, query: StreamQuery, timeout_s: float = 10.0) -> None:
        stream = resolve_one(query, timeout_s)
        self._arrived: deque[Marker] = deque()
        self._stop = threading.Event()
        self._watch: ReturnWatch | None = None
        self._connect(stream, timeout_s=5.0)

    def _connect(self, stream: FoundStream, timeout_s: float) -> None:
        if not stream.n_channels:
            raise StreamError(f"LSL stream {stream} has no channels: choose a stream of markers")
        self._inlet, xml = open_inlet(stream, timeout_s)
        self._clock = ClockOffset(self._inlet, _CLOCK_S)
        self._clock.measure(timeout_s)
        self.info: StreamInfo = describe_stream(xml)
        self._uid = stream.uid
        # Whether the sender lives cannot be seen from its markers: they are rare.
        self._lookout = (
            Lookout(StreamQuery(source_id=stream.source_id)) if stream.source_id else None
        )
        self._triggers = stream.rate_hz > 0 and stream.dtype != "string"
        self._last: list[Any] = [0] * stream.n_channels
        self._thread = threading.Thread(
            target=self._run, name=f"markers {self.info.name}", daemon=True
        )
        self._thread.start()

    def resume(self) -> bool:
        """Take up a stream that was lost, if it is there again; to be called until it is.

        The first call begins to look in the background, none waits for the stream to appear.
        """
        if self._watch is None:
            self._watch = ReturnWatch(self.info, {self._uid})
        found = self._watch.found
        if found is None:
            return False
        self._unwatch()
        try:
            self._connect(found, timeout_s=2.0)
        except StreamError as error:
            logger.info("%s is there again, but: %s", found, error)
            return False
        return True

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def pull(self) -> list[Marker]:
        """Return what has arrived since the last call, on this machine's LSL clock; never waits.

        Raises
        ------
        StreamLostError
            When the stream has closed (`resume` takes it up again); what came before was returned
            by earlier calls.
        """
        lost = not self._thread.is_alive() and not self._stop.is_set()
        markers = [self._arrived.popleft() for _ in range(len(self._arrived))]
        if lost and not markers:
            raise StreamLostError(
                f"LSL marker stream {self.info.name!r} (source id {self.info.source_id!r}) "
                "has closed"
            )
        return markers

    def _run(self) -> None:
        try:
            while not (self._stop.is_set() or self._replaced()):
                values, stamp = self._inlet.pull_sample(_WAIT_S)
                if values is not None:
                    time_s = stamp + self._clock.now_s()
                    self._arrived.extend(
                        Marker(time_s, label) for label in self._labels(values.tolist())
                    )
                self._clock.refresh()
        except pylsl.util.LostError:
            logger.info("marker stream %r closed", self.info.name)

    def _replaced(self) -> bool:
        """Return whether another outlet of the source id answers, and ours does not any more."""
        if self._lookout is None:
            return False
        uids = {found.uid for found in self._lookout.found()}
        return bool(uids) and self._uid not in uids

    def _labels(self, values: list[Any]) -> Iterator[str]:
        previous, self._last = self._last, values
        for value, before in zip(values, previous, strict=True):
            if isinstance(value, bytes):
                if value.strip():
                    yield normalised_label(value.decode("utf-8", "replace"))
            elif not self._triggers or (value and value != before):
                yield normalised_label(str(value))

    def close(self) -> None:
        """Disconnect; more than once is harmless."""
        self._stop.set()
        self._unwatch()
        self._thread.join()
        self._inlet = self._lookout = None
