"""A picture of one trial: what is shown when, and which part of it decoders see."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.config import EpochSettings
from bci.paradigm import GrazSettings
from bci_app.theme import STEP_PX, font, tabular, tokens
from bci_app.words import tr

__all__ = ["TrialTimeline"]

#: From seconds after the cue to pixels.
_Scale = Callable[[float], float]


class TrialTimeline(QWidget):
    """Paints fixation, cue, imagery and pause on an axis of seconds from the cue.

    Attributes
    ----------
    parts : tuple of (str, float, float)
        What is painted: name, from, to (s after the cue).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trialTimeline")
        self.setAccessibleName(tr("One trial"))
        self.setToolTip(
            tr(
                "About this: what the patient sees in one trial, in seconds from the cue. The "
                "hatched end of the pause is drawn anew in each trial, so that nobody learns the "
                "rhythm. The bracket below is the part that decoders learn from."
            )
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._protocol = GrazSettings()
        self._epochs = EpochSettings()
        self.parts: tuple[tuple[str, float, float], ...] = ()
        self.show_trial(self._protocol, self._epochs)

    def show_trial(self, protocol: GrazSettings, epochs: EpochSettings) -> None:
        """Show the trial of a protocol, and the span that decoders use."""
        self._protocol, self._epochs = protocol, epochs
        shortest, longest = protocol.pause_s
        end = protocol.imagery_s
        self.parts = (
            (tr("fixation"), -protocol.fixation_s, 0.0),
            (tr("cue"), 0.0, protocol.cue_s),
            (tr("imagery"), protocol.cue_s, end),
            (tr("pause"), end, end + shortest),
            (tr("drawn"), end + shortest, end + longest),
        )
        self.setAccessibleDescription(
            ", ".join(f"{name} {start:g} to {stop:g} s" for name, start, stop in self.parts)
        )
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a strip."""
        line = self.fontMetrics().height()
        return QSize(360, 3 * line + 28 + STEP_PX)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the smallest strip in which the words have room."""
        return QSize(240, self.sizeHint().height())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Paint anew in the colours that hold now."""
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the trial."""
        theme = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        small = font("small")
        painter.setFont(small)
        line = painter.fontMetrics().height()
        first, last = self.parts[0][1], self.parts[-1][2]
        left, width = 14.0, self.width() - 28.0
        scale = width / max(0.1, last - first)

        def x_of(seconds: float) -> float:
            return left + (seconds - first) * scale

        bar = QRectF(left, 2, width, line + 12)
        fills = (theme.raised, theme.accent, theme.accent, theme.panel, theme.panel)
        for (name, start, stop), fill in zip(self.parts, fills, strict=True):
            if stop <= start:
                continue
            part = QRectF(x_of(start), bar.top(), (stop - start) * scale, bar.height())
            colour = QColor(fill)
            if name == self.parts[2][0]:
                colour.setAlphaF(0.35)
            painter.setPen(QPen(QColor(theme.line), 1))
            painter.setBrush(colour)
            painter.drawRect(part)
            if name == self.parts[4][0]:
                painter.setBrush(Qt.BrushStyle.BDiagPattern)
                painter.drawRect(part)
                continue
            dark_on = name == self.parts[1][0]
            painter.setPen(QColor(theme.on_accent if dark_on else theme.text))
            if painter.fontMetrics().horizontalAdvance(name) < part.width() - 4:
                painter.drawText(part, Qt.AlignmentFlag.AlignCenter, name)
        self._axis(painter, bar, x_of, line)
        self._bracket(painter, bar.bottom() + line + 8, x_of)
        painter.end()

    def _axis(self, painter: QPainter, bar: QRectF, x_of: _Scale, line: float) -> None:
        theme = tokens()
        painter.setFont(tabular(font("small")))
        painter.setPen(QColor(theme.quiet))
        edges = sorted({start for _, start, _ in self.parts} | {self.parts[-1][2]})
        free = -1e9
        for edge in edges:
            text = f"{edge:g}" if edge != edges[-1] else tr("{n:g} s", n=edge)
            width = painter.fontMetrics().horizontalAdvance(text) + 6.0
            x = min(max(x_of(edge), width / 2), self.width() - width / 2)
            if x - width / 2 < free:
                continue
            free = x + width / 2
            place = QRectF(x - width / 2, bar.bottom() + 2, width, line)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _bracket(self, painter: QPainter, y: float, x_of: _Scale) -> None:
        """Paint the span that decoders use; in the colour of caution where it is no imagery."""
        theme = tokens()
        start, stop = self._epochs.window_s
        fits = stop <= self._protocol.imagery_s + 1e-9
        colour = QColor(theme.text if fits else theme.caution)
        painter.setPen(QPen(colour, 2))
        a, b = x_of(start), min(x_of(stop), self.width() - 4.0)
        painter.drawLine(QPointF(a, y), QPointF(b, y))
        painter.drawLine(QPointF(a, y), QPointF(a, y - 5))
        painter.drawLine(QPointF(b, y), QPointF(b, y - 5))
        painter.setFont(font("small"))
        text = tr("decoders learn from {a:g} to {b:g} s", a=start, b=stop)
        metrics = painter.fontMetrics()
        width = metrics.horizontalAdvance(text)
        at = min(max((a + b - width) / 2, 2.0), self.width() - width - 2.0)
        painter.drawText(QPointF(at, y + metrics.ascent() + 3), text)
