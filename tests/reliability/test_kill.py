"""The recorder's process, and its owner, killed and ended: what was acknowledged is in the file."""

import json
import multiprocessing
import os
import queue
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf

from bci.errors import RecordingError, RolandicError
from bci.recording import RecorderProcess
from bci.recording.control import find_recorders, orphans, read_report
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery, configure_lsl

WAIT_S = 20.0
RATE_HZ = 500.0
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # what Windows does for TERM is a kill

OWNER = """
import sys, time
from pathlib import Path
from bci.recording import RecorderProcess
from bci.sources.discovery import StreamQuery
if __name__ == "__main__":
    query = StreamQuery(source_id=sys.argv[1])
    recorder = RecorderProcess([query], Path(sys.argv[2]), orphan_s=float(sys.argv[3]))
    recorder.start()
    print(recorder.pid, flush=True)
    sys.stdin.read()  # the end of the file ends this process in order
"""


class Sender:
    """Sends counted samples; its log says which, and when each push was over."""

    def __init__(self, source_id: str) -> None:
        configure_lsl()
        self.source_id = source_id
        info = pylsl.StreamInfo(f"amp {source_id}", "EEG", 2, RATE_HZ, "int32", source_id)
        self._outlet = pylsl.StreamOutlet(info)
        self.pushed_s: list[float] = []  # of sample k, when its push returned
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test sender")
        self._thread.start()

    def push(self, n_samples: int) -> None:
        """Push so many now."""
        first = len(self.pushed_s)
        counter = np.arange(first, first + n_samples, dtype=np.int32)
        stamps = lsl_clock() + (np.arange(n_samples) - n_samples) / RATE_HZ
        self._outlet.push_chunk(np.column_stack([counter, -counter]), stamps.tolist())
        self.pushed_s += [lsl_clock()] * n_samples

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s += 4 / RATE_HZ
            self.push(4)

    def stop(self) -> None:
        """End the thread; the outlet stays."""
        self._stop.set()
        self._thread.join()


@pytest.fixture(autouse=True)
def _no_recorder_is_left() -> Iterator[None]:
    """End the recorders of a test that has failed."""
    yield
    for process in multiprocessing.active_children():
        process.kill()
        process.join()


@pytest.fixture
def sender() -> Iterator[Sender]:
    """Send while the test runs."""
    sender = Sender(f"test-kill-{os.getpid()}-{time.monotonic_ns()}")
    yield sender
    sender.stop()


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_S} s for {what}")
        time.sleep(0.01)
    return value


def load(path: Path, source_id: str) -> dict[str, Any]:
    """Return one stream of a file."""
    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    return next(s for s in streams if s["info"]["source_id"][0] == source_id)


def events(path: Path) -> list[str]:
    """Return what the recorder says in the file happened."""
    rows = load(path, "rolandic-recorder")["time_series"]
    return [json.loads(row[0])["event"] for row in rows]


def counter(path: Path, source_id: str) -> np.ndarray:
    """Return the samples' numbers, having checked that none is missing or changed."""
    series = load(path, source_id)["time_series"]
    numbers = np.asarray(series, dtype=np.int64).reshape(-1, 2)
    np.testing.assert_array_equal(np.diff(numbers[:, 0]), 1)
    np.testing.assert_array_equal(numbers[:, 1], -numbers[:, 0])
    return numbers[:, 0]


@dataclass(frozen=True)
class Killed:
    """One recorder that was killed: the tail is what was sent before and is not in the file."""

    n_acknowledged: int
    n_in_file: int
    tail_s: float
    lateness_s: float


def started(path: Path, sender: Sender) -> RecorderProcess:
    """Start a recorder."""
    recorder = RecorderProcess([StreamQuery(source_id=sender.source_id)], path, timeout_s=WAIT_S)
    recorder.start()
    return recorder


