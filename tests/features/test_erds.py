"""ERD/ERS maps: planted changes, MNE's wavelets, no edges, and how often noise is significant."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mne.time_frequency import tfr_array_morlet
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from bci.config import EpochSettings
from bci.errors import ChannelError, SettingsError, TrialError
from bci.events import Marker
from bci.features.erds import ErdsSettings, erds
from bci.features.erds_bootstrap import bootstrapped, in_clusters, p_values
from bci.features.long_trials import long_trials
from bci.features.wavelets import margin_s, power_over_time, resolution_s, time_deviation_s
from bci.signal.epochs import cut_epochs
from bci.sources.base import Channel, StreamInfo
from bci.sources.reading import open_recording
from bci.sources.recording import Recording

RATE_HZ = 128.0
FREQS_HZ = np.arange(6.0, 31.0, 2.0)


def recorded(change: float, n_trials: int = 24, seed: int = 0, drift: float = 0.0) -> Recording:
    """Return a recording: 11 Hz at C3, whose power changes 1 to 3 s after cues of the right hand.

    `change` multiplies its power. C4 has the same rhythm, which never changes.
    """
    rng = np.random.default_rng(seed)
    n_samples = round((n_trials * 8 + 6) * RATE_HZ)
    times = np.arange(n_samples) / RATE_HZ
    cues = 5.0 + 8.0 * np.arange(n_trials)
    gain = np.ones(n_samples)
    marks = []
    for number, cue in enumerate(cues):
        name = ("left_hand", "right_hand")[number % 2]
        marks += [Marker(cue, name), Marker(cue + 4, "imagery_end")]
        if name == "right_hand":
            gain[(times >= cue + 1) & (times < cue + 3)] = np.sqrt(change)
    phase = np.cumsum(0.15 * rng.standard_normal((n_samples, 2)), axis=0)
    rhythm = 10e-6 * np.sin(2 * np.pi * 11 * times[:, None] + phase)
    rhythm[:, 0] *= gain
    samples = rhythm + 1e-6 * rng.standard_normal((n_samples, 2)) + drift * times[:, None]
    info = StreamInfo("made", "EEG", "made", RATE_HZ, (Channel("C3"), Channel("C4")))
    return Recording(Path("made.xdf"), info, samples, times, np.empty((0, 2)), markers=tuple(marks))


def epochs_of(recording: Recording):
    """Return the usual epochs: which trials there are."""
    return cut_epochs([recording], EpochSettings(band_hz=(2.0, 45.0)))


@pytest.mark.parametrize("change", [0.3, 3.0])
def test_a_planted_change_is_shown_where_and_when_and_as_large_as_it_was_made(change):
    """At C3, 11 Hz, 1 to 3 s after right hand cues; nowhere else, no patch is of 11 Hz there."""
    recording = recorded(change)
    found = erds([recording], epochs_of(recording))
    at = list(found.freqs_hz).index(11.0)
    during = (found.times_s > 1.4) & (found.times_s < 2.6)
    before = found.times_s < 0.5
    right = found.percent[1, 0, at]
    assert_allclose(right[during].mean(), 100 * (change - 1), rtol=0.2)
    assert found.significant[1, 0, at, during].all()
    assert not found.significant[1, 0, at, before].any()
    assert np.abs(right[before]).mean() < 15
    # C4, and the other class, do not change.
    assert not found.significant[0, :, at].any()
    assert not found.significant[1, 1, at].any()
    assert found.n_trials == (12, 12)
    # Wavelets are symmetric: the middle of the change is at 2 s, not later.
    moved = np.abs(right - right[before].mean())
    centre = (found.times_s * moved)[~before].sum() / moved[~before].sum()
    assert centre == pytest.approx(2.0, abs=0.15)


def test_no_edge_of_a_trial_reaches_into_the_map():
    """A large offset and a steep drift change no cell by more than a hundredth."""
    plain, drifting = recorded(0.5), recorded(0.5, drift=1e-4)
    settings = ErdsSettings(n_bootstraps=100)
    maps = [erds([r], epochs_of(r), settings).percent for r in (plain, drifting)]
    assert_allclose(maps[1], maps[0], atol=1.0)


def test_the_power_is_mnes_morlet_wavelets_up_to_a_factor():
    """At every frequency MNE's wavelet of as many cycles gives the same course."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3, 2, 1024))
    times = np.arange(200, 800, 8)
    ours = power_over_time(X, RATE_HZ, FREQS_HZ, times / RATE_HZ, 2.0)
    cycles = 2 * np.pi * FREQS_HZ * time_deviation_s(2.0)
    theirs = tfr_array_morlet(X, RATE_HZ, FREQS_HZ, cycles, output="power", verbose="error")
    ratio = ours / theirs[..., times]
    for row in range(len(FREQS_HZ)):
        one = ratio[..., row, :]
        assert_allclose(one, np.median(one), rtol=0.05)


