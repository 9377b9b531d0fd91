"""How good a channel is."""

import numpy as np
import pytest

from bci.signal.quality import channel_quality
from bci.sources.simulate import SimulatedSource

RATE_HZ = 250.0
TIME_S = np.arange(500) / RATE_HZ


def eeg(seed: int = 0) -> np.ndarray:
    """Return two seconds of something like EEG, with an electrode's offset (V)."""
    rng = np.random.default_rng(seed)
    return 0.02 + 1e-5 * (rng.standard_normal(500) + np.sin(2 * np.pi * 10 * TIME_S))


def clipped() -> np.ndarray:
    """Return a signal at the end of its range for half of the time."""
    return np.minimum(eeg() + 3e-5 * np.sin(2 * np.pi * TIME_S), 0.02)


BAD = {
    "mains": eeg() + 5e-5 * np.sin(2 * np.pi * 50 * TIME_S),
    "noisy": 30 * eeg(),
    "railed": clipped(),
    "flat": np.full(500, 0.187),
    "not a number": np.where(TIME_S == 1.0, np.nan, eeg()),
}


@pytest.mark.parametrize("kind", BAD)
def test_each_fault_is_told_beside_a_good_channel(kind: str) -> None:
    """One bad channel has its name, and does not spoil the judgement of its neighbour."""
    found = channel_quality(np.column_stack([eeg(1), BAD[kind]]), RATE_HZ)
    assert found.quality == ("good", kind)


def test_a_person_is_good() -> None:
    """Every channel of the simulated person, with its alpha, blinks and hum, is good."""
    source = SimulatedSource(seed=3)
    samples = source.read_samples(2500).samples
    for start in range(0, 2500, 500):
        found = channel_quality(samples[start : start + 500], source.info.rate_hz)
        assert set(found.quality) <= {"good", "noisy"}  # a blink may be large in front
        assert found.quality.count("good") > 0.9 * len(found.quality)


def test_amplitudes_are_those_of_the_signal() -> None:
    """A sine of amplitude A has RMS A over root two, in its band; offset and drift have none."""
    ten = 2e-5 * np.sin(2 * np.pi * 10 * TIME_S) + 0.1 + 1e-3 * TIME_S
    fifty = 2e-5 * np.sin(2 * np.pi * 50 * TIME_S)
    found = channel_quality(np.column_stack([ten, fifty]), RATE_HZ)
    np.testing.assert_allclose(found.rms_v[0], 2e-5 / np.sqrt(2), rtol=0.02)
    np.testing.assert_allclose(found.mains_v[1], 2e-5 / np.sqrt(2), rtol=0.02)
    assert found.mains_v[0] < 1e-7


def test_a_line_beyond_the_band_is_none() -> None:
    """At 80 Hz nothing is known of 50 Hz."""
    found = channel_quality(np.column_stack([eeg()]), 80.0)
    assert found.mains_v[0] == 0.0


def test_too_little_is_refused() -> None:
    """Less than a second says nothing."""
    with pytest.raises(ValueError, match="less than a second"):
        channel_quality(np.zeros((100, 2)), RATE_HZ)
