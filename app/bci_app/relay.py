"""From psygnal's events, which come in any thread, to slots in the window's thread.

A relay belongs to a widget. What is emitted is put into Qt's queue; the slot is called when the
event loop comes to it, and never after `close`. Of events that come faster than they can be shown
(`newest=True`) only the newest is delivered.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from PySide6.QtCore import QObject, Qt, Signal, Slot

__all__ = ["Relay"]

_log = logging.getLogger(__name__)


class Relay(QObject):
    """Delivers events to slots in the thread of the window.

    Parameters
    ----------
    parent : QObject, optional
    """

    _came = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._connections: list[tuple[SignalInstance, Callable[..., None]]] = []
        self._closed = False
        self._came.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def connect_event(
        self, event: SignalInstance, slot: Callable[..., object], *, newest: bool = False
    ) -> None:
        """Call a slot, in the window's thread, with what an event carries."""
        caller = _Newest(self, slot) if newest else _Each(self, slot)
        event.connect(caller.emitted)
        self._connections.append((event, caller.emitted))

    def close(self) -> None:
        """Deliver nothing any more; more than once is harmless."""
        self._closed = True
        for event, emitted in self._connections:
            event.disconnect(emitted, missing_ok=True)
        self._connections.clear()

    @Slot(object)
    def _deliver(self, call: Callable[[], None]) -> None:
        if self._closed:
            return
        try:
            call()
        except Exception:
            # One slot that fails must not take the event loop with it.
            _log.exception("the window failed to show an event")


class _Each:
    def __init__(self, relay: Relay, slot: Callable[..., object]) -> None:
        self._relay, self._slot = relay, slot

    def emitted(self, *what: Any) -> None:
        try:
            self._relay._came.emit(lambda: self._slot(*what))  # noqa: SLF001
        except RuntimeError:  # the widget is gone already
            _log.debug("an event came after its widget")


class _Newest:
    def __init__(self, relay: Relay, slot: Callable[..., object]) -> None:
        self._relay, self._slot = relay, slot
        self._lock = threading.Lock()
        self._waiting: tuple[Any, ...] | None = None

    def emitted(self, *what: Any) -> None:
        with self._lock:
            queued, self._waiting = self._waiting is not None, what
        if not queued:
            try:
                self._relay._came.emit(self._call)  # noqa: SLF001
            except RuntimeError:
                _log.debug("an event came after its widget")

    def _call(self) -> None:
        with self._lock:
            what, self._waiting = self._waiting, None
        if what is not None:
            self._slot(*what)