def kill_one(recorder: RecorderProcess, sender: Sender, record_s: float) -> Killed:
    """Record on, kill the recorder in the middle, and see what is in its file."""
    pid = recorder.pid
    assert pid is not None
    end_s = time.monotonic() + record_s
    n_acknowledged = 0
    while time.monotonic() < end_s:
        time.sleep(0.005)
        n_acknowledged = recorder.status().streams[0].n_written
    killed_s = lsl_clock()
    os.kill(pid, KILL)
    with pytest.raises(RolandicError, match="ended unexpectedly"):
        recorder.stop()
    numbers = counter(recorder.path, sender.source_id)
    assert len(numbers)
    pushed_s = np.array(sender.pushed_s)
    missing_s = pushed_s[numbers[-1] + 1 :]
    tail_s = killed_s - missing_s[0] if len(missing_s) and missing_s[0] < killed_s else 0.0
    near_s = pushed_s[(pushed_s > killed_s - 1.0) & (pushed_s <= killed_s + 0.02)]
    lateness_s = float(np.diff(near_s).max()) - 4 / RATE_HZ
    return Killed(n_acknowledged, len(numbers), tail_s, lateness_s)


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path: Path, sender: Sender, soak: bool) -> None:
    """However the kill falls, no acknowledged sample is missing, and at most 0.1 s of others.

    By as much as this machine let the sender's own pushes, 8 ms apart, be late in the last second,
    the recorder may be late as well.
    """
    n_kills, n_at_once = (1000 if soak else 50), 10
    rng = np.random.default_rng(5)
    waits_s = rng.uniform(0.1, 1.0 if soak else 0.4, n_kills)
    killed: list[Killed] = []
    with ThreadPoolExecutor(n_at_once) as pool:
        # First all of a batch start, then all are killed: no start disturbs a recording.
        for first in range(0, n_kills, n_at_once):
            batch = range(first, first + n_at_once)
            paths = [tmp_path / f"{k}.xdf" for k in batch]
            recorders = list(pool.map(lambda path: started(path, sender), paths))
            waits = [float(waits_s[k]) for k in batch]
            killed += pool.map(lambda r, wait_s: kill_one(r, sender, wait_s), recorders, waits)
    lost = [max(0, one.n_acknowledged - one.n_in_file) for one in killed]
    tails_ms = np.array([one.tail_s for one in killed]) * 1e3
    late_ms = np.array([one.lateness_s for one in killed]) * 1e3
    print(
        f"\n{n_kills} kills: {sum(one.n_acknowledged for one in killed)} samples acknowledged, "
        f"{sum(lost)} of them missing; unacknowledged tail (ms): median {np.median(tails_ms):.0f}, "
        f"p95 {np.quantile(tails_ms, 0.95):.0f}, p99 {np.quantile(tails_ms, 0.99):.0f}, "
        f"worst {tails_ms.max():.0f}; pushes late by at most {late_ms.max():.0f}"
    )
    assert sum(one.n_acknowledged for one in killed) > 50 * n_kills
    assert sum(lost) == 0
    assert np.median(tails_ms) <= 100
    assert (tails_ms - late_ms).max() <= 100
    assert find_recorders(tmp_path) == []  # the owner has cleared up
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".xdf"]


@dataclass
class Owner:
    """Another process that owns a recorder."""

    process: subprocess.Popen[str]
    recorder_pid: int

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.communicate(timeout=WAIT_S)


@pytest.fixture
def own(tmp_path: Path, sender: Sender) -> Iterator[Callable[[Path, float], Owner]]:
    """Start owners; none is left."""
    owners: list[Owner] = []

    def start(path: Path, orphan_s: float) -> Owner:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, sender.source_id, str(path), str(orphan_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=lambda: line.put(process.stdout.readline()), daemon=True)
        reader.start()
        owners.append(Owner(process, int(line.get(timeout=WAIT_S))))
        return owners[-1]

    yield start
    for owner in owners:
        if owner.process.poll() is None:
            owner.kill()


def test_the_owner_is_killed_and_another_takes_over(
    tmp_path: Path, sender: Sender, own: Callable[[Path, float], Owner]
) -> None:
    """Recording goes on without its owner, whoever attaches stops it; no sample is missing."""
    path = tmp_path / "a.xdf"
    owner = own(path, 30.0)
    owner.kill()  # returns at once: the recorder holds nothing of its owner's streams
    n_then = len(sender.pushed_s)
    assert find_recorders(tmp_path) == [path]
    until(lambda: orphans(tmp_path)[0][1], "when it closes")
    with pytest.raises(RecordingError, match="nothing records"):
        RecorderProcess.attach(tmp_path / "b.xdf")
    recorder = RecorderProcess.attach(path)
    assert (recorder.alive, recorder.pid) == (True, owner.recorder_pid)
    until(lambda: recorder.status().streams[0].n_samples > 0, "samples")
    until(lambda: len(sender.pushed_s) > n_then + 200, "more samples")
    sender.stop()
    sender.push(7)
    summary = recorder.stop()
    assert not recorder.alive
    numbers = counter(path, sender.source_id)
    assert numbers[0] < n_then
    assert numbers[-1] == len(sender.pushed_s) - 1
    assert summary.streams[0].n_samples == len(numbers)
    assert summary.readback is not None
    assert summary.readback.ok, str(summary.readback)
    said = events(path)
    assert said.index("orphaned") < said.index("taken_over")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.xdf"]


