"""Checking a session against its event logs: the chain of each log, and the hash of each file.

What this proves, and what it cannot, stands in `bci.recording.eventlog`.
"""

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bci.errors import RecordingError
from bci.recording.eventlog import SEALED, ChainWalk, session_files
from bci.sources.files import file_hash

__all__ = [
    "Evidence",
    "FileEvidence",
    "FileState",
    "LogEvidence",
    "examine_session",
    "find_sessions",
    "session_logs",
]

Progress = Callable[[int, int], None]


class FileState(enum.Enum):
    """What became of a file."""

    OK = "ok"
    CHANGED = "changed"
    """Its SHA-256 is not the one that the log names last."""
    MISSING = "missing"
    OPEN = "not closed"
    """The log says that it was begun, and no more: there is no hash to compare with."""
    UNNAMED = "not named in the log"


@dataclass(frozen=True, slots=True)
class FileEvidence:
    """One file of a session.

    Attributes
    ----------
    name : str
        Relative to the folder.
    state : FileState
    sha256 : str or None
        As it is now; None for one that is missing, or that nothing is known of.
    logged_sha256 : str or None
    """

    name: str
    state: FileState
    sha256: str | None
    logged_sha256: str | None


@dataclass(frozen=True, slots=True)
class LogEvidence:
    """One log of a session.

    Attributes
    ----------
    path : Path
    n_events : int
        Up to where the chain breaks.
    final_chain : str
        Hash of the last of them.
    broken : str or None
        Where the chain breaks, and how.
    n_cut_bytes : int
        Of a last line that is not complete.
    sealed : bool
        Whether it ends with the list of its files.
    """

    path: Path
    n_events: int
    final_chain: str
    broken: str | None
    n_cut_bytes: int
    sealed: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the logs of a session prove.

    Attributes
    ----------
    folder : Path
    logs : tuple of LogEvidence
        One for each life of the program that recorded into the folder.
    files : tuple of FileEvidence
    """

    folder: Path
    logs: tuple[LogEvidence, ...]
    files: tuple[FileEvidence, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing that the logs speak of was changed or is missing."""
        return not self.problems

    @property
    def counts(self) -> dict[str, int]:
        """How many files are in each state."""
        return {state.value: sum(f.state is state for f in self.files) for state in FileState}

    @property
    def problems(self) -> tuple[str, ...]:
        """What speaks against the session, in words."""
        words = [f"{log.path.name}, {log.broken}" for log in self.logs if log.broken is not None]
        words += [
            f"{file.name} {'is missing' if file.state is FileState.MISSING else 'was changed'}"
            for file in self.files
            if file.state in (FileState.CHANGED, FileState.MISSING)
        ]
        return tuple(words)

    def state_of(self, path: Path) -> FileState | None:
        """Return the state of a file; None for one that is not of this session."""
        for file in self.files:
            if (self.folder / file.name).resolve() == path.resolve():
                return file.state
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "folder": str(self.folder),
            "intact": self.intact,
            "logs": [
                {
                    "name": log.path.name,
                    "n_events": log.n_events,
                    "final_chain": log.final_chain,
                    "broken": log.broken,
                    "n_cut_bytes": log.n_cut_bytes,
                    "sealed": log.sealed,
                }
                for log in self.logs
            ],
            "counts": self.counts,
            "files": [
                {
                    "name": file.name,
                    "state": file.state.value,
                    "sha256": file.sha256,
                    "logged_sha256": file.logged_sha256,
                }
                for file in self.files
            ],
        }


def find_sessions(path: Path) -> list[Path]:
    """Return the sessions that are meant: the path itself, or those below a folder of many.

    A workspace holds its sessions some folders down. What begins with a dot is left out.

    Raises
    ------
    RecordingError
        When there is no event log in it and below it.
    """
    if not path.is_dir() or any(path.glob("*.jsonl")):
        return [path]
    below = {
        log.parent
        for log in path.rglob("*.jsonl")
        if not any(part.startswith(".") for part in log.relative_to(path).parts)
    }
    if not below:
        raise RecordingError(
            f"{path} and the folders in it hold no event log (*.jsonl): name a session's folder, "
            "or a workspace"
        )
    return sorted(below)


def session_logs(path: Path) -> list[Path]:
    """Return the event logs of a session's folder, oldest first; a file is one log by itself.

    Raises
    ------
    RecordingError
        When there is none.
    """
    if not path.is_dir():
        return [path]
    logs = sorted(path.glob("*.jsonl"), key=lambda log: (len(log.name), log.name))
    if not logs:
        raise RecordingError(f"{path} holds no event log (*.jsonl): name a session's folder")
    return logs


def examine_session(
    path: Path, *, only: Collection[Path] | None = None, progress: Progress | None = None
) -> Evidence:
    """Check the chain of each log, and each file against the hash that the logs name last.

    Parameters
    ----------
    path : Path
        The session's folder, or one log, which then stands alone.
    only : collection of Path, optional
        Check no other files than these, as far as they lie in the folder.
    progress : callable
        Called with how many files are done, and how many there are.

    Raises
    ------
    RecordingError
        When there is no log, or a file cannot be read.
    """
    paths = session_logs(Path(path))
    logs = []
    logged: dict[str, str | None] = {}
    for log in paths:
        walk, last = ChainWalk(log), ""
        for event in walk:
            logged |= _logged_files(event)
            last = event["event"]
        whole = walk.broken is None and not walk.n_cut_bytes
        logs.append(
            LogEvidence(
                path=log,
                n_events=walk.n_events,
                final_chain=walk.final,
                broken=walk.broken,
                n_cut_bytes=walk.n_cut_bytes,
                sealed=whole and last == SEALED,
            )
        )
    # A log is proved by its chain: it may have grown since another one named its hash.
    names_of_logs = {log.name for log in paths}
    folder = paths[0].parent
    if only is None:
        present = session_files(paths[0])
    else:
        here = folder.resolve()
        inside = [file.resolve() for file in only if file.resolve().is_relative_to(here)]
        present = {file.relative_to(here).as_posix(): file for file in inside if file.is_file()}
        logged = {name: sha256 for name, sha256 in logged.items() if name in present}
    names = sorted({*logged, *present} - names_of_logs)
    files = []
    for done, name in enumerate(names):
        if progress is not None:
            progress(done, len(names))
        files.append(_examined(name, present.get(name), name in logged, logged.get(name)))
    if progress is not None:
        progress(len(names), len(names))
    return Evidence(folder, tuple(logs), tuple(files))


def _logged_files(event: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the hashes of the files that an event names; None for one that was only begun."""
    if event["event"] == SEALED and isinstance(event.get("files"), dict):
        return {name: _hash(entry) for name, entry in event["files"].items()}
    if isinstance(event.get("file"), str):
        return {event["file"]: _hash(event)}
    return {}


def _hash(entry: Any) -> str | None:
    value = entry.get("sha256") if isinstance(entry, Mapping) else None
    return value if isinstance(value, str) else None


def _examined(name: str, path: Path | None, named: bool, logged: str | None) -> FileEvidence:
    if path is None:
        return FileEvidence(name, FileState.MISSING, None, logged)
    if not named:
        return FileEvidence(name, FileState.UNNAMED, None, None)
    found = file_hash(path)
    if logged is None:
        return FileEvidence(name, FileState.OPEN, found, None)
    state = FileState.OK if found == logged else FileState.CHANGED
    return FileEvidence(name, state, found, logged)
