"""Whose recordings are whose, from the command line, and reading them when their turn comes."""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bci.cli import options, output
from bci.errors import RecordingError, SettingsError
from bci.signal.epochs import Epochs, LeftOut, cut_epochs
from bci.signal.rejection import standing_out
from bci.sources.recording import Recording

__all__ = ["Reader", "gather"]

#: What counts as a recording in a folder; a file that is named by itself may be called anything.
_ENDINGS = (
    ".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", ".fif.gz", ".cnt", ".mff", ".ov",
    ".xdf", ".xdfz", ".xdf.gz",
)  # fmt: skip


def gather(
    paths: Sequence[Path], subjects: Sequence[str], match: Sequence[str]
) -> dict[str, list[Path]]:
    """Return each person's recordings.

    Parameters
    ----------
    paths : sequence of Path
        Recordings, which are one person's, or folders: each is a person with all recordings in it,
        at any depth; one that holds folders ``sub-*`` stands for these.
    subjects : sequence of str
        ``NAME=REC,REC``: a person by name; ``*`` and ``?`` in REC as a shell has them.
    match : sequence of str
        Of folders, only files whose names match one of these patterns; empty: all.

    Returns
    -------
    dict of str to list of Path
        In order; one person of whom only recordings were given has the name ``""``.

    Raises
    ------
    SettingsError, RecordingError
        In one line.
    """
    folders = [path for path in paths if path.is_dir() and path.suffix.lower() != ".mff"]
    found: dict[str, list[Path]] = {}
    if folders and len(folders) < len(paths):
        file = next(path for path in paths if path not in folders)
        raise SettingsError(
            f"{folders[0]} is a folder and {file} is none: give recordings of one person, or "
            "folders of several, or --subject NAME=REC,REC for each"
        )
    if paths and subjects and not folders:
        raise SettingsError(
            f"{paths[0]} belongs to nobody beside --subject: put it behind a NAME= too"
        )
    if not (paths or subjects):
        raise SettingsError(
            "no recording is given: name recordings of one person, folders of several, or "
            "--subject NAME=REC,REC"
        )
    if match and not folders:
        raise SettingsError(f"--match {match[0]}: it chooses among files of folders; give folders")
    if paths and not folders:
        found[""] = list(paths)
    for folder in folders:
        people = sorted(path for path in folder.glob("sub-*") if path.is_dir()) or [folder]
        for person in people:
            _add(found, person.resolve().name, _recordings(person, match))
    for text in subjects:
        name, equals, names = (part.strip() for part in text.partition("="))
        if not (name and equals and names):
            raise SettingsError(f"--subject {text!r}: write NAME=REC,REC, such as S01=a.edf,b.edf")
        _add(found, name, list(_named(text, names)))
    return found


def _add(found: dict[str, list[Path]], name: str, recordings: list[Path]) -> None:
    if name in found:
        raise SettingsError(
            f"two people are called {name}: name them with --subject NAME=REC,REC, apart"
        )
    found[name] = recordings


def _recordings(folder: Path, match: Sequence[str]) -> list[Path]:
    there = sorted(p for p in folder.rglob("*") if p.name.lower().endswith(_ENDINGS))
    chosen = [p for p in there if not match or any(fnmatch.fnmatch(p.name, m) for m in match)]
    if not chosen:
        if there:
            raise RecordingError(
                f"{folder}: none of its {len(there)} recordings ({there[0].name}, ...) matches "
                f"--match {' '.join(match)}"
            )
        raise RecordingError(
            f"{folder} holds no recording ({', '.join(_ENDINGS[:5])}, ...): name a folder that does"
        )
    return chosen


def _named(text: str, names: str) -> Iterable[Path]:
    for name in (part.strip() for part in names.split(",") if part.strip()):
        path = Path(name)
        if not set("*?") & set(name):
            yield path
            continue
        matching = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        if not matching:
            raise RecordingError(f"--subject {text}: nothing matches {name}")
        yield from matching


@dataclass(slots=True)
class Reader:
    """One person's recordings, and how they are read and cut.

    Attributes
    ----------
    name : str
    paths : sequence of Path
    reading, cutting : dict
        Arguments of `options.open_recordings` and `options.epoch_settings`.
    standing : str
        Once read, where rejection was asked for: which trials of each class stand out.
    """

    name: str
    paths: Sequence[Path]
    reading: dict[str, Any]
    cutting: dict[str, Any]
    standing: str = ""
    _warnings: list[str] = field(default_factory=list)
    _left_out: Sequence[LeftOut] = ()
    _kept: tuple[Epochs, Sequence[Recording]] | None = None

    def read(self) -> tuple[Epochs, Sequence[Recording]]:
        """Read and cut; what recordings warn of is kept for later, since a bar is shown now."""
        if self._kept:
            return self._kept
        opened = options.open_recordings(self.paths, **self.reading)
        self._warnings += [f"{r.path.name}: {w}" for r in opened for w in r.warnings]
        epochs = cut_epochs(opened, options.epoch_settings(opened, **self.cutting))
        self._left_out = epochs.left_out
        if epochs.settings.reject:
            self.standing = standing_out(epochs)
            named = f"{self.name}: {self.standing}" if self.name else self.standing
            self._warnings.append(f"{named}: not learned from within a fold, but tested")
        return epochs, opened

    def keep(self) -> None:
        """Read now, and say what there is to say."""
        self._kept = self.read()
        self.warn()

    def warn(self) -> None:
        """Say what recordings warn of, and which trials are not used."""
        output.show_warnings(self._warnings)
        output.show_left_out(self._left_out)
