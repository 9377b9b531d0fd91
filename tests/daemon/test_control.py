"""The daemon's door: for its own user, one JSON document a request."""

import json
import os
import threading
from collections.abc import Iterator
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest

from bci.daemon.control import ControlServer, ask, private_folder
from bci.daemon.lock import WorkspaceLock
from bci.errors import SettingsError


@pytest.fixture(params=["short", "long"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a workspace; a long path holds no socket of its own."""
    workspace = tmp_path / ("x" if request.param == "short" else "x" * 120)
    private_folder(workspace).mkdir(parents=True, mode=0o700)
    return workspace


@pytest.fixture
def server(workspace: Path) -> Iterator[ControlServer]:
    """Answer in a workspace."""

    def handle(command: str) -> dict[str, Any]:
        if command == "fail":
            raise SettingsError("as asked")
        return {"said": command, "long": "x" * 100_000, "none": [float("nan")]}

    server = ControlServer(workspace, handle)
    yield server
    server.close()


def door(workspace: Path) -> dict[str, Any]:
    """Return where the door is."""
    found: dict[str, Any] = json.loads((private_folder(workspace) / "daemon.json").read_text())
    return found


def test_a_request_is_answered(server: ControlServer, workspace: Path) -> None:
    """Any number of them, at once too; an error is the error of who asked."""
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda k=k: answers.append(ask(workspace, f"c{k}")["said"]))
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [f"c{k}" for k in range(8)]
    assert ask(workspace, "c")["none"] == [None]
    with pytest.raises(SettingsError, match="as asked"):
        ask(workspace, "fail")


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b'{"token": "wrong", "command": "x"}', "the token is wrong"),
        (b'{"command": "x"}', "this is no request"),
        (b"[1]", "this is no request"),
        (b"\xff\x00", "this is no request"),
        (b"[" * 4000, "this is no request"),
    ],
)
def test_without_the_token_nothing_is_done(
    server: ControlServer, workspace: Path, sent: bytes, answer: str
) -> None:
    """Nor with what is no request; and the next request is answered."""
    with Client(door(workspace)["address"]) as connection:
        connection.send_bytes(sent)
        assert json.loads(connection.recv_bytes()) == {"error": answer}
    assert ask(workspace, "on")["said"] == "on"


def test_who_says_nothing_keeps_nobody_waiting(server: ControlServer, workspace: Path) -> None:
    """Connections that are silent, or gone at once, do not stand in the way."""
    silent = [Client(door(workspace)["address"]) for _ in range(4)]
    Client(door(workspace)["address"]).close()
    assert ask(workspace, "on")["said"] == "on"
    for connection in silent:
        connection.close()


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_it_is_private(server: ControlServer, workspace: Path) -> None:
    """The token's file can be read by the user alone, and the socket's folder be entered."""
    assert (private_folder(workspace) / "daemon.json").stat().st_mode & 0o077 == 0
    assert Path(door(workspace)["address"]).parent.stat().st_mode & 0o077 == 0


def test_a_daemon_that_is_gone_is_said(server: ControlServer, workspace: Path) -> None:
    """In order or not; a door that was left behind is no obstacle for the next."""
    left = (private_folder(workspace) / "daemon.json").read_bytes()
    server.close()
    with pytest.raises(SettingsError, match="no daemon works in this workspace"):
        ask(workspace, "status")
    (private_folder(workspace) / "daemon.json").write_bytes(left)
    with pytest.raises(SettingsError, match=r"is gone.*nothing is recorded"):
        ask(workspace, "status")
    again = ControlServer(workspace, lambda command: {"said": command})
    try:
        assert ask(workspace, "on")["said"] == "on"
    finally:
        again.close()


def test_a_workspace_is_locked_by_one(workspace: Path) -> None:
    """A second is refused; after the first has let go it is not."""
    path = private_folder(workspace) / "daemon.lock"
    first = WorkspaceLock(path)
    with pytest.raises(SettingsError, match="another daemon works in this workspace"):
        WorkspaceLock(path)
    first.close()
    WorkspaceLock(path).close()
