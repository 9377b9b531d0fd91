"""What Rolandic is, and is not; messages; keys: read-only pages in one plain dialog."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from bci_app.words import tr

__all__ = ["TextPage", "about_html", "keys_html"]

_PACKAGES = ("rolandic", "PySide6-Essentials", "numpy", "scipy", "mne", "pyriemann", "pylsl")


class TextPage(QDialog):
    """A page of text in a window of its own, which holds nothing up."""

    def __init__(self, title: str, content: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setModal(False)
        self.resize(640, 480)
        self.browser = QTextBrowser()
        self.browser.setOpenExternalLinks(True)
        if content.lstrip().startswith("<"):
            self.browser.setHtml(content)
        else:
            self.browser.setPlainText(content)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.browser)
        column.addWidget(buttons)


def about_html() -> str:
    """Return what the About page says."""
    rows = "".join(
        f"<tr><td>{name}&nbsp;&nbsp;</td><td>{_version(name)}</td></tr>" for name in _PACKAGES
    )
    return (
        "<h2>Rolandic</h2><p>"
        + tr("A real-time motor-imagery brain-computer interface.")
        + "</p><p><b>"
        + tr(
            "Research software. It is no medical device, it makes no diagnosis, and it does not "
            "stimulate anybody."
        )
        + "</b></p><p>"
        + tr(
            "Accuracies are given with their intervals and the level that chance reaches: an "
            "accuracy below that level shows nothing."
        )
        + f"</p><table>{rows}<tr><td>Python&nbsp;&nbsp;</td><td>{platform.python_version()}</td>"
        f"</tr><tr><td>{tr('system')}&nbsp;&nbsp;</td><td>{platform.platform()}</td></tr></table>"
        "<p>BSD-3-Clause.</p>"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return tr("not there")


def keys_html(actions: Iterable[QAction]) -> str:
    """Return the list of all keys."""
    rows = "".join(
        f"<tr><td><b>{action.shortcut().toString()}</b>&nbsp;&nbsp;&nbsp;</td>"
        f"<td>{action.text()}</td></tr>"
        for action in actions
        if not action.shortcut().isEmpty()
    )
    return f"<h3>{tr('Keys')}</h3><table>{rows}</table>"
