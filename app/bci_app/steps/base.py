"""What every step of the window is: a widget that shows one part of a session."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psygnal import SignalInstance
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QVBoxLayout, QWidget

from bci.experiment.states import Notice
from bci_app.relay import Relay

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["ActionInfo", "Step"]


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """An action that can be reached by a key, and stands in the menu.

    Attributes
    ----------
    id : str
        Unique, such as ``"calibrate.start"``.
    text : str
        Translated.
    shortcut : str
        Such as ``"Ctrl+R"``; empty: none.
    triggered : callable
    tip : str
        Translated.
    """

    id: str
    text: str
    shortcut: str
    triggered: Callable[[], object]
    tip: str = ""


class Step(QWidget):
    """A step; alone in a test, or in the main window's stack.

    A subclass sets `name` and `title`, builds its widgets once in its constructor (with an empty
    state that says what will appear and what to do for it), and overrides `bound` and `unbound`.

    Attributes
    ----------
    name : str
        As in `bci.experiment.session.STEPS`.
    session : Session or None
        The one that it shows.
    """

    name = ""
    #: Text for the clinician, level ("info", "caution", "trouble"): shown where the step shows it.
    said = Signal(str, str)
    #: Name of the step that the clinician should be taken to.
    leave_for = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session: Session | None = None
        self._relay = Relay(self)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(16, 16, 16, 16)
        self.column.setSpacing(8)

    @property
    def title(self) -> str:
        """As the rail names it, translated."""
        return self.name

    def bind(self, session: "Session") -> None:
        """Show a session."""
        self.unbind()
        self.session = session
        self._relay = Relay(self)
        self.bound(session)

    def unbind(self) -> None:
        """Show no session any more; harmless without."""
        if self.session is None:
            return
        self._relay.close()
        self.unbound()
        self.session = None

    def on(
        self, event: SignalInstance, slot: Callable[..., object], *, newest: bool = False
    ) -> None:
        """Let a slot follow an event of the session, in this thread, until `unbind`."""
        self._relay.connect_event(event, slot, newest=newest)

    def bound(self, session: "Session") -> None:
        """Connect to a session's events and show how it is."""

    def unbound(self) -> None:
        """Return to the empty state."""

    def entered(self) -> None:
        """Start what only a visible step needs: it has come to the front."""

    def left(self) -> None:
        """Stop what only a visible step needs: it is hidden."""

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        return ()

    def add_actions(self) -> list[QAction]:
        """Make the offered actions actions of this widget: their keys hold while it is shown.

        Each is made once, however often this is called: Qt obeys neither of two with one key.
        """
        there = {action.objectName(): action for action in self.actions()}
        made = []
        for info in self.actions_offered():
            if info.id in there:
                made.append(there[info.id])
                continue
            action = QAction(info.text, self)
            action.setObjectName(info.id)
            if info.shortcut:
                action.setShortcut(QKeySequence(info.shortcut))
            action.setToolTip(info.tip or info.text)
            action.triggered.connect(lambda _=False, call=info.triggered: call())
            self.addAction(action)
            made.append(action)
        return made

    def show_notice(self, notice: Notice) -> None:
        """Show a notice that belongs to this step; by default the main window does."""
        self.said.emit(notice.text, notice.level)
