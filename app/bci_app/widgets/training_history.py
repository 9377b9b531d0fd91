"""All attempts of a session, and what can be done with them: use, compare, learning curve."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from bci.experiment.attempts import Attempt
from bci_app.theme import font
from bci_app.widgets.attempt_table import AttemptTable
from bci_app.widgets.roles import set_role
from bci_app.words import tr

__all__ = ["HistoryPanel"]


class HistoryPanel(QFrame):
    """The history with its buttons, and a line that says what came of them."""

    use_requested = Signal()
    compare_requested = Signal()
    learn_requested = Signal()
    open_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 12, 8)
        column.setSpacing(4)
        top = QHBoxLayout()
        self._heading = QLabel()
        self._heading.setFont(font(bold=True))
        top.addWidget(self._heading)
        top.addStretch(1)
        self.open_button = self._button(
            top, "open-model", tr("Open …"),
            tr("Take a model file from elsewhere; it is checked against the stream first."),
        )  # fmt: skip
        self.learn_button = self._button(
            top, "learning-curve", tr("Learning curve"),
            tr("How many trials are enough for the chosen decoder? (Ctrl+L)"),
        )  # fmt: skip
        self.compare_button = self._button(
            top, "compare-attempts", tr("Compare"),
            tr("Mark two lines or more (Ctrl+click): their paired differences. (Ctrl+D)"),
        )  # fmt: skip
        self.use_button = self._button(
            top, "use", tr("Use"), tr("Decode online with the chosen attempt. (Ctrl+U)")
        )
        self.use_button.setProperty("role", "primary")
        self.open_button.clicked.connect(self.open_requested)
        self.learn_button.clicked.connect(self.learn_requested)
        self.compare_button.clicked.connect(self.compare_requested)
        self.use_button.clicked.connect(self.use_requested)
        column.addLayout(top)
        self.table = AttemptTable()
        self.table.setMinimumHeight(72)
        column.addWidget(self.table, 1)
        self.message = QLabel()
        self.message.setObjectName("attempts-message")
        self.message.setWordWrap(True)
        # Its line is always there: nothing moves when something is said.
        self.message.setMinimumHeight(self.message.fontMetrics().height())
        column.addWidget(self.message)
        self.misfit = QLabel()
        self.misfit.setObjectName("misfit")
        self.misfit.setWordWrap(True)
        self.misfit.setProperty("role", "trouble")
        column.addWidget(self.misfit)
        self.say("")
        self.show_attempts((), "", "")

    @staticmethod
    def _button(row: QHBoxLayout, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setToolTip(tip)
        row.addWidget(button)
        return button

    def show_attempts(self, attempts: Sequence[Attempt], in_use: str, misfit: str) -> None:
        """Show attempts; `in_use` is the file of the one that decodes online."""
        heading = tr("All attempts: {n}", n=len(attempts)) if attempts else tr(
            "All attempts: none yet; every decoder that is trained stays here"
        )  # fmt: skip
        self._heading.setText(heading)
        self.table.show_attempts(attempts, in_use)
        self.show_misfit(misfit)

    def show_misfit(self, misfit: str) -> None:
        """Say why the model in use does not fit the connected stream; empty: it does."""
        self.misfit.setText(tr("In use, but: {why}", why=misfit) if misfit else "")
        self.misfit.setVisible(bool(misfit))

    def enable(self, *, one: bool, several: bool, busy: bool) -> None:
        """Allow what can be done with the number of attempts that are marked."""
        self.use_button.setEnabled(one)
        self.learn_button.setEnabled(one and not busy)
        self.compare_button.setEnabled(several)

    def say(self, text: str, level: str = "quiet") -> None:
        """Say a thing where it belongs; empty: nothing."""
        self.message.setText(text)
        set_role(self.message, level)
