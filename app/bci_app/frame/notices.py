"""What has to be said, in words, in a line that opens no dialog over a running patient."""

import time
from collections import deque

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from bci.experiment.states import Notice
from bci_app.theme import STEP_PX
from bci_app.widgets.roles import set_role
from bci_app.words import tr

__all__ = ["NoticeBar"]

_KEPT = 500
_SIGNS = {"info": "ℹ", "caution": "△", "trouble": "✗"}
_RANK = {"info": 0, "caution": 1, "trouble": 2}


class NoticeBar(QFrame):
    """The newest notice, until it is dismissed; all of them are kept for the list.

    A worse one is not pushed aside by a lesser: it stays until it is dismissed, and the lesser
    goes to the list.
    """

    all_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.kept: deque[Notice] = deque(maxlen=_KEPT)
        self._shown: Notice | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * STEP_PX, STEP_PX // 2, STEP_PX, STEP_PX // 2)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setObjectName("notice.text")
        self._all = QPushButton(tr("All messages"))
        self._all.clicked.connect(lambda: self.all_requested.emit())
        self._dismiss = QPushButton(tr("Dismiss"))
        self._dismiss.setObjectName("notice.dismiss")
        self._dismiss.setToolTip(tr("It stays in the list of messages (Ctrl+M)."))
        self._dismiss.clicked.connect(self.dismiss)
        row.addWidget(self._text, 1)
        row.addWidget(self._all)
        row.addWidget(self._dismiss)
        self.hide()

    def add(self, notice: Notice) -> None:
        """Show a notice, or keep it when a worse one is on show."""
        self.kept.append(notice)
        if self._shown is not None and _RANK[notice.level] < _RANK[self._shown.level]:
            return
        self._shown = notice
        self._text.setText(f"{_SIGNS[notice.level]}  {notice.text}")
        set_role(self, f"notice-{notice.level}")
        self.show()

    def dismiss(self) -> None:
        """Put the notice away."""
        self._shown = None
        self.hide()

    @property
    def text(self) -> str:
        """What is on show; empty when nothing is."""
        return self._shown.text if self._shown is not None else ""

    def listing(self) -> str:
        """Return all that was said, newest first, one line each."""
        return "\n".join(
            f"{time.strftime('%H:%M:%S', time.localtime(notice.at_s))}  "
            f"{_SIGNS[notice.level]}  {notice.text}"
            for notice in reversed(self.kept)
        )
