"""How a recorder's process is reached when whoever started it is gone.

Beside the recording lies ``NAME.xdf.recorder`` while its recorder runs: where it listens, the key
without which it does not answer, its process. It is private to the user, and so is the channel (a
socket in a private place, a named pipe on Windows); the key is new for each recording. A file whose
recorder does not answer was left behind by one that was killed. One that ended without an owner
leaves what it has to say there instead.
"""

import contextlib
import json
import logging
import multiprocessing.connection
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import psutil

from bci.errors import RecordingError
from bci.private import write_private

__all__ = [
    "ControlServer",
    "connect",
    "find_recorders",
    "is_recorded",
    "is_recorders_file",
    "listen_privately",
    "orphans",
    "read_report",
    "remove",
    "remove_socket",
    "write_report",
]

_log = logging.getLogger(__name__)

_SUFFIX = ".recorder"
_PREFIX, _ELSEWHERE = "rolandic-", "rolandic-socket-"
_CONNECT_S = 5.0
#: What the system takes of a socket's path (Linux 107 bytes, macOS 103).
_LONGEST_SOCKET = 103


def _file(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)


class ControlServer:
    """Listens for those who want to take a recorder over.

    Parameters
    ----------
    path : Path
        Of the recording.
    joined : callable
        Called with each connection, in a thread of its own; the connection is closed when it
        returns.
    """

    def __init__(self, path: Path, joined: Callable[[Connection], None]) -> None:
        self._joined = joined
        key = secrets.token_bytes(32)
        self._listener = listen_privately(
            path.parent, f".{_PREFIX}{secrets.token_hex(8)}", backlog=8, authkey=key
        )
        self._path = path
        self._about = {
            "recording": path.name,
            "pid": os.getpid(),
            "process_began": _began(os.getpid()),  # a process id is given out again
            "address": self._listener.address,
            "key": key.hex(),
        }
        _write(path, self._about)

    def closes_at(self, when: str | None) -> None:
        """Let who looks know when the recording ends if nobody takes it over; None: it is owned."""
        about = self._about if when is None else {**self._about, "closes_at": when}
        try:
            _write(self._path, about)
        except OSError as error:
            _log.warning("beside %s: %s", self._path, error.strerror)

    def start(self) -> None:
        """Begin to accept, in a thread that ends with the process."""
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        address = str(self._listener.address)
        with contextlib.suppress(OSError):
            self._listener.close()
        remove_socket(address)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (multiprocessing.AuthenticationError, EOFError, ConnectionError) as error:
                _log.warning("somebody without the key wanted the recorder: %s", error)
                continue
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with connection:
            self._joined(connection)


def listen_privately(
    folder: Path, name: str, *, backlog: int, authkey: bytes | None = None
) -> Listener:
    """Listen where only this user can connect; `remove_socket` clears up.

    In the folder, where another process with a /tmp of its own finds it too; else (a path too long,
    a disk that knows no sockets) in a private folder of the system's. On Windows a named pipe.

    Raises
    ------
    OSError
        When it can listen nowhere.
    """
    if sys.platform == "win32":
        address = rf"\\.\pipe\{_PREFIX}{secrets.token_hex(16)}"
        return Listener(address, family="AF_PIPE", backlog=backlog, authkey=authkey)
    place = folder.absolute() / name
    if len(os.fsencode(place)) <= _LONGEST_SOCKET:
        try:
            return _private_listener(place, backlog, authkey)
        except OSError as error:
            _log.info("no socket in %s (%s)", folder, error.strerror)
    elsewhere = Path(tempfile.mkdtemp(prefix=_ELSEWHERE))  # 0700
    try:
        return _private_listener(elsewhere / name, backlog, authkey)
    except OSError:
        elsewhere.rmdir()
        raise


def _private_listener(place: Path, backlog: int, authkey: bytes | None) -> Listener:
    listener = Listener(str(place), family="AF_UNIX", backlog=backlog, authkey=authkey)
    try:
        place.chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener


