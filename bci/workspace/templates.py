"""What the sessions of a study share, kept in the workspace under a name: protocol, montage, ...

A template is a small JSON file in ``code/templates``, where BIDS lets anything be; it can be sent
to another clinic as it is.
"""

import json
import re
from pathlib import Path
from typing import Any

from bci.errors import SettingsError
from bci.private import private_folder, write_private
from bci.workspace.setup import SessionSetup

__all__ = ["Templates"]

_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _+.-]{0,59}")

#: What holds for one person or one day only is no part of a template.
_OWN = ("subject", "session", "operator", "stream", "bad_channels")


class Templates:
    """The templates of a workspace.

    Parameters
    ----------
    root : Path
        Of the workspace.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "code" / "templates"

    def names(self) -> list[str]:
        """Return their names, in order."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def save(self, name: str, setup: SessionSetup) -> Path:
        """Keep what a session is set to; a template of that name is replaced.

        Raises
        ------
        SettingsError
            When the name is no file name on every system, or it cannot be written.
        """
        path = self._path(name)
        values = setup.model_dump(mode="json", exclude=set(_OWN))
        content = json.dumps({"version": _VERSION, "setup": values}, indent=1)
        try:
            private_folder(self.folder)
            write_private(path, content + "\n")
        except OSError as error:
            raise SettingsError(f"{path} cannot be written ({error.strerror})") from error
        return path

    def load(self, name: str) -> dict[str, Any]:
        """Return what a template sets: some of `SessionSetup`'s settings, checked.

        Raises
        ------
        SettingsError
            When it is not there, or one of its settings cannot be.
        """
        path = self._path(name)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["version"] != _VERSION:
                raise SettingsError(
                    f"{path} is of another version of Rolandic ({content['version']})"
                )
            values = {k: v for k, v in dict(content["setup"]).items() if k not in _OWN}
        except FileNotFoundError as error:
            raise SettingsError(f"there is no template {name!r} in {self.folder}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{path} cannot be read ({error}): delete it") from error
        try:
            checked = SessionSetup.make(subject="S01", session="01", **values)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from error
        return {key: getattr(checked, key) for key in values}

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.endswith((".", " ")):
            raise SettingsError(
                f"template name {name!r}: begin with a letter or digit, and use letters, digits, "
                "spaces and _ + . - (60 at most)"
            )
        return self.folder / f"{name}.json"
