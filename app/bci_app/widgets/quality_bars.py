"""The quality of all electrodes as a row of bars: full is good, half deserves care, low is bad."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from bci.signal.quality_words import grade
from bci_app.theme import tokens
from bci_app.widgets.quality_marks import grade_colour
from bci_app.words import tr

__all__ = ["QualityBars"]

_HEIGHTS = {"good": 1.0, "care": 0.6, "bad": 0.3}
#: An electrode that nothing is known of, and the least width that a bar is seen at (px).
_UNKNOWN, _LEAST_PX = 0.12, 1.0


class QualityBars(QWidget):
    """A row of bars, one an electrode."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("quality.bars")
        self.setAccessibleName(tr("Quality of the electrodes"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(48, 12)
        self._words: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for a few dozen bars."""
        return QSize(130, 20)

    def set_qualities(self, words: Sequence[str], labels: Sequence[str] = ()) -> None:
        """Show the electrodes' words; the labels are said where the mouse rests."""
        if (tuple(words), tuple(labels)) == (self._words, self._labels):
            return
        self._words, self._labels = tuple(words), tuple(labels)
        counts = [sum(grade(w) == g for w in self._words) for g in ("good", "care", "bad")]
        self.setAccessibleDescription(
            tr("{good} good, {care} that deserve care, {bad} bad",
               good=counts[0], care=counts[1], bad=counts[2])
        )  # fmt: skip
        self.update()

    def event(self, event: QEvent) -> bool:
        """Say which are not good."""
        if event.type() == QEvent.Type.ToolTip and self._labels:
            QToolTip.showText(event.globalPos(), self.tip(), self)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def tip(self) -> str:
        """Return the electrodes that are not good, by word."""
        by_word: dict[str, list[str]] = {}
        for label, word in zip(self._labels, self._words, strict=False):
            if word and word != "good":
                by_word.setdefault(word, []).append(label)
        if not by_word:
            return tr("All electrodes are good.") if any(self._words) else tr("Not known yet.")
        return "<br>".join(f"<b>{word}</b>: {', '.join(by_word[word])}" for word in by_word)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the bars."""
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        height = max(8.0, min(20.0, self.height() - 8.0))
        bottom = (self.height() + height) / 2
        if not self._words:
            painter.setPen(tokens().line)
            painter.drawLine(0, int(bottom), self.width(), int(bottom))
            return
        pitch = min(8.0, self.width() / len(self._words))
        for k, word in enumerate(self._words):
            tall = height * _HEIGHTS.get(grade(word), _UNKNOWN)
            bar = QRectF(k * pitch, bottom - tall, max(_LEAST_PX, pitch - 1.0), tall)
            painter.fillRect(bar, grade_colour(grade(word)))
