"""The event log of a session: append-only JSON lines, each chained to the one before by its hash.

Each line is a JSON object with ``event``, ``at_s`` (LSL clock), the event's own fields, and
``chain``: the SHA-256 of the previous line's ``chain`` and this line's other content. Who changes,
removes or inserts a line breaks the chain from there on.
"""

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci.errors import RecordingError, SettingsError
from bci.sources.clock import lsl_clock

__all__ = ["EventLog", "read_event_log"]

_log = logging.getLogger(__name__)

_START = "0" * 64


class EventLog:
    """Writes a log; any thread may.

    Parameters
    ----------
    path : Path
        Must not exist: a log is never overwritten.
    clock : callable
        LSL clock (s).

    Raises
    ------
    SettingsError
        When the file exists or cannot be made.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = lsl_clock) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._chain = _START
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise SettingsError(f"{path}: cannot begin a log here ({error.strerror})") from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="\n")

    def write(self, event: str, **fields: Any) -> None:
        """Append one event and hand it to the system.

        Raises
        ------
        RecordingError
            When it cannot be written.
        """
        with self._lock:
            content = _canonical({"event": event, "at_s": self._clock(), **fields})
            chain = _linked(self._chain, content)
            try:
                self._file.write(f'{content[:-1]}, "chain": "{chain}"}}\n')
                self._file.flush()
            except OSError as error:
                raise RecordingError(
                    f"{self.path}: the event log cannot be written ({error.strerror}): make room "
                    "on the disk"
                ) from error
            self._chain = chain

    def close(self) -> None:
        """Force the log to the disk and close it; more than once is harmless."""
        with self._lock:
            if not self._file.closed:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_event_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a log, checking the chain.

    Raises
    ------
    RecordingError
        When the file is no log, or the chain is broken: with the number of the line.
    """
    chain = _START
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: cannot be read as an event log ({error})") from error
    # Not splitlines: a label may hold a line separator that is none in JSON lines.
    *lines, rest = text.split("\n")
    if not lines:
        raise RecordingError(f"{path}: the event log is empty, or is none")
    if rest:
        _log.warning("%s: its last line is cut and is not used", path)
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            stated = fields.pop("chain")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise RecordingError(f"{path}, line {number}: not a line of an event log") from error
        chain = _linked(chain, _canonical(fields))
        if chain != stated:
            raise RecordingError(
                f"{path}, line {number}: the chain of hashes is broken; "
                "the log was changed after it was written"
            )
        yield fields


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, allow_nan=False, ensure_ascii=False)


def _linked(chain: str, content: str) -> str:
    return hashlib.sha256(f"{chain}\n{content}".encode()).hexdigest()
