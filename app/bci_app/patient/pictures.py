"""Pictures of what is to be imagined, as outlines in a square of -500 to 500.

Not of -0.5 to 0.5: what Qt unites or subtracts it flattens first, in steps of about a unit.
"""

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath, QTransform

__all__ = ["SIDE", "picture_path", "polygon_path"]

#: Of the square that a picture fills.
SIDE = 1000.0


def picture_path(name: str) -> QPainterPath:
    """Return the picture of a class; a ring for one that has none."""
    match name:
        case "right_hand":
            return _hand()
        case "left_hand":
            return _mirrored(_hand())
        case "both_hands":
            small = QTransform.fromScale(0.66, 0.66)
            left = small.map(_mirrored(_hand())).translated(-290, 0)
            return left.united(small.map(_hand()).translated(290, 0))
        case "feet":
            foot = _foot()
            return _mirrored(foot).translated(-220, 0).united(foot.translated(220, 0))
        case "tongue":
            return _tongue()
        case _:
            return _circle(0, 0, 420).subtracted(_circle(0, 0, 280))


def polygon_path(corners: tuple[tuple[float, float], ...]) -> QPainterPath:
    """Return a closed path through corners."""
    path = QPainterPath(QPointF(*corners[0]))
    for corner in corners[1:]:
        path.lineTo(QPointF(*corner))
    path.closeSubpath()
    return path


def _rounded(x: float, y: float, width: float, height: float, radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(QRectF(x, y, width, height), radius, radius)
    return path


def _circle(x: float, y: float, radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(x, y), radius, radius)
    return path


def _capsule(x: float, y: float, width: float, length: float, turn_deg: float) -> QPainterPath:
    """Return a rounded bar that rises from a place, turned about it."""
    bar = _rounded(-width / 2, -length, width, length + width / 2, width / 2)
    return QTransform().translate(x, y).rotate(turn_deg).map(bar)


def _hand() -> QPainterPath:
    """Return the back of a right hand, fingers up, thumb to the left."""
    hand = _rounded(-220, -80, 460, 480, 140)
    for part in (
        _capsule(-155, 0, 105, 360, -7),
        _capsule(-40, -20, 110, 440, -2),
        _capsule(75, -10, 105, 400, 4),
        _capsule(180, 30, 90, 300, 11),
        _capsule(-150, 260, 115, 320, -52),
    ):
        hand = hand.united(part)
    return hand


def _foot() -> QPainterPath:
    """Return the sole of a right foot, toes up."""
    sole = QPainterPath(QPointF(-130, -120))
    sole.cubicTo(-170, -340, 140, -340, 150, -140)
    sole.cubicTo(160, 50, 90, 80, 110, 280)
    sole.cubicTo(120, 480, -130, 480, -130, 280)
    sole.cubicTo(-130, 100, -100, 40, -130, -120)
    for x, y, radius in (
        (-108, -390, 62),
        (5, -398, 44),
        (78, -358, 36),
        (132, -302, 31),
        (170, -236, 27),
    ):
        sole.addPath(_circle(x, y, radius))
    return sole


def _tongue() -> QPainterPath:
    """Return a mouth with its tongue out."""
    mouth = QPainterPath(QPointF(-480, -150))
    mouth.cubicTo(-280, -400, -140, -340, 0, -270)
    mouth.cubicTo(140, -340, 280, -400, 480, -150)
    mouth.cubicTo(250, 60, -250, 60, -480, -150)
    tongue = QPainterPath(QPointF(-210, -60))
    tongue.cubicTo(-250, 480, 250, 480, 210, -60)
    tongue.closeSubpath()
    return mouth.united(tongue).subtracted(_rounded(-12, 60, 24, 150, 12))


def _mirrored(path: QPainterPath) -> QPainterPath:
    return QTransform.fromScale(-1.0, 1.0).map(path)
