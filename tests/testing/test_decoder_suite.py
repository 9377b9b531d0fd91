"""The suite for decoders: ours pass, and each check catches what it is there for."""
# ruff: noqa: D102 (what a mutant's methods do is the protocol's)

import threading
import time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bci.decoders import Decoder, available_decoders
from bci.errors import TrialError
from bci.testing import DECODER_CHECKS, ConformanceError, DecoderCase, DecoderSuite, check_decoder

OURS = [
    name
    for name, entry in available_decoders().items()
    if entry.factory is not None and entry.factory.__module__.startswith("bci.")
]


@pytest.mark.parametrize("name", OURS)
def test_our_decoders_keep_the_contract(name):
    """Every decoder of ours that discovery finds."""
    assert check_decoder(name) == tuple(DECODER_CHECKS)


class Right(Decoder):
    """Log-variances and linear discriminant analysis; mutants are made of it."""

    def __init__(self, ridge=1e-3):
        self.ridge = ridge

    def features(self, X):
        return np.log(X.var(axis=2) + 1e-30)

    def _fit(self, X, target, trials):
        self.lda_ = LinearDiscriminantAnalysis().fit(self.features(X), target)

    def _probabilities(self, X):
        return self.lda_.predict_proba(self.features(X))


class ChangesParameters(Right):
    """Changes a parameter as it takes it."""

    def __init__(self, ridge=1e-3):
        self.ridge = 2 * ridge


class SumsToMore(Right):
    """Gives scores, not probabilities."""

    def _probabilities(self, X):
        return 2 * super()._probabilities(X)


class OtherOrder(Right):
    """Sorts its classes backwards."""

    def fit(self, X, y, groups=None):
        super().fit(X, y, groups)
        self.classes_ = self.classes_[::-1]
        return self


class TakesNaN(Right):
    """Fills in what is no number."""

    def predict_proba(self, X):
        return super().predict_proba(np.nan_to_num(X))


class SaysTooMuch(Right):
    """Explains itself in several lines."""

    def predict_proba(self, X):
        try:
            return super().predict_proba(X)
        except TrialError as error:
            raise ValueError(f"{error}\nSee the documentation.\n") from error


class WithoutGroups(ClassifierMixin, BaseEstimator):
    """An ordinary classifier: it knows nothing of trials."""

    def fit(self, X, y):
        return self


class WritesIntoWindows(Right):
    """Centres the windows in place."""

    def predict_proba(self, X):
        X -= X.mean(axis=2, keepdims=True)
        return super().predict_proba(X)


class DrawsGlobally(Right):
    """Draws from NumPy's global generator."""

    def _fit(self, X, target, trials):
        super()._fit(X + 1e-6 * np.random.standard_normal(X.shape), target, trials)  # noqa: NPY002


class DrawsUnseeded(Right):
    """Draws from a generator that is another each time."""

    def _fit(self, X, target, trials):
        noise = np.random.default_rng().standard_normal(X.shape)
        super()._fit(X + 1e-6 * noise, target, trials)


class StartsWarm(Right):
    """Starts a fit from the last."""

    def _fit(self, X, target, trials):
        start = getattr(self, "start_", 0.0)
        super()._fit(X, target, trials)
        self.start_ = self.features(X).mean() + start

    def _probabilities(self, X):
        p = super()._probabilities(X) * [1 + 1e-6 * abs(self.start_), 1]
        return p / p.sum(axis=1, keepdims=True)


class RemembersAll(Right):
    """Leaks: what any of its kind was ever fitted on, it knows the labels of."""

    seen = {}  # noqa: RUF012

    def _fit(self, X, target, trials):
        super()._fit(X, target, trials)
        self.seen.update({x.tobytes(): k for x, k in zip(X, target, strict=True)})

    def _probabilities(self, X):
        p = super()._probabilities(X)
        for row, x in zip(p, X, strict=True):
            if x.tobytes() in self.seen:
                row[:] = np.eye(len(row))[self.seen[x.tobytes()]]
        return p


