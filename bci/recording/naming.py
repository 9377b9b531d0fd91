"""Names of recordings: from a template, inside one folder, and never one that is taken.

A name is taken from the moment in which it is given out: `next_free` makes the file, with nothing
but the format's magic bytes in it (a claim), and `open_new` makes a recording of a claim or of a
name that does not exist. Two programs that ask at once get two names.
"""

import os
import re
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

from bci.errors import SettingsError
from bci.sources.xdf_chunks import MAGIC

__all__ = ["is_device", "is_free", "next_free", "open_new", "release"]

_LONGEST = 200
_MOST_RUNS = 9999
_FIELD = re.compile(r"\{([a-z_]+)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+=@,()-]*")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def next_free(folder: Path, template: str, **entities: object) -> Path:
    """Claim the first name of a template that is not taken.

    Parameters
    ----------
    folder : Path
        Where it is to be; must exist.
    template : str
        A file name with fields such as ``sub-{subject}_run-{run}_eeg.xdf``. ``{run}`` is the
        number that is counted up, from `entities`' ``run`` or 1, in two digits; without it, a name
        that is taken gets ``_run-02`` before its suffix, and so on.
    **entities : object
        Values of the other fields.

    Returns
    -------
    Path
        An existing file, private to the user, that `open_new` accepts.

    Raises
    ------
    SettingsError
        When the name would leave the folder or is no name on every system, a field has no value,
        the folder cannot be written, or 9999 runs are taken.
    """
    first = entities.pop("run", 1)
    if not isinstance(first, int) or not 0 < first <= _MOST_RUNS:
        raise SettingsError(f"run {first!r}: give a whole number from 1 to {_MOST_RUNS}")
    for run in range(first, _MOST_RUNS + 1):
        path = folder / _name(template, entities, run, counted=run > first)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise SettingsError(f"{path} cannot be made: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC)
        return path
    raise SettingsError(f"{folder / template}: all {_MOST_RUNS} runs are taken")


def _name(template: str, entities: Mapping[str, object], run: int, *, counted: bool) -> str:
    """Fill a template in.

    >>> _name("s{subject}.xdf", {"subject": "07"}, 2, counted=True)
    's07_run-02.xdf'
    """

    def value(match: re.Match[str]) -> str:
        field = match[1]
        if field == "run":
            return f"{run:02d}"
        if field not in entities:
            raise SettingsError(
                f"file name {template!r}: there is no value for {match[0]}; fields are "
                + ", ".join(f"{{{name}}}" for name in (*entities, "run"))
            )
        return str(entities[field])

    name = _FIELD.sub(value, template)
    if counted and "{run}" not in template:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem}_run-{run:02d}.{suffix}" if dot else f"{name}_run-{run:02d}"
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".", " ")) or is_device(name):
        raise SettingsError(
            f"file name {name!r} is refused: it must be a plain name inside the folder (letters, "
            "digits and . _ - + = @ , ( ), beginning with a letter or digit)"
        )
    if len(name) > _LONGEST:
        raise SettingsError(f"file name {name[:40]!r}... is longer than {_LONGEST} characters")
    return name


def is_device(name: str) -> bool:
    """Whether Windows takes a name for a device; refused everywhere, so a folder can be copied.

    >>> is_device("con"), is_device("LPT1.xdf"), is_device("control.xdf")
    (True, True, False)
    """
    return _DEVICES.fullmatch(name) is not None


def is_free(path: Path) -> bool:
    """Whether a recording may be made there: nothing exists, or a claim."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC) + 1) == MAGIC
    except FileNotFoundError:
        return True
    except OSError:
        return False


def release(path: Path) -> None:
    """Give a name back: remove the file if it is nothing but a claim."""
    if path.exists() and is_free(path):
        path.unlink(missing_ok=True)


def open_new(path: Path) -> FileIO:
    """Open a new file without a buffer, readable by its owner alone, at its first byte.

    Raises
    ------
    SettingsError
        When it exists and is no claim, or cannot be made.
    """
    flags = os.O_WRONLY | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        if not is_free(path):
            raise SettingsError(f"{path} exists: recordings are never overwritten") from error
        descriptor = os.open(path, flags)
    except OSError as error:
        raise SettingsError(f"{path} cannot be made: {error.strerror}") from error
    return FileIO(descriptor, "wb")
