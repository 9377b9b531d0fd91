"""Fuzzing of the remote control: ten thousand commands (--soak), or five hundred."""

import gc
import logging
import os
import random
import socket
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest

from bci.daemon.file_names import FileName, claim
from bci.daemon.remote import RemoteControl
from bci.daemon.remote_protocol import LONGEST_LINE
from bci.daemon.remote_settings import RemoteSettings
from bci.errors import SettingsError

SEED = 20_250_605
#: On, 0 s: closing resets.
LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
GOOD = (
    b"select all",
    b"select none",
    b"select name='BioSemi' and type='EEG'",
    b"start",
    b"stop",
    b"update",
    b"filename {participant:P003} {session:S001} {task:rest} {run:2} {modality:eeg}",
    b"filename {root:C:\\Data\\} {template:exp%n\\%p_block_%b.xdf} {run:2} {participant:P003}",
    b"filename {template:sub-%p/%s/%b_%r.xdf} {acquisition:fast} {participant:S01}",
)
PIECES = (
    *(
        b"..",
        b"/",
        b"\\",
        b"../",
        b"..\\",
        b"C:",
        b"\\\\host\\share",
        b"~",
        b"$HOME",
        b"%00",
        b"%n",
    ),
    *(b"%", b"{", b"}", b":", b"{root:/}", b"{root:..}", b"{template:/etc/x.xdf}", b"NUL", b"con"),
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[2J", b"\r", b"\t", b"'", b'"', b";", b"`id`"),
    *("\u202e".encode(), "\u2215".encode(), "\uff0e\uff0e".encode(), "é".encode(), b"A" * 300),
    *(b"token ", b"GET / HTTP/1.1", b"999999999999999999999", b"-1", b".xdf", b" ", b"\x7f"),
)


class Watched:
    """A target that makes a file for each start, and checks every name first."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.name = FileName()
        self.recording = False

    def select(self, query: str) -> str:
        """Accept a query of the form that is promised."""
        assert query in ("all", "none") or query.count("'") % 2 == 0
        return query

    def filename(self, name: FileName) -> str:
        """Check that a name stays inside on every system."""
        parts = name.pattern.parts
        assert ".." not in parts
        assert not name.pattern.is_absolute()
        windows = PureWindowsPath(str(name.pattern))
        assert not windows.is_absolute()
        assert not windows.drive
        assert windows.parts == parts
        assert str(name.pattern).isascii()
        assert str(name.pattern).isprintable()
        assert len(str(name.pattern)) <= 200
        self.name = name
        return str(name.pattern)

    def start(self) -> str:
        """Make a file, unless there is one already."""
        if self.recording:
            raise SettingsError("recording already")
        self.recording = True
        return claim(self.workspace, self.name).name

    def stop(self) -> str:
        """End it."""
        self.recording = False
        return "stopped"

    def update(self) -> str:
        """Find nothing new."""
        return "no streams"


def mutated(line: bytes, rng: random.Random) -> bytes:
    """Return a line after a few random edits; never with a line feed, never blank."""
    changed = bytearray(line)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(changed) + 1)
        edit: Callable[[], object] = rng.choice(
            (
                lambda at=at: changed.insert(at, rng.randrange(256)),
                lambda at=at: changed.__setitem__(slice(at, at), rng.choice(PIECES)),
                lambda at=at: changed.__setitem__(slice(at, at + 8), rng.choice(PIECES)),
                lambda at=at: changed.__delitem__(slice(at, at + rng.randrange(1, 12))),
                lambda at=at: changed.__setitem__(slice(at, at), rng.choice(GOOD)),
                lambda at=at: changed.__setitem__(slice(at, at), changed[: rng.randrange(200)]),
            )
        )
        edit()
    changed = changed.replace(b"\n", b" ")
    return bytes(changed) if changed.strip() else b"start"


def ends_the_connection(line: bytes) -> bool:
    """Say whether a line is answered by hanging up: too long, or a browser's."""
    return len(line) > LONGEST_LINE or b"HTTP/" in line


def exchange(port: int, sent: bytes, rng: random.Random) -> bytes:
    """Send in packets of any size, and return all that comes until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        at = 0
        while at < len(sent):
            step = rng.choice((1, 7, 100, 5000))
            client.sendall(sent[at : at + step])
            at += step
        client.shutdown(socket.SHUT_WR)
        received = b""
        while got := client.recv(65536):
            received += got
        return received


@pytest.mark.slow
def test_commands_are_carried_out_or_refused(
    tmp_path: Path, soak: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Each line gets one whole answer, OK or a reason; no file but in the workspace; no trace."""
    caplog.set_level(logging.WARNING)
    rng = random.Random(SEED)
    workspace = tmp_path / "inside" / "workspace"
    workspace.mkdir(parents=True)
    n_wanted = 10_000 if soak else 500
    n_done = n_good = 0
    with RemoteControl(
        RemoteSettings(port=0, roots=["C:\\Data\\"]),  # type: ignore[arg-type]
        Watched(workspace),
        workspace,
    ) as control:
        exchange(control.port, b"select all\n", rng)
        tracemalloc.start()
        while n_done < n_wanted:
            lines = [mutated(rng.choice(GOOD), rng) for _ in range(25)]
            expected = next(
                (at + 1 for at, line in enumerate(lines) if ends_the_connection(line)), len(lines)
            )
            sent = rng.choice((b"\n", b"\r\n")).join(lines) + rng.choice((b"", b"\n"))
            received = exchange(control.port, sent, rng)
            answers = received.decode().splitlines()
            assert received.endswith(b"\n")
            assert all(answer.startswith(("OK ", "ERROR: ")) for answer in answers)
            assert len(answers) == len(lines) if expected == len(lines) else answers
            n_done += len(lines)
            n_good += sum(answer.startswith("OK ") for answer in answers)
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert exchange(control.port, b"select none\n", rng) == b"OK none\n"
    assert n_wanted / 10 < n_good < n_wanted, "the mutations are all good or all bad"
    assert peak < 20e6
    assert kept < 10e6  # whatever else is first imported meanwhile
    assert "Traceback" not in caplog.text
    assert [record for record in caplog.records if record.exc_info] == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        path for path in workspace.rglob("*.xdf") if path.is_file()
    ]


@pytest.mark.slow
def test_noise_and_broken_connections_change_nothing(
    tmp_path: Path, soak: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Random bytes, and clients that vanish in the middle: it answers the next one as ever."""
    rng = random.Random(SEED + 1)
    with RemoteControl(RemoteSettings(port=0), Watched(tmp_path), tmp_path) as control:
        for _ in range(2000 if soak else 100):
            noise = rng.randbytes(rng.choice((1, 50, 3000, 20_000)))
            with socket.create_connection(("127.0.0.1", control.port), timeout=20) as client:
                try:
                    client.sendall(noise)
                    if rng.random() < 0.5:  # reset instead of an orderly end
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                except ConnectionError:
                    continue
        # It may not have noticed yet that all of them are gone, and have no place.
        deadline = time.monotonic() + 10
        while (answer := exchange(control.port, b"select all\n", rng)) != b"OK all\n":
            assert answer.startswith(b"ERROR: 16 clients")
            assert time.monotonic() < deadline
    assert [record for record in caplog.records if record.exc_info] == []
    assert list(tmp_path.rglob("*")) == []
