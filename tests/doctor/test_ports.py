"""Which ports are open while Rolandic works, and to whom."""

import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pylsl
import pytest

from bci.doctor.ports import OpenPort, open_ports, ports, reach
from bci.sources.lsl_config import configure_lsl

ACQUIRE = """
import sys
from bci.acquisition import Acquisition
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
acquisition = Acquisition(LslSource(StreamQuery(source_id=sys.argv[1])))
acquisition.start()
print("acquiring", flush=True)
sys.stdin.read()
acquisition.stop()
"""


@pytest.fixture
def outlet() -> tuple[str, pylsl.StreamOutlet]:
    """Return a stream of this process."""
    configure_lsl()
    source_id = f"ports-{uuid.uuid4().hex}"
    return source_id, pylsl.StreamOutlet(
        pylsl.StreamInfo("ports", "EEG", 2, 100.0, "float32", source_id)
    )


def _open(pid: int) -> list[OpenPort]:
    process = psutil.Process(pid)
    return open_ports((p, "") for p in [process, *process.children(recursive=True)])


def test_acquiring_and_recording_listen_nowhere(outlet, tmp_path):
    """Neither opens an outlet: no TCP port of theirs listens on any network.

    What is left are UDP sockets of the clock's probes, which take answers only.
    """
    source_id, stream = outlet
    path = tmp_path / "r.xdf"
    record = [sys.executable, "-m", "bci", "record", "--source-id", source_id, "--out", path]
    acquire = [sys.executable, "-c", ACQUIRE, source_id]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    with (
        subprocess.Popen(
            record, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        ) as recorder,
        subprocess.Popen(
            acquire, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as acquirer,
    ):
        assert acquirer.stdout is not None
        try:
            assert acquirer.stdout.readline() == "acquiring\n"
            deadline = time.monotonic() + 30.0
            while not _holds_samples(path) and time.monotonic() < deadline:
                stream.push_sample([1.0, 2.0])
                time.sleep(0.01)
            assert _holds_samples(path)
            found = [*_open(recorder.pid), *_open(acquirer.pid)]
        finally:
            recorder.terminate()
            acquirer.communicate(timeout=30)
            recorder.communicate(timeout=30)
    listening = [port for port in found if port.protocol == "TCP" and not port.is_local]
    assert not listening
    assert {port.protocol for port in found} <= {"TCP", "UDP"}
    # The ports of outlets begin at 16572; a search that is over has none of them left.
    assert not [port for port in found if 16571 <= port.port <= 16603 and port.protocol == "TCP"]


def _holds_samples(path: Path) -> bool:
    return path.exists() and b"ports" in (content := path.read_bytes()) and len(content) > 4000


def test_an_outlet_listens_to_every_machine_and_that_is_told(outlet):
    """An outlet binds all interfaces, whatever the scope: the check warns, and says to whom."""
    check = ports("open ports")
    assert check.status == "warning"
    assert re.search(r"TCP \d+(, \d+)* to every machine that reaches this one", check.detail)
    assert "docs/network.md" in check.advice
    assert [port for port in _open(os.getpid()) if port.protocol == "TCP" and not port.is_local]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "this machine only"),
        ("::1", "this machine only"),
        ("0.0.0.0", "every machine that reaches this one"),
        ("::", "every machine that reaches this one"),
        ("192.0.2.2", "the network of 192.0.2.2"),
        ("fe80::1%eth0", "the network of fe80::1%eth0"),
    ],
)
def test_interfaces_are_told_in_words(address, words):
    """Who reaches a port follows from the address that it is bound to."""
    assert reach(OpenPort("TCP", address, 1, 1, "bci")) == words
