"""Broken XDF files of every kind: a clear error or a correct result, in bounded time and memory."""

import faulthandler
import json
import re
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bci.errors import InputError
from bci.recording.repair import repair_file
from bci.recording.shared import events_xml
from bci.recording.xdf import XdfWriter
from bci.sources.recording import Recording
from bci.sources.xdf import read_xdf
from bci.sources.xdf_streams import XdfStream, load_streams

DEADLINE_S = 5.0
HANG_S = 60.0
#: Beyond what the file holds; the largest is 40 kB.
MEMORY = 8e6

Rng = np.random.Generator


def ours(path: Path) -> bytes:
    """Write a small recording with all that our recorder writes."""
    rng = np.random.default_rng(1)
    header = (
        '<?xml version="1.0"?><info><name>{}</name><type>EEG</type><source_id>x</source_id>'
        "<channel_count>{}</channel_count><nominal_srate>{}</nominal_srate>"
        "<channel_format>{}</channel_format><desc><channels><channel><label>C3</label>"
        "<unit>uV</unit><location><X>1</X><Y>2</Y><Z>3</Z></location></channel></channels></desc>"
        "</info>"
    )
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header.format("amp", 1, 100, "float32"))
        cues = writer.add_stream(header.format("cues", 1, 0, "string"))
        notes = writer.add_stream(events_xml())
        for k in range(12):
            writer.write_clock_offset(eeg, float(k), 0.5 - (k > 6) * 3)
            samples = rng.normal(0, 10, (20, 1)).astype(np.float32)
            writer.write_samples(eeg, 10 + k / 5 + np.arange(20) / 100, samples)
            writer.write_strings(cues, [10 + k / 5], [["left_hand"]])
            note = f'{{"event": "gap", "stream": 1, "after_sample": {20 * k}}}'
            writer.write_strings(notes, [10.0], [[note]])
            if k % 3 == 2:
                writer.write_boundary()
    # When it was written must not choose what is broken.
    return re.sub(rb"<datetime>[^<]{25}", b"<datetime>2026-01-01T00:00:00+00:00", path.read_bytes())


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> list[bytes]:
    """Return whole files: ours, the conformance files, the heads of LabRecorder's."""
    return [
        ours(tmp_path_factory.mktemp("seed") / "a.xdf"),
        (shared_data / "xdf" / "minimal.xdf").read_bytes(),
        (shared_data / "xdf" / "empty_streams.xdf").read_bytes(),
        (shared_data / "xdf" / "clock_resets.xdf").read_bytes()[:40_000],
        (shared_data / "days_xdf" / "P1_001.xdf").read_bytes()[:20_000],
    ]


def flip(data: bytearray, rng: Rng) -> None:
    """Change a few bytes."""
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))


def cut(data: bytearray, rng: Rng) -> None:
    """End anywhere."""
    del data[int(rng.integers(1, len(data))) :]


def remove(data: bytearray, rng: Rng) -> None:
    """Take a piece out."""
    at = int(rng.integers(len(data)))
    del data[at : at + int(rng.integers(1, 300))]


def repeat(data: bytearray, rng: Rng) -> None:
    """Put a piece in again, elsewhere."""
    at, to = rng.integers(len(data), size=2)
    data[to:to] = data[at : at + int(rng.integers(1, 600))]


def noise(data: bytearray, rng: Rng) -> None:
    """Overwrite a piece with noise, or with zeros as a power cut leaves them."""
    at, n = int(rng.integers(len(data))), int(rng.integers(1, 400))
    data[at : at + n] = bytes(n) if rng.random() < 0.5 else rng.bytes(n)


def lie(data: bytearray, rng: Rng) -> None:
    """Make a length or a count enormous, or nearly right."""
    at = int(rng.integers(len(data) - 12))
    found = data.find(b"\x04", at) if rng.random() < 0.5 else data.find(b"\x01", at)
    if found < 0 or found + 9 > len(data):
        return
    most = [0, 1, 255, 2**31 - 1, 2**32 - 1, int(rng.integers(1 << 20))]
    if rng.random() < 0.3:
        data[found : found + 9] = b"\x08" + struct.pack("<Q", int(rng.choice([2**40, 2**62])))
    else:
        data[found : found + 5] = b"\x04" + struct.pack("<I", int(rng.choice(most)))


