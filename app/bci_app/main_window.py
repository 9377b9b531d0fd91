"""The main window: the rail, the strips, the notices, and the steps in a stack.

It binds the steps to a session, relays what the session says, and asks ten times a second how the
stream is. It decides nothing.

Only the first step is needed to begin with. What the others need takes seconds to import: they are
imported in a thread (`MainWindow.prepare`), then built and bound one in a turn of the event loop.
"""

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from bci.errors import RolandicError
from bci.experiment.states import ActiveRun, Notice
from bci.workspace import RunRecord
from bci_app.frame.about import TextPage, about_html, keys_html
from bci_app.frame.notices import NoticeBar
from bci_app.frame.rail import Rail
from bci_app.frame.step_loader import StepLoader
from bci_app.frame.strips import LowerStrip, UpperStrip
from bci_app.relay import Relay
from bci_app.remembered import remembered
from bci_app.steps.base import ActionInfo, Step
from bci_app.steps.session import SessionStep
from bci_app.theme import apply_theme, tokens
from bci_app.words import tr

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["MainWindow"]

_TICK_MS = 100


def _titles() -> dict[str, str]:
    """Return the steps' names, in their order, each with what the rail calls it."""
    return {
        "session": tr("Session"),
        "signals": tr("Signals"),
        "calibrate": tr("Calibrate"),
        "features": tr("Features"),
        "train": tr("Train"),
        "online": tr("Online"),
        "report": tr("Report"),
    }


