"""Scores as rows: a dot with its interval against the chance line, one row a decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci_app.theme import font, tabular, tokens
from bci_app.words import tr

__all__ = ["IntervalRow", "IntervalRows"]


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One row.

    Attributes
    ----------
    key : str
        What `IntervalRows.chosen` says when it is picked; empty: it cannot be.
    label : str
    mean, low, high : float or None
        Score and its 95 % interval, 0 to 1; None: not there yet.
    chance : float or None
        What chance seldom passes, 0 to 1.
    text : str
        At the right: numbers, or what the row waits for.
    mark : str
        A word behind the label, such as "best".
    trouble : bool
        Whether `text` says what went wrong.
    """

    key: str
    label: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    text: str = ""
    mark: str = ""
    trouble: bool = False


class IntervalRows(QWidget):
    """Rows of scores on one axis of accuracy; arrows and clicks choose one."""

    #: Key of the row that was picked.
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[IntervalRow, ...] = ()
        self._key = ""
        self._from = 0.0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)

    def show_rows(self, rows: Sequence[IntervalRow]) -> None:
        """Show rows; the one that is chosen stays so if it is there."""
        self._rows = tuple(rows)
        lows = [row.low for row in rows if row.low is not None]
        lows += [row.chance for row in rows if row.chance is not None]
        # The axis begins at a multiple of 20 % below all that is shown.
        self._from = max(0.0, int(min(lows, default=0.4) * 5 - 0.01) / 5)
        self.setMinimumHeight(self.sizeHint().height())
        self._describe()
        self.updateGeometry()
        self.update()

    def choose(self, key: str) -> None:
        """Mark a row, without saying so."""
        self._key = key
        self._describe()
        self.update()

    @property
    def rows(self) -> tuple[IntervalRow, ...]:
        """What is shown."""
        return self._rows

    def sizeHint(self) -> QSize:  # noqa: N802 Qt's name
        """Be as high as the rows."""
        return QSize(560, int(self._row_px() * max(len(self._rows), 1) + self._axis_px()))

    def row_rect(self, number: int) -> QRectF:
        """Return where a row is."""
        return QRectF(0, self._top() + number * self._row_px(), self.width(), self._row_px())

    # --- painting -------------------------------------------------------------------------

    def _top(self) -> float:
        """Return where the first row begins: below the axis, if there is anything on it."""
        return self._axis_px() if any(row.mean is not None for row in self._rows) else 0.0

    def _row_px(self) -> float:
        return QFontMetricsF(font()).height() + 5

    def _axis_px(self) -> float:
        return QFontMetricsF(font("small")).height() + 6

    def _track(self) -> tuple[float, float]:
        """Return where the axis begins and ends (px)."""
        metrics, small = QFontMetricsF(font()), QFontMetricsF(font("small"))
        words = [metrics.horizontalAdvance(row.label) for row in self._rows]
        marks = [small.horizontalAdvance(row.mark) + 10 for row in self._rows if row.mark]
        left = max(words, default=60.0) + max(marks, default=0.0) + 26
        texts = [metrics.horizontalAdvance(row.text) for row in self._rows if row.mean is not None]
        right = self.width() - max(texts, default=100.0) - 20
        return left, max(right, left + 80)

    def _x(self, value: float) -> float:
        left, right = self._track()
        return left + (right - left) * (value - self._from) / (1.0 - self._from)

    def paintEvent(self, event: object) -> None:  # noqa: N802 Qt's name
        """Paint the rows and the axis."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = tokens()
        left, right = self._track()
        top, bottom = self._top(), self._top() + len(self._rows) * self._row_px()
        painter.setFont(tabular(font("small")))
        ticks = [k / 5 for k in range(6) if k / 5 >= self._from - 1e-9]
        if any(row.mean is not None for row in self._rows):
            for tick in ticks:
                x = self._x(tick)
                painter.setPen(QPen(QColor(theme.line), 1))
                painter.drawLine(QPointF(x, top), QPointF(x, bottom))
                painter.setPen(QColor(theme.quiet))
                where = QRectF(x - 30, 0, 60, self._axis_px())
                painter.drawText(where, Qt.AlignmentFlag.AlignCenter, f"{100 * tick:.0f} %")
        for number, row in enumerate(self._rows):
            self._paint_row(painter, row, self.row_rect(number), left, right)
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _paint_row(
        self, painter: QPainter, row: IntervalRow, rect: QRectF, left: float, right: float
    ) -> None:
        theme = tokens()
        middle = rect.center().y()
        if row.key and row.key == self._key:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 4, 4)
            painter.setBrush(QColor(theme.accent))
            painter.drawRect(QRectF(rect.left() + 1, rect.top() + 3, 3, rect.height() - 6))
        painter.setFont(font())
        painter.setPen(QColor(theme.text))
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect.adjusted(12, 0, 0, 0), vertical, row.label)
        if row.mark:
            width = QFontMetricsF(font()).horizontalAdvance(row.label)
            painter.setFont(font("small", bold=True))
            painter.setPen(QColor(theme.good))
            painter.drawText(rect.adjusted(12 + width + 8, 0, 0, 0), vertical, row.mark)
        painter.setFont(tabular(font()))
        painter.setPen(QColor(theme.trouble if row.trouble else theme.text))
        if row.mean is None or row.low is None or row.high is None:
            where = QRectF(left, rect.top(), self.width() - left - 8, rect.height())
            painter.setPen(QColor(theme.trouble if row.trouble else theme.quiet))
            metrics = QFontMetricsF(painter.font())
            text = metrics.elidedText(row.text, Qt.TextElideMode.ElideRight, where.width())
            painter.drawText(where, vertical, text)
            return
        where = QRectF(right + 12, rect.top(), self.width() - right - 16, rect.height())
        painter.drawText(where, vertical, row.text)
        if row.chance is not None:
            pen = QPen(QColor(theme.caution), 2, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            x = self._x(row.chance)
            painter.drawLine(QPointF(x, rect.top() + 1), QPointF(x, rect.bottom() - 1))
        above = row.chance is None or row.mean >= row.chance - 1e-12
        colour = QColor(theme.accent if above else theme.quiet)
        painter.setPen(QPen(colour, 2))
        low, high = self._x(row.low), self._x(row.high)
        painter.drawLine(QPointF(low, middle), QPointF(high, middle))
        for end in (low, high):
            painter.drawLine(QPointF(end, middle - 4), QPointF(end, middle + 4))
        # Above chance: a filled dot; not above: an open one. The colour says it again.
        painter.setBrush(colour if above else QColor(theme.panel))
        painter.drawEllipse(QPointF(self._x(row.mean), middle), 5, 5)

    # --- choosing -------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 Qt's name
        """Choose the row under the pointer."""
        number = int((event.position().y() - self._top()) // self._row_px())
        if 0 <= number < len(self._rows):
            self._pick(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 Qt's name
        """Go up and down the rows."""
        step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        able = [number for number, row in enumerate(self._rows) if row.key]
        if not able:
            return
        now = next((n for n, row in enumerate(self._rows) if row.key == self._key), None)
        place = able.index(now) + step if now in able else (0 if step > 0 else len(able) - 1)
        self._pick(able[min(max(place, 0), len(able) - 1)])

    def _pick(self, number: int) -> None:
        key = self._rows[number].key
        if key:
            self.choose(key)
            self.chosen.emit(key)

    def _describe(self) -> None:
        """Say in words what is painted, for who cannot see it."""
        lines = [f"{row.label} {row.mark} {row.text}".strip() for row in self._rows]
        self.setAccessibleDescription("; ".join(lines))
        self.setAccessibleName(tr("Scores of the decoders"))
