"""Where the files of a workspace are: a BIDS dataset; ``sourcedata`` holds what was recorded.

Any BIDS dataset can be a workspace: recordings that others put into it are found, and can be
calibration runs of a session.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from bci.errors import SettingsError
from bci.private import private_folder, write_private

__all__ = ["BidsRecording", "SessionPlace", "Workspace"]

_BIDS_VERSION = "1.10.0"
#: What BIDS takes for EEG; the other files of BrainVision and EEGLAB lie beside these.
_FORMATS = (".vhdr", ".edf", ".bdf", ".set")
_ENTITY = re.compile(r"(?:^|_)(ses|task|acq|run)-([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class BidsRecording:
    """A recording in the BIDS tree, whoever made it.

    Attributes
    ----------
    subject : str
    session, task, run : str
        Empty where its name has none.
    path : Path
    file : str
        Relative to the workspace, with slashes: a `RunRecord.file`.
    """

    subject: str
    session: str
    task: str
    run: str
    path: Path
    file: str


@dataclass(frozen=True, slots=True)
class SessionPlace:
    """A session that is there.

    Attributes
    ----------
    subject, session : str
    folder : Path
    """

    subject: str
    session: str
    folder: Path


class Workspace:
    """A folder of sessions.

    Parameters
    ----------
    root : Path
        Made if it is not there; an existing BIDS dataset is taken as it is.

    Raises
    ------
    SettingsError
        When it is no folder, or cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if root.exists() and not root.is_dir():
            raise SettingsError(f"{root} is no folder: choose or name one")
        description = root / "dataset_description.json"
        try:
            private_folder(root)
            if not description.exists():
                content = {"Name": root.name, "BIDSVersion": _BIDS_VERSION, "DatasetType": "raw"}
                write_private(description, json.dumps(content, indent=2) + "\n")
        except OSError as error:
            raise SettingsError(
                f"{root}: cannot write there ({error.strerror}): choose another folder"
            ) from error

    @classmethod
    def at(cls, root: Path) -> "Workspace":
        """Return a workspace to look into; nothing is made there."""
        self = cls.__new__(cls)
        self.root = root
        return self

    def folder(self, subject: str, session: str) -> Path:
        """Return where a session's files are, or are to be."""
        return self.root / "sourcedata" / f"sub-{subject}" / f"ses-{session}"

    def sessions(self, subject: str | None = None) -> list[SessionPlace]:
        """Return the sessions that are there, in order of their names."""
        pattern = f"sub-{subject or '*'}/ses-*"  # labels are letters and digits alone
        return [
            SessionPlace(
                folder.parent.name.removeprefix("sub-"), folder.name.removeprefix("ses-"), folder
            )
            for folder in sorted((self.root / "sourcedata").glob(pattern))
            if folder.is_dir()
        ]

    def subjects(self) -> list[str]:
        """Return everyone of whom there is something, in order of their names."""
        folders = [*(self.root / "sourcedata").glob("sub-*"), *self.root.glob("sub-*")]
        return sorted({path.name.removeprefix("sub-") for path in folders if path.is_dir()})

    def next_session(self, subject: str) -> str:
        """Return the first label that no session of a person has, of our own or in the BIDS tree.

        Labels count up in two digits; of a person without a session it is ``"01"``.
        """
        taken = {place.session for place in self.sessions(subject)} if subject else set()
        taken |= {
            path.name.removeprefix("ses-")
            for path in (self.root / f"sub-{subject}").glob("ses-*")
            if subject
        }
        highest = max((int(label) for label in taken if label.isdecimal()), default=0)
        return f"{highest + 1:02d}"

    def recordings(self, subject: str) -> list[BidsRecording]:
        """Return a person's EEG recordings in the BIDS tree, in order of their names."""
        folder = self.root / f"sub-{subject}"
        found = []
        for path in sorted([*folder.glob("eeg/*_eeg.*"), *folder.glob("ses-*/eeg/*_eeg.*")]):
            if path.suffix.lower() in _FORMATS:
                entities = dict(_ENTITY.findall(path.name))
                found.append(
                    BidsRecording(
                        subject,
                        entities.get("ses", ""),
                        entities.get("task", ""),
                        entities.get("run", ""),
                        path,
                        path.relative_to(self.root).as_posix(),
                    )
                )
        return found
