"""One daemon a workspace."""

from pathlib import Path

from bci.errors import SettingsError
from bci.recording.lock import FileLock, HeldError

__all__ = ["WorkspaceLock"]


class WorkspaceLock:
    """Holds a workspace from construction to `close`.

    Parameters
    ----------
    path : Path
        The lock file, see `FileLock`.

    Raises
    ------
    SettingsError
        When another process holds it, or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._lock = FileLock(path)
        except HeldError as error:
            raise SettingsError(
                f"{path.parent.parent}: another daemon works in this workspace (`bci status` shows "
                "it, `bci daemon SESSION.toml --stop` ends it); choose another workspace"
            ) from error
        except OSError as error:
            raise SettingsError(
                f"{path}: cannot be made or locked ({error.strerror}); choose a workspace that is "
                "writable, on a disk of this machine"
            ) from error

    def close(self) -> None:
        """Let go; more than once is harmless."""
        self._lock.close()
