"""What the threads of a recorder share: streams, notices, events, and whether it goes on."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from bci.recording.connection import Connection
from bci.recording.settings import RecorderSettings
from bci.recording.track import Track
from bci.sources.discovery import FoundStream
from bci.sources.xdf_events import RECORDER_STREAM

__all__ = ["Shared", "events_xml"]

logger = logging.getLogger(__name__)


def events_xml() -> str:
    """Return the header of the stream of events: JSON texts, stamped on our clock."""
    info = ET.Element("info")
    for tag, text in (
        ("name", RECORDER_STREAM),
        ("type", "Log"),  # not "Markers": other programs would take it for cues
        ("channel_count", "1"),
        ("channel_format", "string"),
        ("nominal_srate", "0"),
        ("source_id", "rolandic-recorder"),
    ):
        ET.SubElement(info, tag).text = text
    desc = ET.SubElement(info, "desc")
    ET.SubElement(desc, "manufacturer").text = "Rolandic"
    ET.SubElement(desc, "content").text = "what happened while this file was recorded, as JSON"
    return ET.tostring(info, encoding="unicode")


class Shared:
    """One for each recorder; any thread may use it.

    Parameters
    ----------
    path : Path
    settings : RecorderSettings
    clock : callable
        The LSL clock (s).

    Attributes
    ----------
    stop : Event
        Set when the recorder is to end, with `stopped_s`, the time of it, before.
    tracks : tuple of Track
        In the order in which they came; replaced whole.
    refused : tuple of FoundStream
        Have no form in the file.
    notices : tuple of str
    error : str or None
        Why nothing is written any more.
    """

    def __init__(self, path: Path, settings: RecorderSettings, clock: Callable[[], float]) -> None:
        self.path, self.settings, self.clock = path, settings, clock
        self.stop = threading.Event()
        self.stopped_s = 0.0
        self.tracks: tuple[Track, ...] = ()
        self.refused: tuple[FoundStream, ...] = ()
        self.notices: tuple[str, ...] = ()
        self.error: str | None = None
        self._claimed: set[str] = set()
        self._events: deque[tuple[float, str]] = deque()
        self._lock = threading.Lock()

    @property
    def over(self) -> bool:
        """Whether nothing more is to be received."""
        return self.stop.is_set() or self.error is not None

    def ask_stop(self) -> None:
        """Let everything that is sent from now on be received no more; again is harmless."""
        with self._lock:
            if not self.stop.is_set():
                self.stopped_s = self.clock()
                self.stop.set()

    def fail(self, reason: str) -> None:
        """End the recording: nothing can be written any more."""
        self.error = reason
        self.say(reason)

    def say(self, text: str) -> None:
        """Tell the user."""
        most = self.settings.n_notices_kept
        with self._lock:
            if len(self.notices) < most:
                self.notices += (text,)
            elif len(self.notices) == most:
                self.notices += (f"further notices are only in the {RECORDER_STREAM!r} stream",)
        logger.warning("%s", text)

    def event(self, kind: str, track: Track | None = None, **fields: Any) -> None:
        """Let the file say that something happened now."""
        source: dict[str, Any] = {}
        if track is not None:
            found = track.found
            source = {"name": found.name, "source_id": found.source_id, "stream": track.stream_id}
        content = json.dumps({"event": kind, **source, **fields}, ensure_ascii=False)
        self._events.append((self.clock(), content))

    def take_events(self) -> list[tuple[float, str]]:
        """Return the events that are not in the file yet; for the writer alone."""
        taken: list[tuple[float, str]] = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def refuse(self, found: FoundStream) -> None:
        """Take note of a stream that has no form in the file."""
        with self._lock:
            self.refused += (found,)

    def claim(self, found: FoundStream) -> bool:
        """Take an outlet for oneself; False when another has it."""
        with self._lock:
            if found.uid in self._claimed:
                return False
            self._claimed.add(found.uid)
            return True

    def unclaim(self, found: FoundStream) -> None:
        """Give an outlet up."""
        with self._lock:
            self._claimed.discard(found.uid)

    def claimed(self, found: FoundStream) -> bool:
        """Whether an outlet is somebody's."""
        return found.uid in self._claimed

    def new_track(self, connection: Connection) -> Track:
        """Begin a stream of the file; the writer makes its header before its first sample."""
        track = Track(connection, self.settings.n_gaps_kept)
        with self._lock:
            self.tracks += (track,)
        return track
