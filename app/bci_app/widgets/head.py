"""The head from above, nose up: the frame that topographies and networks are painted in."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from bci.features.view import ScalpView
from bci_app.theme import tokens

__all__ = ["Head"]

#: From the middle to the edge of what is painted, in radii of the head: room for nose and ears.
_REACH = 1.16


@dataclass(frozen=True, slots=True)
class Head:
    """Where on a widget the head is.

    Attributes
    ----------
    centre : QPointF
    radius : float
        Of the outline (pixels).
    """

    centre: QPointF
    radius: float

    @classmethod
    def within(cls, rect: QRectF, scalp: ScalpView | None = None) -> "Head":
        """Place a head in the middle of a rectangle."""
        reach = _REACH
        if scalp is not None and len(scalp.points):
            reach = max(reach, float(abs(scalp.points).max()) + 0.06)
        return cls(rect.center(), max(min(rect.width(), rect.height()) / 2 / reach, 1.0))

    def at(self, x: float, y: float) -> QPointF:
        """Return where a point of the head is; y is to the nose."""
        return QPointF(self.centre.x() + x * self.radius, self.centre.y() - y * self.radius)

    @property
    def square(self) -> QRectF:
        """The square around the outline."""
        r = self.radius
        return QRectF(self.centre.x() - r, self.centre.y() - r, 2 * r, 2 * r)

    @property
    def outline(self) -> QPainterPath:
        """The circle."""
        path = QPainterPath()
        path.addEllipse(self.centre, self.radius, self.radius)
        return path

    def paint(self, painter: QPainter) -> None:
        """Paint outline, nose and ears."""
        pen = QPen(QColor(tokens().quiet), 1.4)
        painter.setPen(pen)
        painter.setBrush(QColor(0, 0, 0, 0))
        painter.drawEllipse(self.centre, self.radius, self.radius)
        nose = [self.at(-0.12, 0.993), self.at(0, 1.12), self.at(0.12, 0.993)]
        painter.drawPolyline(nose)
        for side in (-1, 1):
            ear = QPainterPath(self.at(side * 0.985, 0.17))
            ear.cubicTo(self.at(side * 1.09, 0.2), self.at(side * 1.09, -0.2),
                        self.at(side * 0.985, -0.17))  # fmt: skip
            painter.drawPath(ear)

    def nearest(self, scalp: ScalpView, at: QPointF) -> int:
        """Return the channel nearest to a point, within 0.15 radii; -1: none."""
        best, found = 0.15 * self.radius, -1
        for channel, (x, y) in enumerate(scalp.points):
            offset = self.at(float(x), float(y)) - at
            distance = (offset.x() ** 2 + offset.y() ** 2) ** 0.5
            if distance < best:
                best, found = distance, channel
        return found
