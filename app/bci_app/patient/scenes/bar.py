"""The bar: from the middle toward the class that is decoded; of more than two, a bar each."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from bci_app.patient.scenes.motion import Frame, Motion
from bci_app.patient.scenes.shapes import colour, faint, outline, paint_label, placed, seats
from bci_app.patient.scenes.stencil import Stencils
from bci_app.patient.view import PatientView

__all__ = ["BarScene"]


class BarScene:
    """A bar that grows toward what is decoded."""

    name = "bar"

    def __init__(self) -> None:
        self._motion, self._stencils = Motion(), Stencils()

    def paint(self, painter: QPainter, rect: QRectF, view: PatientView, now_s: float) -> None:
        """Paint a view; see `Scene`."""
        if not view.classes:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        order = seats(view.classes)
        frame = self._motion.frame(view, now_s, order)
        if len(order) == 2:
            self._paint_two(painter, rect, view, order, frame)
        else:
            self._paint_many(painter, rect, view, order, frame)

    def _paint_two(
        self,
        painter: QPainter,
        rect: QRectF,
        view: PatientView,
        order: tuple[str, ...],
        frame: Frame,
    ) -> None:
        unit = min(rect.width() / 16, rect.height() / 9)
        centre, half, thick = rect.center(), 4.2 * unit, 1.1 * unit
        track = QRectF(centre.x() - half, centre.y() - thick / 2, 2 * half, thick)
        self._paint_track(painter, track, unit, thick / 2, frame)
        if frame.visible:
            name, reach = order[frame.lean > 0], frame.lean * half
            fill = colour(name, view.classes)
            fill.setAlphaF(frame.visible)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.save()
            left = min(centre.x(), centre.x() + reach)
            painter.setClipRect(QRectF(left, track.top(), abs(reach), thick))
            painter.drawRoundedRect(track, thick / 2, thick / 2)
            painter.restore()
        painter.setPen(QPen(faint(0.8 * frame.level), max(1.5, unit / 14)))
        painter.drawLine(
            QPointF(centre.x(), track.top() - 0.35 * unit),
            QPointF(centre.x(), track.bottom() + 0.35 * unit),
        )
        for side, name in zip((-1, 1), order, strict=True):
            at = QPointF(centre.x() + side * 6 * unit, centre.y())
            self._paint_end(painter, at, unit, name, view, frame.level)

    def _paint_many(
        self,
        painter: QPainter,
        rect: QRectF,
        view: PatientView,
        order: tuple[str, ...],
        frame: Frame,
    ) -> None:
        unit = min(rect.width() / 16, rect.height() / 9)
        step = 13 * unit / len(order)
        wide, tall = min(1.4 * unit, 0.5 * step), 4.4 * unit
        base = rect.center().y() + 1.6 * unit
        for k, name in enumerate(order):
            x = rect.center().x() + (k - (len(order) - 1) / 2) * step
            track = QRectF(x - wide / 2, base - tall, wide, tall)
            self._paint_track(painter, track, unit, wide / 4, frame)
            if frame.visible:
                fill = colour(name, view.classes)
                fill.setAlphaF(frame.visible)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(fill)
                height = frame.strength[name] * tall
                painter.drawRect(QRectF(track.left(), base - height, wide, height))
            at = QPointF(x, base + 1.1 * unit)
            self._paint_end(painter, at, 0.75 * unit, name, view, frame.level)

    def _paint_track(
        self, painter: QPainter, track: QRectF, unit: float, round_px: float, frame: Frame
    ) -> None:
        def draw(inner: QPainter, place: QRectF) -> None:
            inner.setPen(QPen(faint(0.35), max(1.0, unit / 24)))
            edge = unit / 12
            inner.drawRoundedRect(place.adjusted(edge, edge, -edge, -edge), round_px, round_px)

        edge = unit / 12
        around = track.adjusted(-edge, -edge, edge, edge)
        self._stencils.paint(painter, around, "track", draw, frame.level)

    def _paint_end(
        self,
        painter: QPainter,
        at: QPointF,
        unit: float,
        name: str,
        view: PatientView,
        level: float,
    ) -> None:
        """Paint what stands for a class; the cued one is filled."""
        cued, any_cued = view.cue == name, view.cue is not None

        def draw(inner: QPainter, place: QRectF) -> None:
            paint = colour(name, view.classes)
            paint.setAlphaF(1.0 if cued or not any_cued else 0.55)
            inner.setPen(QPen(paint, max(1.5, unit / 12)))
            inner.setBrush(paint if cued else Qt.BrushStyle.NoBrush)
            middle = QPointF(place.center().x(), place.top() + unit)
            inner.drawPath(placed(outline(name), middle, 0.78 * unit))
            label = QRectF(place.left(), place.top() + 2.0 * unit, place.width(), 0.75 * unit)
            paint_label(inner, label, name, view, 1.0)

        place = QRectF(at.x() - 2.2 * unit, at.y() - unit, 4.4 * unit, 2.9 * unit)
        key = (name, view.classes, cued, any_cued)
        self._stencils.paint(painter, place, key, draw, level)
