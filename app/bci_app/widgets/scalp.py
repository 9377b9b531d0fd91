"""The head from above, its electrodes by quality; a click marks one bad, or good again."""

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from bci.experiment.placement import Placement
from bci_app.theme import font, tokens
from bci_app.widgets.quality_marks import grade_colour, grade_words, paint_mark
from bci_app.widgets.traces import ChannelMark
from bci_app.words import tr

__all__ = ["ScalpView"]

_LEGEND = ("good", "care", "bad", "marked", "unknown")
_LEGEND_PX = 22
#: Beyond the outline: nose and ears (share of its radius).
_ROOM = 1.16


class ScalpView(QWidget):
    """Electrodes on the head.

    Signals
    -------
    electrode_clicked : str
    electrode_pointed : str
        Empty: none.
    """

    electrode_clicked = Signal(str)
    electrode_pointed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("signals.scalp")
        self.setAccessibleName(tr("Electrodes on the scalp"))
        self.setMouseTracking(True)
        self.setMinimumSize(220, 200)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.placement = Placement()
        self.marks: dict[str, ChannelMark] = {}
        self.pointed = ""

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size at which 64 electrodes can be told apart."""
        return QSize(300, 300)

    def set_placement(self, placement: Placement) -> None:
        """Show electrodes at their places."""
        self.placement = placement
        self.update()

    def set_marks(self, marks: dict[str, ChannelMark]) -> None:
        """Show their quality."""
        if marks != self.marks:
            self.marks = marks
            self.update()

    def point(self, label: str) -> None:
        """Lay stress on an electrode."""
        if label != self.pointed:
            self.pointed = label
            self.update()
            self.electrode_pointed.emit(label)

    def place_of(self, label: str) -> QPointF:
        """Return where an electrode is painted."""
        x, y = self.placement.points[self.placement.names.index(label)]
        centre, radius = self._head()
        return QPointF(centre.x() + radius * x, centre.y() - radius * y)

    def _head(self) -> tuple[QPointF, float]:
        high = self.height() - _LEGEND_PX
        # Room for nose and ears, and for electrodes that lie below the ring, as T9 and T10 do.
        wide = max([_ROOM, *(abs(x) + 0.07 for x, _ in self.placement.points)])
        tall = max([_ROOM, *(abs(y) + 0.09 for _, y in self.placement.points)])
        radius = max(10.0, min(self.width() / 2 / wide, high / 2 / tall))
        return QPointF(self.width() / 2, high / 2 + 0.02 * radius), radius

    def _nearest(self, at: QPointF) -> str:
        _, radius = self._head()
        nearest, reach = "", max(14.0, 0.12 * radius)
        for label in self.placement.names:
            place = self.place_of(label)
            distance = ((place.x() - at.x()) ** 2 + (place.y() - at.y()) ** 2) ** 0.5
            if distance < reach:
                nearest, reach = label, distance
        return nearest

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the head, the electrodes and what their marks mean."""
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = tokens()
        self._paint_head(painter)
        names = self.placement.names
        if not names:
            painter.setPen(QColor(theme.quiet))
            room = QRectF(self.rect()).adjusted(30, 30, -30, -30 - _LEGEND_PX)
            painter.drawText(
                room, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap),
                tr("Electrodes appear here, coloured by their quality."),
            )  # fmt: skip
            return
        _, radius = self._head()
        r = max(3.0, min(7.0, 0.62 * radius / len(names) ** 0.5))
        painter.setFont(font("small"))
        metrics = QFontMetricsF(painter.font())
        labelled = len(names) <= 40 and radius > 90
        for label in names:
            place, mark = self.place_of(label), self.marks.get(label, ChannelMark())
            if label == self.pointed:
                painter.setPen(QPen(QColor(theme.accent), 2.0))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(place, r + 4, r + 4)
            paint_mark(painter, place, r, mark.grade)
            if labelled or label == self.pointed or mark.grade == "bad":
                painter.setPen(QColor(theme.text if label == self.pointed else theme.quiet))
                wide = metrics.horizontalAdvance(label)
                painter.drawText(QPointF(place.x() - wide / 2, place.y() + r + metrics.ascent()),
                                 label)  # fmt: skip
        self._paint_legend(painter, metrics)

    def _paint_head(self, painter: QPainter) -> None:
        centre, radius = self._head()
        painter.setPen(QPen(QColor(tokens().line), 2.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(centre, radius, radius)
        x, y = centre.x(), centre.y()
        nose = [QPointF(x - 0.1 * radius, y - 0.995 * radius), QPointF(x, y - 1.11 * radius),
                QPointF(x + 0.1 * radius, y - 0.995 * radius)]  # fmt: skip
        painter.drawPolyline(nose)
        for side in (-1, 1):
            ear = QRectF(x + side * 1.035 * radius - 0.045 * radius, y - 0.16 * radius,
                         0.09 * radius, 0.32 * radius)  # fmt: skip
            painter.drawEllipse(ear)

    def _paint_legend(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        there = {mark.grade for name, mark in self.marks.items() if name in self.placement.names}
        shown = [(g, grade_words(g)) for g in _LEGEND if g in (there or {"unknown"})]
        wide = sum(metrics.horizontalAdvance(text) + 28 for _, text in shown)
        x, y = max(4.0, (self.width() - wide) / 2), self.height() - _LEGEND_PX / 2
        for name, text in shown:
            paint_mark(painter, QPointF(x + 6, y), 4.5, name)
            painter.setPen(grade_colour("unknown"))
            painter.drawText(QPointF(x + 15, y + metrics.ascent() / 2 - 1), text)
            x += metrics.horizontalAdvance(text) + 28

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Point at the electrode under the mouse."""
        label = self._nearest(event.position())
        if label != self.pointed:
            self.point(label)
            if label and (tip := self.marks.get(label, ChannelMark()).tip):
                QToolTip.showText(event.globalPosition().toPoint(), tip, self)
        self.setCursor(Qt.CursorShape.PointingHandCursor if label else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Mark the electrode bad, or good again."""
        label = self._nearest(event.position())
        if label and event.button() == Qt.MouseButton.LeftButton:
            self.electrode_clicked.emit(label)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Point at none any more."""
        super().leaveEvent(event)
        self.point("")
