"""The daemon's door for its own user: one request a connection, answered by one JSON document.

The door is a local socket (a named pipe on Windows) in the workspace's ``.rolandic`` folder, which
is private to the user (0700). Where it is, and a token that every request must carry, stand beside
it in ``daemon.json`` (0600). Nothing but JSON passes: unlike pickles, it runs nothing.
"""

import contextlib
import hmac
import json
import logging
import math
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import platformdirs

from bci.errors import InputError, SettingsError

__all__ = ["ControlServer", "ask", "newest_workspace", "private_folder", "remember"]

_log = logging.getLogger(__name__)

Handler = Callable[[str], dict[str, Any]]

_DOOR = "daemon.json"
_ASK_BYTES = 4096
_ASK_S = 5.0
_MOST_AT_ONCE = 16
# The path of a Unix socket may have 108 bytes on Linux and 104 on macOS.
_LONGEST_SOCKET = 100


def private_folder(workspace: Path) -> Path:
    """Return the folder of the daemon's own files in a workspace."""
    return workspace / ".rolandic"


class ControlServer:
    """Answers requests, each in a thread of its own, from construction to `close`.

    Parameters
    ----------
    workspace : Path
        Its `private_folder` exists, and this process holds its lock.
    handle : callable
        Called with the command, from any thread; returns the answer or raises an `InputError`.

    Raises
    ------
    SettingsError
        When the socket cannot be made.
    """

    def __init__(self, workspace: Path, handle: Handler) -> None:
        self._handle = handle
        self._token = secrets.token_hex(32)
        self._folder = private_folder(workspace)
        self._temporary: Path | None = None
        self._slots = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._closing = threading.Event()
        self._listener = self._listen()
        self._thread = threading.Thread(target=self._serve, name="daemon control", daemon=True)
        try:
            _write_private(
                self._folder / _DOOR,
                {"address": self._listener.address, "token": self._token, "pid": os.getpid()},
            )
        except OSError as error:
            self._listener.close()
            raise SettingsError(f"{self._folder}: cannot be written ({error.strerror})") from error
        self._thread.start()

    def _listen(self) -> Listener:
        if sys.platform == "win32":
            address = rf"\\.\pipe\rolandic-{secrets.token_hex(16)}"
            return Listener(address, "AF_PIPE", backlog=_MOST_AT_ONCE)
        path = self._folder / "daemon.sock"
        path.unlink(missing_ok=True)  # of a daemon that was killed: the lock says it is gone
        if len(os.fsencode(path)) <= _LONGEST_SOCKET:
            with contextlib.suppress(OSError):  # network drives and FAT hold no sockets
                return Listener(str(path), "AF_UNIX", backlog=_MOST_AT_ONCE)
        self._temporary = Path(tempfile.mkdtemp(prefix="rolandic-"))  # 0700
        try:
            return Listener(str(self._temporary / "daemon.sock"), "AF_UNIX", backlog=_MOST_AT_ONCE)
        except OSError as error:
            raise SettingsError(
                f"{self._temporary}: no socket can be made here ({error.strerror})"
            ) from error

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection = self._listener.accept()
            except OSError as error:
                if not self._closing.is_set():
                    _log.error("the status socket has failed: %s", error)
                return
            if self._closing.is_set() or not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._answer, args=(connection,), name="daemon answer", daemon=True
            ).start()

    def _answer(self, connection: Connection) -> None:
        try:
            if not connection.poll(_ASK_S):
                return
            answer = self._answered(connection.recv_bytes(_ASK_BYTES))
            connection.send_bytes(json.dumps(_finite(answer), allow_nan=False).encode())
        except (OSError, EOFError) as error:
            _log.debug("a request for the status was not completed: %s", error)
        except Exception:
            _log.exception("a request for the status failed")
        finally:
            connection.close()
            self._slots.release()

    def _answered(self, request: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(request)
            token, command = str(asked["token"]), str(asked["command"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": "this is no request"}
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return {"error": "the token is wrong"}
        try:
            return self._handle(command)
        except InputError as error:
            return {"error": str(error)}

    def close(self) -> None:
        """Stop to answer and take the door away; more than once is harmless."""
        if self._closing.is_set():
            return
        self._closing.set()
        (self._folder / _DOOR).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # wakes the thread that waits for a connection
            Client(self._listener.address).close()
        self._thread.join(1.0)
        self._listener.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def ask(workspace: Path, command: str, *, timeout_s: float = 10.0) -> dict[str, Any]:
    """Ask the daemon of a workspace.

    Parameters
    ----------
    workspace : Path
    command : str
        ``"status"``, ``"stop"``, ``"new-file"``.
    timeout_s : float

    Raises
    ------
    SettingsError
        When no daemon works there, it does not answer, or what it answers is an error.
    """
    door = private_folder(workspace) / _DOOR
    try:
        at = json.loads(door.read_text(encoding="utf-8"))
        address, token = str(at["address"]), str(at["token"])
    except FileNotFoundError as error:
        raise SettingsError(f"{workspace}: no daemon works in this workspace") from error
    except OSError as error:
        raise SettingsError(f"{door}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{door}: damaged; start the daemon again") from error
    try:
        with Client(address) as connection:
            connection.send_bytes(json.dumps({"token": token, "command": command}).encode())
            if not connection.poll(timeout_s):
                raise SettingsError(f"the daemon of {workspace} did not answer in {timeout_s:g} s")
            answer: dict[str, Any] = json.loads(connection.recv_bytes())
    except (OSError, EOFError) as error:
        raise SettingsError(
            f"{workspace}: the daemon of this workspace has ended without a word ({error}); "
            "its log says more"
        ) from error
    if "error" in answer:
        raise SettingsError(f"the daemon of {workspace}: {answer['error']}")
    return answer


def _finite(value: Any) -> Any:
    """Return it with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def remember(workspace: Path) -> None:
    """Take note that the user's newest daemon works there."""
    note = _note()
    try:
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(note, {"workspace": str(workspace)})
    except OSError as error:  # a service may have no home to write into
        _log.info("%s: %s: `bci status` needs to be told which daemon", note, error.strerror)


def newest_workspace() -> Path:
    """Return where the user's newest daemon works, or has worked.

    Raises
    ------
    SettingsError
        When none is known.
    """
    try:
        return Path(str(json.loads(_note().read_text(encoding="utf-8"))["workspace"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            "no daemon of yours is known: name its settings file, or its workspace"
        ) from error


def _note() -> Path:
    return platformdirs.user_state_path("rolandic", appauthor=False) / "daemon.json"


def _write_private(path: Path, document: dict[str, Any]) -> None:
    """Write JSON that only the user can read, whole or not at all."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file)
    new.replace(path)
