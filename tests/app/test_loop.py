"""The window's thread waits for nothing: what could hold it up is done elsewhere, or before.

How long the gaps between its turns are is measured (`tests.benchmarks.window`); what is asserted
here cannot depend on how busy a machine is.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from bci.experiment.ahead import import_ahead
from bci.experiment.session import Session
from bci_app.main_window import MainWindow
from bci_app.patient.scenes.registry import available_scenes
from bci_app.steps.base import Step
from bci_app.widgets.paper_view import PaperView

ORDER = ["session", "signals", "calibrate", "features", "train", "online", "report"]
#: What the window's thread opened or imported, while `_watched` is set; hooks cannot be taken away.
_seen: list[str] = []
_watched = threading.Event()


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _watched.is_set() or threading.current_thread() is not threading.main_thread():
        return
    if event == "open" and isinstance(arguments[0], str):
        _seen.append(arguments[0])
    elif event == "import" and arguments[0] not in sys.modules:
        _seen.append(f"import {arguments[0]}")


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Say what the window's thread opens and imports."""
    if not getattr(_hook, "added", False):
        sys.addaudithook(_hook)
        _hook.added = True  # type: ignore[attr-defined]
    _seen.clear()
    _watched.set()
    yield _seen
    _watched.clear()


@pytest.fixture
def session(session_of: Callable[..., Session], tmp_path: Path) -> Iterator[Session]:
    """Return a session with two recorded runs."""
    made = session_of(tmp_path / "study")
    yield made
    made.close()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """Show a window with all steps."""
    made = MainWindow()
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()
    made.end()


def test_window_is_there_without_what_decoders_need() -> None:
    """To show the first step neither scikit-learn nor Numba nor SciPy's statistics is imported."""
    code = (
        "import sys, bci_app.main, bci_app.main_window, bci_app.steps.session, bci.realtime;"
        "print([n for n in ('sklearn', 'numba', 'scipy.stats', 'pandas', 'mne', 'matplotlib',"
        " 'scipy.signal') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "[]"


def test_steps_come_after_the_first_picture(qtbot: QtBot) -> None:
    """The first step can be used at once; one asked for too early comes when it is there."""
    window = MainWindow(at_once=False)
    qtbot.addWidget(window)
    window.show()
    assert list(window.steps) == ["session"]
    window.go_to("report")
    assert window.current == "report"
    with qtbot.waitSignal(window.prepared, timeout=60_000):
        window.prepare()
    assert list(window.steps) == ORDER
    assert window.current == "report"
    assert window.steps["report"].isVisible()
    window.close()
    window.end()


def test_window_that_is_closed_while_it_prepares_leaves_no_thread(qtbot: QtBot) -> None:
    """Whoever leaves at once does not wait for all steps, and nothing is left behind."""
    window = MainWindow(at_once=False)
    qtbot.addWidget(window)
    window.show()
    window.prepare()
    window.close()
    window.end()
    assert "steps" not in {thread.name for thread in threading.enumerate()}


def test_session_that_opens_early_is_shown_by_steps_that_come_later(
    qtbot: QtBot, session_of: Callable[..., Session], tmp_path: Path
) -> None:
    """A step that is built after a session was opened shows it."""
    window = MainWindow(at_once=False)
    qtbot.addWidget(window)
    window.show()
    window.open_session(session_of(tmp_path / "study"))
    with qtbot.waitSignal(window.prepared, timeout=60_000):
        window.prepare()
    qtbot.waitUntil(lambda: all(step.session is not None for step in window.steps.values()))
    assert list(window.steps) == ORDER
    window.close()
    window.end()


def test_session_is_shown_by_one_step_in_a_turn(
    qtbot: QtBot, window: MainWindow, session_of: Callable[..., Session], tmp_path: Path
) -> None:
    """The step in front shows it at once, the others follow; who goes to one sees it there."""
    session = session_of(tmp_path / "study")
    window.go_to("train")
    window.open_session(session)
    shown = [name for name, step in window.steps.items() if step.session is session]
    assert shown == ["train"]
    window.go_to("report")
    assert window.steps["report"].session is session
    qtbot.waitUntil(lambda: all(step.session is session for step in window.steps.values()))


def test_windows_thread_reads_no_files(
    qtbot: QtBot,
    window: MainWindow,
    session_of: Callable[..., Session],
    tmp_path: Path,
    opened: list[str],
) -> None:
    """Opening a session, going through all steps, changing settings: it only keeps what changed."""
    _watched.clear()
    import_ahead()
    available_scenes()
    session = session_of(tmp_path / "study")
    _watched.set()
    window.open_session(session)
    for name in ORDER:
        window.go_to(name)
        step = window.steps[name]
        assert isinstance(step, Step)
        qtbot.waitUntil(lambda step=step: step.session is session and step.isVisible())
    session.change(operator="AB")
    window.switch_theme()
    window.switch_theme()
    qtbot.wait(200)
    others = [name for name in opened if not Path(name).name.startswith(".session.json")]
    assert others == []


def test_page_is_decoded_in_another_thread(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture appears in the window's thread, but is not decoded there; the newest one stays."""
    from PySide6.QtCore import QBuffer, QIODevice
    from PySide6.QtGui import QImage

    from bci_app.widgets import paper_view

    def png(width: int) -> bytes:
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image = QImage(width, 10, QImage.Format.Format_RGB32)
        image.fill(0)
        image.save(buffer, "PNG")
        return bytes(buffer.data().data())

    view, threads = PaperView("nothing yet"), []
    qtbot.addWidget(view)
    decode = paper_view.PaperView._decode  # noqa: SLF001 where it runs is what is tested

    def decoding(self: PaperView, *what: object) -> None:
        threads.append(QThread.currentThread() is view.thread())
        decode(self, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(paper_view.PaperView, "_decode", decoding)
    view.show_picture(png(20))
    view.show_picture(png(40), "the second")
    qtbot.waitUntil(lambda: view.shows)
    qtbot.waitUntil(lambda: threads == [False, False])
    qtbot.wait(20)
    assert view.widget().accessibleName() == "the second"
    view.show_picture(None)
    assert not view.shows
