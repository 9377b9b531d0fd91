"""What a service manager is told."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bci.daemon.notify import Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Listen as systemd does; the socket and what ``NOTIFY_SOCKET`` holds."""
    if request.param == "abstract" and not sys.platform.startswith("linux"):
        pytest.skip("abstract names are Linux's")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.settimeout(5.0)
    name = str(tmp_path / "notify") if request.param == "path" else f"@rolandic-{os.getpid()}"
    listening.bind(name.replace("@", "\0", 1))
    yield listening, name
    listening.close()


def test_it_tells_ready_status_alive_and_stopping(manager: tuple[socket.socket, str]) -> None:
    """Each in a datagram, a status in one line whatever is in it."""
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("recording")
    notifier.status("two\nlines\nREADY=1")
    notifier.alive()
    notifier.stopping()
    notifier.close()
    told = [listening.recv(1000).decode() for _ in range(4)]
    assert told[0] == f"READY=1\nSTATUS=recording\nMAINPID={os.getpid()}"
    assert told[1:3] == ["STATUS=two lines READY=1", "WATCHDOG=1"]
    assert told[3].startswith("STOPPING=1\n")


def test_the_watchdog_is_for_this_process_alone() -> None:
    """Its time is taken, unless it was meant for another process, or is no number."""
    ours = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000"}
    for more, expected in (
        ({}, 3.0),
        ({"WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ):
        notifier = Notifier(ours | more)
        assert notifier.watchdog_s == expected
        notifier.close()


def test_nobody_who_listens_is_no_error() -> None:
    """Outside a service nothing is sent; a manager that is gone is a line in the log."""
    Notifier({}).ready("recording")
    gone = Notifier({"NOTIFY_SOCKET": "/nowhere/at/all"})
    gone.alive()
    gone.close()
    gone.alive()
