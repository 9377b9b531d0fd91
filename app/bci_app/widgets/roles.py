"""A widget's role (`bci_app.theme`'s style sheet) changed while it is shown."""

from PySide6.QtWidgets import QWidget

__all__ = ["set_role"]


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget another role: Qt reads it anew only when told."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
