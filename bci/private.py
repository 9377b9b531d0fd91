"""Files and folders that only their user can look into: recordings of people, and what is of them.

On POSIX systems files are made 0600 and folders 0700, whatever the umask. On Windows modes mean
nothing: what is made inherits the rights of the folder that it is made in, and a user's profile is
closed to other users from the start; docs/network.md says how to close a folder elsewhere.
"""

import logging.handlers
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["PrivateLog", "private_folder", "private_opener", "write_private"]


def private_folder(path: Path) -> Path:
    """Make a folder, with those above it that are not there, for this user only.

    A folder that is there keeps its mode: it may be shared on purpose.

    Raises
    ------
    OSError
        When it cannot be made, or a file stands in its place.
    """
    absent = []
    for folder in (path, *path.parents):
        if folder.is_dir():
            break
        absent.append(folder)
    # `Path.mkdir` gives its mode to the last folder alone.
    for folder in reversed(absent):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def private_opener(path: str, flags: int) -> int:
    """Open a file, made 0600 if it is not there: the `opener` of :func:`open`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(Path(folder, "x"), "w", opener=private_opener) as file:
    ...         _ = file.write("for my eyes")
    ...     print(os.name != "posix" or oct(Path(folder, "x").stat().st_mode & 0o777) == "0o600")
    True
    """
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str) -> None:
    """Write a small file for this user only, whole or not at all; one that is there is replaced.

    Raises
    ------
    OSError
        When it cannot be written. What was there stays, and nothing else is left.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


class PrivateLog(logging.handlers.RotatingFileHandler):
    """A rotating log that only its user can read, rotated too: it may name files of people."""

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            errors=self.errors,
            opener=private_opener,
        )
