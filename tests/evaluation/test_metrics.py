"""Scores and their intervals."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from bci.evaluation.metrics import (
    accuracy,
    class_accuracies,
    cohen_kappa,
    fold_roc_auc,
    roc_auc,
    wilson_interval,
)


def labels(n: int, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw true labels and decided ones that agree more often than chance."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    decided = np.where(rng.random(n) < 0.5, y, rng.integers(n_classes, size=n))
    return y, decided


def test_wilson_interval_equals_published_values() -> None:
    """Newcombe (1998, Statistics in Medicine 17, 857-872, table I, method 3)."""
    for (k, n), expected in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson_interval(k, n) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_kappa_equals_scikit_learns(n_classes: int) -> None:
    """Cohen's kappa is the one that scikit-learn computes, and lies in its interval."""
    y, decided = labels(90, n_classes, seed=n_classes)
    score = cohen_kappa(y, decided, n_classes)
    assert score.mean == pytest.approx(cohen_kappa_score(y, decided), abs=1e-12)
    assert score.low < score.mean < score.high


def test_kappa_of_one_class_decided_always_is_zero() -> None:
    """Deciding the same class always agrees with chance, whatever the accuracy."""
    y = np.array([0] * 9 + [1])
    assert cohen_kappa(y, np.zeros(10, np.int64), 2).mean == pytest.approx(0.0)
    assert cohen_kappa(y * 0, np.zeros(10, np.int64), 2).mean == 0.0


def test_roc_auc_equals_scikit_learns_with_ties() -> None:
    """The rank form of the area equals scikit-learn's, ties included."""
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=60)
    scores = np.round(rng.random(60) + 0.3 * y, 1)
    ours = roc_auc(scores[y == 1], scores[y == 0])
    assert ours == pytest.approx(roc_auc_score(y, scores), abs=1e-12)


def test_fold_auc_is_the_mean_over_folds_and_skips_a_fold_of_one_class() -> None:
    """Each fold's area counts alike; scores of different folds are never compared."""
    rng = np.random.default_rng(4)
    y = np.tile([0, 1], 30)
    folds = np.repeat(np.arange(5), 12)
    scores = rng.random(60) + 0.3 * y + 100.0 * folds  # another offset in each fold
    y[folds == 4] = 1
    score = fold_roc_auc(y, scores, folds)
    assert score is not None
    expected = np.mean([roc_auc_score(y[folds == k], scores[folds == k]) for k in range(4)])
    assert score.mean == pytest.approx(expected, abs=1e-12)
    assert fold_roc_auc(np.ones(60, np.int64), scores, folds) is None


@pytest.mark.parametrize("shift", [0.0, 1.19, 2.33])
def test_fold_auc_interval_covers_the_true_area(shift: float) -> None:
    """Over 400 sessions of 45 Gaussian trials the interval holds the true area in 92 % or more."""
    from scipy import stats

    true = stats.norm.cdf(shift / np.sqrt(2))
    rng = np.random.default_rng(5)
    y = np.tile([0, 1], 23)[:45]
    folds = np.arange(45) // 9
    covered = 0
    for _ in range(400):
        score = fold_roc_auc(y, rng.standard_normal(45) + shift * y, folds)
        assert score is not None
        covered += score.low <= true <= score.high
    assert 0.92 <= covered / 400 <= 0.995


def test_a_perfect_score_keeps_an_interval() -> None:
    """45 trials without an error don't prove perfection."""
    y = np.tile([0, 1], 20)
    folds = np.repeat(np.arange(4), 10)
    area = fold_roc_auc(y, y.astype(float), folds)
    assert area is not None
    assert area.mean == area.high == 1.0
    assert 0.7 < area.low < 0.99
    worst = fold_roc_auc(y, -y.astype(float), folds)
    assert worst is not None
    assert (worst.mean, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - area.low, abs=1e-6)
    assert accuracy(y, y).low == pytest.approx(0.9124, abs=1e-4)
    assert cohen_kappa(y, y, 2).low == pytest.approx(2 * accuracy(y, y).low - 1)


def test_class_accuracies_are_recalls_by_name() -> None:
    """Each class's share decided right stands under its name."""
    y = np.array([0, 0, 0, 0, 1, 1])
    decided = np.array([0, 0, 0, 1, 1, 1])
    scores = class_accuracies(y, decided, ("left_hand", "right_hand"))
    assert {name: score.mean for name, score in scores.items()} == {
        "left_hand": 0.75,
        "right_hand": 1.0,
    }


def test_wilson_interval_holds_the_share_also_of_none_and_of_all() -> None:
    """Rounding once put the upper bound of ten out of ten below 1, and a report failed."""
    for n in range(1, 400):
        for n_correct in {0, 1, n // 2, n - 1, n}:
            low, high = wilson_interval(n_correct, n)
            assert 0 <= low <= n_correct / n <= high <= 1
