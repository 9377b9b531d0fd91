"""A stream with a counter in channel 0, and daemons that are processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from bci.daemon.control import ask
from bci.errors import RolandicError
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.outlet import EegOutlet

WAIT_S = 60.0
RATE_HZ = 200.0


class Sender:
    """Sends a stream at 200 Hz: the number of the sample in channel 0, noise in the other."""

    def __init__(self) -> None:
        self.source_id = f"test-{uuid.uuid4().hex}"
        channels = (Channel("C3", "microvolts"), Channel("C4", "microvolts"))
        self.info = StreamInfo("Amp", "EEG", self.source_id, RATE_HZ, channels, "double64")
        self.n_sent = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Put the stream on the network and send."""
        self._outlet = EegOutlet(self.info)
        self._stop.clear()
        self._thread = threading.Thread(target=self._send, name="test sender")
        self._thread.start()

    def _send(self) -> None:
        rng = np.random.default_rng(0)
        began_s, n_begun = lsl_clock(), self.n_sent
        while not self._stop.wait(0.02):
            # As many as are due: a busy machine must not change the rate.
            now_s = lsl_clock()
            n = int((now_s - began_s) * RATE_HZ) - (self.n_sent - n_begun)
            samples = np.column_stack([self.n_sent + np.arange(n), 20.0 * rng.standard_normal(n)])
            self._outlet.push(1e-6 * samples, now_s + np.arange(1 - n, 1) / RATE_HZ)
            self.n_sent += n

    def stop(self) -> None:
        """Stop to send and take the stream away; more than once is harmless."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            self._outlet.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    """Return a stream that is not there until it is started."""
    sender = Sender()
    yield sender
    sender.stop()


class RunningDaemon:
    """A daemon in a process of its own."""

    def __init__(self, settings: Path, environment: dict[str, str]) -> None:
        self.settings, self.workspace = settings, settings.parent / "lab"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci", "daemon", str(settings)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def status(self) -> dict[str, Any] | None:
        """Return its status; None when it does not answer."""
        try:
            return ask(self.workspace, "status")
        except RolandicError:
            return None

    def wait_for(self, condition: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """Wait until its status is as wanted."""
        deadline = time.monotonic() + WAIT_S
        status = None
        while time.monotonic() < deadline and self.process.poll() is None:
            status = self.status()
            if status is not None and status["pid"] == self.process.pid and condition(status):
                return status
            time.sleep(0.05)
        self.process.kill()
        said = self.process.communicate()[1]
        pytest.fail(f"never {what}: {json.dumps(status, indent=1)}\n{said}")

    def wait_for_samples(self, n: int) -> dict[str, Any]:
        """Wait until so many samples are acknowledged in the present file."""
        return self.wait_for(lambda status: written(status) >= n, f"wrote {n} samples")

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def finish(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        said = self.process.communicate(timeout=WAIT_S)[1]
        assert "Traceback" not in said, said
        return self.process.returncode, said

    def terminate(self) -> tuple[int, str]:
        """End it as a service manager does."""
        if sys.platform == "win32":
            self.process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self.process.terminate()
        return self.finish()


def written(status: dict[str, Any]) -> int:
    """Return how many samples of the present file are acknowledged."""
    now = status["recording"]["now"]
    return 0 if now is None else sum(s["n_written"] for s in now["streams"] if s["rate_hz"])


@pytest.fixture
def begin_daemon(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, sender: Sender
) -> Iterator[Callable[..., RunningDaemon]]:
    """``begin_daemon(more="", **environment)``: start a daemon that records the sender's stream."""
    state = str(tmp_path_factory.mktemp("state"))
    begun: list[RunningDaemon] = []

    def begin(more: str = "", **environment: str) -> RunningDaemon:
        settings = tmp_path / "session.toml"
        settings.write_text(
            '[workspace]\nfolder = "lab"\nsubject = "S01"\n'
            f'[[streams]]\nsource_id = "{sender.source_id}"\nuse = "eeg"\n{more}',
            encoding="utf-8",
        )
        begun.append(RunningDaemon(settings, {"XDG_STATE_HOME": state, **environment}))
        return begun[-1]

    yield begin
    for daemon in begun:
        if daemon.process.poll() is None:
            daemon.process.kill()
        if not daemon.process.stderr.closed:
            daemon.process.communicate()
    for place in (tmp_path / "lab" / "sourcedata").rglob("*.recorder"):
        report = json.loads(place.read_text(encoding="utf-8"))
        if "reason" not in report:  # an orphan that a failed test has left
            os.kill(report["pid"], signal.SIGTERM)


@pytest.fixture
def counters() -> Callable[[Path, str], np.ndarray]:
    """``counters(file, source_id)``: the numbers of the samples in a recording."""

    def read(path: Path, source_id: str) -> np.ndarray:
        streams, _ = pyxdf.load_xdf(
            str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
        )
        found = [s for s in streams if s["info"]["source_id"][0] == source_id]
        assert len(found) == 1
        return np.rint(np.asarray(found[0]["time_series"])[:, 0]).astype(int)

    return read
