"""Room on the disk: how long it lasts, and a reserve that the footers of a full disk need."""

import contextlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = ["DiskWatch", "Reserve", "free_bytes", "sync_folder"]

#: Over how long a rate is measured, and from when on it is believed (s).
_WINDOW_S, _SHORTEST_S = 30.0, 3.0
#: A level is spoken of again when there was this much more time in between.
_REARM = 1.5


def free_bytes(folder: Path) -> int:
    """Return how many bytes this user may still write there."""
    return shutil.disk_usage(folder).free


def sync_folder(folder: Path) -> None:
    """Have a folder's new names written to the disk, where a system can (Windows cannot)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class DiskWatch:
    """Tells how long the disk lasts at the present rate.

    The rate is that of the recording, or that at which room goes away, if others write too.

    Parameters
    ----------
    folder : Path
    warn_s : sequence of float
        Levels (s): each is spoken of once, until there was more time again.
    stop_bytes : int
        What must stay free.
    free : callable
        From the folder to its free bytes.

    Attributes
    ----------
    left_bytes : int
        Free.
    left_s : float or None
        Until only `stop_bytes` are; None while the rate is unknown.
    """

    def __init__(
        self,
        folder: Path,
        warn_s: tuple[float, ...],
        stop_bytes: int,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder, self._free, self._stop_bytes = folder, free, stop_bytes
        self._levels_s = sorted(warn_s)
        self._told_s = float("inf")  # the lowest level spoken of
        self._seen: deque[tuple[float, int, int]] = deque()  # time, free, written
        self.left_bytes = free(folder)
        self.left_s: float | None = None

    @property
    def full(self) -> bool:
        """Whether recording must end now."""
        return self.left_bytes <= self._stop_bytes

    def look(self, now_s: float, n_written: int) -> str | None:
        """Look at the disk; return what the user should know, if that is new.

        Parameters
        ----------
        now_s : float
        n_written : int
            Bytes of the recording so far.

        Raises
        ------
        OSError
            When the folder cannot be asked.
        """
        self.left_bytes = self._free(self._folder)
        self._seen.append((now_s, self.left_bytes, n_written))
        while now_s - self._seen[1 if len(self._seen) > 1 else 0][0] >= _WINDOW_S:
            self._seen.popleft()
        since_s, free_then, written_then = self._seen[0]
        span_s = now_s - since_s
        if span_s < _SHORTEST_S:
            return None
        rate = max(n_written - written_then, free_then - self.left_bytes) / span_s
        if rate <= 0:
            self.left_s = None
            return None
        self.left_s = max(0.0, (self.left_bytes - self._stop_bytes) / rate)
        if self._told_s < float("inf") and self.left_s > _REARM * self._told_s:
            above = [level for level in self._levels_s if level > self.left_s]
            self._told_s = min(above, default=float("inf"))
        level_s = next((level for level in self._levels_s if self.left_s <= level), None)
        if level_s is None or level_s >= self._told_s:
            return None
        self._told_s = level_s
        return (
            f"the disk of {self._folder} has room for {_spoken(self.left_s)} more at the present "
            f"rate ({self.left_bytes / 1e6:.0f} MB): make room, or recording will stop"
        )


class Reserve:
    """Room on the disk that is given up when the disk is full, so that the file can be closed.

    It is a file without a name (on Windows: deleted by its end), so a kill leaves nothing behind.

    Parameters
    ----------
    folder : Path
    n_bytes : int

    Raises
    ------
    OSError
        When there is no such room.
    """

    def __init__(self, folder: Path, n_bytes: int = 1 << 18) -> None:
        self._file: IO[bytes] | None = tempfile.TemporaryFile(dir=folder, buffering=0)
        try:
            self._file.write(b"\x5a" * n_bytes)  # zeros might be compressed away
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Give the room up; again is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _spoken(left_s: float) -> str:
    """Return a time as one says it.

    >>> _spoken(610.0), _spoken(75.0), _spoken(8.2)
    ('10 minutes', '1 minute 15 s', '8 s')
    """
    minutes, seconds = divmod(round(left_s), 60)
    if not minutes:
        return f"{seconds} s"
    words = f"{minutes} minute" + ("s" if minutes > 1 else "")
    return f"{words} {seconds} s" if minutes < 5 and seconds else words
