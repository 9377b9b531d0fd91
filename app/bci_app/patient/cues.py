"""What is painted for the patient in a trial: fixation, cues as arrows or pictures, large type.

Everything is laid out in shares of the smaller side of the screen, so that full screen and
thumbnail show the same. The background is black; one thing is shown at a time.
"""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QTransform

from bci_app.patient.pictures import SIDE, picture_path, polygon_path
from bci_app.theme import class_colour, font
from bci_app.words import class_words

__all__ = ["BACKGROUND", "class_words", "paint_cue", "paint_fixation", "paint_message", "unit"]

BACKGROUND = QColor(0, 0, 0)
_INK, _QUIET = QColor(235, 235, 235), QColor(150, 150, 150)
# Shares of the smaller side. Type of 1/13 of a screen 30 cm high is 2.3 cm: read from two metres.
_TYPE, _SMALL = 1 / 13, 1 / 22
_CROSS, _CROSS_PEN = 0.055, 0.010
_ARROW = 0.36

#: Which way an arrow points (degrees, clockwise from the right).
_ANGLES = {"right_hand": 0.0, "feet": 90.0, "left_hand": 180.0, "tongue": 270.0}


def unit(rect: QRectF) -> float:
    """Return the smaller side (pixels): what sizes are shares of."""
    return min(rect.width(), rect.height())


def paint_fixation(painter: QPainter, rect: QRectF) -> None:
    """Paint the cross that the eyes rest on."""
    size, centre = _CROSS * unit(rect), rect.center()
    painter.setPen(QPen(_INK, max(1.0, _CROSS_PEN * unit(rect)), c=Qt.PenCapStyle.RoundCap))
    painter.drawLine(centre - QPointF(size, 0), centre + QPointF(size, 0))
    painter.drawLine(centre - QPointF(0, size), centre + QPointF(0, size))


def paint_cue(
    painter: QPainter,
    rect: QRectF,
    name: str,
    classes: tuple[str, ...],
    *,
    picture: bool = False,
    words: bool = True,
) -> None:
    """Paint the cue of a class: its shape in its colour, and what it is called below.

    Parameters
    ----------
    painter : QPainter
    rect : QRectF
    name : str
    classes : tuple of str
        Of the run: they settle colours.
    picture : bool
        A picture of the body part instead of an arrow.
    words : bool
    """
    scale = _ARROW * unit(rect) / SIDE
    path = picture_path(name) if picture else _arrow(name)
    painter.save()
    painter.translate(rect.center())
    painter.scale(scale, scale)
    painter.setBrush(class_colour(name, classes))
    painter.setPen(QPen(_INK, 20.0, j=Qt.PenJoinStyle.RoundJoin))
    painter.drawPath(path)
    painter.restore()
    if words:
        below = QRectF(rect)
        below.setTop(rect.center().y() + 0.25 * unit(rect))
        _write(painter, below, class_words(name), _TYPE * unit(rect), Qt.AlignmentFlag.AlignTop)


def paint_message(painter: QPainter, rect: QRectF, text: str, *, small: bool = False) -> None:
    """Paint a calm sentence: in the middle, or small at the lower edge."""
    place = rect.adjusted(
        0.06 * rect.width(), 0.06 * rect.height(), -0.06 * rect.width(), -0.06 * rect.height()
    )
    if small:
        _write(
            painter, place, text, _SMALL * unit(rect), Qt.AlignmentFlag.AlignBottom, colour=_QUIET
        )
    else:
        _write(painter, place, text, _TYPE * unit(rect), Qt.AlignmentFlag.AlignVCenter)


def _write(
    painter: QPainter,
    rect: QRectF,
    text: str,
    height: float,
    where: Qt.AlignmentFlag,
    *,
    colour: QColor = _INK,
) -> None:
    made = QFont(font())
    made.setPixelSize(max(6, round(height)))
    painter.setFont(made)
    painter.setPen(colour)
    flags = where | Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(rect, int(flags), text)


def _arrow(name: str) -> QPainterPath:
    """Return an arrow, or what stands for a class without a direction."""
    if name == "both_hands":
        half = ((-500, 0), (-170, -310), (-170, -120), (170, -120), (170, -310), (500, 0))
        return polygon_path((*half, (170, 310), (170, 120), (-170, 120), (-170, 310)))
    if name in _ANGLES:
        upper = ((-500, -130), (50, -130), (50, -360), (500, 0))
        arrow = polygon_path((*upper, (50, 360), (50, 130), (-500, 130)))
        return QTransform().rotate(_ANGLES[name]).map(arrow)
    return picture_path("rest")
