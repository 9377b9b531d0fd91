"""How accurate a decoder would be so far: a number with its interval, a curve, a plain answer."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from bci.experiment.calibration_score import CalibrationScore, ScorePoint
from bci.features.palette import words
from bci_app.theme import STEP_PX, font, tabular, tokens
from bci_app.widgets.plot import Plot
from bci_app.words import tr

__all__ = ["ScoreCurve", "ScoreSoFar"]


class ScoreSoFar(QWidget):
    """Shows a `CalibrationScore`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scoreSoFar")
        self._number = _label("scoreNumber", tabular(font("title", bold=True)))
        self._interval = _label("scoreInterval", tabular(font()), quiet=True)
        self._answer = _label("scoreAnswer", font("body", bold=True))
        self._answer.setToolTip(
            tr(
                "About this: the question is settled when the whole 95 % interval lies above the "
                "chance level of as many trials. How many more trials that takes is computed from "
                "the interval: the smallest number for which it would, if the accuracy stayed as "
                "it is. Accuracy moves while there are few trials, so this number moves, too. "
                "Once settled, training on fewer of the trials tells whether more of them help. "
                "Who stops at the luckiest moment sees an accuracy that is a little too good."
            )
        )
        self._left_out = _label("scoreLeftOut", font("small"), quiet=True)
        self._left_out.setToolTip(
            tr(
                "About this: trials that no decoder learns from, and why: rejected by you, hit by "
                "a gap in the signal, cut short. A rejected trial comes again at the end of its "
                "run."
            )
        )
        self.curve = ScoreCurve()
        self._working = _label("scoreWorking", font("small"), quiet=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(STEP_PX, STEP_PX, STEP_PX, STEP_PX)
        column.setSpacing(STEP_PX // 2)
        for widget in (self._number, self._interval, self._answer):
            column.addWidget(widget)
        column.addWidget(self.curve, 1)
        column.addWidget(self._left_out)
        column.addWidget(self._working)
        self.show_score(None)

    def show_score(self, score: CalibrationScore | None) -> None:
        """Show a score; None: say what will appear here."""
        accuracy = score.accuracy if score is not None else None
        self._number.setText(tr("Accuracy so far") if accuracy is None else _percent(accuracy.mean))
        if score is None:
            self._interval.setText("")
            self._say(
                tr(
                    "After every trial a decoder is trained and tested here: its accuracy, what "
                    "chance alone would reach, and whether the trials are enough."
                ),
                "quiet",
            )
        elif accuracy is None:
            counts = zip(score.n_per_class, score.classes, strict=False)
            self._interval.setText(", ".join(f"{n} {words(name)}" for n, name in counts))
            self._say(score.problem or _answer(score), "caution" if score.problem else "quiet")
        else:
            self._interval.setText(
                tr(
                    "{low:.0f} to {high:.0f} % (95 % interval) with {n} trials; chance level "
                    "{chance:.0f} %",
                    low=100 * accuracy.low,
                    high=100 * accuracy.high,
                    n=score.n_trials,
                    chance=100 * score.chance_95,
                )
            )
            self._say(_answer(score), "good" if score.enough else "")
        self._interval.setVisible(bool(self._interval.text()))
        self._show_left_out(score)
        self.curve.show_score(score)

    def show_working(self, working: bool, problem: str = "") -> None:
        """Say whether a newer score is on its way, or why there is none."""
        text = tr("A newer score is being worked out.") if working else problem
        self._working.setText(text)
        self._working.setProperty("role", "caution" if problem and not working else "quiet")
        _polish(self._working)

    @property
    def answer(self) -> str:
        """The plain answer, as it is shown."""
        return self._answer.text()

    @property
    def number(self) -> str:
        """The accuracy, as it is shown."""
        return self._number.text()

    @property
    def left_out(self) -> str:
        """The trials that are left out, as they are shown."""
        return self._left_out.text()

    def _say(self, text: str, role: str) -> None:
        self._answer.setText(text)
        self._answer.setProperty("role", role)
        self._answer.setFont(font("body", bold=role != "quiet"))
        _polish(self._answer)

    def _show_left_out(self, score: CalibrationScore | None) -> None:
        left_out = score.left_out if score is not None else ()
        reasons = ", ".join(f"{n} {why}" for why, n in left_out)
        text = tr("Trials not used: {reasons}.", reasons=reasons) if reasons else ""
        self._left_out.setText(text)
        self._left_out.setVisible(bool(text))


class ScoreCurve(Plot):
    """The score after each number of trials, with its interval and the chance level."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "scoreCurve",
            "",
            tr("The curve over trials begins with the first score."),
            tr(
                "About this: accuracy on trials that the decoder has not seen (five folds), after "
                "as many trials as the axis says. The band is the 95 % interval, the dashed line "
                "the smallest accuracy that chance reaches in fewer than one of twenty cases: it "
                "falls as trials come in."
            ),
            parent,
        )
        self.setMinimumHeight(140)
        self._points: tuple[ScorePoint, ...] = ()

    def show_score(self, score: CalibrationScore | None) -> None:
        """Show the curve of a score."""
        self._points = score.points if score is not None else ()
        self.filled = bool(self._points)
        if score is not None:
            self.note = tr(
                "{decoder}, five folds; {reference}",
                decoder=score.decoder,
                reference=score.reference,
            )
        self.update()

    def paint_body(self, painter: QPainter, rect: QRectF) -> None:
        """Paint band, chance level and line."""
        theme = tokens()
        metrics = painter.fontMetrics()
        line = metrics.height()
        left = metrics.horizontalAdvance("100 %") + 8.0
        plot = rect.adjusted(left, 1.6 * line, -10, -2 * line - 6)
        most = max(point.n_trials for point in self._points)
        lowest = min(min(p.low, p.chance_95) for p in self._points)
        bottom = max(0.0, int(lowest * 5 - 1e-9) / 5)

        def at(n: float, value: float) -> QPointF:
            share = (min(value, 1.0) - bottom) / (1.0 - bottom)
            return QPointF(
                plot.left() + plot.width() * n / most, plot.bottom() - plot.height() * share
            )

        painter.setFont(tabular(font("small")))
        step = 0.2 if plot.height() > 4 * line or bottom > 0.5 else 0.5
        for k in range(round(bottom / step), round(1 / step) + 1):
            y = at(0, k * step).y()
            painter.setPen(QPen(QColor(theme.line), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(QColor(theme.quiet))
            place = QRectF(rect.left(), y - line / 2, left - 6, line)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(place, right, _percent(k * step))
        self._trials(painter, plot, most, line)
        band = [at(p.n_trials, p.high) for p in self._points]
        band += [at(p.n_trials, p.low) for p in reversed(self._points)]
        shade = QColor(theme.accent)
        shade.setAlphaF(0.22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawPolygon(QPolygonF(band))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        chance = [at(p.n_trials, p.chance_95) for p in self._points]  # above 1: at the top
        painter.setPen(QPen(QColor(theme.caution), 2, Qt.PenStyle.DashLine))
        painter.drawPolyline(
            QPolygonF([QPointF(plot.left(), chance[0].y()), *chance][-len(chance) :])
        )
        middle = [at(p.n_trials, p.accuracy) for p in self._points]
        painter.setPen(QPen(QColor(theme.accent), 2))
        painter.drawPolyline(QPolygonF(middle))
        painter.setBrush(QColor(theme.accent))
        for centre, point in zip(middle, self._points, strict=True):
            painter.drawEllipse(centre, 3.0, 3.0)
            if point is self._points[-1]:
                painter.drawLine(at(point.n_trials, point.low), at(point.n_trials, point.high))

        self._legend(painter, rect, line)

    def _legend(self, painter: QPainter, rect: QRectF, line: float) -> None:
        """Name line, band and chance level above the plot."""
        theme = tokens()
        shade = QColor(theme.accent)
        shade.setAlphaF(0.22)
        metrics, x, y = painter.fontMetrics(), rect.left() + 4.0, rect.top() + line / 2
        for name, pen in (
            (tr("accuracy"), QPen(QColor(theme.accent), 2)),
            (tr("95 % interval"), QPen(shade, 10, c=Qt.PenCapStyle.FlatCap)),
            (tr("chance level"), QPen(QColor(theme.caution), 2, Qt.PenStyle.DashLine)),
        ):
            painter.setPen(pen)
            painter.drawLine(QPointF(x, y), QPointF(x + 18, y))
            painter.setPen(QColor(theme.text))
            painter.drawText(QPointF(x + 23, y + metrics.ascent() / 2 - 1), name)
            x += 23 + metrics.horizontalAdvance(name) + 2 * STEP_PX

    def _trials(self, painter: QPainter, plot: QRectF, most: int, line: float) -> None:
        """Write the numbers of trials below the axis."""
        each = next((n for n in (2, 4, 5, 10, 20, 50, 100, 200) if most / n <= 8), 500)
        for n in range(0, most + 1, each):
            x = plot.left() + plot.width() * n / most
            place = QRectF(x - 20, plot.bottom() + 2, 40, line)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(n))
        below = QRectF(plot.left(), plot.bottom() + line + 2, plot.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, tr("trials so far"))


def _answer(score: CalibrationScore) -> str:
    sentence, values = score.answer
    return tr(sentence, **values)


def _percent(share: float) -> str:
    return tr("{n:.0f} %", n=100 * share)


def _label(name: str, made: QFont, *, quiet: bool = False) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setFont(made)
    if quiet:
        label.setProperty("role", "quiet")
    return label


def _polish(label: QLabel) -> None:
    """Let the style sheet see a role that has changed."""
    label.style().unpolish(label)
    label.style().polish(label)
