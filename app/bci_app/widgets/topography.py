"""R2 of all channels at one frequency, on the head; click an electrode to choose its channel."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from bci.features.view import MapView, ScalpView
from bci_app.theme import font, tokens
from bci_app.widgets.colour_maps import as_image
from bci_app.widgets.head import Head
from bci_app.widgets.map_scale import paint_scale
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["Topography"]


class Topography(Plot):
    """The map at a frequency; ringed electrodes are significant."""

    #: Row of the channel, in the map.
    channel_picked = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(
            name,
            tr("Topography"),
            tr("Where on the head the classes differ will appear here: click a cell of the map."),
            tr("R² of each electrode at the chosen frequency, seen from above, nose up; between "
               "electrodes the colours are a guess. Ringed: significant (false discovery rate). "
               "Motor imagery of a hand is expected over C3 and C4."),
            parent,
        )  # fmt: skip
        self.setMinimumSize(150, 150)
        self._scalp: ScalpView | None = None
        self._map: MapView | None = None
        self._row = self._column = 0
        self._limit = 1.0
        self._image: QImage | None = None

    def show_at(
        self, scalp: ScalpView | None, found: MapView, row: int, column: int, limit: float
    ) -> None:
        """Show a map's column, and mark the channel of a row."""
        same = (scalp, found, column, limit) == (self._scalp, self._map, self._column, self._limit)
        self._scalp, self._map, self._limit = scalp, found, limit
        self._row, self._column = row, column
        self.title = tr("Topography, {freq:g} Hz", freq=float(found.freqs_hz[column]))
        self.filled = scalp is not None
        if scalp is None:
            self.empty = tr(
                "No topography: some channels have no place on the head. Choose a montage "
                "that names them in Signals."
            )
        if not same:
            self.restyled()
        self.update()

    def restyled(self) -> None:
        """Paint the image in the colours that hold now."""
        self._image = None
        if self._scalp is not None and self._map is not None:
            values = self._scalp.image(self._map.r2[:, self._column])
            if values is not None:
                signed = self._map.signed
                low = -self._limit if signed else 0.0
                self._image = as_image(values, low, self._limit, signed=signed)

    @property
    def head(self) -> Head:
        """Where the head is."""
        return Head.within(self.body.adjusted(0, 4, -52, -4), self._scalp)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Choose the channel of the electrode under the pointer."""
        if self._scalp is not None and self.filled:
            channel = self.head.nearest(self._scalp, event.position())
            if channel >= 0:
                self.channel_picked.emit(channel)

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint map, head, electrodes and scale."""
        scalp, found, head, theme = self._scalp, self._map, self.head, tokens()
        if scalp is None or found is None:
            return
        if self._image is not None:
            painter.save()
            painter.setClipPath(head.outline)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            # Pixels' middles lie from -1 to 1: the outermost reach half a pixel further.
            more = head.radius / max(self._image.width() - 1, 1)
            painter.drawImage(head.square.adjusted(-more, -more, more, more), self._image)
            painter.restore()
        head.paint(painter)
        for channel, (x, y) in enumerate(scalp.points):
            at = head.at(float(x), float(y))
            self._paint_electrode(painter, at, channel)
        paint_scale(
            painter,
            QRectF(rect.right() - 48, head.centre.y() - 0.8 * head.radius, 8, 1.6 * head.radius),
            -self._limit if found.signed else 0.0,
            self._limit,
            signed=found.signed,
            marks=(found.chance_largest_r2,),
        )
        painter.setFont(font("small", bold=True))
        x, y = (float(part) for part in scalp.points[self._row])
        at = head.at(x, y)
        painter.setPen(QColor(theme.text))
        name = found.channels[self._row]
        box = QRectF(at.x() - 40, at.y() - 9 - painter.fontMetrics().height(), 80,
                     painter.fontMetrics().height())  # fmt: skip
        halo = QColor(theme.window)
        halo.setAlpha(190)
        width = painter.fontMetrics().horizontalAdvance(name) + 6
        painter.fillRect(QRectF(box.center().x() - width / 2, box.top(), width, box.height()), halo)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_electrode(self, painter: QPainter, at: QPointF, channel: int) -> None:
        theme, found = tokens(), self._map
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.text))
        painter.drawEllipse(at, 1.4, 1.4)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if found is not None and found.significant[channel, self._column]:
            painter.setPen(QPen(QColor(theme.text), 1.4))
            painter.drawEllipse(at, 4, 4)
        if channel == self._row:
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.drawEllipse(at, 7, 7)
