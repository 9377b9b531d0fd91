"""A lock that the system takes back when its holder ends, however: by kill -9, by a power cut."""

import errno
import os
import sys
from pathlib import Path
from typing import Self

__all__ = ["FileLock", "HeldError"]

#: What systems say of a lock that another holds.
_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
#: The byte that is locked lies behind all that is written: Windows lets nobody read a locked one.
_FAR, _MOST = 1 << 20, 1 << 12


class HeldError(Exception):
    """Another holds the lock."""


class FileLock:
    """Holds a file from construction to `close`.

    Two of one process keep each other out, too.

    Parameters
    ----------
    path : Path
        The lock file; made, and left there: removing it would let two hold two files of one name.
    about : str
        Written into it, for whoever is kept out to read (`about_holder`).

    Raises
    ------
    HeldError
        When another holds it.
    OSError
        When the file cannot be made, or the disk knows no locks.
    """

    def __init__(self, path: Path, about: str = "") -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, about.encode()[:_MOST])
        except OSError as error:
            os.close(descriptor)
            if error.errno in _HELD:
                raise HeldError(str(path)) from error
            raise
        self._descriptor: int | None = descriptor

    @staticmethod
    def about_holder(path: Path) -> str:
        """Return what the holder of a lock says of itself; empty: nothing that can be read."""
        try:
            return path.read_bytes()[:_MOST].decode("utf-8", "replace")
        except OSError:
            return ""

    def close(self) -> None:
        """Let go; more than once is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
