"""Where a recording that the remote control named is made."""

from pathlib import Path

from bci.daemon.file_names import FileName
from bci.errors import SettingsError
from bci.recording.naming import next_free

__all__ = ["claim"]


def claim(workspace: Path, name: FileName) -> Path:
    """Claim the file of a name: the first run that is not taken.

    Parameters
    ----------
    workspace : Path
        Must exist. Folders are made in it, private to the user.
    name : FileName

    Returns
    -------
    Path
        As `next_free` gives it out.

    Raises
    ------
    SettingsError
        When a link in the workspace leads out of it, or the file cannot be made.
    """
    pattern = name.pattern
    folder, root = workspace, workspace.resolve()
    for part in pattern.parent.parts:
        folder = folder / part
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            inside = folder.resolve().is_relative_to(root)
        except OSError as error:
            raise SettingsError(f"{folder} cannot be made: {error.strerror}") from error
        if not inside:
            raise SettingsError(f"{folder} is a link that leads out of the workspace: remove it")
    return next_free(folder, pattern.name, run=name.run)
