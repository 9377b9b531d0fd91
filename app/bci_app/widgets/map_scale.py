"""The scale beside a map: its colours, its ends, and what chance reaches."""

import numpy as np
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from bci_app.theme import font, tabular, tokens
from bci_app.widgets.colour_maps import as_image

__all__ = ["paint_scale"]


def paint_scale(
    painter: QPainter,
    rect: QRectF,
    low: float,
    high: float,
    *,
    signed: bool,
    marks: tuple[float, ...] = (),
    decimals: int = 2,
) -> None:
    """Paint an upright scale.

    Parameters
    ----------
    painter : QPainter
    rect : QRectF
        Of the bar alone; numbers stand to its right.
    low, high : float
        Its ends.
    signed : bool
        Whether it lies around zero.
    marks : tuple of float
        Values that a line across marks, such as chance levels; with a sign, below zero too.
    decimals : int
    """
    theme = tokens()
    ramp = np.linspace(low, high, 256)[:, None]
    painter.drawImage(rect, as_image(ramp, low, high, signed=signed))
    painter.setPen(QColor(theme.line))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(rect)

    def height(value: float) -> float:
        return rect.bottom() - rect.height() * (value - low) / ((high - low) or 1.0)

    painter.setPen(QColor(theme.text))
    for mark in (value for m in marks for value in ((m, -m) if signed else (m,))):
        if low <= mark <= high:
            y = height(mark)
            painter.drawLine(QLineF(rect.left() - 3, y, rect.right() + 3, y))
    painter.setFont(tabular(font("small")))
    painter.setPen(QColor(theme.quiet))
    half = painter.fontMetrics().height() / 2
    for number in (low, 0.0, high) if signed else (low, high):
        y = min(max(height(number), rect.top() + half), rect.bottom() - half)
        box = QRectF(rect.right() + 5, y - half, 60, 2 * half)
        text = f"{number:{'+' if signed else ''}.{decimals}f}" if number else "0"
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
