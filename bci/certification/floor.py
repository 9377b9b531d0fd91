"""How late this machine wakes a thread that does nothing: the floor under every latency."""

import threading
import time

from bci.online.latency import Spread, Tally

__all__ = ["FloorThread"]

_PERIOD_S = 0.005


class FloorThread:
    """Sleeps to deadlines beside what is measured, and notes how late it wakes.

    By it a decoder that is slow can be told from a machine that is busy: what a bare thread of the
    same process waits for, nothing in it can be quicker than.
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduling floor", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> Spread | None:
        """End; return how late it woke, None when it never did or never began."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        return self._tally.spread()

    def _run(self) -> None:
        due_s = time.perf_counter()
        while not self._stop.is_set():
            # From now on, not from the last deadline: one that was missed is counted once.
            due_s = max(due_s, time.perf_counter()) + _PERIOD_S
            time.sleep(max(0.0, due_s - time.perf_counter()))
            self._tally.add(time.perf_counter() - due_s)
