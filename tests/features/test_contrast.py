"""Contrasts against a regression, scipy's tests, and what chance really does."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from statsmodels.stats.multitest import fdrcorrection

from bci.errors import SettingsError, TrialError
from bci.features.contrast import chance_r2, cluster_test, cohen_d, contrast, signed_r2


def trials(seed: int, n_classes: int = 2, n_trials: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return features of 4 channels x 5 frequencies that differ by class, and the classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_trials) % n_classes
    effect = rng.standard_normal((n_classes, 4, 5))
    return 0.7 * effect[y] + rng.standard_normal((n_trials, 4, 5)), y


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_r2_is_that_of_a_regression_on_the_class(n_classes):
    """Ordinary least squares on indicators of the classes explains the same share of variance."""
    features, y = trials(0, n_classes)
    found = signed_r2(features, y)
    indicators = sm.add_constant(np.eye(n_classes)[y][:, 1:])
    for index in np.ndindex(4, 5):
        fitted = sm.OLS(features[(slice(None), *index)], indicators).fit()
        assert_allclose(abs(found[index]), fitted.rsquared, rtol=1e-10)
        if n_classes == 2:
            assert np.sign(found[index]) == np.sign(fitted.params[1])


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_r2_does_not_see_units_and_changes_sign_with_the_classes(seed, scale, shift):
    """R2 is the same after a change of unit and zero, and opposite when classes change places."""
    features, y = trials(seed)
    found = signed_r2(features, y)
    assert_allclose(signed_r2(scale * features + shift, y), found, atol=1e-6)
    assert_allclose(signed_r2(features, 1 - y), -found, atol=1e-12)
    assert np.all(np.abs(found) <= 1 + 1e-12)


def test_cohens_d_is_students_t_in_other_units():
    """With equal variances t = d / sqrt(1/n1 + 1/n2), whatever the numbers of trials."""
    features, y = trials(1, n_trials=31)
    t = stats.ttest_ind(features[y == 1], features[y == 0]).statistic
    n = np.bincount(y)
    assert_allclose(cohen_d(features, y), t * np.sqrt(1 / n[0] + 1 / n[1]), rtol=1e-10)


@pytest.mark.parametrize("test", ["t", "wilcoxon"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_p_values_are_scipys_one_by_one_and_fdr_is_benjamini_and_hochbergs(test, n_classes):
    """Each feature is tested as scipy tests it alone; statsmodels corrects alike."""
    features, y = trials(2, n_classes)
    found = contrast(features, y, test, n_shuffles=20)
    for index in np.ndindex(4, 5):
        parts = [features[(y == k, *index)] for k in range(n_classes)]
        if n_classes == 2:
            alone = (
                stats.mannwhitneyu(*parts)
                if test == "wilcoxon"
                else stats.ttest_ind(*parts, equal_var=False)
            )
        else:
            alone = (stats.kruskal if test == "wilcoxon" else stats.f_oneway)(*parts)
        assert_allclose(found.p[index], alone.pvalue, rtol=1e-8)
    rejected, _ = fdrcorrection(found.p.ravel(), 0.05)
    assert_array_equal(found.significant.ravel(), rejected)


@pytest.mark.parametrize(("n_trials", "n_classes"), [(20, 2), (45, 2), (45, 3)])
def test_one_feature_of_noise_exceeds_its_chance_level_once_in_twenty_times(n_trials, n_classes):
    """The exact distribution agrees with 20,000 features of noise."""
    noise = np.random.default_rng(3).standard_normal((n_trials, 20000))
    y = np.arange(n_trials) % n_classes
    share = np.mean(np.abs(signed_r2(noise, y)) > chance_r2(n_trials, n_classes))
    assert share == pytest.approx(0.05, abs=0.006)


def test_the_largest_of_correlated_noise_exceeds_its_chance_level_once_in_twenty_times():
    """Shuffled classes know that neighbours are alike; and p_largest is uniform."""
    rng = np.random.default_rng(4)
    y = np.arange(30) % 2
    over, p = [], []
    for seed in range(200):
        noise = rng.standard_normal((30, 60)).cumsum(axis=1)
        found = contrast(noise, y, "t", n_shuffles=99, seed=seed)
        over.append(np.abs(found.r2).max() > found.chance_largest_r2)
        p.append(found.p_largest)
    assert 0.01 <= np.mean(over) <= 0.1
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_feature_that_does_not_vary_says_nothing_and_disturbs_no_other(n_classes):
    """A dead channel has R2 and d zero and p one; the others are as without it."""
    features, y = trials(5, n_classes)
    dead = features.copy()
    dead[:, 2] = 3.0
    for test in ("t", "wilcoxon"):
        found, alone = (contrast(f, y, test, n_shuffles=20) for f in (dead, features))
        assert not found.r2[2].any()
        assert_array_equal(found.p[2], 1.0)
        assert_allclose(np.delete(found.p, 2, 0), np.delete(alone.p, 2, 0))


def planted(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise of 6 channels x 12 frequencies with opposite effects at channels 1 and 2."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((40, 6, 12))
    y = np.arange(40) % 2
    features[y == 1, 1, 3:7] += 1.5
    features[y == 1, 2, 3:7] -= 1.5
    return features, y


CHAIN = [[1], [0, 2], [1, 3], [2, 4], [3, 5], [4]]


def test_clusters_are_found_where_they_were_planted_and_keep_their_signs_apart():
    """Two neighbours with opposite effects are two clusters, none of both signs."""
    found = cluster_test(*planted(6), CHAIN, n_shuffles=200)
    assert (found.p[:2] < 0.05).all()
    for cluster in found.clusters:
        assert len(np.unique(np.sign(found.statistic[cluster]))) == 1
    where = found.significant()
    assert where[1, 3:7].mean() > 0.7
    assert where[2, 3:7].mean() > 0.7
    assert where.sum() <= 12


def test_a_cluster_reaches_over_neighbours_only():
    """The same effect at two channels is one cluster where they touch, and two where not."""
    features, y = planted(7)
    features[y == 1, 2, 3:7] += 3.0
    joined = cluster_test(features, y, CHAIN, n_shuffles=100)
    apart = cluster_test(features, y, [[] for _ in CHAIN], n_shuffles=100)
    assert joined.clusters[0][1].any()
    assert joined.clusters[0][2].any()
    assert all(cluster.any(axis=1).sum() == 1 for cluster in apart.clusters)


def test_three_classes_are_clustered_by_f_and_noise_makes_no_cluster_too_often():
    """F is what scipy has; of 40 maps of noise about two have a significant cluster."""
    features, y = trials(8, 3)
    chain = [[1], [0, 2], [1, 3], [2]]
    found = cluster_test(features, y, chain, n_shuffles=100)
    parts = [features[y == k] for k in range(3)]
    assert_allclose(found.statistic, stats.f_oneway(*parts).statistic, rtol=1e-8)
    rng = np.random.default_rng(9)
    false = sum(
        cluster_test(rng.standard_normal((30, 4, 8)), y, chain, n_shuffles=100).significant().any()
        for _ in range(40)
    )
    assert false <= 6


def test_what_cannot_be_contrasted_is_refused_in_one_line():
    """An unknown test, one class, a class of one trial, d of three classes."""
    features, y = trials(10)
    with pytest.raises(SettingsError, match=r"choose one of t, wilcoxon"):
        contrast(features, y, "anova")
    with pytest.raises(TrialError, match=r"two classes or more"):
        contrast(features, np.zeros_like(y))
    with pytest.raises(TrialError, match=r"class number 2 has 1 trials"):
        contrast(features[:3], np.array([0, 0, 1]))
    with pytest.raises(TrialError, match=r"compares two classes"):
        cohen_d(features, np.arange(30) % 3)
