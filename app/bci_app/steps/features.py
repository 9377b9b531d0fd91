"""The Features step: what tells the classes apart, and which of it the decoder is to use."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from bci.errors import RolandicError
from bci.experiment.analysis_tasks import AnalysisResult
from bci.experiment.session import Session
from bci.features.parameters import AnalysisSettings
from bci_app.steps.base import ActionInfo, Step
from bci_app.theme import STEP_PX, font
from bci_app.widgets.analysis_maps import AnalysisMaps
from bci_app.widgets.analysis_parameters import ParameterPanel
from bci_app.widgets.analysis_shelf import AnalysisShelf, difference_text
from bci_app.widgets.erds_map import ErdsMap
from bci_app.widgets.feature_chips import FeatureChips
from bci_app.widgets.networks import Networks
from bci_app.widgets.trial_tree import TrialTree
from bci_app.words import tr

__all__ = ["FeaturesStep"]

#: Tabs, and what they show.
_TABS = ("psd", "fc", "both", "erds", "network", "beside")


class FeaturesStep(Step):
    """The Features step."""

    name = "features"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.trials = TrialTree()
        self.parameters = ParameterPanel()
        self.maps = AnalysisMaps()
        self.erds = ErdsMap("features.erds")
        self.networks = Networks()
        self.chips = FeatureChips()
        self.shelf = AnalysisShelf()
        self.tabs = QTabBar()
        self.tabs.setObjectName("features.tabs")
        self.tabs.setAccessibleName(tr("Views of the analysis"))
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        for text in (tr("Power"), tr("Connectivity"), tr("Both"), tr("ERD/ERS"), tr("Network"),
                     tr("Compare")):  # fmt: skip
            self.tabs.addTab(text)
        self.differences = QLabel()
        self.differences.setObjectName("features.differences")
        self.differences.setFont(font("small"))
        self.differences.setWordWrap(True)
        self.status = QLabel()
        self.status.setObjectName("features.status")
        self.status.setFont(font("small"))
        self.progress = QProgressBar()
        self.progress.setObjectName("features.progress")
        self.progress.setAccessibleName(tr("Progress of the analysis"))
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(90, 10)
        self.cancel = QPushButton(tr("Cancel"))
        self.cancel.setObjectName("features.cancel")
        self.cancel.setToolTip(tr("End the analysis; what is shown stays"))
        self.pages = QStackedWidget()
        for page in (self.maps, self.erds, self.networks):
            self.pages.addWidget(page)
        self._lay_out()
        self.tabs.currentChanged.connect(self._tab_changed)
        self.cancel.clicked.connect(self._with_features(lambda part: part.cancel()))
        self.parameters.changed.connect(self._parameter_changed)
        self.trials.run_ticked.connect(self._run_ticked)
        self.trials.trial_ticked.connect(self._trial_ticked)
        self.maps.band_chosen.connect(lambda feature: self._choose([feature]))
        self.chips.dropped.connect(lambda name: self._part_call("drop", name))
        self.chips.typed.connect(self._typed)
        self.chips.suggestion_asked.connect(self._suggest)
        self.chips.undo_asked.connect(lambda: self._part_call("undo"))
        self.chips.redo_asked.connect(lambda: self._part_call("redo"))
        self.shelf.keep_asked.connect(self._keep)
        self.shelf.chosen.connect(lambda folder: self._part_call("put_beside", folder))
        self._tab_changed(0)
        self._show_busy()
        self._show_parameters()
        self._asked_once = False
        self.made_actions = self.add_actions()

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Features")

    def _lay_out(self) -> None:
        left = QSplitter(Qt.Orientation.Vertical)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.parameters)
        left.addWidget(self.trials)
        left.addWidget(area)
        left.setStretchFactor(0, 2)
        left.setStretchFactor(1, 3)
        left.setChildrenCollapsible(False)
        left.setSizes([260, 330])
        left.setHandleWidth(STEP_PX)
        left.setMinimumWidth(236)
        top = QHBoxLayout()
        top.setSpacing(STEP_PX)
        top.addWidget(self.tabs)
        top.addStretch(1)
        for widget in (self.status, self.progress, self.cancel):
            top.addWidget(widget)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP_PX)
        column.addLayout(top)
        column.addWidget(self.shelf)
        column.addWidget(self.pages, 1)
        column.addWidget(self.differences)
        sides = QSplitter(Qt.Orientation.Horizontal)
        sides.addWidget(left)
        sides.addWidget(centre)
        sides.setStretchFactor(0, 0)
        sides.setStretchFactor(1, 1)
        sides.setSizes([250, 806])
        sides.setHandleWidth(STEP_PX)
        sides.setChildrenCollapsible(False)
        self.column.addWidget(sides, 1)
        self.column.addWidget(self.chips)

    # --- a session ------------------------------------------------------------------------

    def bound(self, session: Session) -> None:
        """Follow the session, and show what there is."""
        part = session.features
        self.on(part.events.changed, self._show_result, newest=True)
        self.on(part.events.busy_changed, self._show_busy, newest=True)
        self.on(part.events.progressed, self._show_progress, newest=True)
        self.on(part.events.choice_changed, self._show_choice, newest=True)
        self.on(part.events.kept_changed, self._show_kept)
        self.on(session.events.record_changed, self._record_changed, newest=True)
        self._asked_once = False
        self._show_parameters()
        self._show_kept()
        self._show_result()
        self._show_busy()
        if self.isVisible():
            self.entered()

    def unbound(self) -> None:
        """Return to the empty state."""
        self.parameters.setEnabled(False)
        self.trials.show_runs(())
        self.maps.show_empty()
        self.erds.show_empty()
        self.networks.show_empty()
        self.chips.show_features((), {}, can_undo=False, can_redo=False)
        self.shelf.show_kept((), None)
        self.status.clear()

    def entered(self) -> None:
        """Analyse what is ticked, unless it is shown already."""
        if self.session is not None and self.session.features.paths():
            self._asked_once = True
            self.session.features.request()

    def left(self) -> None:
        """Analyse no more on the session's changes."""
        self._asked_once = False

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        undo = lambda: self._part_call("undo")  # noqa: E731
        redo = lambda: self._part_call("redo")  # noqa: E731
        return (
            ActionInfo("features.undo", tr("Undo choice"), "Ctrl+Z", undo),
            ActionInfo("features.redo", tr("Redo choice"), "Ctrl+Shift+Z", redo),
            ActionInfo("features.suggest", tr("Suggest features"), "Ctrl+G", self._suggest),
            ActionInfo("features.type", tr("Type a feature"), "Ctrl+L", self.chips.line.setFocus),
            ActionInfo("features.next", tr("Next view"), "Ctrl+Tab", self._next_tab),
            ActionInfo("features.cancel", tr("Cancel the analysis"), "Ctrl+.",
                       self._with_features(lambda part: part.cancel())),
        )  # fmt: skip

    # --- showing --------------------------------------------------------------------------

    def _record_changed(self) -> None:
        if self.session is None:
            return
        self._show_choice()
        if self._asked_once:
            self.session.features.request()

    def _show_result(self) -> None:
        if self.session is None:
            return
        part = self.session.features
        result = part.result
        self.parameters.show_problem(part.error)
        if result is not None and result.view is not None:
            self._show_view(result)
        else:
            self.maps.show_empty(part.error)
            self.erds.show_empty(part.error)
            self.networks.show_empty(part.error)
        self.shelf.show_kept(part.kept(), part.beside)
        self._show_choice()

    def _show_view(self, result: AnalysisResult) -> None:
        view = result.view
        if view is None:
            return
        self.maps.show_view(view, result.beside, result.beside_error)
        why = next((note for note in view.notes if "ERD" in note), tr("ERD/ERS maps are off."))
        erds = view.erds
        note = ""
        if erds is not None:
            s = erds.settings
            note = tr(
                "Unfiltered recording, {reference}. Baseline {low:g} to {high:g} s (bar). "
                "Resolution {width:g} Hz, {time:.2g} s. Outlined: bootstrap over trials; a map "
                "without any change shows an outline with probability {level:g}.",
                reference=view.brief.partition(", ")[2], low=s.baseline_s[0], high=s.baseline_s[1],
                width=s.width_hz, time=s.duration_s, level=s.level,
            )  # fmt: skip
        self.erds.show_erds(erds, view.erds_limit, note, why)
        self.networks.show_view(view, result.laterality)
        self.differences.setText(difference_text(result.beside))

    def _show_choice(self) -> None:
        if self.session is None:
            return
        part = self.session.features
        self.trials.show_runs(part.runs())
        self.chips.show_features(
            part.chosen, part.described, can_undo=part.can_undo, can_redo=part.can_redo
        )
        self.maps.show_features(part.chosen)

    def _show_parameters(self) -> None:
        self.parameters.setEnabled(self.session is not None)
        try:
            usual = AnalysisSettings() if self.session is None else self.session.features.settings
            values = usual.model_dump()
        except RolandicError as error:
            self.parameters.show_problem(str(error))
            return

        def value_of(name: str) -> Any:
            found: Any = values
            for part in name.split("."):
                found = None if found is None else found[part]
            return found

        self.parameters.show_values(value_of)

    def _show_busy(self) -> None:
        part = self.session.features if self.session is not None else None
        busy = part is not None and part.busy
        self.progress.setVisible(busy)
        self.cancel.setVisible(busy)
        if not busy:
            self.status.setText("")
        elif part is not None and part.waits_for:
            self.status.setText(tr("waits for {other}", other=part.waits_for))
            self.progress.setRange(0, 0)
        else:
            self.status.setText(tr("computing"))
            self.progress.setRange(0, 0)

    def _show_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.status.setText(tr("computing, step {n} of {total}", n=min(done + 1, total),
                               total=total))  # fmt: skip

    def _show_kept(self, problem: str = "") -> None:
        if self.session is None:
            return
        self.shelf.show_kept(self.session.features.kept(), self.session.features.beside)
        if problem:
            self.said.emit(problem, "trouble")

    def _tab_changed(self, index: int) -> None:
        kind = _TABS[index]
        self.shelf.setVisible(kind == "beside")
        self.differences.setVisible(kind == "beside")
        self.pages.setCurrentWidget(
            {"erds": self.erds, "network": self.networks}.get(kind, self.maps)
        )
        if kind not in ("erds", "network"):
            self.maps.show_kind(kind)

    def _next_tab(self) -> None:
        self.tabs.setCurrentIndex((self.tabs.currentIndex() + 1) % self.tabs.count())

    # --- asking ---------------------------------------------------------------------------

    def _parameter_changed(self, name: str, value: object) -> None:
        if self.session is None:
            return
        changed: dict[str, Any] = {name: value}
        if name == "connectivity.measure":  # its last choice is none at all
            off = value is None
            changed = {"connectivity": False} if off else {"connectivity": True, name: value}
        try:
            self.session.features.change(**changed)
        except RolandicError as error:
            self.parameters.show_problem(str(error))
            return
        self.parameters.show_problem("")
        self._show_parameters()

    def _run_ticked(self, file: str, used: bool) -> None:
        if self.session is not None:
            self.session.features.use_run(file, used)

    def _trial_ticked(self, file: str, onset_s: float, used: bool) -> None:
        if self.session is not None:
            self.session.features.use_trial(file, onset_s, used)

    def _choose(self, features: Sequence[Any]) -> None:
        if self.session is not None:
            self.chips.show_problem("")
            self.session.features.choose(features)

    def _typed(self, text: str) -> None:
        if self.session is None or not text.strip():
            return
        try:
            features = self.session.features.read(text)
        except RolandicError as error:
            self.chips.show_problem(str(error))
            return
        self.chips.line.clear()
        self._choose(features)

    def _suggest(self) -> None:
        if self.session is not None and not self.session.features.suggest():
            self.chips.show_problem(tr("There is nothing to suggest yet: wait for the analysis."))

    def _keep(self, name: str) -> None:
        if self.session is None:
            return
        try:
            self.session.features.keep(name or "analysis")
        except RolandicError as error:
            self.said.emit(str(error), "caution")
            self.differences.setText(str(error))

    def _part_call(self, method: str, *arguments: object) -> None:
        if self.session is not None:
            getattr(self.session.features, method)(*arguments)

    def _with_features(self, call: Callable[[Any], object]) -> Callable[[], None]:
        def called() -> None:
            if self.session is not None:
                call(self.session.features)

        return called
