"""``rolandic --demo`` as it is started by people, killed in mid-run, and started again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bci.recording import control
from bci.recording.naming import is_free
from bci.sources.reading import open_recording

#: Starts the window as its command does; a thread presses buttons in it, and says what it sees.
ROLANDIC = """
import sys, threading, time
from PySide6.QtCore import QMetaObject, Qt
from PySide6.QtWidgets import QApplication
from bci_app.main import main

def until(condition):
    while True:
        try:
            found = condition()
        except (RuntimeError, AttributeError):  # it is being built
            found = None
        if found:
            return found
        time.sleep(0.05)

def window():
    named = [w for w in QApplication.topLevelWidgets() if type(w).__name__ == "MainWindow"]
    return named[0] if named and named[0].session is not None else None

def button(parent, name):
    return until(lambda: [b for b in parent.findChildren(object) if b.objectName() == name][0])

def press(found):
    until(found.isEnabled)
    QMetaObject.invokeMethod(found, "click", Qt.ConnectionType.QueuedConnection)

def begin():
    shown = until(window)
    session = shown.session
    until(lambda: session.experiment.acquisition is not None and not session.signals.connecting)
    press(button(until(lambda: shown.steps["calibrate"]), "start"))
    until(lambda: sum(s.n_samples for s in session.experiment.recording.status.streams) > 500)
    print(session.experiment.recording.path, flush=True)

def rejoin():
    shown = until(window)
    session = shown.session
    card = until(lambda: shown.steps["session"]).card
    until(lambda: session.recovery.orphans and "calibration-01" in card.text.text())
    press(card.end)
    until(lambda: session.record.runs and session.active is None)
    print(session.record.runs[0].file, flush=True)
    QMetaObject.invokeMethod(shown, "close", Qt.ConnectionType.QueuedConnection)

if __name__ == "__main__":
    threading.Thread(target={"begin": begin, "rejoin": rejoin}[sys.argv[1]], daemon=True).start()
    main(["--demo"])
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Start the window in a home of its own; what is left is killed."""
    script = tmp_path / "rolandic.py"
    script.write_text(ROLANDIC)
    home = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("DATA", "CONFIG", "CACHE")}
    environment = {
        "QT_QPA_PLATFORM": "offscreen", **os.environ, **home, "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    started: list[subprocess.Popen[str]] = []

    def begin(what: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(script), what],
            stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path,
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="folders are set as XDG has them")
def test_demo_that_is_killed_in_a_run_is_rejoined_when_it_starts_again(start: object) -> None:
    """The recorder goes on; the next start opens that session, offers it, and ends it in order."""
    window = start("begin")  # type: ignore[operator]
    path = Path(window.stdout.readline().strip())
    assert not is_free(path)
    window.kill()
    window.wait()
    deadline = time.monotonic() + 30
    while not any(closes_at for _, closes_at in control.orphans(path.parent)):
        assert time.monotonic() < deadline, "the recorder is gone"
        time.sleep(0.05)
    again = start("rejoin")  # type: ignore[operator]
    assert again.stdout.readline().strip() == path.name
    assert again.wait(60) == 0
    recording = open_recording(path)
    assert len(recording.samples) >= 500
    assert recording.gaps == ()
    assert control.find_recorders(path.parent) == []
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(path) in str(p.info["cmdline"])]