@given(st.floats(6, 30), st.floats(0.1, 10), st.floats(1.0, 4.0))
def test_a_sine_has_its_mean_square_at_its_own_frequency(freq_hz, amplitude, width_hz):
    """And half of it at half of the bandwidth away, as the bandwidth is stated."""
    t = np.arange(1280) / RATE_HZ
    sine = amplitude * np.sin(2 * np.pi * freq_hz * t)
    freqs = np.array([freq_hz, freq_hz + width_hz / 2, freq_hz - width_hz / 2])
    power = power_over_time(sine, RATE_HZ, freqs, np.linspace(3, 7, 9), width_hz)
    assert_allclose(power[0], amplitude**2 / 2, rtol=0.02)
    assert_allclose(power[1:], amplitude**2 / 4, rtol=0.06)


def test_an_impulse_lasts_as_long_as_the_resolution_says():
    """Full width at half of the maximum."""
    impulse = np.zeros(2560)
    impulse[1280] = 1.0
    times = 10 + np.linspace(-0.5, 0.5, 1001)
    power = power_over_time(impulse, RATE_HZ, np.array([20.0]), times, 2.0)[0]
    wide = times[power >= power.max() / 2]
    assert wide[-1] - wide[0] == pytest.approx(resolution_s(2.0), rel=0.02)


