"""What chance reaches."""

import numpy as np
import pytest
from scipy import stats

from bci.evaluation import chance_level, permutation_p


@pytest.mark.parametrize("counts", [[23, 22], [20, 20], [36] * 4, [70, 30], [5, 5]])
def test_chance_reaches_the_level_at_most_once_in_twenty(counts: list[int]) -> None:
    """The level is the first count that guessing reaches with 5 % or less; one less is not."""
    n = sum(counts)
    level = round(chance_level(counts) * n)
    guess = stats.binom(n, max(counts) / n)
    assert guess.sf(level - 1) <= 0.05 < guess.sf(level - 2)


def test_the_level_of_unbalanced_classes_counts_the_commonest() -> None:
    """Always saying the commonest of 90 : 10 is right in 90 %: that must not pass for skill."""
    assert chance_level([90, 10]) > 0.9
    assert chance_level([50, 50]) == pytest.approx(0.59)


def test_three_trials_never_suffice() -> None:
    """With so few trials that a perfect score is not above chance, the level exceeds 1."""
    assert chance_level([2, 1]) > 1.0
    assert chance_level([2, 2]) > 1.0


def test_permutation_p_counts_the_observed_score_itself() -> None:
    """No p-value is zero: (k + 1) / (n + 1), ties counting against."""
    assert permutation_p(0.9, [0.5] * 99) == pytest.approx(0.01)
    assert permutation_p(0.5, [0.4, 0.5, 0.6]) == pytest.approx(0.75)
    rng = np.random.default_rng(0)
    assert permutation_p(2.0, rng.random(9).tolist()) == pytest.approx(0.1)
