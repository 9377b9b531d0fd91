"""What a pre-flight found: a sign, what was looked at, the numbers, and what to do."""

import html
from collections.abc import Sequence

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from bci.checks import Check
from bci_app.theme import tokens
from bci_app.words import tr

__all__ = ["CheckList"]


class CheckList(QTextBrowser):
    """A list of checks, those that failed first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("signals.checks")
        self.setAccessibleName(tr("Pre-flight"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setTabChangesFocus(True)
        self._checks: tuple[Check, ...] = ()
        self._note = ""
        self._render()

    def set_checks(self, checks: Sequence[Check], note: str = "") -> None:
        """Show checks, and a note below them."""
        if (tuple(checks), note) != (self._checks, self._note):
            self._checks, self._note = tuple(checks), note
            self._render()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._render()

    def _render(self) -> None:
        theme = tokens()
        signs = {
            "ok": ("✓", theme.good, tr("fine")),
            "warning": ("!", theme.caution, tr("care")),
            "failed": ("✗", theme.trouble, tr("not ready")),
        }
        order = ("failed", "warning", "ok")
        rows = []
        for check in sorted(self._checks, key=lambda c: order.index(c.status)):
            sign, colour, word = signs[check.status]
            told = f"<span style='color:{theme.quiet}'>{html.escape(check.detail)}</span>"
            if check.status != "ok":
                told = (
                    f"{html.escape(check.detail)}<br>"
                    f"<span style='color:{colour}'>→ {html.escape(check.advice)}</span>"
                )
            head = f"<b>{html.escape(check.name)}</b>"
            if check.status != "ok":
                head += f" <span style='color:{colour}'>{word}</span>"
            rows.append(
                f"<tr><td style='color:{colour}; padding-right:8px'><b>{sign}</b></td>"
                f"<td style='padding-bottom:6px'>{head}<br>{told}</td></tr>"
            )
        note = f"<p style='color:{theme.quiet}'>{html.escape(self._note)}</p>" if self._note else ""
        self.setHtml(f"<table cellspacing='0' cellpadding='2'>{''.join(rows)}</table>{note}")
