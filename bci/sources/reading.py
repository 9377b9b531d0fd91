"""Opening a recording of whatever format, and judging the channels that are used of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError
from bci.sources.files import readable_file, recording_hash
from bci.sources.recording import Recording
from bci.sources.xdf_chunks import MAGIC

__all__ = ["check_channels", "open_recording", "recording_hash"]

_XDF_SUFFIXES = (".xdf", ".xdfz", ".xdf.gz")


def open_recording(
    path: Path,
    *,
    unit: str | None = None,
    labels: Sequence[str] | None = None,
    stream: str | None = None,
) -> Recording:
    """Read a recording: XDF, or any format that MNE reads.

    Parameters
    ----------
    path : Path
    unit : str or None
        Unit of the EEG channels (``"uV"``), whatever the file declares.
    labels : sequence of str or None
        Channel names in place of the file's.
    stream : str or None
        Name of the stream in an XDF file with several; other formats have one.

    Raises
    ------
    InputError
        One line that names the file, what is wrong with it and what to do: see
        `bci.sources.xdf.read_xdf` and `bci.sources.mne_files.read_mne`.
    """
    path = readable_file(Path(path))
    with path.open("rb") as file:
        begins_as_xdf = file.read(len(MAGIC)) == MAGIC
    if begins_as_xdf or path.name.lower().endswith(_XDF_SUFFIXES):
        from bci.sources.xdf import read_xdf

        return read_xdf(path, unit=unit, labels=labels, stream=stream)
    from bci.sources.mne_files import read_mne

    return read_mne(path, unit=unit, labels=labels)


def _duplicates(samples: NDArray[np.float64], columns: Sequence[int]) -> list[list[int]]:
    """Group columns that hold the same samples; only groups of two or more."""
    groups: dict[bytes, list[int]] = {}
    for column in columns:
        # A short sample of the column sorts most out before all of it is compared.
        probe = np.ascontiguousarray(samples[:: max(1, len(samples) // 64), column]).tobytes()
        groups.setdefault(probe, []).append(column)
    same = []
    for group in groups.values():
        while len(group) > 1:
            first, *rest = group
            twins = [c for c in rest if np.array_equal(samples[:, c], samples[:, first])]
            if twins:
                same.append([first, *twins])
            group = [c for c in rest if c not in twins]
    return same


def check_channels(recording: Recording, indices: Sequence[int] | NDArray[np.intp]) -> None:
    """Refuse channels from which nothing can be learned.

    Parameters
    ----------
    recording : Recording
    indices : sequence of int
        The channels that are used; the others may be as they like.

    Raises
    ------
    ChannelError
        One line that names every used channel that holds NaN or infinity, is flat, carries the
        same samples as another, or shares its name with another.
    """
    labels = recording.info.labels
    used = [int(index) for index in indices]
    names = [labels[index] for index in used]
    columns = recording.samples[:, used]
    finite = np.isfinite(columns).all(axis=0)
    flat = finite & (columns.max(axis=0, initial=-np.inf) == columns.min(axis=0, initial=np.inf))
    problems = []
    if not finite.all():
        bad = [names[i] for i in np.flatnonzero(~finite)]
        problems.append(f"NaN or infinite samples in {', '.join(bad)}")
    if flat.any():
        problems.append(f"flat: {', '.join(names[i] for i in np.flatnonzero(flat))}")
    for group in _duplicates(columns, [int(i) for i in np.flatnonzero(finite & ~flat)]):
        problems.append(f"{' and '.join(names[i] for i in group)} carry the same samples")
    doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if doubled:
        problems.append(f"several channels are called {', '.join(doubled)}")
    if problems:
        raise ChannelError(
            f"{recording.path}: {'; '.join(problems)}: choose the others with --channels"
        )
