"""How long the window's event loop goes without a turn, and what held it up."""

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

__all__ = ["Held", "LoopWatch"]

_BEAT_MS, _LOOK_S = 5, 0.005
#: Calls that are told of where the window's thread was.
_DEEP = 7


@dataclass(frozen=True, slots=True)
class Held:
    """A time without a turn.

    Attributes
    ----------
    gap_ms : float
    own_ms : float
        Processor time of the window's thread in it: what the window itself had to do.
    process_ms : float
        Processor time of all threads of the process. The window's thread waited for another one
        where this is much more than its own, and for the machine where it is much less than the
        gap.
    where : str
        What the window's thread was doing in the midst of it.
    """

    gap_ms: float
    own_ms: float
    process_ms: float
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
        self.own_ms: list[float] = []
        self.held: list[Held] = []
        self._main = threading.get_ident()
        self._last_s = time.perf_counter()
        self._used_s = time.thread_time(), time.process_time()
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
        used_s = time.thread_time(), time.process_time()
        gap_ms = 1e3 * (now - self._last_s)
        own_ms, process_ms = (1e3 * (b - a) for a, b in zip(self._used_s, used_s, strict=True))
        self.gaps_ms.append(gap_ms)
        self.own_ms.append(own_ms)
        if gap_ms > self._late_ms:
            self.held.append(Held(gap_ms, own_ms, process_ms, self._where))
        self._where, self._last_s, self._used_s = "", now, used_s

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_S):
            if not self._where and time.perf_counter() - self._last_s > 0.6e-3 * self._late_ms:
                frame = sys._current_frames().get(self._main)  # noqa: SLF001
                places: list[tuple[str, str, int]] = []
                while frame is not None and len(places) < _DEEP:
                    code = frame.f_code
                    places.append((code.co_name, code.co_filename, frame.f_lineno))
                    frame = frame.f_back
                self._where = " < ".join(
                    f"{name} ({'/'.join(Path(file).parts[-2:])}:{line})"
                    for name, file, line in places
                )

    def start_anew(self) -> None:
        """Forget what was before."""
        self.gaps_ms.clear()
        self.own_ms.clear()
        self.held.clear()
        self._last_s = time.perf_counter()
        self._used_s = time.thread_time(), time.process_time()

    @property
    def worst_ms(self) -> float:
        """The longest gap (ms)."""
        return max(self.gaps_ms, default=0.0)

    def close(self) -> None:
        """Stop watching."""
        self._timer.stop()
        self._stop.set()
        self._thread.join()
