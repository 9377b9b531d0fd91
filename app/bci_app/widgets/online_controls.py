"""What an online run is begun with: cues or free, its length, scene, decision rule, adaptation."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from bci.config import OnlineSettings
from bci_app.theme import STEP_PX
from bci_app.widgets.adaptation_choice import AdaptationChoice
from bci_app.words import tr

__all__ = ["RulePanel", "RunPanel", "scene_title"]


def scene_title(name: str) -> str:
    """Return what a scene is called for people; a plugin's is its name."""
    titles = {"bar": tr("Bar"), "ball": tr("Ball to basket"), "hand": tr("Growing hand")}
    return titles.get(name, name)


def _named(widget: QWidget, name: str, spoken: str, tip: str) -> None:
    widget.setObjectName(name)
    widget.setAccessibleName(spoken)
    widget.setToolTip(tip)


class RunPanel(QWidget):
    """Cues or free, how long, and which scene."""

    #: Names and values that were changed: ``trials_per_class``, ``scene``.
    changed = Signal(dict)
    #: Whether the run is to have cues.
    kind_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = QComboBox()
        _named(self.kind, "online.kind", tr("Kind of run"),
               tr("With cues: trials by the protocol, scored. Free: no cues, the decoder decides "
                  "until the run is stopped or its minutes are over."))  # fmt: skip
        self.kind.addItems([tr("With cues"), tr("Free")])
        self.trials = QSpinBox()
        self.trials.setRange(1, 200)
        self.trials.setSuffix(tr(" trials per class"))
        _named(self.trials, "online.trials_per_class", tr("Trials per class"),
               tr("How many trials of each class the next run has."))  # fmt: skip
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.0, 60.0)
        self.minutes.setDecimals(1)
        self.minutes.setValue(5.0)
        self.minutes.setSuffix(tr(" min"))
        self.minutes.setSpecialValueText(tr("until stopped"))
        how_long = tr("How long the free run lasts; at the lowest value, until it is stopped.")
        _named(self.minutes, "online.minutes", tr("Minutes of a free run"), how_long)
        self.scene = QComboBox()
        _named(self.scene, "online.scene", tr("Scene"),
               tr("What the patient sees of the decisions."))  # fmt: skip
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP_PX)
        for widget in (self.kind, self.trials, self.minutes):
            row.addWidget(widget)
        row.addSpacing(STEP_PX)
        label = QLabel(tr("Scene"))
        label.setBuddy(self.scene)
        row.addWidget(label)
        row.addWidget(self.scene)
        row.addStretch(1)
        self.kind.currentIndexChanged.connect(self._kind_changed)
        self.trials.valueChanged.connect(lambda n: self.changed.emit({"trials_per_class": n}))
        self.scene.activated.connect(
            lambda _: self.changed.emit({"scene": self.scene.currentData()})
        )
        self._kind_changed()

    @property
    def cued(self) -> bool:
        """Whether the run is to have cues."""
        return self.kind.currentIndex() == 0

    @property
    def length_min(self) -> float | None:
        """Minutes of a free run; None: until it is stopped."""
        return self.minutes.value() or None

    def set_cued(self, cued: bool) -> None:
        """Choose the kind of run."""
        self.kind.setCurrentIndex(0 if cued else 1)

    def set_scenes(self, scenes: Sequence[tuple[str, str, str, bool]]) -> None:
        """Offer scenes: name, title, in words, and whether it can be used."""
        with QSignalBlocker(self.scene):
            self.scene.clear()
            for name, title, words, usable in scenes:
                self.scene.addItem(title if usable else tr("{name} (unusable)", name=title), name)
                index = self.scene.count() - 1
                self.scene.setItemData(index, words, 3)  # Qt's tool tip role

    def show_settings(self, trials_per_class: int, scene: str) -> None:
        """Show what is set."""
        with QSignalBlocker(self.trials), QSignalBlocker(self.scene):
            self.trials.setValue(trials_per_class)
            self.scene.setCurrentIndex(max(0, self.scene.findData(scene)))

    def _kind_changed(self) -> None:
        self.trials.setVisible(self.cued)
        self.minutes.setVisible(not self.cued)
        self.kind_changed.emit(self.cued)


class RulePanel(QWidget):
    """Threshold, dwell and refractory time, smoothing; adaptation."""

    #: Names and values that were changed, of `OnlineSettings`; those of `AdaptationChoice`
    #: beside them.
    changed = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.threshold = self._spin("threshold", tr("Threshold"), 0, 100, 1, tr(" %"), 0,
            tr("A class is decided when its smoothed probability is at least this."))  # fmt: skip
        self.dwell = self._spin("dwell_s", tr("Dwell"), 0, 10, 0.1, tr(" s"), 1,
            tr("... and has been so for this long."))  # fmt: skip
        self.refractory = self._spin("refractory_s", tr("Refractory"), 0, 30, 0.1, tr(" s"), 1,
            tr("... and no other class was decided within this time before."))  # fmt: skip
        self.smoothing = self._spin("smoothing_s", tr("Smoothing"), 0.1, 10, 0.1, tr(" s"), 1,
            tr("Time constant by which probabilities are averaged: longer is calmer, and "
               "slower."))  # fmt: skip
        self.adaptation = AdaptationChoice()
        self.adaptation.changed.connect(self.changed)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(STEP_PX)
        grid.setVerticalSpacing(STEP_PX)
        for k, spin in enumerate((self.threshold, self.dwell, self.refractory, self.smoothing)):
            label = QLabel(spin.accessibleName())
            label.setBuddy(spin)
            grid.addWidget(label, k // 2, 2 * (k % 2))
            grid.addWidget(spin, k // 2, 2 * (k % 2) + 1)
        grid.addWidget(self.adaptation, 2, 0, 1, 4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)

    def _spin(
        self, name: str, title: str, low: float, high: float, step: float, unit: str,
        decimals: int, tip: str,
    ) -> QDoubleSpinBox:  # fmt: skip
        spin = QDoubleSpinBox()
        spin.setRange(low, high)
        spin.setSingleStep(step)
        spin.setDecimals(decimals)
        spin.setSuffix(unit)
        spin.setKeyboardTracking(False)
        _named(spin, f"online.{name}", title, tip)
        per = 100 if name == "threshold" else 1
        spin.valueChanged.connect(lambda value: self.changed.emit({name: round(value / per, 4)}))
        return spin

    def show_settings(self, settings: OnlineSettings) -> None:
        """Show what is set; adaptation shows itself."""
        values: Mapping[QDoubleSpinBox, Any] = {
            self.threshold: 100 * settings.threshold,
            self.dwell: settings.dwell_s,
            self.refractory: settings.refractory_s,
            self.smoothing: settings.smoothing_s,
        }
        for spin, value in values.items():
            with QSignalBlocker(spin):
                spin.setValue(value)
        self.smoothing.setEnabled(settings.smoothing == "exponential")
