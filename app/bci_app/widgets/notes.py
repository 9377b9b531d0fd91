"""The clinician's notes: one line to write, the newest above."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QPushButton, QVBoxLayout, QWidget

from bci_app.theme import STEP_PX
from bci_app.words import tr

__all__ = ["Notes"]


class Notes(QWidget):
    """A line to write a note in, and the notes so far with their times."""

    #: What was written.
    written = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLineEdit()
        self.line.setObjectName("online.note")
        self.line.setAccessibleName(tr("Note"))
        self.line.setPlaceholderText(tr("Note: what you see, what the person says (Ctrl+N)"))
        self.line.setMaxLength(500)
        self.line.returnPressed.connect(self._write)
        self.button = QPushButton(tr("Keep"))
        self.button.setObjectName("online.keep_note")
        self.button.setAccessibleName(tr("Keep the note"))
        self.button.setToolTip(tr("Keep the note with the time at which it is kept (Enter)."))
        self.button.clicked.connect(self._write)
        self.listing = QListWidget()
        self.listing.setObjectName("online.notes")
        self.listing.setAccessibleName(tr("Notes"))
        self.listing.setMinimumHeight(48)
        row = QHBoxLayout()
        row.setSpacing(STEP_PX)
        row.addWidget(self.line, 1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP_PX)
        column.addLayout(row)
        column.addWidget(self.listing, 1)

    def show_notes(self, notes: Sequence[Mapping[str, Any]]) -> None:
        """Show notes, given oldest first."""
        lines = [_line(note) for note in reversed(notes)]
        if [self.listing.item(k).text() for k in range(self.listing.count())] == lines:
            return
        self.listing.clear()
        self.listing.addItems(lines)

    def _write(self) -> None:
        text = self.line.text().strip()
        if text:
            self.line.clear()
            self.written.emit(text)


def _line(note: Mapping[str, Any]) -> str:
    at = str(note.get("at", ""))
    try:
        at = datetime.fromisoformat(at).strftime("%H:%M:%S")
    except ValueError:
        pass
    run = str(note.get("run", "")).removesuffix(".xdf")
    return "  ".join(part for part in (at, run, str(note.get("text", ""))) if part)
