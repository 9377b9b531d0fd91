"""Cross-validation: what is tested never was trained on."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from bci.config import OnlineSettings
from bci.errors import TrialError
from bci.evaluation import Protocol, crossval, evaluate, splits
from bci.online.smoothing import Smoother
from bci.signal.epochs import Epochs

Make = Callable[..., Epochs]
DECODERS = ["csp-lda", "mdm", "ts-lr"]


class Spy:
    """A decoder that remembers what it was given; a window's probability is its first value."""

    made: list["Spy"] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self) -> None:
        Spy.made.append(self)

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Self:
        """Remember."""
        self.X, self.y, self.groups = X.copy(), y.copy(), groups.copy()
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the first value as the probability of class 1."""
        return np.stack([1 - X[:, 0, 0], X[:, 0, 0]], axis=1)


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch) -> list[Spy]:
    """Every decoder made during the test, in order."""
    Spy.made = []

    def make(name: str, **params: Any) -> Spy:
        return Spy()

    monkeypatch.setattr(crossval, "make_decoder", make)
    return Spy.made


def test_folds_are_scikit_learns_over_trials(make_epochs: Make) -> None:
    """The folds are those of StratifiedKFold on the trials: a reference can be computed."""
    epochs = make_epochs(23, n_windows=5)
    parts = splits(epochs, Protocol(folds=5, seed=7))
    splitter = StratifiedKFold(5, shuffle=True, random_state=7)
    references = splitter.split(epochs.trial_y, epochs.trial_y)
    for part, (train, test) in zip(parts, references, strict=True):
        assert part.train.tolist() == train.tolist()
        assert part.test.tolist() == test.tolist()


def test_windows_of_a_trial_stay_together(make_epochs: Make, spies: list[Spy]) -> None:
    """No fold trains on a window of a trial that it tests, and each gets its trials' numbers."""
    epochs = make_epochs(20, n_windows=5)
    epochs.X[:, 0, 0] = 0.5
    result = evaluate(epochs, "spy")
    assert len(spies) == 5
    for fold, spy in enumerate(spies):
        assert set(spy.groups) == set(np.flatnonzero(result.folds != fold))
        assert len(spy.groups) == 16 * 5
        np.testing.assert_array_equal(spy.y, epochs.trial_y[spy.groups])
        np.testing.assert_array_equal(spy.X, epochs.X[np.isin(epochs.trials, spy.groups)])


@pytest.mark.parametrize("rule", ["none", "exponential", "evidence"])
def test_a_trials_score_is_its_windows_smoothed_as_online(
    make_epochs: Make, spies: list[Spy], rule: str
) -> None:
    """The last smoothed probability counts, each trial starting afresh."""
    epochs = make_epochs(10, n_windows=5)
    values = np.random.default_rng(1).uniform(0.1, 0.9, (10, 5))
    epochs.X[:, 0, 0] = values.ravel()
    online = OnlineSettings.make(smoothing=rule)
    result = evaluate(epochs, "spy", None, Protocol(folds=2), online=online)
    for trial in range(10):
        smoother = Smoother(online, 0.5, 2)
        for value in values[trial]:
            expected = smoother.update(np.array([1 - value, value]))
        np.testing.assert_allclose(result.probabilities[trial], expected, rtol=1e-12)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_test_trial_moves_no_other_score(make_epochs: Make, decoder: str) -> None:
    """A test trial a thousand times larger leaves every other score of its fold untouched."""
    epochs = make_epochs(40, effect=0.3)
    before = evaluate(epochs, decoder, None, Protocol(folds=4))
    epochs.X[epochs.trials == 11] *= 1e3
    after = evaluate(epochs, decoder, None, Protocol(folds=4))
    fold = before.folds == before.folds[11]
    others = fold & (np.arange(40) != 11)
    np.testing.assert_array_equal(before.probabilities[others], after.probabilities[others])
    assert not np.array_equal(before.probabilities[~fold], after.probabilities[~fold])


