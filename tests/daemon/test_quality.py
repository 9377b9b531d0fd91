"""What the daemon tells of the electrodes."""

import numpy as np
import pytest

from bci.acquisition.ring import RingBuffer
from bci.daemon.quality import QualitySeen
from bci.daemon.status import quality_document
from bci.signal.quality import channel_quality
from bci.signal.recent import recent_blinks
from bci.sources.base import Channel, StreamInfo

RATE_HZ = 100.0
INFO = StreamInfo("amp", "EEG", "a", RATE_HZ, (Channel("C3"), Channel("Fp1")))


def filled(seconds: float, *, gap_at: float | None = None) -> RingBuffer:
    """Return a ring with a blink every two seconds at its second channel."""
    ring = RingBuffer(4096, 2)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    samples = 5e-6 * np.random.default_rng(0).standard_normal((len(times), 2))
    samples[:, 1] += 2e-4 * np.exp(-0.5 * (((times % 2.0) - 1.0) / 0.07) ** 2)
    segments = (times >= (np.inf if gap_at is None else gap_at)).astype(np.int64)
    ring.write(samples, times, times, segments, 0.0)
    return ring


def test_blinks_are_counted_over_half_a_minute() -> None:
    """One in two seconds is thirty a minute, above the eyes only."""
    rates = recent_blinks(filled(40.0), INFO)
    assert rates is not None
    assert np.isnan(rates[0])
    assert rates[1] == pytest.approx(30.0, abs=2.5)


@pytest.mark.parametrize("ring", [filled(8.0), filled(40.0, gap_at=30.0)])
def test_blinks_are_not_told_of_too_little(ring: RingBuffer) -> None:
    """Ten seconds without a gap are needed."""
    assert recent_blinks(ring, INFO) is None


def test_the_status_has_the_number_and_what_to_do() -> None:
    """Beside the word; values that are no numbers have no amplitudes."""
    samples = filled(2.0).window(200, 200).samples.copy()
    samples[:, 0] = 0.1
    samples[3, 1] = np.inf
    seen = QualitySeen(0.0, INFO.labels, channel_quality(samples, RATE_HZ))
    flat, broken = quality_document(seen)
    assert (flat["quality"], flat["do"]) == ("flat", "plug in C3, or mend the cable")
    assert flat["number"] == "0 µV from peak to peak"
    assert (broken["quality"], broken["rms_uv"], broken["mains_uv"]) == ("not a number", None, None)
