"""A recording that ends anywhere: every cut opens, and all that is whole before it is there."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from bci.errors import RecordingError
from bci.recording.repair import repair_file
from bci.recording.xdf import XdfWriter
from bci.sources.xdf_chunks import ChunkWalk, Tag, XdfChunk
from bci.sources.xdf_streams import load_streams

TAIL = 1 << 16
N_RANDOM = 1000
#: How many of the cuts pyxdf reads itself in the short form: it takes milliseconds for each.
N_SHORT = 700


def description(name: str, dtype: str, n_channels: int, rate_hz: float) -> str:
    """Return a stream's header."""
    return (
        f'<?xml version="1.0"?><info><name>{name}</name><type>EEG</type>'
        f"<channel_count>{n_channels}</channel_count><nominal_srate>{rate_hz}</nominal_srate>"
        f"<channel_format>{dtype}</channel_format><desc /></info>"
    )


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a recording as the recorder writes it: three streams, 20 chunks a second, closed."""
    path = tmp_path_factory.mktemp("whole") / "a.xdf"
    rng = np.random.default_rng(11)
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(description("eeg", "double64", 32, 50.0))
        slow = writer.add_stream(description("slow", "int16", 3, 50.0))
        cues = writer.add_stream(description("cues", "string", 1, 0.0))
        k_eeg = k_slow = 0
        for tick in range(140):  # 7 s
            if tick % 20 == 0:  # offsets and boundaries more often than the recorder's, for more
                for stream in (eeg, slow, cues):  # of their cuts
                    writer.write_clock_offset(stream, tick / 20, 0.25 + 1e-6 * tick)
                writer.write_boundary()
            n = 2 + tick % 2
            writer.write_samples(eeg, 1 + (k_eeg + np.arange(n)) / 50, rng.normal(size=(n, 32)))
            k_eeg += n
            n = 2 + tick % 2
            values = rng.integers(-999, 999, (n, 3)).astype(np.int16)
            writer.write_samples(slow, 1 + (k_slow + np.arange(n)) / 50, values)
            k_slow += n
            if tick % 7 == 0:
                writer.write_strings(cues, [1 + tick / 20], [[f"cue {tick} µ"]])
            writer.flush()
    data = path.read_bytes()
    assert len(data) > TAIL + (1 << 14)
    return data


class Truth:
    """What a file cut after so many bytes holds."""

    def __init__(self, data: bytes, folder: Path) -> None:
        self.path = folder / "whole.xdf"
        self.path.write_bytes(data)
        self.chunks: list[XdfChunk] = []
        self.counts: list[Counter[int]] = [Counter()]
        with self.path.open("rb") as file:
            walk = ChunkWalk(file)
            for chunk in walk:
                content = walk.content(chunk)
                counts = Counter(self.counts[-1])
                if chunk.tag == Tag.SAMPLES:
                    width = content[4]
                    counts[content[0]] += int.from_bytes(content[5 : 5 + width], "little")
                self.chunks.append(chunk)
                self.counts.append(counts)
        self.streams = {stream.stream_id: stream for stream in load_streams(self.path).streams}
        self.ends = np.array([chunk.end for chunk in self.chunks])
        # The recorder forces the headers to the disk before it says that it records.
        self.begun = next(c.start for c in self.chunks if c.tag == Tag.CLOCK_OFFSET)

    def n_whole(self, cut: int) -> Counter[int]:
        """Return the samples of each stream in the chunks that are whole."""
        return self.counts[int(np.searchsorted(self.ends, cut, side="right"))]

    def torn(self, cut: int) -> XdfChunk | None:
        """Return the chunk that is cut, None at the end of one."""
        at = int(np.searchsorted(self.ends, cut, side="right"))
        chunk = self.chunks[at] if at < len(self.chunks) else None
        return chunk if chunk is not None and chunk.start < cut else None

    def is_beyond_pyxdf(self, cut: int) -> bool:
        """Say whether pyxdf 1.17 cannot open this cut, by what its source says."""
        torn = self.torn(cut)
        if torn is None:
            return False
        if torn.content - 2 <= cut < torn.content:
            return True  # struct.unpack("<H", f.read(2)) of less than two bytes
        return torn.tag == Tag.CLOCK_OFFSET and torn.content + 4 <= cut < torn.content + 20


@pytest.fixture(scope="module")
def truth(recording: bytes, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Return what every cut of the recording holds."""
    return Truth(recording, tmp_path_factory.mktemp("truth"))


