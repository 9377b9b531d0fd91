"""Disks that fill up, and disks that fail: the file is closed in order, and it is said."""

import errno
import json
import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf

from bci.errors import RecordingError
from bci.recording import Recorder, RecorderSettings
from bci.recording.disk import DiskWatch
from bci.recording.naming import open_new
from bci.recording.status import RecorderStatus
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery, configure_lsl

WAIT_S = 20.0
N_CHANNELS = 64


class Limited(FileIO):
    """A file on a disk that takes so many bytes; the first refusal adds `more` to them."""

    limit = 1 << 19
    more = 0

    def write(self, data: Any) -> int:
        """Write what fits; refuse when nothing does."""
        room = self.limit - self.tell()
        if room <= 0:
            self.limit += self.more
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data)[:room])


def limited(more: int) -> Callable[[Path], FileIO]:
    """Return an opener of such files."""

    def open_file(path: Path) -> FileIO:
        open_new(path).close()
        path.unlink()
        file = Limited(path, "xb")
        file.more = more
        return file

    return open_file


@pytest.fixture
def amplifier() -> Iterator[str]:
    """Send 64 channels at a rate that fills a small disk within seconds; return the source id."""
    configure_lsl()
    source_id = uuid.uuid4().hex
    info = pylsl.StreamInfo("big", "EEG", N_CHANNELS, 1000.0, "float32", source_id)
    outlet, end = pylsl.StreamOutlet(info), threading.Event()

    def send() -> None:
        n_sent = 0
        while not end.wait(0.02):
            raw = np.zeros((20, N_CHANNELS), np.float32)
            raw[:, 0] = n_sent + np.arange(20)
            outlet.push_chunk(raw, (lsl_clock() - np.arange(19, -1, -1) * 1e-3).tolist())
            n_sent += 20

    thread = threading.Thread(target=send, name="sender")
    thread.start()
    yield source_id
    end.set()
    thread.join()


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> None:
    """Pyxdf logs every file that it opens."""
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 2 MB; the test skips where it cannot be made."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root on Linux")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no small disk here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_S} s for {what}")
        time.sleep(0.005)


def recorded(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the amplifier's stream, and what the file says of its recording."""
    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    streams.sort(key=lambda stream: stream["info"]["stream_id"])
    amp, own = streams
    return amp, [json.loads(text) for (text,) in own["time_series"]]


def run_until_error(recorder: Recorder) -> RecorderStatus:
    """Record until nothing is written any more, and return the last status."""
    recorder.start()
    until(lambda: recorder.status().error is not None, "the end of the disk")
    until(lambda: recorder.status().finished, "the end of the file")
    with pytest.raises(RecordingError):
        recorder.stop()
    return recorder.status()


def acknowledged(path: Path, status: RecorderStatus) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Check that what was acknowledged is in the file, in order from the first."""
    stream, said = recorded(path)
    (count,) = status.streams
    assert len(stream["time_stamps"]) == count.n_written > 0
    first = stream["time_series"][0, 0]
    np.testing.assert_array_equal(stream["time_series"][:, 0], first + np.arange(count.n_written))
    return stream, said


def test_warnings_come_at_ten_five_two_and_one_minutes(tmp_path: Path) -> None:
    """Each level is spoken of once, in words, and again only after there was more room."""
    left = [2_000_000.0]
    disk = DiskWatch(tmp_path, (600.0, 300.0, 120.0, 60.0), 0, lambda _: int(left[0]))
    said: list[tuple[float, str]] = []
    written = 0

    def run(seconds: int) -> None:
        nonlocal written
        for _ in range(seconds):
            written += 2000
            left[0] -= 2000
            notice = disk.look(written / 2000, written)
            if notice:
                said.append((left[0] / 2000, notice))

    run(970)
    levels = [seconds for seconds, _ in said]
    assert levels == pytest.approx([600, 300, 120, 60], abs=2)
    assert [text.split(" more")[0].split("for ")[1] for _, text in said] == [
        "10 minutes", "5 minutes", "2 minutes", "1 minute",
    ]  # fmt: skip
    left[0] = 5_000_000.0
    run(30)
    assert len(said) == 4
    left[0] = 1_210_000.0
    run(40)
    assert len(said) == 5


def test_the_rate_of_others_counts(tmp_path: Path) -> None:
    """When something else fills the disk, the time left is that of the disk, not of the file."""
    left = [1e9]
    disk = DiskWatch(tmp_path, (600.0,), 0, lambda _: int(left[0]))
    for k in range(20):
        left[0] -= 1e7
        disk.look(float(k), 100 * k)
    assert disk.left_s == pytest.approx(left[0] / 1e7, rel=0.01)


def test_recording_ends_in_order_before_the_disk_is_full(tmp_path: Path, amplifier: str) -> None:
    """At the last megabytes the file gets its footers, and the status and the stop shout."""
    path = tmp_path / "a.xdf"

    def free(_: Path) -> int:
        return 10 << 20 if not path.exists() else max(0, (9 << 20) - 8 * path.stat().st_size)

    settings = RecorderSettings(disk_stop_bytes=8 << 20)
    status = run_until_error(
        Recorder(
            [StreamQuery(source_id=amplifier)], path, timeout_s=WAIT_S, settings=settings, free=free
        )
    )
    stream, said = acknowledged(path, status)
    assert int(stream["footer"]["info"]["sample_count"][0]) == len(stream["time_stamps"])
    assert "disk" in [event["event"] for event in said]
    assert status.error is not None
    assert "is full" in status.error
    assert "closed in order" in status.error
    assert status.error in status.notices


def test_no_room_at_the_start_is_refused(tmp_path: Path, amplifier: str) -> None:
    """Nothing is begun on a disk on which it would end at once."""
    recorder = Recorder(
        [StreamQuery(source_id=amplifier)], tmp_path / "a.xdf", timeout_s=WAIT_S, free=lambda _: 99
    )
    with pytest.raises(RecordingError, match="make room"):
        recorder.start()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [-(1 << 19), 1 << 16], ids=["nothing left", "reserve"])
def test_a_write_that_is_refused(tmp_path: Path, amplifier: str, more: int) -> None:
    """The file ends with a whole chunk; with a reserve it gets its footers all the same."""
    path = tmp_path / "a.xdf"
    status = run_until_error(
        Recorder(
            [StreamQuery(source_id=amplifier)], path, timeout_s=WAIT_S, open_file=limited(more)
        )
    )
    stream, said = acknowledged(path, status)
    assert path.stat().st_size == status.n_bytes
    assert status.error is not None
    assert "No space left" in status.error
    assert ("footer" in stream) == (more > 0)
    if more > 0:
        assert "failed" in [event["event"] for event in said]
        assert int(stream["footer"]["info"]["sample_count"][0]) == len(stream["time_stamps"])


@pytest.mark.parametrize("stop_bytes", [0, 1 << 19], ids=["by surprise", "foreseen"])
def test_a_real_small_disk(small_disk: Path, amplifier: str, stop_bytes: int) -> None:
    """A disk of 2 MB fills up: every acknowledged sample is in the file, which has its footers."""
    path = small_disk / "a.xdf"
    status = run_until_error(
        Recorder(
            [StreamQuery(source_id=amplifier)],
            path,
            timeout_s=WAIT_S,
            settings=RecorderSettings(disk_stop_bytes=stop_bytes),
        )
    )
    stream, _ = acknowledged(path, status)
    assert int(stream["footer"]["info"]["sample_count"][0]) == len(stream["time_stamps"])
    assert any("has room for" in notice for notice in status.notices)
