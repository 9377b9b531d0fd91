"""The trials of a run as marks, and what they come to: accuracy, its interval, chance."""

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from bci.experiment.online_account import OnlineAccount, TrialMark
from bci_app.theme import class_colour, font, tokens
from bci_app.widgets.reasons import reason_text
from bci_app.words import tr

__all__ = ["TrialMarks", "accuracy_text"]

_CELL_PX, _MOST_ROWS = 24, 2


def accuracy_text(account: OnlineAccount) -> str:
    """Return the running accuracy with its interval, and what chance alone reaches."""
    score, chance = account.accuracy, account.chance
    if score is None or chance is None:
        return tr("no trial yet")
    line = tr(
        "{mean:.0f} % of {n} trials right, 95 % interval {low:.0f} to {high:.0f} %",
        mean=100 * score.mean, n=account.n_scored, low=100 * score.low, high=100 * score.high,
    )  # fmt: skip
    if chance > 1:
        return line + tr("; too few to tell from chance")
    verdict = tr("above chance") if score.mean >= chance else tr("not above chance")
    return line + tr("; chance up to {p:.0f} %: {verdict}", p=100 * chance, verdict=verdict)


class TrialMarks(QWidget):
    """A mark for each trial: ✓ right, ✗ wrong, – not decoded, ↻ to be given again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("online.trials")
        self.setAccessibleName(tr("Trials"))
        self.setToolTip("")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._account = OnlineAccount()
        self._cued = True

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for two rows."""
        return QSize(400, _MOST_ROWS * _CELL_PX)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the same height."""
        return QSize(200, _MOST_ROWS * _CELL_PX)

    def show_account(self, account: OnlineAccount, *, cued: bool = True) -> None:
        """Show the trials so far; a free run has none."""
        if account.trials == self._account.trials and cued == self._cued:
            return
        self._account, self._cued = account, cued
        self.setAccessibleDescription(accuracy_text(account))
        self.update()

    def text(self) -> str:
        """Return the marks, oldest first."""
        return "".join(_sign(mark) for mark in self._account.trials)

    def _cells(self) -> list[tuple[QRectF, TrialMark]]:
        """Return where each mark is: the newest that there is room for."""
        per_row = max(1, int(self.width() // _CELL_PX))
        marks = self._account.trials[-_MOST_ROWS * per_row :]
        return [
            (QRectF(k % per_row * _CELL_PX, k // per_row * _CELL_PX, _CELL_PX, _CELL_PX), mark)
            for k, mark in enumerate(marks)
        ]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the marks."""
        theme, painter = tokens(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._account.trials:
            painter.setPen(QColor(theme.quiet))
            flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(QRectF(self.rect()), int(flags), _empty(cued=self._cued))
        classes = tuple(sorted({mark.cue for mark in self._account.trials}))
        for cell, mark in self._cells():
            inner = cell.adjusted(2, 2, -2, -2)
            colour = theme.good if mark.correct else theme.trouble
            if mark.rejected or mark.decoded is None:
                colour = theme.quiet
            painter.setPen(QColor(colour))
            painter.setFont(font("body", bold=True))
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, _sign(mark))
            painter.setPen(QPen(class_colour(mark.cue, classes), 3))
            painter.drawLine(inner.bottomLeft(), inner.bottomRight())
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Say what a mark stands for, where the mouse rests."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            for k, (cell, mark) in enumerate(self._cells()):
                if cell.contains(event.pos()):
                    first = len(self._account.trials) - len(self._cells())
                    QToolTip.showText(event.globalPos(), _said(first + k, mark), self)
                    return True
            QToolTip.showText(event.globalPos(), _about(), self)
            return True
        return super().event(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Paint anew in the colours that hold now."""
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)


def _empty(*, cued: bool) -> str:
    if cued:
        return tr("Each trial appears here: ✓ when the cued class was decoded, ✗ when not.")
    return tr(
        "A free run has no trials. Say when the person rests: commands then are false alarms."
    )


def _sign(mark: TrialMark) -> str:
    if mark.rejected:
        return "↻"
    if mark.decoded is None:
        return "–"
    return "✓" if mark.correct else "✗"


def _said(number: int, mark: TrialMark) -> str:
    cue = mark.cue.replace("_", " ")
    if mark.rejected:
        return tr("trial {n}, {cue}: given again", n=number + 1, cue=cue)
    if mark.decoded is None:
        reasons = ", ".join(reason_text(reason) for reason in mark.reasons)
        return tr("trial {n}, {cue}: not decoded ({why})", n=number + 1, cue=cue, why=reasons)
    decoded = mark.decoded.replace("_", " ")
    return tr("trial {n}: cued {cue}, decoded {decoded}", n=number + 1, cue=cue, decoded=decoded)


def _about() -> str:
    return tr(
        "A trial is right when the class that is most probable over its windows is the one that "
        "was cued. The line below a mark is the colour of the cue. The interval says what so few "
        "trials leave open (Wilson, 95 %); chance is what guessing reaches in one run of twenty."
    )
