"""The event log of a sitting: its name, and its end."""

from collections.abc import Sequence
from pathlib import Path

from bci.recording import RecorderSummary
from bci.recording.eventlog import EventLog, session_files
from bci.sources.files import file_hash

__all__ = ["next_log", "seal_log"]


def next_log(folder: Path) -> Path:
    """Return where the log of another sitting in a session's folder goes."""
    number, path = 1, folder / "session.jsonl"
    while path.exists():
        number += 1
        path = folder / f"session-{number:02d}.jsonl"
    return path


def seal_log(log: EventLog, recorded: Sequence[RecorderSummary]) -> None:
    """Close a log with the hash of each file beside it; what has been hashed is not read again.

    Raises
    ------
    RecordingError, OSError
        When the log cannot be written, or a file cannot be read.
    """
    known = {
        summary.path.name: summary.readback.sha256
        for summary in recorded
        if summary.readback is not None
    }
    with log:
        log.write("session_closed")
        log.seal(
            {
                name: known.get(name) or file_hash(file)
                for name, file in session_files(log.path).items()
            }
        )