@pytest.fixture(autouse=True)
def _quiet_pyxdf() -> Iterator[None]:
    """Keep pyxdf's tracebacks of every cut off the screen."""
    logger = logging.getLogger("pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


def all_cuts(truth: Truth, n_bytes: int) -> list[int]:
    """Return every byte of the last 64 KiB, and 1000 places of the rest."""
    rng = np.random.default_rng(12)
    places = rng.integers(truth.begun, n_bytes - TAIL, N_RANDOM)
    return [*np.sort(places).tolist(), *range(n_bytes - TAIL, n_bytes + 1)]


def some_cuts(truth: Truth, n_bytes: int) -> list[int]:
    """Return cuts of each kind: at the heads, offsets and footers, and anywhere."""
    rng = np.random.default_rng(13)
    heads = [c.start + k for c in truth.chunks[-60:] for k in range(24)]
    heads = [cut for cut in heads if truth.begun <= cut <= n_bytes]
    chosen = [
        *rng.choice(heads, N_SHORT // 2, replace=False).tolist(),
        *rng.integers(truth.begun, n_bytes, N_SHORT // 2).tolist(),
        n_bytes - 1,
        n_bytes,
    ]
    return sorted(set(chosen))


def cut_to(path: Path, cuts: list[int], data: bytes) -> Iterator[int]:
    """Cut a file shorter and shorter."""
    path.write_bytes(data)
    with path.open("r+b") as file:
        for cut in sorted(cuts, reverse=True):
            file.truncate(cut)
            file.flush()
            yield cut


def pyxdf_counts(path: Path, *, synchronize: bool = False) -> dict[int, dict[str, Any]]:
    """Read with pyxdf as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of streams with one sample
        streams, _ = pyxdf.load_xdf(
            str(path), synchronize_clocks=synchronize, dejitter_timestamps=synchronize
        )
    return {stream["info"]["stream_id"]: stream for stream in streams}


def test_every_cut_opens_with_all_that_is_whole(
    truth: Truth, recording: bytes, tmp_path: Path, soak: bool
) -> None:
    """Our reader opens every cut and gives exactly the samples of the whole chunks before it."""
    path = tmp_path / "cut.xdf"
    cuts = all_cuts(truth, len(recording))
    for cut in cut_to(path, cuts if soak else cuts[::83], recording):
        file = load_streams(path)
        counts = truth.n_whole(cut)
        torn = truth.torn(cut)
        assert file.n_cut_bytes == (0 if torn is None else cut - torn.start)
        assert not file.n_damaged_bytes
        for stream in file.streams:
            whole = truth.streams[stream.stream_id]
            n = counts[stream.stream_id]
            assert len(stream.stamps) == n, (cut, stream.name)
            np.testing.assert_array_equal(stream.stamps, whole.stamps[:n])
            if stream.layout.is_text:
                assert stream.values == whole.values[:n]
            else:
                np.testing.assert_array_equal(stream.values, whole.values[:n])


def test_pyxdf_opens_every_cut_but_those_that_are_stated(
    truth: Truth, recording: bytes, tmp_path: Path, soak: bool
) -> None:
    """Within a tag or a clock offset pyxdf raises, everywhere else it has all whole chunks."""
    path = tmp_path / "cut.xdf"
    cuts = (all_cuts if soak else some_cuts)(truth, len(recording))
    n_failed = 0
    for cut in cut_to(path, cuts, recording):
        try:
            found = pyxdf_counts(path)
        except Exception:
            found = {}
        assert bool(found) is not truth.is_beyond_pyxdf(cut), cut
        n_failed += not found
        for stream_id, stream in found.items():
            n_more = len(stream["time_stamps"]) - truth.n_whole(cut)[stream_id]
            torn = truth.torn(cut)
            # One chunk that was cut in its last sample is taken for whole.
            assert n_more == 0 or (torn is not None and torn.tag == Tag.SAMPLES and n_more > 0)
    assert n_failed
    if soak:  # 3 streams, 20 chunks a second, offsets every second
        assert n_failed < 0.02 * len(cuts)


def test_pyxdf_opens_every_cut_at_a_sector(truth: Truth, recording: bytes, tmp_path: Path) -> None:
    """Where a power cut or a full disk ends a file, nothing needs to be repaired."""
    cuts = list(range(truth.begun - truth.begun % -512, len(recording), 512))
    assert len(cuts) > 100
    for cut in cut_to(tmp_path / "cut.xdf", cuts, recording):
        found = pyxdf_counts(tmp_path / "cut.xdf", synchronize=cut % 27 == 0)
        assert all(len(s["time_stamps"]) >= truth.n_whole(cut)[k] for k, s in found.items())


def test_what_pyxdf_cannot_open_is_repaired(
    truth: Truth, recording: bytes, tmp_path: Path, soak: bool
) -> None:
    """After `bci repair` pyxdf has exactly the samples of the whole chunks."""
    path = tmp_path / "cut.xdf"
    beyond = [c for c in all_cuts(truth, len(recording)) if truth.is_beyond_pyxdf(c)]
    for cut in cut_to(path, beyond if soak else beyond[::12], recording):
        out = tmp_path / f"{cut}.xdf"
        report = repair_file(path, out)
        assert report.n_cut_bytes > 0
        for stream_id, stream in pyxdf_counts(out).items():
            n = truth.n_whole(cut)[stream_id]
            assert len(stream["time_stamps"]) == n
            assert stream["footer"]["info"]["sample_count"] == [str(n)]
        out.unlink()


def test_a_cut_in_the_headers_opens_or_says_so(recording: bytes, tmp_path: Path) -> None:
    """Before the first header is whole there is no recording; after it, there is."""
    path = tmp_path / "cut.xdf"
    n_header = recording.index(b"</info>", recording.index(b"<name>eeg")) + len(b"</info>")
    for cut in cut_to(path, list(range(1, n_header + 300)), recording):
        if cut < n_header:
            with pytest.raises(RecordingError, match=r"no stream|no XDF"):
                load_streams(path)
        else:
            assert len(load_streams(path).streams) >= 1
