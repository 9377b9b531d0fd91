"""Who gives the cues of runs: this program, or another one whose markers are followed."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit, QWidget

from bci_app.theme import STEP_PX
from bci_app.words import tr

__all__ = ["CueSource"]


class CueSource(QWidget):
    """A tick, the other program's marker stream, and which of its markers is which class."""

    #: Name of the other program's stream; empty: this program gives the cues.
    stream_changed = Signal(str)
    #: As `bci.experiment.opening.set_cues` takes it.
    map_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tick = QCheckBox(tr("Cues come from another program"))
        self.tick.setObjectName("cuesOutside")
        self.tick.setAccessibleName(self.tick.text())
        self.tick.setToolTip(
            tr("A stimulus program shows the cues and sends LSL markers. Rolandic records and "
               "decodes; a run goes on until you stop it.")
        )  # fmt: skip
        self.stream = QComboBox()
        self.stream.setObjectName("cueStream")
        self.stream.setAccessibleName(tr("Stream of markers"))
        self.stream.setEditable(True)
        self.stream.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        line = self.stream.lineEdit()
        if line is not None:
            line.setPlaceholderText(tr("marker stream: start that program"))
        self.map = QLineEdit()
        self.map.setObjectName("cueMap")
        self.map.setAccessibleName(tr("Which markers are cues"))
        self.map.setPlaceholderText(tr("none: markers are named as classes"))
        self.map.setToolTip(tr("Which marker is which class, such as T1=left_hand, T2=right_hand"))
        self.problem = QLabel()
        self.problem.setObjectName("cueProblem")
        self.problem.setWordWrap(True)
        self.problem.setProperty("role", "trouble")
        self.problem.hide()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(STEP_PX, STEP_PX, STEP_PX, 0)
        self._form.setHorizontalSpacing(2 * STEP_PX)
        self._form.setVerticalSpacing(STEP_PX // 2 + 1)
        self._form.addRow(self.tick)
        self._form.addRow(tr("Markers of"), self.stream)
        self._form.addRow(tr("They mean"), self.map)
        self._form.addRow(self.problem)
        self._told = ""
        self.tick.toggled.connect(self._ticked)
        self.stream.activated.connect(lambda _: self._name())
        if line is not None:
            line.editingFinished.connect(self._name)
        self.map.editingFinished.connect(lambda: self.map_changed.emit(self.map.text()))
        self._show_rows()

    def show_settings(self, stream: str, event_map: Mapping[str, str]) -> None:
        """Show settings, without telling that they changed."""
        self._told = stream
        if stream or not self._waits:
            self.tick.blockSignals(True)
            self.tick.setChecked(bool(stream))
            self.tick.blockSignals(False)
        if stream:
            self.stream.setEditText(stream)
        if not self.map.hasFocus():
            self.map.setText(", ".join(f"{label}={name}" for label, name in event_map.items()))
        self._show_rows()

    def show_streams(self, names: Sequence[str]) -> None:
        """Offer marker streams that are on the network."""
        text = self.stream.currentText()
        there = [self.stream.itemText(k) for k in range(self.stream.count())]
        if there != list(names):
            self.stream.clear()
            self.stream.addItems(list(names))
            # Which of several it is, nobody but the clinician knows.
            self.stream.setEditText(text or (names[0] if len(names) == 1 else ""))
            if self._waits:
                self._name()

    def refuse(self, why: str) -> None:
        """Say why something was not taken; empty: it was."""
        self.problem.setText(why)
        self.problem.setVisible(bool(why))

    @property
    def _waits(self) -> bool:
        """Whether it is ticked, and no stream is known yet."""
        return self.tick.isChecked() and not self._told

    def _ticked(self, ticked: bool) -> None:
        self._show_rows()
        if ticked:
            self._name()
            self.stream.setFocus()
        else:
            self._tell("")

    def _name(self) -> None:
        if self.tick.isChecked():
            self._tell(self.stream.currentText().strip())

    def _tell(self, stream: str) -> None:
        if stream != self._told:
            self._told = stream
            self.stream_changed.emit(stream)

    def _show_rows(self) -> None:
        for widget in (self.stream, self.map):
            self._form.setRowVisible(widget, self.tick.isChecked())
