"""Reading back: counts of any recording however it is cut into pieces; what differs is said."""

import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.recording import StreamCount, StreamState, XdfWriter, read_back
from bci.recording.readback import FileFollower, _Counts

N_SAMPLES, N_TEXTS = 700, 9


def described(name: str, n_channels: int, dtype: str) -> str:
    """Return a stream's header."""
    return (
        f"<info><name>{name}</name><type>EEG</type><source_id>id-{name}</source_id>"
        f"<channel_count>{n_channels}</channel_count><nominal_srate>100</nominal_srate>"
        f"<channel_format>{dtype}</channel_format><desc/></info>"
    )


def count(name: str, n_samples: int, stream_id: int) -> StreamCount:
    """Return what a live counter says."""
    return StreamCount(
        name=name,
        kind="EEG",
        source_id=f"id-{name}",
        hostname="here",
        rate_hz=100.0,
        n_channels=1,
        n_samples=n_samples,
        n_written=n_samples,
        n_synced=n_samples,
        first_stamp=None,
        last_stamp=None,
        age_s=None,
        effective_hz=None,
        state=StreamState.RECEIVING,
        stream_id=stream_id,
    )


def write(path: Path, pause_s: float = 0.0) -> tuple[StreamCount, ...]:
    """Write a recording of two streams of numbers and one of strings; return their counts."""
    rng = np.random.default_rng(3)
    with XdfWriter(path) as writer:
        ids = [
            writer.add_stream(described("a", 8, "float32")),
            writer.add_stream(described("b", 1, "int16")),
            writer.add_stream(described("c", 2, "string")),
        ]
        for k in range(7):
            stamps = k + np.arange(100) / 100
            writer.write_samples(ids[0], stamps, rng.standard_normal((100, 8)).astype("f4"))
            writer.write_samples(ids[1], stamps[:3], np.full((3, 1), k, "i2"))
            writer.write_clock_offset(ids[0], float(k), 0.25)
            writer.write_boundary()
            writer.flush()
            time.sleep(pause_s)
        texts = [["left", "é" * n * 40] for n in range(N_TEXTS)]
        writer.write_strings(ids[2], np.arange(float(N_TEXTS)).tolist(), texts)
    return count("a", N_SAMPLES, ids[0]), count("b", 21, ids[1]), count("c", N_TEXTS, ids[2])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[StreamCount, ...]]:
    """Return a recording and its counts."""
    path = tmp_path_factory.mktemp("readback") / "a.xdf"
    return path, write(path)


def test_all_is_there(recording: tuple[Path, tuple[StreamCount, ...]]) -> None:
    """Counts, size and hash of a whole file are right, and it is said in a sentence."""
    path, counts = recording
    calls: list[tuple[int, int]] = []
    found = read_back(path, counts, lambda done, total: calls.append((done, total)))
    assert found.ok
    assert str(found) == "read back: 721 of 721 samples, 9 of 9 markers"
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.n_bytes == path.stat().st_size
    assert calls[-1] == (found.n_bytes, found.n_bytes)


@given(cuts=st.lists(st.integers(0, 9000), max_size=40), size=st.integers(1, 5000))
def test_pieces_of_any_size_count_the_same(
    recording: tuple[Path, tuple[StreamCount, ...]], cuts: list[int], size: int
) -> None:
    """However the bytes come, the counts are the same."""
    content = recording[0].read_bytes()
    ends = sorted({*cuts, *range(size, len(content), size), len(content)})
    counts, start = _Counts(), 0
    for end in ends:
        counts.feed(content[start:end])
        start = end
    counts.end()
    assert counts.problem is None
    assert [s.n_samples for s in counts.streams.values()] == [N_SAMPLES, 21, N_TEXTS]


def test_every_cut_is_noticed(recording: tuple[Path, tuple[StreamCount, ...]]) -> None:
    """Of a file that ends too early less is found, or its footers are missed; no cut passes."""
    path, counts = recording
    content = path.read_bytes()
    cut = path.with_name("cut.xdf")
    rng = np.random.default_rng(1)
    for n_bytes in (0, 3, 4, len(content) - 1, *rng.integers(5, len(content) - 1, 60).tolist()):
        cut.write_bytes(content[:n_bytes])
        found = read_back(cut, counts)
        assert not found.ok, n_bytes
        assert "\n" not in str(found)


def test_what_differs_is_said(recording: tuple[Path, tuple[StreamCount, ...]]) -> None:
    """One sample more by the counter than in the file is a problem that names the stream."""
    path, (first, *rest) = recording
    found = read_back(path, (replace(first, n_samples=N_SAMPLES + 1), *rest))
    assert not found.ok
    assert "'a' (source id 'id-a'): 701 were received, 700 are there" in str(found)
    assert not read_back(path.with_name("none.xdf"), rest).ok
    # Received, but of a stream that is not in the file at all.
    assert not read_back(path, (count("d", 5, 9),)).ok


def test_a_growing_file_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read while it is written, a file gives the same as afterwards."""
    monkeypatch.setattr("bci.recording.readback._FOLLOW_S", 0.005)
    path = tmp_path / "a.xdf"
    path.touch()
    path.unlink()
    counts: list[StreamCount] = []
    writer = threading.Thread(target=lambda: counts.extend(write(path, 0.02)))
    writer.start()
    while not path.exists():
        time.sleep(0.001)
    follower = FileFollower(path)
    follower.start()
    writer.join()
    found = follower.finish(counts)
    assert found.ok, str(found)
    assert found == read_back(path, counts)
