"""A report on paper: A4 pages, made by Matplotlib alone, so that it needs no screen and no printer.

Text is set line by line, as wide as the font says it is; tables share the width among their columns
by what is in them; a picture comes as it is on the screen, in print resolution. What does not fit
on a page begins the next.
"""

import io
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bci.report.document import FOOTER, Block, Document, Paragraph, Picture, Section, Table

__all__ = ["front_png", "write_pdf"]

# A4 (points of 1/72 in), margins, and the resolution of pictures.
_WIDTH, _HEIGHT = 595.0, 842.0
_LEFT, _RIGHT, _TOP, _FOOT = 50.0, 50.0, 52.0, 58.0
_DPI = 200
_INNER = _WIDTH - _LEFT - _RIGHT
_LEADING = 1.32
_CELL_GAP = 10.0
_INK, _QUIET, _RULE = "#1a1d21", "#5a636e", "#c5cbd3"

_BODY = FontProperties(size=9)
_BOLD = FontProperties(size=9, weight="bold")
_SMALL = FontProperties(size=7.5)
_STRONG = FontProperties(size=12, weight="bold")
_TITLE = FontProperties(size=18, weight="bold")
_HEAD = FontProperties(size=13, weight="bold")

_UNIT = re.compile(r"(?<=\d) (?:%|(?:ms|Hz|s|µV|min)\b)")

_measure: Any = RendererAgg(10, 10, 72)  # type: ignore[no-untyped-call]


def write_pdf(path: Path, document: Document) -> None:
    """Write a report as PDF; one that is there is replaced, whole or not at all.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".pdf", dir=path.parent)
    os.close(handle)  # made 0600
    temporary = Path(name)
    try:
        with mpl.rc_context({"pdf.fonttype": 42}):
            pages = _pages(document)
            information = {"Title": f"{document.title}, {document.subtitle}", "Creator": "Rolandic"}
            with PdfPages(temporary, metadata=information) as pdf:
                for number, page in enumerate(pages, start=1):
                    page.finish(number, len(pages))
                    pdf.savefig(page.figure)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def front_png(document: Document, dpi: int = 130) -> bytes:
    """Return the first page as a picture, for a preview."""
    page = _pages(Document(document.title, document.subtitle, document.front, ()))[0]
    page.finish(1, 1)
    page.figure.set_dpi(dpi)
    target = io.BytesIO()
    FigureCanvasAgg(page.figure).print_png(target)  # type: ignore[no-untyped-call]
    return target.getvalue()


class _Page:
    """A page that is filled from above; `y` is where the next line begins, in points from above."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72, facecolor="white")
        self.y = _TOP

    @property
    def left_pt(self) -> float:
        """What is free above the foot (points)."""
        return _HEIGHT - _FOOT - self.y

    def line(
        self, text: str, font: FontProperties, colour: str = _INK, x: float = 0.0, y: float = 0.0
    ) -> None:
        """Write a line whose top is `y` below where the page is."""
        size = float(font.get_size_in_points())
        self.figure.text(
            (_LEFT + x) / _WIDTH, 1 - (self.y + y + size) / _HEIGHT, text,
            fontproperties=font, color=colour, va="baseline", parse_math=False,
        )  # fmt: skip

    def rule(self, y: float, colour: str = _RULE) -> None:
        """Draw a line across, `y` below where the page is."""
        at = 1 - (self.y + y) / _HEIGHT
        ends = [_LEFT / _WIDTH, 1 - _RIGHT / _WIDTH]
        self.figure.add_artist(Line2D(ends, [at, at], color=colour, linewidth=0.6))

    def picture(self, image: NDArray[np.uint8], width: float, height: float) -> None:
        """Put a picture in the middle."""
        x = (_LEFT + (_INNER - width) / 2) / _WIDTH
        bottom = 1 - (self.y + height) / _HEIGHT
        ax = self.figure.add_axes((x, bottom, width / _WIDTH, height / _HEIGHT))
        ax.imshow(image, aspect="auto", interpolation="lanczos")
        ax.axis("off")

    def finish(self, number: int, n_pages: int) -> None:
        """Write the foot."""
        self.y = _HEIGHT - _FOOT + 12
        self.rule(0.0)
        for k, text in enumerate(_wrapped(FOOTER, _SMALL, _INNER - 60)):
            self.line(text, _SMALL, _QUIET, 0.0, 5 + k * 10.0)
        count = f"{number} / {n_pages}"
        self.line(count, _SMALL, _QUIET, _INNER - _width(count, _SMALL), 5.0)


