"""The maps of an analysis and what hangs on the place that is chosen in them.

Power, connectivity, both side by side, or this analysis beside a kept one, with topography and
spectra of the chosen place at the right.
"""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from bci.experiment.analysis_tasks import Beside
from bci.features.grammar import Feature
from bci.features.view import AnalysisView, MapView
from bci_app.theme import STEP_PX, font, tabular
from bci_app.widgets.class_spectra import ClassSpectra
from bci_app.widgets.r2_map import R2Map, cell_text
from bci_app.widgets.topography import Topography
from bci_app.words import tr

__all__ = ["AnalysisMaps"]


class AnalysisMaps(QWidget):
    """Maps, topography and spectra, all of one chosen place."""

    #: A band was chosen in a map: `Feature`.
    band_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.power = R2Map("features.power", tr("R² of power"))
        self.strength = R2Map("features.strength", tr("R² of connectivity"))
        self.beside = R2Map("features.beside", tr("Kept analysis"))
        self.topography = Topography("features.topography")
        self.spectra = ClassSpectra("features.spectra")
        self.numbers = QLabel()
        self.numbers.setObjectName("features.numbers")
        self.numbers.setFont(tabular(font("small")))
        self.numbers.setToolTip(
            tr("R²: share of the differences from trial to trial that goes with the class. d: the "
               "classes' distance in standard deviations; 0.8 is large. p: how often chance alone "
               "gives as much in this one cell. FDR ✓: significant though many cells were tested; "
               "of all cells marked so at most one in twenty is false.")
        )  # fmt: skip
        # Two lines, always: on a small screen one is not enough, and nothing is to jump.
        self.numbers.setWordWrap(True)
        self.numbers.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.numbers.setFixedHeight(2 * self.numbers.fontMetrics().lineSpacing())
        self.numbers.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        maps = QWidget()
        row = QHBoxLayout(maps)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * STEP_PX)
        for shown in (self.power, self.strength, self.beside):
            row.addWidget(shown, 1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP_PX // 2)
        column.addWidget(maps, 1)
        column.addWidget(self.numbers)
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(self.topography)
        right.addWidget(self.spectra)
        right.setStretchFactor(0, 5)
        right.setStretchFactor(1, 5)
        right.setChildrenCollapsible(False)
        right.setHandleWidth(STEP_PX)
        self.sides = QSplitter(Qt.Orientation.Horizontal)
        self.sides.addWidget(left)
        self.sides.addWidget(right)
        self.sides.setStretchFactor(0, 3)
        self.sides.setStretchFactor(1, 2)
        self.sides.setChildrenCollapsible(False)
        self.sides.setHandleWidth(STEP_PX)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.sides)
        self._view: AnalysisView | None = None
        self._other: Beside | None = None
        self._features: tuple[Feature, ...] = ()
        self._current = self.power
        for shown in (self.power, self.strength, self.beside):
            shown.picked.connect(lambda row, column, shown=shown: self._picked(shown))
            shown.hovered.connect(lambda row, column, shown=shown: self._said(shown, row, column))
            shown.band_chosen.connect(self.band_chosen)
        self.topography.channel_picked.connect(
            lambda row: self._current.pick(row, self._current.cursor_at[1])
        )
        self.spectra.column_picked.connect(
            lambda column: self._current.pick(self._current.cursor_at[0], column)
        )
        self.show_kind("psd")

    # --- what is shown --------------------------------------------------------------------

    def show_kind(self, kind: str) -> None:
        """Show ``"psd"``, ``"fc"``, ``"both"`` or ``"beside"``."""
        self.power.setVisible(kind in ("psd", "both", "beside"))
        self.strength.setVisible(kind in ("fc", "both"))
        self.beside.setVisible(kind == "beside")
        wanted = {"psd": self.power, "fc": self.strength}.get(kind)
        if wanted is not None or self._current.isHidden():
            self._current = wanted or self.power
        self._follow()

    def show_view(self, view: AnalysisView, beside: Beside | None, why_beside: str = "") -> None:
        """Show an analysis, and another one beside it, on one scale."""
        self._view, self._other = view, beside
        psd, fc = view.map("psd"), view.map("fc")
        other = beside.view.map("psd") if beside is not None else None
        limit = max(found.limit for found in (psd, other) if found is not None)
        if psd is not None:
            self.power.show_map(psd, view.classes, _note(view, psd), limit)
        if fc is not None:
            self.strength.title = tr("R² of node strength")
            self.strength.show_map(fc, view.classes, _note(view, fc))
        else:
            self.strength.show_empty(tr("Connectivity is off: choose a measure at the left."))
        if beside is not None and other is not None:
            self.beside.title = tr("Beside: {name}", name=beside.name)
            self.beside.show_map(other, beside.view.classes, _note(beside.view, other), limit)
        else:
            self.beside.title = tr("Kept analysis")
            self.beside.show_empty(
                why_beside
                or tr("Another analysis will appear here: keep this one under a name, change "
                      "parameters, and choose the kept one above.")
            )  # fmt: skip
        self._follow()

    def show_empty(self, why: str = "") -> None:
        """Show nothing but what will appear here, or why it cannot."""
        self._view = self._other = None
        self.numbers.clear()
        for plot in (self.power, self.strength, self.beside):
            plot.show_empty(why)
        self.topography.show_empty()
        self.spectra.show_empty()

    def show_features(self, features: Sequence[Feature]) -> None:
        """Frame the features that are chosen."""
        if tuple(features) == self._features:
            return
        self._features = tuple(features)
        for shown in (self.power, self.strength, self.beside):
            shown.show_features(features)
        self._follow()

    # --- the chosen place -----------------------------------------------------------------

    def _picked(self, shown: R2Map) -> None:
        """Show the place in all plots; the other maps follow by channel and frequency."""
        self._current = shown
        found = shown.map
        if found is not None:
            row, column = shown.cursor_at
            place = found.feature(row, column, column)
            for other in (self.power, self.strength, self.beside):
                if other is not shown and other.map is not None:
                    where = other.map.place(Feature(
                        "psd" if other.map.kind == "psd" else "fc",
                        place.channel, place.low_hz, place.high_hz,
                    ))  # fmt: skip
                    if where is not None:
                        other.show_cursor(where[0], where[1])
        self._follow()

    def _follow(self) -> None:
        shown = self._current if self._current.map is not None else self.power
        found, view = shown.map, self._view
        if shown is self.beside and self._other is not None:
            view = self._other.view
        if found is None or view is None:
            return
        row, column = shown.cursor_at
        self.topography.note = tr("{brief}. {trials} trials. Largest by chance {chance:.2f}.",
            brief=view.brief, trials=view.trials, chance=found.chance_largest_r2)  # fmt: skip
        self.topography.show_at(view.scalp, found, row, column, shown.limit)
        self.spectra.note = tr(
            "{brief}. Bands: 95 % of the mean. One frequency's R² exceeds {chance:.2f} by chance "
            "in 1 of 20.", brief=view.brief, chance=found.chance_r2,
        )  # fmt: skip
        self.spectra.show_at(found, view.n_trials, row, column, self._features)
        self._said(shown, row, column)

    def _said(self, shown: R2Map, row: int, column: int) -> None:
        found = shown.map
        if found is None:
            return
        if row < 0:
            row, column = shown.cursor_at
        self.numbers.setText(cell_text(found.cell(row, column), found.unit, shown.classes))


def _note(view: AnalysisView, found: MapView) -> str:
    what = f"{found.title}. " if found.kind == "fc" else ""
    return tr("{what}{trials} trials; {signals}. {chance}.", what=what, trials=view.trials,
              signals=view.signals, chance=found.chance[0].upper() + found.chance[1:])  # fmt: skip
