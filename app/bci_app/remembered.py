"""What the window remembers of itself from one day to the next: its place, dark or light."""

from PySide6.QtCore import QSettings

__all__ = ["remembered"]


def remembered() -> QSettings:
    """Return the user's settings of the window: a file, on every system."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "rolandic", "rolandic")
