"""The history of a session's attempts: none is ever deleted."""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from bci.evaluation.metrics import Score
from bci.experiment.attempts import Attempt
from bci.features.palette import counted
from bci_app.theme import font, tabular
from bci_app.words import tr

__all__ = ["AttemptTable", "params_words", "test_words"]

_FILE = int(Qt.ItemDataRole.UserRole)


def params_words(attempt: Attempt) -> str:
    """Return the parameters of an attempt, with those of the signal that it was trained on."""
    parts = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
             for name, value in attempt.params.items()]  # fmt: skip
    if attempt.band_hz is not None:
        low, high = attempt.band_hz
        parts.append(tr("{low:g}–{high:g} Hz", low=low, high=high))
    window = attempt.epochs.get("window_s")
    if window:
        parts.append(tr("{start:g}–{stop:g} s", start=window[0], stop=window[1]))
    return ", ".join(parts)


def test_words(protocol: str) -> str:
    """Return how an attempt was tested, in a few words."""
    if protocol == "leave-one-run-out":
        return tr("run by run")
    return tr("shuffled, {rest}", rest=protocol.partition(", ")[2]) if protocol else "–"


# Pytest takes functions called so for tests.
test_words.__test__ = False  # type: ignore[attr-defined]


class AttemptTable(QTableWidget):
    """One line an attempt, the newest first; one or several can be marked."""

    #: File of the attempt that was marked last.
    marked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 8, parent)
        self.setHorizontalHeaderLabels(
            [
                tr("No."),
                tr("Decoder"),
                tr("Accuracy [95 %]"),
                tr("Chance"),
                tr("ROC-AUC"),
                tr("Tested"),
                tr("When"),
                tr("Parameters"),
            ]
        )
        self.setObjectName("attempts")
        self.setAccessibleName(tr("All attempts of this session"))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAlternatingRowColors(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().setVisible(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.itemSelectionChanged.connect(self._marked)

    def show_attempts(self, attempts: Sequence[Attempt], in_use: str) -> None:
        """Show attempts; `in_use` is the file of the one that decodes online."""
        marked = self.files
        self.blockSignals(True)
        self.clearSelection()
        self.setRowCount(len(attempts))
        for row, attempt in enumerate(reversed(attempts)):
            used = attempt.file == in_use
            texts = [
                attempt.number + (" ▶" if used else ""),
                attempt.decoder + (tr(" (in use)") if used else ""),
                _percent(attempt.accuracy),
                "–" if attempt.chance_95 is None else f"{100 * attempt.chance_95:.0f} %",
                "–" if attempt.roc_auc is None else f"{attempt.roc_auc.mean:.2f}",
                test_words(attempt.protocol),
                _when(attempt.created),
                params_words(attempt),
            ]
            tip = "\n".join(
                [
                    f"{attempt.file}: {params_words(attempt)}",
                    tr(
                        "trained on {names}: {n}; {left} left out",
                        names=", ".join(attempt.recordings) or "–",
                        n=counted(tuple(attempt.n_trials), tuple(attempt.n_trials.values())),
                        left=len(attempt.left_out),
                    ),
                    *attempt.remarks,
                ]
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setData(_FILE, attempt.file)
                item.setToolTip(tip)
                item.setFont(tabular(font("small", bold=used)))
                self.setItem(row, column, item)
            self.setRowHeight(row, self.fontMetrics().height() + 8)
        self.blockSignals(False)
        self.mark(marked)

    @property
    def files(self) -> tuple[str, ...]:
        """Of the attempts that are marked."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return tuple(self._file(row) for row in rows)

    def mark(self, files: Sequence[str]) -> None:
        """Mark attempts, without saying so."""
        self.blockSignals(True)
        self.clearSelection()
        mode = self.selectionMode()
        self.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        for row in range(self.rowCount()):
            if self._file(row) in files:
                self.selectRow(row)
        self.setSelectionMode(mode)
        self.blockSignals(False)
        self.viewport().update()

    def _file(self, row: int) -> str:
        item = self.item(row, 0)
        return str(item.data(_FILE)) if item is not None else ""

    def _marked(self) -> None:
        row = self.currentRow()
        if row >= 0 and self.selectedIndexes():
            self.marked.emit(self._file(row))


def _percent(score: Score | None) -> str:
    if score is None:
        return "–"
    return f"{100 * score.mean:.0f} % [{100 * score.low:.0f}–{100 * score.high:.0f}]"


def _when(created: str) -> str:
    try:
        return f"{datetime.fromisoformat(created).astimezone():%H:%M:%S}"
    except ValueError:
        return created
