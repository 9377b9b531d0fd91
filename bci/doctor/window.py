"""Whether a window could be opened. Qt is never imported here: a child process tries it."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from bci.checks import Check, failed, ok, warning

__all__ = ["window"]

_TRY = "from PySide6.QtGui import QGuiApplication as A; a = A([]); print(A.platformName(), end='')"
#: Loses references to None: a window with many curves aborts within seconds.
_BROKEN = ("6.12.0",)


def window(name: str) -> Check:
    """Check Qt, its version and its platform."""
    if find_spec("PySide6") is None:
        return ok(name, "PySide6 is not installed: only a window would need it, no command does")
    try:
        number = version("PySide6-Essentials")
    except PackageNotFoundError:
        number = "of unknown version"
    if number in _BROKEN:
        return failed(
            name,
            f"PySide6 {number} aborts windows with many curves",
            "pip install 'PySide6-Essentials>=6.8,!=6.12.0'",
        )
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRY],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return failed(
            name, f"PySide6 {number} hangs when it starts", "reinstall PySide6-Essentials"
        )
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        return failed(
            name,
            f"PySide6 {number} cannot start: {said or f'it ended with {done.returncode}'}",
            _no_platform(),
        )
    screen = done.stdout.strip()
    if screen in ("offscreen", "minimal"):
        return warning(
            name,
            f"PySide6 {number} runs without a screen ({screen})",
            "unset QT_QPA_PLATFORM where there is a screen",
        )
    return ok(name, f"PySide6 {number} on {screen}")


def _no_platform() -> str:
    if platform.system() != "Linux":
        return "reinstall PySide6-Essentials"
    if not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return "there is no screen here (DISPLAY and WAYLAND_DISPLAY are unset): log in at one"
    return "install the libraries that Qt names (often libxcb-cursor0, libegl1)"
