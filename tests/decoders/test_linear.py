"""Linear rules: calibration, scores and links."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from bci.decoders.folds import trial_folds
from bci.decoders.linear import (
    fit_logistic,
    fit_svm,
    link_probabilities,
    platt,
    scores,
)
from bci.decoders.tangent import TangentDecoder
from bci.errors import SettingsError


def features(seed, n=60, n_features=100, n_classes=2, effect=1.0):
    """Noise with the classes apart along the first features."""
    rng = np.random.default_rng(seed)
    target = np.arange(n) % n_classes
    x = rng.standard_normal((n, n_features))
    x[np.arange(n), target] += effect
    return x, target


def rule_probabilities(rule, x):
    """Apply a rule."""
    return link_probabilities(scores(x, rule.coef, rule.intercept), rule.link)


class TestCalibratedMachine:
    """Support vector machines with honest probabilities."""

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_equals_calibration_by_scikit_learn(self, n_classes):
        """One machine a class on everything, sigmoids from held-out folds: its probabilities."""
        x, target = features(0, n_classes=n_classes, effect=3.0)
        folds = trial_folds(target, np.arange(len(target)), 5, seed=0)
        ours = rule_probabilities(fit_svm(x, target, 1.0, folds), x)
        theirs = np.empty((len(target), n_classes))
        for k in range(n_classes):
            model = CalibratedClassifierCV(SVC(kernel="linear"), ensemble=False, cv=folds)
            theirs[:, k] = model.fit(x, target == k).predict_proba(x)[:, 1]
        assert_allclose(ours, theirs / theirs.sum(axis=1, keepdims=True), atol=1e-4)

    def test_probabilities_of_noise_are_near_the_prior(self):
        """Without class information, unseen rows get probabilities that promise nothing."""
        losses = []
        for seed in range(20):
            x, target = features(seed, effect=0.0)
            unseen, truth = features(1000 + seed, effect=0.0)
            folds = trial_folds(target, np.arange(len(target)), 5, seed)
            p = rule_probabilities(fit_svm(x, target, 1.0, folds), unseen)
            losses.append(-np.log(p[np.arange(len(truth)), truth]).mean())
        assert np.mean(losses) < 0.75  # log(2) = 0.693; sigmoids of the training rows: above 1

    def test_windows_of_a_trial_are_held_out_together(self):
        """Rows that repeat within trials of random labels: no confidence from knowing them."""
        x, target = features(3, n=40, effect=0.0)
        repeated, labels = np.repeat(x, 5, axis=0), np.repeat(target, 5)
        apart = trial_folds(labels, np.arange(200), 5, 0)
        together = trial_folds(labels, np.repeat(np.arange(40), 5), 5, 0)
        sure = rule_probabilities(fit_svm(repeated, labels, 1.0, apart), repeated)
        honest = rule_probabilities(fit_svm(repeated, labels, 1.0, together), repeated)
        assert sure.max(axis=1).mean() > 0.9
        assert honest.max(axis=1).mean() < 0.65


class TestPlatt:
    """The sigmoid."""

    def test_finds_the_sigmoid_that_made_the_labels(self):
        """Many labels drawn from a sigmoid of the decision: slope and offset come back."""
        rng = np.random.default_rng(0)
        decisions = rng.standard_normal(200_000) + 0.5
        slope, offset = platt(decisions, rng.random(200_000) < expit(1.7 * decisions - 0.4))
        assert slope == pytest.approx(1.7, abs=0.03)
        assert offset == pytest.approx(-0.4, abs=0.03)

    def test_never_turns_the_machine_around(self):
        """Decisions against the labels: a slope just above zero, probabilities near the prior."""
        positive = np.arange(40) % 4 == 0
        slope, offset = platt(np.where(positive, -1.0, 1.0) + 0.1 * np.sin(np.arange(40)), positive)
        assert 0 < slope < 0.05
        assert expit(offset) == pytest.approx(0.25, abs=0.03)

    def test_separable_and_constant_decisions_end(self):
        """A perfect split gives a finite slope; decisions without spread give the prior."""
        positive = np.arange(20) < 10
        slope, _ = platt(np.where(positive, 5.0, -5.0), positive)
        assert np.isfinite(slope)
        assert slope > 0
        assert platt(np.zeros(20), np.arange(20) < 5) == (0.0, pytest.approx(np.log(6 / 16)))


class TestScores:
    """Scores, links, settings."""

    def test_logistic_rule_is_that_of_scikit_learn(self):
        """Three classes: the softmax of our scores is predict_proba."""
        x, target = features(2, n_classes=3)
        rule = fit_logistic(x, target, 0.5)
        model = LogisticRegression(C=0.5, max_iter=2000).fit(x, target)
        assert_allclose(rule_probabilities(rule, x), model.predict_proba(x), rtol=1e-10)

    def test_extreme_scores_give_finite_probabilities(self):
        """Scores of a thousand: zeros and ones, rows that sum to 1."""
        for link in ("softmax", "one-vs-rest"):
            for values in (np.array([[1e3], [-1e3]]), np.array([[-1e3, -1e3, -1e3], [1e3, 0, 0]])):
                probabilities = link_probabilities(values, link)
                assert_allclose(probabilities.sum(axis=1), 1.0)

    def test_wrong_settings_are_named(self, make_trials):
        """An unknown rule, a C of zero, folds below two: SettingsError."""
        X, y = make_trials(n_per_class=4)
        for params, message in [
            ({"classifier": "tree"}, "classifier 'tree': choose one of lr, svm"),
            ({"C": 0.0}, "C 0.0"),
            ({"n_folds": 1}, "n_folds 1"),
            ({"order": 0}, "order 0"),
            ({"lag": 1.5}, "lag 1.5"),
        ]:
            with pytest.raises(SettingsError, match=message):
                TangentDecoder(**params).fit(X, y)


class TestFolds:
    """Inner folds."""

    def test_folds_are_stratified_and_keep_trials_whole(self):
        """Each window is tested once, no trial is on both sides, classes spread evenly."""
        trials = np.repeat(np.random.default_rng(0).permutation(23), 3)
        target = (trials >= 10).astype(int)
        folds = trial_folds(target, trials, 5, seed=1)
        assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(69))
        for train, test in folds:
            assert not set(trials[train]) & set(trials[test])
            assert len(train) + len(test) == 69
            assert 2 <= len(set(trials[test][target[test] == 0])) <= 2
            assert 2 <= len(set(trials[test][target[test] == 1])) <= 3

    def test_no_more_folds_than_trials_of_the_smallest_class(self):
        """Three trials of a class: three folds, each tested on one of them."""
        target = np.array([0, 0, 0, 1, 1, 1, 1, 1])
        folds = trial_folds(target, np.arange(8), 5, 0)
        assert [np.count_nonzero(target[test] == 0) for _, test in folds] == [1, 1, 1]

    def test_the_seed_decides(self):
        """Same seed, same folds; another seed, others."""
        target = np.arange(40) % 2
        tests = [trial_folds(target, np.arange(40), 5, seed)[0][1] for seed in (0, 0, 1)]
        assert_array_equal(tests[0], tests[1])
        assert not np.array_equal(tests[0], tests[2])
