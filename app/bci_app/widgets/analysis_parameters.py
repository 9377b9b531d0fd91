"""The parameters of an analysis, each a field; what is changed is computed at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from bci.features.settings import CONNECTIVITY
from bci.features.spatial import SPATIAL_FILTERS
from bci.features.tables import MEASURES
from bci_app.theme import STEP_PX, font
from bci_app.words import tr

__all__ = ["ParameterPanel"]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A parameter of a few values, each with the words for it."""

    name: str
    label: str
    values: Sequence[tuple[Any, str]]
    tip: str


@dataclass(frozen=True, slots=True)
class _Number:
    """A number, or a pair of them, with its limits and its unit."""

    name: str
    label: str
    least: float
    most: float
    unit: str
    tip: str
    step: float = 1.0
    decimals: int = 0
    second: str = ""
    pair: bool = False


@dataclass(frozen=True, slots=True)
class _Flag:
    name: str
    label: str
    tip: str


@dataclass(frozen=True, slots=True)
class _Names:
    name: str
    label: str
    hint: str
    tip: str


def _fields() -> list[tuple[str, list[_Choice | _Number | _Flag | _Names]]]:
    """Return the fields by group, in the order of the panel."""
    return [
        (
            tr("Signal"),
            [
                _Choice(
                    "spatial", tr("Reference"),
                    [(name, _SPATIAL.get(name, name)) for name in SPATIAL_FILTERS],
                    tr("Spatial filter before everything else. Laplacian: each electrode less its "
                       "neighbours; what the whole head shares is taken out. Auto: small Laplacian "
                       "where the places are known."),
                ),
                _Number(
                    "epochs.window_s", tr("Window"), 0.0, 30.0, " s",
                    tr("Part of each trial that is analysed, from the cue."), 0.25, 2, pair=True,
                ),
                _Flag("epochs.reject", tr("Reject what stands out"),
                      tr("Leave out trials that are not like the others (flat, large, muscle, or "
                         "far from all others), of each class a third at most; in training too.")),
            ],
        ),
        (
            tr("Spectra"),
            [
                _Choice(
                    "spectrum.method", tr("Method"),
                    [("burg", tr("Burg (autoregressive)")), ("welch", "Welch"),
                     ("multitaper", tr("multitaper"))],
                    tr("How power is estimated. Burg: smooth spectra of short windows. Welch: mean "
                       "of segments. Multitaper: fixed resolution."),
                ),
                _Number("spectrum.order", tr("Order"), 1, 60, "",
                        tr("Of Burg's models: more follows finer peaks, and noise.")),
                _Number("spectrum.fmin_hz", tr("Range"), 2, 44, " Hz",
                        tr("Frequencies of the maps."), second="spectrum.fmax_hz"),
                _Number("spectrum.step_hz", tr("Step"), 0.5, 4, " Hz",
                        tr("From one frequency of the maps to the next."), 0.5, 1),
                _Choice("test", tr("Test"),
                        [("wilcoxon", tr("rank sum")), ("t", tr("t test"))],
                        tr("Test of each channel and frequency: by ranks (few assumptions), or by "
                           "means. p: how often chance alone gives such a difference.")),
                _Flag("clusters", tr("Test clusters too"),
                      tr("Clusters of neighbouring channels and frequencies, by permutation; "
                         "takes longer.")),
            ],
        ),
        (
            tr("Connectivity"),
            [
                _Choice(
                    "connectivity.measure", tr("Measure"),
                    [*((name, _SHORT.get(name, MEASURES[name])) for name in CONNECTIVITY),
                     (None, tr("none"))],
                    tr("Coherence: how steadily two channels go together at a frequency, 0 to 1. "
                       "Its imaginary part counts only what arrives with a delay: no mere spread "
                       "through the head. Phase locking: the same of phases alone. Node strength: "
                       "the mean of a channel's connectivity with all others."),
                ),
                _Number("connectivity.segment_s", tr("Segments"), 0.25, 4, " s",
                        tr("Longer segments: finer frequencies, noisier values."), 0.25, 2),
            ],
        ),
        (
            tr("ERD/ERS"),
            [
                _Number("erds.baseline_s", tr("Baseline"), -10, 0, " s",
                        tr("What 100 % is: power in this time before the cue."), 0.25, 2,
                        pair=True),
                _Names("erds_channels", tr("Channels"), "C3, Cz, C4",
                       tr("Channels that are mapped, by name; empty: C3, Cz and C4.")),
            ],
        ),
        (
            tr("Suggestion"),
            [
                _Number("selection.n_features", tr("Features"), 1, 20, "",
                        tr("How many are suggested.")),
                _Number("selection.width_hz", tr("Width"), 1, 12, " Hz",
                        tr("Width of the bands that are suggested.")),
                _Flag("selection.prior", tr("Prefer sensorimotor"),
                      tr("Channels over the sensorimotor cortex count twice.")),
            ],
        ),
    ]  # fmt: skip


_SPATIAL = {
    "none": "as recorded",
    "average": "average",
    "small-laplacian": "small Laplacian",
    "large-laplacian": "large Laplacian",
}
_SHORT = {
    "abs_imaginary": "imaginary, absolute",
    "imaginary": "imaginary coherency",
    "wpli": "phase-lag index",
    "plv": "phase locking",
    "ciplv": "phase locking, corr.",
}


