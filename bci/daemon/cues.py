"""Keeping the marker stream, which tells the decoder of cues."""

import logging
import threading
import time
from collections.abc import Callable

from bci.acquisition.markers import MarkerThread
from bci.daemon.notices import Notices, Repeated
from bci.daemon.settings import StreamSettings
from bci.errors import RolandicError, StreamAbsentError
from bci.events import Marker
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerInlet

__all__ = ["CueKeeper"]

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_AGAIN_S = 1.0
_REMIND_S = 600.0
_JOIN_S = 0.3


class CueKeeper:
    """A thread that listens to a marker stream whenever it is there, from `start` to `stop`.

    Parameters
    ----------
    stream : StreamSettings
    take : callable
        Called with each marker.
    notices : Notices
    told : callable
        Whether the recorder says itself that the stream is away; see `Listening`.
    """

    def __init__(
        self,
        stream: StreamSettings,
        take: Callable[[Marker], None],
        notices: Notices,
        told: Callable[[StreamQuery], bool],
    ) -> None:
        self._stream, self._take, self._notices, self._told = stream, take, notices, told
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name="markers keeper", daemon=True)
        self.connected = False

    def start(self) -> None:
        """Begin to look for the stream."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of it; looking and connecting are not waited for: they end by themselves."""
        self._stop.set()
        self._lost.set()
        if self.connected:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        say = Repeated(self._notices.say, _REMIND_S, time.monotonic)
        while not self._stop.is_set():
            try:
                inlet = MarkerInlet(self._stream.query, _LOOK_S)
            except StreamAbsentError as error:
                if not self._told(self._stream.query):
                    say(f"waiting for the marker stream ({self._stream.query}): {error}")
                self._stop.wait(_AGAIN_S)
                continue
            except RolandicError as error:
                say(f"waiting for the marker stream ({self._stream.query}): {error}")
                self._stop.wait(_AGAIN_S)
                continue
            except Exception as error:
                _log.exception("the marker stream could not be opened")
                say(f"the marker stream ({self._stream.query}) cannot be opened: {error!r}")
                self._stop.wait(_AGAIN_S)
                continue
            say.forget()
            self._lost.clear()
            thread = MarkerThread(inlet, self._marker, self._gone)
            thread.start()
            self.connected = True
            while not (self._lost.wait(_AGAIN_S) or self._stop.is_set()):
                pass
            self.connected = False
            thread.stop()

    def _marker(self, marker: Marker) -> None:
        self._notices.write("marker", label=marker.label, time_s=marker.time_s)
        self._take(marker)

    def _gone(self, text: str) -> None:
        if self._told(self._stream.query):
            self._notices.write("acquisition", state="lost", text=text)
        else:
            self._notices.say(text)
        self._lost.set()
