"""The sessions that were open lately, so that each can be opened again by one click."""

import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import platformdirs

from bci.private import private_folder, write_private

__all__ = ["RecentSession", "RecentSessions"]

_log = logging.getLogger(__name__)

_VERSION, _MOST = 1, 20


@dataclass(frozen=True, slots=True)
class RecentSession:
    """A session that was open.

    Attributes
    ----------
    root : str
        Folder of its workspace.
    subject, session : str
    at : str
        When it was opened last (ISO 8601).
    """

    root: str
    subject: str
    session: str
    at: str = ""


class RecentSessions:
    """A short list in the user's own settings, the newest first.

    A list that is damaged, or cannot be written, is no reason not to work: it is begun anew.

    Parameters
    ----------
    path : Path, optional
        Default: ``recent.json`` in the user's folder of settings.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(
            platformdirs.user_config_dir("rolandic", appauthor=False), "recent.json"
        )

    def sessions(self) -> list[RecentSession]:
        """Return them, the newest first; those whose folder is gone are left out."""
        return [entry for entry in self._read() if _folder(entry).is_dir()]

    def workspaces(self) -> list[Path]:
        """Return their workspaces, each once, the newest first."""
        return list(dict.fromkeys(Path(entry.root) for entry in self.sessions()))

    def note(self, root: Path, subject: str, session: str) -> None:
        """Put a session to the head of the list."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        new = RecentSession(str(root.absolute()), subject, session, now)
        same = (new.root, new.subject, new.session)
        others = [e for e in self._read() if (e.root, e.subject, e.session) != same]
        content = {
            "version": _VERSION,
            "sessions": [asdict(entry) for entry in [new, *others][:_MOST]],
        }
        try:
            private_folder(self.path.parent)
            write_private(self.path, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            _log.warning("%s cannot be written: %s", self.path, error)

    def _read(self) -> list[RecentSession]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["version"] != _VERSION:
                return []
            return [RecentSession(**entry) for entry in content["sessions"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be read and is begun anew: %s", self.path, error)
            return []


def _folder(entry: RecentSession) -> Path:
    return Path(entry.root, "sourcedata", f"sub-{entry.subject}", f"ses-{entry.session}")
