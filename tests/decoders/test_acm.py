"""The augmented covariance method: what its order sees, and how order and lag are searched."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from bci.decoders import ACMDecoder, make_decoder
from bci.decoders.acm import one_standard_error_choice
from bci.errors import SettingsError


def rhythms(seed, n_per_class=25, n_times=200):
    """Two classes of equal covariance: they differ in frequency only."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["slow", "fast"], n_per_class)
    t = np.arange(n_times)
    frequency = np.where(y == "slow", 0.05, 0.07)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (len(y), 3, 1))
    return np.sin(2 * np.pi * frequency * t + phase) + rng.standard_normal((len(y), 3, n_times)), y


class TestOrder:
    """What an order above 1 adds."""

    @pytest.mark.parametrize("name", ["acm-lr", "acm-svm"])
    def test_delays_see_what_plain_covariances_cannot(self, name):
        """Classes that differ in rhythm only: chance at order 1, decoded at order 3."""
        (X, y), (unseen, truth) = rhythms(0), rhythms(1)
        plain = make_decoder(name, order=1).fit(X, y).score(unseen, truth)
        augmented = make_decoder(name, order=3, lag=4).fit(X, y).score(unseen, truth)
        assert plain < 0.7
        assert augmented > 0.8

    def test_order_one_is_plain_tangent_space(self, make_trials):
        """acm-lr at order 1 and ts-lr give the same bits, as do the machines."""
        X, y = make_trials()
        for ours, plain in (("acm-lr", "ts-lr"), ("acm-svm", "ts-svm")):
            expected = make_decoder(plain).fit(X, y).predict_proba(X)
            assert_array_equal(
                make_decoder(ours, order=1, lag=9).fit(X, y).predict_proba(X), expected
            )

    def test_windows_too_short_for_the_order_are_refused(self, make_trials):
        """(order - 1) * lag beyond the window: a SettingsError that says what to change."""
        X, y = make_trials(n_times=40)
        with pytest.raises(SettingsError, match="lower the order or the lag"):
            make_decoder("acm-lr", order=9, lag=5).fit(X, y)


class TestSearch:
    """Order and lag chosen within fit."""

    def test_finds_that_delays_matter(self):
        """Classes of rhythm: an order above 1 is chosen, and the scores are kept."""
        X, y = rhythms(2)
        decoder = make_decoder("acm-svm", order="search").fit(X, y)
        assert decoder.order_ > 1
        assert decoder.search_scores_.shape == (7, 5)
        chosen = (decoder.search_orders_ == decoder.order_) & (decoder.search_lags_ == decoder.lag_)
        assert decoder.search_scores_[chosen].mean() > decoder.search_scores_[0].mean()

    def test_falls_back_to_plain_tangent_space(self, make_trials):
        """Classes that channel power tells apart perfectly: order 1 stands."""
        X, y = make_trials(n_classes=2, effect=0.3)
        assert make_decoder("acm-svm", order="search").fit(X, y).order_ == 1

    @pytest.mark.parametrize("name", ["acm-lr", "acm-svm"])
    def test_searches_three_classes_in_windows(self, name, make_trials):
        """Three classes, three windows a trial: searched by the trials' accuracy."""
        X, y = make_trials(n_per_class=6, n_classes=3, n_times=160)
        windows = np.concatenate([X[:, :, s : s + 100] for s in (0, 30, 60)])
        decoder = make_decoder(name, order="search", orders=(1, 2), lags=(2,), n_folds=3)
        decoder.fit(windows, np.tile(y, 3), groups=np.tile(np.arange(len(y)), 3))
        assert decoder.search_scores_.shape == (2, 3)
        assert ((decoder.search_scores_ >= 0) & (decoder.search_scores_ <= 1)).all()

    def test_pairs_that_do_not_fit_are_left_out(self, make_trials):
        """Order 1 always takes part; no pair eats half the window or grows too large."""
        X, y = make_trials(n_times=30)
        decoder = ACMDecoder(order="search", orders=(2, 3), lags=(2, 10), max_rows=12).fit(X, y)
        pairs = list(zip(decoder.search_orders_, decoder.search_lags_, strict=True))
        assert pairs == [(1, 1), (2, 2), (2, 10)]

    def test_clones_with_its_grid(self):
        """The grid is a parameter like any other."""
        decoder = make_decoder("acm-svm", orders=(1, 4), lags=(3,))
        assert clone(decoder).get_params()["orders"] == (1, 4)

    def test_another_word_than_search_is_refused(self, make_trials):
        """order="best": a SettingsError that names the word."""
        X, y = make_trials(n_per_class=4)
        with pytest.raises(SettingsError, match="order 'best': give a whole number, or search"):
            make_decoder("acm-svm", order="best").fit(X, y)


class TestOneStandardError:
    """The rule that chooses."""

    def test_a_small_lead_does_not_count(self):
        """A higher order ahead by less than a standard error loses to order 1."""
        scores = np.array([[0.7, 0.8, 0.6, 0.9], [0.8, 0.7, 0.7, 0.9]])
        assert one_standard_error_choice(np.array([1, 2]), scores) == 0

    def test_a_steady_lead_counts(self):
        """A higher order ahead in every fold wins."""
        scores = np.array([[0.7, 0.8, 0.6, 0.9], [0.6, 0.7, 0.6, 0.8], [0.8, 0.9, 0.7, 1.0]])
        assert one_standard_error_choice(np.array([1, 2, 2]), scores) == 2

    def test_within_an_order_the_best_lag_stands(self):
        """Of one order's lags the best, of equals the first."""
        scores = np.array([[0.5, 0.5], [0.8, 0.8], [0.9, 0.9], [0.9, 0.9]])
        assert one_standard_error_choice(np.array([1, 2, 2, 2]), scores) == 2
