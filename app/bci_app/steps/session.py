"""The Session step: where, who, and what is left of a crash.

The step makes the session itself, in a thread, since files are read for it, and hands it over by
`SessionStep.open_requested`; whoever shows it binds all steps to it and closes the one before.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from bci.errors import RolandicError
from bci.experiment.opening import (
    Look,
    Wish,
    look_around,
    open_session,
    recorded_on,
    set_cues,
    use_recordings,
)
from bci.workspace import BidsRecording, RecentSession, RecentSessions, Templates
from bci_app.steps.base import ActionInfo, Step
from bci_app.theme import STEP_PX, font
from bci_app.widgets.recovery_card import RecoveryCard
from bci_app.widgets.session_form import SessionForm
from bci_app.widgets.workspace_lists import RecentList, RecordingList
from bci_app.words import tr

if TYPE_CHECKING:
    from bci.experiment.recovery import Orphan
    from bci.experiment.session import Session

__all__ = ["SessionStep"]

_log = logging.getLogger(__name__)

#: The workspace is looked into when nobody has typed for so long.
_TYPED_MS = 200


class SessionStep(Step):
    """Opens sessions: workspace, person, label, operator, template."""

    name = "session"
    #: A new `Session`, to be shown in all steps.
    open_requested = Signal(object)
    _opened = Signal(object, str)
    _looked = Signal(object)
    _listed = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = RecoveryCard()
        self.form = SessionForm()
        self.now = QLabel()
        self.now.setObjectName("session.now")
        self.now.setWordWrap(True)
        self.recent = RecentList()
        self.recordings = RecordingList()
        self.cues = QLineEdit()
        self.cues.setObjectName("session.cues")
        self.cues.setAccessibleName(tr("Which markers are cues"))
        self.cues.setPlaceholderText(tr("cues, where markers are no class: T1=left_hand, …"))
        self.cues.setToolTip(
            tr("Others name their cues as they like: say which marker is which class.")
        )
        self.cues.setEnabled(False)
        self._look: Look | None = None
        self._opening: threading.Thread | None = None
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(_TYPED_MS)
        self._lay_out()
        self._typed.timeout.connect(self._look_around)
        self._opened.connect(self._has_opened, Qt.ConnectionType.QueuedConnection)
        self._looked.connect(self._has_looked, Qt.ConnectionType.QueuedConnection)
        self._listed.connect(self._has_listed, Qt.ConnectionType.QueuedConnection)
        self.form.edited.connect(self._typed.start)
        self.form.open_requested.connect(self.open_wish)
        self.form.folder_requested.connect(self.ask_folder)
        self.form.save_template_requested.connect(self.save_template)
        self.card.rejoin_requested.connect(self._rejoin)
        self.recent.chosen.connect(self._open_recent)
        self.recordings.ticked.connect(self._ticked)
        self.cues.editingFinished.connect(self._set_cues)
        self.add_actions()
        self.unbound()
        self._list_recent()

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Session")

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(STEP_PX)
        left.addWidget(self.form, 1)
        left.addWidget(self._panel(tr("Open now"), self.now))
        right = QVBoxLayout()
        right.setSpacing(STEP_PX)
        right.addWidget(self._panel(tr("Recent sessions"), self.recent), 3)
        panel = self._panel(tr("Recordings of this person (BIDS)"), self.recordings, self.cues)
        right.addWidget(panel, 2)
        row = QHBoxLayout()
        row.setSpacing(2 * STEP_PX)
        row.addLayout(left, 3)
        row.addLayout(right, 2)
        self.column.addWidget(self.card)
        self.column.addLayout(row, 1)

    @staticmethod
    def _panel(title: str, *contents: QWidget) -> QFrame:
        panel = QFrame()
        panel.setProperty("role", "panel")
        head = QLabel(title)
        head.setFont(font(bold=True))
        column = QVBoxLayout(panel)
        column.setContentsMargins(2 * STEP_PX, STEP_PX, 2 * STEP_PX, STEP_PX)
        column.setSpacing(STEP_PX)
        column.addWidget(head)
        for number, content in enumerate(contents):
            column.addWidget(content, 0 if number else 1)
        return panel

    # --- a session ------------------------------------------------------------------------

    def bound(self, session: "Session") -> None:
        """Show which session is open, and what a crash left in it."""
        self.on(session.events.record_changed, self._show, newest=True)
        self.on(session.recovery.events.changed, self._show, newest=True)
        self.on(session.events.readiness_changed, self._show, newest=True)
        setup = session.setup
        self.cues.setText(", ".join(f"{k}={v}" for k, v in setup.epochs.event_map.items()))
        self.form.fill(session.workspace.root, setup.subject, setup.session, setup.operator)
        self._show()
        self._list_recent()

    def unbound(self) -> None:
        """Say what to do."""
        self.card.show_state((), (), busy=False)
        self.now.setText(
            tr(
                "No session is open. Choose a workspace and a person, or a recent session; "
                "everything that you do is kept at once."
            )
        )
        self.form.save_template.setEnabled(False)
        self._show_recordings()

    def _show(self) -> None:
        session = self.session
        if session is None:
            return
        recovery, busy = session.recovery, session.active is not None
        self.card.show_state(recovery.orphans, recovery.told, busy=busy)
        setup, record = session.setup, session.record
        n_calibration, n_online = (
            len(record.paths(kind, used=False)) for kind in ("calibration", "online")
        )
        self.now.setText(
            tr(
                "sub-{subject} · ses-{session}: {c} calibration and {o} online runs, {a} decoders "
                "tried. Kept at every step in {folder}",
                subject=setup.subject,
                session=setup.session,
                c=n_calibration,
                o=n_online,
                a=len(record.attempts),
                folder=session.folder,
            )
        )
        self.form.save_template.setEnabled(True)
        self._show_recordings()

    def _show_recordings(self) -> None:
        session, look = self.session, self._look
        used: list[str] = []
        mine = False
        if session is not None and look is not None:
            used = [run.file for run in session.record.runs if "/" in run.file]
            mine = (
                look.root == session.workspace.root and look.subject == session.setup.subject
            ) and session.active is None
        self.cues.setEnabled(mine)
        self.recordings.show_recordings(
            look.recordings if look is not None else (), used, can_tick=mine
        )

    # --- what the clinician asks for ------------------------------------------------------

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        return (
            ActionInfo("session.folder", tr("Choose workspace…"), "Ctrl+O", self.ask_folder),
            ActionInfo("session.begin", tr("Open session"), "Ctrl+Return", self.form.ask_open),
            ActionInfo("session.recent", tr("Recent sessions"), "Ctrl+E", self._to_recent),
        )

    def ask_folder(self) -> None:
        """Let the clinician choose the workspace's folder."""
        start = str(self.form.root or Path.home())
        folder = QFileDialog.getExistingDirectory(self, tr("Workspace"), start)
        if folder:
            self.choose_workspace(Path(folder))

    def choose_workspace(self, folder: Path) -> None:
        """Take a folder as the workspace."""
        self.form.fill(folder, self.form.person, "")

    def open_wish(self, wish: Wish) -> None:
        """Open a session in a thread; `open_requested` hands it over."""
        session = self.session
        if session is not None and session.active is not None:
            self.form.say(tr("A run is going on: stop it first"), "trouble")
            return
        if self._opening is not None:
            return
        if session is not None and _is_same(session, wish):
            self._change(session, wish)
            return
        self.form.say(tr("Opening…"), "quiet")
        self.form.open.setEnabled(False)

        def work() -> None:
            made: Session | None = None
            reason = ""
            try:
                made = open_session(wish)
            except RolandicError as error:
                reason = str(error)
            except Exception as error:
                _log.exception("opening a session failed")
                reason = f"{type(error).__name__}: {error}"
            try:
                self._opened.emit(made, reason)
            except RuntimeError:  # the window is gone
                if made is not None:
                    made.close()

        self._opening = threading.Thread(target=work, name="open session", daemon=True)
        self._opening.start()

    def _change(self, session: "Session", wish: Wish) -> None:
        """Take over what was changed for the session that is open."""
        try:
            values = Templates(wish.root).load(wish.template) if wish.template else {}
            session.change(**values, operator=wish.operator)
        except RolandicError as error:
            self.form.say(str(error), "trouble")
            return
        self.form.say(tr("Kept"), "good")

    def _has_opened(self, session: "Session | None", reason: str) -> None:
        self._opening = None
        self.form.open.setEnabled(True)
        self.form.say(reason, "trouble")
        if session is not None:
            self.open_requested.emit(session)
            self._list_recent()

    def _open_recent(self, entry: RecentSession) -> None:
        self.form.fill(Path(entry.root), entry.subject, entry.session)
        self.form.template.setCurrentIndex(0)
        self.form.ask_open()

    def _to_recent(self) -> None:
        self.recent.setFocus()
        self.recent.setCurrentRow(0)

    def save_template(self, name: str) -> None:
        """Keep what the open session is set to under a name."""
        session = self.session
        if session is None:
            return
        try:
            path = Templates(session.workspace.root).save(name, session.setup)
        except RolandicError as error:
            self.form.say(str(error), "trouble")
            return
        self.form.template_name.clear()
        self.form.say(tr("Template kept: {path}", path=path), "good")
        self._look_around()

    def _ticked(self, chosen: list[BidsRecording]) -> None:
        if self.session is None:
            return
        try:
            use_recordings(self.session, chosen)
        except RolandicError as error:
            self.form.say(str(error), "trouble")
            self._show_recordings()

    def _set_cues(self) -> None:
        if self.session is None:
            return
        try:
            set_cues(self.session, self.cues.text())
        except RolandicError as error:
            self.form.say(str(error), "trouble")

    def _rejoin(self, orphan: "Orphan", go_on: bool) -> None:
        if self.session is None:
            return
        try:
            self.session.recovery.rejoin(orphan, go_on=go_on)
        except RolandicError as error:
            self.form.say(str(error), "trouble")

    # --- looking, in threads --------------------------------------------------------------

    def _look_around(self) -> None:
        root, subject = self.form.root, self.form.person
        if root is None:
            return
        label, template = self.form.session_label, self.form.template_chosen
        _in_thread("look", lambda: self._looked.emit(look_around(root, subject, label, template)))

    def _has_looked(self, look: Look) -> None:
        if look.root != self.form.root or look.subject != self.form.person:
            return
        self._look = look
        busy = self._opening is not None
        self.form.show_look(look)
        if busy:
            self.form.open.setEnabled(False)
        self._show_recordings()

    def _list_recent(self) -> None:
        def work() -> None:
            sessions = RecentSessions().sessions()
            self._listed.emit(sessions, recorded_on(sessions))

        _in_thread("recent", work)

    def _has_listed(self, sessions: list[RecentSession], recorded: list[RecentSession]) -> None:
        self.recent.show_sessions(sessions)
        roots = list(dict.fromkeys(Path(entry.root) for entry in sessions))
        self.form.show_workspaces(roots)
        if self.form.root is None and roots:
            self.choose_workspace(roots[0])
        if recorded and self.session is None:
            self.recent.setCurrentRow(sessions.index(recorded[0]))
            self.said.emit(
                tr(
                    "sub-{subject} ses-{session} is still being recorded, though its window was "
                    "lost: open it in the recent sessions to rejoin the recording.",
                    subject=recorded[0].subject,
                    session=recorded[0].session,
                ),
                "caution",
            )


def _is_same(session: "Session", wish: Wish) -> bool:
    setup = session.setup
    return (
        session.workspace.root.absolute() == wish.root.absolute()
        and setup.subject == wish.subject
        and setup.session == wish.session
    )


def _in_thread(name: str, work: object) -> None:
    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except RuntimeError:
            _log.debug("the window is gone")

    threading.Thread(target=run, name=name, daemon=True).start()
