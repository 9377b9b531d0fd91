"""Events of any thread reach slots in the window's thread."""

import threading

from psygnal import Signal, SignalGroup
from PySide6.QtCore import QThread
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from bci_app.relay import Relay


class Events(SignalGroup):
    """What happens."""

    came = Signal(int)


def emit_in_thread(events: Events, numbers: range) -> None:
    """Emit from another thread, and wait for it."""

    def run() -> None:
        for number in numbers:
            events.came.emit(number)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_every_event_arrives_in_order_in_the_windows_thread(qtbot: QtBot) -> None:
    """Nothing is lost, and the slot runs where widgets may be touched."""
    widget, events = QWidget(), Events()
    qtbot.addWidget(widget)
    relay = Relay(widget)
    seen: list[tuple[int, bool]] = []
    relay.connect_event(
        events.came, lambda n: seen.append((n, QThread.currentThread() is widget.thread()))
    )
    emit_in_thread(events, range(100))
    assert seen == []
    qtbot.waitUntil(lambda: len(seen) == 100)
    assert seen == [(n, True) for n in range(100)]


def test_newest_delivers_the_last_of_a_flood(qtbot: QtBot) -> None:
    """Of events that come faster than they are shown, the last one is."""
    widget, events = QWidget(), Events()
    qtbot.addWidget(widget)
    relay = Relay(widget)
    seen: list[int] = []
    relay.connect_event(events.came, seen.append, newest=True)
    emit_in_thread(events, range(1000))
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [999]
    emit_in_thread(events, range(5))
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen == [999, 4]


def test_closed_relay_delivers_nothing_not_even_what_waits(qtbot: QtBot) -> None:
    """A step that is unbound is not called any more."""
    widget, events = QWidget(), Events()
    qtbot.addWidget(widget)
    relay = Relay(widget)
    seen: list[int] = []
    relay.connect_event(events.came, seen.append)
    emit_in_thread(events, range(3))
    relay.close()
    emit_in_thread(events, range(3))
    qtbot.wait(20)
    assert seen == []
    assert len(events.came) == 0


def test_slot_that_fails_does_not_stop_the_others(qtbot: QtBot) -> None:
    """One broken display is logged; the rest goes on."""
    widget, events = QWidget(), Events()
    qtbot.addWidget(widget)
    relay = Relay(widget)
    seen: list[int] = []
    relay.connect_event(events.came, lambda n: 1 // 0)
    relay.connect_event(events.came, seen.append)
    emit_in_thread(events, range(2))
    qtbot.waitUntil(lambda: len(seen) == 2)
