"""The marker thread: it owns a marker inlet and hands its markers on as they come."""

import logging
import threading
from collections.abc import Callable

from bci.errors import StreamLostError
from bci.events import Marker
from bci.sources.markers import MarkerInlet

__all__ = ["MarkerThread"]

_log = logging.getLogger(__name__)

# A cue restarts the evidence of the trial: 5 ms later is far below one hop.
_POLL_S = 0.005
_RETURN_S = 0.05


class MarkerThread:
    """Calls `on_marker` with each marker of an inlet.

    Parameters
    ----------
    inlet : MarkerInlet
        Opened; closed by `stop`.
    on_marker : callable
        Called in the marker thread.
    on_notice : callable
        Called in the marker thread with what to say when the stream has closed, and when it is
        back: it is looked for until then.
    """

    def __init__(
        self,
        inlet: MarkerInlet,
        on_marker: Callable[[Marker], None],
        on_notice: Callable[[str], None] = _log.warning,
    ) -> None:
        self._inlet, self._on_marker, self._on_notice = inlet, on_marker, on_notice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="markers", daemon=True)

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the inlet; more than once is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._inlet.close()

    def _run(self) -> None:
        while not self._stop.wait(_POLL_S):
            try:
                markers = self._inlet.pull()
            except StreamLostError as error:
                self._on_notice(f"{error}: it is looked for until it returns")
                if not self._wait_for_return():
                    return
                continue
            for marker in markers:
                try:
                    self._on_marker(marker)
                except Exception:
                    _log.exception("marker %r could not be taken", marker.label)

    def _wait_for_return(self) -> bool:
        """Look until the stream is there again, or the thread is to stop."""
        while not self._stop.wait(_RETURN_S):
            if self._inlet.resume():
                self._on_notice(f"LSL marker stream {self._inlet.info.name!r} is back")
                return True
        return False
