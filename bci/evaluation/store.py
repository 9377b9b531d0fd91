"""Finished cells on disk: what a run that was ended need not do again."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bci.errors import SettingsError
from bci.private import private_folder, write_private

__all__ = ["CellStore", "claim_folder"]

_log = logging.getLogger(__name__)


class CellStore:
    """Finished cells in a private folder, one JSON file each.

    Parameters
    ----------
    folder : Path
        Made when the first cell is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: str) -> dict[str, Any] | None:
        """Return a finished cell; None for one that is not there or whose file is damaged."""
        try:
            kept = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
            result = kept["result"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            _log.warning("cell %s is damaged, and done again", key, exc_info=True)
            return None
        return result if isinstance(result, dict) and kept.get("key") == key else None

    def save(self, key: str, name: str, result: dict[str, Any]) -> None:
        """Keep a finished cell.

        Parameters
        ----------
        key, name : str
        result : dict
            What JSON can hold.

        Raises
        ------
        SettingsError
            When it cannot be written.
        """
        path = self._folder / f"{key}.json"
        try:
            private_folder(self._folder)
            write_private(path, json.dumps({"key": key, "cell": name, "result": result}))
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written ({error.strerror}): make room, or name another folder "
                "with --out"
            ) from error


def claim_folder(folder: Path, asked: Mapping[str, Any], *, overwrite: bool = False) -> CellStore:
    """Make a folder that of one evaluation, or find that it is.

    Parameters
    ----------
    folder : Path
        A new one, an empty one, or that of the same evaluation, which then goes on.
    asked : mapping
        What is evaluated, as JSON can hold it.
    overwrite : bool
        Let this evaluation take the place of another; cells that both have are kept.

    Returns
    -------
    CellStore
        Of its cells.

    Raises
    ------
    SettingsError
        When something else is there, or it cannot be made.
    """
    path = folder / _MANIFEST
    wanted = json.loads(json.dumps(dict(asked)))
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--out {folder} is a file: name a folder")
    try:
        if path.exists():
            differing = _differing(path, wanted)
            if differing and not overwrite:
                raise SettingsError(
                    f"--out {folder} holds another evaluation ({differing}): name another folder, "
                    "or --overwrite (cells that both have are kept)"
                )
        elif folder.is_dir() and any(folder.iterdir()):
            raise SettingsError(
                f"--out {folder} holds other things, and no evaluation: name a new folder"
            )
        private_folder(folder)
        write_private(path, json.dumps({"format": _FORMAT, "asked": wanted}, indent=2) + "\n")
    except OSError as error:
        raise SettingsError(f"--out {folder} cannot be written ({error.strerror})") from error
    return CellStore(folder / "cells")


_MANIFEST, _FORMAT = "evaluation.json", "rolandic-evaluation 1"


def _differing(path: Path, wanted: Mapping[str, Any]) -> str:
    """Say in what the evaluation of a folder differs; empty where it is the same."""
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        asked = there["asked"] if there["format"] == _FORMAT else {}
        names = [name for name in {**asked, **wanted} if asked.get(name) != wanted.get(name)]
    except (ValueError, KeyError, TypeError):
        return f"{path.name} is damaged"
    return f"its {', '.join(name.replace('_', ' ') for name in names)} differ" if names else ""
