"""Keeping the marker stream, which tells the decoder of cues."""

import logging
import threading
import time
from collections.abc import Callable

from bci.acquisition.markers import MarkerThread
from bci.daemon.notices import Notices, Repeated
from bci.daemon.settings import StreamSettings
from bci.errors import RolandicError
from bci.events import Marker
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
    """

    def __init__(
        self, stream: StreamSettings, take: Callable[[Marker], None], notices: Notices
    ) -> None:
        self._stream, self._take, self._notices = stream, take, notices
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name="markers keeper", daemon=True)
        self.connected = False

    def start(self) -> None:
        """Begin to look for the stream."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of it; a search that is under way ends by itself."""
        self._stop.set()
        self._lost.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        say = Repeated(self._notices.say, _REMIND_S, time.monotonic)
        while not self._stop.is_set():
            try:
                inlet = MarkerInlet(self._stream.query, _LOOK_S)
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
        self._notices.say(text)
        self._lost.set()