class _Flow:
    """Sets blocks one below the other, on as many pages as it takes."""

    def __init__(self) -> None:
        self.pages = [_Page()]

    @property
    def page(self) -> _Page:
        return self.pages[-1]

    def need(self, height: float) -> None:
        """Begin a new page unless there is room."""
        if self.page.left_pt < height and self.page.y > _TOP:
            self.new_page()

    def new_page(self) -> None:
        self.pages.append(_Page())

    def text(self, text: str, font: FontProperties, colour: str = _INK, after: float = 6.0) -> None:
        size = float(font.get_size_in_points())
        for line in _wrapped(text, font, _INNER):
            self.need(size * _LEADING)
            self.page.line(line, font, colour)
            self.page.y += size * _LEADING
        self.page.y += after

    def block(self, block: Block) -> None:
        match block:
            case Paragraph(text, "strong"):
                self.text(text, _STRONG, after=8.0)
            case Paragraph(text, kind):
                self.text(text, _BODY, _QUIET if kind == "quiet" else _INK)
            case Table():
                self.table(block)
            case Picture():
                self.picture(block)

    def section(self, section: Section) -> None:
        self.need(90.0)
        self.page.y += 8.0
        self.text(section.title, _HEAD, after=5.0)
        for block in section.blocks:
            self.block(block)

    def table(self, table: Table) -> None:
        rows = [[str(cell) for cell in row] for row in table.rows]
        if not rows:
            return
        n_columns = max(len(row) for row in [*rows, list(table.head)])
        first = _BODY if table.head else _BOLD
        widths = _column_widths([*rows, list(table.head)], n_columns)
        if table.title:
            self.need(40.0)
            self.text(table.title, _BOLD, after=2.0)
        if table.head:
            self._row(list(table.head), widths, _BOLD, _BOLD)
        for row in rows:
            self._row(row, widths, _BODY, first, list(table.head))
        self.page.y += 8.0

    def _row(
        self,
        cells: list[str],
        widths: list[float],
        font: FontProperties,
        first: FontProperties,
        head: Sequence[str] = (),
    ) -> None:
        size = float(font.get_size_in_points()) * _LEADING
        wrapped = [
            _wrapped(cell, first if k == 0 else font, widths[k]) for k, cell in enumerate(cells)
        ]
        height = max(len(lines) for lines in wrapped) * size + 4.0
        if self.page.left_pt < height and self.page.y > _TOP:
            self.new_page()
            if head:  # a table that goes on says again what its columns are
                self._row(list(head), widths, _BOLD, _BOLD)
        x = 0.0
        for k, lines in enumerate(wrapped):
            for number, line in enumerate(lines):
                self.page.line(line, first if k == 0 else font, _INK, x, 2.0 + number * size)
            x += widths[k] + _CELL_GAP
        self.page.y += height
        self.page.rule(0.0)

    def picture(self, picture: Picture) -> None:
        image = rendered(picture.figure)
        height, width = (float(n) for n in image.shape[:2])
        inches = picture.figure.get_size_inches()
        scale = min(_INNER / width, picture.tallest_in * 72 / height, 84.0 * inches[0] / width)
        width, height = width * scale, height * scale
        caption = _wrapped(picture.caption, _SMALL, _INNER)
        self.need(height + (16 if picture.title else 0) + 10.0 * len(caption) + 8)
        if picture.title:
            self.text(picture.title, _BOLD, after=3.0)
        self.page.picture(image, width, height)
        self.page.y += height + 2
        self.text(picture.caption, _SMALL, _QUIET, after=8.0)


def rendered(figure: Figure, dpi: int = _DPI) -> NDArray[np.uint8]:
    """Return a figure's pixels; its layout is made twice, see `bci.features.page.save_png`."""
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    engine = figure.get_layout_engine()
    if engine is not None and any(ax.get_aspect() != "auto" for ax in figure.axes):
        canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _pages(document: Document) -> list[_Page]:
    flow = _Flow()
    flow.text(document.title, _TITLE, after=0.0)
    flow.text(document.subtitle, _BODY, _QUIET, after=10.0)
    for block in document.front.blocks:
        flow.block(block)
    if document.sections:
        flow.new_page()
    for section in document.sections:
        flow.section(section)
    return flow.pages


def _width(text: str, font: FontProperties) -> float:
    width, _, _ = _measure.get_text_width_height_descent(text, font, False)
    return float(width)


def _wrapped(text: str, font: FontProperties, width: float) -> list[str]:
    """Break a text into lines of a width (points); a word that is wider is cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        # A unit stays with its number.
        for word in _UNIT.sub(_glue, paragraph).split(" "):
            longer = f"{line} {word}" if line else word
            if _width(longer, font) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while _width(word, font) > width and len(word) > 1:
                n = max(1, int(len(word) * width / _width(word, font)) - 1)
                lines.append(word[:n])
                word = word[n:]
            line = word
        lines.append(line)
    return lines


def _glue(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\u00a0")


def _column_widths(rows: Sequence[Sequence[str]], n_columns: int) -> list[float]:
    """Share the width: each column gets what it needs; the widest give way where that is more."""
    need = [
        max((_width(row[k], _BOLD) for row in rows if k < len(row)), default=10.0) + 2.0
        for k in range(n_columns)
    ]
    room = _INNER - _CELL_GAP * (n_columns - 1)
    if sum(need) <= room:
        return need
    # The level at which all columns that are wider must be cut.
    narrow, wide = 0.0, list(need)
    while wide:
        level = (room - narrow) / len(wide)
        fits = [width for width in wide if width <= level]
        if not fits:
            return [min(width, level) for width in need]
        narrow += sum(fits)
        wide = [width for width in wide if width > level]
    return need
