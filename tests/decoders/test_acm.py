"""The augmented covariance method: what its order sees, and how an average takes part."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.svm import SVC

from bci.decoders import make_decoder
from bci.decoders.acm import first_zero
from bci.errors import SettingsError
from bci.riemann import augmented_covariances, riemannian_mean, tangent_vectors, whitening
from bci.sources.labels import SENSORIMOTOR

OTHERS = [f"AF{k}" for k in range(21)]


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

    def test_another_word_than_average_is_refused(self, make_trials):
        """order="best": a SettingsError that names the word."""
        X, y = make_trials(n_per_class=4)
        with pytest.raises(SettingsError, match="order 'best': give a whole number, or average"):
            make_decoder("acm-svm", order="best").fit(X, y)


class TestAverage:
    """Plain and augmented covariances together, nothing chosen by score."""

    def test_sees_rhythms_and_power(self, make_trials):
        """What only delays tell apart is decoded, and what channel power tells apart too."""
        (X, y), (unseen, truth) = rhythms(0), rhythms(1)
        assert make_decoder("acm-svm").fit(X, y).score(unseen, truth) > 0.8
        (X, y), (unseen, truth) = make_trials(seed=1), make_trials(seed=2)
        assert make_decoder("acm-svm").fit(X, y).score(unseen, truth) > 0.85

    def test_is_one_machine_on_the_sum_of_gram_matrices(self):
        """Decisions are those of SVC on the views' Gram matrices, each per order squared."""
        (X, y), (unseen, _) = rhythms(0), rhythms(1)
        decoder = make_decoder("acm-svm").fit(X, y)
        train, test = np.zeros((50, 50)), np.zeros((50, 50))
        for order, lag in zip(decoder.orders_, decoder.lags_, strict=True):
            seen, new = (augmented_covariances(Z, order, lag, "oas") for Z in (X, unseen))
            W = whitening(riemannian_mean(seen))
            vectors = tangent_vectors(seen, W) / order
            centre = vectors.mean(axis=0)
            train += (vectors - centre) @ (vectors - centre).T
            test += (tangent_vectors(new, W) / order - centre) @ (vectors - centre).T
        scale = 144 / np.trace(train)
        machine = SVC(C=1.0, kernel="precomputed").fit(scale * train, y)
        decisions = machine.decision_function(scale * test)
        probabilities = decoder.predict_proba(unseen)[:, 1]
        log_odds = np.log(probabilities / (1 - probabilities))
        assert_allclose(np.corrcoef(decisions, log_odds)[0, 1], 1.0, rtol=1e-5)

    def test_lags_follow_the_signal_not_the_rate(self):
        """A quarter and a half of a rhythm's period, at one rate and at twice the rate."""
        rng = np.random.default_rng(0)
        t = np.arange(400)
        X = 3 * np.sin(2 * np.pi * (t / 16 + rng.uniform(size=(20, 2, 1))))
        X += 0.1 * rng.standard_normal(X.shape)
        decoder = make_decoder("acm-svm").fit(X, np.arange(20) % 2)
        assert [tuple(view) for view in decoder.views] == [(None, 1, 1), (None, 2, 4), (None, 2, 8)]
        twice = np.repeat(X, 2, axis=2)
        assert make_decoder("acm-svm").fit(twice, np.arange(20) % 2).lags_.tolist() == [1, 8, 16]

    def test_short_windows_and_many_channels_still_decode(self, make_trials):
        """A lag never eats more than a quarter of the window; above 50 channels order 1 stands."""
        X, y = make_trials(n_times=12)
        assert make_decoder("acm-svm").fit(X, y).lags_.max() <= 3
        X, y = make_trials(n_channels=51, n_per_class=5)
        assert make_decoder("acm-svm").fit(X, y).orders_.tolist() == [1]

    def test_logistic_regression_averages_too(self):
        """The rule is the decoder's; the average is the same."""
        (X, y), (unseen, truth) = rhythms(0), rhythms(1)
        plain = make_decoder("acm-lr", order=1).fit(X, y).score(unseen, truth)
        averaged = make_decoder("acm-lr", order="average").fit(X, y).score(unseen, truth)
        assert averaged > plain + 0.1


class TestFirstZero:
    """The delay that sets the lags."""

    @pytest.mark.parametrize("period", [8.0, 13.0, 30.0])
    def test_is_a_quarter_of_a_rhythms_period(self, period):
        """Whatever the channels' amplitudes, and with a flat channel beside."""
        phase = np.random.default_rng(0).uniform(size=(50, 3, 1))
        X = np.sin(2 * np.pi * (np.arange(600) / period + phase))
        X *= np.array([1e-6, 1.0, 0.0])[:, None]
        assert first_zero(X) == pytest.approx(period / 4, rel=0.05)


class TestChannels:
    """Which channels take part."""

    def trials(self, make_trials, n_channels):
        """Return windows of many channels."""
        return make_trials(n_channels=n_channels, n_per_class=6)

    def test_the_sensorimotor_ones_of_many(self, make_trials):
        """Half of 42 named channels are sensorimotor: only those count, however spelled."""
        X, y = self.trials(make_trials, 42)
        names = [name for pair in zip(OTHERS, SENSORIMOTOR, strict=True) for name in pair]
        spelled = [f"{name.upper()}." for name in names]
        decoder = make_decoder("acm-svm", channels=spelled).fit(X, y)
        assert decoder.picks_.tolist() == list(range(1, 42, 2))
        assert decoder.views[1].channels == tuple(range(1, 42, 2))
        changed = X.copy()
        changed[:, ::2] = np.random.default_rng(0).standard_normal((len(X), 21, X.shape[2]))
        assert_array_equal(decoder.predict_proba(changed), decoder.predict_proba(X))

    def test_all_where_few_are_sensorimotor_or_most_are(self, make_trials):
        """Seven of 21, twelve of 20, names unknown or not told: all channels."""
        for names in (
            (*SENSORIMOTOR[:7], *OTHERS[:14]),
            (*SENSORIMOTOR[:12], *OTHERS[:8]),
            tuple(f"EEG{k}" for k in range(20)),
        ):
            X, y = self.trials(make_trials, len(names))
            told = make_decoder("acm-svm", channels=names).fit(X, y).predict_proba(X)
            assert_array_equal(told, make_decoder("acm-svm").fit(X, y).predict_proba(X))

    def test_a_given_order_takes_all(self, make_trials):
        """Channels are told to a decoder of one order too, and change nothing."""
        X, y = self.trials(make_trials, 42)
        decoder = make_decoder("acm-svm", order=1, channels=(*SENSORIMOTOR, *OTHERS)).fit(X, y)
        assert [tuple(view) for view in decoder.views] == [(None, 1, 4)]

    def test_names_of_other_windows_are_refused(self, make_trials):
        """Fewer names than channels: a SettingsError with both numbers."""
        X, y = make_trials(n_per_class=4)
        with pytest.raises(SettingsError, match="2 channel names for windows of 6 channels"):
            make_decoder("acm-svm", channels=("C3", "C4")).fit(X, y)

    def test_clones_with_its_names(self):
        """The names are a parameter like any other."""
        assert clone(make_decoder("acm-svm", channels=("C3", "C4"))).channels == ("C3", "C4")