@pytest.mark.parametrize("decoder", DECODERS)
def test_noise_scores_at_chance_and_an_effect_above(make_epochs: Make, decoder: str) -> None:
    """Six sessions of noise average .5 (standard error .037); a real difference is found."""
    areas = [
        evaluate(make_epochs(40, seed=seed), decoder, None, Protocol(seed=seed)).roc_auc.mean
        for seed in range(6)
    ]
    assert abs(np.mean(areas) - 0.5) < 0.12
    found = evaluate(make_epochs(40, effect=0.5), decoder)
    assert found.roc_auc.mean > 0.9
    assert found.above_chance


def test_permutations_give_a_small_p_for_an_effect_and_not_for_noise(make_epochs: Make) -> None:
    """The whole cross-validation runs again on permuted labels; 19 of them reach p = .05."""
    effect = evaluate(make_epochs(40, effect=0.5), "mdm", permutations=19)
    noise = evaluate(make_epochs(40, seed=3), "mdm", permutations=19)
    assert effect.p_value == pytest.approx(0.05)
    assert noise.p_value > 0.05


def test_leave_one_run_out_trains_on_the_other_runs(make_epochs: Make, spies: list[Spy]) -> None:
    """Each recording is tested by a decoder that saw none of it; permutations stay within it."""
    epochs = make_epochs(40)
    epochs.X[:, 0, 0] = 0.5
    evaluate(epochs, "spy", None, Protocol(name="leave-one-run-out"), permutations=2)
    assert len(spies) == 12
    for k, spy in enumerate(spies):
        assert set(epochs.trial_runs[spy.groups]) == {0, 1, 2, 3} - {k % 4}
        counts = np.bincount(spy.y)
        assert counts.tolist() == [15, 15]
    assert not np.array_equal(spies[0].y, spies[4].y)


def test_more_than_two_classes_have_accuracy_and_kappa_but_no_area(make_epochs: Make) -> None:
    """Three classes: no ROC-AUC, a recall for each class, p-values by the accuracy."""
    result = evaluate(make_epochs(45, n_classes=3, effect=0.8), "mdm", permutations=4)
    document = result.as_dict()
    assert document["roc_auc"] is None
    assert set(document["per_class"]) == {"left_hand", "right_hand", "feet"}
    assert document["accuracy"]["mean"] > 0.8
    assert document["kappa"]["low"] < document["kappa"]["mean"] <= document["kappa"]["high"]
    assert document["p_value"] == pytest.approx(0.2)
    assert document["n_trials"] == 45


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({"n_trials": 8}, {"folds": 5}, ["--folds 5", "left_hand", "4", "run0.edf"]),
        ({"n_trials": 8}, {"folds": 1}, ["--folds 1", "at least 2"]),
        ({"n_trials": 8, "n_runs": 1}, {"name": "leave-one-run-out"}, ["run0.edf", "within"]),
        ({"n_trials": 2, "n_runs": 2}, {"name": "leave-one-run-out"}, ["left_hand", "run0.edf"]),
    ],
    ids=["too few trials", "one fold", "one run", "a run alone holds a class"],
)
def test_too_little_for_the_folds_is_named(
    make_epochs: Make, given: dict[str, Any], options: dict[str, Any], words: list[str]
) -> None:
    """What is missing for the folds is one line with the numbers and what to do."""
    with pytest.raises(TrialError) as caught:
        evaluate(make_epochs(**given), "mdm", None, Protocol(**options))
    for word in words:
        assert word in str(caught.value)


def test_progress_counts_every_fold(make_epochs: Make, spies: list[Spy]) -> None:
    """Progress ends at its total, permutations included, and never goes back."""
    epochs = make_epochs(20)
    epochs.X[:, 0, 0] = 0.5
    seen: list[tuple[int, int]] = []
    evaluate(
        epochs,
        "spy",
        permutations=3,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(k, 20) for k in range(1, 21)]
