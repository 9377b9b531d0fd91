"""The probability of each class now, with the threshold, dwell and refractory time."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QWidget

from bci.config import OnlineSettings
from bci.experiment.feedback import NO_RUN, Feedback
from bci_app.theme import STEP_PX, class_colour, font, tabular, tokens
from bci_app.widgets.plot import Plot
from bci_app.widgets.reasons import reason_text
from bci_app.words import tr

__all__ = ["DecisionBars"]

_LABEL_PX, _NUMBER_PX, _MOST_PX = 92, 56, 30


class DecisionBars(Plot):
    """A bar for each class, its probability, and where it is decided."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "online.bars",
            tr("Decision"),
            tr("The probability of each class appears here, ten times a second, while an online "
               "run goes on."),
            tr("How probable the decoder holds each class, smoothed over the last windows. A class "
               "is decided when its probability has been above the dashed line (threshold) for the "
               "dwell time, and no other was decided within the refractory time."),
            parent,
        )  # fmt: skip
        self._feedback = Feedback()
        self._settings = OnlineSettings()
        self.setMinimumHeight(132)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for a few classes."""
        return QSize(360, 140)

    @property
    def text(self) -> str:
        """What it says in a line beneath the bars."""
        feedback = self._feedback
        if feedback.withheld:
            return tr("withheld: {reason}", reason=reason_text(feedback.withheld))
        decision = feedback.decision
        if decision is None:
            return ""
        if decision.label is not None:
            return tr("decided: {name}", name=decision.label.replace("_", " "))
        return reason_text(decision.reason)

    def show_feedback(self, feedback: Feedback, settings: OnlineSettings) -> None:
        """Show what feedback may show now, and by which rule it is decided."""
        if (feedback, settings) == (self._feedback, self._settings):
            return
        self._feedback, self._settings = feedback, settings
        self.filled = feedback.withheld != NO_RUN
        self.setAccessibleDescription(self.text)
        self.update()

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the bars."""
        theme, feedback, metrics = tokens(), self._feedback, painter.fontMetrics()
        foot = 2 * metrics.height() + STEP_PX
        n = max(1, len(feedback.classes))
        row = min((rect.height() - foot) / n, _MOST_PX + STEP_PX)
        left, width = rect.left() + _LABEL_PX, rect.width() - _LABEL_PX - _NUMBER_PX
        threshold = left + width * self._settings.threshold
        for k, name in enumerate(feedback.classes):
            p = None if feedback.evidence is None else feedback.evidence[k]
            top, tall = rect.top() + k * row + STEP_PX / 2, row - STEP_PX
            track = QRectF(left, top, width, tall)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(track, 3, 3)
            decided = feedback.decided == name
            if p is not None:
                painter.setBrush(class_colour(name, feedback.classes))
                painter.drawRoundedRect(QRectF(left, top, max(2.0, width * p), tall), 3, 3)
            painter.setPen(QColor(theme.text if p is not None else theme.quiet))
            painter.setFont(font("body", bold=decided))
            label = ("✓ " if decided else "") + name.replace("_", " ")
            painter.drawText(
                QRectF(rect.left(), top, _LABEL_PX - STEP_PX, tall),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                label,
            )
            painter.setFont(tabular(font("body", bold=decided)))
            painter.drawText(
                QRectF(left + width, top, _NUMBER_PX, tall),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                "—" if p is None else f"{100 * p:.0f} %",
            )
        pen = QPen(QColor(theme.text), 1.5, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(QPointF(threshold, rect.top()), QPointF(threshold, rect.top() + n * row))
        self._paint_foot(painter, QRectF(rect.left(), rect.top() + n * row, rect.width(), foot))

    def _paint_foot(self, painter: QPainter, rect: QRectF) -> None:
        theme, settings = tokens(), self._settings
        rule = tr(
            "threshold {p:.0f} %, dwell {dwell:.1f} s, refractory {rest:.1f} s",
            p=100 * settings.threshold, dwell=settings.dwell_s, rest=settings.refractory_s,
        )  # fmt: skip
        painter.setFont(font("small"))
        metrics = painter.fontMetrics()
        painter.setPen(QColor(theme.caution if self._feedback.withheld else theme.text))
        room = round(rect.width())
        said = metrics.elidedText(self.text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(rect, Qt.AlignmentFlag.AlignTop, said)
        painter.setPen(QColor(theme.quiet))
        rule = metrics.elidedText(rule, Qt.TextElideMode.ElideRight, room)
        painter.drawText(rect.translated(0, metrics.height()), Qt.AlignmentFlag.AlignTop, rule)
