"""What the people in charge should know: for the status, the log, and the event log."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bci.errors import RolandicError
from bci.recording.eventlog import EventLog

__all__ = ["Notices", "Repeated"]

_log = logging.getLogger(__name__)

_N_KEPT = 50


class Notices:
    """Takes what any thread has to say."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[str, str]] = deque(maxlen=_N_KEPT)
        self._log: EventLog | None = None
        self.n_said = 0

    def write_to(self, log: EventLog | None) -> None:
        """Let the event log of the current session have what is said from now on; None: none."""
        self._log = log

    def say(self, text: str) -> None:
        """Say one thing, in one line."""
        with self._lock:
            self.n_said += 1
            self._kept.append((datetime.now(UTC).isoformat(timespec="milliseconds"), text))
        _log.warning("%s", text)
        self.write("noticed", text=text)

    def write(self, event: str, **fields: Any) -> None:
        """Write into the event log; a log that cannot be written must not stop what goes on."""
        log = self._log
        if log is None:
            return
        try:
            log.write(event, **fields)
        except (RolandicError, ValueError) as error:
            _log.error("%s", error)

    def newest(self) -> list[dict[str, str]]:
        """Return the newest, with the time in UTC, oldest first."""
        with self._lock:
            return [{"at": at, "text": text} for at, text in self._kept]


class Repeated:
    """Says the same thing again only after a while, however often it happens.

    Parameters
    ----------
    say : callable
    every_s : float
    clock : callable
        Monotonic (s).
    """

    def __init__(
        self, say: Callable[[str], None], every_s: float, clock: Callable[[], float]
    ) -> None:
        self._say, self._every_s, self._clock = say, every_s, clock
        self._said: dict[str, float] = {}

    def __call__(self, text: str) -> None:
        """Say it, unless it was said not long ago, whatever was said in between."""
        now = self._clock()
        self._said = {said: at for said, at in self._said.items() if now - at < self._every_s}
        if text not in self._said:
            self._said[text] = now
            self._say(text)

    def forget(self) -> None:
        """Take the next time for a first time: what was said is over."""
        self._said.clear()
