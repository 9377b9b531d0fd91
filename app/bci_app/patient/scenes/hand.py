"""The growing hand: what is imagined grows toward its outline."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from bci_app.patient.scenes.motion import Motion
from bci_app.patient.scenes.shapes import colour, faint, outline, paint_label, placed, seats
from bci_app.patient.scenes.stencil import Stencils
from bci_app.patient.view import PatientView

__all__ = ["HandScene"]

# At chance it has this share of its full size.
_LEAST = 0.35


class HandScene:
    """Hands (or feet) that grow as they are decoded."""

    name = "hand"

    def __init__(self) -> None:
        self._motion, self._stencils = Motion(), Stencils()

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Paint a view; see `Scene`."""
        if not view.classes:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        order = seats(view.classes)
        frame = self._motion.frame(view, now_s, order)
        unit = min(rect.width() / 16, rect.height() / 9)
        step = min(7.0 * unit, 15 * unit / len(order))
        half = min(2.7 * unit, 0.44 * step)
        for k, name in enumerate(order):
            centre = QPointF(
                rect.center().x() + (k - (len(order) - 1) / 2) * step,
                rect.center().y() - 0.5 * unit,
            )
            self._paint_goal(painter, centre, half, step, name, view, unit, frame.level)
            if frame.visible:
                fill = colour(name, view.classes)
                fill.setAlphaF(frame.visible)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(fill)
                size = _LEAST + (1 - _LEAST) * frame.strength[name]
                painter.drawPath(placed(outline(name), centre, size * half))

    def _paint_goal(
        self, painter: QPainter, centre: QPointF, half: float, step: float, name: str,
        view: PatientView, unit: float, level: float,
    ) -> None:  # fmt: skip
        """Paint the outline that it grows toward, and its name."""
        cued = view.cue == name

        def draw(inner: QPainter, place: QRectF) -> None:
            pen = QPen(faint(0.9 if cued else 0.35), max(1.5, unit / (12 if cued else 24)))
            if not cued:
                pen.setStyle(Qt.PenStyle.DashLine)
            inner.setPen(pen)
            middle = QPointF(place.center().x(), place.top() + half + 0.2 * unit)
            inner.drawPath(placed(outline(name), middle, half))
            top = middle.y() + half + 0.3 * unit
            label = QRectF(place.left(), top, place.width(), 0.75 * unit)
            paint_label(inner, label, name, view, 1.0)

        wide = max(0.96 * step, 2.2 * half)
        place = QRectF(centre.x() - wide / 2, centre.y() - half - 0.2 * unit, wide,
                       2 * half + 1.6 * unit)  # fmt: skip
        self._stencils.paint(painter, place, (name, view.classes, cued), draw, level)
