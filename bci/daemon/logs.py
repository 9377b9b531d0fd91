"""The event logs of a daemon's life: one in each folder that it records into."""

import logging
from pathlib import Path

from bci.errors import RolandicError
from bci.recording.eventlog import EventLog
from bci.recording.status import RecorderSummary

__all__ = ["SessionLogs"]

_log = logging.getLogger(__name__)


class SessionLogs:
    """Opens logs as they are needed; for whoever holds the lock of the recordings."""

    def __init__(self) -> None:
        self._logs: dict[Path, EventLog] = {}
        self._hashes: dict[Path, dict[str, str]] = {}

    def in_folder(self, folder: Path) -> tuple[EventLog, bool]:
        """Return this life's log in a folder, and whether it is new.

        The first life's is ``session.jsonl``, those of later ones are numbered: a log that was
        closed, or cut by a crash, is never continued.

        Raises
        ------
        SettingsError
            When it cannot be made.
        """
        if folder in self._logs:
            return self._logs[folder], False
        number = 1
        while (path := folder / _name(number)).exists():
            number += 1
        self._logs[folder] = EventLog(path)
        return self._logs[folder], True

    def recorded(self, summary: RecorderSummary) -> None:
        """Take note of a file that was closed and read back."""
        if summary.readback is not None:
            hashes = self._hashes.setdefault(summary.path.parent, {})
            hashes[summary.path.name] = summary.readback.sha256

    def close(self) -> None:
        """Close them all, sealed with the hashes of the files that were recorded."""
        for folder, log in self._logs.items():
            try:
                log.write("session_closed")
                final = log.seal(self._hashes.get(folder, {}))
                _log.info("%s is sealed with %s", log.path, final)
            except (RolandicError, OSError, ValueError) as error:
                _log.error("%s", error)
            try:
                log.close()
            except RolandicError as error:
                _log.error("%s", error)
        self._logs.clear()


def _name(number: int) -> str:
    return "session.jsonl" if number == 1 else f"session-{number:02d}.jsonl"
