"""What every plot has: a title, a line on trials, filter and reference, words on what it means."""

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci_app.theme import STEP_PX, font, tokens

__all__ = ["Plot"]


class Plot(QWidget):
    """A plot that paints itself; a subclass paints its body.

    Parameters
    ----------
    name : str
        Of the object.
    title : str
        Translated; also what screen readers say.
    empty : str
        What will appear here, and what to do for it.
    about : str
        In plain words, what the statistic means.
    """

    def __init__(
        self, name: str, title: str, empty: str, about: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setToolTip(about)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.title, self.empty, self.note = title, empty, ""
        self.filled = False

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a comfortable size."""
        return QSize(320, 240)

    def show_empty(self, why: str = "") -> None:
        """Show nothing but what will appear here, or why it cannot."""
        self.empty = why or self.empty
        self.filled = False
        self.update()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Paint anew in the colours that hold now."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.restyled()
            self.update()
        super().changeEvent(event)

    def restyled(self) -> None:
        """Make anew what was made in colours of before."""

    @property
    def body(self) -> QRectF:
        """Where the plot itself is: below the title, above the note."""
        metrics = self.fontMetrics()
        title = metrics.height() + STEP_PX / 2 if self.title else 0.0
        return QRectF(self.rect()).adjusted(0, title, 0, -self._note_height())

    def _note_height(self) -> float:
        if not self.note or not self.filled:
            return 0.0
        return self._note_rect(self.height()).height() + STEP_PX / 2

    def _note_rect(self, bottom: float) -> QRectF:
        metrics = QFontMetricsF(font("small"))
        flags = int(Qt.TextFlag.TextWordWrap)
        needed = metrics.boundingRect(QRectF(0, 0, self.width(), 400), flags, self.note)
        most = max(3 * metrics.height(), 0.3 * self.height())
        height = min(needed.height(), most) + 1
        return QRectF(0, bottom - height, self.width(), height)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint title, body and note."""
        theme = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.title:
            painter.setFont(font("body", bold=True))
            painter.setPen(QColor(theme.text))
            metrics = painter.fontMetrics()
            title = metrics.elidedText(self.title, Qt.TextElideMode.ElideRight, self.width())
            painter.drawText(QRectF(0, 0, self.width(), metrics.height()), 0, title)
        if not self.filled:
            painter.setFont(font("body"))
            painter.setPen(QColor(theme.quiet))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            inset = min(3 * STEP_PX, self.width() / 8)
            painter.drawText(self.body.adjusted(inset, 0, -inset, 0), int(flags), self.empty)
        else:
            painter.setFont(font("small"))
            self.paint_body(painter, self.body)
            if self.note:
                painter.setFont(font("small"))
                painter.setPen(QColor(theme.quiet))
                rect = self._note_rect(self.height())
                painter.drawText(rect, int(Qt.TextFlag.TextWordWrap), self.note)
        painter.end()

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the plot itself."""
        raise NotImplementedError
