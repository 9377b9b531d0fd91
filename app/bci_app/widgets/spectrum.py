"""The spectrum of the channel that is pointed at, over the median of all channels."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.experiment.electrodes import LiveSpectra
from bci_app.theme import font, tabular, tokens
from bci_app.words import tr

__all__ = ["SpectrumView"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 10.0, 22.0, 48.0
#: The rhythms of the sensorimotor cortex (Hz).
_MU_HZ, _BETA_HZ = (8.0, 13.0), (13.0, 30.0)


class SpectrumView(QWidget):
    """Power by frequency; empty until it is given spectra."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("signals.spectrum")
        self.setAccessibleName(tr("Spectrum"))
        self.setToolTip(
            tr("Power by frequency over the newest seconds, without the display's filters. A hill "
               "between 8 and 13 Hz over the sensorimotor cortex is the mu rhythm that this "
               "program works with; a needle at the mains says: look at electrodes and cables. "
               "10 dB more is ten times the power.")
        )  # fmt: skip
        self.setMinimumSize(220, 150)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._spectra: LiveSpectra | None = None
        self._labels: tuple[str, ...] = ()
        self._used: list[int] = []
        self._channel = ""
        self._mains_hz = 50.0
        self._limits = (-20.0, 30.0)
        self._at_hz: float | None = None

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that it can be read at."""
        return QSize(300, 200)

    def set_spectra(
        self,
        spectra: LiveSpectra | None,
        labels: Sequence[str],
        bad: Sequence[str],
        mains_hz: float,
    ) -> None:
        """Show spectra; the median is over channels that are not marked bad."""
        self._spectra, self._labels, self._mains_hz = spectra, tuple(labels), mains_hz
        self._used = [k for k, name in enumerate(self._labels) if name not in bad]
        if spectra is not None and spectra.decibels.size:
            self._limits = spectra.limits
        self.update()

    def set_channel(self, label: str) -> None:
        """Show this channel over the median; empty: the median alone."""
        if label != self._channel:
            self._channel = label
            self.update()

    @property
    def channel(self) -> str:
        """The channel that is shown; empty: the median alone."""
        return self._channel if self._channel in self._labels else ""

    def caption(self) -> str:
        """Return filter, reference and what was averaged."""
        if self._spectra is None:
            return ""
        return tr("dB of 1 µV²/Hz; unfiltered, reference as recorded;\nHann {window:g} s, mean of "
                  "{seconds:.0f} s", window=self._spectra.segment_s,
                  seconds=self._spectra.seconds)  # fmt: skip

    def _room(self) -> QRectF:
        return QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)

    def _point(self, hz: float, decibel: float) -> QPointF:
        room, spectra = self._room(), self._spectra
        if spectra is None:
            return QPointF()
        first, last = float(spectra.freqs_hz[0]), float(spectra.freqs_hz[-1])
        low, high = self._limits
        return QPointF(
            room.left() + room.width() * (hz - first) / (last - first),
            room.bottom() - room.height() * (min(max(decibel, low), high) - low) / (high - low),
        )

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint axes and lines."""
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = tokens()
        painter.setFont(tabular(font("small")))
        metrics = QFontMetricsF(painter.font())
        spectra = self._spectra
        if spectra is None or not self._labels:
            painter.setPen(QColor(theme.quiet))
            painter.drawText(
                QRectF(self.rect()).adjusted(16, 16, -16, -16),
                int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap),
                tr("The spectrum appears after two seconds of signal."),
            )
            return
        self._paint_axes(painter, metrics, spectra)
        used = self._used or list(range(len(self._labels)))
        median = spectra.median_of(used)
        channel = self.channel
        self._paint_line(painter, spectra, median, theme.quiet if channel else theme.text, 1.6)
        if channel:
            line = spectra.decibels[self._labels.index(channel)]
            self._paint_line(painter, spectra, line, theme.accent, 2.0)
        self._paint_title(painter, metrics, spectra, median)
        painter.setPen(QColor(theme.quiet))
        small = font("small")
        small.setPointSizeF(small.pointSizeF() * 0.92)
        painter.setFont(small)
        painter.drawText(
            QRectF(6, self.height() - 2 * metrics.height(), self.width() - 8, 2 * metrics.height()),
            int(Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft),
            self.caption(),
        )

    def _paint_title(
        self, painter: QPainter, metrics: QFontMetricsF, spectra: LiveSpectra, median: Any
    ) -> None:
        theme, channel = tokens(), self.channel
        y = metrics.ascent() + 3
        x = _LEFT
        if channel:
            painter.setPen(QColor(theme.accent))
            painter.drawText(QPointF(x, y), channel)
            x += metrics.horizontalAdvance(channel + "  ")
        painter.setPen(QColor(theme.quiet if channel else theme.text))
        painter.drawText(QPointF(x, y), tr("median of {n} channels", n=len(self._used)))
        if self._at_hz is not None:
            k = spectra.nearest(self._at_hz)
            line = spectra.decibels[self._labels.index(channel)] if channel else median
            text = f"{spectra.freqs_hz[k]:g} Hz: {line[k]:.0f} dB"
            painter.setPen(QColor(theme.text))
            painter.drawText(
                QPointF(self.width() - _RIGHT - metrics.horizontalAdvance(text), y), text
            )
            painter.drawEllipse(self._point(float(spectra.freqs_hz[k]), float(line[k])), 3, 3)

    def _paint_axes(self, painter: QPainter, metrics: QFontMetricsF, spectra: LiveSpectra) -> None:
        theme, room = tokens(), self._room()
        last = float(spectra.freqs_hz[-1])
        for name, (low, high), alpha in (("µ", _MU_HZ, 0.16), ("β", _BETA_HZ, 0.08)):
            left, right = self._point(low, 0).x(), self._point(min(high, last), 0).x()
            band = QColor(theme.accent)
            band.setAlphaF(alpha)
            painter.fillRect(QRectF(left, room.top(), right - left, room.height()), band)
            painter.setPen(QColor(theme.quiet))
            painter.drawText(QPointF((left + right) / 2 - 3, room.top() + metrics.ascent()), name)
        low_db, high_db = self._limits
        step = 10.0 if high_db - low_db <= 50 else 20.0
        decibel = low_db
        while decibel <= high_db + 1e-9:
            y = self._point(1.0, decibel).y()
            painter.setPen(QPen(QColor(theme.line), 1.0))
            painter.drawLine(QPointF(room.left(), y), QPointF(room.right(), y))
            painter.setPen(QColor(theme.quiet))
            text = f"{decibel:.0f}".replace("-", "−")
            painter.drawText(
                QPointF(room.left() - 5 - metrics.horizontalAdvance(text), y + metrics.ascent() / 2
                        - 1), text)  # fmt: skip
            decibel += step
        for hz in range(10, int(last) + 1, 10):
            text = f"{hz} Hz" if hz + 10 > last else str(hz)
            wide = metrics.horizontalAdvance(text)
            x = min(self._point(hz, 0).x() - wide / 2, self.width() - wide - 1)
            painter.drawText(QPointF(x, room.bottom() + metrics.ascent() + 2), text)
        painter.drawText(QPointF(8, _TOP - 6), "dB")
        if self._mains_hz < last:
            x = self._point(self._mains_hz, 0).x()
            painter.setPen(QPen(QColor(theme.caution), 1.0, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom()))
            painter.setPen(QColor(theme.caution))
            painter.drawText(QPointF(x - 2 - metrics.horizontalAdvance(tr("mains")),
                                     room.top() + metrics.ascent()), tr("mains"))  # fmt: skip

    def _paint_line(
        self, painter: QPainter, spectra: LiveSpectra, decibels: Any, colour: str, width: float
    ) -> None:
        painter.setPen(QPen(QColor(colour), width))
        points = [
            self._point(float(hz), float(decibel))
            for hz, decibel in zip(spectra.freqs_hz, decibels, strict=True)
        ]
        painter.drawPolyline(QPolygonF(points))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Read the line at the mouse."""
        room, spectra = self._room(), self._spectra
        if spectra is None or not room.left() <= event.position().x() <= room.right():
            self._at_hz = None
        else:
            first, last = float(spectra.freqs_hz[0]), float(spectra.freqs_hz[-1])
            share = (event.position().x() - room.left()) / room.width()
            self._at_hz = first + share * (last - first)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Read nothing any more."""
        super().leaveEvent(event)
        self._at_hz = None
        self.update()
