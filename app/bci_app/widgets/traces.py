"""Scrolling traces: the newest sample at the right, a label and a mark of quality at the left.

What is drawn comes as columns from `bci.experiment.traces`; a frame adds those that are new to a
picture that goes round, and puts it on the screen in two pieces.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHideEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolTip, QWidget

from bci.experiment.traces import ShownTraces, TraceFeed, TraceView
from bci.signal.envelope import Raster, RasterStyle
from bci.signal.quality_words import grade
from bci_app.theme import font, tabular, tokens
from bci_app.widgets.quality_marks import paint_mark
from bci_app.words import tr

__all__ = ["GUTTER_PX", "ChannelMark", "TracesView"]

#: Width of the labels at the left.
GUTTER_PX = 68
_FRAME_MS = 16
_MARK_PX, _LEAST_ROW_PX = 4.0, 13.0


@dataclass(frozen=True, slots=True)
class ChannelMark:
    """What the label of a channel shows.

    Attributes
    ----------
    word : str
        Quality; empty: unknown.
    marked : bool
        Marked bad.
    tip : str
        For the mouse that rests on it.
    """

    word: str = ""
    marked: bool = False
    tip: str = ""

    @property
    def grade(self) -> str:
        """As it is painted."""
        return "marked" if self.marked else grade(self.word)


class TracesView(QWidget):
    """Traces with their labels; empty until it is given a feed.

    Parameters
    ----------
    parent : QWidget, optional
    clock : callable
        What they move on by (s).

    Signals
    -------
    channel_clicked : str
        The label of a channel was clicked, to mark it bad or good again.
    channel_pointed : str
        The mouse is over another channel; empty: over none.
    scale_wished : int
        The wheel was turned: +1 for a finer scale, -1 for a coarser.
    """

    channel_clicked = Signal(str)
    channel_pointed = Signal(str)
    scale_wished = Signal(int)
    #: The picture has moved on, for what lies beside it.
    advanced = Signal()

    def __init__(
        self, parent: QWidget | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        super().__init__(parent)
        self.clock = clock
        self.setObjectName("signals.traces")
        self.setAccessibleName(tr("Traces"))
        self.gutter = _Gutter(self)
        self.canvas = _Canvas(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.gutter)
        row.addWidget(self.canvas, 1)
        self.feed: TraceFeed | None = None
        self.labels: tuple[str, ...] = ()
        self.marks: dict[str, ChannelMark] = {}
        self.pointed = ""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_FRAME_MS)
        self._timer.timeout.connect(self._tick)

    def set_feed(self, feed: TraceFeed | None) -> None:
        """Show a feed's traces, or none."""
        self.feed = feed
        self.canvas.restart()
        if feed is None:
            self._timer.stop()
            self._set_labels(())
        elif self.isVisible():
            self._timer.start()

    def set_scale(self, microvolts: float) -> None:
        """Let a row of traces stand for this many microvolts."""
        self.canvas.scale_v = 1e-6 * microvolts
        self.canvas.restart()

    def set_marks(self, marks: dict[str, ChannelMark]) -> None:
        """Show the channels' quality."""
        if marks == self.marks:
            return
        dimmed = {name for name, mark in marks.items() if mark.marked}
        if dimmed != {name for name, mark in self.marks.items() if mark.marked}:
            self.canvas.restart()
        self.marks = marks
        self.gutter.update()

    def say(self, text: str) -> None:
        """Write over the traces why they do not move; empty: nothing."""
        if text != self.canvas.text:
            self.canvas.text = text
            self.canvas.update()

    def row_of(self, y: float) -> str:
        """Return the channel at a height; empty: none."""
        if not self.labels or not 0 <= y < self.height():
            return ""
        return self.labels[int(y / self.height() * len(self.labels))]

    def row_middle(self, label: str) -> float:
        """Return the middle of a channel's row (px)."""
        return (self.labels.index(label) + 0.5) * self.height() / len(self.labels)

    def point(self, label: str) -> None:
        """Lay stress on a channel."""
        if label != self.pointed:
            self.pointed = label
            self.gutter.update()
            self.canvas.update()
            self.channel_pointed.emit(label)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Move on while it is seen."""
        super().showEvent(event)
        if self.feed is not None:
            self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        """Rest while it is not seen."""
        super().hideEvent(event)
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Point at no channel any more."""
        super().leaveEvent(event)
        self.point("")

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.canvas.restart()

    def _set_labels(self, labels: tuple[str, ...]) -> None:
        if labels != self.labels:
            self.labels = labels
            self.gutter.update()
            self.canvas.restart()

    def _tick(self) -> None:
        shown = self.feed.shown if self.feed is not None else None
        if shown is None:
            return
        self._set_labels(shown.labels)
        if self.canvas.advance(shown):
            self.advanced.emit()


