"""The amplifier in its own process."""

import importlib
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci.errors import RecordingError, RolandicError, SettingsError
from bci.events import Marker
from bci.private import PrivateLog
from bci.sources import child as child_module
from bci.sources.amplifier import AmplifierProcess
from bci.sources.base import Channel, StreamInfo
from bci.sources.child import ChildProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.markers import MarkerInlet, MarkerOutlet
from bci.sources.recording import Recording

WAIT_S = 10.0


@pytest.fixture
def source_id() -> str:
    """Return an id that no other test's stream has."""
    return f"test-{uuid.uuid4().hex}"


def counted(n_samples: int, first: int = 0) -> Recording:
    """Make a recording whose channels count int16 microvolts up from `first`."""
    raw = first + np.arange(n_samples)[:, None] + np.array([0, 1000])
    channels = (Channel("C3", "microvolts"), Channel("C4", "microvolts"))
    return Recording(
        path=Path(f"counted-{first}"),
        info=StreamInfo("counted", "EEG", "", 250.0, channels, "int16"),
        samples=raw * 1e-6,
        stamps=np.arange(n_samples) / 250.0,
        clock_offsets=np.empty((0, 2)),
        markers=(Marker(0.1, "T1"), Marker(0.2, "T2")),
    )


def drain(source: LslSource, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Read so many samples."""
    volts, stamps = [], []
    deadline = lsl_clock() + WAIT_S
    while sum(map(len, stamps)) < n_samples:
        assert lsl_clock() < deadline, f"{sum(map(len, stamps))} of {n_samples} samples came"
        chunk = source.read(0.5)
        if chunk is not None:
            volts.append(chunk.samples.copy())
            stamps.append(chunk.stamps.copy())
    return np.concatenate(volts or [np.empty((0, 0))]), np.concatenate([np.empty(0), *stamps])


@pytest.fixture
def amplifier(source_id: str) -> Iterator[AmplifierProcess]:
    """Start an amplifier with two recordings."""
    process = AmplifierProcess([counted(300), counted(200, 5000)], source_id=source_id)
    process.start()
    yield process
    process.stop()
    assert not process.alive


def test_plays_each_recording_whole_on_one_stream(amplifier: AmplifierProcess) -> None:
    """Two plays arrive whole over one inlet, first sample included, stamps growing."""
    source = LslSource(StreamQuery(source_id=amplifier.source_id), timeout_s=WAIT_S)
    source.open()
    markers = MarkerInlet(StreamQuery(source_id=amplifier.marker_source_id), WAIT_S)
    assert amplifier.have_consumers()
    assert amplifier.durations_s() == pytest.approx((299 / 250, 199 / 250))
    clock = amplifier.play(0, speed=8.0, backdate_s=5.0)
    first = amplifier.wait_played(WAIT_S)
    amplifier.play(1, speed=8.0)
    second = amplifier.wait_played(WAIT_S)
    volts, stamps = drain(source, 500)
    np.testing.assert_array_equal(volts[:300], counted(300).samples)
    np.testing.assert_array_equal(volts[300:], counted(200, 5000).samples)
    np.testing.assert_allclose(
        stamps[:300], clock.virtual_s + counted(300).stamps, rtol=0, atol=1e-9
    )
    assert (np.diff(stamps) > 0).all()
    assert [report.n_samples for report in (first, second)] == [300, 200]
    assert [report.n_markers for report in (first, second)] == [2, 2]
    assert second.start_s >= first.last_stamp + 1.0
    got: list[Marker] = []
    deadline = lsl_clock() + WAIT_S
    while len(got) < 4 and lsl_clock() < deadline:
        got += markers.pull()
        threading.Event().wait(0.01)
    assert [marker.label for marker in got] == ["T1", "T2", "T1", "T2"]
    assert got[3].time_s == pytest.approx(second.start_s + 0.2, abs=1e-3)
    reports = amplifier.stop()
    assert [report.last_stamp for report in reports] == [first.last_stamp, second.last_stamp]
    markers.close()
    source.close()


def test_says_what_it_cannot_do(amplifier: AmplifierProcess) -> None:
    """An index that is none, a person that is not there, and playing while playing are refused."""
    with pytest.raises(SettingsError, match="recording 7"):
        amplifier.play(7)
    with pytest.raises(SettingsError, match="nobody"):
        amplifier.run()
    with pytest.raises(SettingsError, match="speed"):
        amplifier.play(0, speed=-1.0)
    amplifier.play(0, speed=0.1)
    with pytest.raises(SettingsError, match="already"):
        amplifier.play(1)
    (report,) = amplifier.pause()
    assert not report.ended
    assert report.n_samples < 300


def test_recordings_that_disagree_are_named(source_id: str) -> None:
    """Recordings of another rate or other channels do not start, and the file is named."""
    other = counted(50, 7)
    slower = replace(other, info=replace(other.info, rate_hz=128.0))
    with pytest.raises(RecordingError, match=r"counted-7 has 128 Hz"):
        AmplifierProcess([counted(50), slower], source_id=source_id).start()
    swapped = replace(other, info=replace(other.info, channels=other.info.channels[::-1]))
    with pytest.raises(RecordingError, match="other channels"):
        AmplifierProcess([counted(50), swapped], source_id=source_id).start()


def test_person_hears_cues_and_pauses(source_id: str) -> None:
    """A simulated person streams on command, sees the cue stream, pauses, goes on."""
    cues = MarkerOutlet("cues", f"{source_id}-cues")
    person = {"ability": 1.0, "rate_hz": 250.0, "montage": ("C3", "Cz", "C4"), "seed": 3}
    query = StreamQuery(source_id=f"{source_id}-cues")
    with AmplifierProcess(person=person, source_id=source_id, cues=query) as amplifier:
        source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
        source.open()
        deadline = lsl_clock() + WAIT_S
        while not amplifier.cues_connected():
            assert lsl_clock() < deadline
            threading.Event().wait(0.02)
        clock = amplifier.run(speed=5.0)
        cues.push("left_hand", amplifier.virtual().at(lsl_clock()))
        _, stamps = drain(source, 500)
        assert stamps[0] == pytest.approx(clock.virtual_s, abs=1e-9)
        np.testing.assert_allclose(np.diff(stamps), 1 / 250, rtol=0, atol=1e-6)
        (report,) = amplifier.pause()
        drain(source, report.n_samples - source.first_sample)
        assert source.read(0.2) is None
        amplifier.run(speed=1.0)
        _, stamps = drain(source, 10)
        assert stamps[0] > report.last_stamp
        source.close()
    cues.close()


def test_child_ends_with_its_parent(tmp_path: Path, source_id: str) -> None:
    """When the parent is killed without a word the amplifier ends too."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os\n"
        "from bci.sources.amplifier import AmplifierProcess\n"
        "if __name__ == '__main__':\n"
        "    person = {'montage': ('C3', 'C4')}\n"
        f"    amplifier = AmplifierProcess(person=person, source_id='{source_id}')\n"
        "    amplifier.start()\n"
        "    print(amplifier._child.pid, flush=True)\n"
        "    os._exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False
    )
    pid = int(done.stdout)
    deadline = lsl_clock() + WAIT_S
    while lsl_clock() < deadline and _runs(pid):
        threading.Event().wait(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_failures_of_a_child_reach_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault comes with its traceback, a dead child with its exit code; closing still works."""
    # A spawned child must be able to import what it runs: it gets this process's path.
    monkeypatch.syspath_prepend(Path(__file__).parent)
    worker = importlib.import_module("broken_worker").BrokenWorker
    child = ChildProcess("tester", worker)
    assert child.close() is None  # never started
    child = ChildProcess("tester", worker)
    child.start()
    with pytest.raises(RolandicError, match=r"KeyError.*(?s:.)*in fail"):
        child.ask("fail")
    assert child.close() == "closed"
    child = ChildProcess("tester", worker)
    child.start()
    with pytest.raises(RolandicError, match=r"tester process ended unexpectedly .*3"):
        child.ask("die")
    assert child.close() is None


@pytest.mark.skipif(os.name != "posix", reason="there is no signal to be deaf to")
def test_a_child_that_cannot_be_ended_is_named_and_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that waits for a disk that hangs: neither the close nor Python's end waits for it."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    for name in ("_END_S", "_TERMINATE_S"):
        monkeypatch.setattr(child_module, name, 0.1)
    child = ChildProcess("tester", importlib.import_module("broken_worker").BrokenWorker)
    child.start()
    child.ask("resist")
    start = time.monotonic()
    with pytest.raises(RolandicError, match="did not answer"):
        child.close(timeout_s=0.1)
    assert time.monotonic() - start < 2.0
    assert child.alive
    assert f"({child.pid}) cannot be ended and is left" in caplog.text
    assert child.pid not in {process.pid for process in multiprocessing.active_children()}
    os.kill(child.pid, signal.SIGKILL)


def test_what_goes_wrong_in_a_child_is_in_a_private_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its traceback, beside the log of its parent, for its user alone."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    log = PrivateLog(tmp_path / "daemon.log", delay=True)
    logging.getLogger("bci").addHandler(log)
    try:
        child = ChildProcess("tester", importlib.import_module("broken_worker").BrokenWorker)
        child.start()
        with pytest.raises(RolandicError):
            child.ask("fail")
        child.close()
    finally:
        logging.getLogger("bci").removeHandler(log)
        log.close()
    path = tmp_path / "daemon-tester.log"
    assert "Traceback" in (text := path.read_text())
    assert "KeyError" in text
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0
