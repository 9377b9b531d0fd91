"""The window's start, seen from within: ``python -m tests.app.start_watch`` prints one JSON line.

The program is started as ``rolandic`` starts it, and left when all its steps are there. Times are
`time.monotonic`'s, which is the whole machine's: who started this process knows when that was.
"""

import json
import os
import sys
import tempfile
import time
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main() -> None:
    """Start, and leave."""
    from PySide6.QtCore import QEvent, QObject, QSettings, QTimer

    from bci_app import main as program
    from bci_app import main_window

    # What it remembers of itself is not the user's.
    settings = tempfile.TemporaryDirectory()
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, settings.name)
    at_s: dict[str, float] = {}

    class Painted(QObject):
        """Waits until the window has been painted."""

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
            if event.type() == QEvent.Type.Paint and "painted_s" not in at_s:
                at_s["painted_s"] = time.monotonic()
                QTimer.singleShot(0, turned)
            return False

    def turned() -> None:
        at_s["usable_s"] = time.monotonic()

    class Watched(main_window.MainWindow):
        """Says when it is there."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            from tests.app.loop_watch import LoopWatch

            self._painted = Painted(self)
            self.centralWidget().installEventFilter(self._painted)
            self._watch = LoopWatch()
            self.prepared.connect(self._leave)

        def _leave(self) -> None:
            at_s["prepared_s"] = time.monotonic()
            self._watch.close()
            held = [
                {
                    "gap_ms": round(h.gap_ms, 1),
                    "own_ms": round(h.own_ms, 1),
                    "process_ms": round(h.process_ms, 1),
                    "where": h.where,
                }
                for h in self._watch.held
            ]
            gaps = {"worst_gap_ms": round(self._watch.worst_ms, 1), "held": held}
            sys.stdout.write(json.dumps(at_s | gaps) + "\n")
            self.close()

    main_window.MainWindow = Watched  # type: ignore[misc]
    program.main([])


if __name__ == "__main__":
    main()
