"""Markers and samples of one file meet on one clock, whatever the senders' clocks do.

The truth is on the recording machine's clock: sample k was taken, and a marker sent, at a known
time. Senders stamp them by clocks of their own, that drift and are set anew; a marker must be found
within one sample of where it happened.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bci.acquisition.timelines import timeline
from bci.recording.shared import events_xml
from bci.recording.xdf import XdfWriter
from bci.sources.xdf import read_xdf
from bci.sources.xdf_clock import corrected

RATE_HZ = 250.0
OFFSETS_S = 5.0
CHUNK_S = 0.05


@dataclass
class Clock:
    """A sender's clock: how it stands to the machine's, from a moment on."""

    parts: list[tuple[float, float, float]]  # since (true s), reads then (s), drift

    def reads(self, true_s: np.ndarray) -> np.ndarray:
        """Return what it shows."""
        out = np.empty_like(true_s)
        for since, reading, drift in self.parts:
            here = true_s >= since
            out[here] = reading + (true_s[here] - since) * (1 + drift)
        return out


def write_session(
    path: Path, amp: Clock, cues: Clock, marked: bool, away: tuple[float, float], duration_s: float
) -> np.ndarray:
    """Write what a recorder would of two senders; return when the markers were sent."""
    rng = np.random.default_rng(8)
    header = (
        "<info><name>{0}</name><type>{1}</type><source_id>{0}</source_id><channel_count>1"
        "</channel_count><nominal_srate>{2}</nominal_srate><channel_format>{3}</channel_format>"
        "</info>"
    )
    true_s = 100 + np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    lost = (true_s > away[0]) & (true_s < away[1])
    numbers = np.arange(len(true_s), dtype=np.float64)[~lost]
    true_s = true_s[~lost]
    cue_s = np.sort(100 + rng.uniform(1, duration_s - 1, 150))
    cue_s = cue_s[(cue_s < away[0] - 0.1) | (cue_s > away[1] + 0.1)]
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header.format("amp", "EEG", RATE_HZ, "double64"))
        cue = writer.add_stream(header.format("cues", "Markers", 0, "string"))
        notes = writer.add_stream(events_xml())
        offset_s = 100.0
        gap = int(np.searchsorted(true_s, away[1]))
        edges = 100 + CHUNK_S * np.arange(round(duration_s / CHUNK_S) + 1)
        for start_s, stop_s in itertools.pairwise(edges):
            if start_s >= offset_s:  # measured now, but for a sender that is away
                offset_s += OFFSETS_S
                for stream, clock in ((eeg, amp), (cue, cues)):
                    if stream == cue or not away[0] <= start_s < away[1] + 0.5:
                        now = clock.reads(np.array([start_s]))[0]
                        writer.write_clock_offset(stream, now, start_s - now + rng.normal(0, 2e-5))
                writer.write_boundary()
            first, stop = np.searchsorted(true_s, [start_s, stop_s])
            if first < stop:
                if marked and first <= gap < stop and away[0] < away[1]:
                    writer.write_strings(
                        notes,
                        [start_s] * 2,
                        [
                            [f'{{"event": "{event}", "stream": {eeg}, "after_sample": {gap}}}']
                            for event in ("lost", "gap")
                        ],
                    )
                values = numbers[first:stop, None] * 1e-3
                writer.write_samples(eeg, amp.reads(true_s[first:stop]), values)
            first, stop = np.searchsorted(cue_s, [start_s, stop_s])
            if first < stop:
                sent = cue_s[first:stop]
                labels = [[f"{time_s!r}"] for time_s in sent.tolist()]
                writer.write_strings(cue, list(cues.reads(sent)), labels)
    return cue_s


AMP_CLOCKS = {
    "drifts +500 ppm": Clock([(0, 7e5, 500e-6)]),
    "drifts -500 ppm": Clock([(0, 7e5, -500e-6)]),
    "restarts from zero": Clock([(0, 7e5, 100e-6), (232.0, 3.0, 100e-6)]),
    "is set ahead": Clock([(0, 50.0, -500e-6), (232.0, 9e5, -500e-6)]),
    "counts the same times again": Clock([(0, 150.0, 500e-6), (232.0, 260.0, 500e-6)]),
    "steps back by 0.4 s": Clock([(0, 150.0, 50e-6), (232.0, 381.6, 50e-6)]),
    "steps ahead by 0.4 s": Clock([(0, 150.0, 50e-6), (232.0, 382.4, 50e-6)]),
}


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        (name, marked)
        for name in AMP_CLOCKS
        for marked in (True, False)
        if marked or not name.startswith("drifts")
    ],
)
def test_a_marker_is_within_one_sample_of_where_it_happened(
    tmp_path: Path, name: str, marked: bool
) -> None:
    """For every marker, over ten minutes of drift, and over a restart of the amplifier."""
    duration_s = 600.0 if name.startswith("drifts") else 300.0
    away = (0.0, 0.0) if name.startswith("drifts") else (230.0, 233.7)
    cues = Clock([(0, 4e4, -200e-6)])
    cue_s = write_session(tmp_path / "a.xdf", AMP_CLOCKS[name], cues, marked, away, duration_s)
    recording = read_xdf(tmp_path / "a.xdf", unit="mV")
    numbers = recording.samples[:, 0] * 1e6
    times = corrected(recording.stamps, recording.clock_offsets)
    assert [marker.label for marker in recording.markers] == [f"{t!r}" for t in cue_s.tolist()]
    line = timeline(recording.stamps, RATE_HZ, recording.returns)
    clock_times = corrected(line.times, recording.clock_offsets)
    happened = (cue_s - 100) * RATE_HZ  # as sample numbers
    found = [marker.time_s for marker in recording.markers]
    raw = numbers[[np.argmin(np.abs(times - t)) for t in found]] - happened
    dejittered = numbers[[np.nanargmin(np.abs(clock_times - t)) for t in found]] - happened
    assert np.abs(raw).max() <= 1.0
    assert np.abs(dejittered).max() <= 1.0
    if away[0]:
        assert any("was reset (1 x)" in warning for warning in recording.warnings)
        assert recording.gaps == recording.returns == ((32_501,) if marked else ())
        assert not marked or line.gaps[0].declared_at == 32_501


def test_a_single_wild_measurement_moves_nothing(tmp_path: Path) -> None:
    """One offset that its neighbours contradict is no reset of the clock."""
    path = tmp_path / "a.xdf"
    header = (
        "<info><name>amp</name><type>EEG</type><channel_count>1</channel_count>"
        "<nominal_srate>100</nominal_srate><channel_format>float32</channel_format></info>"
    )
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header)
        for k, offset in enumerate([0.5, 0.5, 7.0, 0.5, float("nan"), 0.5]):
            writer.write_clock_offset(eeg, 5.0 * k, offset)
            samples = np.zeros((500, 1), np.float32)
            writer.write_samples(eeg, 5.0 * k + np.arange(500) / 100, samples)
    recording = read_xdf(path, unit="uV")
    times = corrected(recording.stamps, recording.clock_offsets)
    np.testing.assert_allclose(times - recording.stamps, 0.5)
    assert not any("reset" in warning for warning in recording.warnings)
