"""What is to be trained: decoders, how they are tested; Train, progress, Cancel."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from bci.experiment.decoder_choices import SEARCH, DecoderChoice
from bci.experiment.training import TrainingProgress
from bci_app.theme import font
from bci_app.widgets.decoder_list import DecoderList
from bci_app.widgets.roles import set_role
from bci_app.words import tr

__all__ = ["DecoderPanel", "left_words"]


def left_words(left_s: float | None) -> str:
    """Return a remaining time as people say it."""
    if left_s is None:
        return tr("time left: not known yet")
    if left_s < 90:
        return tr("about {s:.0f} s left", s=max(left_s, 1))
    return tr("about {min:.0f} min left", min=left_s / 60)


class DecoderPanel(QFrame):
    """The left column of the Train step."""

    train_requested = Signal()
    cancel_requested = Signal()
    test_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setFixedWidth(286)
        self._why_not = ""
        self._busy = False
        self.list = DecoderList()
        self.list.ticked.connect(self._enable)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(6)
        heading = QLabel(tr("Decoders to compare"))
        heading.setFont(font(bold=True))
        column.addWidget(heading)
        column.addWidget(self.list, 1)
        column.addWidget(self._search_box())
        column.addLayout(self._settings())
        self.train_button = QPushButton(tr("Train"))
        self.train_button.setObjectName("train")
        self.train_button.setProperty("role", "primary")
        self.train_button.setToolTip(
            tr("Test and train all that are ticked, one after the other (Ctrl+T).")
        )
        self.train_button.clicked.connect(self.train_requested)
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.setObjectName("cancel-training")
        self.cancel_button.setToolTip(tr("End it at once; what is done stays (Ctrl+.)."))
        self.cancel_button.clicked.connect(self.cancel_requested)
        buttons = QHBoxLayout()
        buttons.addWidget(self.train_button, 1)
        buttons.addWidget(self.cancel_button)
        column.addLayout(buttons)
        self.bar = QProgressBar()
        self.bar.setObjectName("training-progress")
        self.bar.setAccessibleName(tr("Progress of training"))
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setRange(0, 1000)
        column.addWidget(self.bar)
        self.left = QLabel()
        self.left.setObjectName("time-left")
        self.left.setFont(font("small"))
        self.left.setProperty("role", "quiet")
        self.left.setWordWrap(True)
        column.addWidget(self.left)
        self.message = QLabel()
        self.message.setObjectName("training-message")
        self.message.setWordWrap(True)
        self.message.setFont(font("small"))
        column.addWidget(self.message)
        self.clear()

    def _search_box(self) -> QWidget:
        self.search = QWidget()
        row = QHBoxLayout(self.search)
        row.setContentsMargins(22, 0, 0, 0)
        self._order = QSpinBox()
        self._order.setObjectName("search-order")
        self._order.setAccessibleName(tr("highest order that is searched"))
        self._order.setRange(2, 10)
        self._order.setValue(6)
        self._lag = QSpinBox()
        self._lag.setObjectName("search-lag")
        self._lag.setAccessibleName(tr("longest lag that is searched (ms)"))
        self._lag.setRange(10, 200)
        self._lag.setSingleStep(10)
        self._lag.setValue(60)
        self._lag.setSuffix(tr(" ms"))
        for text, box in ((tr("order to"), self._order), (tr("lag to"), self._lag)):
            label = QLabel(text)
            label.setFont(font("small"))
            row.addWidget(label)
            row.addWidget(box)
        row.addStretch(1)
        self.search.setVisible(False)
        return self.search

    def _settings(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 4, 0, 4)
        form.setSpacing(6)
        self._test = QComboBox()
        self._test.setObjectName("test")
        self._test.setAccessibleName(tr("How decoders are tested"))
        for text, key in (
            (tr("run by run, if several"), "auto"),
            (tr("shuffled into 5 folds"), "shuffled"),
        ):
            self._test.addItem(text, key)
        self._test.setToolTip(
            tr(
                "About this: a score counts only on trials that the decoder has not seen. With "
                "several runs each run is tested by decoders trained on the others, as a new run "
                "will be; with one run, trials are shuffled into five folds."
            )
        )
        self._test.currentIndexChanged.connect(lambda _: self.test_changed.emit())
        form.addRow(tr("Test"), self._test)
        return form

    # --- what is chosen -------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Decoders that are ticked."""
        return self.list.names

    @property
    def test(self) -> str:
        """How they are tested, as `TrainingPart.compare` takes it."""
        return str(self._test.currentData())

    @property
    def most_order(self) -> int:
        """Highest order of the search."""
        return self._order.value()

    @property
    def longest_s(self) -> float:
        """Longest lag of the search (s)."""
        return self._lag.value() / 1000

    # --- what is shown --------------------------------------------------------------------

    def clear(self) -> None:
        """Return to the empty state."""
        self.list.show_choices((), ())
        self.show_progress(TrainingProgress())
        self.say("")
        self.show_ready(tr("no session is open"))

    def show_choices(self, choices: Sequence[DecoderChoice], ticked: Sequence[str]) -> None:
        """Show the decoders."""
        self.list.show_choices(choices, ticked)
        self._enable()

    def show_ready(self, why_not: str) -> None:
        """Show whether there is anything to train on."""
        self._why_not = why_not
        self._enable()

    def show_progress(self, progress: TrainingProgress) -> None:
        """Show how far the work is."""
        self._busy = progress.busy
        self.bar.setVisible(progress.busy)
        self.bar.setValue(round(1000 * progress.share))
        if progress.busy:
            self.left.setText(f"{progress.what}; {left_words(progress.left_s)}")
        self._enable()

    def say(self, text: str, level: str = "quiet") -> None:
        """Say a thing where it belongs; empty: nothing."""
        self.message.setText(text)
        self.message.setVisible(bool(text))
        set_role(self.message, level)

    def _enable(self) -> None:
        able = not self._busy and not self._why_not and bool(self.names)
        self.train_button.setEnabled(able)
        self.cancel_button.setVisible(self._busy)
        self.search.setVisible(SEARCH in self.names)
        if not self._busy:
            untouched = self.names or not self.list.found
            text = self._why_not or ("" if untouched else tr("tick a decoder or more"))
            self.left.setText(text)
        self.left.setVisible(bool(self.left.text()))
