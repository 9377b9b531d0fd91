"""What holds for every registered decoder, whichever are installed."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from bci.decoders import available_decoders, make_decoder
from bci.decoders.folds import trial_folds
from bci.errors import ChannelError, InputError, SettingsError, TrialError

#: What the choices of a decoder's parameter are called: the first that its factory has.
PARAMETERS = {
    "covariance": ("oas", "lwf", "scm"),
    "measure": ("plv", "coherence", "abs_imaginary", "wpli"),
    "spatial": ("none", "average"),
    "told": ("label", "reward"),
    "decoders": (("ts-lr", "psd-lda"), ("csp-lda", "psd+fc-lda", "fc-lda")),
}


def choices(factory: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return parameters that a decoder must take."""
    taken = inspect.signature(factory).parameters
    named = next((name for name in PARAMETERS if name in taken), None)
    return [{named: value} for value in PARAMETERS[named]] if named else [{}]


CHOICES = {
    name: choices(entry.factory)
    for name, entry in available_decoders().items()
    if entry.factory is not None
}
NAMES = list(CHOICES)


@pytest.mark.parametrize("name", NAMES)
class TestEveryDecoder:
    """The contract."""

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_fits_and_gives_probabilities(self, name, n_classes, make_trials):
        """Two and three classes: rows of n_classes that sum to 1, in the order of classes_."""
        X, y = make_trials(n_classes=n_classes)
        decoder = make_decoder(name)
        assert decoder.fit(X, y) is decoder
        assert_array_equal(decoder.classes_, np.unique(y))
        probabilities = decoder.predict_proba(X)
        assert probabilities.shape == (len(X), n_classes)
        assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
        assert (probabilities >= 0).all()
        best = decoder.classes_[probabilities.argmax(axis=1)]
        assert_array_equal(decoder.predict(X), best)

    def test_learns(self, name, make_trials):
        """Trained on some trials of a clear effect, in power and coupling, it decodes others."""
        X, y = make_trials(seed=1, coupled=True)
        unseen, truth = make_trials(seed=2, coupled=True)
        assert make_decoder(name).fit(X, y).score(unseen, truth) > 0.85

    def test_labels_without_meaning_are_decoded_at_chance(self, name, make_trials):
        """Random labels, halves held out: 400 trials of eight sessions at 50 %, give or take 10."""
        hits = []
        for seed in range(8):
            X, y = make_trials(seed=seed, n_per_class=25, effect=1.0)
            trials = np.unique(y, return_inverse=True)[1]
            for train, test in trial_folds(trials, np.arange(len(y)), 2, seed):
                decoder = make_decoder(name).fit(X[train], y[train])
                hits.extend(decoder.predict(X[test]) == y[test])
        assert len(hits) == 400
        assert abs(np.mean(hits) - 0.5) < 0.1

    def test_clones_without_what_it_learned(self, name, make_trials):
        """A clone has the same parameters and no fitted attributes; set_params takes effect."""
        X, y = make_trials(n_per_class=6)
        decoder = make_decoder(name).fit(X, y)
        copy = clone(decoder)
        assert copy.get_params() == decoder.get_params()
        assert not [key for key in vars(copy) if key.endswith("_")]
        parameter, value = next(iter(copy.get_params().items()))
        assert copy.set_params(**{parameter: "other"}).get_params() == (
            decoder.get_params() | {parameter: "other"}
        )
        assert decoder.get_params()[parameter] == value

    def test_fits_the_same_twice(self, name, make_trials):
        """Refitting gives the same bits."""
        X, y = make_trials(n_per_class=8)
        first = make_decoder(name).fit(X, y).predict_proba(X)
        assert_array_equal(make_decoder(name).fit(X, y).predict_proba(X), first)

    def test_one_window_gives_the_same_bits_as_many(self, name, make_trials):
        """As online, one window at a time, so offline; read-only and strided windows too."""
        X, y = make_trials(n_classes=3)
        decoder = make_decoder(name).fit(X, y)
        together = decoder.predict_proba(X)
        time_major = np.ascontiguousarray(X.transpose(0, 2, 1))
        time_major.flags.writeable = False
        for i in range(0, len(X), 7):
            alone = decoder.predict_proba(time_major[i : i + 1].transpose(0, 2, 1))
            assert_array_equal(alone[0], together[i])

    def test_does_not_depend_on_the_order_of_channels(self, name, make_trials):
        """Channels in another order at training and at use: the same probabilities."""
        X, y = make_trials()
        order = np.random.default_rng(4).permutation(X.shape[1])
        plain = make_decoder(name).fit(X, y).predict_proba(X)
        permuted = make_decoder(name).fit(X[:, order], y).predict_proba(X[:, order])
        assert_allclose(permuted, plain, atol=1e-5)

    def test_does_not_depend_on_scale(self, name, make_trials):
        """Microvolts or volts, at training and at use: the same probabilities."""
        X, y = make_trials()
        volts = make_decoder(name).fit(X, y).predict_proba(X)
        assert_allclose(make_decoder(name).fit(1e6 * X, y).predict_proba(1e6 * X), volts, atol=1e-5)

    def test_survives_few_trials_of_singular_data(self, name, make_trials):
        """Six trials a class, average reference, a doubled channel: finite probabilities."""
        X, y = make_trials(n_per_class=6, referenced=True)
        X = np.concatenate([X, X[:, :1]], axis=1)
        for given in CHOICES[name]:
            decoder = make_decoder(name, **given).fit(X, y)
            assert np.isfinite(decoder.predict_proba(X)).all()

    def test_fits_two_trials_a_class(self, name, make_trials):
        """The smallest training set there is."""
        X, y = make_trials(n_per_class=2)
        assert np.isfinite(make_decoder(name).fit(X, y).predict_proba(X)).all()

    def test_takes_windows_grouped_by_trial(self, name, make_trials):
        """Three windows a trial, labels of numbers: groups are accepted."""
        X, y = make_trials(n_per_class=8, n_times=180)
        windows = np.concatenate([X[:, :, s : s + 120] for s in (0, 30, 60)])
        labels = np.tile((y == "left_hand").astype(int), 3)
        decoder = make_decoder(name).fit(windows, labels, groups=np.tile(np.arange(len(y)), 3))
        assert decoder.predict_proba(windows).shape == (48, 2)
        assert decoder.predict_proba(windows[:0]).shape == (0, 2)

    def test_says_why_it_cannot_fit(self, name, make_trials):
        """One class, one trial, NaN, labels or groups that do not fit: TrialError, one line."""
        X, y = make_trials(n_per_class=6)
        damaged = X.copy()
        damaged[3, 2, 5] = np.nan
        one = np.where(np.arange(len(y)) == 0, "left_hand", "right_hand")
        cases = [
            (X, np.full(len(y), "feet"), None, "all 12 windows are of class feet"),
            (X, one, None, "class left_hand has 1 trial"),
            (damaged, y, None, "window 3 .* channel 2 .*1 of 12"),
            (X, y[:-1], None, "12 windows, but labels of shape"),
            (X, y, np.zeros(len(y)), "windows of two classes"),
            (X[0], y, None, "n_windows, n_channels, n_times"),
        ]
        for windows, labels, groups, message in cases:
            with pytest.raises(TrialError, match=message) as raised:
                make_decoder(name).fit(windows, labels, groups=groups)
            assert "\n" not in str(raised.value)

    def test_says_why_it_cannot_decide(self, name, make_trials):
        """Windows of other channels, and windows with NaN: an InputError."""
        X, y = make_trials(n_per_class=6)
        decoder = make_decoder(name).fit(X, y)
        with pytest.raises(ChannelError, match="6 channels"):
            decoder.predict_proba(X[:, :5])
        with pytest.raises(TrialError, match="not numbers"):
            decoder.predict_proba(np.full_like(X[:1], np.nan))

    def test_wrong_parameters_are_named(self, name, make_trials):
        """A name that stands for nothing, such as an unknown estimator: a SettingsError."""
        X, y = make_trials(n_per_class=6)
        assert issubclass(SettingsError, InputError)
        wrong = dict.fromkeys(CHOICES[name][-1], "mcd")
        with pytest.raises(SettingsError, match="'mcd'"):
            make_decoder(name, **wrong).fit(X, y)
