"""R2 over channels and frequencies: hover for numbers, click for a channel, drag for a feature."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from bci.features.grammar import Feature
from bci.features.outlines import outline
from bci.features.palette import words
from bci.features.view import Cell, MapView
from bci_app.theme import STEP_PX, font, tokens
from bci_app.widgets.colour_maps import as_image, colour_at
from bci_app.widgets.map_scale import paint_scale
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["R2Map", "cell_text"]

_SIDES = {"left": "L", "middle": "Z", "right": "R", "elsewhere": "–"}
_TICKS_HZ = (1, 2, 5, 10, 20)


def cell_text(cell: Cell, unit: str, classes: Sequence[str]) -> str:
    """Return the numbers of a place in the map, in one line."""
    parts = [f"{cell.channel}, {cell.freq_hz:g} Hz:", f"R² {cell.r2:+.2f}"]
    if cell.d is not None:
        parts.append(f"d {cell.d:+.2f}")
    parts.append(f"p {cell.p:.2g}" + (tr(" (FDR ✓)") if cell.significant else ""))
    means = ", ".join(
        f"{words(name)} {mean:.3g}" for name, mean in zip(classes, cell.means, strict=True)
    )
    return "  ".join(parts) + f"  ({means}{' ' + unit if unit else ''})"


class R2Map(Plot):
    """The map; rows are channels, the left hemisphere above, the right one below.

    Keys: arrows move the chosen place, Shift with left or right stretches a band, Enter takes the
    band as a feature.
    """

    #: Row, column.
    picked = Signal(int, int)
    #: A band was dragged on a channel: `Feature`.
    band_chosen = Signal(object)
    #: Row, column; -1, -1: nowhere.
    hovered = Signal(int, int)

    def __init__(self, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(
            name,
            title,
            tr("How well each channel and frequency tells the classes apart will appear here: "
               "record a calibration run, or tick one."),
            tr("R²: which share of the trial-to-trial differences goes with the class, from 0 "
               "(none) to 1 (all). Its colour says which class has more. Outlined: significant "
               "though many cells were tested (false discovery rate). Thick: more than the largest "
               "of all cells reaches by chance in 1 of 20. Drag along a row to choose a band."),
            parent,
        )  # fmt: skip
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(220, 200)
        self.map: MapView | None = None
        self.classes: tuple[str, ...] = ()
        self.limit = 1.0
        self.cursor_at = (0, 0)
        self._features: tuple[Feature, ...] = ()
        self._image: QImage | None = None
        self._thin: list[QLineF] = []
        self._thick: list[QLineF] = []
        self._drag: tuple[int, int, int] | None = None  # row, first column, last column
        self._hover = (-1, -1)
        self._area: QRectF | None = None

    # --- what is shown --------------------------------------------------------------------

    def show_map(
        self, found: MapView, classes: Sequence[str], note: str, limit: float | None = None
    ) -> None:
        """Show a map; `limit` where several are shown on one scale."""
        before = self.map
        self.map, self.classes, self.note = found, tuple(classes), note
        self.limit = limit or found.limit
        self.filled = True
        if before is None or before.channels != found.channels or len(before.freqs_hz) != len(
            found.freqs_hz
        ):  # fmt: skip
            self.cursor_at = found.best
        self._drag, self._hover = None, (-1, -1)
        extent = (0.0, float(len(found.freqs_hz)), float(len(found.channels)), 0.0)
        above = abs(found.r2) > found.chance_largest_r2
        if found.clustered is not None:
            above = above | found.clustered
        self._thin = [_line(line) for line in outline(found.significant, extent)]
        self._thick = [_line(line) for line in outline(above, extent)]
        self.restyled()
        self.update()

    def show_empty(self, why: str = "") -> None:
        """Show nothing but why."""
        self.map = None
        super().show_empty(why)

    def show_features(self, features: Sequence[Feature]) -> None:
        """Frame the features that are chosen."""
        self._features = tuple(features)
        self.update()

    def show_cursor(self, row: int, column: int) -> None:
        """Mark the place that the other plots are of."""
        if self.map is not None:
            self.cursor_at = (
                min(max(row, 0), len(self.map.channels) - 1),
                min(max(column, 0), len(self.map.freqs_hz) - 1),
            )
            self.update()

    def restyled(self) -> None:
        """Paint the image in the colours that hold now."""
        self._area = None
        if self.map is not None:
            low = -self.limit if self.map.signed else 0.0
            signed = self.map.signed
            self._image = as_image(self.map.r2[::-1], low, self.limit, signed=signed)

    # --- places ---------------------------------------------------------------------------

    @property
    def area(self) -> QRectF:
        """Where the cells are."""
        if self._area is None:
            metrics = QFontMetricsF(font("small"))
            names = self.map.channels if self.map is not None else ()
            left = 16 + max((metrics.horizontalAdvance(name) for name in names), default=24.0)
            legend = metrics.height() + STEP_PX
            body = self.body.adjusted(left + 6, legend, -64, -2.3 * metrics.height())
            self._area = QRectF(body.toRect())
        return self._area

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Find the cells' place anew."""
        self._area = None
        super().resizeEvent(event)

    def place(self, at: QPointF) -> tuple[int, int]:
        """Return row and column under a point; -1, -1 beside the map."""
        area = self.area
        if self.map is None or not area.contains(at):
            return -1, -1
        return self._nearest(at)

    def _nearest(self, at: QPointF) -> tuple[int, int]:
        area, found = self.area, self.map
        if found is None:
            return -1, -1
        n_rows, n_columns = found.r2.shape
        row = int((at.y() - area.top()) / area.height() * n_rows)
        column = int((at.x() - area.left()) / area.width() * n_columns)
        return min(max(row, 0), n_rows - 1), min(max(column, 0), n_columns - 1)

    def cell_rect(self, row: int, first: int, last: int | None = None) -> QRectF:
        """Return where cells of a row are."""
        area = self.area
        n_rows, n_columns = self.map.r2.shape if self.map is not None else (1, 1)
        width, height = area.width() / n_columns, area.height() / n_rows
        last = first if last is None else last
        low, high = min(first, last), max(first, last)
        return QRectF(
            area.left() + low * width, area.top() + row * height, (high - low + 1) * width, height
        )

    # --- mouse and keys -------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begin a click, or a band."""
        row, column = self.place(event.position())
        if row >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._drag = (row, column, column)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Stretch a band, or say the numbers under the pointer."""
        if self._drag is not None:
            _, column = self._nearest(event.position())
            self._drag = (self._drag[0], self._drag[1], column)
            self._hover = (self._drag[0], column)
            self.hovered.emit(*self._hover)
            self.update()
            return
        self._hover_at(self.place(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Take the place, or the band."""
        if self._drag is None or self.map is None:
            return
        row, first, last = self._drag
        self._drag = None
        if first == last:
            self.pick(row, first)
        else:
            self.band_chosen.emit(self.map.feature(row, first, last))
        self.update()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Say no numbers any more."""
        self._hover_at((-1, -1))

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Show where the keys are."""
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Show that they are elsewhere."""
        self._drag = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move, stretch a band, take it."""
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        found = self.map
        if found is None:
            super().keyPressEvent(event)
        elif event.key() in steps:
            down, right = steps[Qt.Key(event.key())]
            row, column = self.cursor_at
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and right:
                start = self._drag or (row, column, column)
                last = min(max(start[2] + right, 0), len(found.freqs_hz) - 1)
                self._drag = (start[0], start[1], last)
                self.hovered.emit(start[0], last)
                self.update()
            else:
                self._drag = None
                self.show_cursor(row + down, column + right)
                self.pick(*self.cursor_at)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            row, first, last = self._drag or (*self.cursor_at, self.cursor_at[1])
            self._drag = None
            self.band_chosen.emit(found.feature(row, first, last))
            self.update()
        else:
            super().keyPressEvent(event)

    def pick(self, row: int, column: int) -> None:
        """Choose a place."""
        self.show_cursor(row, column)
        self.picked.emit(*self.cursor_at)

    def _hover_at(self, place: tuple[int, int]) -> None:
        if place != self._hover:
            self._hover = place
            self.hovered.emit(*place)
            self.update()

    # --- painting -------------------------------------------------------------------------

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint cells, outlines, names, frequencies, the scale."""
        found, area, theme = self.map, self.area, tokens()
        if found is None or self._image is None or area.height() < 20:
            return
        painter.drawImage(area, self._image)
        self._paint_outlines(painter, area, found)
        self._paint_features(painter, found)
        self._paint_names(painter, area, found)
        self._paint_freqs(painter, area, found)
        paint_scale(
            painter,
            QRectF(area.right() + 12, area.top(), 10, area.height()),
            -self.limit if found.signed else 0.0,
            self.limit,
            signed=found.signed,
            marks=(found.chance_r2, found.chance_largest_r2),
        )
        self._paint_legend(painter, area, found)
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(-2, -2, 2, 2))

    def _paint_outlines(self, painter: QPainter, area: QRectF, found: MapView) -> None:
        n_rows, n_columns = found.r2.shape
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.translate(area.topLeft())
        painter.scale(area.width() / n_columns, area.height() / n_rows)
        for lines, width in ((self._thin, 1.0), (self._thick, 2.4)):
            pen = QPen(QColor(tokens().text), width)
            pen.setCosmetic(True)
            painter.setPen(pen)
            if lines:
                painter.drawLines(lines)
        pen = QPen(QColor(tokens().quiet), 1.0, Qt.PenStyle.DotLine)
        pen.setCosmetic(True)
        painter.setPen(pen)
        for row in range(1, n_rows):
            if found.sides[row] != found.sides[row - 1]:
                painter.drawLine(QLineF(0, row, n_columns, row))
        painter.restore()

    def _paint_features(self, painter: QPainter, found: MapView) -> None:
        theme = tokens()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for feature in self._features:
            place = found.place(feature)
            if place is not None:
                rect = self.cell_rect(*place).adjusted(-1.5, -1.5, 1.5, 1.5)
                painter.setPen(QPen(QColor(theme.window), 4))
                painter.drawRoundedRect(rect, 2, 2)
                painter.setPen(QPen(QColor(theme.accent), 2))
                painter.drawRoundedRect(rect, 2, 2)
        if self._drag is not None and self._drag[1] != self._drag[2]:
            painter.setPen(QPen(QColor(theme.accent), 2, Qt.PenStyle.DashLine))
            painter.drawRect(self.cell_rect(*self._drag).adjusted(-2, -2, 2, 2))
        row, column = self.cursor_at
        cell = self.cell_rect(row, column)
        painter.setPen(QPen(QColor(theme.text), 1, Qt.PenStyle.DashLine))
        area, middle = self.area, cell.center()
        painter.drawLine(QPointF(middle.x(), area.top()), QPointF(middle.x(), cell.top()))
        painter.drawLine(QPointF(middle.x(), cell.bottom()), QPointF(middle.x(), area.bottom()))
        painter.drawRect(cell)

    def _paint_names(self, painter: QPainter, area: QRectF, found: MapView) -> None:
        """Name as many rows as there is room for, the chosen and the sensorimotor ones first."""
        theme, metrics = tokens(), QFontMetricsF(font("small"))
        chosen = {self.cursor_at[0], self._hover[0]}
        chosen |= {place[0] for f in self._features if (place := found.place(f)) is not None}
        order = sorted(
            range(len(found.channels)),
            key=lambda row: (row not in chosen, not found.sensorimotor[row], row),
        )
        row_px = area.height() / len(found.channels)
        near = int(0.82 * metrics.height() / row_px)  # rows whose names would touch this one's
        taken: set[int] = set()
        for row in order:
            if row in taken:
                continue
            taken.update(range(row - near, row + near + 1))
            y = area.top() + (row + 0.5) * row_px
            painter.setFont(font("small", bold=row in chosen))
            painter.setPen(QColor(theme.text if found.sensorimotor[row] else theme.quiet))
            box = QRectF(0, y - metrics.height() / 2, area.left() - 6, metrics.height())
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, flags, found.channels[row])
        painter.setFont(font("small", bold=True))
        painter.setPen(QColor(theme.quiet))
        start = 0
        for row in range(1, len(found.sides) + 1):
            if row == len(found.sides) or found.sides[row] != found.sides[start]:
                top = self.cell_rect(start, 0).top()
                bottom = self.cell_rect(row - 1, 0).bottom()
                box = QRectF(0, top, 14, bottom - top)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, _SIDES[found.sides[start]])
                start = row

    def _paint_freqs(self, painter: QPainter, area: QRectF, found: MapView) -> None:
        theme, metrics = tokens(), QFontMetricsF(font("small"))
        painter.setFont(font("small"))
        painter.setPen(QColor(theme.quiet))
        first, last = float(found.freqs_hz[0]), float(found.freqs_hz[-1])
        room = max(area.width() / (3.0 * metrics.averageCharWidth()), 1)
        step = next((s for s in _TICKS_HZ if (last - first) / s <= room / 2), _TICKS_HZ[-1])
        for column, freq_hz in enumerate(found.freqs_hz):
            if abs(freq_hz / step - round(freq_hz / step)) < 1e-6:
                x = self.cell_rect(0, column).center().x()
                painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
                box = QRectF(x - 20, area.bottom() + 3, 40, metrics.height())
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, f"{freq_hz:g}")
        box = QRectF(
            area.left(), area.bottom() + 3 + metrics.height(), area.width(), metrics.height()
        )
        painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, tr("frequency (Hz)"))

    def _paint_legend(self, painter: QPainter, area: QRectF, found: MapView) -> None:
        """Say which colour is whose: with two classes the sign of R2 is the class with more."""
        theme, metrics = tokens(), QFontMetricsF(font("small"))
        y = area.top() - metrics.height() - STEP_PX / 2
        painter.setFont(font("small"))
        painter.setPen(QColor(theme.quiet))
        if not found.signed:
            painter.drawText(QPointF(area.left(), y + metrics.ascent()), tr("R² (no sign)"))
            return
        x = area.left()
        texts = []
        for sign, mark, name in ((-1, "−", self.classes[0]), (1, "+", self.classes[1])):
            colour = colour_at(0.5 + 0.4 * sign, signed=True)
            text = tr("{sign} more in {name}", sign=mark, name=words(name))
            if area.width() < 330:
                text = f"{mark} {words(name)}"
            texts.append((colour, text))
        for colour, text in texts:
            painter.fillRect(QRectF(x, y + 3, 10, metrics.height() - 6), colour)
            painter.drawText(QPointF(x + 14, y + metrics.ascent()), text)
            x += 14 + metrics.horizontalAdvance(text) + 2 * STEP_PX
        unit = tr("signed R²")
        right = area.right() + 56 - metrics.horizontalAdvance(unit)
        if right > x:
            painter.drawText(QPointF(right, y + metrics.ascent()), unit)


def _line(line: list[tuple[float, float]]) -> QLineF:
    (x1, y1), (x2, y2) = line
    return QLineF(x1, y1, x2, y2)
