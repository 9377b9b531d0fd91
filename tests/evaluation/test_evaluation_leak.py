"""Without anything to find, chance is found; and a leak that is put in on purpose is caught."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bci.evaluation import (
    Protocol,
    crossval,
    evaluate,
    permuted_labels,
    score_split,
    splits,
    statistic,
)
from bci.signal.epochs import Epochs

Make = Callable[..., Epochs]


@pytest.mark.parametrize("name", ["within", "leave-one-run-out"])
def test_permuted_labels_score_chance(make_epochs: Make, name: str) -> None:
    """Over 24 permutations of labels that mean a lot, the mean area is .5 (error .02)."""
    epochs = make_epochs(40, effect=1.0)
    found = []
    for labels in permuted_labels(epochs, 24, seed=1):
        parts = splits(epochs, Protocol(name=name), labels)
        scored = [score_split(epochs, part, "mdm", trial_y=labels) for part in parts]
        found.append(statistic(labels, parts, scored))
    assert abs(np.mean(found) - 0.5) < 0.05
    assert evaluate(epochs, "mdm", None, Protocol(name=name)).roc_auc.mean > 0.95


def test_labels_are_permuted_within_runs(make_epochs: Make) -> None:
    """Each run keeps its own numbers of trials of each class."""
    epochs = make_epochs(40)
    uneven = replace(epochs, trial_runs=np.sort(np.arange(40) % 3))
    for labels in permuted_labels(uneven, 5, seed=0):
        assert not np.array_equal(labels, uneven.trial_y)
        for run in range(3):
            of_run = uneven.trial_runs == run
            assert sorted(labels[of_run]) == sorted(uneven.trial_y[of_run])


class Memory:
    """Decides as the nearest window that it was trained on."""

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Self:
        """Remember everything."""
        self.X, self.y = X.reshape(len(X), -1), y
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return certainty."""
        flat = X.reshape(len(X), -1)
        nearest = [np.argmin(((self.X - x) ** 2).sum(axis=1)) for x in flat]
        return np.eye(2)[self.y[nearest]]


def test_splitting_windows_instead_of_trials_is_caught(
    make_epochs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows that overlap are nearly the same: a memory of noise scores 1 where they are split."""
    monkeypatch.setattr(crossval, "make_decoder", lambda *_, **__: Memory())
    epochs = make_epochs(60, n_windows=4)
    overlapping = epochs.X.copy()
    for trial in range(60):
        at = epochs.trials == trial
        overlapping[at] = overlapping[at][:1] + 1e-7 * overlapping[at]
    epochs = replace(epochs, X=1e5 * overlapping)
    windows = np.arange(len(epochs.X))
    double = replace(
        epochs,
        trials=windows,
        trial_y=epochs.y,
        trial_onsets_s=windows.astype(float),
        trial_runs=epochs.trial_runs[epochs.trials],
    )
    assert evaluate(double, "memory").accuracy.mean > 0.95
    honest = evaluate(epochs, "memory")
    assert not honest.above_chance
    assert abs(honest.nmcc.mean - 0.5) < 0.2


class Chooser:
    """Takes the three channels whose power differs most, and discriminates linearly."""

    chosen: np.ndarray | None = None

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Self:
        """Choose from what is given, unless something was chosen before."""
        power = np.log(X.var(axis=2))
        self.columns = best(power, y) if Chooser.chosen is None else Chooser.chosen
        self.rule = LinearDiscriminantAnalysis().fit(power[:, self.columns], y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return what the rule says."""
        result: np.ndarray = self.rule.predict_proba(np.log(X.var(axis=2))[:, self.columns])
        return result


def best(power: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the three columns that differ most."""
    return np.argsort(-np.abs(stats.ttest_ind(power[y == 1], power[y == 0]).statistic))[:3]


def test_choosing_outside_the_folds_is_caught(
    make_epochs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On noise of 64 channels a choice on all trials shows what a choice within folds does not."""

    def make(*_: Any, **__: Any) -> Chooser:
        return Chooser()

    monkeypatch.setattr(crossval, "make_decoder", make)
    leaking, honest = [], []
    for seed in range(8):
        epochs = make_epochs(40, seed=seed)
        X = np.random.default_rng(seed).standard_normal((40, 64, 60))
        wide = replace(epochs, X=X, channels=tuple(f"c{k}" for k in range(64)))
        Chooser.chosen = best(np.log(X.var(axis=2)), wide.trial_y)
        leaking.append(evaluate(wide, "chooser").accuracy.mean)
        Chooser.chosen = None
        honest.append(evaluate(wide, "chooser").accuracy.mean)
    assert np.mean(leaking) > 0.65
    assert abs(np.mean(honest) - 0.5) < 0.1
