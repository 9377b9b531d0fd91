"""The recording of a run: watched, its end in the log, its failure loud."""

import hashlib
import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bci.errors import RolandicError
from bci.recording import RunRecording
from bci.recording.eventlog import EventLog, read_event_log
from bci.sources.base import Channel, StreamInfo
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.outlet import EegOutlet

WAIT_S = 15.0


@pytest.fixture
def outlet() -> EegOutlet:
    """Put an amplifier up that a test feeds."""
    channels = (Channel("C3", "microvolts"),)
    return EegOutlet(StreamInfo("amp", "EEG", f"test-{uuid.uuid4().hex}", 100.0, channels))


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_log_says_what_the_file_holds(tmp_path: Path, outlet: EegOutlet) -> None:
    """The log has counts, the hash from reading back, and what that showed; a loss is said."""
    notices: list[str] = []
    failures: list[BaseException] = []
    path = tmp_path / "a.xdf"
    query = StreamQuery(source_id=outlet.info.source_id)
    with EventLog(tmp_path / "log.jsonl") as log:
        run = RunRecording([query], path, log, notices.append, failures.append)
        run.start()
        outlet.push(np.zeros((30, 1)), lsl_clock() - np.arange(30)[::-1] / 100)
        until(lambda: run.status is not None and run.status.streams[0].n_samples == 30)
        outlet.close()
        until(lambda: bool(notices))
        summary = run.stop(completed=True)
    assert summary.readback is not None
    assert summary.readback.ok
    assert not failures
    assert len(set(notices)) == len(notices)
    event = next(e for e in read_event_log(log.path) if e["event"] == "recording_finished")
    assert event["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert event["readback"] == "read back: 30 of 30 samples"
    assert event["samples"] == {outlet.info.source_id: 30}


def test_the_death_of_its_recorder_is_loud(tmp_path: Path, outlet: EegOutlet) -> None:
    """A recorder that is killed is a failure within a second, and in the log with what is there."""
    failures: list[BaseException] = []
    path = tmp_path / "a.xdf"
    query = StreamQuery(source_id=outlet.info.source_id)
    with EventLog(tmp_path / "log.jsonl") as log:
        run = RunRecording([query], path, log, lambda _: None, failures.append)
        run.start()
        assert run.pid is not None
        os.kill(run.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        killed_s = time.monotonic()
        until(lambda: bool(failures))
        assert time.monotonic() - killed_s < 2.0
        with pytest.raises(RolandicError, match="ended unexpectedly"):
            run.stop(completed=False)
    assert "ended unexpectedly" in str(failures[0])
    event = next(e for e in read_event_log(log.path) if e["event"] == "recording_failed")
    assert event["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    outlet.close()


def test_a_log_that_cannot_be_written_costs_no_sample(tmp_path: Path, outlet: EegOutlet) -> None:
    """It is said, and the recording begins and ends all the same: no recorder is left running."""
    notices: list[str] = []
    failures: list[BaseException] = []
    query = StreamQuery(source_id=outlet.info.source_id)
    log = EventLog(tmp_path / "log.jsonl")
    log._failure = OSError(5, "Input/output error")  # noqa: SLF001 -- a disk that is gone
    run = RunRecording([query], tmp_path / "a.xdf", log, notices.append, failures.append)
    run.start()
    outlet.push(np.zeros((30, 1)), lsl_clock() - np.arange(30)[::-1] / 100)
    until(lambda: run.status is not None and run.status.streams[0].n_samples == 30)
    summary = run.stop(completed=True)
    log.close()
    assert summary.readback is not None
    assert summary.readback.ok
    assert summary.streams[0].n_samples == 30
    assert [text for text in notices if "log cannot be written" in text]
    assert not failures
    outlet.close()
