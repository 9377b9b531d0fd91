"""One daemon a workspace: a lock that the system takes back when its holder ends, however."""

import errno
import os
import sys
from pathlib import Path

from bci.errors import SettingsError

__all__ = ["WorkspaceLock"]


#: What systems say of a lock that another process holds.
_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)


class WorkspaceLock:
    """Holds a workspace from construction to `close`.

    Parameters
    ----------
    path : Path
        The lock file; made, and left there: removing it would let two hold two files of one name.

    Raises
    ------
    SettingsError
        When another process holds it, or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SettingsError(
                f"{path}: cannot be made ({error.strerror}); choose a workspace that is writable"
            ) from error
        try:
            _lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno not in _HELD:
                raise SettingsError(
                    f"{path}: cannot be locked ({error.strerror}); choose a workspace on a disk of "
                    "this machine"
                ) from error
            raise SettingsError(
                f"{path.parent.parent}: another daemon works in this workspace (`bci status` shows "
                "it, `bci daemon SESSION.toml --stop` ends it); choose another workspace"
            ) from error

    def close(self) -> None:
        """Let go; more than once is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
