"""The classes' spectra at one channel, each with the 95 % interval of its mean."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from bci.features.grammar import Feature
from bci.features.palette import words
from bci.features.view import MapView
from bci_app.theme import class_colour, font, tabular, tokens
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["ClassSpectra"]

#: Lines differ by pattern too, not by colour alone.
_PATTERNS = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
)


class ClassSpectra(Plot):
    """The spectra; click to choose a frequency."""

    #: Column of the frequency, in the map.
    column_picked = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(
            name,
            tr("Spectra of the classes"),
            tr("The spectra of the classes will appear here: click a cell of the map."),
            tr("Mean of each class at the chosen channel; the bands are 95 % intervals of the "
               "mean. Squares along the foot: significant frequencies (false discovery rate). "
               "In motor imagery power between 8 and 30 Hz usually falls on the side opposite to "
               "the imagined hand."),
            parent,
        )  # fmt: skip
        self.setMinimumSize(180, 130)
        self._map: MapView | None = None
        self._classes: tuple[str, ...] = ()
        self._counts: dict[str, int] = {}
        self._row = self._column = 0
        self._features: tuple[Feature, ...] = ()

    def show_at(
        self,
        found: MapView,
        n_trials: dict[str, int],
        row: int,
        column: int,
        features: Sequence[Feature] = (),
    ) -> None:
        """Show the spectra of a row's channel, and mark a column's frequency."""
        self._map, self._counts, self._classes = found, n_trials, tuple(n_trials)
        self._row, self._column = row, column
        self._features = tuple(f for f in features if found.place(f) is not None)
        what = tr("power") if found.kind == "psd" else tr("node strength")
        self.title = tr("{channel}: {what} of the classes", channel=found.channels[row], what=what)
        self.filled = True
        self.update()

    @property
    def area(self) -> QRectF:
        """Where the lines are."""
        metrics = QFontMetricsF(font("small"))
        left = 5 * metrics.averageCharWidth() + metrics.height()
        return self.body.adjusted(left, metrics.height() + 4, -12, -2.3 * metrics.height())

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Choose the frequency under the pointer."""
        area, found = self.area, self._map
        if found is None or not self.filled or not area.contains(event.position()):
            return
        share = (event.position().x() - area.left()) / area.width()
        self.column_picked.emit(round(share * (len(found.freqs_hz) - 1)))

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint lines, intervals, axes and legend."""
        found, area, theme = self._map, self.area, tokens()
        if found is None or area.height() < 30:
            return
        low = float(found.low[:, self._row].min())
        high = float(found.high[:, self._row].max())
        margin = 0.05 * (high - low) or 0.5
        low, high = low - 2 * margin, high + margin
        freqs = [float(freq) for freq in found.freqs_hz]
        span = (freqs[-1] - freqs[0]) or 1.0

        def x_of(freq_hz: float) -> float:
            return area.left() + area.width() * (freq_hz - freqs[0]) / span

        def at(freq_hz: float, value: float) -> QPointF:
            return QPointF(
                x_of(freq_hz), area.bottom() - area.height() * (value - low) / (high - low)
            )

        channel = found.channels[self._row]
        for feature in self._features:
            if feature.channel == channel:
                band = QColor(theme.accent)
                band.setAlpha(45)
                left = x_of(max(feature.low_hz, freqs[0]))
                width = max(x_of(min(feature.high_hz, freqs[-1])) - left, 2.0)
                painter.fillRect(QRectF(left, area.top(), width, area.height()), band)
        for k, name in enumerate(self._classes):
            colour = class_colour(name, self._classes)
            upper = [at(f, float(v)) for f, v in zip(freqs, found.high[k, self._row], strict=True)]
            lower = [at(f, float(v)) for f, v in zip(freqs, found.low[k, self._row], strict=True)]
            pale = QColor(colour)
            pale.setAlpha(60)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(pale)
            painter.drawPolygon(QPolygonF(upper + lower[::-1]))
        for k, name in enumerate(self._classes):
            painter.setPen(QPen(class_colour(name, self._classes), 2, _PATTERNS[k % 4]))
            points = [
                at(f, float(v)) for f, v in zip(freqs, found.means[k, self._row], strict=True)
            ]
            painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.text))
        for freq_hz, marked in zip(freqs, found.significant[self._row], strict=True):
            if marked:
                painter.drawRect(QRectF(x_of(freq_hz) - 2, area.bottom() - 6, 4, 4))
        painter.setPen(QPen(QColor(theme.text), 1, Qt.PenStyle.DashLine))
        x = x_of(freqs[self._column])
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        self._paint_axes(painter, area, freqs, low, high)
        self._paint_legend(painter, area)

    def _paint_axes(
        self, painter: QPainter, area: QRectF, freqs: list[float], low: float, high: float
    ) -> None:
        theme, metrics, found = tokens(), QFontMetricsF(font("small")), self._map
        painter.setPen(QColor(theme.line))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.bottomLeft())
        painter.setFont(tabular(font("small")))
        painter.setPen(QColor(theme.quiet))
        span = (freqs[-1] - freqs[0]) or 1.0
        for tick in range(0, int(freqs[-1]) + 1, 10 if span > 12 else 2):
            if tick >= freqs[0]:
                x = area.left() + area.width() * (tick - freqs[0]) / span
                painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
                box = QRectF(x - 20, area.bottom() + 3, 40, metrics.height())
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, str(tick))
        box = QRectF(area.left(), area.bottom() + 3 + metrics.height(), area.width(),
                     metrics.height())  # fmt: skip
        painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, tr("frequency (Hz)"))
        decimals = 0 if high - low > 4 else 1 if high - low > 0.4 else 2
        for share in (0.0, 0.5, 1.0):
            y = area.bottom() - share * area.height()
            value = low + share * (high - low)
            box = QRectF(metrics.height(), y - metrics.height() / 2,
                         area.left() - metrics.height() - 4, metrics.height())  # fmt: skip
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, flags, f"{value:.{decimals}f}")
        painter.save()
        painter.translate(0, area.center().y())
        painter.rotate(-90)
        unit = found.unit if found is not None and found.unit else tr("strength (no unit)")
        box = QRectF(-area.height() / 2, 0, area.height(), metrics.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, unit)
        painter.restore()

    def _paint_legend(self, painter: QPainter, area: QRectF) -> None:
        metrics = QFontMetricsF(font("small"))
        painter.setFont(font("small"))
        x, y = area.left(), self.body.top()
        for k, (name, count) in enumerate(self._counts.items()):
            painter.setPen(QPen(class_colour(name, self._classes), 2, _PATTERNS[k % 4]))
            middle = y + metrics.height() / 2
            painter.drawLine(QPointF(x, middle), QPointF(x + 20, middle))
            painter.setPen(QColor(tokens().text))
            text = f"{words(name)} ({count})"
            painter.drawText(QPointF(x + 24, y + metrics.ascent()), text)
            x += 32 + metrics.horizontalAdvance(text)
