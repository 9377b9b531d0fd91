"""Senders that start again: under another clock, or while the old one still seems to be there."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bci.acquisition import Acquisition
from bci.acquisition.markers import MarkerThread
from bci.errors import StreamError, StreamLostError
from bci.events import Marker
from bci.sources.amplifier import AmplifierProcess
from bci.sources.base import Channel, StreamInfo, StreamState
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.markers import MarkerInlet
from bci.sources.recording import Recording

RATE_HZ = 250.0
WAIT_S = 20.0

# Counts in its channel, by its own LSL clock, in blocks of 20 ms.
SENDER = f"""
import sys, time
import numpy as np, pylsl
from bci.sources.base import Channel, StreamInfo
from bci.sources.outlet import EegOutlet
info = StreamInfo("restarted", "EEG", sys.argv[1], {RATE_HZ}, (Channel("C3", "uV"),))
outlet = EegOutlet(info)
outlet.wait_for_consumers(60.0)
time.sleep(0.1)
k, start = int(sys.argv[2]), pylsl.local_clock()
for block in range(10_000):
    stamps = start + (np.arange(5) + 5 * block) / {RATE_HZ}
    time.sleep(max(0.0, stamps[-1] - pylsl.local_clock()))
    outlet.push((k + np.arange(5)[:, None]) * 1e-6, stamps)
    k += 5
"""

ANOTHER_CLOCK = ("unshare", "--user", "--map-root-user", "--time", "--monotonic", "100000")


def other_clocks() -> bool:
    """Say whether this system can give a process a clock of its own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*ANOTHER_CLOCK, "true"], capture_output=True, check=False).returncode == 0
    )


def sender(source_id: str, first: int, *prefix: str) -> subprocess.Popen[bytes]:
    """Start a sender that counts from `first`."""
    return subprocess.Popen([*prefix, sys.executable, "-c", SENDER, source_id, str(first)])


def until(condition: Callable[[], bool], what: str, within_s: float = WAIT_S) -> None:
    """Wait for a condition."""
    deadline, waiting = lsl_clock() + within_s, threading.Event()
    while not condition():
        assert lsl_clock() < deadline, f"not within {within_s:g} s: {what}"
        waiting.wait(0.005)


def acquiring(source_id: str, **options: float) -> Acquisition:
    """Start an acquisition."""
    source = LslSource(StreamQuery(source_id=source_id), timeout_s=WAIT_S)
    acquisition = Acquisition(source, buffer_s=60.0, **options)
    acquisition.start()
    return acquisition


def more(acquisition: Acquisition, n_samples: int) -> None:
    """Wait for so many more samples."""
    assert acquisition.ring.wait_for(acquisition.ring.n_written + n_samples, WAIT_S)