def test_an_orphan_closes_in_order(
    tmp_path: Path, sender: Sender, own: Callable[[Path, float], Owner]
) -> None:
    """When nobody takes over the file gets its footers, and a report beside it says why.

    Also where the path is too long for a socket.
    """
    folder = tmp_path / ("deep-" * 20)
    folder.mkdir()
    path = folder / "a.xdf"
    owner = own(path, 0.5)
    control = path.with_name("a.xdf.recorder")
    address = Path(json.loads(control.read_text())["address"])
    owner.kill()
    report = until(lambda: read_report(path), "the report")
    assert "nobody took over within 0.5 s" in report["reason"]
    assert report["readback"].startswith("read back: ")
    stream = load(path, sender.source_id)
    numbers = counter(path, sender.source_id)
    assert stream["footer"]["info"]["sample_count"] == [str(len(numbers))]
    assert report["streams"][0]["n_samples"] == len(numbers)
    assert {"orphaned", "ended"} <= set(events(path))
    assert "key" not in report
    with pytest.raises(RecordingError, match="closed in order: whoever started it was gone"):
        RecorderProcess.attach(path)
    if sys.platform != "win32":
        until(lambda: not address.parent.exists(), "the end of the socket")
    assert sorted(entry.name for entry in folder.iterdir()) == ["a.xdf", "a.xdf.recorder"]


def test_an_owner_that_ends_closes_in_order(
    tmp_path: Path, sender: Sender, own: Callable[[Path, float], Owner]
) -> None:
    """An owner that ends without a stop takes its recording along, closed, on every system."""
    path = tmp_path / "a.xdf"
    owner = own(path, 30.0)
    owner.process.communicate("", timeout=WAIT_S)
    assert owner.process.returncode == 0
    assert "footer" in load(path, sender.source_id)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.xdf"]


@pytest.mark.skipif(sys.platform == "win32", reason="TERM is a kill there")
def test_term_closes_in_order(tmp_path: Path, sender: Sender) -> None:
    """TERM ends the recording with footers, INT and HUP do not; the owner is told and has all."""
    path = tmp_path / "a.xdf"
    recorder = RecorderProcess([StreamQuery(source_id=sender.source_id)], path, timeout_s=WAIT_S)
    recorder.start()
    assert recorder.pid is not None
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(recorder.pid, number)
    n_then = recorder.status().streams[0].n_samples
    until(lambda: recorder.status().streams[0].n_samples > n_then + 50, "samples")
    assert not recorder.status().finished
    sent_s = time.monotonic()
    os.kill(recorder.pid, signal.SIGTERM)
    status = until(lambda: (s := recorder.status()).finished and s, "the end")
    assert time.monotonic() - sent_s < 2.0
    assert "by a signal" in status.notices[-1]
    summary = recorder.stop()
    assert "by a signal" in summary.notices[-1]
    assert summary.streams[0].n_samples == len(counter(path, sender.source_id))
    assert "footer" in load(path, sender.source_id)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.xdf"]


def test_nobody_else_commands_it(tmp_path: Path, sender: Sender) -> None:
    """The channel is private and wants the key; a killed recorder's is known as stale."""
    path = tmp_path / "a.xdf"
    recorder = RecorderProcess([StreamQuery(source_id=sender.source_id)], path, timeout_s=WAIT_S)
    recorder.start()
    control = path.with_name("a.xdf.recorder")
    content = json.loads(control.read_text())
    assert content["pid"] == recorder.pid
    if sys.platform != "win32":
        for place in (control, Path(content["address"])):
            assert stat.S_IMODE(place.stat().st_mode) == 0o600
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            Client(content["address"], authkey=b"guessed")
    assert RecorderProcess.attach(path).status().streams  # with the key
    if sys.platform != "win32":
        control.chmod(0o644)
        with pytest.raises(RecordingError, match="not private"):
            RecorderProcess.attach(path)
        control.chmod(0o600)
        hidden = tmp_path / "hidden"  # as a cleaner of old files does
        os.rename(content["address"], hidden)
        with pytest.raises(RecordingError, match="runs and cannot be reached"):
            RecorderProcess.attach(path)
        hidden.rename(content["address"])
        assert RecorderProcess.attach(path).status().streams
    assert recorder.pid is not None
    os.kill(recorder.pid, KILL)
    until(lambda: not recorder.alive, "the end")
    with pytest.raises(RecordingError, match=r"process \d+\) is gone"):
        RecorderProcess.attach(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.xdf"]
    with pytest.raises(RolandicError, match="ended unexpectedly"):
        recorder.stop()
