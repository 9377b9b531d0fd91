"""What scenes are painted with: pictures of classes, colours on black, where a class is."""

from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QTransform

from bci_app import theme
from bci_app.patient.cues import class_words
from bci_app.patient.pictures import picture_path
from bci_app.patient.view import PatientView

__all__ = [
    "colour",
    "faint",
    "outline",
    "paint_label",
    "placed",
    "seats",
]


def colour(name: str, classes: tuple[str, ...]) -> QColor:
    """Return a class's colour, light enough for black."""
    made = theme.class_colour(name, classes)
    return made.lighter(125) if made.lightnessF() < 0.4 else made


def faint(level: float) -> QColor:
    """Return the colour of what frames a scene, from 0 (black) to 1 (text)."""
    made = QColor(theme.DARK.text)
    made.setAlphaF(min(max(level, 0.0), 1.0))
    return made


def seats(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes from left to right: hands where they are, the others between."""
    order = {"left_hand": 0, "right_hand": 2}
    return tuple(sorted(classes, key=lambda name: order.get(name, 1)))


@cache
def outline(name: str) -> QPainterPath:
    """Return the picture of a class, in the middle of a square from -1 to 1, as large as that."""
    path = picture_path(name)
    place = path.boundingRect()
    scale = 2.0 / max(place.width(), place.height())
    centre = place.center()
    return QTransform.fromScale(scale, scale).map(path.translated(-centre.x(), -centre.y()))


def placed(path: QPainterPath, centre: QPointF, half_px: float) -> QPainterPath:
    """Return an outline at a place, half as wide as `half_px`."""
    return QTransform(half_px, 0, 0, half_px, centre.x(), centre.y()).map(path)


def paint_label(
    painter: QPainter, rect: QRectF, name: str, view: PatientView, level: float
) -> None:
    """Write a class's name; that of the cued one is bright and underlined."""
    cued = view.cue == name
    font = QFont(painter.font())
    font.setPixelSize(max(9, round(rect.height() * 0.62)))
    font.setBold(cued)
    painter.setFont(font)
    painter.setPen(QPen(faint(level if cued else 0.6 * level)))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, class_words(name))
    if cued:
        width = painter.fontMetrics().horizontalAdvance(class_words(name))
        painter.setPen(QPen(faint(level), max(1.5, rect.height() * 0.06)))
        y, x = rect.bottom(), rect.center().x()
        painter.drawLine(QPointF(x - width / 2, y), QPointF(x + width / 2, y))
