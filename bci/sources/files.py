"""Whether a path can be read at all, said the same way for every format."""

import hashlib
import re
from pathlib import Path

from bci.errors import RecordingError

__all__ = ["file_hash", "readable_file", "recording_hash"]


def readable_file(path: Path) -> Path:
    """Return `path` if it is a file that can be read and is not empty.

    Raises
    ------
    RecordingError
        For a missing or empty file, a folder, or one without read permission.
    """
    try:
        if path.is_dir():
            raise RecordingError(f"{path} is a folder: name a recording in it")
        if path.exists() and not path.is_file():
            raise RecordingError(f"{path} is no ordinary file: name a recording")
        with path.open("rb") as file:
            if not file.read(1):
                raise RecordingError(f"{path} is empty (0 bytes): record or copy it again")
    except FileNotFoundError as error:
        raise RecordingError(f"{path} does not exist: check the name") from error
    except PermissionError as error:
        raise RecordingError(f"{path} may not be read by you: change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise RecordingError(f"{path} cannot be opened: {error}") from error
    return path


def _companions(path: Path) -> list[Path]:
    """List the files that hold what a header describes (BrainVision, EEGLAB)."""
    names: list[str] = []
    if path.suffix.lower() == ".vhdr":
        text = path.read_text(encoding="latin-1")
        names = re.findall(r"(?im)^(?:DataFile|MarkerFile)\s*=\s*(.+?)\s*$", text)
        names = [name.replace("$b", path.stem) for name in names]
    elif path.suffix.lower() == ".set":
        names = [path.with_suffix(".fdt").name]
    return [path.parent / name for name in names if (path.parent / name).is_file()]


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises
    ------
    RecordingError
        When it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error


def recording_hash(path: Path) -> str:
    """Return the SHA-256 of a recording, in hexadecimal.

    For a header with its data in files beside it (BrainVision, EEGLAB) these are hashed after it,
    in the order in which the header names them.

    Raises
    ------
    RecordingError
        When the file cannot be read.
    """
    path = readable_file(Path(path))
    digest = hashlib.sha256()
    for part in [path, *_companions(path)]:
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
