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
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import platformdirs

from bci.errors import InputError, SettingsError
from bci.private import write_private
from bci.recording.control import listen_privately, orphans, remove_socket

__all__ = ["ControlServer", "ask", "newest_workspace", "private_folder", "remember"]

_log = logging.getLogger(__name__)

Handler = Callable[[str], dict[str, Any]]

_DOOR, _SOCKET = "daemon.json", "daemon.sock"
_ASK_BYTES = 4096
_ASK_S = 5.0
_RETRY_S = 0.5
_MOST_AT_ONCE = 16


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
        self._slots = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._closing = threading.Event()
        self._listener = self._listen()
        self._thread = threading.Thread(target=self._serve, name="daemon control", daemon=True)
        door = {"address": self._listener.address, "token": self._token, "pid": os.getpid()}
        try:
            write_private(self._folder / _DOOR, json.dumps(door))
        except OSError as error:
            self._close_listener()
            raise SettingsError(f"{self._folder}: cannot be written ({error.strerror})") from error
        self._thread.start()

    def _listen(self) -> Listener:
        # Of a daemon that was killed: the lock says that it is gone.
        remove_socket(str(self._folder / _SOCKET))
        try:
            return listen_privately(self._folder, _SOCKET, backlog=_MOST_AT_ONCE)
        except OSError as error:
            raise SettingsError(
                f"{self._folder}: no socket can be made here ({error.strerror})"
            ) from error

    def _close_listener(self) -> None:
        address = str(self._listener.address)
        self._listener.close()
        remove_socket(address)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection = self._listener.accept()
            except OSError as error:  # out of descriptors, or a client that is gone already
                if not self._closing.is_set():
                    _log.error("the status socket has failed: %s", error)
                    self._closing.wait(_RETRY_S)
                continue
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
        self._close_listener()


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
        raise SettingsError(f"{workspace}: {_ended(workspace)} ({error})") from error
    if "error" in answer:
        raise SettingsError(f"the daemon of {workspace}: {answer['error']}")
    return answer


def _ended(workspace: Path) -> str:
    """Say that a daemon was killed, and what its recorder does."""
    said = "the daemon of this workspace is gone: it was killed, or the machine has restarted"
    recorded = [
        f"{path} is recorded on" + (f" until {when[11:19]}" if when else "")
        for path, when in orphans(workspace / "sourcedata")
    ]
    if recorded:
        return (
            f"{said}; {'; '.join(recorded)}: start the daemon (bci daemon SESSION.toml), which "
            "takes it over"
        )
    log = private_folder(workspace) / "daemon.log"
    return f"{said}; nothing is recorded: start the daemon; {log} says more"


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
        write_private(note, json.dumps({"workspace": str(workspace)}))
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
