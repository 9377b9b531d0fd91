"""A recording as a source."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.errors import SettingsError
from bci.sources.base import Channel, Chunk, Source, StreamInfo
from bci.sources.playback import PlaybackSource
from bci.sources.reading import open_recording
from bci.sources.recording import Recording


def _recording(n_samples: int = 500, offsets: np.ndarray | None = None) -> Recording:
    """Channel 0 counts the samples, channel 1 is noise."""
    rng = np.random.default_rng(8)
    samples = np.column_stack([np.arange(n_samples) * 1e-6, rng.normal(0, 1e-5, n_samples)])
    return Recording(
        path=Path("made.xdf"),
        info=StreamInfo("made", "EEG", "made", 100.0, (Channel("C3"), Channel("C4"))),
        samples=samples,
        stamps=1000 + np.arange(n_samples) / 100.0,
        clock_offsets=np.empty((0, 2)) if offsets is None else offsets,
    )


def _played(source: PlaybackSource) -> list[Chunk]:
    chunks = []
    source.open()
    while not source.ended:
        chunk = source.read(0.0)
        assert chunk is not None
        chunks.append(chunk)
    assert source.read(0.0) is None
    source.close()
    return chunks


@settings(max_examples=40, deadline=None)
@given(chunk_samples=st.integers(1, 700), start=st.integers(0, 499))
def test_any_chunking_yields_the_same_samples(chunk_samples: int, start: int) -> None:
    """Cut anywhere, every sample and stamp comes once, in order, under its own index."""
    recording = _recording()
    source: Source = PlaybackSource(recording, chunk_samples=chunk_samples, start_sample=start)
    assert isinstance(source, PlaybackSource)
    chunks = _played(source)
    np.testing.assert_array_equal(
        np.concatenate([c.samples for c in chunks]), recording.samples[start:]
    )
    np.testing.assert_array_equal(
        np.concatenate([c.stamps for c in chunks]), recording.stamps[start:]
    )
    for chunk in chunks:
        assert chunk.samples[0, 0] == recording.samples[start + chunk.first_sample, 0]


def test_chunks_are_views_that_nobody_may_write_to() -> None:
    """Nothing is copied, and the recording cannot be changed through a chunk."""
    recording = _recording()
    chunk = _played(PlaybackSource(recording))[0]
    assert np.shares_memory(chunk.samples, recording.samples)
    with pytest.raises(ValueError, match="read-only"):
        chunk.samples[0, 0] = 1.0
    assert recording.samples.flags.writeable


def test_the_clock_offset_is_interpolated_and_held_outside() -> None:
    """Between measurements it is interpolated; before the first and after the last it stays."""
    recording = _recording(offsets=np.array([[1001.0, 0.010], [1003.0, 0.030]]))
    chunks = _played(PlaybackSource(recording, chunk_samples=50))
    found = [chunk.clock_offset_s for chunk in chunks]
    np.testing.assert_allclose(
        found, [0.01, 0.01, 0.01, 0.015, 0.02, 0.025, 0.03, 0.03, 0.03, 0.03]
    )
    assert all(chunk.clock_offset_s == 0.0 for chunk in _played(PlaybackSource(_recording())))


def test_opening_again_plays_again() -> None:
    """A source that has ended starts anew when opened."""
    source = PlaybackSource(_recording(), chunk_samples=128)
    assert len(_played(source)) == len(_played(source)) == 4
    assert source.ended
    source.close()


def test_no_chunk_spans_a_clock_reset(shared_data: Path) -> None:
    """Each chunk's single clock offset holds for all its samples, across a reset of the clock."""
    recording = open_recording(shared_data / "xdf" / "clock_resets.xdf")
    chunks = _played(PlaybackSource(recording, chunk_samples=64))
    times = np.concatenate([c.stamps + c.clock_offset_s for c in chunks])
    assert len(times) == recording.n_samples
    # Raw stamps jump back by 653,188 s; on the recording's clock there is one gap of 273.6 s.
    steps = np.diff(times)
    assert steps.min() > -0.001
    assert np.count_nonzero(steps > 1) == 1
    assert steps.max() == pytest.approx(273.556, abs=0.01)


def test_senseless_settings_are_refused() -> None:
    """A chunk without samples and a start outside the recording are errors of the user."""
    with pytest.raises(SettingsError, match="chunk of 0"):
        PlaybackSource(_recording(), chunk_samples=0)
    with pytest.raises(SettingsError, match="start sample 501 lies outside"):
        PlaybackSource(_recording(), start_sample=501)
