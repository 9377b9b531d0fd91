"""The decisions of the last minute: probabilities, what was decided, what was withheld."""

import itertools
from collections.abc import Callable, Sequence

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from bci.online import Decision
from bci_app.theme import class_colour, font, tokens
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["DecisionTrace"]

_AXIS_PX, _LANE_PX = 46, 10
#: Pens of the classes: colour is never the only sign. A line of 1 pixel is sixty times as fast as
#: one of 2: the lines are drawn twice, a pixel apart.
_PENS = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
# A gap of more than so many hops is left open (times the shortest step).
_OPEN = 2.5


class DecisionTrace(Plot):
    """Probabilities over the last minute, newest at the right.

    Parameters
    ----------
    seconds : float
        How far back it shows.
    """

    def __init__(self, seconds: float = 60.0, parent: QWidget | None = None) -> None:
        super().__init__(
            "online.trace",
            tr("Decisions, last {s:.0f} s", s=seconds),
            tr("The decisions of the last minute appear here while an online run goes on."),
            tr("The smoothed probability of each class over time; marks below show what was "
               "decided and when. Shaded: feedback was withheld, since samples were missing or "
               "late, or an electrode was disturbed."),
            parent,
        )  # fmt: skip
        self.seconds = seconds
        self._decisions: Sequence[Decision] = ()
        self._classes: tuple[str, ...] = ()
        self._threshold = 0.6
        self.setMinimumHeight(130)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a comfortable size."""
        return QSize(360, 180)

    def show_decisions(
        self, decisions: Sequence[Decision], classes: tuple[str, ...], threshold: float, note: str
    ) -> None:
        """Show decisions, oldest first.

        Parameters
        ----------
        decisions : sequence of Decision
        classes : tuple of str
            In the order of the probabilities.
        threshold : float
        note : str
            Filter and reference.
        """
        self._decisions, self._classes = decisions, classes
        self._threshold, self.note = threshold, note
        self.filled = bool(decisions)
        self.update()

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the traces."""
        theme, metrics = tokens(), painter.fontMetrics()
        foot = metrics.height() + 2
        plot = rect.adjusted(_AXIS_PX, 4, -4, -foot - _LANE_PX - 6)
        newest_s = max((d.time_s for d in self._decisions if d.time_s == d.time_s), default=0.0)
        scale = plot.width() / self.seconds

        def x(time_s: float) -> float:
            return plot.right() - (newest_s - time_s) * scale

        seen = [d for d in self._decisions if d.time_s == d.time_s and x(d.time_s) >= plot.left()]
        self._paint_withheld(painter, plot, seen, x)
        painter.setPen(QPen(QColor(theme.line), 1))
        for p in (0.0, 0.5, 1.0):
            y = plot.bottom() - p * plot.height()
            painter.drawLine(QLineF(plot.left(), y, plot.right(), y))
            painter.setPen(QColor(theme.quiet))
            painter.drawText(
                QRectF(rect.left(), y - 10, _AXIS_PX - 6, 20),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{100 * p:.0f} %",
            )
            painter.setPen(QPen(QColor(theme.line), 1))
        y = plot.bottom() - self._threshold * plot.height()
        painter.setPen(QPen(QColor(theme.text), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(plot.left(), y, plot.right(), y))
        parts = _parts(seen)
        for k, name in enumerate(self._classes):
            pen = QPen(class_colour(name, self._classes), 1)
            pen.setStyle(_PENS[k % len(_PENS)])
            painter.setPen(pen)
            for part in parts:
                line = QPolygonF(
                    [
                        QPointF(x(d.time_s), plot.bottom() - d.smoothed[k] * plot.height())
                        for d in part
                        if d.smoothed is not None
                    ]
                )
                painter.drawPolyline(line)
                painter.drawPolyline(line.translated(0.0, 1.0))
        self._paint_decided(painter, plot, seen, x)
        self._paint_foot(painter, QRectF(plot.left(), rect.bottom() - foot, plot.width(), foot))

    def _paint_withheld(
        self, painter: QPainter, plot: QRectF, seen: list[Decision], x: Callable[[float], float]
    ) -> None:
        shade = QColor(tokens().caution)
        shade.setAlphaF(0.22)
        open_s = _OPEN * _step_s(seen)
        for before, d in itertools.pairwise(seen):
            if before.smoothed is None or d.time_s - before.time_s > open_s:
                left, right = x(before.time_s), x(d.time_s)
                painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), shade)

    def _paint_decided(
        self, painter: QPainter, plot: QRectF, seen: list[Decision], x: Callable[[float], float]
    ) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        n = max(1, len(self._classes))
        for d in seen:
            if d.label is None or d.label not in self._classes:
                continue
            painter.setBrush(class_colour(d.label, self._classes))
            at, tall = self._classes.index(d.label), _LANE_PX / n
            painter.drawRect(QRectF(x(d.time_s) - 1.5, plot.bottom() + 2 + at * tall, 3, tall))

    def _paint_foot(self, painter: QPainter, rect: QRectF) -> None:
        theme = tokens()
        painter.setFont(font("small"))
        metrics = painter.fontMetrics()
        painter.setPen(QColor(theme.quiet))
        painter.drawText(rect, Qt.AlignmentFlag.AlignRight, tr("now"))
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft, tr("−{s:.0f} s", s=self.seconds))
        entries = [(k, name, name.replace("_", " ")) for k, name in enumerate(self._classes)]
        width = sum(metrics.horizontalAdvance(text) + 40 for *_, text in entries)
        at = rect.center().x() - width / 2
        for k, name, text in entries:
            pen = QPen(class_colour(name, self._classes), 2)
            pen.setStyle(_PENS[k % len(_PENS)])
            painter.setPen(pen)
            y = rect.center().y()
            painter.drawLine(QLineF(at, y, at + 22, y))
            painter.setPen(QColor(theme.text))
            painter.drawText(QRectF(at + 26, rect.top(), 200, rect.height()), 0, text)
            at += metrics.horizontalAdvance(text) + 40


def _step_s(seen: list[Decision]) -> float:
    """Return the shortest time between decisions (s)."""
    steps = [b.time_s - a.time_s for a, b in itertools.pairwise(seen)]
    return min((step for step in steps if step > 0), default=0.1)


def _parts(seen: list[Decision]) -> list[list[Decision]]:
    """Return stretches that were decided without interruption."""
    parts: list[list[Decision]] = [[]]
    step_s = _step_s(seen)
    for d in seen:
        if d.smoothed is None:
            parts.append([])
            continue
        if parts[-1] and d.time_s - parts[-1][-1].time_s > _OPEN * step_s:
            parts.append([])
        parts[-1].append(d)
    return [part for part in parts if part]
