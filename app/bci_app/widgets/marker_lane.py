"""The lane below the traces: how long ago, and what was marked."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.events import CLASSES, Marker
from bci.experiment.traces import ShownTraces
from bci_app.theme import class_colour, font, tabular, tokens
from bci_app.widgets.traces import GUTTER_PX, TracesView
from bci_app.words import tr

__all__ = ["MarkerLane"]

_AXIS_PX = 16
#: Marks of the protocol that are no cues, but deserve their name.
_NAMED = ("run_start", "run_end")


class MarkerLane(QWidget):
    """Follows a `TracesView`; cues have their class's colour and name, other markers a tick.

    Parameters
    ----------
    traces : TracesView
    """

    def __init__(self, traces: TracesView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._traces = traces
        self.setObjectName("signals.markers")
        self.setAccessibleName(tr("Markers"))
        self.setToolTip(
            tr("What was marked in the signal: cues by their name, other steps of a trial as "
               "ticks. Markers meet samples on one clock, to a millisecond or so.")
        )  # fmt: skip
        self.setFixedHeight(_AXIS_PX + 24)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._waiting: list[Marker] = []
        self._placed: list[tuple[float, Marker]] = []
        self._shown: ShownTraces | None = None
        traces.advanced.connect(self._advance)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the lane's size."""
        return QSize(400, _AXIS_PX + 24)

    def add(self, marker: Marker) -> None:
        """Show a marker from now on."""
        self._waiting.append(marker)

    def set_markers(self, markers: tuple[Marker, ...]) -> None:
        """Show these only."""
        self._placed, self._waiting = [], list(markers)
        self.update()

    @property
    def placed(self) -> tuple[tuple[float, Marker], ...]:
        """The markers in view, with their columns."""
        return tuple(self._placed)

    def _advance(self) -> None:
        feed = self._traces.feed
        shown = feed.shown if feed is not None else None
        if feed is None or shown is None:
            return
        if shown is not self._shown:
            # Another width or span: columns count anew.
            self._waiting = [marker for _, marker in self._placed] + self._waiting
            self._placed, self._shown = [], shown
        if self._waiting:
            self._placed += feed.marker_columns(tuple(self._waiting))
            self._waiting = []
        oldest = shown.envelope.n_columns - shown.view.n_columns
        while self._placed and self._placed[0][0] < oldest:
            self._placed.pop(0)
        self._traces.canvas.lines = [
            (column, class_colour(marker.label).name())
            for column, marker in self._placed
            if marker.label in CLASSES
        ]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the axis of time and the markers."""
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        theme = tokens()
        painter.fillRect(self.rect(), QColor(theme.panel))
        small = tabular(font("small"))
        painter.setFont(small)
        metrics = QFontMetricsF(small)
        canvas = self._traces.canvas
        left, wide = GUTTER_PX, canvas.width()
        painter.setPen(QPen(QColor(theme.line), 1.0))
        painter.drawLine(QPointF(left, 0.5), QPointF(left + wide, 0.5))
        span_s = self._traces.feed.view.span_s if self._traces.feed is not None else 10.0
        step_s = next(s for s in (1.0, 2.0, 5.0, 10.0) if span_s / s <= 10 or s == 10.0)
        painter.setPen(QColor(theme.quiet))
        ago_s = 0.0
        while ago_s <= span_s:
            x = left + wide * (1 - ago_s / span_s)
            text = tr("now") if ago_s == 0 else f"−{ago_s:g} s"
            room = metrics.horizontalAdvance(text)
            at = min(max(x - room / 2, left), left + wide - room - 2)
            painter.drawLine(QPointF(x, 0), QPointF(x, 3))
            painter.drawText(QPointF(at, 3 + metrics.ascent()), text)
            ago_s += step_s
        self._paint_markers(painter, metrics)

    def _paint_markers(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        theme, canvas = tokens(), self._traces.canvas
        top, bottom = _AXIS_PX + 2.0, float(self.height())
        free = float(GUTTER_PX)
        painter.setPen(QColor(theme.quiet))
        painter.drawText(
            QRectF(8, top, GUTTER_PX - 8, bottom - top), int(Qt.AlignmentFlag.AlignVCenter),
            tr("markers"),
        )  # fmt: skip
        for column, marker in self._placed:
            x = GUTTER_PX + canvas.x_of(column)
            if not GUTTER_PX <= x <= self.width():
                continue
            is_cue = marker.label in CLASSES
            colour = class_colour(marker.label) if is_cue else QColor(theme.quiet)
            painter.setPen(QPen(colour, 2.0 if is_cue else 1.0))
            painter.drawLine(QPointF(x, top), QPointF(x, bottom if is_cue else top + 6))
            if not (is_cue or marker.label in _NAMED):
                continue
            text = marker.label.replace("_", " ")
            if x + 5 >= free:
                painter.setPen(QColor(theme.text))
                painter.drawText(QPointF(x + 5, bottom - 6), text)
                free = x + 9 + metrics.horizontalAdvance(text)
