"""The rail: the steps, which are done, where one is, and why a later one is not ready."""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from bci.experiment.states import Readiness
from bci_app.theme import STEP_PX, font
from bci_app.words import tr

__all__ = ["Rail"]

_WIDTH_PX = 168


class Rail(QFrame):
    """The steps at the left.

    Parameters
    ----------
    steps : sequence of (str, str)
        Name and title, in order.
    """

    chosen = Signal(str)

    def __init__(self, steps: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(_WIDTH_PX)
        self._titles = dict(steps)
        self._readiness: Mapping[str, Readiness] = {}
        self._troubles: dict[str, str] = {}
        self._current = steps[0][0]
        self._buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(STEP_PX, 2 * STEP_PX, STEP_PX, 2 * STEP_PX)
        column.setSpacing(STEP_PX // 2)
        group = QButtonGroup(self)
        group.setExclusive(True)
        for number, (name, title) in enumerate(steps, 1):
            button = QPushButton()
            button.setObjectName(f"rail.{name}")
            button.setCheckable(True)
            button.setProperty("role", "rail")
            button.setAccessibleName(title)
            button.setToolTip(tr("Ctrl+{number}", number=number))
            button.clicked.connect(self._choose(name))
            group.addButton(button)
            column.addWidget(button)
            self._buttons[name] = button
        column.addSpacing(2 * STEP_PX)
        self._why = QLabel()
        self._why.setWordWrap(True)
        self._why.setFont(font("small"))
        self._why.setProperty("role", "quiet")
        self._why.setAlignment(Qt.AlignmentFlag.AlignTop)
        column.addWidget(self._why, 1)
        self._show()

    def _choose(self, name: str) -> Callable[[], None]:
        return lambda: self.chosen.emit(name)

    def set_current(self, name: str) -> None:
        """Say where one is."""
        self._current = name
        self._show()

    def set_readiness(self, readiness: Mapping[str, Readiness]) -> None:
        """Show what is done and what is ready."""
        self._readiness = readiness
        self._show()

    def set_trouble(self, step: str, text: str) -> None:
        """Turn a step red, with the reason; an empty text ends that."""
        if text:
            self._troubles[step] = text
        else:
            self._troubles.pop(step, None)
        self._show()

    @property
    def troubles(self) -> Mapping[str, str]:
        """Steps in trouble, and why."""
        return self._troubles

    def mark(self, name: str) -> str:
        """Return the sign before a step's name."""
        state = self._readiness.get(name)
        if name in self._troubles:
            return "!"
        if name == self._current:
            return "▶"
        if state is not None and state.done:
            return "✓"
        return "○"

    def _show(self) -> None:
        for name, button in self._buttons.items():
            state = self._readiness.get(name)
            button.setText(f"{self.mark(name)}  {self._titles[name]}")
            button.setChecked(name == self._current)
            trouble = self._troubles.get(name, "")
            waits = state is not None and not state.ready and not state.done
            role = "rail-trouble" if trouble else "rail-waits" if waits else "rail"
            if button.property("role") != role:
                button.setProperty("role", role)
                button.style().unpolish(button)
                button.style().polish(button)
            said = trouble or (state.why_not if state is not None else "")
            button.setToolTip(said or tr("{title} (Ctrl+{number})", title=self._titles[name],
                                         number=list(self._buttons).index(name) + 1))  # fmt: skip
        self._why.setText(self._explanation())

    def _explanation(self) -> str:
        if self._troubles:
            return "\n".join(self._troubles.values())
        state = self._readiness.get(self._current)
        if state is not None and state.why_not:
            return tr("Not ready: {why}", why=state.why_not)
        later = list(self._buttons)[list(self._buttons).index(self._current) + 1 :]
        for name in later:
            state = self._readiness.get(name)
            if state is not None and not state.ready and not state.done:
                return tr("{title}: {why}", title=self._titles[name], why=state.why_not)
        return ""
