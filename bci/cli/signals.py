"""Ending a command that runs until it is told to stop."""

import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_on_signals"]


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Turn INT (Ctrl-C), TERM and, on Windows, BREAK into an event; the old handlers come back.

    Must be entered in the main thread.
    """
    stop = threading.Event()
    # A handler runs between two steps of the main thread, which may hold the event's own lock just
    # then: to set the event there would wait for ever. This queue may be put into from a handler.
    came: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def note(number: int, frame: FrameType | None) -> None:
        came.put(True)

    def relay() -> None:
        while came.get():
            stop.set()

    thread = threading.Thread(target=relay, name="signals", daemon=True)
    thread.start()
    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, note) for number in map(_number, names)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        came.put(False)
        thread.join()


def _number(name: str) -> signal.Signals:
    return signal.Signals[name]
