"""Remote control over real sockets, by clients as labs have them."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bci.daemon.file_names import FileName, claim
from bci.daemon.remote import RemoteControl
from bci.daemon.remote_settings import RemoteSettings
from bci.errors import SettingsError, StreamError

TOKEN = "q7Vx-2mR8_kP4wLz9TnB"


class Recording:
    """A target that makes real files, and nothing else."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.name = FileName()
        self.path: Path | None = None
        self.calls: list[str] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def select(self, query: str) -> str:
        """Refuse what is absent."""
        self.calls.append(f"select {query}")
        if "absent" in query:
            raise StreamError(f"no stream matches {query}")
        return f"selected {query}"

    def filename(self, name: FileName) -> str:
        """Keep the name."""
        self.calls.append("filename")
        self.name = name
        return f"called {name.pattern}"

    def start(self) -> str:
        """Claim a file."""
        self.calls.append("start")
        self.may_end.wait(20)
        if self.path is not None:
            raise SettingsError("recording already: send stop first")
        self.path = claim(self.workspace, self.name)
        return f"recording to {self.path.relative_to(self.workspace).as_posix()},\n2 streams"

    def stop(self) -> str:
        """End it."""
        self.calls.append("stop")
        if self.path is None:
            raise SettingsError("nothing is being recorded")
        self.path = None
        return "stopped"

    def update(self) -> str:
        """Fail by a bug."""
        self.calls.append("update")
        raise ZeroDivisionError


@pytest.fixture
def target(tmp_path: Path) -> Recording:
    """Return a target in a workspace of its own."""
    (tmp_path / "workspace").mkdir()
    return Recording(tmp_path / "workspace")


Listening = Callable[..., RemoteControl]


@pytest.fixture
def listening(target: Recording) -> Iterator[Listening]:
    """Start remote controls on free ports; all are closed at the end."""
    controls: list[RemoteControl] = []

    def listen(**settings: Any) -> RemoteControl:
        controls.append(
            RemoteControl(RemoteSettings(**({"port": 0} | settings)), target, target.workspace)
        )
        return controls[-1]

    yield listen
    target.may_end.set()
    for control in controls:
        control.close()


def connected(control: RemoteControl) -> socket.socket:
    """Connect as LabRecorder's README does."""
    client = socket.create_connection(("localhost", control.port), timeout=10)
    client.settimeout(10)
    return client


def talk(control: RemoteControl, sent: bytes) -> list[str]:
    """Send, say that no more comes, and return the lines of the answer."""
    with connected(control) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def read_all(client: socket.socket) -> list[str]:
    """Return all lines until the other end hangs up."""
    with client.makefile("rb") as file:
        received = file.read().decode()
    assert received == "" or received.endswith("\n"), "an answer is cut"
    return received.splitlines()


def test_labrecorders_published_session_makes_the_file(
    listening: Listening, target: Recording
) -> None:
    """A client that sends the README's commands gets OK and what happened, and its file."""
    control = listening(roots=["C:\\Data\\"])
    with connected(control) as client, client.makefile("rb") as answers:
        for command, expected in [
            (b"select all\n", b"OK selected all\n"),
            (
                b"filename {root:C:\\Data\\} {template:exp%n\\%p_block_%b.xdf} {run:2} "
                b"{participant:P003} {task:MemoryGuided}\n",
                b"OK called exp02/P003_block_MemoryGuided.xdf\n",
            ),
            (b"start\n", b"OK recording to exp02/P003_block_MemoryGuided.xdf, 2 streams\n"),
            (b"stop\n", b"OK stopped\n"),
        ]:
            client.sendall(command)
            assert answers.readline() == expected
    assert (target.workspace / "exp02" / "P003_block_MemoryGuided.xdf").exists()


def test_the_next_run_is_recorded_beside_not_over(listening: Listening, target: Recording) -> None:
    """The same commands again: the next run's number, and both files."""
    session = b"filename {participant:P003} {task:rest}\nstart\nstop\n"
    control = listening()
    assert "run-01" in talk(control, session)[1]
    assert "run-02" in talk(control, session)[1]
    assert len(list(target.workspace.rglob("*.xdf"))) == 2


def test_a_script_that_sends_and_closes_is_obeyed(listening: Listening, target: Recording) -> None:
    """Lines sent by a client that reads nothing and is gone are carried out, in order."""
    control = listening()
    target.may_end.clear()
    with connected(control) as client:
        client.sendall(b"select all\nstart\nstop\nselect none\n")
    target.may_end.set()
    talk(control, b"select all\n")
    assert target.calls == ["select all", "start", "stop", "select none", "select all"]


def test_ends_of_lines_and_packets_do_not_matter(listening: Listening, target: Recording) -> None:
    """CRLF, LF, a BOM, a byte at a time, and no end of line before the close: all the same."""
    control = listening()
    with connected(control) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\xef\xbb\xbfselect all\r\n\r\n  start \nselect none\r\nstop":
            client.send(bytes([byte]))
        client.shutdown(socket.SHUT_WR)
        answers = read_all(client)
    assert target.calls == ["select all", "start", "select none", "stop"]
    assert [answer[:2] for answer in answers] == ["OK"] * 4


