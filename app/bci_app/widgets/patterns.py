"""Activation patterns on the scalp: where a decoder's evidence comes from."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from bci.experiment.attempts import Patterns
from bci_app.theme import font, tokens
from bci_app.widgets.colour_maps import as_image
from bci_app.widgets.head import Head
from bci_app.widgets.map_scale import paint_scale
from bci_app.words import tr

__all__ = ["PatternView"]


class PatternView(QWidget):
    """One head a class, or a component, on one scale around zero."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._patterns: Patterns | None = None
        self._note = ""
        self._limit = 1.0
        self._electrodes: list[tuple[QPointF, str]] = []
        self.setMinimumSize(260, 150)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Activation patterns on the scalp"))

    def show_patterns(self, patterns: Patterns | None, note: str = "") -> None:
        """Show patterns; `note` says the filter and the reference."""
        self._patterns, self._note = patterns, note
        said = ""
        if patterns is not None and len(patterns.values):
            self._limit = float(np.abs(patterns.values).max()) or 1.0
            strongest = np.abs(patterns.values).argmax(axis=1)
            said = "; ".join(
                f"{title}: {patterns.channels[k]} {row[k]:+.1f} {patterns.unit}"
                for title, row, k in zip(patterns.titles, patterns.values, strongest, strict=True)
            )
        self.setAccessibleDescription(said)
        self.update()

    @property
    def patterns(self) -> Patterns | None:
        """What is shown."""
        return self._patterns

    def sizeHint(self) -> QSize:  # noqa: N802 Qt's name
        """Two heads beside each other."""
        return QSize(440, 220)

    def paintEvent(self, event: object) -> None:  # noqa: N802 Qt's name
        """Paint the heads, the scale and the note."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        theme = tokens()
        self._electrodes = []
        patterns = self._patterns
        if patterns is None or not len(patterns.images):
            text = tr("Where on the scalp the decoder's evidence comes from appears here.")
            if patterns is not None:
                text = tr("No map: {why}", why=patterns.why_no_map)
            painter.setPen(QColor(theme.quiet))
            painter.drawText(
                QRectF(self.rect()).adjusted(8, 8, -8, -8),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                text,
            )
            painter.end()
            return
        small = QFontMetricsF(font("small"))
        foot, title_px, scale_px = small.height() + 6, small.height() + 2, 78.0
        width, height = self.width() - scale_px, self.height() - foot
        n = len(patterns.images)
        n_columns = _columns(n, width, height, title_px)
        cell = QSizeF(width / n_columns, height / -(-n // n_columns))
        for k, title in enumerate(patterns.titles):
            row, column = divmod(k, n_columns)
            place = QRectF(QPointF(column * cell.width(), row * cell.height()), cell)
            painter.setFont(font("small"))
            painter.setPen(QColor(theme.text))
            painter.drawText(
                QRectF(place.left(), place.top(), place.width(), title_px),
                Qt.AlignmentFlag.AlignCenter,
                title.replace("_", " "),
            )
            self._head(painter, patterns, k, place.adjusted(2, title_px, -2, -2))
        paint_scale(
            painter,
            QRectF(width + 8, title_px + 8, 12, height - title_px - 16),
            -self._limit,
            self._limit,
            signed=True,
            decimals=1,
        )
        painter.setFont(font("small"))
        painter.setPen(QColor(theme.quiet))
        painter.drawText(
            QRectF(4, height, self.width() - 8, foot),
            Qt.AlignmentFlag.AlignVCenter,
            small.elidedText(self._note, Qt.TextElideMode.ElideRight, self.width() - 8),
        )
        painter.end()

    def _head(self, painter: QPainter, patterns: Patterns, number: int, place: QRectF) -> None:
        head = Head.within(place)
        values = patterns.images[number]
        image = as_image(values, -self._limit, self._limit, signed=True)
        painter.save()
        painter.setClipPath(head.outline)
        # The middles of the outermost pixels lie on the square around the outline.
        beyond = head.radius / (image.width() - 1)
        painter.drawImage(head.square.adjusted(-beyond, -beyond, beyond, beyond), image)
        painter.restore()
        head.paint(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().text))
        for channel, (x, y), value in zip(
            patterns.channels, patterns.points, patterns.values[number], strict=True
        ):
            point = head.at(float(x), float(y))
            painter.drawEllipse(point, 1.6, 1.6)
            self._electrodes.append((point, f"{channel}: {value:+.2f} {patterns.unit}"))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 Qt's name
        """Say the electrode under the pointer and its value."""
        for point, text in self._electrodes:
            apart = point - event.position()
            if abs(apart.x()) + abs(apart.y()) < 7:
                QToolTip.showText(event.globalPosition().toPoint(), text, self)
                return
        QToolTip.hideText()


def _columns(n: int, width: float, height: float, title_px: float) -> int:
    """Return in how many columns `n` heads become largest."""

    def size(n_columns: int) -> float:
        return min(width / n_columns, height / -(-n // n_columns) - title_px)

    return max(range(1, n + 1), key=size)
