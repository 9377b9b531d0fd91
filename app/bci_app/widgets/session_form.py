"""The form of a session: where, who, which, by whom, by which template."""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from bci.experiment.opening import Look, Wish, why_refused
from bci_app.theme import STEP_PX
from bci_app.words import tr

__all__ = ["SessionForm"]

_FIELD_PX, _FIELD_HEIGHT = 320, 30


class SessionForm(QFrame):
    """Says at once, in place, why a pseudonym or a label is refused."""

    #: What is in it has changed: whoever owns it looks into the workspace anew.
    edited = Signal()
    #: `Wish`
    open_requested = Signal(object)
    folder_requested = Signal()
    #: Name.
    save_template_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._next = "01"
        self.workspace = _combo("session.workspace", tr("Workspace"))
        self.browse = _button("session.browse", tr("Choose folder…"))
        self.subject = _combo("session.subject", tr("Person"))
        self.subject_trouble = _note("session.subject_trouble")
        self.label = QLineEdit()
        self.label.setObjectName("session.label")
        self.label.setAccessibleName(tr("Session"))
        self.label_note = _note("session.label_note")
        self.operator = QLineEdit()
        self.operator.setObjectName("session.operator")
        self.operator.setAccessibleName(tr("Operator"))
        self.operator.setMaxLength(60)
        self.operator.setPlaceholderText(tr("initials of whoever runs the session"))
        self.template = _combo("session.template", tr("Template"), editable=False)
        self.template_note = _note("session.template_note")
        self.template_name = QLineEdit()
        self.template_name.setObjectName("session.template_name")
        self.template_name.setAccessibleName(tr("Name of a new template"))
        self.template_name.setPlaceholderText(tr("name for the settings of the open session"))
        self.save_template = _button("session.save_template", tr("Save as template"))
        self.open = _button("session.open", tr("Open session"))
        self.open.setProperty("role", "primary")
        self.open.setMinimumHeight(5 * STEP_PX)
        self.trouble = _note("session.trouble")
        for combo in (self.workspace, self.subject):
            editor = combo.lineEdit()
            if editor is not None:
                editor.setPlaceholderText(
                    tr("a folder; any BIDS dataset can be one")
                    if combo is self.workspace
                    else tr("a pseudonym such as S01; never a name")
                )
        self._lay_out()
        self.template.addItem(tr("none: as it was, or the standard"), "")
        self._connect()
        self._check()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(2 * STEP_PX, 2 * STEP_PX, 2 * STEP_PX, 2 * STEP_PX)
        grid.setHorizontalSpacing(2 * STEP_PX)
        grid.setVerticalSpacing(STEP_PX // 2)
        rows: tuple[tuple[str, QWidget, QWidget | None, QWidget | None], ...] = (
            (tr("Workspace"), self.workspace, self.browse, None),
            (tr("Person"), self.subject, None, self.subject_trouble),
            (tr("Session"), self.label, None, self.label_note),
            (tr("Operator"), self.operator, None, None),
            (tr("Template"), self.template, None, self.template_note),
            (tr("New template"), self.template_name, self.save_template, None),
        )
        at = 0
        for text, field, beside, below in rows:
            name = QLabel(text)
            name.setBuddy(field)
            field.setMinimumHeight(_FIELD_HEIGHT)
            grid.addWidget(name, at, 0)
            grid.addWidget(field, at, 1, 1, 1 if beside is not None else 2)
            if beside is not None:
                grid.addWidget(beside, at, 2)
            if below is not None:
                grid.addWidget(below, at + 1, 1, 1, 2)
            grid.setRowMinimumHeight(at + 2, STEP_PX // 2)
            at += 3
        grid.setRowStretch(at, 1)
        grid.addWidget(self.trouble, at + 1, 0, 1, 3)
        grid.addWidget(self.open, at + 2, 0, 1, 3)
        grid.setColumnStretch(1, 1)

    def _connect(self) -> None:
        self.workspace.editTextChanged.connect(self._changed)
        self.subject.editTextChanged.connect(self._changed)
        self.label.textChanged.connect(self._changed)
        self.template.currentIndexChanged.connect(self._changed)
        self.browse.clicked.connect(self.folder_requested)
        self.open.clicked.connect(self.ask_open)
        self.label.returnPressed.connect(self.ask_open)
        self.operator.returnPressed.connect(self.ask_open)
        self.save_template.clicked.connect(
            lambda: self.save_template_requested.emit(self.template_name.text().strip())
        )

    # --- what is in it --------------------------------------------------------------------

    @property
    def root(self) -> Path | None:
        """The workspace's folder; None: nothing is named."""
        text = self.workspace.currentText().strip()
        return Path(text).expanduser() if text else None

    @property
    def person(self) -> str:
        """The pseudonym."""
        return self.subject.currentText().strip().removeprefix("sub-")

    @property
    def session_label(self) -> str:
        """The session's label: what is written, or the next that is free."""
        return self.label.text().strip().removeprefix("ses-") or self._next

    @property
    def template_chosen(self) -> str:
        """The template's name; empty: none."""
        return str(self.template.currentData() or "")

    def wish(self) -> Wish | None:
        """Return what is asked for; None while something is missing or refused."""
        if self.root is None or any(why_refused(self.person, self.session_label)):
            return None
        operator = self.operator.text().strip()
        return Wish(self.root, self.person, self.session_label, operator, self.template_chosen)

    def ask_open(self) -> None:
        """Ask to open what is in the form."""
        wish = self.wish()
        if wish is not None and self.open.isEnabled():
            self.open_requested.emit(wish)

    def fill(self, root: Path, subject: str, label: str, operator: str = "") -> None:
        """Write into the form."""
        self.blockSignals(True)
        self.workspace.setEditText(str(root))
        self.subject.setEditText(subject)
        self.label.setText(label)
        self.operator.setText(operator or self.operator.text())
        self.blockSignals(False)
        self._changed()

    def show_workspaces(self, roots: list[Path]) -> None:
        """Offer workspaces; what is written stays."""
        _offer(self.workspace, [str(root) for root in roots])

    def show_look(self, look: Look) -> None:
        """Show what there is in the workspace."""
        if look.root != self.root or look.subject != self.person:
            return  # it has changed meanwhile
        _offer(self.subject, list(look.subjects))
        self._next = look.next_session
        self.label.setPlaceholderText(tr("{label} (the next one)", label=self._next))
        chosen = self.template_chosen
        self.template.blockSignals(True)
        self.template.clear()
        self.template.addItem(tr("none: as it was, or the standard"), "")
        for name in look.templates:
            self.template.addItem(name, name)
        self.template.setCurrentIndex(max(0, self.template.findData(chosen)))
        self.template.blockSignals(False)
        _set(self.template_note, look.summary, "quiet")
        begun = self.session_label in look.sessions
        said = ""
        if begun:
            said = tr("begun before: it goes on where it was")
        elif look.sessions:
            said = tr("new; begun before: {labels}", labels=", ".join(look.sessions))
        _set(self.label_note, said, "quiet")
        self.open.setText(tr("Open session") if begun else tr("Begin session"))
        self.open.setAccessibleName(self.open.text())
        self.say(look.problem, "trouble")
        self._check()

    def say(self, text: str, level: str = "trouble") -> None:
        """Say something beside the button."""
        _set(self.trouble, text, level)

    def _changed(self) -> None:
        self._check()
        self.edited.emit()

    def _check(self) -> None:
        person, label = why_refused(self.person, self.session_label)
        _set(self.subject_trouble, person if self.person else "", "trouble")
        if label:
            _set(self.label_note, label, "trouble")
        elif self.label_note.property("role") == "trouble":
            _set(self.label_note, "", "quiet")
        self.open.setEnabled(self.wish() is not None)


def _combo(name: str, said: str, *, editable: bool = True) -> QComboBox:
    combo = QComboBox()
    combo.setObjectName(name)
    combo.setAccessibleName(said)
    combo.setEditable(editable)
    combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    combo.setMinimumWidth(_FIELD_PX)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def _button(name: str, text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAccessibleName(text)
    return button


def _note(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setProperty("role", "quiet")
    label.hide()
    return label


def _offer(combo: QComboBox, texts: list[str]) -> None:
    """Offer texts in a field; what is written in it, and the cursor, stay."""
    if [combo.itemText(k) for k in range(combo.count())] == texts:
        return
    text, editor = combo.currentText(), combo.lineEdit()
    at = editor.cursorPosition() if editor is not None else 0
    combo.blockSignals(True)
    combo.clear()
    combo.addItems(texts)
    combo.setEditText(text)
    if editor is not None:
        editor.setCursorPosition(at)
    combo.blockSignals(False)


def _set(label: QLabel, text: str, role: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
    if label.property("role") != role:
        label.setProperty("role", role)
        label.style().unpolish(label)
        label.style().polish(label)