def remove_socket(address: str) -> None:
    """Remove what `listen_privately` made, and a killed process left; harmless without."""
    place = Path(address)
    if sys.platform == "win32" or not address:
        return
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)
        if place.parent.name.startswith(_ELSEWHERE):
            place.parent.rmdir()


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_private(_file(path), json.dumps(content, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """Read the file; it must be ours alone, since it says whom to talk to."""
    file = _file(path)
    try:
        if sys.platform != "win32":
            status = file.stat()
            if status.st_uid != os.getuid() or status.st_mode & 0o077:
                raise RecordingError(f"{file} is not private to you: it is not believed")
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecordingError(f"nothing records {path} (there is no {file.name})") from error
    except (OSError, ValueError) as error:
        raise RecordingError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise RecordingError(f"{file} is no recorder's file: delete it")
    return content


def is_recorders_file(path: Path) -> bool:
    """Whether a file is what lies beside a recording while its recorder runs."""
    return path.name.endswith(".xdf" + _SUFFIX)


def find_recorders(folder: Path) -> list[Path]:
    """List the recordings in a folder, and below it, that a recorder is or was at work on.

    `RecorderProcess.attach` tells which: it takes the recorder over, or says how it ended.
    """
    return sorted(
        file.with_name(file.name.removesuffix(_SUFFIX)) for file in folder.rglob(f"*{_SUFFIX}")
    )


def is_recorded(path: Path) -> bool:
    """Whether a recorder is at work on a file; what a killed one left beside it is removed.

    Raises
    ------
    RecordingError
        When a recorder is there and does not answer, or what is beside the file is not private.
    """
    if not _file(path).exists() or "reason" in _read(path):
        return False
    try:
        connection, _ = connect(path)
    except RecordingError:
        if _file(path).exists():
            raise
        return False
    connection.close()
    return True


def connect(path: Path) -> tuple[Connection, int]:
    """Reach the recorder of a file; return the connection and its process id.

    Raises
    ------
    RecordingError
        When nothing records the file: never begun, ended in order, or killed. What a killed one
        left behind is removed.
    """
    content = _read(path)
    if "reason" in content:
        raise RecordingError(f"{path} was closed in order: {content['reason']}")
    try:
        pid, address = int(content["pid"]), str(content["address"])
        key = bytes.fromhex(content["key"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{_file(path)} is no recorder's file: delete it") from error
    connection = _connected(address, key)
    if connection is None and _lives(pid, content.get("process_began")):
        raise RecordingError(
            f"the recorder of {path} (process {pid}) runs and cannot be reached at {address}: "
            "TERM ends it in order"
        )
    if connection is None:
        remove(path)
        raise RecordingError(
            f"the recorder of {path} (process {pid}) is gone; the file holds all that it "
            "acknowledged: bci repair completes it"
        )
    return connection, pid


def _began(pid: int) -> float | None:
    """Return when a process began (s); None when it is not there, or is nobody's to look at."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _lives(pid: int, began: object) -> bool:
    """Whether a process still is the one that began then."""
    try:
        process = psutil.Process(pid)
        gone = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        gone = False
    now = _began(pid)
    same = not isinstance(began, float) or now is None or abs(now - began) < 1.0
    return same and not gone


def orphans(folder: Path) -> list[tuple[Path, str]]:
    """List what is recorded in a folder, and below it, by recorders whose owner is gone.

    Returns
    -------
    list of (Path, str)
        The file, and when it is closed if nobody takes it over; empty: its owner has just gone.
    """
    found = []
    for path in find_recorders(folder):
        try:
            content = _read(path)
            pid = int(content["pid"])
        except (RecordingError, KeyError, TypeError, ValueError):
            continue
        if "reason" not in content and _lives(pid, content.get("process_began")):
            found.append((path, str(content.get("closes_at", ""))))
    return found


def _connected(address: str, key: bytes) -> Connection | None:
    """Connect; None when nobody with the key answers in time (the library would wait for ever)."""
    made: list[Connection] = []
    late = threading.Event()

    def run() -> None:
        try:
            connection = multiprocessing.connection.Client(address, authkey=key)
        except (OSError, EOFError, multiprocessing.AuthenticationError) as error:
            _log.info("no recorder at %s: %r", address, error)
            return
        made.append(connection)
        if late.is_set():
            connection.close()

    thread = threading.Thread(target=run, name="connect", daemon=True)
    thread.start()
    thread.join(_CONNECT_S)
    if thread.is_alive():
        late.set()
        raise RecordingError(f"the recorder at {address} does not answer: end its process")
    return made[0] if made else None


def write_report(path: Path, reason: str, document: Mapping[str, Any]) -> None:
    """Leave, in place of the address, why a recording was ended by itself and what is in it."""
    _write(path, {"recording": path.name, "reason": reason, **document})


def read_report(path: Path) -> dict[str, Any] | None:
    """Return what a recorder that ended without an owner has left; None when there is nothing."""
    try:
        content = _read(path)
    except RecordingError:
        return None
    return content if "reason" in content else None


def remove(path: Path, *, report: bool = False) -> None:
    """Remove the file, and the socket that it names; harmless when there is none.

    Parameters
    ----------
    path : Path
        Of the recording.
    report : bool
        Remove a report too.
    """
    with contextlib.suppress(RecordingError, OSError):
        content = _read(path)
        if report or "reason" not in content:
            _file(path).unlink(missing_ok=True)
            address = str(content.get("address", ""))
            if Path(address).name.startswith(f".{_PREFIX}"):  # no other file, whatever stands there
                remove_socket(address)