class _Scroll:
    """Lets traces move evenly, though samples come in chunks of some tens of milliseconds.

    They move on by the clock, a chunk or so behind the newest sample; they catch up quickly when
    they are late, and wait when there is nothing.
    """

    #: Behind by more, they hurry, or leap (s).
    _HURRY_S, _LEAP_S, _HASTE = 0.1, 0.5, 1.25

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = 0.0
        self._before_s: float | None = None

    def until(self, newest: int, view: TraceView) -> int:
        """Return the column before which everything is to be drawn now."""
        now_s = self._clock()
        before_s, self._before_s = self._before_s, now_s
        behind_s = (newest - self._at) * view.span_s / view.n_columns
        if before_s is None or behind_s > self._LEAP_S:
            self._at = float(newest)
        else:
            pace = view.n_columns / view.span_s * (now_s - before_s)
            self._at += pace * (self._HASTE if behind_s > self._HURRY_S else 1.0)
        self._at = min(self._at, float(newest))
        return int(self._at)


class _Canvas(QWidget):
    """The traces themselves."""

    def __init__(self, view: TracesView) -> None:
        super().__init__(view)
        self._view = view
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 120)
        self.scale_v = 50e-6
        self.text = ""
        #: Columns (with a fraction) at which lines are drawn, and their colour.
        self.lines: Sequence[tuple[float, str]] = ()
        self._raster: Raster | None = None
        self._image = QImage()
        self._shown: ShownTraces | None = None
        self._scroll = _Scroll(self._view.clock)
        self._style: RasterStyle | None = None

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size at which 32 channels can be read."""
        return QSize(800, 520)

    def restart(self) -> None:
        """Draw everything anew: another feed, scale, theme or size."""
        self._raster = self._shown = None
        self.update()

    def pixels_wide(self) -> int:
        """Return its width in pixels of the screen."""
        return max(1, round(self.width() * self.devicePixelRatioF()))

    def advance(self, shown: ShownTraces) -> bool:
        """Draw what has come since; return whether something has."""
        feed = self._view.feed
        if feed is not None and feed.view.n_columns != self.pixels_wide():
            feed.show(n_columns=self.pixels_wide())
        if self._raster is None or shown is not self._shown:
            self._begin(shown)
        if self._raster is None or self._style is None:
            return False
        until = self._scroll.until(shown.envelope.n_columns, shown.view)
        if not self._raster.draw(shown.envelope, self._style, until):
            return False
        self.update()
        return True

    def x_of(self, column: float) -> float:
        """Return where a column is (px): the newest is at the right edge."""
        if self._raster is None or self._shown is None:
            return -1.0
        share = (self._raster.newest - column) / self._shown.view.n_columns
        return self.width() * (1.0 - share)

    def _begin(self, shown: ShownTraces) -> None:
        ratio = self.devicePixelRatioF()
        height = max(1, round(self.height() * ratio))
        theme, n = tokens(), len(shown.labels)
        marks = self._view.marks
        strong, dim = _mixed(theme.text, theme.quiet, 3).rgb(), QColor(theme.line).rgb()
        colours = [dim if marks.get(x, ChannelMark()).marked else strong for x in shown.labels]
        back = QColor(theme.panel)
        self._style = RasterStyle(
            gain=height / max(1, n) / self.scale_v,
            colours=np.array(colours or [strong], dtype=np.uint32),
            background=back.rgb(),
            grid=_mixed(theme.panel, theme.line, 1).rgb(),
            gap=QColor(theme.caution).rgb(),
            thickness=1.15 * ratio if n <= 40 else ratio,
            rate_hz=shown.rate_hz,
        )
        self._raster = Raster(shown.view.n_columns, height)
        self._raster.blank(back.rgb())
        pixels = self._raster.pixels
        self._image = QImage(
            pixels.data, pixels.shape[1], height, pixels.strides[0], QImage.Format.Format_RGB32
        )
        self._shown = shown
        self._scroll = _Scroll(self._view.clock)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Put the picture on the screen, its older part first."""
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        theme = tokens()
        if self._raster is None:
            painter.fillRect(self.rect(), QColor(theme.panel))
        else:
            self._paint_picture(painter, self._raster)
        self._paint_pointed(painter)
        for column, colour in self.lines:
            x = self.x_of(column)
            if 0 <= x <= self.width():
                painter.setPen(QPen(QColor(colour), 1.0, Qt.PenStyle.DashLine))
                painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        self._paint_scale(painter)
        if self.text:
            self._paint_text(painter)

    def _paint_picture(self, painter: QPainter, raster: Raster) -> None:
        height, width = raster.pixels.shape
        at = raster.newest % width
        split = round(self.width() * (width - at) / width)
        whole = width == self.pixels_wide() and self.devicePixelRatioF() == 1.0
        if whole:
            painter.drawImage(QPointF(0, 0), self._image, QRectF(at, 0, width - at, height))
            painter.drawImage(QPointF(width - at, 0), self._image, QRectF(0, 0, at, height))
            return
        left = QRect(0, 0, split, self.height())
        right = QRect(split, 0, self.width() - split, self.height())
        painter.drawImage(left, self._image, QRect(at, 0, width - at, height))
        if at:
            painter.drawImage(right, self._image, QRect(0, 0, at, height))

    def _paint_pointed(self, painter: QPainter) -> None:
        view = self._view
        if view.pointed in view.labels:
            tall = self.height() / len(view.labels)
            band = QColor(tokens().accent)
            band.setAlphaF(0.14)
            top = view.row_middle(view.pointed) - tall / 2
            painter.fillRect(QRectF(0, top, self.width(), tall), band)

    def _paint_scale(self, painter: QPainter) -> None:
        """Paint a bar as high as a row, with what it stands for."""
        n = len(self._view.labels)
        if not n:
            return
        theme = tokens()
        rows = max(1, round(n / 14))
        tall = rows * self.height() / n
        text = f"{1e6 * self.scale_v * rows:g} µV"
        painter.setFont(tabular(font("small")))
        metrics = QFontMetricsF(painter.font())
        wide = metrics.horizontalAdvance(text)
        x, y = self.width() - 10.0, self.height() - 8.0
        box = QRectF(x - wide - 14, y - max(tall, metrics.height()) - 4, wide + 20,
                     max(tall, metrics.height()) + 8)  # fmt: skip
        behind = QColor(theme.panel)
        behind.setAlphaF(0.85)
        painter.fillRect(box, behind)
        painter.setPen(QPen(QColor(theme.accent), 2.0))
        painter.drawLine(QPointF(x, y - tall), QPointF(x, y))
        painter.setPen(QColor(theme.text))
        painter.drawText(QPointF(x - wide - 8, y - tall / 2 + metrics.ascent() / 2 - 1), text)

    def _paint_text(self, painter: QPainter) -> None:
        theme = tokens()
        painter.setFont(font("body", bold=True))
        metrics = QFontMetricsF(painter.font())
        room = QRectF(self.rect()).adjusted(40, 20, -40, -20)
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        box = metrics.boundingRect(room, flags, self.text)
        behind = QColor(theme.panel)
        behind.setAlphaF(0.92)
        painter.fillRect(box.adjusted(-16, -10, 16, 10), behind)
        painter.setPen(QColor(theme.trouble))
        painter.drawText(room, flags, self.text)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Draw anew at the new size."""
        super().resizeEvent(event)
        self.restart()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Point at the channel under the mouse."""
        self._view.point(self._view.row_of(event.position().y()))

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Change the scale."""
        if event.angleDelta().y():
            self._view.scale_wished.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()


class _Gutter(QWidget):
    """The labels of the channels, each with a mark of its quality."""

    def __init__(self, view: TracesView) -> None:
        super().__init__(view)
        self._view = view
        self.setObjectName("signals.channels")
        self.setAccessibleName(tr("Channels"))
        self.setFixedWidth(GUTTER_PX)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint labels, as many as can be read."""
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        view, theme = self._view, tokens()
        painter.fillRect(self.rect(), QColor(theme.panel))
        n = len(view.labels)
        if not n:
            return
        tall = self.height() / n
        every = max(1, int(np.ceil(_LEAST_ROW_PX / tall)))
        small = font("small")
        if tall < 1.2 * QFontMetricsF(small).height():
            small.setPixelSize(max(9, min(12, int(tall * every) - 2)))
        metrics = QFontMetricsF(small)
        struck = font("small")
        struck.setPixelSize(max(9, int(metrics.height() * 0.75)))
        struck.setStrikeOut(True)
        radius = min(_MARK_PX, max(1.5, 0.42 * tall))
        for k, label in enumerate(view.labels):
            mark = view.marks.get(label, ChannelMark())
            middle = (k + 0.5) * tall
            paint_mark(painter, QPointF(8.0, middle), radius, mark.grade)
            if k % every and label != view.pointed:
                continue
            if every > 1 and label != view.pointed and _near(view, k, every):
                continue
            painter.setFont(struck if mark.marked else small)
            colour = theme.accent if label == view.pointed else theme.text
            painter.setPen(QColor(theme.quiet if mark.marked else colour))
            text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, GUTTER_PX - 22)
            painter.drawText(QPointF(18.0, middle + metrics.ascent() / 2 - 1), text)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Point at the channel, and say what is known of it."""
        label = self._view.row_of(event.position().y())
        self._view.point(label)
        if label and (tip := self._view.marks.get(label, ChannelMark()).tip):
            QToolTip.showText(event.globalPosition().toPoint(), tip, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Mark the channel bad, or good again."""
        label = self._view.row_of(event.position().y())
        if label and event.button() == Qt.MouseButton.LeftButton:
            self._view.channel_clicked.emit(label)


def _near(view: TracesView, k: int, every: int) -> bool:
    """Whether the label that is pointed at would be written over."""
    return view.pointed in view.labels and abs(view.labels.index(view.pointed) - k) < every


def _mixed(first: str, second: str, parts: int) -> QColor:
    """Mix some parts of one colour with one of another."""
    a, b = QColor(first), QColor(second)
    pairs = ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    return QColor(*((parts * x + y) // (parts + 1) for x, y in pairs))