class MainWindow(QMainWindow):
    """The window.

    Parameters
    ----------
    at_once : bool
        Build all steps now; else the first alone, and the others after `prepare`.

    Attributes
    ----------
    session : Session or None
    steps : dict of str to Step
        Those that are built, in their order.
    """

    #: All steps are built.
    prepared = Signal()

    #: A session that was made in another thread; why none was.
    _made, _failed = Signal(object), Signal(str)

    def __init__(self, *, at_once: bool = True) -> None:
        super().__init__()
        self.setWindowTitle("Rolandic")
        self.setMinimumSize(1120, 720)
        self.session: Session | None = None
        self._titles = _titles()
        self._relay = Relay(self)
        self._pages: list[TextPage] = []
        self._closing: list[threading.Thread] = []
        self.steps: dict[str, Step] = {}
        self._stack = QStackedWidget()
        self._waiting = QLabel(tr("One moment: this step is being prepared."))
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack.addWidget(self._waiting)
        self._wanted = ""
        self._unbound: list[str] = []
        self.rail = Rail(list(self._titles.items()))
        self.rail.chosen.connect(self.go_to)
        self.above, self.below, self.notices = UpperStrip(), LowerStrip(), NoticeBar()
        self.below.stop_requested.connect(self.stop)
        self.notices.all_requested.connect(self.show_messages)
        self._lay_out()
        self.actions_of_window = self._make_actions()
        self._made.connect(self._open_demo)
        self._failed.connect(lambda text: self.notices.add(Notice(text, "trouble", "session")))
        self._build("session")
        session_step = self.steps["session"]
        if isinstance(session_step, SessionStep):
            session_step.open_requested.connect(self.open_session)
        others = [name for name in self._titles if name not in self.steps]
        self._loader = StepLoader(others, _import_ahead, self)
        self._loader.imported.connect(self._build_next)
        self._loader.failed.connect(self._step_is_broken)
        self._loader.finished.connect(self.prepared)
        if at_once:
            for name in others:
                self._build(name)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        self._lost_told = False
        self._restore_place()
        self.go_to("session")

    def prepare(self) -> None:
        """Import the steps that are not built yet, in a thread, and build them."""
        self._loader.start()

    def _build_next(self, name: str) -> None:
        try:
            self._build(name)
        finally:
            self._loader.built()

    def _build(self, name: str) -> None:
        """Build a step; its module is imported here if it is not there yet."""
        module = importlib.import_module(f"bci_app.steps.{name}")
        step: Step = getattr(module, f"{name.title()}Step")()
        step.said.connect(self._told(name))
        step.leave_for.connect(self.go_to)
        step.add_actions()
        self._take_keys_from(step)
        self.steps[name] = step
        self._stack.addWidget(step)
        if self.session is not None:
            self._unbound.append(name)
            QTimer.singleShot(0, self, self._bind_next)
        if self._wanted == name:
            self.go_to(name)

    def _step_is_broken(self, name: str, why: str) -> None:
        text = tr("{title} cannot be shown ({why}): install Rolandic again.",
                  title=self._titles[name], why=why)  # fmt: skip
        self.notices.add(Notice(text, "trouble", name))

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        right.setSpacing(0)
        right.setContentsMargins(0, 0, 0, 0)
        right.addWidget(self.notices)
        right.addWidget(self._stack, 1)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addLayout(right, 1)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.above)
        column.addLayout(middle, 1)
        column.addWidget(self.below)
        self.setCentralWidget(whole)

    # --- actions --------------------------------------------------------------------------

    def _infos(self) -> list[ActionInfo]:
        goes = [
            ActionInfo(f"go.{name}", title, f"Ctrl+{number}", self._going(name))
            for number, (name, title) in enumerate(self._titles.items(), 1)
        ]
        return [
            *goes,
            ActionInfo("run.stop", tr("Stop the run"), "Ctrl+.", self.stop),
            ActionInfo("view.theme", tr("Dark or light"), "Ctrl+Shift+T", self.switch_theme),
            ActionInfo("view.full_screen", tr("Full screen"), "F11", self.switch_full_screen),
            ActionInfo("view.messages", tr("Messages"), "Ctrl+M", self.show_messages),
            ActionInfo("help.keys", tr("Keys"), "F1", self.show_keys),
            ActionInfo("help.about", tr("About Rolandic"), "", self.show_about),
            ActionInfo("window.menu", tr("Menu"), "F10", self._open_menu),
            ActionInfo("window.close", tr("Leave"), "Ctrl+Q", self.close),
        ]

    def _make_actions(self) -> dict[str, QAction]:
        made = {}
        self._menu = QMenu(self)
        for info in self._infos():
            action = QAction(info.text, self)
            action.setObjectName(info.id)
            if info.shortcut:
                action.setShortcut(QKeySequence(info.shortcut))
                action.setShortcutContext(Qt.ShortcutContext.ApplicationShortcut)
            action.triggered.connect(_without_argument(info.triggered))
            self.addAction(action)
            made[info.id] = action
            if info.id.startswith("go."):
                continue
            if info.id in ("view.theme", "help.keys", "window.close"):
                self._menu.addSeparator()
            if info.id != "window.menu":
                self._menu.addAction(action)
        self.above.menu.setMenu(self._menu)
        return made

    def _take_keys_from(self, step: Step) -> None:
        """Let a key that the window has be the window's alone: Qt obeys neither of two."""
        taken = {action.shortcut().toString() for action in self.actions_of_window.values()}
        for action in step.actions():
            if not action.shortcut().isEmpty() and action.shortcut().toString() in taken:
                action.setShortcut(QKeySequence())

    def _going(self, name: str) -> Callable[[], None]:
        return lambda: self.go_to(name)

    def _told(self, step: str) -> Callable[[str, str], None]:
        return lambda text, level: self.notices.add(Notice(text, level or "info", step))

    def _open_menu(self) -> None:
        self.above.menu.showMenu()

    def go_to(self, name: str) -> None:
        """Bring a step to the front."""
        step, current = self.steps.get(name), self._stack.currentWidget()
        if isinstance(current, Step) and current is not step:
            current.left()
        self.rail.set_current(name)
        self._wanted = name if step is None else ""
        if step is None:
            self._stack.setCurrentWidget(self._waiting)
            return
        self._bind(name)
        self._stack.setCurrentWidget(step)
        step.entered()
        step.setFocus()

    @property
    def current(self) -> str:
        """Name of the step at the front."""
        widget = self._stack.currentWidget()
        return widget.name if isinstance(widget, Step) else self._wanted

    def stop(self) -> None:
        """End the run that is going on."""
        if self.session is not None:
            self.session.stop()

    def switch_theme(self) -> None:
        """Change between dark and light."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, dark=not tokens().dark)
            remembered().setValue("dark", tokens().dark)

    def switch_full_screen(self) -> None:
        """Fill the screen, or stop to."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def show_messages(self) -> None:
        """Show all that was said."""
        self._show_page(tr("Messages"), self.notices.listing() or tr("Nothing has been said yet."))

    def show_keys(self) -> None:
        """Show all keys."""
        step = self.steps.get(self.current)
        actions = [*self.actions_of_window.values(), *(step.actions() if step is not None else ())]
        self._show_page(tr("Keys"), keys_html(actions))

    def show_about(self) -> None:
        """Show what Rolandic is."""
        self._show_page(tr("About Rolandic"), about_html())

    def _show_page(self, title: str, content: str) -> None:
        page = TextPage(title, content, self)
        page.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._pages.append(page)
        page.destroyed.connect(lambda: self._pages.remove(page) if page in self._pages else None)
        page.show()

    # --- the session ----------------------------------------------------------------------

    def open_session(self, session: "Session") -> None:
        """Show a session: at once in the step that comes to the front, then in one step a turn.

        The one before is closed.
        """
        self.close_session()
        self.session = session
        self._relay = Relay(self)
        self._relay.connect_event(session.events.noticed, self._noticed)
        self._relay.connect_event(session.events.readiness_changed, self._show_ready, newest=True)
        self._relay.connect_event(session.events.record_changed, self._show_who, newest=True)
        self._relay.connect_event(session.events.run_started, self._run_started)
        self._relay.connect_event(session.events.run_finished, self._run_finished)
        self._relay.connect_event(session.events.run_failed, self._run_failed)
        self._unbound = list(self.steps)
        self._show_who()
        self._show_ready()
        self.go_to("signals" if session.record.runs == [] else self.current)
        QTimer.singleShot(0, self, self._bind_next)

    def _bind(self, name: str) -> None:
        """Show the session in a step, if it does not show it yet."""
        if self.session is not None and name in self._unbound:
            self._unbound.remove(name)
            self.steps[name].bind(self.session)

    def _bind_next(self) -> None:
        """Go on with one step: all together would stop the window for a tenth of a second."""
        if self._unbound:
            self._bind(self._unbound[0])
            QTimer.singleShot(0, self, self._bind_next)

    def close_session(self) -> None:
        """Show no session; it is closed in a thread: its files are read back and sealed there."""
        session, self.session = self.session, None
        if session is None:
            return
        self._relay.close()
        self._unbound.clear()
        for step in self.steps.values():
            step.unbind()
        closing = threading.Thread(target=session.close, name="close session")
        self._closing = [thread for thread in self._closing if thread.is_alive()] + [closing]
        closing.start()
        self._show_who()
        self._show_ready()

    def open_workspace(self, folder: Path) -> None:
        """Start with a workspace."""
        step = self.steps["session"]
        if isinstance(step, SessionStep):
            step.choose_workspace(folder)

    def start_demo(self) -> None:
        """Open a session with a simulated patient, on a simulated amplifier."""
        self.notices.add(
            Notice(tr("Demonstration: a simulated patient on a simulated amplifier."), "info")
        )

        def make() -> None:
            from bci.experiment.demo import demo_session

            try:
                session = demo_session()
            except RolandicError as error:
                self._failed.emit(str(error))
            else:
                self._made.emit(session)

        threading.Thread(target=make, name="demo", daemon=True).start()

    def _open_demo(self, session: "Session") -> None:
        self.open_session(session)
        session.signals.start_simulator({"ability": 1.0, "seed": 1})

    def end(self) -> None:
        """Wait until everything is on the disk; after the event loop."""
        self._loader.wait()
        self.close_session()
        for closing in self._closing:
            closing.join()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Ask before a run that is going on is ended."""
        if self.session is not None and self.session.active is not None and not self._leave():
            event.ignore()
            return
        settings = remembered()
        settings.setValue("geometry", self.saveGeometry())
        self._timer.stop()
        for page in list(self._pages):
            page.close()
        self.close_session()
        event.accept()
        super().closeEvent(event)

    def _leave(self) -> bool:
        answer = QMessageBox.question(
            self,
            tr("A run is going on"),
            tr("End the run and leave? What was recorded so far is kept."),
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,  # Enter, pressed by mistake, ends nothing
        )
        return answer == QMessageBox.StandardButton.Yes

    def _restore_place(self) -> None:
        kept = remembered().value("geometry")
        if isinstance(kept, QByteArray) and self.restoreGeometry(kept):
            return
        screen = QGuiApplication.primaryScreen()
        room = screen.availableGeometry().size() if screen is not None else self.minimumSize()
        self.resize(min(1440, room.width()), min(900, room.height()))

    # --- what happens ---------------------------------------------------------------------

    def _noticed(self, notice: Notice) -> None:
        self.notices.add(notice)
        step = self.steps.get(notice.step)
        if step is not None and step.isVisible():
            step.show_notice(notice)

    def _show_who(self) -> None:
        self.above.show_session(self.session)

    def _show_ready(self) -> None:
        if self.session is not None:
            self.rail.set_readiness({name: self.session.readiness(name) for name in self._titles})
        else:
            self.rail.set_readiness({})

    def _run_started(self, run: ActiveRun) -> None:
        self.below.stop.setEnabled(True)
        self.rail.set_trouble(_step_of(run.kind), "")

    def _run_finished(self, run: RunRecord) -> None:
        if run.completed:
            self.notices.add(Notice(tr("{file}: recorded in full", file=run.file), "info"))

    def _run_failed(self, kind: str, why: str) -> None:
        step = _step_of(kind)
        self.rail.set_trouble(step, why)
        self.notices.add(
            Notice(tr("{why} What was recorded before is kept.", why=_sentence(why)), "trouble",
                   step)
        )  # fmt: skip

    def _tick(self) -> None:
        """Show how the stream is."""
        session = self.session
        if session is None:
            self.above.show_recording(None)
            self.below.show_signals(None, running=False)
            self.below.show_latency(None, None)
            return
        snapshot = session.signals.snapshot()
        self.above.show_recording(snapshot)
        self.below.show_signals(snapshot, running=session.active is not None)
        lost = snapshot.state not in ("none", "receiving")
        if lost != bool(self.rail.troubles.get("signals")):
            self.rail.set_trouble("signals", snapshot.reason if lost else "")
        latency = session.feedback.latency()
        self.below.show_latency(latency.median_ms, latency.p99_ms)


def _import_ahead() -> None:
    from bci.experiment.ahead import import_ahead
    from bci_app.patient.scenes.registry import available_scenes

    available_scenes()
    import_ahead()


def _step_of(kind: str) -> str:
    """Return where a kind of run belongs; one of a window that crashed is the session's."""
    return {"calibration": "calibrate", "online": "online"}.get(kind, "session")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _without_argument(call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        call()

    return run
