"""Ending by a signal: at any moment, also at one at which the event is being waited for."""

import signal
import threading

import pytest

from bci.cli.signals import stop_on_signals


def test_a_signal_sets_the_event_and_the_old_handler_comes_back():
    """What was done with the signal before is done again behind the block."""
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(5.0)
    assert signal.getsignal(signal.SIGINT) is before
    assert not any(thread.name == "signals" for thread in threading.enumerate())


def test_a_signal_that_falls_into_the_lock_of_the_event_does_not_hang():
    """The handler takes no lock: the main thread may hold the event's own when it runs."""
    with stop_on_signals() as stop:
        with stop._cond:  # noqa: SLF001 -- the moment in which a wait holds it
            signal.raise_signal(signal.SIGINT)
        assert stop.wait(5.0)


@pytest.mark.parametrize("n", [1, 50])
def test_signals_that_come_together_are_one_stop(n):
    """Ctrl-C that is pressed again and again changes nothing more."""
    with stop_on_signals() as stop:
        for _ in range(n):
            signal.raise_signal(signal.SIGINT)
        assert stop.wait(5.0)
