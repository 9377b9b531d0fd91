"""The pictures of one attempt: confusion matrix; patterns, learning curve, order and lag."""

from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from bci.experiment.attempts import Attempt, AttemptDetails
from bci_app.theme import font
from bci_app.widgets.confusion import ConfusionMatrix
from bci_app.widgets.learning_curve import LearningCurveView
from bci_app.widgets.patterns import PatternView
from bci_app.widgets.search_map import SearchMapView
from bci_app.words import tr

__all__ = ["TABS", "AttemptView"]

TABS = ("patterns", "learning", "search")


class AttemptView(QFrame):
    """Two panels: which class was taken for which, and one picture of three."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.confusion = ConfusionMatrix()
        self.patterns = PatternView()
        self.learning = LearningCurveView()
        self.search = SearchMapView()
        self.patterns.setToolTip(
            tr(
                "About this: weights of a decoder must not be read as sources; these patterns may "
                "(Haufe 2014). Colours say how each electrode's power changes with the decoder's "
                "evidence for the class: blue less, orange more. Over the hand areas (C3, C4) less "
                "power on the side opposite to the hand is what motor imagery looks like."
            )
        )
        self.search.setToolTip(
            tr(
                "About this: the augmented covariance stacks delayed copies of the signal: order "
                "says how many, lag how far apart. Each cell is the score of inner folds. The "
                "framed pair is the simplest within one standard error of the best; order 1 is no "
                "delay at all."
            )
        )
        self._heading = QLabel()
        self._heading.setFont(font(bold=True))
        self._remarks = QLabel()
        self._remarks.setProperty("role", "caution")
        self._remarks.setFont(font("small"))
        self._remarks.setWordWrap(True)
        left = _panel()
        left.setFixedWidth(300)
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addWidget(self._heading)
        column.addWidget(self.confusion, 1)
        column.addWidget(self._remarks)
        self.tabs = QTabBar()
        self.tabs.setObjectName("pictures")
        self.tabs.setAccessibleName(tr("Pictures of the chosen attempt"))
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.stack = QStackedWidget()
        for text, view in (
            (tr("Patterns"), self.patterns),
            (tr("Learning curve"), self.learning),
            (tr("Order × lag"), self.search),
        ):
            self.tabs.addTab(text)
            self.stack.addWidget(view)
        self.tabs.currentChanged.connect(self.stack.setCurrentIndex)
        right = _panel()
        column = QVBoxLayout(right)
        column.setContentsMargins(12, 4, 12, 8)
        column.setSpacing(4)
        column.addWidget(self.tabs)
        column.addWidget(self.stack, 1)
        row.addWidget(left)
        row.addWidget(right, 1)
        self._shown = ""
        self.show_attempt(None, None)

    def show_tab(self, name: str) -> None:
        """Bring a picture of `TABS` to the front."""
        self.tabs.setCurrentIndex(TABS.index(name))

    def show_attempt(self, attempt: Attempt | None, details: AttemptDetails | None) -> None:
        """Show an attempt; None: what will appear."""
        if attempt is None:
            self._heading.setText(tr("Which class is taken for which"))
        else:
            self._heading.setText(
                tr("No. {number}, {decoder}", number=attempt.number, decoder=attempt.decoder)
            )
        remarks = attempt.remarks if attempt is not None else []
        self._remarks.setText("; ".join(remarks))
        self._remarks.setVisible(bool(remarks))
        counts = details.confusion if details is not None else None
        self.confusion.show_counts(counts, details.classes if details is not None else ())
        patterns = details.patterns if details is not None else None
        self.patterns.show_patterns(patterns, _note(attempt, patterns.unit if patterns else ""))
        self.learning.show_curve(attempt.learning if attempt is not None else {})
        search = details.search if details is not None else ()
        self.search.show_maps(search, details.rate_hz if details is not None else 1.0)
        file = attempt.file if attempt is not None else ""
        if file != self._shown and search:
            self.show_tab("search")
        elif file != self._shown and TABS[self.tabs.currentIndex()] == "search":
            self.show_tab("patterns")
        self._shown = file


def _panel() -> QFrame:
    panel = QFrame()
    panel.setProperty("role", "panel")
    return panel


def _note(attempt: Attempt | None, unit: str) -> str:
    if attempt is None or attempt.band_hz is None:
        return ""
    low, high = attempt.band_hz
    return tr(
        "{unit}; filter {low:g}–{high:g} Hz causal, reference as recorded",
        unit=unit, low=low, high=high,
    )  # fmt: skip
