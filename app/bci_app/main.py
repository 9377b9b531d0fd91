"""``rolandic``: start the window.

What a machine lacks is said in one line before Qt would abort without one.
"""

import argparse
import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

#: What Qt needs of a Debian or Ubuntu, beyond what a desktop has anyway.
DEBIAN_PACKAGES = (
    "libegl1 libgl1 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 "
    "libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the window and stay until it is closed."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    problem = missing_for_qt()
    if problem:
        sys.stderr.write(f"rolandic: {problem}\n")
        raise SystemExit(2)
    raise SystemExit(_run(options))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rolandic",
        description="From electrodes to report in one window. Research software, no medical "
        "device.",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="open on a simulated amplifier with a simulated patient",
    )
    parser.add_argument(
        "--workspace", type=Path, metavar="DIR", help="folder of sessions to start with"
    )
    theme = parser.add_mutually_exclusive_group()
    theme.add_argument("--dark", action="store_true", help="dark, whatever the system says")
    theme.add_argument("--light", action="store_true", help="light, whatever the system says")
    parser.add_argument("--language", metavar="CODE", help="such as fr; default: the system's")
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    options = parser.parse_args(arguments)
    if options.version:
        from bci import __version__

        sys.stdout.write(f"rolandic {__version__}\n")
        raise SystemExit(0)
    return options


def missing_for_qt() -> str:
    """Say what Qt lacks on this machine; empty when nothing does.

    Qt itself aborts without a word on what to install when its platform's libraries are missing.
    """
    advice = f"on Debian or Ubuntu: apt install {DEBIAN_PACKAGES}"
    try:
        import PySide6
        from PySide6 import QtGui, QtWidgets  # noqa: F401 - loads what they need
    except ImportError as error:
        if "PySide6" in str(error) and "No module" in str(error):
            return "PySide6 is not installed: pip install 'PySide6-Essentials>=6.8,!=6.12.0'"
        return f"Qt cannot be loaded ({error}); {advice}"
    if not sys.platform.startswith("linux"):
        return ""
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform and platform != "xcb":
        return ""
    if not platform and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return (
            "there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set): start it on a "
            "desktop; bci demo and the other commands of bci need none"
        )
    if os.environ.get("WAYLAND_DISPLAY") and not platform:
        return ""
    plugin = Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return f"Qt's screen cannot be opened ({error}); {advice}"
    return ""


def _run(options: argparse.Namespace) -> int:
    from PySide6.QtCore import Qt, QTimer
    from PySide6.QtWidgets import QApplication

    from bci_app.remembered import remembered
    from bci_app.theme import apply_theme
    from bci_app.words import install_language

    application = QApplication(["rolandic"])
    application.setApplicationName("rolandic")
    application.setApplicationDisplayName("Rolandic")
    install_language(application, options.language)
    system = application.styleHints().colorScheme() != Qt.ColorScheme.Light
    dark = remembered().value("dark", system, type=bool)
    apply_theme(application, dark=options.dark or (bool(dark) and not options.light))

    from bci.realtime import realtime_interpreter
    from bci.sources.lsl_config import configure_lsl
    from bci_app.main_window import MainWindow

    configure_lsl()
    # Collections while the steps are imported would stop the window, and find nothing.
    gc.disable()
    with realtime_interpreter(collect=False):
        window = MainWindow(at_once=False)
        window.prepared.connect(_settle)
        window.show()
        QTimer.singleShot(0, window, window.prepare)
        if options.demo:
            window.start_demo()
        elif options.workspace is not None:
            window.open_workspace(options.workspace)
        code = application.exec()
        window.end()
    return code


def _settle() -> None:
    """Put what was imported aside, so that a collection looks only at what comes from now on."""
    gc.freeze()
    gc.enable()