class ParameterPanel(QWidget):
    """All fields."""

    #: Dotted name, value.
    changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("features.parameters")
        self._show: dict[str, Callable[[Any], None]] = {}
        self._enable: dict[str, QWidget] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, STEP_PX, 0)
        column.setSpacing(STEP_PX // 2)
        self.problem = QLabel()
        self.problem.setObjectName("features.parameters.problem")
        self.problem.setProperty("role", "trouble")
        self.problem.setWordWrap(True)
        self.problem.hide()
        column.addWidget(self.problem)
        for title, fields in _fields():
            head = QLabel(title)
            head.setFont(font("body", bold=True))
            column.addWidget(head)
            form = QFormLayout()
            form.setContentsMargins(0, 0, 0, STEP_PX)
            form.setHorizontalSpacing(STEP_PX)
            form.setVerticalSpacing(STEP_PX // 2)
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            for field in fields:
                self._add(form, field)
            column.addLayout(form)
        column.addStretch(1)

    def show_values(self, value_of: Callable[[str], Any]) -> None:
        """Show parameters by their dotted names, without saying that they changed."""
        for name, show in self._show.items():
            show(value_of(name))
        burg = value_of("spectrum.method") == "burg"
        self._enable["spectrum.order"].setEnabled(burg)
        connected = value_of("connectivity.measure") is not None
        self._enable["connectivity.segment_s"].setEnabled(connected)

    def show_problem(self, text: str) -> None:
        """Say in place what is wrong with the parameters; empty: nothing is."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _add(self, form: QFormLayout, field: _Choice | _Number | _Flag | _Names) -> None:
        made: QWidget
        if isinstance(field, _Choice):
            made = self._choice(field)
        elif isinstance(field, _Number):
            made = self._numbers(field)
        elif isinstance(field, _Names):
            made = self._names(field)
        else:
            made = self._flag(field)
            made.setObjectName(f"features.{field.name}")
            form.addRow(made)
            return
        label = QLabel(field.label)
        label.setToolTip(field.tip)
        label.setBuddy(made)
        form.addRow(label, made)
        self._enable[field.name] = made

    def _choice(self, field: _Choice) -> QWidget:
        box = QComboBox()
        box.setObjectName(f"features.{field.name}")
        box.setAccessibleName(field.label)
        box.setToolTip(field.tip)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(8)
        for value, text in field.values:
            box.addItem(text, value)

        def show(value: Any) -> None:
            with QSignalBlocker(box):
                box.setCurrentIndex(max(box.findData(value), 0))

        self._show[field.name] = show
        box.activated.connect(lambda _: self.changed.emit(field.name, box.currentData()))
        return box

    def _numbers(self, field: _Number) -> QWidget:
        """Make one spin box, or two for a pair or for two parameters."""
        two = field.pair or bool(field.second)
        spins = [self._spin(field, part) for part in (("low", "high") if two else ("",))]
        if field.pair:

            def show_pair(value: Any) -> None:
                for spin, number in zip(spins, value or (0.0, 0.0), strict=True):
                    _show_number(spin, number)

            self._show[field.name] = show_pair
            for spin in spins:
                spin.valueChanged.connect(
                    lambda _: self.changed.emit(field.name, tuple(s.value() for s in spins))
                )
        else:
            for spin, name in zip(spins, (field.name, field.second), strict=False):
                self._follow(spin, name, whole=field.name.endswith(("order", "n_features")))
        if not two:
            return spins[0]
        both = QWidget()
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP_PX // 2)
        for spin in spins:
            row.addWidget(spin, 1)
        both.setFocusProxy(spins[0])
        return both

    def _spin(self, field: _Number, part: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        words = {"low": tr("{label}, from", label=field.label),
                 "high": tr("{label}, to", label=field.label)}  # fmt: skip
        spin.setObjectName(f"features.{field.name}{'.' + part if part else ''}")
        spin.setAccessibleName(words.get(part, field.label))
        spin.setToolTip(field.tip)
        spin.setDecimals(field.decimals)
        spin.setRange(field.least, field.most)
        spin.setSingleStep(field.step)
        spin.setSuffix(field.unit)
        spin.setMinimumWidth(64)
        if part:
            spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        spin.setKeyboardTracking(False)  # what is half typed is not computed
        return spin

    def _follow(self, spin: QDoubleSpinBox, name: str, *, whole: bool) -> None:
        def show(value: Any) -> None:
            if isinstance(value, int | float):
                _show_number(spin, value)

        self._show[name] = show
        spin.valueChanged.connect(
            lambda value: self.changed.emit(name, int(value) if whole else float(value))
        )

    def _flag(self, field: _Flag) -> QWidget:
        box = QCheckBox(field.label)
        box.setToolTip(field.tip)

        def show(value: Any) -> None:
            with QSignalBlocker(box):
                box.setChecked(bool(value))

        self._show[field.name] = show
        box.clicked.connect(lambda on: self.changed.emit(field.name, bool(on)))
        return box

    def _names(self, field: _Names) -> QWidget:
        line = QLineEdit()
        line.setObjectName(f"features.{field.name}")
        line.setAccessibleName(field.label)
        line.setToolTip(field.tip)
        line.setPlaceholderText(field.hint)

        def show(value: Any) -> None:
            with QSignalBlocker(line):
                line.setText(", ".join(value or ()))

        self._show[field.name] = show

        def typed() -> None:
            names = tuple(part.strip() for part in line.text().split(",") if part.strip())
            self.changed.emit(field.name, names)

        line.editingFinished.connect(typed)
        return line


def _show_number(spin: QDoubleSpinBox, number: float) -> None:
    with QSignalBlocker(spin):
        spin.setValue(float(number))
