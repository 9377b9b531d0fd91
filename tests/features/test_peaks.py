"""Individual peaks on spectra that were made with them, and without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.config import EpochSettings
from bci.errors import SettingsError
from bci.features.peaks import rhythms, rhythms_of
from bci.features.spatial import spatial_filter
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording

FREQS_HZ = np.arange(4.0, 35.5, 0.5)


def spectrum(peaks, exponent=1.5, freqs_hz=FREQS_HZ):
    """Return 1/f^exponent with Gaussian peaks (Hz, dB, standard deviation in Hz)."""
    decibels = -10 * exponent * np.log10(freqs_hz)
    for at, height, deviation in peaks:
        decibels = decibels + height * np.exp(-0.5 * ((freqs_hz - at) / deviation) ** 2)
    return 10 ** (decibels / 10)


@given(
    st.floats(8.0, 12.0), st.floats(3.0, 15.0), st.floats(16.0, 27.0), st.floats(2.5, 8.0),
    st.floats(0.8, 2.2), st.floats(1e-14, 1e3),
)  # fmt: skip
def test_planted_peaks_are_found_within_half_a_hertz(mu, mu_db, beta, beta_db, exponent, scale):
    """Whatever their places, heights, the background's slope and the unit."""
    power = scale * spectrum([(mu, mu_db, 1.0), (beta, beta_db, 1.5)], exponent)
    (found,) = rhythms(power[None], FREQS_HZ)
    assert found.mu.freq_hz == pytest.approx(mu, abs=0.5)
    assert found.beta.freq_hz == pytest.approx(beta, abs=0.5)
    assert found.mu.height_db == pytest.approx(mu_db, abs=2.5)
    assert found.exponent == pytest.approx(exponent, abs=0.35)
    low, high = found.mu.band_hz
    assert low < mu < high
    assert 2 <= high - low <= 4


def test_a_background_alone_has_no_peak():
    """None for both bands, and the exponent is that of the background."""
    (found,) = rhythms(spectrum([], 1.3)[None], FREQS_HZ)
    assert found.mu is None
    assert found.beta is None
    assert found.exponent == pytest.approx(1.3, abs=1e-6)


def test_each_channel_has_its_own():
    """A peak of one band leaves the other band without; a dead channel has none."""
    power = np.array([spectrum([(10, 8, 1)]), spectrum([(21, 6, 1.5)]), np.zeros(len(FREQS_HZ))])
    mu_only, beta_only, dead = rhythms(power, FREQS_HZ)
    assert mu_only.mu.freq_hz == pytest.approx(10, abs=0.2)
    assert mu_only.beta is None
    assert beta_only.mu is None
    assert beta_only.beta.freq_hz == pytest.approx(21, abs=0.2)
    assert dead.mu is None
    assert dead.beta is None


def noise(seed: int, n_windows: int, n_channels: int) -> np.ndarray:
    """Return 1/f^1.6 noise, 3 s at 160 Hz."""
    rng = np.random.default_rng(seed)
    freqs = np.fft.rfftfreq(960, 1 / 160)
    white = np.fft.rfft(rng.standard_normal((n_windows, n_channels, 960)))
    return np.fft.irfft(white * np.maximum(freqs, 1 / 6) ** -0.8)[..., :480]


@pytest.mark.parametrize("n_windows", [20, 45])
def test_noise_seldom_has_a_peak_and_a_rhythm_in_it_is_found(n_windows):
    """Of 240 channels of noise (3 to 6 % of many more) at most 8 %; of 60 with a rhythm, each."""
    found = [f for seed in range(4) for f in rhythms_of(noise(seed, n_windows, 60), 160.0)]
    assert np.mean([f.mu is not None for f in found]) <= 0.08
    assert np.mean([f.beta is not None for f in found]) <= 0.08
    rng = np.random.default_rng(1)
    phases = rng.uniform(0, 2 * np.pi, (n_windows, 60, 1))
    X = noise(0, n_windows, 60)
    with_mu = X + X.std() * 0.4 * np.sin(2 * np.pi * 11.3 * np.arange(480) / 160 + phases)
    found = [f.mu for f in rhythms_of(with_mu, 160.0)]
    assert all(peak is not None and abs(peak.freq_hz - 11.3) < 0.5 for peak in found)


def test_the_rhythms_of_a_real_person_are_told_apart(shared_data):
    """S007 has one rhythm everywhere; its own neighbours taken out, mu lies above alpha."""
    events = {"T1": "left_hand", "T2": "right_hand"}
    folder = shared_data / "eegmmidb"
    recordings = [open_recording(folder / f"S007R{run}.edf") for run in ("04", "08", "12")]
    epochs = cut_epochs(recordings, EpochSettings(band_hz=(2.0, 45.0), event_map=events))
    assert sum(f.mu is not None for f in rhythms_of(epochs.X, epochs.rate_hz)) >= 60
    own = spatial_filter("small-laplacian", epochs.channels) @ epochs.X
    found = dict(zip(epochs.channels, rhythms_of(own, epochs.rate_hz), strict=True))
    for name, freq_hz in (("C3", 12.4), ("C4", 12.4), ("O1", 11.0), ("Oz", 11.0)):
        assert found[name].mu.freq_hz == pytest.approx(freq_hz, abs=0.4)


def test_a_spectrum_that_holds_no_background_is_refused():
    """Too narrow, too coarse, or windows too short: one line says what to do."""
    with pytest.raises(SettingsError, match=r"from 6 Hz or less to 31 Hz or more.*widen it"):
        rhythms(np.ones((1, 40)), np.linspace(8, 30, 40))
    with pytest.raises(SettingsError, match=r"this one has 8"):
        rhythms(np.ones((1, 8)), np.linspace(4, 40, 8))
    with pytest.raises(SettingsError, match=r"give 1 s or more"):
        rhythms_of(np.ones((3, 2, 100)), 160.0)
