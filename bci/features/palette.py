"""Colours and words that all pictures share."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DIVERGING", "SEQUENTIAL", "class_colours", "counted", "foot", "words"]

#: Of what has a sign, blue below and red above zero, and of what has none: both can be told apart
#: with every kind of colour blindness.
DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"

# Okabe and Ito's colours, safe for every kind of colour blindness.
_COLOURS = {
    "left_hand": "#0072B2",
    "right_hand": "#E69F00",
    "feet": "#009E73",
    "both_hands": "#CC79A7",
    "tongue": "#56B4E9",
    "rest": "#777777",
}
_OTHERS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """Return a colour for each class: the fixed ones, and others for names that have none."""
    spare = iter(colour for colour in _OTHERS if colour not in map(_COLOURS.get, classes))
    return {name: _COLOURS.get(name) or next(spare, "#000000") for name in classes}


def words(name: str) -> str:
    """Return a name as people write it."""
    return name.replace("_", " ")


def counted(classes: Sequence[str], n_trials: Sequence[int]) -> str:
    """Return the number of trials of each class.

    >>> counted(("left_hand", "right_hand"), (23, 22))
    '23 left hand, 22 right hand'
    """
    return ", ".join(f"{n} {words(name)}" for name, n in zip(classes, n_trials, strict=True))


def foot(figure: "Figure", note: str) -> None:
    """Write a note under a picture, in as many lines as it takes."""
    n_letters = int(14 * figure.get_size_inches()[0])
    figure.supxlabel(textwrap.fill(note, n_letters), fontsize=8, color="#444444")
