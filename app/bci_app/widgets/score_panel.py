"""The scores of a comparison: one row a decoder, as each is done, and how they were tested."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from bci.evaluation.comparison import Difference
from bci.experiment.training import TrainingRow
from bci.experiment.worker import TaskState
from bci_app.theme import font
from bci_app.widgets.interval_rows import IntervalRow, IntervalRows
from bci_app.words import tr

__all__ = ["ScorePanel", "difference_words", "protocol_words"]


def protocol_words(protocol: str) -> str:
    """Return in words how decoders are tested."""
    if protocol == "leave-one-run-out":
        return tr("Each run is tested by decoders trained on the other runs.")
    if not protocol:
        return ""
    return tr(
        "Trials are shuffled into {folds}; each is tested by decoders trained on the others.",
        folds=protocol.partition(", ")[2],
    )


def difference_words(found: Difference) -> str:
    """Return a difference of two attempts as a sentence."""
    metric = {"roc_auc": tr("ROC-AUC"), "accuracy": tr("accuracy"), "nmcc": "nMCC"}[found.metric]
    verdict = (
        tr("more than chance explains")
        if found.p_holm < 0.05
        else tr("no more than chance explains")
    )
    return tr(
        "{first} minus {second}: {metric} {mean:+.2f} [{low:+.2f}, {high:+.2f}], p = {p:.3f} "
        "({n} trials): {verdict}.",
        first=found.first, second=found.second, metric=metric, mean=found.mean, low=found.low,
        high=found.high, p=found.p_holm, n=found.n_trials, verdict=verdict,
    )  # fmt: skip


class ScorePanel(QFrame):
    """Rows of scores with a heading, and the protocol in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        row = QHBoxLayout()
        heading = QLabel(tr("Accuracy on trials not seen"))
        heading.setFont(font(bold=True))
        row.addWidget(heading)
        row.addStretch(1)
        self._key = QLabel(tr("┆ dashed: what chance seldom passes (5 %)"))
        self._key.setProperty("role", "caution")
        self._key.setFont(font("small"))
        row.addWidget(self._key)
        column.addLayout(row)
        self.protocol = QLabel()
        self.protocol.setObjectName("protocol")
        self.protocol.setProperty("role", "quiet")
        self.protocol.setFont(font("small"))
        self.protocol.setWordWrap(True)
        column.addWidget(self.protocol)
        self.rows = IntervalRows()
        self.rows.setObjectName("scores")
        self.rows.setToolTip(
            tr(
                "About this: the dot is the share of trials decided right, by decoders that had "
                "not seen them; the line is its 95 % interval: more trials make it shorter. A "
                "filled dot lies above what chance seldom passes, an open one does not. Behind "
                "the best: the paired difference on the same trials, and its p-value (permutation, "
                "adjusted for all pairs); above 0.05 it may be luck. The best of many is a little "
                "lucky: expect it somewhat lower online."
            )
        )
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self.rows)
        # The panel shows through.
        area.viewport().setAutoFillBackground(False)
        self.rows.setAutoFillBackground(False)
        column.addWidget(area, 1)
        self._empty = QLabel(
            tr(
                "Tick decoders at the left and press Train: each appears here as it is done, with "
                "its interval and the chance line."
            )
        )
        self._empty.setProperty("role", "quiet")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._empty, 1)
        self._area = area
        self.setMinimumHeight(130)

    def show_rows(self, rows: Sequence[TrainingRow], protocol: str) -> None:
        """Show a comparison; without rows, what will appear."""
        words = protocol_words(protocol)
        if words:
            words += " " + tr("All that a decoder chooses it chooses without the tested trials.")
        self.protocol.setText(words)
        self.protocol.setVisible(bool(words))
        self._area.setVisible(bool(rows))
        self._key.setVisible(bool(rows))
        self._empty.setVisible(not rows)
        self.rows.show_rows([_shown(row) for row in rows])


def _shown(row: TrainingRow) -> IntervalRow:
    waiting = {
        TaskState.WAITING: tr("waits"),
        TaskState.RUNNING: tr("is being tested …"),
        TaskState.CANCELLED: tr("cancelled"),
        TaskState.FAILED: row.error,
        TaskState.DONE: "",
    }[row.state]
    attempt = row.attempt
    # Two classes are ranked by what does not hang on where the threshold lies.
    best = tr("best AUC") if attempt is not None and attempt.roc_auc else tr("best")
    if attempt is None or attempt.accuracy is None:
        failed = row.state is TaskState.FAILED
        return IntervalRow("", row.decoder, text=waiting, trouble=failed)
    score = attempt.accuracy
    text = f"{100 * score.mean:.0f} % [{100 * score.low:.0f}–{100 * score.high:.0f}]"
    if attempt.roc_auc is not None:
        text += f"  AUC {attempt.roc_auc.mean:.2f}"
    if row.behind is not None:
        text += tr(", {mean:.2f} behind, p {p:.2f}", mean=row.behind.mean, p=row.behind.p_holm)
    return IntervalRow(
        attempt.file,
        row.decoder,
        score.mean,
        score.low,
        score.high,
        attempt.chance_95,
        text,
        best if row.best else "",
    )
