"""Analyses that are kept: keep this one under a name, choose one to put beside it."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from bci.experiment.analysis_tasks import Beside
from bci.features.library import Entry
from bci_app.theme import STEP_PX
from bci_app.words import tr

__all__ = ["AnalysisShelf", "difference_text"]


class AnalysisShelf(QWidget):
    """One row: keep as, beside."""

    keep_asked = Signal(str)
    #: Folder (Path) of a kept analysis; None: none.
    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP_PX)
        self.name = QLineEdit()
        self.name.setObjectName("features.keep_name")
        self.name.setAccessibleName(tr("Name to keep this analysis under"))
        self.name.setPlaceholderText(tr("name, such as laplacian"))
        self.name.setMaximumWidth(190)
        self.keep = QPushButton(tr("Keep"))
        self.keep.setObjectName("features.keep")
        self.keep.setToolTip(
            tr("Keep this analysis in the workspace, with its parameters and numbers")
        )
        self.box = QComboBox()
        self.box.setObjectName("features.kept")
        self.box.setAccessibleName(tr("Analysis to put beside this one"))
        self.box.setMinimumContentsLength(24)
        label = QLabel(tr("Beside"))
        label.setBuddy(self.box)
        row.addWidget(self.name)
        row.addWidget(self.keep)
        row.addSpacing(2 * STEP_PX)
        row.addWidget(label)
        row.addWidget(self.box, 1)
        self.keep.clicked.connect(self._keep)
        self.name.returnPressed.connect(self._keep)
        self.box.activated.connect(lambda _: self.chosen.emit(self.box.currentData()))
        self.show_kept((), None)

    def show_kept(self, entries: Sequence[Entry], chosen: object) -> None:
        """Show what is kept, the newest first."""
        with QSignalBlocker(self.box):
            self.box.clear()
            self.box.addItem(tr("none") if entries else tr("none is kept yet"), None)
            for entry in reversed(entries):
                n = sum(entry.n_trials.values())
                made = entry.created[:16].replace("T", " ")
                text = tr("{name}  ({made}, {n} trials)", name=entry.name, made=made, n=n)
                self.box.addItem(text, entry.path)
                if entry.path == chosen:
                    self.box.setCurrentIndex(self.box.count() - 1)

    def _keep(self) -> None:
        self.keep_asked.emit(self.name.text().strip())


def difference_text(beside: Beside | None) -> str:
    """Say in what two analyses differ, and how alike their maps are."""
    if beside is None:
        return ""
    rows = "; ".join(
        f"{name}: {here} | {there}"
        for name, here, there in beside.differences
        if name != "features"
    )
    suggested = tr("It suggests {names}.", names=", ".join(beside.suggested) or tr("nothing"))
    alike = (
        tr("The maps of power correlate by {r:.2f} over {n} channels.",
           r=beside.correlation, n=beside.n_channels)
        if beside.correlation == beside.correlation
        else tr("The maps share too little to be compared.")
    )  # fmt: skip
    return f"{alike} {tr('Differs (this | beside)')}: {rows or tr('nothing')}. {suggested}"
