"""Paired comparisons: what differs is found, what does not is not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from bci.errors import TrialError
from bci.evaluation import Protocol, compare, paired_differences, splits, summarised
from bci.evaluation.paired import (
    areas,
    corrected_resampled_t,
    drawn_areas,
    drawn_shares,
    holm,
    shares,
    times_drawn,
)
from bci.evaluation.result import Result
from bci.signal.epochs import Epochs

Make = Callable[..., Epochs]


def planted(epochs: Epochs, name: str, skill: float, seed: int, repeat: int = 0) -> Result:
    """Return the result of a decoder that is right with a known rate, independently by trial."""
    rng = np.random.default_rng([seed, 7])
    y = epochs.trial_y
    right = rng.random(len(y)) < skill
    n = len(epochs.classes)
    decided = np.where(right, y, (y + rng.integers(1, n, len(y))) % n)
    probabilities = rng.dirichlet(np.full(n, 5.0), len(y))
    rows = np.arange(len(y))
    best = probabilities.argmax(axis=1)
    top, there = probabilities[rows, best].copy(), probabilities[rows, decided].copy()
    probabilities[rows, best], probabilities[rows, decided] = there, top
    protocol = Protocol(seed=repeat)
    parts = splits(epochs, protocol)
    return summarised(epochs, name, protocol, parts, [probabilities[p.test] for p in parts])


def test_corrected_t_is_nadeau_and_bengios() -> None:
    """The variance is (1/J + n_test/n_train) s^2; without the second part it is the plain t."""
    d = np.random.default_rng(0).normal(0.02, 0.05, 50)
    t = d.mean() / np.sqrt(d.var(ddof=1) * (1 / 50 + 1 / 4))
    assert corrected_resampled_t(d, 80, 20) == pytest.approx(2 * stats.t.sf(abs(t), 49))
    assert corrected_resampled_t(d, 1e12, 1) == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    assert corrected_resampled_t([0.1], 80, 20) is None
    assert corrected_resampled_t([0.0, 0.0], 80, 20) == 1.0


def test_holm_equals_statsmodels() -> None:
    """Adjusted p-values are those of statsmodels, in the order given."""
    p = np.random.default_rng(1).random(7) ** 3
    assert holm(p.tolist()) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([]) == []


def test_weighted_scores_equal_scikit_learns_on_repeated_trials() -> None:
    """Counting a trial k times is having it k times, ties included."""
    rng = np.random.default_rng(2)
    y = np.arange(30) % 2
    values = np.round(rng.random((5, 30)) + 0.2 * y, 1)
    times = times_drawn(y, 5, rng)
    np.testing.assert_array_equal(times[:, y == 1].sum(axis=1), 15)
    for k in range(5):
        again = np.repeat(np.arange(30), times[k])
        assert drawn_areas(y, values[k], times)[k] == pytest.approx(
            roc_auc_score(y[again], values[k][again])
        )
        assert drawn_shares(y, values[k], times)[k] == pytest.approx(values[k][again].mean())
        assert areas(y, values)[k] == pytest.approx(roc_auc_score(y, values[k]))
    assert shares(y, values) == pytest.approx(values.mean(axis=1))
    assert np.isnan(drawn_areas(y, values[0], times * (y == 1))).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_planted_difference_is_found_and_none_is_not(make_epochs: Make, n_classes: int) -> None:
    """90 % against 60 % of 150 trials differ; 75 % against 75 % seldom do."""
    epochs = make_epochs(150, n_classes=n_classes)
    better = planted(epochs, "better", 0.9, 0)
    worse = planted(epochs, "worse", 0.6, 1)
    found = compare([better], [worse])
    assert found.metric == ("roc_auc" if n_classes == 2 else "accuracy")
    of = (lambda r: r.roc_auc.mean) if n_classes == 2 else (lambda r: r.accuracy.mean)
    assert found.mean == pytest.approx(of(better) - of(worse))
    assert found.low > 0.1
    assert found.low < found.mean < found.high
    assert found.p_permutation < 0.001
    assert found.p_resampled_t is not None
    assert found.p_resampled_t < 0.2  # of five folds only
    back = compare([worse], [better])
    assert back.mean == pytest.approx(-found.mean)
    assert back.p_permutation < 0.001
    ps = [
        compare(
            [planted(epochs, "a", 0.75, 10 + k)], [planted(epochs, "b", 0.75, 100 + k)]
        ).p_permutation
        for k in range(8)
    ]
    assert sum(p < 0.05 for p in ps) <= 2
    assert np.mean(ps) > 0.25


def test_a_decoder_does_not_differ_from_itself(make_epochs: Make) -> None:
    """Nought, with p-values of one."""
    same = planted(make_epochs(40), "a", 0.7, 0)
    found = compare([same], [same])
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert found.p_permutation == found.p_resampled_t == 1.0


def test_repeats_give_more_folds_and_no_more_trials(make_epochs: Make) -> None:
    """Ten repeats of the same decisions narrow no interval over trials."""
    epochs = make_epochs(60)
    a, b = (
        [planted(epochs, name, skill, seed, repeat) for repeat in range(6)]
        for name, skill, seed in (("a", 0.8, 0), ("b", 0.6, 1))
    )
    once, often = compare(a[:1], b[:1]), compare(a, b)
    assert (once.n_folds, often.n_folds) == (5, 30)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.25)


def test_every_pair_of_one_protocol_is_compared_and_adjusted(make_epochs: Make) -> None:
    """Three decoders make three pairs; another protocol's result is not compared with them."""
    epochs = make_epochs(60)
    results = [planted(epochs, name, 0.7, k) for k, name in enumerate("abc")]
    other = replace(results[0], protocol="another")
    found = paired_differences([[result] for result in [*results, other]])
    assert [(d.first, d.second) for d in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {d.n_comparisons for d in found} == {3}
    assert [d.p_holm for d in found] == pytest.approx(holm([d.p_permutation for d in found]))


def test_results_of_different_folds_are_not_compared(make_epochs: Make) -> None:
    """The line names both decoders and what to do."""
    epochs = make_epochs(60)
    a, b = planted(epochs, "a", 0.7, 0, repeat=0), planted(epochs, "b", 0.7, 0, repeat=1)
    with pytest.raises(TrialError, match=r"a \(within.*b \(within.*same protocol and seed"):
        compare([a], [b])
