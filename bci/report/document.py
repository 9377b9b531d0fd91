"""What a report says, before it is a page of HTML or of PDF: sections of text, tables, pictures.

Texts are plain: who writes them into HTML escapes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from matplotlib.figure import Figure

from bci import __version__

__all__ = ["FOOTER", "Block", "Document", "Paragraph", "Picture", "Section", "Table"]

#: Stands at the foot of every page.
FOOTER = (
    f"Rolandic {__version__} is research software and no medical device. It records and decodes "
    "EEG; it does not stimulate, and it diagnoses nothing."
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text; the strong one is what a page wants to say."""

    text: str
    kind: Literal["plain", "strong", "quiet"] = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells.

    Attributes
    ----------
    rows : sequence of sequences of str
    head : sequence of str
        Empty: the first column is the head of each row.
    title : str
    """

    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with what one must know to read it.

    Attributes
    ----------
    figure : Figure
    title, caption : str
    tallest_in : float
        On paper (in).
    """

    figure: Figure = field(repr=False)
    title: str
    caption: str
    tallest_in: float = 4.6


Block = Paragraph | Table | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """A report.

    Attributes
    ----------
    title, subtitle : str
    front : Section
        The one page that a clinician reads.
    sections : sequence of Section
        The details.
    """

    title: str
    subtitle: str
    front: Section
    sections: Sequence[Section]
