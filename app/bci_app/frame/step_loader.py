"""Imports the steps behind the window's first picture: what they need takes seconds."""

import importlib
import logging
import threading
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

__all__ = ["StepLoader"]

_log = logging.getLogger(__name__)


class StepLoader(QObject):
    """Imports modules in a thread, one after the other.

    Parameters
    ----------
    names : sequence of str
        Of steps; each is a module of `bci_app.steps`.
    ahead : callable
        Called in the thread when all are imported: what is better done before anybody waits.
    """

    #: Name of a step: its module is there.
    imported = Signal(str)
    #: Name of a step, and why its module cannot be imported.
    failed = Signal(str, str)
    #: All is done.
    finished = Signal()

    def __init__(
        self, names: Sequence[str], ahead: Callable[[], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._names, self._ahead = tuple(names), ahead
        self._thread = threading.Thread(target=self._load, name="steps")
        self._left, self._built = threading.Event(), threading.Event()

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def built(self) -> None:
        """Import the next; while the window builds, an import would only be in its way."""
        self._built.set()

    def wait(self) -> None:
        """Import no further module, and wait for the one at hand; harmless before `start`."""
        self._left.set()
        self._built.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _load(self) -> None:
        for name in self._names:
            if self._left.is_set():
                return
            self._built.clear()
            try:
                importlib.import_module(f"bci_app.steps.{name}")
            except Exception as error:
                # A broken installation costs one step, and is said.
                _log.exception("step %s cannot be imported", name)
                self.failed.emit(name, f"{type(error).__name__}: {error}")
            else:
                self.imported.emit(name)
                self._built.wait()
        if not self._left.is_set():
            try:
                self._ahead()
            except Exception:
                _log.exception("what is needed later cannot be imported")
        self.finished.emit()
