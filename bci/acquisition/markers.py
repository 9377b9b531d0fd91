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


class MarkerThread:
    """Calls `on_marker` with each marker of an inlet.

    Parameters
    ----------
    inlet : MarkerInlet
        Opened; closed by `stop`.
    on_marker : callable
        Called in the marker thread.
    on_loss : callable
        Called with what to say when the stream has closed.
    """

    def __init__(
        self,
        inlet: MarkerInlet,
        on_marker: Callable[[Marker], None],
        on_loss: Callable[[str], None] = _log.warning,
    ) -> None:
        self._inlet, self._on_marker, self._on_loss = inlet, on_marker, on_loss
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
                self._on_loss(str(error))
                return
            for marker in markers:
                try:
                    self._on_marker(marker)
                except Exception:
                    _log.exception("marker %r could not be taken", marker.label)