class AdaptsInSecret(Right):
    """Follows the mean of the windows that it decides on."""

    def _fit(self, X, target, trials):
        self.mean_ = 0.0
        super()._fit(X, target, trials)
        self.mean_ = self.features(X).mean(axis=0)
        self.first_ = self.mean_

    def _probabilities(self, X):
        v = self.features(X)
        p = self.lda_.predict_proba(v - self.mean_ + self.first_)
        self.mean_ = 0.9 * self.mean_ + 0.1 * v.mean(axis=0)
        return p


class LooksAtTheBatch(Right):
    """Normalises with the statistics of the call: of the test data."""

    def features(self, X):
        v = super().features(X)
        return v - v.mean(axis=0) if len(v) > 1 else v


class BoundToItsThread(Right):
    """Works only in the thread that fitted it."""

    def _fit(self, X, target, trials):
        super()._fit(X, target, trials)
        self.thread_ = threading.get_ident()

    def _probabilities(self, X):
        if threading.get_ident() != self.thread_:
            raise RuntimeError("wrong thread")
        return super()._probabilities(X)


class HoldsALock(Right):
    """Cannot be copied."""

    def _fit(self, X, target, trials):
        super()._fit(X, target, trials)
        self.lock_ = threading.Lock()


class LearnsNothing(Right):
    """Always says the same."""

    def _probabilities(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class Slow(Right):
    """Takes its time."""

    def _probabilities(self, X):
        time.sleep(0.06)
        return super()._probabilities(X)


MUTANTS = {
    "clones": (ChangesParameters,),
    "gives_probabilities": (SumsToMore, OtherOrder),
    "refuses_what_it_cannot_use": (TakesNaN, SaysTooMuch),
    "takes_windows_of_one_trial": (WithoutGroups,),
    "leaves_data_alone": (WritesIntoWindows,),
    "is_deterministic": (DrawsGlobally, DrawsUnseeded),
    "keeps_nothing_between_fits": (StartsWarm, RemembersAll),
    "decides_without_learning": (AdaptsInSecret,),
    "decides_each_window_by_itself": (LooksAtTheBatch,),
    "decides_in_another_thread": (BoundToItsThread,),
    "can_be_copied": (HoldsALock,),
    "is_saved_whole": (Right,),  # it is not registered
    "learns": (LearnsNothing,),
    "is_at_chance_without_meaning": (RemembersAll,),
    "is_fast_enough": (Slow,),
}


@pytest.mark.parametrize("check", DECODER_CHECKS)
def test_each_check_catches_its_mutants(check):
    """A decoder with one fault fails the check that is there for it, in words."""
    RemembersAll.seen.clear()
    for mutant in MUTANTS[check]:
        with pytest.raises(ConformanceError) as raised:
            DECODER_CHECKS[check](DecoderCase(mutant))
        assert len(str(raised.value)) > 15


@pytest.mark.parametrize("check", [c for c in DECODER_CHECKS if c != "is_saved_whole"])
def test_a_decoder_without_fault_passes(check):
    """What mutants are made of passes; only a name is missing for a model file."""
    DECODER_CHECKS[check](DecoderCase(Right))


def test_everything_that_fails_is_told_at_once():
    """One error names every check that is not kept."""
    RemembersAll.seen.clear()
    with pytest.raises(ConformanceError) as raised:
        check_decoder(RemembersAll)
    lines = str(raised.value).splitlines()
    assert {line.partition(":")[0] for line in lines} >= {
        "keeps_nothing_between_fits",
        "is_at_chance_without_meaning",
        "is_saved_whole",
    }


def test_pytest_sees_one_test_a_check():
    """A subclass that names a decoder has a test for each check, with its sentence."""

    class TestOurs(DecoderSuite):
        name = "csp-lda"

    for check, function in DECODER_CHECKS.items():
        test = getattr(TestOurs, f"test_{check}")
        assert test.__doc__ == function.__doc__
    TestOurs().test_learns()
