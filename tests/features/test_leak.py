"""Nothing leaks: on noise every way to choose features and score them gives chance.

Sixty-four channels x forty bins of noise that channels and bins share, forty trials, labels
shuffled a hundred times, five folds: what `bci.decoders.feature_rules.learn` chooses on the
training trials is scored on the others. The same measure finds a leak that is put in on purpose.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from bci.decoders import make_decoder
from bci.decoders.acm_grid import area_under_roc
from bci.decoders.feature_rules import Learned, learn
from bci.decoders.folds import trial_folds
from bci.features.selection import Candidates, SelectionSettings
from bci.sources.headmodel import MONTAGES

NAMES = MONTAGES["standard-64"]
FREQS_HZ = np.arange(1.0, 41.0)
N_TRIALS, N_SHUFFLES = 40, 100
Tables = Mapping[str, Candidates]
SETTINGS = SelectionSettings(n_features=3, fmin_hz=1.0, fmax_hz=40.0)


def noise(seed: int, kinds: tuple[str, ...], settings: SelectionSettings) -> Tables:
    """Return features that go together along channels and bins, as those of EEG do."""
    rng = np.random.default_rng(seed)
    tables = {}
    for kind in kinds:
        features = rng.standard_normal((N_TRIALS, len(NAMES), len(FREQS_HZ)))
        features += rng.standard_normal((N_TRIALS, 1, len(FREQS_HZ)))
        features += rng.standard_normal((N_TRIALS, len(NAMES), 1))
        tables[kind] = Candidates.of(features, FREQS_HZ, NAMES, settings)
    return tables


def mean_area(
    fit: Callable[[Tables, np.ndarray, np.ndarray], Learned],
    kinds: tuple[str, ...] = ("psd",),
    settings: SelectionSettings = SETTINGS,
) -> float:
    """Return the mean ROC-AUC over shuffles of `fit(tables, target, training trials)`."""
    areas = []
    for shuffle in range(N_SHUFFLES):
        # New noise now and then: a hundred shuffles of one draw share what it happens to hold.
        if shuffle % 10 == 0:
            tables = noise(shuffle, kinds, settings)
        target = np.random.default_rng(shuffle).permutation(np.arange(N_TRIALS) % 2)
        for train, test in trial_folds(target, np.arange(N_TRIALS), 5, shuffle):
            learned = fit(tables, target, train)
            unseen = {kind: table.of_trials(test) for kind, table in tables.items()}
            second = learned.rule.probabilities(learned.values(unseen))[:, 1]
            areas.append(area_under_roc(second, target[test] == 1))
    return float(np.mean(areas))


def within(
    settings: SelectionSettings, **options: object
) -> Callable[[Tables, np.ndarray, np.ndarray], Learned]:
    """Choose and fit on the training trials alone."""

    def fit(tables: Tables, target: np.ndarray, train: np.ndarray) -> Learned:
        seen = {kind: table.of_trials(train) for kind, table in tables.items()}
        return learn(seen, target[train], train, NAMES, settings, **options)

    return fit


@pytest.mark.parametrize(
    ("kinds", "changed", "options"),
    [
        pytest.param(("psd",), {}, {}, id="redundancy-and-prior"),
        pytest.param(("fc",), {"redundancy": False, "prior": False}, {}, id="largest-r2"),
        pytest.param(("psd", "fc"), {"min_distance_m": 0.05}, {"rule": "lr"}, id="both-kinds"),
        pytest.param(
            ("psd", "fc"), {"n_features": 2}, {"forward": True, "n_folds": 2}, id="forward"
        ),
    ],
)
def test_shuffled_labels_are_decoded_at_chance(kinds, changed, options):
    """Mean area within 0.03 of 0.5, whichever way features are chosen."""
    settings = SelectionSettings.make(**(SETTINGS.model_dump() | changed))
    assert abs(mean_area(within(settings, **options), kinds, settings) - 0.5) < 0.03


def test_a_leak_is_seen():
    """Features chosen on all trials, the rule fitted within the folds: far above chance."""

    def leaking(tables: Tables, target: np.ndarray, train: np.ndarray) -> Learned:
        everything = np.arange(N_TRIALS)
        chosen = learn(tables, target, everything, NAMES, SETTINGS)
        seen = {kind: table.of_trials(train) for kind, table in tables.items()}
        allowed = {kind: _only(table, chosen) for kind, table in seen.items()}
        fitted = learn(allowed, target[train], train, NAMES, SETTINGS)
        return Learned(
            fitted.kinds,
            tuple(chosen.choices[choice.candidate] for choice in fitted.choices),
            fitted.rule,
        )

    assert mean_area(leaking) > 0.64


def _only(table: Candidates, chosen: Learned) -> Candidates:
    """Return a table of what was chosen."""
    kept = [choice.candidate for choice in chosen.choices]
    return Candidates(table.values[:, kept], table.channels[kept], table.bands_hz[kept])


@pytest.mark.parametrize("name", ["psd-lda", "psd+fc-lda", "combined"])
def test_windows_of_noise_are_decoded_at_chance(name):
    """From the windows on: 20 shuffles of eight channels of noise, area within 0.07 of 0.5."""
    areas = []
    for shuffle in range(20):
        rng = np.random.default_rng([7, shuffle])
        X = rng.standard_normal((24, 8, 8)) @ rng.standard_normal((8, 8))
        X = np.concatenate([X, rng.standard_normal((24, 8, 120))], axis=2)
        target = rng.permutation(np.arange(24) % 2)
        for train, test in trial_folds(target, np.arange(24), 2, shuffle):
            params = {"decoders": ("csp-lda", "psd-lda")} if name == "combined" else {}
            decoder = make_decoder(name, rate_hz=100.0, **params)
            decoder.fit(X[train], target[train])
            areas.append(area_under_roc(decoder.predict_proba(X[test])[:, 1], target[test] == 1))
    assert abs(np.mean(areas) - 0.5) < 0.07
