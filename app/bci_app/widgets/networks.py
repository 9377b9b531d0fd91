"""The networks of the classes, and of what differs between them, in a band that is chosen."""

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bci.features.palette import words
from bci.features.view import AnalysisView
from bci_app.theme import STEP_PX, font, tabular
from bci_app.widgets.network_map import NetworkMap
from bci_app.words import tr

__all__ = ["Networks"]

#: Classes whose networks are shown beside each other, at most.
_MOST = 3


class Networks(QWidget):
    """A network for each class, and one of the pairs in which they differ."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.band = QComboBox()
        self.band.setObjectName("features.band")
        self.band.setAccessibleName(tr("Band of the networks"))
        self.band.activated.connect(lambda _: self._show())
        label = QLabel(tr("Band"))
        label.setBuddy(self.band)
        top = QHBoxLayout()
        top.addWidget(label)
        top.addWidget(self.band)
        top.addStretch(1)
        self.classes = [NetworkMap(f"features.network.{k}") for k in range(_MOST)]
        self.differing = NetworkMap("features.network.differing")
        row = QHBoxLayout()
        row.setSpacing(2 * STEP_PX)
        for shown in (*self.classes, self.differing):
            row.addWidget(shown, 1)
        for shown in self.classes[1:]:
            shown.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(top)
        column.addLayout(row, 1)
        self.laterality = QLabel()
        self.laterality.setObjectName("features.laterality")
        self.laterality.setFont(tabular(font("small")))
        self.laterality.setWordWrap(True)
        self.laterality.setToolTip(
            tr("Laterality compares two electrodes that mirror each other: (left − right) / (left "
               "+ right) of their power, from −1 (all on the right) to +1 (all on the left). In "
               "motor imagery the side opposite to the hand usually loses power.")
        )  # fmt: skip
        column.addWidget(self.laterality)
        self._view: AnalysisView | None = None

    def show_view(self, view: AnalysisView, laterality: Sequence[Sequence[str]] = ()) -> None:
        """Show an analysis, and the laterality of power as rows under their head."""
        self._view = view
        self.laterality.setText(_laterality_text(view, laterality))
        bands = view.network.bands_hz if view.network is not None else {}
        kept = self.band.currentData()
        self.band.clear()
        for name, (low, high) in bands.items():
            self.band.addItem(tr("{band}, {low:g} to {high:g} Hz", band=name, low=low, high=high),
                              name)  # fmt: skip
        self.band.setCurrentIndex(max(self.band.findData(kept), 0))
        self.band.setEnabled(bool(bands))
        self._show()

    def show_empty(self, why: str = "") -> None:
        """Show nothing but why."""
        self._view = None
        self.laterality.clear()
        for shown in (*self.classes, self.differing):
            shown.show_empty(why)

    def _show(self) -> None:
        view, band = self._view, self.band.currentData()
        if view is None:
            return
        network, scalp = view.network, view.scalp
        if network is None or scalp is None or band is None:
            kept = self.laterality.text()
            self.show_empty(
                tr("No network: choose a measure of connectivity at the left, and channels that "
                   "have a place on the head.")
            )  # fmt: skip
            self._view = view
            self.laterality.setText(kept)
            return
        names = view.maps[0].channels
        shown = view.classes[:_MOST]
        values = [
            abs(float(value)) for name in shown for value in network.strongest[name, band].values
        ]
        limit, low = max(values, default=1.0), min(values, default=0.0)
        for k, plot in enumerate(self.classes):
            plot.setVisible(k < len(shown))
            if k < len(shown):
                name = shown[k]
                plot.show_edges(
                    scalp, names, network.strongest[name, band],
                    tr("{name}, strongest", name=words(name)),
                    tr("{measure}, mean of {n} trials. {brief}. Channels that have nothing to do "
                       "with each other reach {level:.2f} in one pair of 20.",
                       measure=network.title, n=view.n_trials[name], brief=view.brief,
                       level=network.unrelated[band]),
                    limit=limit, low=min(low, network.unrelated[band]),
                    chance=network.unrelated[band],
                )  # fmt: skip
        found = network.differing[band]
        largest = max((abs(float(value)) for value in found.values), default=0.0)
        self.differing.show_edges(
            scalp, names, found,
            tr("Where the classes differ (R²)"),
            tr("{trials} trials. {brief}. Chance: {chance}. Drawn: significant (FDR).",
               trials=view.trials, brief=view.brief, chance=network.chance[band]),
            limit=max(largest, network.chance_largest_r2[band]),
            signed=len(view.classes) == 2, chance=network.chance_largest_r2[band],
        )  # fmt: skip


def _laterality_text(view: AnalysisView, rows: Sequence[Sequence[str]]) -> str:
    """Say the laterality of the pair of the hand areas, or of the first that there is."""
    if len(rows) < 2:
        return ""
    head, *pairs = rows
    best = next((row for row in pairs if row[0].replace(" ", "").upper() == "C3,C4"), pairs[0])
    said = ";  ".join(
        f"{words(name)} {value}" for name, value in zip(head[1:], best[1:], strict=True)
    )
    return tr("Laterality of power, {pair}: {said}  ({brief}, {trials} trials)",
              pair=best[0], said=said, brief=view.brief, trials=view.trials)  # fmt: skip
