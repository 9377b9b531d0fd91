"""Pictures of every step, dark and light: ``python -m tests.app.screenshots DIR``.

A simulated patient goes through the whole hour (twenty times faster where nobody decides live), and
every screen is saved as it is at its best moment. ``--size`` sets the window's size.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication, QWidget

from bci_app.main_window import MainWindow
from bci_app.theme import apply_theme
from tests.app.hour import Hour, pause


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1440x900")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    options.folder.mkdir(parents=True, exist_ok=True)
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    apply_theme(application, dark=True)
    with tempfile.TemporaryDirectory() as scratch:
        window = MainWindow()
        window.resize(width, height)
        window.show()

        def take(name: str, widget: QWidget | None = None) -> None:
            for dark in (True, False):
                apply_theme(application, dark=dark)
                pause(150)
                path = options.folder / f"{name}-{'dark' if dark else 'light'}.png"
                (widget or window).grab().save(str(path))
            apply_theme(application, dark=True)
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()

        Hour(window, Path(scratch), take).run()
        window.close()
        window.end()


if __name__ == "__main__":
    main()
