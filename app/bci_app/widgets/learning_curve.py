"""Accuracy against the number of trials to learn from: how many are enough."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci_app.theme import font, tabular, tokens
from bci_app.words import tr

__all__ = ["LearningCurveView"]


class LearningCurveView(QWidget):
    """A line with its 95 % interval, the chance line, and the answer in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curve: Mapping[str, Any] = {}
        self._reason = ""
        self.setMinimumSize(260, 150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Learning curve"))
        self.setToolTip(
            tr(
                "About this: the decoder is trained on fewer and fewer of the trials, chosen at "
                "random, and tested on trials that it has not seen. Where the line is flat, more "
                "trials would not help. The band is the 95 % interval of the accuracy; the dashed "
                "line is what chance seldom passes (5 %)."
            )
        )

    def show_curve(self, curve: Mapping[str, Any], reason: str = "") -> None:
        """Show a curve (`bci.evaluation.LearningCurve.as_dict`); empty: say why, or how."""
        self._curve, self._reason = curve, reason
        self.setAccessibleDescription(str(curve.get("answer", "")))
        self.update()

    @property
    def curve(self) -> Mapping[str, Any]:
        """What is shown."""
        return self._curve

    def sizeHint(self) -> QSize:  # noqa: N802 Qt's name
        """Be wide."""
        return QSize(440, 220)

    def paintEvent(self, event: object) -> None:  # noqa: N802 Qt's name
        """Paint the curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = tokens()
        if not self._curve:
            painter.setPen(QColor(theme.quiet))
            painter.drawText(
                QRectF(self.rect()).adjusted(8, 8, -8, -8),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                self._reason
                or tr("How many trials are enough? Choose a decoder, then Learning curve."),
            )
            painter.end()
            return
        small = QFontMetricsF(font("small"))
        answer = small.boundingRect(
            QRectF(0, 0, self.width() - 16, 200), int(Qt.TextFlag.TextWordWrap), self._answer()
        ).height()
        plot = QRectF(52, 10, self.width() - 64, self.height() - answer - 2 * small.height() - 26)
        points = self._curve["points"]
        most = max(point["n_train"] for point in points)
        chance = float(self._curve["chance_95"])
        lowest = min([chance, *(point["accuracy"]["low"] for point in points)])
        start = max(0.0, int(lowest * 5 - 0.01) / 5)

        def at(n_train: float, value: float) -> QPointF:
            return QPointF(
                plot.left() + plot.width() * n_train / (most * 1.04),
                plot.bottom() - plot.height() * (value - start) / (1 - start),
            )

        painter.setFont(tabular(font("small")))
        for tick in (k / 5 for k in range(6) if k / 5 >= start - 1e-9):
            y = at(0, tick).y()
            painter.setPen(QPen(QColor(theme.line), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(QColor(theme.quiet))
            painter.drawText(QRectF(0, y - 10, plot.left() - 6, 20),
                             Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                             f"{100 * tick:.0f} %")  # fmt: skip
        for point in points:
            x = at(point["n_train"], start).x()
            painter.drawText(QRectF(x - 25, plot.bottom() + 2, 50, small.height()),
                             Qt.AlignmentFlag.AlignCenter, str(point["n_train"]))  # fmt: skip
        painter.drawText(
            QRectF(plot.left(), plot.bottom() + small.height() + 2, plot.width(), small.height()),
            Qt.AlignmentFlag.AlignCenter,
            tr("trials to learn from"),
        )
        band = [at(p["n_train"], p["accuracy"]["high"]) for p in points]
        band += [at(p["n_train"], p["accuracy"]["low"]) for p in reversed(points)]
        shade = QColor(theme.accent)
        shade.setAlphaF(0.22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawPolygon(QPolygonF(band))
        painter.setPen(QPen(QColor(theme.caution), 2, Qt.PenStyle.DashLine))
        y = at(0, chance).y()
        painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
        painter.setPen(QColor(theme.caution))
        painter.drawText(QRectF(plot.left() + 4, y - small.height() - 2, 200, small.height()),
                         Qt.AlignmentFlag.AlignLeft,
                         tr("chance reaches {n:.0f} %", n=100 * chance))  # fmt: skip
        line = [at(p["n_train"], p["accuracy"]["mean"]) for p in points]
        painter.setPen(QPen(QColor(theme.accent), 2))
        painter.drawPolyline(QPolygonF(line))
        enough = self._curve.get("enough")
        for point, place in zip(points, line, strict=True):
            painter.setBrush(QColor(theme.accent))
            size = 6.0 if point["n_train"] == enough else 3.5
            painter.drawEllipse(place, size, size)
        painter.setPen(QColor(theme.text))
        painter.setFont(font("small"))
        painter.drawText(
            QRectF(8, self.height() - answer - 6, self.width() - 16, answer + 4),
            Qt.TextFlag.TextWordWrap,
            self._answer(),
        )
        painter.end()

    def _answer(self) -> str:
        text = str(self._curve["answer"])
        return text[:1].upper() + text[1:] + "."