def _cells(rng: np.random.Generator, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the power of noise whose level differs from trial to trial, and its baseline."""
    loud = 1 + 0.5 * rng.standard_normal((n_trials, 1)) ** 2
    X = loud * rng.standard_normal((n_trials, 8 * 128))
    times = np.arange(0.6, 7.4, 0.1)
    power = power_over_time(X, RATE_HZ, FREQS_HZ, times, 2.0)
    return power[..., 15:], power[..., :15].mean(axis=-1, keepdims=True)


def test_noise_is_significant_as_seldom_as_the_level_says():
    """By cell 5 %, within its own scatter; of maps no more than 5 % and a few have a patch."""
    rng = np.random.default_rng(2)
    shares, patches = [], 0
    for _ in range(40):
        drawn = rng.multinomial(20, np.full(20, 1 / 20), 300)
        _, statistic, draws = bootstrapped(*_cells(rng, 20), drawn)
        shares.append(np.mean(p_values(statistic, draws) < 0.05))
        patches += in_clusters(statistic, draws, 0.05).any()
    assert np.mean(shares) == pytest.approx(0.05, abs=0.02)
    assert patches <= 6


def test_the_studentised_statistic_is_the_delta_methods():
    """Against the formula, and against a jackknife over trials, which knows none."""
    rng = np.random.default_rng(3)
    n_trials = 200
    loud = rng.uniform(1, 2, (n_trials, 1, 1))
    cells = loud * rng.gamma(4, size=(n_trials, 5, 8))
    base = loud * rng.gamma(9, size=(n_trials, 5, 1))
    percent, statistic, _ = bootstrapped(cells, base, np.ones((1, n_trials), dtype=int))
    ratio = cells.mean(axis=0) / base.mean(axis=0)
    assert_allclose(percent, 100 * (ratio - 1), rtol=1e-9)
    residual = cells / cells.mean(axis=0) - base / base.mean(axis=0)
    error = residual.std(axis=0, ddof=1) / np.sqrt(n_trials)
    assert_allclose(statistic, np.log(ratio) / error, rtol=1e-9)
    left = np.array([
        np.log(np.delete(cells, i, 0).mean(axis=0) / np.delete(base, i, 0).mean(axis=0))
        for i in range(n_trials)
    ])  # fmt: skip
    error = np.sqrt((1 - 1 / n_trials) * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(statistic, np.log(ratio) / error, rtol=0.03, atol=0.02)


def test_long_trials_are_the_recording_around_the_cues_of_the_epochs():
    """Sample by sample, in volts, and those without enough time are left out by name."""
    recording = recorded(1.0)
    epochs = epochs_of(recording)
    found = long_trials([recording], epochs, (-2.0, 3.0))
    assert found.X.shape == (24, 2, 640)
    assert_array_equal(found.X[3], recording.samples[29 * 128 - 256 : 29 * 128 + 384].T)
    fewer = long_trials([recording], epochs, (-6.0, 3.0))
    assert len(fewer.y) == 23
    assert [item.reason for item in fewer.left_out] == ["not enough time around it"]
    with pytest.raises(TrialError, match=r"shorten the span"):
        long_trials([recording], epochs, (-500.0, 3.0))


def test_a_spatial_filter_and_a_choice_of_channels_act_before_the_power():
    """The map of a channel is that of the filtered signal, and of no more channels than asked."""
    recording = recorded(0.4)
    epochs, settings = epochs_of(recording), ErdsSettings(n_bootstraps=100)
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    both = erds([recording], epochs, settings)
    one = erds([recording], epochs, settings, channels=["c4"], spatial=swap)
    assert one.channels == ("C4",)
    assert_allclose(one.percent[:, 0], both.percent[:, 0])
    with pytest.raises(ChannelError, match=r"no channel P3"):
        erds([recording], epochs, settings, channels=["P3"])


def test_settings_that_show_nothing_are_refused():
    """Baselines outside of the span, bands over Nyquist, trials too short for the wavelets."""
    for wrong in (
        {"baseline_s": (-3.0, -0.5)},
        {"baseline_s": (-0.5, -0.45)},
        {"fmin_hz": 1.0},
        {"fmin_hz": 40.0},
    ):
        with pytest.raises(ValidationError):
            ErdsSettings(**wrong)
    recording = recorded(1.0)
    with pytest.raises(SettingsError, match=r"above half of the sampling rate"):
        erds([recording], epochs_of(recording), ErdsSettings(fmax_hz=70.0))
    with pytest.raises(SettingsError, match=rf"need {margin_s(2.0):.3g} s of signal"):
        power_over_time(np.ones(640), RATE_HZ, FREQS_HZ, np.array([0.1, 2.0]), 2.0)


def test_the_right_hand_of_a_real_person_desynchronises_c3(shared_data):
    """S001, small Laplacian: mu at C3 falls by half during right hand imagery, significantly."""
    from bci.features.spatial import spatial_filter

    events = {"T1": "left_hand", "T2": "right_hand"}
    folder = shared_data / "eegmmidb"
    recordings = [open_recording(folder / f"S001R{run}.edf") for run in ("04", "08", "12")]
    epochs = cut_epochs(recordings, EpochSettings(band_hz=(2.0, 45.0), event_map=events))
    laplacian = spatial_filter("small-laplacian", epochs.channels)
    found = erds(recordings, epochs, channels=["C3", "C4"], spatial=laplacian)
    mu = (found.freqs_hz >= 11) & (found.freqs_hz <= 13)
    during = (found.times_s >= 0.5) & (found.times_s <= 3)
    right = found.percent[1][:, mu][..., during].mean(axis=(1, 2))
    assert right[0] < -40
    assert right[0] < right[1] - 15
    assert found.significant[1, 0][mu][:, during].mean() > 0.8
