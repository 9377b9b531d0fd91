"""The Signals step: connect an amplifier, see that all is there, see how good the signals are."""

from collections.abc import Sequence

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from bci.errors import RolandicError
from bci.experiment.session import Notice, Session
from bci.experiment.snapshots import SignalsSnapshot
from bci_app.steps.base import ActionInfo, Step
from bci_app.steps.signals_connect import ConnectPage
from bci_app.steps.signals_live import LivePage
from bci_app.theme import STEP_PX, font, tabular
from bci_app.words import tr

__all__ = ["SignalsStep"]

_LOOK_MS = 250
_SAID_MS = 6000


class SignalsStep(Step):
    """Two pages, one above the other: Streams, and Traces."""

    name = "signals"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.connect_page, self.live_page = ConnectPage(), LivePage()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.connect_page)
        self.pages.addWidget(self.live_page)
        self.stream = QLabel()
        self.stream.setObjectName("signals.stream")
        self.stream.setFont(font("title"))
        self.state = QLabel()
        self.state.setObjectName("signals.state")
        self.state.setFont(tabular())
        self.recording = QLabel()
        self.recording.setObjectName("signals.recording")
        self.recording.setFont(tabular())
        self.recording.setToolTip(
            tr("While a run is recorded: its length, the size of its file, and for how long the "
               "disk lasts at this rate.")
        )  # fmt: skip
        self.to_connect = _tab("signals.page.connect", tr("Streams"))
        self.to_traces = _tab("signals.page.traces", tr("Traces"))
        self.tabs = QButtonGroup(self)
        for number, button in enumerate((self.to_connect, self.to_traces)):
            self.tabs.addButton(button, number)
        self.disconnect_button = QPushButton(tr("Disconnect"))
        self.disconnect_button.setObjectName("signals.disconnect")
        self.message = QLabel()
        self.message.setObjectName("signals.message")
        self.message.setWordWrap(True)
        # Its room stays: what is below must not move when something is said.
        self.message.setMinimumHeight(self.message.fontMetrics().height() + 2)
        head = QHBoxLayout()
        head.setSpacing(STEP_PX)
        head.addWidget(self.stream)
        head.addWidget(self.state)
        head.addStretch(1)
        head.addWidget(self.recording)
        head.addSpacing(STEP_PX)
        head.addWidget(self.to_connect)
        head.addWidget(self.to_traces)
        head.addWidget(self.disconnect_button)
        self.column.addLayout(head)
        self.column.addWidget(self.message)
        self.column.addWidget(self.pages, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._forget = QTimer(self)
        self._forget.setSingleShot(True)
        self._forget.setInterval(_SAID_MS)
        self._forget.timeout.connect(self.message.clear)
        self.tabs.idToggled.connect(self._page_chosen)
        self.disconnect_button.clicked.connect(self.let_go)
        for page in (self.connect_page, self.live_page):
            page.said.connect(self._tell)
        self._was_connected = False
        self.to_connect.setChecked(True)
        self._show(SignalsSnapshot())

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Signals")

    # --- of a session ---------------------------------------------------------------------

    def bound(self, session: Session) -> None:
        """Follow a session."""
        part = session.signals
        self.on(part.events.connection_changed, self._connection_changed, newest=True)
        self.on(part.events.streams_found, self._streams_found, newest=True)
        self.on(part.events.preflight_progressed, self._checked, newest=True)
        self.on(part.events.electrodes_seen, self.live_page.show_electrodes, newest=True)
        self.on(part.events.placed, self.live_page.show_placement, newest=True)
        self.on(part.events.marker_received, self.live_page.add_marker)
        self.on(session.events.record_changed, self.live_page.follow_record, newest=True)
        self.connect_page.set_session(session)
        self.live_page.set_session(session)
        self._was_connected = False
        self._connection_changed()
        self._look()
        if self.isVisible():
            self.entered()

    def unbound(self) -> None:
        """Return to the empty state."""
        self._timer.stop()
        self.live_page.leave()
        if self.session is not None:
            self.session.signals.stop_looking()
        self.connect_page.set_session(None)
        self.live_page.set_session(None)
        self.to_connect.setChecked(True)
        self._show(SignalsSnapshot())

    def entered(self) -> None:
        """Look for streams, and draw."""
        session = self.session
        if session is None:
            return
        self._timer.start()
        session.signals.look_for_streams()
        self.connect_page.show_streams()
        if self.pages.currentWidget() is self.live_page:
            self.live_page.enter()
        self._look()

    def left(self) -> None:
        """Rest."""
        self._timer.stop()
        self.live_page.leave()
        if self.session is not None:
            self.session.signals.stop_looking()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Begin when it comes to the front, also without a main window."""
        super().showEvent(event)
        self.entered()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        """Rest when it is hidden."""
        super().hideEvent(event)
        self.left()

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done by key."""
        page = self.live_page
        return (
            ActionInfo("signals.connect_chosen", tr("Connect the chosen stream"), "Ctrl+Return",
                       self.connect_page.connect_chosen),
            ActionInfo("signals.disconnect_stream", tr("Disconnect"), "Ctrl+Shift+D", self.let_go),
            ActionInfo("signals.check_now", tr("Pre-flight: check"), "F5", self.check),
            ActionInfo("signals.show_connect", tr("Show the streams"), "F2",
                       self.to_connect.click),
            ActionInfo("signals.show_traces", tr("Show the traces"), "F3",
                       self.to_traces.click),
            ActionInfo("signals.finer", tr("Traces: finer scale"), "+",
                       lambda: page.change_scale(1)),
            ActionInfo("signals.coarser", tr("Traces: coarser scale"), "-",
                       lambda: page.change_scale(-1)),
        )  # fmt: skip

    def check(self) -> None:
        """Show the pre-flight, and begin it."""
        self.to_connect.setChecked(True)
        self.connect_page.check()

    def let_go(self) -> None:
        """Disconnect the amplifier."""
        session = self.session
        if session is None or session.signals.acquisition is None:
            return
        try:
            session.signals.disconnect()
        except RolandicError as error:
            self._tell(str(error), "caution")

    def show_notice(self, notice: Notice) -> None:
        """Show a notice of this step in its place."""
        self._tell(notice.text, notice.level)

    # --- what happens ---------------------------------------------------------------------

    def _connection_changed(self) -> None:
        session = self.session
        if session is None:
            return
        connected = session.signals.acquisition is not None
        self.connect_page.show_streams()
        if connected and not self._was_connected and session.signals.unit_question is None:
            self.to_traces.setChecked(True)
        elif not connected and self._was_connected:
            self.to_connect.setChecked(True)
        if connected and not self._was_connected:
            session.signals.check()
        self._was_connected = connected
        self.live_page.show_connection()
        self._look()

    def _streams_found(self, _found: object) -> None:
        self.connect_page.show_streams()

    def _checked(self, _checks: object, _done: bool) -> None:
        self.connect_page.show_checks()
        # The thread is still ending when it says that it is done.
        QTimer.singleShot(50, self.connect_page, self.connect_page.show_checks)

    def _page_chosen(self, number: int, chosen: bool) -> None:
        if not chosen:
            return
        self.pages.setCurrentIndex(number)
        if self.pages.currentWidget() is self.live_page and self.isVisible():
            self.live_page.enter()
        else:
            self.live_page.leave()

    def _tell(self, text: str, level: str) -> None:
        self.message.setText(text)
        _set_role(self.message, level if level in ("caution", "trouble") else "quiet")
        if level == "info":
            self._forget.start()
        else:
            self._forget.stop()
        self.said.emit(text, level)

    def _look(self) -> None:
        if self.session is not None:
            self._show(self.session.signals.snapshot())

    def _show(self, snapshot: SignalsSnapshot) -> None:
        connected = snapshot.state != "none"
        self.disconnect_button.setEnabled(
            connected and not snapshot.recording and not snapshot.connecting
        )
        self.to_traces.setEnabled(connected)
        if snapshot.connecting:
            self.stream.setText(tr("Disconnecting …") if self._leaving() else tr("Connecting …"))
            self.state.setText("")
        elif not connected:
            self.stream.setText(tr("No amplifier connected"))
            self.state.setText("")
        else:
            self.stream.setText(tr("Simulated person") if snapshot.simulated else snapshot.stream)
            how = tr("receiving") if snapshot.state == "receiving" else tr("lost, looked for")
            age = (
                tr(", newest sample {ms:.0f} ms", ms=snapshot.age_ms)
                if snapshot.age_ms is not None
                else ""
            )
            self.state.setText(
                f"{snapshot.n_channels} × {snapshot.rate_hz:g} Hz · {how}"
                + (age if snapshot.state == "receiving" else "")
            )
        _set_role(self.state, "quiet" if snapshot.state in ("receiving", "none") else "trouble")
        self._show_recording(snapshot)

    def _leaving(self) -> bool:
        return self.session is not None and self.session.signals.leaving

    def _show_recording(self, snapshot: SignalsSnapshot) -> None:
        if snapshot.recorder_error:
            self.recording.setText(tr("not recording: {why}", why=snapshot.recorder_error))
            _set_role(self.recording, "trouble")
            return
        if snapshot.recording:
            minutes, seconds = divmod(int(snapshot.recorded_s), 60)
            left = f"  {snapshot.disk_left_h:.3g} h" if snapshot.disk_left_h is not None else ""
            self.recording.setText(
                f"● REC {minutes}:{seconds:02d}  {snapshot.recorded_bytes / 1e6:.1f} MB{left}"
            )
            _set_role(self.recording, "trouble")
            return
        free = snapshot.disk_free_bytes
        self.recording.setText(
            "" if free is None else tr("○ not recording, {gb:.0f} GB free", gb=free / 1e9)
        )
        _set_role(self.recording, "quiet")


def _tab(name: str, text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setCheckable(True)
    button.setProperty("role", "tab")
    return button


def _set_role(widget: QWidget, role: str) -> None:
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
