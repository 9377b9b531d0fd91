"""Regular stops, and disks that take their time: nothing that was sent before is missing."""

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from bci.errors import RecordingError
from bci.recording import Recorder
from bci.recording.settings import RecorderSettings
from bci.recording.status import StreamCount
from bci.recording.xdf import XdfWriter
from bci.sources.discovery import StreamQuery

WAIT_S = 10.0


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> None:
    """Pyxdf logs every file that it opens."""
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)


def by_id(sender: Any) -> StreamQuery:
    """Return the query for one sender."""
    return StreamQuery(source_id=sender.about[5])


def load(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the streams of a file as recorded, and what it says of its recording."""
    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    streams.sort(key=lambda stream: stream["info"]["stream_id"])
    (log,) = [stream for stream in streams if stream["info"]["name"] == ["Rolandic recorder"]]
    streams.remove(log)
    return streams, [json.loads(text) for (text,) in log["time_series"]]


def until(condition: Callable[[], Any], what: str, within_s: float = WAIT_S) -> float:
    """Wait for a condition and return how long it took; fail when it does not come."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > within_s:
            pytest.fail(f"waited {within_s} s for {what}")
        time.sleep(0.002)
    return time.monotonic() - start


def only(recorder: Recorder, k: int = 0) -> StreamCount:
    """Return the count of one stream."""
    return recorder.status().streams[k]


def more(recorder: Recorder, n_samples: int = 50, k: int = 0) -> None:
    """Wait for some more samples of a stream."""
    before = only(recorder, k).n_samples
    until(lambda: only(recorder, k).n_samples >= before + n_samples, "samples")


def test_a_regular_stop_loses_nothing(
    tmp_path: Path, sender: Callable[..., Any], soak: bool
) -> None:
    """What was sent before the stop is in the file, and stopping takes less than 0.5 s."""
    amp = sender()
    amp.appear()
    took, missing, proven = [], [], 0
    for k in range(30 if soak else 3):
        path = tmp_path / f"{k}.xdf"
        recorder = Recorder([by_id(amp)], path, timeout_s=WAIT_S)
        recorder.start()
        first = len(amp.sent)
        amp.send()
        more(recorder)
        before = len(amp.sent)  # all of these have been pushed
        start = time.monotonic()
        recorder.stop()
        took.append(time.monotonic() - start)
        amp.pause()
        (stream,), said = load(path)
        counts = stream["time_series"][:, 0]
        assert counts[0] == first
        missing.append(len(set(range(first, before)) - set(counts.tolist())))
        (stopped,) = [event for event in said if event["event"] == "stopped"]
        proven += len(stopped["proven"])
    print(f"stop: {np.median(took):.3f} s (median), {max(took):.3f} s (worst), {proven} proven")
    assert missing == [0] * len(missing)
    assert max(took) < 0.5
    assert proven == len(took)


def test_what_is_pushed_last_is_there(tmp_path: Path, sender: Callable[..., Any]) -> None:
    """A sender that ends with the stop proves nothing, and still loses nothing."""
    amp = sender()
    marks = sender(name="marks", kind="Markers", rate_hz=500.0)
    amp.appear()
    marks.appear()
    recorder = Recorder([by_id(amp), by_id(marks)], tmp_path / "a.xdf", timeout_s=WAIT_S)
    recorder.start()
    for one in (amp, marks):
        one.push(400)
    start = time.monotonic()
    summary = recorder.stop()
    assert time.monotonic() - start < 0.5
    assert [stream.n_samples for stream in summary.streams] == [400, 400]
    assert [stream.n_synced for stream in summary.streams] == [400, 400]


def test_a_disk_that_hangs_is_said_and_holds_up_no_stop(
    tmp_path: Path, sender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said while it hangs; the stop ends in time, and names what is not on the disk."""
    go_on, sync = threading.Event(), XdfWriter.sync

    def hanging(writer: XdfWriter) -> None:
        assert go_on.wait(3 * WAIT_S)
        sync(writer)

    amp = sender()
    amp.appear()
    recorder = Recorder(
        [by_id(amp)],
        tmp_path / "a.xdf",
        timeout_s=WAIT_S,
        settings=RecorderSettings(sync_s=0.1, stop_s=0.5),
    )
    recorder.start()
    monkeypatch.setattr(XdfWriter, "sync", hanging)
    try:
        amp.push(100)
        until(lambda: only(recorder).n_written == 100, "the acknowledgement")
        until(lambda: any("STALLED" in text for text in recorder.status().notices), "a word")
        amp.push(10)
        start = time.monotonic()
        with pytest.raises(RecordingError, match="on the disk: 110 of 110 samples"):
            recorder.stop()
        assert time.monotonic() - start < 2.0
        with pytest.raises(RecordingError, match="has not answered"):
            recorder.stop()
    finally:
        go_on.set()
    until(lambda: recorder.status().finished, "the end")
    (stream,), said = load(tmp_path / "a.xdf")
    assert len(stream["time_stamps"]) == 110
    assert "stalled" in [event["event"] for event in said]


def test_a_sync_that_stalls_delays_no_write(
    tmp_path: Path, sender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk syncs for seconds samples are acknowledged as ever; on the disk is nothing."""
    stalled, go_on = threading.Event(), threading.Event()
    sync = XdfWriter.sync

    def stalling(writer: XdfWriter) -> None:
        if threading.current_thread().name == "record sync":
            stalled.set()
            assert go_on.wait(WAIT_S)
        sync(writer)

    amp = sender()
    amp.appear()
    path = tmp_path / "a.xdf"
    recorder = Recorder([by_id(amp)], path, timeout_s=WAIT_S, settings=RecorderSettings(sync_s=0.1))
    recorder.start()
    monkeypatch.setattr(XdfWriter, "sync", stalling)
    assert stalled.wait(WAIT_S)
    n_synced = only(recorder).n_synced
    amp.send()
    ages = []
    for n in range(100, 600, 100):
        until(lambda n=n: only(recorder).n_samples >= n, "samples")
        ages.append(until(lambda n=n: only(recorder).n_written >= n, "their acknowledgement"))
    assert max(ages) < 0.2
    assert only(recorder).n_synced == n_synced == 0
    assert len(load(path)[0][0]["time_stamps"]) >= 500
    go_on.set()
    until(lambda: only(recorder).n_synced >= 500, "the sync")
    amp.pause()
    recorder.stop()
