"""Intervals by drawing trials anew, and nMCC."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    roc_auc_score,
)

from bci.evaluation.metrics import Score, confusion, matthews, normalised_matthews
from bci.evaluation.resampling import bootstrap_scores, nmcc_score, resampled_rows


@given(st.integers(2, 4), st.integers(5, 60), st.integers(0, 2**31))
def test_matthews_equals_scikit_learns(n_classes: int, n: int, seed: int) -> None:
    """For any number of classes, and zero where one class alone was there or decided."""
    rng = np.random.default_rng(seed)
    y, decided = rng.integers(n_classes, size=(2, n))
    decided[rng.random(n) < 0.4] = 0
    counts = confusion(y, decided, n_classes)
    expected = matthews_corrcoef(y, decided)
    assert float(matthews(counts)) == pytest.approx(expected, abs=1e-12)
    assert float(normalised_matthews(counts)) == pytest.approx((expected + 1) / 2, abs=1e-12)
    stacked = matthews(np.stack([counts, counts.T]))
    assert stacked == pytest.approx([expected, expected], abs=1e-12)


def planted(n: int, skill: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, probabilities that are right with a known rate, and folds."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    right = rng.random(n) < skill
    positive = np.where(right == (y == 1), 0.5, 0.0) + 0.5 * rng.random(n)
    return y, np.stack([1 - positive, positive], axis=1), np.arange(n) // 2 % 5


def test_every_draw_is_one_that_scikit_learn_scores_alike() -> None:
    """The bounds are the percentiles of scikit-learn's scores over the same draws."""
    y, probabilities, folds = planted(40, 0.75, seed=1)
    scores = bootstrap_scores(y, probabilities, folds, n_draws=60, seed=3)
    decided = probabilities.argmax(axis=1)
    rows = resampled_rows(folds * 2 + y, 60, 3)
    draws = {
        "accuracy": [accuracy_score(y[r], decided[r]) for r in rows],
        "kappa": [cohen_kappa_score(y[r], decided[r]) for r in rows],
        "nmcc": [(matthews_corrcoef(y[r], decided[r]) + 1) / 2 for r in rows],
        "roc_auc": [
            np.mean(
                [roc_auc_score(y[r[folds == k]], probabilities[r[folds == k], 1]) for k in range(5)]
            )
            for r in rows
        ],
    }
    for name, values in draws.items():
        low, high = np.percentile(values, [2.5, 97.5])
        assert (scores[name].low, scores[name].high) == pytest.approx((low, high), abs=1e-12)
        assert scores[name].low <= scores[name].mean <= scores[name].high


def test_draws_stay_within_fold_and_class() -> None:
    """Each fold keeps its number of trials of each class in every draw."""
    strata = np.random.default_rng(0).integers(6, size=50)
    rows = resampled_rows(strata, 20, seed=1)
    for row in rows:
        np.testing.assert_array_equal(strata[row], strata)
    assert len({tuple(row) for row in rows}) == 20


@pytest.mark.parametrize("skill", [0.5, 0.7, 0.85])
def test_the_bootstrap_covers_a_planted_accuracy(skill: float) -> None:
    """Of 120 sessions of 60 trials nine in ten or more hold the truth (nominal 95 %)."""
    covered = {"accuracy": 0, "nmcc": 0}
    for seed in range(120):
        y, probabilities, folds = planted(60, skill, seed)
        scores = bootstrap_scores(y, probabilities, folds, n_draws=300, seed=seed)
        # Both classes are right equally often: Matthews' correlation is 2 p - 1, and nMCC is p.
        for name in covered:
            covered[name] += scores[name].low <= skill <= scores[name].high
    assert min(covered.values()) >= 108


def test_a_perfect_score_keeps_an_interval() -> None:
    """Where drawing anew leaves none, kappa's bounds stand in."""
    y, probabilities, folds = planted(40, 1.0, seed=0)
    decided = probabilities.argmax(axis=1)
    drawn = bootstrap_scores(y, probabilities, folds)["nmcc"]
    assert drawn == Score(1.0, 1.0, 1.0)
    score = nmcc_score(y, decided, 2, drawn)
    assert 0.9 < score.low < 0.97
    assert score.mean == score.high == 1.0
