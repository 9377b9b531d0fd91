"""The features that are chosen, as chips; typing, suggestion, undo."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from bci.features.analysis import Described
from bci.features.grammar import Feature
from bci_app.theme import STEP_PX, font, tokens
from bci_app.widgets.flow import FlowLayout
from bci_app.words import tr

__all__ = ["FeatureChips", "chip_text"]

#: Height of a chip: two rows of them are seen.
_CHIP_PX = 28


def chip_text(feature: Feature) -> str:
    """Return a feature as a chip says it.

    >>> chip_text(Feature("psd", "C4", 10.0, 13.0))
    'C4 10-13 Hz'
    """
    band = f"{feature.low_hz:g}"
    if feature.high_hz != feature.low_hz:
        band += f"-{feature.high_hz:g}"
    before = tr("connectivity ") if feature.kind == "fc" else ""
    return f"{before}{feature.channel} {band} Hz"


class FeatureChips(QFrame):
    """A row of chips with a field to type in."""

    #: Name of the feature, as the record has it.
    dropped = Signal(str)
    typed = Signal(str)
    suggestion_asked = Signal()
    undo_asked = Signal()
    redo_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        column = QVBoxLayout(self)
        column.setContentsMargins(STEP_PX, STEP_PX, STEP_PX, STEP_PX)
        column.setSpacing(STEP_PX // 2)
        row = QHBoxLayout()
        row.setSpacing(STEP_PX)
        self.label = QLabel(tr("Chosen:"))
        self.label.setFont(font("body", bold=True))
        self.label.setToolTip(
            tr("What the feature decoders (psd-lda and its like) use. They were found on these "
               "very trials: a score on the same trials means nothing; new runs tell.")
        )  # fmt: skip
        row.addWidget(self.label)
        self._inner = QWidget()
        self._chips = FlowLayout(self._inner, STEP_PX // 2)
        area = QScrollArea()
        area.setObjectName("features.chips")
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._inner)
        area.viewport().setAutoFillBackground(False)
        self._inner.setAutoFillBackground(False)
        area.setFixedHeight(2 * _CHIP_PX + STEP_PX // 2)
        row.addWidget(area, 1)
        self.line = QLineEdit()
        self.line.setObjectName("features.type")
        self.line.setAccessibleName(tr("Add features by name"))
        self.line.setPlaceholderText("C4;10:13, fc C3;20:24")
        self.line.setToolTip(
            tr("Type features and press Enter: channel, semicolon, band in Hz, such as C4;10:13 "
               "(or C4 10-13). Several with commas; fc before it for connectivity.")
        )  # fmt: skip
        self.line.setFixedWidth(170)
        self.line.returnPressed.connect(lambda: self.typed.emit(self.line.text()))
        self.line.textEdited.connect(lambda _: self.show_problem(""))
        row.addWidget(self.line)
        self.suggest = self._button("features.suggest", tr("Suggest"), self.suggestion_asked)
        self.suggest.setToolTip(
            tr("Choose what holds the classes apart best, with little overlap among them (Ctrl+G)")
        )
        self.undo = self._button("features.undo", "↶", self.undo_asked)
        self.undo.setAccessibleName(tr("Undo"))
        self.undo.setToolTip(tr("Undo the last choice or tick (Ctrl+Z)"))
        self.redo = self._button("features.redo", "↷", self.redo_asked)
        self.redo.setAccessibleName(tr("Redo"))
        self.redo.setToolTip(tr("Do it again (Ctrl+Shift+Z)"))
        for button in (self.suggest, self.undo, self.redo):
            row.addWidget(button)
        column.addLayout(row)
        self.problem = QLabel()
        self.problem.setObjectName("features.problem")
        self.problem.setProperty("role", "trouble")
        self.problem.setWordWrap(True)
        self.problem.hide()
        column.addWidget(self.problem)
        self._shown: tuple[tuple[Feature, ...], dict[str, Described | str]] = ((), {})
        self.show_features((), {}, can_undo=False, can_redo=False)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Make the chips anew in the colours that hold now."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_shown"):
            self._fill()

    def show_features(
        self,
        features: Sequence[Feature],
        described: Mapping[str, Described | str],
        *,
        can_undo: bool,
        can_redo: bool,
    ) -> None:
        """Show the choice, with its numbers where they are known."""
        self.undo.setEnabled(can_undo)
        self.redo.setEnabled(can_redo)
        shown = (tuple(features), dict(described))
        if shown != self._shown or not self._chips.count():
            self._shown = shown
            self._fill()

    def _fill(self) -> None:
        features, described = self._shown
        while self._chips.count():
            item = self._chips.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for feature in features:
            self._chips.addWidget(self._chip(feature, described))
        if not features:
            hint = QLabel(tr("drag in the map, type, or press Suggest"))
            hint.setProperty("role", "quiet")
            hint.setMinimumHeight(_CHIP_PX)
            self._chips.addWidget(hint)

    def show_problem(self, text: str) -> None:
        """Say in place what cannot be read; empty: nothing is wrong."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _chip(self, feature: Feature, described: Mapping[str, Described | str]) -> QPushButton:
        name = str(feature).removeprefix("psd ")
        said = described.get(name)
        text = chip_text(feature)
        chip = QPushButton(("⚠ " if isinstance(said, str) else "") + text + "  ✕")
        chip.setObjectName(f"features.chip.{name}")
        chip.setAccessibleName(tr("Take out {feature}", feature=text))
        tip = tr("Press to take it out.")
        edge = tokens().caution if isinstance(said, str) else tokens().line
        chip.setStyleSheet(
            f"padding: 0 8px; min-height: {_CHIP_PX - 4}px; border: 1px solid {edge};"
        )
        if isinstance(said, str):
            tip = f"{said}\n{tip}"
        elif said is not None:
            d = "" if said.d is None else f", d {said.d:+.2f}"
            tip = f"R² {said.r2:+.2f}{d}, p {said.p:.2g}\n{tip}"
        chip.setToolTip(tip)
        chip.clicked.connect(lambda: self.dropped.emit(name))
        return chip

    def _button(self, name: str, text: str, signal: object) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.clicked.connect(lambda: signal.emit())  # type: ignore[attr-defined]
        return button
