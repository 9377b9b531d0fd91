"""Runs and their trials, ticked in and out; rejected ones with their reasons."""

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from bci.experiment.trial_states import RunRow, TrialState
from bci.features.palette import words
from bci_app.theme import STEP_PX, class_colour, font, tokens
from bci_app.words import tr

__all__ = ["TrialTree"]

_FILE, _ONSET = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class TrialTree(QWidget):
    """The tree, and under it the count of each class."""

    #: File of a run, whether it is used.
    run_ticked = Signal(str, bool)
    #: File, onset of the cue (s), whether it is used.
    trial_ticked = Signal(str, float, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP_PX // 2)
        self._runs: tuple[RunRow, ...] = ()
        self.tree = QTreeWidget()
        self.tree.setObjectName("features.trials")
        self.tree.setAccessibleName(tr("Runs and trials"))
        self.tree.setToolTip(
            tr("Untick a run or a trial to leave it out of maps and training. ! stands out from "
               "the others; ✗ is rejected since it does; – cannot be used. Ctrl+Z takes a tick "
               "back.")
        )  # fmt: skip
        self.tree.setHeaderHidden(True)
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.tree.setColumnCount(2)
        self.tree.setUniformRowHeights(True)
        self.tree.setIndentation(2 * STEP_PX)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.header().setStretchLastSection(True)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.setFont(font("small"))
        self.tree.itemChanged.connect(self._ticked)
        self.count = QLabel(tr("Runs will appear here: record one in Calibrate."))
        self.count.setObjectName("features.count")
        self.count.setFont(font("small"))
        self.count.setProperty("role", "quiet")
        self.count.setWordWrap(True)
        head = QLabel(tr("Runs and trials"))
        head.setFont(font("body", bold=True))
        column.addWidget(head)
        column.addWidget(self.tree, 1)
        column.addWidget(self.count)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Show trials anew in the colours that hold now."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._runs:
            runs, self._runs = self._runs, ()
            self.show_runs(runs)

    def show_runs(self, runs: Sequence[RunRow]) -> None:
        """Show runs; what was folded open stays so."""
        if tuple(runs) == self._runs and self.tree.topLevelItemCount() == len(runs):
            return
        with QSignalBlocker(self.tree):
            if _same_places(self._runs, runs):
                self._refresh(runs)
            else:
                self._rebuild(runs)
        self._runs = tuple(runs)
        self.count.setText(_counted(runs))

    def _rebuild(self, runs: Sequence[RunRow]) -> None:
        tops = (self.tree.topLevelItem(at) for at in range(self.tree.topLevelItemCount()))
        opened = {top.data(0, _FILE) for top in tops if top is not None and top.isExpanded()}
        self.tree.clear()
        for run in runs:
            top = QTreeWidgetItem(self.tree)
            for _ in run.trials:
                QTreeWidgetItem(top)
            _show_run(top, run)
            top.setExpanded(run.file in opened)

    def _refresh(self, runs: Sequence[RunRow]) -> None:
        for at, run in enumerate(runs):
            top = self.tree.topLevelItem(at)
            if top is not None and (at >= len(self._runs) or run != self._runs[at]):
                _show_run(top, run)

    def _ticked(self, item: QTreeWidgetItem, column: int) -> None:
        if column != 0:
            return
        on = item.checkState(0) != Qt.CheckState.Unchecked
        file, onset_s = item.data(0, _FILE), item.data(0, _ONSET)
        if onset_s is None:
            self.run_ticked.emit(file, on)
        else:
            self.trial_ticked.emit(file, float(onset_s), on)


def _same_places(before: Sequence[RunRow], now: Sequence[RunRow]) -> bool:
    return [(run.file, len(run.trials)) for run in before] == [
        (run.file, len(run.trials)) for run in now
    ]


def _show_run(top: QTreeWidgetItem, run: RunRow) -> None:
    used = sum(trial.state == "used" for trial in run.trials)
    top.setText(0, run.name)
    top.setData(0, _FILE, run.file)
    top.setFirstColumnSpanned(not run.trials)
    top.setText(1, tr("{used} of {n}", used=used, n=len(run.trials)) if run.trials else "")
    top.setToolTip(0, run.name)
    top.setCheckState(0, Qt.CheckState.Checked if run.used else Qt.CheckState.Unchecked)
    for at, trial in enumerate(run.trials):
        item = top.child(at)
        if item is not None:
            _show_trial(item, run, trial)


def _show_trial(item: QTreeWidgetItem, run: RunRow, trial: TrialState) -> None:
    theme = tokens()
    signs = {"rejected": "✗ ", "unusable": "– ", "out": ""}
    sign = signs.get(trial.state, "! " if trial.reason else "")
    item.setData(0, _FILE, run.file)
    item.setData(0, _ONSET, trial.onset_s)
    item.setText(0, f"{trial.number}  {words(trial.class_name)}")
    item.setText(1, tr("out") if trial.state == "out" else sign + trial.reason)
    said = tr("trial {n}, {name}, cue at {time:.1f} s", n=trial.number,
              name=words(trial.class_name), time=trial.onset_s)  # fmt: skip
    tip = f"{said}: {trial.reason}" if trial.reason else said
    item.setToolTip(0, tip)
    item.setToolTip(1, tip)
    colour = class_colour(trial.class_name, (trial.class_name,))
    used = trial.state == "used"
    item.setData(0, Qt.ItemDataRole.DecorationRole, colour if used else QColor(theme.line))
    item.setForeground(0, QColor(theme.text if used else theme.quiet))
    item.setForeground(1, QColor(theme.caution if trial.reason and used else theme.quiet))
    item.setCheckState(
        0, Qt.CheckState.Checked if trial.state in ("used", "rejected") else Qt.CheckState.Unchecked
    )
    if trial.state == "unusable":
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)


def _counted(runs: Sequence[RunRow]) -> str:
    """Count by class what is used, and what is not and why."""
    if not runs:
        return tr("Runs will appear here: record one in Calibrate.")
    trials = [trial for run in runs if run.used for trial in run.trials]
    if not trials:
        return tr("No run is ticked.") if not any(run.used for run in runs) else ""
    lines = []
    for name in dict.fromkeys(trial.class_name for trial in trials):
        mine = [trial for trial in trials if trial.class_name == name]
        used = sum(trial.state == "used" for trial in mine)
        why = Counter(trial.reason.partition(":")[0] for trial in mine if trial.state != "used")
        out = ", ".join(f"{reason} {n}" for reason, n in why.most_common())
        stands = sum(trial.state == "used" and bool(trial.reason) for trial in mine)
        line = tr("{name}: {used} of {n} used", name=words(name), used=used, n=len(mine))
        if out:
            line += f" ({out})"
        if stands:
            line += tr("; {n} stand out", n=stands)
        lines.append(line)
    return "\n".join(lines)
