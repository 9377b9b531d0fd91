"""Activation patterns point at the channels where the classes differ."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bci.decoders import activation_patterns, make_decoder


def two_channels(seed):
    """Channel 1 is quiet for "a", channel 4 for "b"; channel 2 is loud and says nothing."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["a", "b"], 30)
    X = 1e-5 * rng.standard_normal((60, 6, 150))
    X[y == "a", 1] *= 0.5
    X[y == "b", 4] *= 0.5
    X[:, 2] *= 20.0
    return X, y


@pytest.mark.parametrize("name", ["ts-lr", "ts-svm", "acm-lr", "mdm", "fgmdm"])
def test_patterns_of_tangent_decoders_show_power(name):
    """One row a class: less power where the class is quiet, more where the other is."""
    X, y = two_channels(0)
    patterns = activation_patterns(make_decoder(name).fit(X, y), X)
    assert patterns.shape == (2, 6)
    assert patterns[0].argmin() == 1
    assert patterns[0].argmax() == 4
    assert_allclose(patterns[1], -patterns[0], rtol=1e-9)
    assert np.abs(patterns[0, [0, 2, 3, 5]]).max() < 0.25 * np.abs(patterns[0]).max()


def test_patterns_of_spatial_filters_are_their_own():
    """The two best components have their peaks at the two informative channels."""
    X, y = two_channels(1)
    patterns = activation_patterns(make_decoder("csp-lda", n_filters=2).fit(X, y), X)
    assert patterns.shape == (2, 6)
    assert set(np.abs(patterns).argmax(axis=1)) == {1, 4}
