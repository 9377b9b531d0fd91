"""Signals, before the traces: which streams are there, and whether all is ready."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from bci.experiment.session import Session
from bci.experiment.signals import UnitQuestion
from bci_app.theme import STEP_PX, font
from bci_app.widgets.check_list import CheckList
from bci_app.widgets.stream_list import SIMULATED, StreamList
from bci_app.words import tr

__all__ = ["ConnectPage"]

_UNITS = ("uV", "mV", "nV", "V")


class ConnectPage(QWidget):
    """Streams at the left, pre-flight at the right.

    Signals
    -------
    said : str, str
        Text, level.
    """

    said = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self.streams = StreamList()
        self.connect_button = QPushButton(tr("Connect"))
        self.connect_button.setObjectName("signals.connect")
        self.connect_button.setProperty("role", "primary")
        self.hint = QLabel()
        self.hint.setObjectName("signals.hint")
        self.hint.setWordWrap(True)
        self.hint.setProperty("role", "quiet")
        self.checks = CheckList()
        self.counts = QLabel()
        self.counts.setObjectName("signals.counts")
        self.counts.setWordWrap(True)
        self.check_button = QPushButton(tr("Check"))
        self.check_button.setObjectName("signals.check")
        self.check_button.setToolTip(
            tr("Looks whether every stream is there, once, with its channels, rate and clock, and "
               "whether the disk takes the recording. It takes some three seconds.")
        )  # fmt: skip
        self.unit = _UnitAsker()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * STEP_PX)
        row.addWidget(self._left(), 3)
        row.addWidget(self._right(), 2)
        self.streams.chosen_changed.connect(self._show_chosen)
        self.streams.wished.connect(self.connect_chosen)
        self.connect_button.clicked.connect(self.connect_chosen)
        self.check_button.clicked.connect(self.check)
        self.unit.answered.connect(self._answer)
        self.clear()

    def _left(self) -> QWidget:
        panel = _panel(tr("Amplifiers"))
        lead = QLabel(
            tr("Switch the amplifier's program on: its stream appears here by itself. Or try all "
               "with the simulated person.")
        )  # fmt: skip
        lead.setWordWrap(True)
        lead.setProperty("role", "quiet")
        panel.column.addWidget(lead)
        panel.column.addWidget(self.streams, 1)
        panel.column.addWidget(self.unit)
        below = QHBoxLayout()
        below.addWidget(self.hint, 1)
        below.addWidget(self.connect_button)
        panel.column.addLayout(below)
        return panel

    def _right(self) -> QWidget:
        panel = _panel(tr("Pre-flight"))
        panel.head.addStretch(1)
        panel.head.addWidget(self.check_button)
        panel.column.addWidget(self.counts)
        panel.column.addWidget(self.checks, 1)
        return panel

    # --- of a session ---------------------------------------------------------------------

    def set_session(self, session: Session | None) -> None:
        """Show a session, or none."""
        self._session = session
        self.clear()
        if session is not None:
            self.show_streams()
            self.show_checks()

    def clear(self) -> None:
        """Return to the empty state."""
        self.streams.set_entries(())
        self.counts.setText(tr("Not checked yet"))
        self.checks.set_checks(
            (), tr("What is expected, found, missing or there twice will be listed here, with what "
                   "to do about it. Press Check.")
        )  # fmt: skip
        self.unit.ask(None)
        self._show_chosen()

    def show_streams(self) -> None:
        """List what was found last."""
        session = self._session
        if session is None:
            return
        part = session.signals
        connected = ""
        if part.acquisition is not None:
            simulated = part.simulator is not None
            connected = SIMULATED if simulated else part.acquisition.info.source_id
        simulated_id = part.simulator.query.source_id if part.simulator is not None else None
        found = [
            entry
            for entry in part.found or ()
            if simulated_id is None or not entry.source_id.startswith(simulated_id)
        ]
        self.streams.set_entries(found, connected=connected, last=session.setup.stream)
        self.unit.ask(part.unit_question)
        self._show_chosen()

    def show_checks(self) -> None:
        """List what the pre-flight has found so far."""
        session = self._session
        if session is None:
            return
        part = session.signals
        self.check_button.setEnabled(not part.checking)
        if part.checking:
            self.counts.setText(tr("Looking …"))
        if not part.checks:
            return
        self.checks.set_checks(part.checks)
        counts = part.stream_counts()
        if not part.checking:
            bad = sum(check.status == "failed" for check in part.checks)
            ready = tr("ready") if not bad else tr("not ready: {n} to mend", n=bad)
            self.counts.setText(
                tr("{expected} streams expected: {found} found, {missing} missing, {doubled} "
                   "doubled — {ready}", expected=counts.expected, found=counts.found,
                   missing=counts.missing, doubled=counts.doubled, ready=ready)
            )  # fmt: skip

    def check(self) -> None:
        """Begin a pre-flight."""
        if self._session is not None:
            self._session.signals.check()
            self.show_checks()

    def connect_chosen(self) -> None:
        """Connect what is chosen."""
        session, key = self._session, self.streams.chosen
        if session is None or key is None or session.signals.connecting:
            return
        if session.active is not None:
            self.said.emit(tr("A run is going on: stop it before another connection."), "caution")
            return
        if key == SIMULATED:
            session.signals.start_simulator()
        elif (entry := self.streams.chosen_entry) is not None:
            session.signals.connect(entry.query)

    def _answer(self, unit: str) -> None:
        if self._session is not None:
            self._session.signals.declare_unit(unit)
            self.unit.ask(None)

    def _show_chosen(self) -> None:
        session = self._session
        part = session.signals if session is not None else None
        busy = part is not None and part.connecting
        key, entry = self.streams.chosen, self.streams.chosen_entry
        there = part.acquisition if part is not None else None
        simulated = part is not None and part.simulator is not None
        is_it = there is not None and (
            key == SIMULATED
            if simulated
            else entry is not None and entry.source_id == there.info.source_id
        )
        self.connect_button.setEnabled(part is not None and bool(key) and not busy and not is_it)
        words = tr("Please wait …") if busy else tr("Connected") if is_it else tr("Connect")
        self.connect_button.setText(words)
        role, text = "quiet", ""
        if part is not None and part.failure and not busy:
            role, text = "trouble", part.failure
        elif session is None:
            text = tr("Open a session first: in Session.")
        elif key == SIMULATED:
            text = tr("A simulated amplifier, and a person who imagines what the cues say.")
        elif entry is not None:
            text = tr("{name}, {n} channels, on {host}", name=entry.name, n=entry.n_channels,
                      host=entry.host)  # fmt: skip
        self.hint.setText(text)
        if self.hint.property("role") != role:
            self.hint.setProperty("role", role)
            self.hint.style().polish(self.hint)


class _UnitAsker(QFrame):
    """Asks in which unit a stream's numbers are, where it does not say."""

    answered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("signals.unit")
        self.setAccessibleName(tr("Unit of the signal"))
        self.setProperty("role", "panel")
        column = QVBoxLayout(self)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setProperty("role", "caution")
        column.addWidget(self.text)
        row = QHBoxLayout()
        self.buttons: dict[str, QPushButton] = {}
        for unit in _UNITS:
            button = QPushButton(unit.replace("u", "µ"))
            button.setObjectName(f"signals.unit.{unit}")
            button.clicked.connect(lambda _=False, unit=unit: self.answered.emit(unit))
            self.buttons[unit] = button
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        self.hide()

    def ask(self, question: UnitQuestion | None) -> None:
        """Ask, or be silent."""
        self.setVisible(question is not None)
        if question is None:
            return
        self.text.setText(
            tr("{question}. In which unit does the amplifier send? By their size the numbers look "
               "like {unit}.", question=question.text, unit=question.suggested.replace("u", "µ"))
        )  # fmt: skip
        for unit, button in self.buttons.items():
            button.setProperty("role", "primary" if unit == question.suggested else "")
            button.style().polish(button)


class _Panel(QFrame):
    column: QVBoxLayout
    head: QHBoxLayout


def _panel(title: str) -> _Panel:
    """Return a panel with a title."""
    panel = _Panel()
    panel.setProperty("role", "panel")
    panel.column = QVBoxLayout(panel)
    panel.column.setContentsMargins(2 * STEP_PX, STEP_PX, 2 * STEP_PX, STEP_PX)
    panel.column.setSpacing(STEP_PX)
    panel.head = QHBoxLayout()
    label = QLabel(title)
    label.setFont(font("body", bold=True))
    label.setAlignment(Qt.AlignmentFlag.AlignVCenter)
    panel.head.addWidget(label)
    panel.column.addLayout(panel.head)
    return panel
