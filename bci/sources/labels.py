"""Electrode names: one spelling for each, and where it sits on a standard head.

Names and places are those of MNE's extended 10-05 montage (Oostenveld and Praamstra 2001, "The
five percent electrode system for high-resolution EEG and ERP measurements"). MNE is imported at
the first call, not with this module: it takes some 0.2 s that a live source need not wait for.
"""

import difflib
import re
from collections.abc import Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bci.errors import ChannelError

__all__ = [
    "SENSORIMOTOR",
    "canonical_label",
    "match_channels",
    "near_electrodes",
    "standard_position",
]

#: The rows FC, C and CP between the fifth and the sixth column: the usual 21 over the
#: sensorimotor cortex.
SENSORIMOTOR = tuple(f"{row}{column}" for row in ("FC", "C", "CP") for column in "531z246")

#: Old names of 10-20 sites and their 10-10 names: hinted at, never exchanged in silence.
_RENAMED = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
_RENAMED |= {new: old for old, new in _RENAMED.items()}

_PREFIX = re.compile(r"^EEG[\s_:.-]+", re.IGNORECASE)
# "-A1" or "-M2" stay: C3-A1 and C3-A2 may both be in one file, and Fp1-F7 is no Fp1.
_SUFFIX = re.compile(r"[\s_-]+(?:REF|LE|AR|AVG?|CAR)$", re.IGNORECASE)


@cache
def _positions() -> MappingProxyType[str, tuple[float, float, float]]:
    """Return the electrodes of the standard montage and their places in head coordinates (m)."""
    import mne

    # MNE 1.13 renamed standard_1005, and warns of the old name.
    known = mne.channels.get_builtin_montages()
    name = "colin27_1005" if "colin27_1005" in known else "standard_1005"
    montage = mne.channels.make_standard_montage(name)
    to_head = mne.channels.compute_native_head_t(montage)
    places = montage.get_positions()["ch_pos"]
    heads = mne.transforms.apply_trans(to_head, np.array(list(places.values())))
    return MappingProxyType(
        {
            label: (float(x), float(y), float(z))
            for label, (x, y, z) in zip(places, heads, strict=True)
        }
    )


@cache
def _spellings() -> MappingProxyType[str, str]:
    """Map lower-case electrode names to the montage's spelling."""
    return MappingProxyType({label.lower(): label for label in _positions()})


@cache
def canonical_label(label: str) -> str:
    """Return the montage's spelling of an electrode name; other labels only lose outer blanks.

    Case, the dots of EEGMMIDB, a leading ``EEG`` and a trailing reference that is common to all
    channels (``-Ref``, ``-LE``, ``-AR``, ``-AVG``) are ignored. A bipolar derivation keeps its
    name.

    >>> [canonical_label(label) for label in ("Fc5.", "Cz..", "FP1", "EEG C3-Ref", "Fp1-F7")]
    ['FC5', 'Cz', 'Fp1', 'C3', 'Fp1-F7']
    """
    declared = label.strip()
    bare = _SUFFIX.sub("", _PREFIX.sub("", declared)).strip()
    for candidate in (declared, declared.strip(". "), bare, bare.strip(". ")):
        known = _spellings().get(candidate.lower())
        if known is not None:
            return known
    return declared


def standard_position(label: str) -> tuple[float, float, float] | None:
    """Return where an electrode sits on the standard head.

    Returns
    -------
    (x, y, z) or None
        In head coordinates (m): x to the right ear, y to the nose, z up. None for a label that
        the montage does not have.
    """
    return _positions().get(canonical_label(label))


def near_electrodes(label: str) -> list[str]:
    """Return up to three electrodes of the standard montage whose names are nearest.

    >>> near_electrodes("Ch 3")
    ['C3', 'FC3', 'CP3']
    """
    found = difflib.get_close_matches(label.strip().lower(), list(_spellings()), n=3, cutoff=0.5)
    return [_spellings()[name] for name in found]


def _near(label: str, available: Sequence[str]) -> list[str]:
    """Return the available labels that may have been meant."""
    near = [name for name in available if canonical_label(name) == _RENAMED.get(label)]
    folded = {name.lower(): name for name in available}
    close = difflib.get_close_matches(label.lower(), list(folded), n=3, cutoff=0.5)
    return near + [folded[name] for name in close if folded[name] not in near]


def match_channels(wanted: Sequence[str], available: Sequence[str]) -> NDArray[np.intp]:
    """Find channels by name, however they are spelled and in whatever order they come.

    Parameters
    ----------
    wanted, available : sequence of str

    Returns
    -------
    ndarray of int, shape (n_wanted,)
        For each wanted channel, its index in `available`.

    Raises
    ------
    ChannelError
        When channels are missing (all are named, with the nearest names that are there), when a
        channel is wanted twice, or when its name stands for several that are there.

    >>> match_channels(["C3", "cz"], ["Cz..", "C3..", "C4.."])
    array([1, 0])
    """
    places: dict[str, list[int]] = {}
    for index, label in enumerate(available):
        places.setdefault(canonical_label(label), []).append(index)
    names = [canonical_label(label) for label in wanted]
    problems = []
    missing = [name for name in names if name not in places]
    if missing:
        near = list(dict.fromkeys(hit for name in missing for hit in _near(name, available)))
        listed = ", ".join(near) if near else _short_list(available)
        kind = "nearest names" if near else "there are"
        problems.append(f"no channel {', '.join(missing)} ({kind}: {listed})")
    doubled = [name for name in dict.fromkeys(names) if len(places.get(name, ())) > 1]
    if doubled:
        problems.append(f"several channels are called {', '.join(doubled)}")
    asked = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if asked:
        problems.append(f"{', '.join(asked)} is wanted more than once")
    if problems:
        raise ChannelError(f"{'; '.join(problems)}: choose others with --channels")
    return np.array([places[name][0] for name in names], dtype=np.intp)


def _short_list(labels: Sequence[str], n_shown: int = 12) -> str:
    """Join labels, the first few of many."""
    if not labels:
        return "none"
    more = len(labels) - n_shown
    return ", ".join(labels[:n_shown]) + (f" and {more} more" if more > 0 else "")
