"""How long the window's event loop goes without a turn, and what held it up."""

import sys
import threading
import time
import traceback
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer

__all__ = ["Held", "LoopWatch"]

_BEAT_MS, _LOOK_S = 5, 0.005


@dataclass(frozen=True, slots=True)
class Held:
    """A time without a turn.

    Attributes
    ----------
    gap_ms : float
    where : str
        What the window's thread was doing in the midst of it.
    """

    gap_ms: float
    where: str


class LoopWatch(QObject):
    """Beats in the event loop, and looks from another thread whether the beat is late.

    Parameters
    ----------
    late_ms : float
        From when on a gap is held against somebody.
    """

    def __init__(self, late_ms: float = 50.0) -> None:
        super().__init__()
        self._late_ms = late_ms
        self.gaps_ms: list[float] = []
        self.held: list[Held] = []
        self._main = threading.get_ident()
        self._last_s = time.perf_counter()
        self._where = ""
        self._stop = threading.Event()
        self._timer = QTimer(self)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        self._thread = threading.Thread(target=self._look, name="loop watch", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        gap_ms = 1e3 * (now - self._last_s)
        self.gaps_ms.append(gap_ms)
        if gap_ms > self._late_ms:
            self.held.append(Held(gap_ms, self._where))
        self._where, self._last_s = "", now

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_S):
            if not self._where and time.perf_counter() - self._last_s > 0.6e-3 * self._late_ms:
                frame = sys._current_frames().get(self._main)  # noqa: SLF001
                if frame is not None:
                    stack = traceback.extract_stack(frame)[-6:]
                    self._where = " < ".join(
                        f"{entry.name} ({entry.filename.rsplit('/', 2)[-1]}:{entry.lineno})"
                        for entry in reversed(stack)
                    )

    def start_anew(self) -> None:
        """Forget what was before."""
        self.gaps_ms.clear()
        self.held.clear()
        self._last_s = time.perf_counter()

    @property
    def worst_ms(self) -> float:
        """The longest gap (ms)."""
        return max(self.gaps_ms, default=0.0)

    def close(self) -> None:
        """Stop watching."""
        self._timer.stop()
        self._stop.set()
        self._thread.join()
