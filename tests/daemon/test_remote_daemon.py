"""A LabRecorder script drives a real daemon that records a real stream."""

import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from bci.daemon.control import ask
from bci.errors import RolandicError
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.outlet import EegOutlet

WAIT_S = 40.0


@pytest.fixture
def amplifier() -> Iterator[str]:
    """Send a stream at 200 Hz, a counter in channel 0; its source id."""
    source_id = f"test-{uuid.uuid4().hex}"
    channels = (Channel("C3", "volts"), Channel("C4", "volts"))
    outlet = EegOutlet(StreamInfo("Amp", "EEG", source_id, 200.0, channels, "double64"))
    stop = threading.Event()

    def send() -> None:
        sent = 0
        while not stop.wait(0.02):
            samples = np.zeros((4, 2))
            samples[:, 0] = sent + np.arange(4)
            outlet.push(samples, lsl_clock() + np.arange(-3, 1) / 200)
            sent += 4

    thread = threading.Thread(target=send, name="test amplifier")
    thread.start()
    yield source_id
    stop.set()
    thread.join()
    outlet.close()


@pytest.fixture
def daemon(tmp_path: Path, amplifier: str) -> Iterator[int]:
    """Run a daemon with the remote control on; its port."""
    settings = tmp_path / "session.toml"
    settings.write_text(
        '[workspace]\nfolder = "lab"\nsubject = "S01"\n'
        f'[[streams]]\nsource_id = "{amplifier}"\nuse = "eeg"\n'
        "[recording]\nat_start = false\n"
        "[remote]\nenabled = true\nport = 0\nroots = ['C:\\Data\\']\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "bci", "daemon", str(settings)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _port(tmp_path / "lab", process)
        ask(tmp_path / "lab", "stop")
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, said
        assert "Traceback" not in said
    finally:
        process.kill()
        process.communicate()


def _port(workspace: Path, process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status = ask(workspace, "status")
        except RolandicError:
            status = {}
        if status.get("remote") is not None:
            return int(status["remote"]["port"])
        time.sleep(0.05)
    pytest.fail(f"the daemon does not listen (exit code {process.poll()})")


def test_a_labrecorder_script_records_unchanged(
    daemon: int, tmp_path: Path, amplifier: str
) -> None:
    """README's commands, twice: two files, named as asked, each without a missing sample."""
    with socket.create_connection(("localhost", daemon), timeout=WAIT_S) as script:
        answers = script.makefile("rb")

        def send(command: bytes) -> str:
            script.sendall(command + b"\n")
            answer = answers.readline().decode()
            assert answer.startswith("OK "), answer
            return answer

        for run in ("02", "03"):
            send(b"select none")
            send(f"select source_id='{amplifier}'".encode())
            send(
                b"filename {root:C:\\Data\\} {template:exp\\%p_block_%b_%n.xdf} {run:2} "
                b"{participant:P003} {task:MemoryGuided}"
            )
            started = send(b"start")
            assert f"exp/P003_block_MemoryGuided_{run}.xdf, 1 stream" in started
            threading.Event().wait(0.5)  # how long the script's experiment takes
            send(b"stop")
        script.sendall(b"stop\n")
        assert b"ERROR: nothing is being recorded" in answers.readline()
        answers.close()
    files = sorted((tmp_path / "lab").rglob("*.xdf"))
    assert [file.name[-6:] for file in files] == ["02.xdf", "03.xdf"]
    for file in files:
        streams, _ = pyxdf.load_xdf(str(file), dejitter_timestamps=False)
        (counter,) = (
            stream["time_series"][:, 0]
            for stream in streams
            if stream["info"]["source_id"][0] == amplifier
        )
        assert len(counter) > 60
        assert np.all(np.diff(counter) == 1)
