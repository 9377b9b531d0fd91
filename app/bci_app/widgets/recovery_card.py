"""A card that says what a crash left, and offers to rejoin what still goes on."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from bci_app.theme import STEP_PX, font
from bci_app.words import tr

if TYPE_CHECKING:
    from bci.experiment.recovery import Orphan

__all__ = ["RecoveryCard"]


class RecoveryCard(QFrame):
    """Hidden while there is nothing to say."""

    #: The recording, and whether it is to go on.
    rejoin_requested = Signal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setObjectName("session.recovery")
        self._orphan: Orphan | None = None
        self.headline = QLabel()
        self.headline.setProperty("role", "caution")
        self.headline.setFont(font(bold=True))
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.go_on = QPushButton(tr("Rejoin and record on"))
        self.go_on.setProperty("role", "primary")
        self.end = QPushButton(tr("Stop it and keep what there is"))
        for button, name, on in ((self.go_on, "go_on", True), (self.end, "end", False)):
            button.setObjectName(f"session.recovery.{name}")
            button.setAccessibleName(button.text())
            button.clicked.connect(lambda _=False, on=on: self._ask(on))
        self.go_on.setToolTip(
            tr("The recording goes on, with the cues of this session, until you press Stop.")
        )
        self.end.setToolTip(tr("The file is closed in order, and is a run as far as it goes."))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.headline)
        words.addWidget(self.text)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * STEP_PX, STEP_PX, 2 * STEP_PX, STEP_PX)
        row.setSpacing(STEP_PX)
        row.addLayout(words, 1)
        row.addWidget(self.go_on)
        row.addWidget(self.end)
        self.show_state((), (), busy=False)

    def show_state(
        self, orphans: "tuple[Orphan, ...]", told: tuple[str, ...], *, busy: bool
    ) -> None:
        """Show recordings that wait, or what was done, or nothing.

        Parameters
        ----------
        orphans : tuple of Orphan
        told : tuple of str
        busy : bool
            A run is going on: nothing can be rejoined now.
        """
        self._orphan = orphans[0] if orphans else None
        if self._orphan is not None:
            self.headline.setText(tr("▲ A recording still goes on"))
            name, closes = self._orphan.path.name, self._orphan.closes_at
            text = tr("{name}: its window was closed or crashed; not a sample is lost.", name=name)
            if closes is not None:
                at = closes.strftime("%H:%M")
                text += " " + tr("At {at} it closes by itself, and is kept.", at=at)
            self.text.setText(text)
        else:
            self.headline.setText(tr("▲ Found again"))
            self.text.setText("\n".join(told[-3:]))
        for button in (self.go_on, self.end):
            button.setVisible(self._orphan is not None)
            button.setEnabled(not busy)
        self.setVisible(bool(orphans or told))

    def _ask(self, on: bool) -> None:
        if self._orphan is not None:
            self.rejoin_requested.emit(self._orphan, on)
