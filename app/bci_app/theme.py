"""Colours, type and spacing of the window, dark and light from one palette (UI.md's tokens).

Widgets never write a colour or a size: they take them from `tokens()` and paint anew when the
application's palette changes (``QEvent.PaletteChange``), or carry a role
(``widget.setProperty("role", "caution")``) that the style sheet knows.
"""

from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from bci.features.palette import class_colours

__all__ = [
    "STEP_PX",
    "Tokens",
    "apply_theme",
    "class_colour",
    "font",
    "tabular",
    "tokens",
]

#: Spacing comes in steps of this many pixels.
STEP_PX = 8


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of a theme, as ``#rrggbb``."""

    dark: bool
    window: str
    panel: str
    raised: str
    line: str
    text: str
    quiet: str
    accent: str
    on_accent: str
    good: str
    caution: str
    trouble: str
    on_trouble: str


DARK = Tokens(
    dark=True,
    window="#15181c",
    panel="#1c2025",
    raised="#262b32",
    line="#39404a",
    text="#e8eaed",
    quiet="#a3abb6",
    accent="#56b4e9",
    on_accent="#0b1116",
    good="#2fbf8f",
    caution="#e6a83a",
    trouble="#ff6b57",
    on_trouble="#1a0704",
)
LIGHT = Tokens(
    dark=False,
    window="#f4f5f7",
    panel="#ffffff",
    raised="#e9ecf0",
    line="#c5cbd3",
    text="#1a1d21",
    quiet="#5a636e",
    accent="#005f9e",
    on_accent="#ffffff",
    good="#00795a",
    caution="#8f5a00",
    trouble="#b3261e",
    on_trouble="#ffffff",
)

_current = DARK


def tokens() -> Tokens:
    """Return the theme that holds."""
    return _current


def class_colour(name: str, classes: tuple[str, ...] = ()) -> QColor:
    """Return a class's fixed colour (Okabe and Ito's)."""
    return QColor(class_colours(classes or (name,))[name])


def font(size: str = "body", *, bold: bool = False) -> QFont:
    """Return the system's font in one of three sizes: ``"small"``, ``"body"``, ``"title"``."""
    made = QApplication.font()
    made.setPointSizeF(made.pointSizeF() * {"small": 0.88, "body": 1.0, "title": 1.45}[size])
    made.setBold(bold)
    return made


def tabular(made: QFont | None = None) -> QFont:
    """Return a font whose digits are all equally wide, so that numbers do not jitter."""
    made = QFont(made) if made is not None else font()
    if hasattr(made, "setFeature"):
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def apply_theme(application: QApplication, *, dark: bool) -> None:
    """Give the application its colours."""
    global _current
    _current = theme = DARK if dark else LIGHT
    application.setStyle("Fusion")
    if not QFontDatabase.families():
        application.setFont(QFont("Sans Serif", 10))
    palette = QPalette()
    role = QPalette.ColorRole
    for name, colour in (
        (role.Window, theme.window),
        (role.WindowText, theme.text),
        (role.Base, theme.panel),
        (role.AlternateBase, theme.raised),
        (role.Text, theme.text),
        (role.PlaceholderText, theme.quiet),
        (role.Button, theme.raised),
        (role.ButtonText, theme.text),
        (role.ToolTipBase, theme.raised),
        (role.ToolTipText, theme.text),
        (role.Highlight, theme.accent),
        (role.HighlightedText, theme.on_accent),
        (role.Link, theme.accent),
        (role.Accent, theme.accent),
        (role.Mid, theme.line),
    ):
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.quiet))
    application.setPalette(palette)
    # Fusion draws the frame of a box to tick in a darker shade of the window: unseen on a dark one.
    boxes = QPalette(palette)
    boxes.setColor(role.Window, QColor(theme.quiet))
    for kind in ("QCheckBox", "QRadioButton"):
        QApplication.setPalette(boxes, kind)  # type: ignore[arg-type]
    application.setStyleSheet(_sheet(theme))


def _sheet(theme: Tokens) -> str:
    return f"""
    QToolTip {{ background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line};
               padding: 4px; }}
    *[role="quiet"] {{ color: {theme.quiet}; }}
    *[role="good"] {{ color: {theme.good}; }}
    *[role="caution"] {{ color: {theme.caution}; }}
    *[role="trouble"] {{ color: {theme.trouble}; }}
    QFrame[role="panel"] {{ background: {theme.panel}; border: 1px solid {theme.line};
               border-radius: 6px; }}
    QPushButton {{ background: {theme.raised}; color: {theme.text}; padding: 6px 14px;
               border: 1px solid {theme.line}; border-radius: 4px; min-height: 20px; }}
    QPushButton:hover {{ border-color: {theme.accent}; }}
    QPushButton:focus {{ border: 2px solid {theme.accent}; padding: 5px 13px; }}
    QPushButton:disabled {{ color: {theme.quiet}; border-color: {theme.raised}; }}
    QFrame#rail, QFrame#strip {{ background: {theme.panel}; border: none; }}
    QPushButton[role^="rail"] {{ text-align: left; border: none; background: transparent;
               padding: 8px 10px; border-radius: 4px; }}
    QPushButton[role^="rail"]:hover {{ background: {theme.raised}; }}
    QPushButton[role^="rail"]:checked {{ background: {theme.raised}; font-weight: bold; }}
    QPushButton[role="rail-waits"] {{ color: {theme.quiet}; }}
    QPushButton[role="rail-trouble"] {{ color: {theme.on_trouble}; background: {theme.trouble};
               font-weight: bold; }}
    QPushButton[role="rail-trouble"]:checked {{ background: {theme.trouble}; }}
    QFrame[role="notice-info"] {{ background: {theme.raised}; }}
    QFrame[role="notice-caution"] {{ background: {theme.raised};
               border-left: 6px solid {theme.caution}; }}
    QFrame[role="notice-trouble"] {{ background: {theme.raised};
               border-left: 6px solid {theme.trouble}; }}
    QPushButton[role="tab"] {{ border: none; background: transparent; color: {theme.quiet};
               border-radius: 0; border-bottom: 2px solid transparent; padding: 6px 10px; }}
    QPushButton[role="tab"]:hover {{ color: {theme.text}; }}
    QPushButton[role="tab"]:checked {{ color: {theme.text};
               border-bottom: 2px solid {theme.accent}; }}
    QPushButton[role="tab"]:focus {{ background: {theme.raised}; }}
    QHeaderView::section {{ background: {theme.panel}; color: {theme.quiet}; border: none;
               border-bottom: 1px solid {theme.line}; padding: 4px 6px; }}
    QPushButton[role="primary"] {{ background: {theme.accent}; color: {theme.on_accent};
               font-weight: bold; }}
    QPushButton[role="primary"]:disabled {{ background: {theme.raised}; color: {theme.quiet}; }}
    QPushButton[role="stop"] {{ background: {theme.trouble}; color: {theme.on_trouble};
               font-weight: bold; }}
    QPushButton[role="stop"]:disabled {{ background: {theme.raised}; color: {theme.quiet}; }}
    """
