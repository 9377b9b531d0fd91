"""Which class was taken for which: a table of counts and shares."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci_app.theme import class_colour, font, tabular, tokens
from bci_app.widgets.colour_maps import colour_at
from bci_app.words import tr

__all__ = ["ConfusionMatrix"]


class ConfusionMatrix(QWidget):
    """Rows: what was cued. Columns: what was decided. Each row's shares add up to 100 %."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: NDArray[np.int64] | None = None
        self._classes: tuple[str, ...] = ()
        self.setMinimumSize(220, 150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Confusion matrix"))
        self.setToolTip(
            tr(
                "About this: of the trials of each class (row), how many were taken for which "
                "class (column). On the diagonal stands what was right. All trials were tested by "
                "a decoder that had not seen them."
            )
        )

    def show_counts(self, counts: NDArray[np.int64] | None, classes: Sequence[str] = ()) -> None:
        """Show counts, shape (n_classes, n_classes); None: nothing."""
        self._counts, self._classes = counts, tuple(classes)
        said = ""
        if counts is not None:
            said = "; ".join(
                f"{row} taken for {column}: {counts[i, j]}"
                for i, row in enumerate(classes)
                for j, column in enumerate(classes)
            )
        self.setAccessibleDescription(said)
        self.update()

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """What is shown."""
        return self._counts

    def sizeHint(self) -> QSize:  # noqa: N802 Qt's name
        """About square."""
        return QSize(280, 210)

    def paintEvent(self, event: object) -> None:  # noqa: N802 Qt's name
        """Paint the table."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = tokens()
        if self._counts is None:
            painter.setPen(QColor(theme.quiet))
            painter.drawText(
                QRectF(self.rect()).adjusted(8, 8, -8, -8),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                tr("Which class is taken for which stands here once a decoder is tested."),
            )
            painter.end()
            return
        names = [name.replace("_", " ") for name in self._classes]
        small = QFontMetricsF(font("small"))
        left = min(max(small.horizontalAdvance(name) for name in names) + 20, self.width() * 0.4)
        top = 2 * small.height() + 8
        n = len(names)
        width = min((self.width() - left - 4) / n, 150.0)
        height = min((self.height() - top - 4) / n, 80.0)
        painter.setFont(font("small"))
        painter.setPen(QColor(theme.quiet))
        painter.drawText(
            QRectF(left, 0, n * width, small.height()),
            Qt.AlignmentFlag.AlignCenter,
            tr("decided as"),
        )
        painter.drawText(
            QRectF(0, small.height() + 4, left - 8, small.height()),
            Qt.AlignmentFlag.AlignRight,
            tr("cued"),
        )
        for k, name in enumerate(names):
            self._name(painter, QRectF(left + k * width, small.height() + 4, width, small.height()),
                       name, self._classes[k], Qt.AlignmentFlag.AlignCenter)  # fmt: skip
            self._name(painter, QRectF(0, top + k * height, left - 8, height), name,
                       self._classes[k], Qt.AlignmentFlag.AlignRight)  # fmt: skip
        for i in range(n):
            total = int(self._counts[i].sum())
            for j in range(n):
                self._cell(
                    painter,
                    QRectF(left + j * width, top + i * height, width, height),
                    int(self._counts[i, j]),
                    total,
                    right=i == j,
                )
        painter.end()

    @staticmethod
    def _name(
        painter: QPainter, rect: QRectF, text: str, label: str, side: Qt.AlignmentFlag
    ) -> None:
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(tokens().text))
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width() - 12)
        painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, shown)
        advance = metrics.horizontalAdvance(shown)
        x = rect.right() - advance - 9
        if side == Qt.AlignmentFlag.AlignCenter:
            x = rect.center().x() - advance / 2 - 9
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(class_colour(label))
        painter.drawEllipse(QRectF(x, rect.center().y() - 3, 6, 6))

    @staticmethod
    def _cell(painter: QPainter, rect: QRectF, count: int, total: int, *, right: bool) -> None:
        share = count / total if total else 0.0
        colour = colour_at(share, signed=False)
        inner = rect.adjusted(1.5, 1.5, -1.5, -1.5)
        painter.setPen(QPen(QColor(tokens().text), 2) if right else Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(inner, 3, 3)
        dark = colour.lightnessF() < 0.45
        painter.setPen(QColor("#ffffff" if dark else "#000000"))
        painter.setFont(tabular(font(bold=right)))
        text = f"{100 * share:.0f} %" if total else "–"
        metrics = QFontMetricsF(font())
        if inner.height() > 2.2 * metrics.height():
            text += "\n" + tr("{count} of {total}", count=count, total=total)
        painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, text)
