"""How the quality of an electrode is painted, everywhere alike: a colour and a shape."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from bci.signal.quality_words import grade
from bci_app.theme import tokens
from bci_app.words import tr

__all__ = ["grade_colour", "grade_words", "paint_mark", "quality_tip"]


def grade_colour(grade_name: str) -> QColor:
    """Return the colour of ``"good"``, ``"care"``, ``"bad"``, ``"marked"`` or ``"unknown"``."""
    theme = tokens()
    return QColor(
        {"good": theme.good, "care": theme.caution, "bad": theme.trouble}.get(
            grade_name, theme.quiet
        )
    )


def grade_words(grade_name: str) -> str:
    """Return what a grade means."""
    return {
        "good": tr("good"),
        "care": tr("deserves care"),
        "bad": tr("cannot be used"),
        "marked": tr("marked bad"),
    }.get(grade_name, tr("not known yet"))


def paint_mark(painter: QPainter, centre: QPointF, radius: float, grade_name: str) -> None:
    """Paint a mark.

    Good is a disc, care a triangle, bad a square, what was marked bad a cross, unknown a ring: none
    depends on its colour.
    """
    colour = grade_colour(grade_name)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(colour))
    x, y, r = centre.x(), centre.y(), radius
    if grade_name == "good":
        painter.drawEllipse(centre, r, r)
    elif grade_name == "care":
        corners = [QPointF(x, y - 1.15 * r), QPointF(x + 1.1 * r, y + 0.9 * r)]
        painter.drawPolygon(QPolygonF([*corners, QPointF(x - 1.1 * r, y + 0.9 * r)]))
    elif grade_name == "bad":
        painter.drawRect(QRectF(x - 0.95 * r, y - 0.95 * r, 1.9 * r, 1.9 * r))
    else:
        painter.setPen(QPen(colour, max(1.0, 0.35 * r)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if grade_name == "marked":
            painter.drawLine(QPointF(x - r, y - r), QPointF(x + r, y + r))
            painter.drawLine(QPointF(x - r, y + r), QPointF(x + r, y - r))
        else:
            painter.drawEllipse(centre, 0.85 * r, 0.85 * r)
    painter.restore()


def quality_tip(label: str, word: str, number: str, advice: str, *, marked: bool) -> str:
    """Return what is said of an electrode where the mouse rests on it."""
    lines = [f"<b>{label}</b>: {word or tr('not known yet')}" + (f", {number}" if number else "")]
    if advice:
        lines.append(advice)
    if marked:
        lines.append(tr("Marked bad: no decoder and no map uses it. Click to use it again."))
    else:
        lines.append(
            tr("Bad ones are left out of decoders and maps: click to mark it.")
            if grade(word) == "bad"
            else tr("Click to mark it bad.")
        )
    return "<br>".join(lines)