def test_every_command_is_answered_with_what_happened(listening: Listening) -> None:
    """Unknown, malformed and failed commands get an error, and the connection goes on."""
    answers = talk(
        listening(),
        b"format c:\nstop\nselect name='absent'\n\x80\x81\nst\x07art\nselect all\n",
    )
    assert [answer.partition(":")[0] for answer in answers] == ["ERROR"] * 5 + ["OK selected all"]
    assert "unknown command" in answers[0]
    assert "nothing is being recorded" in answers[1]
    assert "no stream matches" in answers[2]


def test_a_bug_in_the_recorder_is_an_error_and_a_log_line(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of the target is logged with its trace, answered, and ends nothing."""
    answers = talk(listening(), b"update\nselect all\n")
    assert answers[0].startswith("ERROR: this command failed inside Rolandic")
    assert answers[1] == "OK selected all"
    assert "ZeroDivisionError" in caplog.text


def test_a_refused_name_records_nobody_as_the_person_before(
    listening: Listening, target: Recording
) -> None:
    """After a refused filename the recording is made, without a loss, and called unnamed."""
    control = listening()
    answers = talk(
        control,
        b"filename {participant:P001}\nfilename {root:/etc} {participant:P002}\nstart\nstop\n",
    )
    assert "the next recording is called sub-unnamed/" in answers[1]
    assert "sub-unnamed" in answers[2]
    (file,) = target.workspace.rglob("*.xdf")
    assert "unnamed" in file.name


def test_the_workspace_is_accepted_as_root(listening: Listening, target: Recording) -> None:
    """A root that is the workspace changes nothing, and is no error, however it is spelled."""
    root = str(target.workspace)
    answers = talk(
        listening(),
        f"filename {{root:{root}/}}\nfilename {{root:{root}/../workspace}}\n".encode(),
    )
    assert [answer[:5] for answer in answers] == ["OK ca", "ERROR"]


def test_short_answers_are_labrecorders(listening: Listening) -> None:
    """For scripts that compare for equality, success can be OK alone; an error says why."""
    answers = talk(listening(answers="short"), b"select all\nnonsense\n")
    assert answers[0] == "OK"
    assert answers[1].startswith("ERROR: unknown")


def test_clients_at_once_get_their_own_whole_answers(listening: Listening) -> None:
    """Eight clients with a hundred commands each: every answer whole, in order, to its own."""
    control = listening()
    got: dict[int, list[str]] = {}

    def run(number: int) -> None:
        lines = [f"select name='c{number}n{count}'" for count in range(100)]
        got[number] = talk(control, "\n".join(lines).encode())

    threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number in range(8):
        assert got[number] == [f"OK selected name='c{number}n{n}'" for n in range(100)]


def test_a_slow_command_holds_up_no_other_connection(
    listening: Listening, target: Recording
) -> None:
    """While one waits for streams, others are refused as ever."""
    control = listening(n_clients=2)
    target.may_end.clear()
    with connected(control) as first, connected(control), connected(control) as third:
        first.sendall(b"start\n")
        assert "2 clients are connected already" in read_all(third)[0]
        assert target.path is None


def test_commands_do_not_pile_up_without_bound(
    listening: Listening, target: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one hangs, clients that send and hang up are let in only up to a number of lines."""
    monkeypatch.setattr("bci.daemon.remote._MOST_LINES", 20)
    control = listening()
    target.may_end.clear()
    with connected(control) as first:
        first.sendall(b"start\n")
        answered = []
        for _ in range(10):
            with connected(control) as hasty:
                hasty.sendall(10 * b"update\n")
                hasty.shutdown(socket.SHUT_WR)
                hasty.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    answered.append(hasty.recv(1000))
    assert answered
    assert all(b"too many commands are waiting" in answer for answer in answered)
    assert len(answered) >= 7


def test_clients_that_were_refused_hold_no_place(listening: Listening) -> None:
    """However many were turned away and hang on, one that leaves makes room for one."""
    control = listening(n_clients=1)
    refused = []
    with connected(control) as first:
        first.sendall(b"select all\n")
        assert first.recv(100)
        for _ in range(5):
            refused.append(connected(control))
            assert refused[-1].recv(10) == b"ERROR: 1 c"
        first.shutdown(socket.SHUT_WR)
        assert first.recv(100) == b""
    assert talk(control, b"select all\n") == ["OK selected all"]
    for client in refused:
        client.close()


def test_a_closed_connection_makes_room(listening: Listening) -> None:
    """As many clients as wanted, one after the other."""
    control = listening(n_clients=1)
    answers = []
    for _ in range(3):
        with connected(control) as client:
            client.sendall(b"select all\n")
            client.shutdown(socket.SHUT_WR)
            answers += read_all(client)
    assert answers == ["OK selected all"] * 3


def test_a_line_without_an_end_is_cut_off(listening: Listening) -> None:
    """A megabyte without a line feed: an error that the client can still read, then the end."""
    with connected(listening()) as client:
        client.sendall(b"x" * 1_000_000)
        assert "longer than 2048" in read_all(client)[0]


def test_a_client_that_dribbles_is_cut_off(listening: Listening) -> None:
    """A line has a time limit from its first byte on; bytes now and then do not extend it."""
    with connected(listening(line_s=0.3)) as client:
        client.settimeout(0.05)
        received = b""
        for _ in range(200):
            try:
                client.send(b"s")
                received += client.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
            if received.endswith(b"\n"):
                break
        assert received == b"ERROR: no whole line came within 0.3 s\n"


def test_an_idle_client_is_let_go(listening: Listening) -> None:
    """A connection without a command for the time set is closed, with the reason."""
    with connected(listening(idle_s=0.2)) as client:
        assert read_all(client) == ["ERROR: no command came for 0.2 s"]


def test_a_client_that_never_reads_is_obeyed_in_bounded_memory(
    listening: Listening, target: Recording
) -> None:
    """Fifty thousand commands and no answer read: all carried out."""
    control = listening()
    target.calls.clear()
    with connected(control) as client:
        for _ in range(500):
            client.sendall(b"select all\n" * 100)
        client.shutdown(socket.SHUT_WR)
        answers = read_all(client)
    assert len(target.calls) == 50_000
    assert 0 < len(answers) <= 50_000
    assert set(answers) == {"OK selected all"}


def test_a_web_page_cannot_send_commands(listening: Listening, target: Recording) -> None:
    """A browser's request to this computer's port is cut off before its body is read as lines."""
    answers = talk(
        listening(),
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\nstart\nstop\n",
    )
    assert len(answers) == 1
    assert "not HTTP" in answers[0]
    assert target.calls == []


def test_a_token_comes_first(listening: Listening, target: Recording) -> None:
    """With a token set: nothing without it, nothing with a wrong one, everything after it."""
    control = listening(token=TOKEN)
    assert "send first" in talk(control, b"start\nstop\n")[0]
    wrong = talk(control, b"token nearly-the-right-one\nstart\n")
    assert wrong == ["ERROR: this is not the token"]
    assert target.calls == []
    right = talk(control, f"token {TOKEN}\nselect all\n".encode())
    assert right == ["OK token accepted", "OK selected all"]


def test_a_client_without_its_token_has_a_time_limit(listening: Listening) -> None:
    """A connection that says nothing, or half of it, holds no place for long."""
    control = listening(token=TOKEN, line_s=0.2, n_clients=1)
    with connected(control) as client:
        assert "no whole line" in read_all(client)[0]


def test_a_token_is_never_logged_or_shown(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the token nor what was sent for it is in the log or the settings' text."""
    caplog.set_level(logging.DEBUG)
    control = listening(token=TOKEN)
    talk(control, f"token {TOKEN}\nselect all\n".encode())
    talk(control, b"token guess-guess-guess\n")
    talk(control, f"tokem {TOKEN}\n".encode())
    assert "selected all" in caplog.text
    assert "wrong token" in caplog.text
    assert TOKEN not in caplog.text + repr(control.settings) + control.settings.model_dump_json()
    assert "guess-guess" not in caplog.text


def test_who_is_not_on_the_list_gets_nothing(
    listening: Listening, target: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    """A client whose address is not allowed is cut off unheard, and noted."""
    control = listening(allow=["192.0.2.0/24"])
    with connected(control) as client:
        try:
            client.sendall(b"start\n")
            received = client.recv(100)
        except ConnectionError:
            received = b""
    assert received == b""
    assert target.calls == []
    assert "not in the allow-list" in caplog.text


def test_a_port_that_is_taken_is_said(listening: Listening) -> None:
    """When LabRecorder itself runs there: one line with what to do."""
    port = listening().port
    with pytest.raises(SettingsError, match="end the program that does"):
        listening(port=port)


def test_closing_does_not_wait_for_clients(listening: Listening) -> None:
    """Close with clients connected, twice: it returns, and they see the end."""
    control = listening()
    with connected(control) as client:
        client.sendall(b"select all\n")
        assert client.recv(100) == b"OK selected all\n"
        control.close()
        control.close()
        try:
            assert client.recv(100) == b""
        except ConnectionError:
            pass


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_a_link_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    """A folder of the name that is a link to elsewhere is refused; nothing is made there."""
    workspace, elsewhere = tmp_path / "workspace", tmp_path / "elsewhere"
    workspace.mkdir()
    elsewhere.mkdir()
    (workspace / "sub-P001").symlink_to(elsewhere, target_is_directory=True)
    name = FileName(participant="P001")
    with pytest.raises(SettingsError, match="leads out of the workspace"):
        claim(workspace, name)
    assert list(elsewhere.iterdir()) == []


def test_folders_are_private(tmp_path: Path) -> None:
    """Folders that are made on the way are the user's alone."""
    path = claim(tmp_path, FileName())
    assert path.relative_to(tmp_path).parts[0] == "sub-unnamed"
    if os.name != "nt":
        assert (tmp_path / "sub-unnamed").stat().st_mode & 0o077 == 0
