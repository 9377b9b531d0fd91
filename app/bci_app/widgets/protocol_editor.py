"""The protocol of a calibration run, edited; with how long it takes."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from bci.config import EpochSettings
from bci.errors import SettingsError
from bci.events import CLASSES
from bci.paradigm import GrazSettings, PresentationSettings
from bci.paradigm.graz import run_length_s
from bci_app.theme import STEP_PX, tabular
from bci_app.widgets.trial_timeline import TrialTimeline
from bci_app.words import class_words, tr

__all__ = ["ProtocolEditor", "clock"]


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds.

    >>> clock(345.6), clock(-2.0)
    ('5:46', '0:00')
    """
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


class ProtocolEditor(QWidget):
    """Edits `GrazSettings` and `PresentationSettings`; tells only what can be.

    Attributes
    ----------
    protocol : GrazSettings
        The last that could be.
    presentation : PresentationSettings
    """

    #: `GrazSettings`
    protocol_changed = Signal(object)
    #: `PresentationSettings`
    presentation_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("protocolEditor")
        self.protocol, self.presentation = GrazSettings(), PresentationSettings()
        self._epochs = EpochSettings()
        self._classes = {name: _check(f"class_{name}", class_words(name)) for name in CLASSES}
        self._numbers = {
            "trials_per_class": _count("trials_per_class", tr("Trials of each class"), 1, 200),
            "n_runs": _count("n_runs", tr("Runs"), 1, 20),
            "seed": _count("seed", tr("Seed of the order"), 0, 999_999),
        }
        self._times = {
            "fixation_s": _seconds("fixation_s", tr("Fixation"), 0.0),
            "cue_s": _seconds("cue_s", tr("Cue"), 0.1),
            "imagery_s": _seconds("imagery_s", tr("Imagery"), 0.1),
            "lead_s": _seconds("lead_s", tr("Before and after the trials"), 0.0),
        }
        self._pause = (
            _seconds("pause_shortest", tr("Shortest pause"), 0.0),
            _seconds("pause_longest", tr("Longest pause"), 0.0),
        )
        self._style = QComboBox()
        self._style.setObjectName("cueStyle")
        self._style.setAccessibleName(tr("What a cue looks like"))
        self._style.addItem(tr("arrows"), "arrow")
        self._style.addItem(tr("pictures"), "picture")
        self._options = {
            "words": _check("cueWords", tr("with words")),
            "beep": _check("beep", tr("beep with the cross")),
            "photodiode": _check("photodiode", tr("square for a photodiode")),
        }
        self._options["photodiode"].setToolTip(
            tr(
                "A square in the lower left corner of the patient's screen changes between black "
                "and white with each cue. A photodiode on it, recorded beside the signal, tells "
                "when the cue was really seen; the markers tell when it was ordered."
            )
        )
        self._options["beep"].setToolTip(
            tr("A short tone with each cross, where there is a sound device. Not a time mark.")
        )
        self._problem = QLabel()
        self._problem.setObjectName("protocolProblem")
        self._problem.setWordWrap(True)
        self._problem.setProperty("role", "trouble")
        self._length = QLabel()
        self._length.setObjectName("protocolLength")
        self._length.setWordWrap(True)
        self._length.setFont(tabular())
        self.timeline = TrialTimeline()
        self._lay_out()
        self._quiet = False
        self._connect()
        self.show_settings(self.protocol, self.presentation, self._epochs)

    def _lay_out(self) -> None:
        classes = QGridLayout()
        for k, box in enumerate(self._classes.values()):
            classes.addWidget(box, k // 3, k % 3)
        form = QFormLayout()
        form.setHorizontalSpacing(2 * STEP_PX)
        form.setVerticalSpacing(STEP_PX // 2 + 1)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        numbers, times = self._numbers, self._times
        form.addRow(tr("Classes"), classes)
        form.addRow(
            tr("Trials of each"),
            _beside(numbers["trials_per_class"], QLabel(tr("runs")), numbers["n_runs"]),
        )
        form.addRow(tr("Fixation"), _beside(times["fixation_s"], QLabel(tr("cue")), times["cue_s"]))
        form.addRow(tr("Imagery"), _beside(times["imagery_s"], QLabel(tr("lead")), times["lead_s"]))
        form.addRow(tr("Pause"), _beside(self._pause[0], QLabel(tr("to")), self._pause[1]))
        form.addRow(tr("Seed"), numbers["seed"])
        form.addRow(tr("Cues"), _beside(self._style, self._options["words"]))
        form.addRow("", self._options["beep"])
        form.addRow("", self._options["photodiode"])
        column = QVBoxLayout(self)
        column.setContentsMargins(STEP_PX, STEP_PX, STEP_PX, STEP_PX)
        column.setSpacing(STEP_PX)
        column.addLayout(form)
        column.addWidget(self._problem)
        column.addWidget(self._length)
        column.addWidget(self.timeline)
        column.addStretch(1)

    def _connect(self) -> None:
        for box in self._classes.values():
            box.toggled.connect(self._edited)
        for number in self._numbers.values():
            number.valueChanged.connect(self._edited)
        for spin in (*self._times.values(), *self._pause):
            spin.valueChanged.connect(self._edited)
        self._style.currentIndexChanged.connect(self._presented)
        for option in self._options.values():
            option.toggled.connect(self._presented)

    def show_settings(
        self, protocol: GrazSettings, presentation: PresentationSettings, epochs: EpochSettings
    ) -> None:
        """Show settings, without telling that they changed."""
        self._quiet = True
        try:
            for name, box in self._classes.items():
                box.setChecked(name in protocol.classes)
            for key, number in self._numbers.items():
                number.setValue(getattr(protocol, key))
            for key, spin in self._times.items():
                spin.setValue(getattr(protocol, key))
            for spin, value in zip(self._pause, protocol.pause_s, strict=True):
                spin.setValue(value)
            self._style.setCurrentIndex(self._style.findData(presentation.cues))
            for key, option in self._options.items():
                option.setChecked(getattr(presentation, key))
        finally:
            self._quiet = False
        self.protocol, self.presentation, self._epochs = protocol, presentation, epochs
        self._show_length()

    def refuse(self, why: str) -> None:
        """Say why the settings were not taken."""
        self._problem.setText(why)
        self._problem.setVisible(bool(why))

    @property
    def problem(self) -> str:
        """Why the settings cannot be; empty: they can."""
        return self._problem.text()

    @property
    def length(self) -> str:
        """How long it takes, as it is shown."""
        return self._length.text()

    def _values(self) -> Mapping[str, Any]:
        return {
            "classes": tuple(name for name, box in self._classes.items() if box.isChecked()),
            "pause_s": tuple(spin.value() for spin in self._pause),
            **{key: number.value() for key, number in self._numbers.items()},
            **{key: spin.value() for key, spin in self._times.items()},
        }

    def _edited(self) -> None:
        if self._quiet:
            return
        try:
            protocol = GrazSettings.make(**self._values())
        except SettingsError as error:
            self.refuse(str(error))
            return
        self.protocol = protocol
        self._show_length()
        self.protocol_changed.emit(protocol)

    def _presented(self) -> None:
        if self._quiet:
            return
        options = {key: option.isChecked() for key, option in self._options.items()}
        self.presentation = PresentationSettings(cues=self._style.currentData(), **options)
        self.presentation_changed.emit(self.presentation)

    def _show_length(self) -> None:
        protocol = self.protocol
        n = protocol.trials_per_class * len(protocol.classes)
        one_s = run_length_s(protocol)
        text = tr("One run: {n} trials, {time} min", n=n, time=clock(one_s))
        if protocol.n_runs > 1:
            text += tr(
                "; {n} runs: {time} min", n=protocol.n_runs, time=clock(protocol.n_runs * one_s)
            )
        self._length.setText(text)
        stop = self._epochs.window_s[1]
        self.refuse(
            tr(
                "Decoders learn from up to {stop:g} s after the cue, but imagery ends at "
                "{end:g} s: lengthen imagery, or shorten the window in Train.",
                stop=stop,
                end=protocol.imagery_s,
            )
            if stop > protocol.imagery_s + 1e-9
            else ""
        )
        self.timeline.show_trial(protocol, self._epochs)


def _check(name: str, text: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setObjectName(name)
    box.setAccessibleName(text)
    return box


def _count(name: str, text: str, least: int, most: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setObjectName(name)
    spin.setAccessibleName(text)
    spin.setToolTip(text)
    spin.setRange(least, most)
    spin.setFont(tabular())
    return spin


def _seconds(name: str, text: str, least: float) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setObjectName(name)
    spin.setAccessibleName(tr("{what} (s)", what=text))
    spin.setToolTip(text)
    spin.setRange(least, 60.0)
    spin.setDecimals(2)
    spin.setSingleStep(0.25)
    spin.setSuffix(tr(" s"))
    spin.setFont(tabular())
    return spin


def _beside(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(STEP_PX)
    for widget in widgets:
        row.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
        if isinstance(widget, QLabel):
            widget.setMinimumWidth(4 * STEP_PX)
            widget.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return row
