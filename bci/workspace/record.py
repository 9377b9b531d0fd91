"""What is kept of a session beside its recordings: its setup, its runs, what was trained.

It is written after every change, whole or not at all, so that a crash or a power cut loses no more
than the change that was being made. One version older stays beside it: a power cut can leave a file
that the disk never got, and then that one is read. The recordings themselves do not hang on either:
runs that are in the folder and not in here are found again (`SessionRecord.adopt`).
"""

import json
import logging
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bci.errors import RecordingError, SettingsError
from bci.private import write_private
from bci.recording.naming import is_free
from bci.workspace.setup import SessionSetup

__all__ = ["RunRecord", "SessionRecord"]

_log = logging.getLogger(__name__)

_VERSION = 1
_NAME, _BEFORE = "session.json", ".session.json.before"
#: Folders between a session's and the workspace's: sourcedata/sub-X/ses-Y.
_DEPTH = 3

Kind = Literal["calibration", "online"]


class _OtherVersionError(SettingsError):
    """The record was written by a version that knows more, or less."""


@dataclass(slots=True)
class RunRecord:
    """One run of a session.

    Attributes
    ----------
    file : str
        Name of its recording in the session's folder; or the path, relative to the workspace and
        with slashes, of a recording that was made elsewhere.
    kind : {"calibration", "online"}
    completed : bool
        Whether it came to its end; one that was stopped or failed is used as far as it goes.
    used : bool
        Whether analyses and training use it.
    began : str
        Date and time (ISO 8601).
    left_out : list of float
        Trials that the clinician took out: the onsets of their cues from the recording's first
        sample (s).
    note : str
        What went wrong, if something did.
    outcome : dict
        Of an online run: model, trials, latency, decisions, as the report needs them.
    """

    file: str
    kind: Kind
    completed: bool = True
    used: bool = True
    began: str = ""
    left_out: list[float] = field(default_factory=list)
    note: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class SessionRecord:
    """What is kept of a session.

    Attributes
    ----------
    folder : Path
    setup : SessionSetup
    runs : list of RunRecord
        In the order in which they were made.
    attempts : list of dict
        Decoders that were trained, with parameters and scores, see `bci.experiment.training`.
    model : str
        File name of the model in use, in the folder; empty: none.
    features : list of str
        Features that were chosen, such as ``"C4;10:13"``.
    analysis : dict
        Parameters of the analysis that differ from the usual ones, see `bci.experiment.analyses`.
    notes : list of dict
        The operator's: ``at`` (ISO 8601), ``run``, ``text``.
    """

    folder: Path
    setup: SessionSetup
    runs: list[RunRecord] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    model: str = ""
    features: list[str] = field(default_factory=list)
    analysis: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def save(self) -> None:
        """Write ``session.json``.

        Raises
        ------
        RecordingError
            When it cannot be written; what was there stays.
        """
        content = {
            "version": _VERSION,
            "setup": self.setup.model_dump(mode="json"),
            "runs": [asdict(run) for run in self.runs],
            "attempts": self.attempts,
            "model": self.model,
            "features": self.features,
            "analysis": self.analysis,
            "notes": self.notes,
        }
        path = self.folder / _NAME
        try:
            if path.exists():
                with suppress(OSError):  # a disk that knows no links keeps one version
                    _keep(path, self.folder / _BEFORE)
            write_private(path, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be written ({error.strerror}): make room on the disk"
            ) from error

    @classmethod
    def load(cls, folder: Path) -> "SessionRecord | None":
        """Read what was kept; None where nothing was.

        Raises
        ------
        SettingsError
            When it cannot be read, with what to do.
        """
        return cls._read(folder / _NAME)

    @classmethod
    def recover(cls, folder: Path) -> "tuple[SessionRecord | None, str]":
        """Read what was kept, and if it is damaged the version before; nothing is thrown away.

        Returns
        -------
        SessionRecord or None
            None: there is none, or none that can be read. The recordings are there all the same.
        str
            What was done about a damaged one, for people; empty: it is whole.

        Raises
        ------
        SettingsError
            When it is of another version: it is left as it is.
        """
        found, told = cls.peek(folder)
        if told:
            path = folder / _NAME
            aside = _aside(path)
            with suppress(OSError):
                path.replace(aside)
            told = told.format(aside=aside.name)
        return found, told

    @classmethod
    def peek(cls, folder: Path) -> "tuple[SessionRecord | None, str]":
        """Read as `recover` does, and leave the files as they are."""
        try:
            return cls.load(folder), ""
        except _OtherVersionError:
            raise  # it is whole, and not ours to set aside
        except SettingsError as error:
            _log.warning("%s", error)
        told = f"{_NAME} was damaged (kept as {{aside}}): "
        try:
            before = cls._read(folder / _BEFORE)
        except SettingsError as error:
            _log.warning("%s", error)
            before = None
        if before is not None:
            return before, told + "its version before is used"
        return None, told + "the recordings are all here, look through the settings"

    @classmethod
    def _read(cls, path: Path) -> "SessionRecord | None":
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["version"] != _VERSION:
                raise _OtherVersionError(
                    f"{path} is of another version of Rolandic (format {content['version']}): "
                    "open it with that one"
                )
            return cls(
                folder=path.parent,
                setup=SessionSetup.make(**content["setup"]),
                runs=[RunRecord(**run) for run in content["runs"]],
                attempts=list(content["attempts"]),
                model=str(content["model"]),
                features=list(content["features"]),
                analysis=dict(content.get("analysis", {})),
                notes=list(content["notes"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{path} cannot be read ({error}): rename it, and the recordings beside it are "
                "found again"
            ) from error

    def adopt(self, *, but: Collection[Path] = ()) -> list[RunRecord]:
        """Take up runs whose recordings are in the folder and not on the record.

        Parameters
        ----------
        but : collection of Path
            Recordings that are left alone: they are being written.

        Returns
        -------
        list of RunRecord
            Those, marked as not completed.
        """
        known = {run.file for run in self.runs}
        found = [
            RunRecord(path.name, kind, completed=False, note="found again after a crash")
            for kind in _KINDS
            for path in sorted(self.folder.glob(f"{kind}-*.xdf"))
            if path.name not in known and path not in but and not is_free(path)
        ]
        self.runs += found
        return found

    def paths(self, kind: Kind | None = None, *, used: bool = True) -> list[Path]:
        """Return the recordings of runs.

        Parameters
        ----------
        kind : {"calibration", "online"}, optional
        used : bool
            Only those that are ticked.
        """
        return [
            self.path(run.file)
            for run in self.runs
            if (kind is None or run.kind == kind) and (run.used or not used)
        ]

    def path(self, file: str) -> Path:
        """Return where the recording of a run is; see `RunRecord.file`."""
        return (self.root if "/" in file else self.folder) / file

    @property
    def root(self) -> Path:
        """The workspace's folder."""
        return self.folder.parents[_DEPTH - 1]

    def run(self, file: str) -> RunRecord:
        """Return the run of a recording; KeyError when there is none."""
        for run in self.runs:
            if run.file == file:
                return run
        raise KeyError(file)


_KINDS: Sequence[Kind] = ("calibration", "online")


def _keep(path: Path, before: Path) -> None:
    """Let a file have a second name, that of its version before."""
    before.unlink(missing_ok=True)
    os.link(path, before)


def _aside(path: Path) -> Path:
    """Return a name that is not taken for a file that is damaged."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    return aside