def describe(data: bytearray, rng: Rng) -> None:
    """Put nonsense into a description, its length kept right where it fits."""
    words = [
        b"0",
        b"-1",
        b"1e308",
        b"nan",
        b"inf",
        b"99999999",
        b"<x>",
        b"\xff\xfe",
        b"",
        b"string",
    ]
    tags = [b"channel_count>", b"nominal_srate>", b"channel_format>", b"<name>", b"sample_count>"]
    at = data.find(tags[int(rng.integers(len(tags)))], int(rng.integers(len(data) // 2)))
    if at < 0:
        return
    start = data.index(b">", at) + 1
    end = data.find(b"<", start)
    if end < start:
        return
    word = words[int(rng.integers(len(words)))]
    data[start:end] = word[: end - start].ljust(end - start)


def stamp(data: bytearray, rng: Rng) -> None:
    """Put an extreme number where one may stand."""
    values = [float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 0.0, 5e-324]
    at = int(rng.integers(max(len(data) - 9, 1)))
    found = data.find(b"\x08", at)
    at = at if found < 0 else found + 1
    data[at : at + 8] = struct.pack("<d", values[int(rng.integers(len(values)))])


MUTATIONS: tuple[Callable[[bytearray, Rng], None], ...] = (
    flip, cut, remove, repeat, noise, lie, describe, stamp,
)  # fmt: skip


def mutated(seeds: list[bytes], rng: Rng) -> bytes:
    """Return a broken file."""
    data = bytearray(seeds[int(rng.integers(len(seeds)))])
    for _ in range(int(rng.integers(1, 5))):
        MUTATIONS[int(rng.integers(len(MUTATIONS)))](data, rng)
        if len(data) < 16:
            break
    if rng.random() < 0.02:
        data += seeds[int(rng.integers(len(seeds)))]
    return bytes(data)


def check_recording(recording: Recording) -> None:
    """Check that a result is consistent."""
    assert recording.samples.shape == (len(recording.stamps), len(recording.info.channels))
    assert recording.samples.dtype == np.float64
    assert recording.clock_offsets.shape[1] == 2
    assert all(0 < gap < recording.n_samples for gap in recording.gaps)
    assert all(marker.label for marker in recording.markers)


def check_message(error: InputError, path: Path) -> None:
    """Check that an error is one line that names the file."""
    assert "\n" not in str(error)
    assert path.name in str(error)


def check_one(path: Path, out: Path) -> tuple[bool, bool]:
    """Read and repair a broken file; say whether it was read, and whether it was repaired."""
    was_read = was_repaired = False
    for wanted in (None, "1"):
        try:
            check_recording(read_xdf(path, unit="uV", stream=wanted))
            was_read = True
        except InputError as error:
            check_message(error, path)
    try:
        report = repair_file(path, out)
    except InputError as error:
        check_message(error, path)
        assert not out.exists()
        return was_read, False
    json.dumps(report.as_dict(), allow_nan=False)
    if report.out is not None:
        was_repaired = True
        assert_equal(load_streams(path).streams, load_streams(out).streams)
        again = load_streams(out)
        assert (again.n_cut_bytes, again.n_damaged_bytes) == (0, 0)
        assert all(stream.closed for stream in again.streams)
        out.unlink()
    return was_read, was_repaired


def assert_equal(broken: tuple[XdfStream, ...], repaired: tuple[XdfStream, ...]) -> None:
    """Check that repairing keeps what reading finds, to the bit."""
    for before, after in zip(broken, repaired, strict=True):
        assert before.stream_id == after.stream_id
        assert before.stamps.tobytes() == after.stamps.tobytes()
        assert before.offsets.tobytes() == after.offsets.tobytes()
        if before.layout.is_text:
            assert before.values == after.values
        else:
            assert np.asarray(before.values).tobytes() == np.asarray(after.values).tobytes()


@pytest.mark.slow
def test_broken_files_are_refused_in_one_line_or_read(
    seeds: list[bytes], tmp_path: Path, soak: bool
) -> None:
    """No traceback, no warning of NumPy's, no hang, no allocation that only a lie asks for."""
    n_cases = 10_000 if soak else 500
    path, out = tmp_path / "fuzzed.xdf", tmp_path / "out.xdf"
    n_read = n_repaired = 0
    slowest_s, largest = 0.0, 0
    path.write_bytes(seeds[0])
    check_one(path, out)  # loads what is loaded once
    tracemalloc.start()
    try:
        for case in range(n_cases):
            rng = np.random.default_rng([21, case])
            data = mutated(seeds, rng)
            path.write_bytes(data)
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.perf_counter()
            try:
                was_read, was_repaired = check_one(path, out)
            except BaseException as error:
                error.add_note(f"case {case}")
                raise
            slowest_s = max(slowest_s, time.perf_counter() - start)
            largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
            faulthandler.cancel_dump_traceback_later()
            n_read += was_read
            n_repaired += was_repaired
    finally:
        tracemalloc.stop()
        faulthandler.cancel_dump_traceback_later()
    assert slowest_s < DEADLINE_S
    assert largest < MEMORY
    # The mutations are mild enough to reach the depths, and hard enough to break things.
    assert 0.3 * n_cases < n_read < n_cases
    assert n_repaired > 0.3 * n_cases
