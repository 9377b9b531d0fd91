"""One window a session: two would write over each other's record."""

import json
import logging
import os
import socket
import time
from datetime import datetime
from pathlib import Path

from bci.errors import SettingsError
from bci.recording.lock import FileLock, HeldError

__all__ = ["SessionLock"]

_log = logging.getLogger(__name__)

_NAME = ".session.lock"
# How long a session that this program closes may still take (s), and between looks.
_CLOSING_S, _LOOK_S = 20.0, 0.1


class SessionLock:
    """Holds a session's folder from construction to `close`.

    The system takes the lock back when the program ends, even if it is killed: nobody is locked
    out of his own session by a crash. A disk that knows no locks is worked on without one.

    Parameters
    ----------
    folder : Path
    closing_s : float
        How long a session that this very program holds, and is closing, is waited for (s).

    Raises
    ------
    SettingsError
        When another program, or window, holds it: which, and since when.
    """

    def __init__(self, folder: Path, *, closing_s: float = _CLOSING_S) -> None:
        path = folder / _NAME
        about = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        self._lock: FileLock | None = None
        deadline = time.monotonic() + closing_s
        while self._lock is None:
            try:
                self._lock = FileLock(path, json.dumps(about))
            except HeldError as error:
                holder = _holder(path)
                ours = (holder.get("process"), holder.get("host")) == (
                    about["process"], about["host"],
                )  # fmt: skip
                if ours and time.monotonic() < deadline:
                    time.sleep(_LOOK_S)
                    continue
                raise SettingsError(_refusal(folder, holder)) from error
            except PermissionError as error:
                raise SettingsError(
                    f"{path} cannot be written ({error.strerror}): allow it, or choose another "
                    "workspace"
                ) from error
            except OSError as error:
                _log.warning("%s: worked on without a lock (%s)", path, error.strerror)
                return

    def close(self) -> None:
        """Let go; more than once is harmless."""
        if self._lock is not None:
            self._lock.close()


def _holder(path: Path) -> dict[str, object]:
    try:
        content = json.loads(FileLock.about_holder(path))
    except ValueError:  # it is being written, or nothing is said
        return {}
    return content if isinstance(content, dict) else {}


def _refusal(folder: Path, holder: dict[str, object]) -> str:
    who = ""
    if holder:
        since = str(holder.get("since", ""))[:16].replace("T", " ")
        who = f" (process {holder.get('process')} on {holder.get('host')}, since {since})"
    return (
        f"{folder.parent.name} {folder.name} is open in another window{who}: go on there, or "
        "close it there first"
    )