@pytest.mark.skipif(not other_clocks(), reason="needs time namespaces (Linux)")
def test_a_sender_that_restarts_under_another_clock_is_one_gap_of_its_true_length() -> None:
    """Its stamps leap by a day, its clock offset leaps back: times go on where they were."""
    source_id = f"test-{uuid.uuid4().hex}"
    first = sender(source_id, 0)
    second = None
    acquisition = acquiring(source_id)
    try:
        more(acquisition, 600)
        first.kill()
        until(lambda: acquisition.health.state is StreamState.LOST, "the loss is seen", 2.0)
        second = sender(source_id, 100_000, *ANOTHER_CLOCK)
        until(lambda: acquisition.health.state is StreamState.RECEIVING, "it is back")
        more(acquisition, 600)
    finally:
        acquisition.stop()
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()
    window = acquisition.ring.window(acquisition.ring.n_written, acquisition.ring.n_written)
    assert window is not None
    (gap,) = acquisition.gaps
    counted = np.rint(window.samples[:, 0] * 1e6).astype(int)
    assert gap.declared_at == np.flatnonzero(counted >= 100_000)[0]
    assert abs(np.diff(window.stamps)).max() > 50_000, "the clock was not another one"
    steps = np.diff(window.times)
    assert (steps > 0).all()
    assert gap.lost_s == pytest.approx(steps[gap.declared_at - 1] - 1 / RATE_HZ, abs=0.002)
    # A block leaves when its last sample is due: none arrives before its time, none much later.
    age = window.arrivals - window.times
    assert age.min() > -0.002
    assert np.median(age[gap.declared_at :]) < 0.03


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_sender_that_lost_its_power_is_replaced_by_its_restart() -> None:
    """The dead connection never ends; the restarted sender is found by its source id."""
    source_id = f"test-{uuid.uuid4().hex}"
    first = sender(source_id, 0)
    second = None
    acquisition = acquiring(source_id)
    try:
        more(acquisition, 400)
        os.kill(first.pid, signal.SIGSTOP)
        until(lambda: acquisition.health.state is StreamState.SILENT, "silence is seen", 1.2)
        second = sender(source_id, 100_000)
        until(lambda: acquisition.health.state is StreamState.RECEIVING, "it is taken up")
        more(acquisition, 100)
    finally:
        acquisition.stop()
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()
    window = acquisition.ring.window(acquisition.ring.n_written, 101)
    assert window is not None
    assert window.samples[-1, 0] * 1e6 > 100_000
    assert len(acquisition.gaps) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_marker_sender_that_lost_its_power_is_replaced_by_its_restart() -> None:
    """Markers are rare, so their silence says nothing: the restarted sender is looked for."""
    source_id = f"test-{uuid.uuid4().hex}"
    recording = Recording(
        path=Path("markers"),
        info=StreamInfo("markers", "EEG", "", RATE_HZ, (Channel("C3", "uV"),)),
        samples=np.zeros((10_000, 1)),
        stamps=np.arange(10_000) / RATE_HZ,
        clock_offsets=np.empty((0, 2)),
        markers=tuple(Marker(0.1 * k, "T1") for k in range(1, 390)),
    )
    first, second = (AmplifierProcess([recording], source_id=source_id) for _ in range(2))
    got: list[Marker] = []
    notices: list[str] = []
    thread = None
    first.start()
    try:
        query = StreamQuery(source_id=first.marker_source_id)
        thread = MarkerThread(MarkerInlet(query, WAIT_S), got.append, notices.append)
        thread.start()
        first.play(0)
        until(lambda: len(got) >= 3, "markers")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGSTOP)
        try:
            second.start()
            second.play(0)
            n_before = len(got)
            until(lambda: len(got) > n_before + 3, "markers of the restarted sender", 8.0)
        finally:
            os.kill(first.pid, signal.SIGCONT)
    finally:
        if thread is not None:
            thread.stop()
        for amplifier in (first, second):
            amplifier.stop()
    assert "is back" in notices[-1]


def test_giving_up_is_a_choice() -> None:
    """With `give_up_s` a stream that does not return fails the acquisition; else it is awaited."""
    source_id = f"test-{uuid.uuid4().hex}"
    process = sender(source_id, 0)
    patient = acquiring(source_id)
    hasty = acquiring(source_id, give_up_s=1.0)
    try:
        more(hasty, 10)
        process.kill()
        until(lambda: hasty.error is not None, "the hasty one gives up", 3.0)
        with pytest.raises(StreamLostError, match="restarted"):
            hasty.raise_error()
        assert patient.health.state is StreamState.LOST
        assert patient.error is None
    finally:
        for acquisition in (hasty, patient):
            acquisition.stop()
        process.kill()
        process.wait()


def test_two_streams_of_one_source_id_are_refused() -> None:
    """Which of two is meant cannot be told: the message names both."""
    source_id = f"test-{uuid.uuid4().hex}"
    processes = [sender(source_id, 0), sender(source_id, 0)]
    try:
        query = StreamQuery(source_id=source_id)
        source = LslSource(query, timeout_s=WAIT_S)

        def refused() -> bool:
            try:
                source.open()
            except StreamError as error:
                return "two LSL streams have the source id" in str(error)
            source.close()
            return False

        until(refused, "the double is seen")  # the second may start later than the first is found
    finally:
        for process in processes:
            process.kill()
            process.wait()
