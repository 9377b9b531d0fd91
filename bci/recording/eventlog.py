"""The event log of a session: append-only JSON lines, each chained to the one before by its hash.

Each line is a JSON object with ``event``, ``at_s`` (LSL clock), the event's own fields, and
``chain``: the SHA-256 of the previous line's ``chain`` and this line's other content. Who changes,
removes or inserts a line breaks the chain from there on. The last event, ``sealed``, names every
file of the session with its SHA-256.

What it does not do: there is no key in it. Who can write the file can write the whole of it anew,
chain and all, or leave its end away. Against that the hash of the last line helps (`seal` returns
it, ``bci verify`` prints it), kept where the writer of the file cannot reach: in the study's
notebook, a mail, a time-stamping service. It stands for every line and every file before it.

A line is handed to the system when it is written (it survives the end of this process) and forced
to the disk within a second by a thread of its own (so it survives a power cut, and no decision
waits for a disk); `sync`, `seal` and `close` wait for the disk.
"""

import contextlib
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci.errors import RecordingError, SettingsError
from bci.recording.control import is_recorders_file
from bci.sources.clock import lsl_clock
from bci.sources.files import file_hash

__all__ = [
    "SEALED",
    "ChainWalk",
    "EventLog",
    "read_event_log",
    "session_files",
]

_log = logging.getLogger(__name__)

_START = "0" * 64
_SYNC_S = 1.0
#: The event that closes a log.
SEALED = "sealed"


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
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise SettingsError(f"{path}: cannot begin a log here ({error.strerror})") from error
        # Without a buffer: it would keep a line that did not fit, and write it after the next.
        self._file = FileIO(descriptor, "ab")
        self._n_bytes = 0
        self._unsynced = threading.Event()
        self._closed = threading.Event()
        self._failure: OSError | None = None
        self._syncer = threading.Thread(target=self._keep_synced, name="event log", daemon=True)
        self._syncer.start()

    @property
    def chain(self) -> str:
        """Hash of the last line: it stands for all lines."""
        return self._chain

    def write(self, event: str, **fields: Any) -> None:
        """Append one event and hand it to the system.

        Raises
        ------
        RecordingError
            When it cannot be written, or what was written before did not reach the disk.
        """
        with self._lock:
            content = _canonical({"event": event, "at_s": self._clock(), **fields})
            chain = _linked(self._chain, content)
            try:
                if self._failure is not None:
                    raise self._failure
                self._append(f'{content[:-1]}, "chain": "{chain}"}}\n'.encode())
            except OSError as error:
                raise RecordingError(
                    f"{self.path}: the event log cannot be written ({error.strerror}): make room "
                    "on the disk"
                ) from error
            self._chain = chain
        self._unsynced.set()

    def _append(self, line: bytes) -> None:
        """Hand a line to the system whole; of one that it does not take nothing stays."""
        n_done = 0
        try:
            while n_done < len(line):
                n_done += self._file.write(line[n_done:])
        except OSError:
            try:
                self._file.truncate(self._n_bytes)
            except OSError as error:
                self._failure = error  # what follows half a line would be taken for a forgery
            raise
        self._n_bytes += len(line)

    def sync(self) -> None:
        """Force what was written to the disk, and wait for it.

        Raises
        ------
        RecordingError
            When the disk does not take it.
        """
        self._unsynced.clear()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RecordingError(
                f"{self.path}: the event log does not reach the disk ({error.strerror})"
            ) from error

    def seal(self, hashes: Mapping[str, str] | None = None) -> str:
        """Name every file of the log's folder with its SHA-256, as the last event.

        Parameters
        ----------
        hashes : mapping of str to str, optional
            Name, relative to the log's folder, to SHA-256: these files are named, no others, and
            none is read: a day's recordings are many gigabytes. Default: every file is read.

        Returns
        -------
        str
            The hash of the last line; kept elsewhere, it proves the log and every file.

        Raises
        ------
        RecordingError
            When a file cannot be read, or the log not be written.
        """
        present = session_files(self.path)
        if hashes is None:
            hashes = {name: file_hash(file) for name, file in present.items()}
        files = {
            name: {"sha256": sha256, "n_bytes": present[name].stat().st_size}
            for name, sha256 in hashes.items()
            if name in present
        }
        self.write(SEALED, files=files)
        self.sync()
        return self._chain

    def close(self) -> None:
        """Force the log to the disk and close it; more than once is harmless.

        Raises
        ------
        RecordingError
            When the disk does not take it. It is closed nevertheless.
        """
        self._closed.set()
        self._unsynced.set()
        self._syncer.join()
        with self._lock:
            if self._file.closed:
                return
            try:
                self.sync()
            finally:
                with contextlib.suppress(OSError):  # `sync` has said it
                    self._file.close()

    def _keep_synced(self) -> None:
        """Force new lines to the disk, once a second at most."""
        while not self._closed.is_set():
            self._unsynced.wait()
            if self._closed.wait(_SYNC_S):
                return
            self._unsynced.clear()
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                _log.error("%s does not reach the disk: %s", self.path, error)
                self._failure = error
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ChainWalk:
    """Goes through a log, event by event, as far as its chain is whole.

    A day of decisions is half a gigabyte: memory does not grow with it.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    n_events : int
        So far.
    final : str
        Hash of the last of them.
    n_cut_bytes : int
        Of a last line that is not complete; at the end of the walk.
    broken : str or None
        Where and why the chain breaks; at the end of the walk.

    Raises
    ------
    RecordingError
        From the walk: when the file is no log, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.n_events = 0
        self.final = _START
        self.n_cut_bytes = 0
        self.broken: str | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        number = 0
        try:
            # As bytes: a label may hold a line separator that is none in JSON lines.
            with self._path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        self.n_cut_bytes = len(line)
                        break
                    number += 1
                    if self.broken is None and (event := self._linked(number, line)) is not None:
                        yield event
        except OSError as error:
            raise RecordingError(
                f"{self._path}: cannot be read as an event log ({error})"
            ) from error
        if not number:
            raise RecordingError(f"{self._path}: the event log is empty, or is none")

    def _linked(self, number: int, line: bytes) -> dict[str, Any] | None:
        """Return the event of a line that continues the chain."""
        try:
            fields: dict[str, Any] = json.loads(line.decode())
            stated = fields.pop("chain")
            linked = _linked(self.final, _canonical(fields))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self.broken = f"line {number}: not a line of an event log"
            return None
        if linked != stated or not isinstance(fields.get("event"), str):
            self.broken = (
                f"line {number}: the chain of hashes is broken; the log was changed after it "
                "was written"
            )
            return None
        self.final = linked
        self.n_events += 1
        return fields


def read_event_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a log, checking the chain.

    Raises
    ------
    RecordingError
        When the file is no log, or the chain is broken: with the number of the line.
    """
    walk = ChainWalk(path)
    yield from walk
    if walk.n_cut_bytes:
        _log.warning("%s: its last line is cut and is not used", path)
    if walk.broken is not None:
        raise RecordingError(f"{path}, {walk.broken}")


def session_files(log: Path) -> dict[str, Path]:
    """Return the files of a log's folder but the log itself, by their names relative to it.

    Left out is what begins with a dot, and what lies beside a recording while its recorder runs:
    it is nobody's data.
    """
    folder = log.parent
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or is_recorders_file(path):
            continue
        if path.is_file() and not path.samefile(log):
            found[name.as_posix()] = path
    return found


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, allow_nan=False, ensure_ascii=False)


def _linked(chain: str, content: str) -> str:
    return hashlib.sha256(f"{chain}\n{content}".encode()).hexdigest()
