"""Event names of the field, and how markers become classes.

The paradigm writes the names below as LSL markers. The GDF codes are those of the Graz group's
general data format (Schlögl 2006, "GDF: a general data format for biosignals", event table),
which OpenViBE and BCI competition files use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bci.errors import SettingsError

__all__ = [
    "CLASSES",
    "EVENTS",
    "Marker",
    "class_of",
    "normalised_label",
    "parse_classes",
    "parse_event_map",
]


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at a time.

    Attributes
    ----------
    time_s : float
        On the common clock of the recording or session (LSL clock, s).
    label : str
    """

    time_s: float
    label: str


#: Class names, as cue markers carry them, and their GDF codes.
CLASSES: dict[str, int] = {
    "left_hand": 0x301,
    "right_hand": 0x302,
    "feet": 0x303,
    "tongue": 0x304,
    "both_hands": 0x306,
    "rest": 0x30F,
}

#: Events of the protocol that are no cues, and their GDF codes.
EVENTS: dict[str, int] = {
    "run_start": 0x7FFE,
    "trial_start": 0x300,
    "fixation": 0x312,
    "imagery_start": 0x30D,
    "imagery_end": 0x830D,
    "trial_end": 0x8300,
    "trial_rejected": 0x3FF,
    "run_end": 0xFFFE,
}

_ALIASES: dict[str, str] = {
    **{name: name for name in CLASSES},
    **{str(code): name for name, code in CLASSES.items() if name != "rest"},
    "OVTK_GDF_Left": "left_hand",
    "OVTK_GDF_Right": "right_hand",
    "OVTK_GDF_Foot": "feet",
    "OVTK_GDF_Tongue": "tongue",
    "hands": "both_hands",
}


def normalised_label(label: str) -> str:
    """Return a marker label with the spelling that event maps use.

    A label that reads as a whole number loses its decimals: LSL senders that push numbers as
    strings write ``"2.000000000000000"``.

    >>> normalised_label("2.000000000000000"), normalised_label(" T1 ")
    ('2', 'T1')
    """
    label = label.strip()
    try:
        number = float(label)
    except ValueError:
        return label
    return str(int(number)) if number.is_integer() else label


def parse_event_map(pairs: Iterable[str]) -> dict[str, str]:
    """Read ``T1=left_hand`` pairs.

    Returns
    -------
    dict
        Marker label to class name; empty when `pairs` is.

    Raises
    ------
    SettingsError
        For a pair without ``=`` or with an empty side, and for a label that is mapped twice.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        label, equals, name = pair.partition("=")
        label, name = normalised_label(label), name.strip()
        if not (equals and label and name):
            raise SettingsError(f"--event {pair!r}: write LABEL=CLASS, such as T1=left_hand")
        if mapping.get(label, name) != name:
            raise SettingsError(
                f"--event maps {label!r} to both {mapping[label]!r} and {name!r}: keep one"
            )
        mapping[label] = name
    return mapping


def parse_classes(text: str) -> tuple[str, ...]:
    """Read ``left_hand,right_hand``.

    Raises
    ------
    SettingsError
        For fewer than two names, or a name given twice.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(names) < 2:
        raise SettingsError(f"--classes {text!r}: name at least two, such as left_hand,right_hand")
    if len(set(names)) != len(names):
        raise SettingsError(f"--classes {text!r}: a class is named twice")
    return names


def class_of(label: str, event_map: Mapping[str, str]) -> str | None:
    """Return the class that a marker label stands for, or None.

    A non-empty `event_map` alone decides; without one, class names and the GDF names and codes
    of the cues do.
    """
    label = normalised_label(label)
    return event_map.get(label) if event_map else _ALIASES.get(label)
