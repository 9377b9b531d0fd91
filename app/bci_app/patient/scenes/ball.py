"""Ball to basket: a ball falls for as long as imagery lasts, and is steered into a basket.

In a free run nothing ends: the ball hovers, and falls into the basket of what was decided.
"""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from bci_app.patient.scenes.glide import Glide
from bci_app.patient.scenes.motion import Frame, Motion
from bci_app.patient.scenes.shapes import colour, faint, paint_label, seats
from bci_app.patient.view import PatientView

__all__ = ["BallScene"]

# How high it hovers in a free run, as a share of the fall; half its fall then takes so long (s).
_HOVER, _FALL_S = 0.35, 0.18


class BallScene:
    """A ball that is steered into a basket."""

    name = "ball"

    def __init__(self) -> None:
        self._motion = Motion()
        self._fall = Glide(_HOVER, _FALL_S)

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Paint a view; see `Scene`."""
        if not view.classes:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        order = seats(view.classes)
        frame = self._motion.frame(view, now_s, order)
        unit = min(rect.width() / 16, rect.height() / 9)
        step = min(9.0 * unit, 13 * unit / len(order))
        middle, floor = rect.center().x(), rect.center().y() + 2.2 * unit
        at = {name: middle + (k - (len(order) - 1) / 2) * step for k, name in enumerate(order)}
        half = min(1.5 * unit, 0.4 * step)
        for name, x in at.items():
            _paint_basket(painter, QRectF(x - half, floor - 1.1 * unit, 2 * half, 1.1 * unit),
                          name, view, frame, unit)  # fmt: skip
        if not frame.visible:
            self._fall.jump(_HOVER)
            return
        top = rect.center().y() - 3.6 * unit
        y = top + self._fallen(view, now_s) * (floor - 0.55 * unit - top)
        x = middle + _steered(frame, at, middle)
        ball = faint(frame.visible)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ball)
        painter.drawEllipse(QPointF(x, y), 0.45 * unit, 0.45 * unit)

    def _fallen(self, view: PatientView, now_s: float) -> float:
        """Return how far the ball has fallen, from 0 to 1."""
        if view.length_s > 0:
            return min(max((now_s - view.since_s) / view.length_s, 0.0), 1.0)
        return self._fall.step(1.0 if view.decided is not None else _HOVER, now_s)


def _steered(frame: Frame, at: dict[str, float], middle: float) -> float:
    """Return how far from the middle the evidence draws the ball (px)."""
    if len(at) == 2:
        return frame.lean * (max(at.values()) - middle)
    return sum(frame.strength[name] * (x - middle) for name, x in at.items())


def _paint_basket(
    painter: QPainter, rect: QRectF, name: str, view: PatientView, frame: Frame, unit: float
) -> None:
    cued = view.cue == name
    paint = colour(name, view.classes)
    paint.setAlphaF(frame.level if cued or view.cue is None else 0.55 * frame.level)
    slant = 0.18 * rect.width()
    path = QPainterPath(rect.topLeft())
    path.lineTo(rect.left() + slant, rect.bottom())
    path.lineTo(rect.right() - slant, rect.bottom())
    path.lineTo(rect.topRight())
    painter.setPen(QPen(paint, max(2.0, unit / (7 if cued else 11))))
    fill = colour(name, view.classes)
    fill.setAlphaF(0.45 * frame.level if cued else 0.0)
    painter.setBrush(fill)
    painter.drawPath(path)
    label = QRectF(rect.center().x() - 2.2 * unit, rect.bottom() + 0.3 * unit, 4.4 * unit,
                   0.7 * unit)  # fmt: skip
    paint_label(painter, label, name, view, frame.level)
