"""The score of the augmented covariance method over order and lag."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from bci.decoders.search_map import SearchMap
from bci_app.theme import font, tabular, tokens
from bci_app.widgets.colour_maps import colour_at
from bci_app.words import tr

__all__ = ["SearchMapView"]


class SearchMapView(QWidget):
    """A panel a subset of channels: orders to the right, lags upward, the chosen pair framed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._maps: tuple[SearchMap, ...] = ()
        self._rate_hz = 1.0
        self._cells: list[tuple[QRectF, str]] = []
        self.setMinimumSize(260, 150)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Score over order and lag"))

    def show_maps(self, maps: Sequence[SearchMap], rate_hz: float = 1.0) -> None:
        """Show the maps of a search; none: say how to get one."""
        self._maps, self._rate_hz = tuple(maps), rate_hz
        self.setAccessibleDescription(self._chosen_words())
        self.update()

    @property
    def maps(self) -> tuple[SearchMap, ...]:
        """What is shown."""
        return self._maps

    def sizeHint(self) -> QSize:  # noqa: N802 Qt's name
        """Room for numbers in the cells."""
        return QSize(440, 220)

    def _chosen_words(self) -> str:
        for found in self._maps:
            if found.chosen is not None:
                order, lag = found.chosen
                if order == 1:
                    return tr("chosen: order 1 (no lag)")
                lag_ms = 1e3 * lag / self._rate_hz
                return tr("chosen: order {order}, lag {lag:.0f} ms", order=order, lag=lag_ms)
        return ""

    def paintEvent(self, event: object) -> None:  # noqa: N802 Qt's name
        """Paint the panels."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._cells = []
        if not self._maps:
            painter.setPen(QColor(tokens().quiet))
            painter.drawText(
                QRectF(self.rect()).adjusted(8, 8, -8, -8),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                tr(
                    "This decoder searched nothing. Tick acm-search and train: the score over "
                    "order and lag appears here."
                ),
            )
            painter.end()
            return
        every = np.concatenate([found.scores[np.isfinite(found.scores)] for found in self._maps])
        low, high = float(every.min()), max(float(every.max()), float(every.min()) + 0.01)
        small = QFontMetricsF(font("small"))
        left = small.horizontalAdvance("000 ms") + small.height() + 10
        bottom = 2 * small.height() + 6
        # Panels are as wide as they have orders with a score; those of order 1 alone are narrow.
        columns = [max(1, _n_columns(found)) for found in self._maps]
        gap, foot = 14.0, small.height() + 6
        height = self.height() - bottom - foot - small.height() - 4
        width = (self.width() - left - 8 - gap * (len(columns) - 1)) / (
            sum(columns) + 1.2 * (len(columns) - 1)
        )
        x = left
        painter.setFont(tabular(font("small")))
        for number, (found, n) in enumerate(zip(self._maps, columns, strict=True)):
            span = width * (n if number == 0 else n + 1.2)
            rect = QRectF(x, small.height() + 2, span, height)
            self._panel(painter, found, rect, (low, high), n)
            x += span + gap
        self._axes(painter, left, height + small.height() + 2)
        painter.setPen(QColor(tokens().text))
        note = self._chosen_words() + tr("; score of inner folds × 100; italics: scored quickly")
        painter.drawText(
            QRectF(4, self.height() - foot, self.width() - 8, foot),
            Qt.AlignmentFlag.AlignVCenter,
            small.elidedText(note, Qt.TextElideMode.ElideRight, self.width() - 8),
        )
        painter.end()

    def _axes(self, painter: QPainter, left: float, bottom: float) -> None:
        found = self._maps[0]
        small = QFontMetricsF(font("small"))
        top = small.height() + 2
        painter.setPen(QColor(tokens().quiet))
        step = (bottom - top) / len(found.lags)
        for k, lag in enumerate(found.lags):
            where = QRectF(small.height() + 4, bottom - (k + 1) * step, left - small.height() - 10,
                           step)  # fmt: skip
            painter.drawText(
                where,
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{1e3 * lag / self._rate_hz:.0f} ms",
            )
        painter.save()
        painter.translate(small.height() / 2 + 2, (top + bottom) / 2)
        painter.rotate(-90)
        painter.drawText(QRectF(-60, -small.height() / 2, 120, small.height()),
                         Qt.AlignmentFlag.AlignCenter, tr("lag"))  # fmt: skip
        painter.restore()

    def _panel(
        self,
        painter: QPainter,
        found: SearchMap,
        rect: QRectF,
        limits: tuple[float, float],
        n_columns: int,
    ) -> None:
        theme, small = tokens(), QFontMetricsF(font("small"))
        painter.setPen(QColor(theme.quiet))
        middle = Qt.AlignmentFlag.AlignCenter
        name = found.subset or tr("all channels")
        name = tr("all channels") if name == "all" else name
        painter.drawText(QRectF(rect.left() - 20, 0, rect.width() + 40, small.height()), middle,
                         name)  # fmt: skip
        width, height = rect.width() / n_columns, rect.height() / len(found.lags)
        for column in range(n_columns):
            order = found.orders[column]
            painter.setPen(QColor(theme.quiet))
            where = QRectF(rect.left() + column * width, rect.bottom() + 2, width, small.height())
            painter.drawText(where, middle, str(order))
            for row, lag in enumerate(found.lags):
                score = float(found.scores[row, column])
                if not np.isfinite(score) or (order == 1 and row):
                    continue
                cell = QRectF(
                    rect.left() + column * width, rect.bottom() - (row + 1) * height, width, height
                )
                if order == 1:
                    cell = QRectF(cell.left(), rect.top(), width - 3, rect.height())
                self._cell(painter, found, (row, column), cell, limits)
                chosen = found.chosen is not None and found.chosen[0] == order
                if chosen and found.chosen is not None and found.chosen[1] in (lag, 1):
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.setPen(QPen(QColor(theme.trouble), 3))
                    painter.drawRect(cell.adjusted(1.5, 1.5, -1.5, -1.5))
        painter.setPen(QColor(theme.quiet))
        painter.drawText(
            QRectF(rect.left() - 20, rect.bottom() + small.height() + 2, rect.width() + 40,
                   small.height()), middle, tr("order"),
        )  # fmt: skip

    def _cell(
        self,
        painter: QPainter,
        found: SearchMap,
        at: tuple[int, int],
        cell: QRectF,
        limits: tuple[float, float],
    ) -> None:
        low, high = limits
        score = float(found.scores[at])
        colour = colour_at((score - low) / (high - low), signed=False)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5))
        written = tabular(font("small"))
        written.setItalic(not found.exact[at])
        painter.setFont(written)
        painter.setPen(QColor("#ffffff" if colour.lightnessF() < 0.45 else "#000000"))
        painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, f"{100 * score:.0f}")
        painter.setFont(tabular(font("small")))
        order, lag = found.orders[at[1]], found.lags[at[0]]
        place = tr("order 1 (no lag)") if order == 1 else tr(
            "order {order}, lag {lag:.0f} ms ({samples} samples)",
            order=order, lag=1e3 * lag / self._rate_hz, samples=lag,
        )  # fmt: skip
        how = tr("exact score") if found.exact[at] else tr("quick score")
        kernel = str(found.kernels[at])
        self._cells.append((cell, f"{place}: {score:.3f} ({how}); {kernel} C = {found.Cs[at]:g}"))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 Qt's name
        """Say the numbers of the cell under the pointer."""
        for cell, text in self._cells:
            if cell.contains(QPointF(event.position())):
                QToolTip.showText(event.globalPosition().toPoint(), text, self)
                return
        QToolTip.hideText()


def _n_columns(found: SearchMap) -> int:
    """Return how many orders have a score, from the first."""
    there = np.flatnonzero(np.isfinite(found.scores).any(axis=0))
    return int(there[-1]) + 1 if len(there) else 0
