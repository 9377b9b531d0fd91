"""Selection of features: by effect, without doubles, under constraints, and as planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bci.config import EpochSettings
from bci.errors import ChannelError, SettingsError
from bci.events import Marker
from bci.features.selection import Candidates, SelectionSettings, choose, stability
from bci.features.settings import SpectrumSettings
from bci.features.spatial import spatial_filter
from bci.features.spectra import spectra
from bci.signal.epochs import cut_epochs
from bci.sources.labels import standard_position
from bci.sources.person import draw_person
from bci.sources.recording import Recording
from bci.sources.simulate import simulate_run

FREQS_HZ = np.arange(6.0, 36.0)
NAMES = ("C3", "C1", "Cz", "C4", "O1", "Fp1")


def planted(seed: int, n_trials: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return noise of (n_trials, 6 channels, 30 frequencies) and classes that C4 at 10-13 shows."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_trials) % 2
    features = rng.standard_normal((n_trials, len(NAMES), len(FREQS_HZ)))
    features[:, 3, 4:8] += 1.5 * y[:, None]
    return features, y


def pick(features: np.ndarray, y: np.ndarray, **changed: object) -> list[tuple[str, float, float]]:
    """Return the names and bands that are chosen."""
    limits = SelectionSettings.make(**({"width_hz": 3.0, "prior": False} | changed))
    candidates = Candidates.of(features, FREQS_HZ, NAMES, limits)
    chosen = choose(candidates, y, NAMES, limits)
    return [(NAMES[choice.channel], *choice.band_hz) for choice in chosen]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), width_hz=st.sampled_from([0.0, 2.0, 4.5]))
def test_candidates_are_means_over_bands(seed, width_hz):
    """Each is the mean of its own channel and band, computed one by one."""
    features = np.random.default_rng(seed).standard_normal((5, len(NAMES), len(FREQS_HZ)))
    limits = SelectionSettings.make(width_hz=width_hz, channels=("Cz", "o1"))
    found = Candidates.of(features, FREQS_HZ, NAMES, limits)
    assert set(found.channels.tolist()) == {2, 4}
    for values, channel, (low, high) in zip(
        found.values.T, found.channels, found.bands_hz, strict=True
    ):
        assert high - low == int(width_hz)
        inside = (low <= FREQS_HZ) & (high >= FREQS_HZ)
        assert_allclose(values, features[:, channel, inside].mean(axis=1), atol=1e-12)


def test_what_was_planted_comes_first():
    """Channel and band, ten seeds of ten; the R2 is that of the band's mean."""
    for seed in range(10):
        assert pick(*planted(seed))[0] == ("C4", 10.0, 13.0)


def test_bands_of_a_channel_never_overlap():
    """Even where the best candidates all lie in one place."""
    chosen = [band for name, *band in pick(*planted(0), n_features=8) if name == "C4"]
    for k, (low, high) in enumerate(chosen):
        assert all(high < other[0] or low > other[1] for other in chosen[:k])


def test_a_copy_of_what_is_chosen_is_passed_over():
    """C1 repeats C4: with redundancy weighed, a weaker channel of its own comes second."""
    features, y = planted(1)
    features[:, 1] = features[:, 3] + 0.1 * np.random.default_rng(0).standard_normal((60, 30))
    features[:, 0, 11:15] += 0.8 * y[:, None]
    assert pick(features, y, n_features=2, redundancy=False)[1][0] in {"C1", "C4"}
    assert pick(features, y, n_features=2)[1] == ("C3", 17.0, 20.0)


def test_the_prior_prefers_sensorimotor_channels():
    """An effect that is a little larger at the forehead: first without the prior, not with it."""
    features, y = planted(2)
    features[:, 5, 4:8] += 1.7 * y[:, None]
    assert pick(features, y)[0][0] == "Fp1"
    assert pick(features, y, prior=True)[0] == ("C4", 10.0, 13.0)


def test_constraints_are_kept():
    """Channels, band limits, distance and number."""
    features, y = planted(3)
    names = {name for name, *_ in pick(features, y, channels=("C3", "cz."), n_features=4)}
    assert names <= {"C3", "Cz"}
    assert all(low >= 20 for _, low, _ in pick(features, y, fmin_hz=20.0, n_features=4))
    chosen = dict.fromkeys(
        name for name, *_ in pick(features, y, min_distance_m=0.06, n_features=6)
    )
    places = np.array([standard_position(name) for name in chosen])
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    assert (apart[np.triu_indices(len(places), 1)] >= 0.06).all()


def test_constraints_that_leave_nothing_are_refused():
    """One line that names them."""
    features, y = planted(4)
    with pytest.raises(ChannelError, match="no channel C7"):
        pick(features, y, channels=("C7",))
    with pytest.raises(SettingsError, match="no band of 3 Hz lies between 40 and 45 Hz"):
        pick(features, y, fmin_hz=40.0, fmax_hz=45.0)


def test_a_planted_feature_is_stable_and_noise_is_not():
    """Over draws of the trials: the first nearly always comes again, others seldom."""
    features, y = planted(5)
    limits = SelectionSettings.make(n_features=3, width_hz=3.0, prior=False)
    candidates = Candidates.of(features, FREQS_HZ, NAMES, limits)
    shares = stability(candidates, y, NAMES, limits, n_bootstraps=40)
    assert shares[0] > 0.95
    assert max(shares[1:]) < 0.8
    assert shares == stability(candidates, y, NAMES, limits, n_bootstraps=40)


def test_a_feature_that_does_not_vary_is_never_chosen():
    """Nor does it disturb the others."""
    features, y = planted(6)
    features[:, 4] = 7.0
    assert "O1" not in {name for name, *_ in pick(features, y, n_features=60)}
    assert pick(np.ones_like(features), y) == []


def sitting(seed: int) -> Recording:
    """Return thirty trials of a simulated person, four seconds of imagery each."""
    order = np.random.default_rng(seed).permutation(np.arange(30) % 2)
    cues = [
        marker
        for trial, k in enumerate(order)
        for marker in (
            Marker(2.0 + 6.0 * trial, ("left_hand", "right_hand")[k]),
            Marker(6.0 + 6.0 * trial, "imagery_end"),
        )
    ]
    params = {"seed": seed, "rate_hz": 100.0, "montage": "sensorimotor", "ability": 0.8}
    return simulate_run(params, cues, 183.0)


def test_the_simulated_persons_rhythm_comes_first():
    """Left against right: C3 or C4, in that hand area's own mu or beta, for nine of ten persons.

    The simulator plants each hand's rhythms under C4 and C3, at frequencies of the person's own.
    """
    limits = SelectionSettings(n_features=1)
    hits = 0
    for seed in range(10):
        epochs = cut_epochs([sitting(seed)], EpochSettings(band_hz=(4.0, 40.0)))
        signals = spatial_filter("auto", epochs.channels) @ epochs.X
        found = spectra(signals, epochs.rate_hz, SpectrumSettings(fmin_hz=6.0, fmax_hz=35.0))
        candidates = Candidates.of(found.log_power, found.freqs_hz, epochs.channels, limits)
        best = choose(candidates, epochs.trial_y, epochs.channels, limits)[0]
        name = epochs.channels[best.channel]
        if name in ("C3", "C4"):
            person, hand = draw_person(0.8, seed, 0), ("C3", "C4").index(name)
            low, high = best.band_hz
            # Half a hertz: it wanders that much within a session.
            hits += any(
                low - 0.5 <= rhythm_hz <= high + 0.5
                for rhythm_hz in (person.mu_hz[hand], person.beta_hz[hand])
            )
    assert hits >= 9
