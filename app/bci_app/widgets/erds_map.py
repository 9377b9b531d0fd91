"""ERD and ERS: how power changes after the cue, by class, channel, frequency and time."""

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QImage, QPainter, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from bci.features.erds import Erds
from bci.features.outlines import outline
from bci.features.palette import words
from bci_app.theme import font, tokens
from bci_app.widgets.colour_maps import as_image
from bci_app.widgets.map_scale import paint_scale
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["ErdsMap"]

#: Maps beside each other, at most.
_COLUMNS = 4


class ErdsMap(Plot):
    """A row of maps for each class, a column for each channel."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(
            name,
            tr("ERD and ERS"),
            tr("How power changes after the cue will appear here: record a calibration run, or "
               "tick one."),
            tr("ERD: power falls after the cue (−); ERS: it rises (+), in percent of the power "
               "before the cue. Imagining a movement usually brings ERD at 8 to 30 Hz over the "
               "opposite hemisphere. Full colours, outlined: significant by bootstrap over trials; "
               "pale: may be chance."),
            parent,
        )  # fmt: skip
        self.setMinimumSize(360, 260)
        self._erds: Erds | None = None
        self._limit = 100.0
        self._images: dict[tuple[int, int], QImage] = {}
        self._lines: dict[tuple[int, int], list[QLineF]] = {}

    def show_erds(self, found: Erds | None, limit: float, note: str, why: str = "") -> None:
        """Show maps; None: say why there are none."""
        self._erds, self._limit, self.note = found, limit, note
        self.filled = found is not None
        if found is None:
            self.empty = why
        else:
            # Frequencies rise upwards, as the painter's axis does: the first row is the lowest.
            extent = (0.0, float(len(found.times_s)), float(len(found.freqs_hz)), 0.0)
            self._lines = {
                (k, channel): [
                    QLineF(a[0], a[1], b[0], b[1])
                    for a, b in outline(found.significant[k, channel], extent)
                ]
                for k in range(len(found.classes))
                for channel in range(len(found.channels))
            }
        self.restyled()
        self.update()

    def restyled(self) -> None:
        """Paint the images in the colours that hold now."""
        found = self._erds
        if found is not None:
            self._images = {
                (k, channel): as_image(
                    found.percent[k, channel],
                    -self._limit,
                    self._limit,
                    signed=True,
                    pale=~found.significant[k, channel],
                )
                for k in range(len(found.classes))
                for channel in range(len(found.channels))
            }

    @property
    def _shown(self) -> int:
        return min(len(self._erds.channels), _COLUMNS) if self._erds is not None else 0

    def panel(self, k: int, column: int) -> QRectF:
        """Return where the map of a class and a channel is."""
        metrics = QFontMetricsF(font("small"))
        left, right = metrics.height() + metrics.horizontalAdvance("30 Hz") + 12, 64.0
        whole = self.body.adjusted(left, metrics.height() + 4, -right, -2.2 * metrics.height())
        n_rows = len(self._erds.classes) if self._erds is not None else 1
        gap = 10.0
        width = (whole.width() - gap * (self._shown - 1)) / max(self._shown, 1)
        height = (whole.height() - gap * (n_rows - 1)) / n_rows
        return QRectF(
            whole.left() + column * (width + gap), whole.top() + k * (height + gap), width, height
        )

    def event(self, event: QEvent) -> bool:
        """Say the numbers under the pointer."""
        if event.type() == QEvent.Type.ToolTip and self._erds is not None:
            help_event = event if isinstance(event, QHelpEvent) else None
            text = self.text_at(QPointF(help_event.pos())) if help_event is not None else ""
            if text and help_event is not None:
                QToolTip.showText(help_event.globalPos(), text, self)
                return True
        return super().event(event)

    def text_at(self, at: QPointF) -> str:
        """Return the numbers of a place; empty beside the maps."""
        found = self._erds
        if found is None:
            return ""
        for k in range(len(found.classes)):
            for channel in range(self._shown):
                rect = self.panel(k, channel)
                if rect.contains(at):
                    n_freqs, n_times = len(found.freqs_hz), len(found.times_s)
                    column = min(int((at.x() - rect.left()) / rect.width() * n_times), n_times - 1)
                    row = min(int((rect.bottom() - at.y()) / rect.height() * n_freqs), n_freqs - 1)
                    return tr(
                        "{name}, {channel}, {freq:g} Hz, {time:+.1f} s: {percent:+.0f} % "
                        "(p {p:.2g})",
                        name=words(found.classes[k]),
                        channel=found.channels[channel],
                        freq=float(found.freqs_hz[row]),
                        time=float(found.times_s[column]),
                        percent=float(found.percent[k, channel, row, column]),
                        p=float(found.p[k, channel, row, column]),
                    )
        return ""

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint all maps on one scale."""
        found = self._erds
        if found is None:
            return
        metrics = QFontMetricsF(font("small"))
        for k in range(len(found.classes)):
            for channel in range(self._shown):
                self._paint_map(painter, found, k, channel)
        first, last = self.panel(0, self._shown - 1), self.panel(len(found.classes) - 1, 0)
        bar = QRectF(first.right() + 14, first.top(), 10, last.bottom() - first.top())
        paint_scale(painter, bar, -self._limit, self._limit, signed=True, decimals=0)
        painter.setPen(QColor(tokens().quiet))
        box = QRectF(bar.left() - 4, first.top() - metrics.height() - 4, 60, metrics.height())
        painter.drawText(box, 0, tr("change %"))

    def _paint_map(self, painter: QPainter, found: Erds, k: int, channel: int) -> None:
        theme, metrics = tokens(), QFontMetricsF(font("small"))
        panel = self.panel(k, channel)
        painter.fillRect(panel, QColor(theme.panel))
        painter.drawImage(panel, self._images[k, channel])
        painter.save()
        painter.translate(panel.bottomLeft())
        painter.scale(panel.width() / len(found.times_s), -panel.height() / len(found.freqs_hz))
        pen = QPen(QColor(theme.text), 1.2)
        pen.setCosmetic(True)
        painter.setPen(pen)
        if self._lines[k, channel]:
            painter.drawLines(self._lines[k, channel])
        painter.restore()
        start, stop = float(found.times_s[0]), float(found.times_s[-1])
        step_s = float(found.times_s[1] - found.times_s[0])
        span = stop - start + step_s

        def x_of(time_s: float) -> float:
            return panel.left() + panel.width() * (time_s - start + step_s / 2) / span

        painter.setPen(QPen(QColor(theme.text), 1.4))
        painter.drawLine(QPointF(x_of(0.0), panel.top()), QPointF(x_of(0.0), panel.bottom()))
        low, high = found.settings.baseline_s
        painter.fillRect(
            QRectF(x_of(low), panel.bottom() - 3, x_of(high) - x_of(low), 3), QColor(theme.quiet)
        )
        painter.setPen(QColor(theme.line))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(panel)
        painter.setFont(font("small", bold=True))
        painter.setPen(QColor(theme.text))
        if k == 0:
            box = QRectF(panel.left(), panel.top() - metrics.height() - 3, panel.width(),
                         metrics.height())  # fmt: skip
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, found.channels[channel])
        if channel == 0:
            painter.save()
            painter.translate(0, panel.center().y())
            painter.rotate(-90)
            box = QRectF(-panel.height() / 2, 0, panel.height(), metrics.height())
            text = tr("{name} ({n})", name=words(found.classes[k]), n=found.n_trials[k])
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, text)
            painter.restore()
        painter.setFont(font("small"))
        painter.setPen(QColor(theme.quiet))
        if channel == 0:
            n = len(found.freqs_hz)
            for row, freq_hz in enumerate(found.freqs_hz):
                if abs(freq_hz / 10 - round(freq_hz / 10)) < 1e-6:
                    y = panel.bottom() - panel.height() * (row + 0.5) / n
                    box = QRectF(metrics.height(), y - metrics.height() / 2,
                                 panel.left() - metrics.height() - 4, metrics.height())  # fmt: skip
                    flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    painter.drawText(box, flags, tr("{freq:g} Hz", freq=float(freq_hz)))
        if k == len(found.classes) - 1:
            for tick in range(int(start), int(stop) + 1):
                box = QRectF(x_of(tick) - 15, panel.bottom() + 2, 30, metrics.height())
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, f"{tick}")
            box = QRectF(panel.left(), panel.bottom() + 2 + metrics.height(), panel.width(),
                         metrics.height())  # fmt: skip
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, tr("time from the cue (s)"))
