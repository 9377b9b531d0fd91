"""Analyses kept in a workspace: written, listed, found by name, read.

::

    WORKSPACE/derivatives/rolandic-features/     a BIDS derivative
        dataset_description.json
        NAME_HASH/       settings.json, arrays.npz, and what is drawn of it
        .cache/          results of steps; may be deleted at any time
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bci import __version__
from bci.errors import SettingsError
from bci.features.analysis import Analysis, AnalysisSettings, Origin
from bci.features.cache import Arrays, Cache, read_arrays, write_arrays
from bci.private import private_folder, private_opener

__all__ = [
    "Entry",
    "Library",
    "document",
    "load_analysis",
    "write_text",
]

_SETTINGS, _ARRAYS = "settings.json", "arrays.npz"
_FORMAT = 1
_PEAK = ("freq_hz", "height_db", "width_hz")


@dataclass(frozen=True, slots=True)
class Entry:
    """An analysis that is kept.

    Attributes
    ----------
    path : Path
        Its folder, ``NAME_HASH``.
    name, content, created : str
    recordings : tuple of str
        File names.
    n_trials : dict of str to int
        By class.
    """

    path: Path
    name: str
    content: str
    created: str
    recordings: tuple[str, ...]
    n_trials: dict[str, int]


class Library:
    """The analyses of a workspace.

    Parameters
    ----------
    workspace : Path
        Made, for this user only, when the first analysis is written.
    """

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace / "derivatives" / "rolandic-features"

    @property
    def cache(self) -> Cache:
        """Where the results of steps are kept."""
        return Cache(self.folder / ".cache")

    def write(self, analysis: Analysis, draw: Callable[[Path], None] | None = None) -> Path:
        """Keep an analysis: its folder is there whole, or not at all.

        Parameters
        ----------
        analysis : Analysis
            One of the same name, parameters and recordings takes the place of what was there.
        draw : callable, optional
            Called with the folder while it is made: it may put more files into it.

        Returns
        -------
        Path
            Its folder.

        Raises
        ------
        SettingsError
            When it cannot be written.
        """
        path = self.folder / analysis.label
        try:
            private_folder(self.folder)
            self._describe()
            # mkdtemp makes it 0700, as the workspace is.
            scratch = Path(tempfile.mkdtemp(prefix=f".{analysis.label}.", dir=self.folder))
            try:
                write_text(scratch / _SETTINGS, json.dumps(document(analysis), indent=2) + "\n")
                write_arrays(
                    scratch / _ARRAYS,
                    {
                        f"{step}.{name}": array
                        for step, arrays in analysis.steps.items()
                        for name, array in arrays.items()
                    },
                )
                if draw:
                    draw(scratch)
                if path.is_dir():
                    os.replace(path, scratch / ".before")
                os.replace(scratch, path)
                shutil.rmtree(path / ".before", ignore_errors=True)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        except OSError as error:
            raise SettingsError(
                f"{path}: cannot be written ({error.strerror or error}); choose a folder that is "
                "writable and has room"
            ) from error
        return path

    def _describe(self) -> None:
        """Say what these files are, as BIDS asks of derivatives."""
        path = self.folder / "dataset_description.json"
        if not path.exists():
            said = {
                "Name": "Rolandic: analyses of features",
                "BIDSVersion": "1.9.0",
                "DatasetType": "derivative",
                "GeneratedBy": [{"Name": "rolandic", "Version": __version__}],
            }
            write_text(path, json.dumps(said, indent=2) + "\n")

    def entries(self) -> list[Entry]:
        """Return the analyses that are kept, the newest last."""
        found = []
        for path in self.folder.glob("*/settings.json"):
            if path.parent.name.startswith("."):
                continue
            with contextlib.suppress(SettingsError, KeyError):
                said = _read_document(path.parent)
                found.append(
                    Entry(
                        path.parent,
                        said["settings"]["name"],
                        said["content"],
                        said["created"],
                        tuple(source["name"] for source in said["recordings"]),
                        said["n_trials"],
                    )
                )
        return sorted(found, key=lambda entry: (entry.created, entry.path.name))

    def find(self, text: str) -> Path:
        """Return the folder of an analysis.

        Parameters
        ----------
        text : str
            A folder; or, of an analysis of this workspace, ``NAME_HASH``, the name, or the first
            digits of the hash. Of several the newest.

        Raises
        ------
        SettingsError
            When there is none.
        """
        if (Path(text) / _SETTINGS).is_file():
            return Path(text)
        entries = self.entries()
        for entry in reversed(entries):
            if text in (entry.name, entry.path.name) or (
                len(text) >= 4 and entry.content.startswith(text)
            ):
                return entry.path
        there = ", ".join(entry.path.name for entry in entries[-8:]) or "none yet"
        raise SettingsError(
            f"analysis {text!r} is neither a folder of one nor in {self.folder} (there: {there}): "
            "name one of these, or its folder"
        )


def document(analysis: Analysis) -> dict[str, Any]:
    """Return what an analysis is and says, without its arrays, as JSON can hold it."""
    c = analysis.power.contrast
    return {
        "format": _FORMAT,
        "rolandic": __version__,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "content": analysis.content,
        "settings": analysis.settings.model_dump(mode="json"),
        "recordings": [asdict(source) for source in analysis.recordings],
        "channels": list(analysis.channels),
        "classes": list(analysis.classes),
        "rate_hz": analysis.rate_hz,
        "n_trials": analysis.n_trials,
        "left_out": [item._asdict() for item in analysis.left_out],
        "order": analysis.order,
        "chance": {"r2": c.chance_r2, "largest_r2": c.chance_largest_r2},
        "peaks": {
            name: {
                band: None
                if np.isnan(peaks[row, 0])
                else dict(zip(_PEAK, peaks[row].tolist(), strict=True))
                for band, peaks in analysis.peaks.items()
            }
            for row, name in enumerate(analysis.channels)
        },
        "notes": list(analysis.notes),
        "suggestions": [said.as_dict() for said in analysis.suggestions],
        "features": [said.as_dict() for said in analysis.features],
    }


def write_text(path: Path, text: str) -> None:
    """Write a file of the user's alone."""
    with open(path, "w", encoding="utf-8", newline="\n", opener=private_opener) as file:
        file.write(text)


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / _SETTINGS
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as an analysis: {error}") from error
    if not isinstance(said, dict) or "settings" not in said:
        raise SettingsError(f"{path} is no analysis of Rolandic: name a folder that holds one")
    if said.get("format", 0) > _FORMAT:
        raise SettingsError(f"{path} was written by a later Rolandic: update this one")
    return said


def load_analysis(folder: Path) -> Analysis:
    """Read an analysis back.

    Parameters
    ----------
    folder : Path
        As `Library.write` returned it.

    Raises
    ------
    SettingsError
        When it is none, or damaged.
    """
    said = _read_document(folder)
    steps: dict[str, Arrays] = {}
    try:
        for key, array in read_arrays(folder / _ARRAYS).items():
            step, _, name = key.partition(".")
            steps.setdefault(step, {})[name] = array
        return Analysis.of(
            AnalysisSettings.make(**said["settings"]),
            [Origin(**source) for source in said["recordings"]],
            steps,
        )
    except (OSError, ValueError, KeyError, TypeError, SettingsError) as error:
        raise SettingsError(
            f"{folder} cannot be read as an analysis ({error}): make it again"
        ) from error
