"""Supervised recalibration: the rotation, and a fitted decoder for a session that was shifted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from bci.decoders import (
    CovarianceDecoder,
    RecalibratedDecoder,
    available_decoders,
    make_decoder,
)
from bci.decoders.recalibration import rotation
from bci.errors import TrialError
from bci.riemann import riemannian_mean

seeds = st.integers(0, 2**32 - 1)


def symmetric(seed, k, n):
    """Return k symmetric matrices."""
    A = np.random.default_rng(seed).standard_normal((k, n, n))
    return A + A.transpose(0, 2, 1)


def turned(seed, n, angle):
    """Return an orthogonal matrix that turns by about `angle`."""
    A = np.random.default_rng(seed).standard_normal((n, n))
    half = angle * (A - A.T) / np.linalg.norm(A - A.T)
    return np.linalg.solve(np.eye(n) - half, np.eye(n) + half)


def misfit(goal, found, Q):
    """Return what a rotation leaves."""
    return float(((goal - Q @ found @ Q.T) ** 2).sum())


class TestRotation:
    """The orthogonal matrix that aligns class means."""

    @given(seeds, st.integers(2, 4), st.integers(2, 7))
    def test_a_small_rotation_is_found(self, seed, n_classes, n):
        """Class means that were turned a little are turned back."""
        goal = symmetric(seed, n_classes, n)
        Q = turned(seed, n, 0.05)
        found = Q.T @ goal @ Q
        again = rotation(goal, found)
        assert misfit(goal, found, again) < 0.05 * misfit(goal, found, np.eye(n))

    @given(seeds, st.integers(1, 4), st.integers(1, 6), st.floats(0, 10))
    def test_it_never_fits_worse_than_none(self, seed, n_classes, n, stiffness):
        """Orthogonal, and no worse than I, for any two sets of matrices."""
        goal, found = symmetric(seed, n_classes, n), symmetric(seed + 1, n_classes, n)
        Q = rotation(goal, found, stiffness)
        assert_allclose(Q @ Q.T, np.eye(n), atol=1e-10)
        assert misfit(goal, found, Q) <= misfit(goal, found, np.eye(n)) * (1 + 1e-9)

    def test_stiff_means_still(self):
        """A large stiffness leaves everything where it is."""
        goal, found = symmetric(0, 2, 5), symmetric(1, 2, 5)
        assert_allclose(rotation(goal, found, 1e6), np.eye(5), atol=1e-3)


def fitted(name, X, y, **params):
    """Return a fitted decoder and the means of its classes."""
    decoder = make_decoder(name, **params).fit(X, y)
    means = [
        np.stack([riemannian_mean(C[y == k]) for k in decoder.classes_])
        for C in decoder.covariances(X)
    ]
    return decoder, means


NAMES = [
    name
    for name, entry in available_decoders().items()
    if entry.factory is not None  # an extra that is not installed
    and entry.origin == "rolandic"
    and isinstance(make_decoder(name), CovarianceDecoder)
]


@pytest.mark.parametrize("name", NAMES)
def test_a_shifted_session_is_decoded_again(name, make_trials):
    """Any mixing of the channels, five trials a class: other trials decode as before it.

    Every decoder of covariances. The mixing turns what the decoder looks for away: without
    recalibration it is lost.
    """
    X, y = make_trials(n_per_class=30, effect=0.4)
    decoder, means = fitted(name, X, y)
    A = np.eye(6) + 0.5 * np.random.default_rng(4).standard_normal((6, 6))
    few, labels = make_trials(n_per_class=5, seed=1, effect=0.4)
    rest, truth = make_trials(n_per_class=30, seed=2, effect=0.4)
    before = np.mean(decoder.predict(rest) == truth)
    lost = np.mean(decoder.predict(A @ rest) == truth)
    again = RecalibratedDecoder(decoder, means).fit(A @ few, labels)
    assert before > 0.9
    assert lost < 0.75
    assert np.mean(again.predict(A @ rest) == truth) > 0.88


def test_the_same_session_is_left_as_it_is(make_trials):
    """Recalibrated with the very trials of training, nothing moves."""
    X, y = make_trials()
    decoder, means = fitted("acm-lr", X, y, order=2, lag=2)
    for rotate in (False, True):
        again = RecalibratedDecoder(decoder, means, rotate).fit(X, y)
        assert_allclose(again.predict_proba(X), decoder.predict_proba(X), atol=0.01)
    assert_allclose(
        RecalibratedDecoder(decoder, means, rotate=False).fit(X, y).maps_[0], np.eye(12), atol=1e-6
    )


def test_the_decoder_within_is_not_changed(make_trials):
    """What was handed over decides as before; parameters are scikit-learn's to read."""
    X, y = make_trials()
    decoder, means = fitted("ts-lr", X, y)
    before = decoder.predict_proba(X)
    again = RecalibratedDecoder(decoder, means, rotate=False).fit(3.0 * X, y)
    assert_array_equal(decoder.predict_proba(X), before)
    assert again.views == decoder.views
    assert again.get_params(deep=False)["rotate"] is False
    assert clone(again).rotate is False


def test_windows_alone_and_among_others(make_trials):
    """A window's probabilities are the same bits in any company."""
    X, y = make_trials()
    decoder, means = fitted("ts-lr", X, y)
    again = RecalibratedDecoder(decoder, means).fit(X, y)
    assert_array_equal(again.predict_proba(X)[7], again.predict_proba(X[7:8])[0])


def test_every_class_is_needed(make_trials):
    """Trials of two of three classes are refused."""
    X, y = make_trials(n_classes=3)
    decoder, means = fitted("ts-lr", X, y)
    some = y != "feet"
    with pytest.raises(TrialError, match="every class"):
        RecalibratedDecoder(decoder, means).fit(X[some], y[some])
