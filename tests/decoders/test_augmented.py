"""The decoders of augmented covariances: acm-mdm, acm-fgmdm, bt-acm."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pyriemann.classification import MDM, FgMDM
from pyriemann.estimation import Covariances
from sklearn.pipeline import make_pipeline

from bci.decoders import View, make_decoder
from bci.errors import SettingsError
from bci.riemann import (
    autocovariances,
    reflection_coefficients,
    riemannian_mean,
    siegel_frame,
    siegel_mean,
    siegel_squared_distances,
    squared_distances,
    whitening,
)

ORDER, LAG = 3, 2


def stacked(X, order, lag):
    """Return the augmented windows, stacked explicitly."""
    kept = X.shape[2] - (order - 1) * lag
    return np.concatenate([X[..., i * lag : i * lag + kept] for i in range(order)], axis=1)


@pytest.fixture(scope="module")
def rhythms():
    """Return two sets of trials whose classes differ in the pitch of a rhythm only.

    Three channels of noise and a rhythm of equal power, 10 or 17 cycles a window of 100 samples:
    covariances without delays are the same, those with delays are not.
    """
    rng = np.random.default_rng(5)

    def make(n):
        y = np.arange(n) % 2
        t = np.arange(100) / 100
        phase = rng.uniform(0, 2 * np.pi, (n, 1))
        rhythm = np.sqrt(2) * np.sin(2 * np.pi * np.where(y, 17, 10)[:, None] * t + phase)
        X = rng.standard_normal((n, 3, 100))
        X[:, 0] += rhythm
        return 1e-5 * (np.array([[1.0, 0.4, 0.1], [0.3, 1.0, 0.2], [0.2, 0.5, 1.0]]) @ X), y

    return make(80), make(200)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("acm-mdm", {}),
        ("acm-fgmdm", {}),
        ("bt-acm", {"classifier": "mdm"}),
        ("bt-acm", {"classifier": "lr"}),
        ("bt-acm", {"classifier": "svm"}),
    ],
)
def test_hears_what_only_delays_tell(rhythms, name, params):
    """Order 1 decodes classes of one power and two pitches at chance, order 3 nearly all."""
    (X, y), (unseen, truth) = rhythms
    plain = make_decoder(name, order=1, lag=LAG, **params).fit(X, y).score(unseen, truth)
    assert abs(plain - 0.5) < 0.13
    assert make_decoder(name, order=3, lag=LAG, **params).fit(X, y).score(unseen, truth) > 0.95


@pytest.mark.parametrize(("name", "peer"), [("acm-mdm", MDM), ("acm-fgmdm", FgMDM)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_is_the_peer_on_stacked_windows(name, peer, n_classes, make_trials):
    """Probabilities of pyriemann's pipeline on the explicitly augmented signal, to 1e-8."""
    X, y = make_trials(n_classes=n_classes, n_channels=4)
    X = 1e5 * X
    unseen = 1e5 * make_trials(n_classes=n_classes, n_channels=4, seed=1)[0]
    theirs = make_pipeline(Covariances("oas"), peer()).fit(stacked(X, ORDER, LAG), y)
    ours = make_decoder(name, order=ORDER, lag=LAG).fit(X, y)
    assert_allclose(
        ours.predict_proba(unseen),
        theirs.predict_proba(stacked(unseen, ORDER, LAG)),
        atol=1e-8 if name == "acm-mdm" else 1e-6,
    )
    assert ours.views == (View(None, ORDER, LAG),)


@pytest.mark.parametrize(("name", "plain"), [("acm-mdm", "mdm"), ("acm-fgmdm", "fgmdm")])
def test_at_order_one_is_the_plain_decoder(name, plain, make_trials):
    """To the last bit, whatever the lag."""
    X, y = make_trials(n_classes=3)
    expected = make_decoder(plain).fit(X, y).predict_proba(X)
    assert_array_equal(make_decoder(name, order=1, lag=7).fit(X, y).predict_proba(X), expected)


@pytest.mark.parametrize(("classifier", "plain"), [("mdm", "mdm"), ("lr", "ts-lr")])
def test_block_toeplitz_at_order_one_is_the_plain_decoder(classifier, plain, make_trials):
    """No Siegel disk is left: plain distances and plain tangent space."""
    X, y = make_trials()
    ours = make_decoder("bt-acm", classifier=classifier, order=1).fit(X, y)
    expected = make_decoder(plain).fit(X, y).predict_proba(X)
    assert_allclose(ours.predict_proba(X), expected, atol=1e-9)


def test_block_toeplitz_distances_are_those_of_the_product(make_trials):
    """Softmax of order * SPD + sum (order - l) * Siegel, squared, from the parts."""
    X, y = make_trials(n_classes=3)
    decoder = make_decoder("bt-acm", classifier="mdm", order=ORDER, lag=LAG).fit(X, y)
    R = autocovariances(X, ORDER, LAG)
    omega = reflection_coefficients(R)
    squares = []
    for name in decoder.classes_:
        members = y == name
        total = ORDER * squared_distances(R[:, 0], whitening(riemannian_mean(R[members, 0])))
        for part in range(ORDER - 1):
            frame = siegel_frame(siegel_mean(omega[members, part]))
            total = total + (ORDER - 1 - part) * siegel_squared_distances(omega[:, part], frame)
        squares.append(total)
    weights = np.exp(np.min(squares, axis=0) - squares)
    assert_allclose(decoder.predict_proba(X), (weights / weights.sum(axis=0)).T, atol=1e-9)


def test_block_toeplitz_tangent_vectors_have_the_length_of_the_metric(make_trials):
    """Squared lengths are squared distances to the mean; the vectors' mean is zero."""
    X, y = make_trials()
    decoder = make_decoder("bt-acm", order=ORDER, lag=LAG).fit(X, y)
    vectors = decoder.tangent_vectors(X)
    assert vectors.shape == (len(X), 6 * 7 // 2 + 2 * 36)
    assert_allclose(vectors.mean(axis=0), 0.0, atol=1e-7)
    R = autocovariances(X, ORDER, LAG)
    omega = reflection_coefficients(R)
    lengths = ORDER * squared_distances(R[:, 0], decoder.whitenings_[0])
    for part in range(ORDER - 1):
        frame = decoder.frames_[0, part]
        lengths += (ORDER - 1 - part) * siegel_squared_distances(omega[:, part], frame)
    assert_allclose(np.sum(vectors**2, axis=1), lengths, rtol=1e-10)


@pytest.mark.parametrize("classifier", ["mdm", "lr", "svm"])
def test_block_toeplitz_keeps_the_contract_at_high_orders(classifier, make_trials):
    """Singular windows at order 5, three classes: finite, and alone as in company."""
    X, y = make_trials(n_classes=3, n_per_class=6, referenced=True)
    X = np.concatenate([X, X[:, :1]], axis=1)
    for covariance in ("oas", "lwf", "scm"):
        decoder = make_decoder(
            "bt-acm", classifier=classifier, order=5, lag=1, covariance=covariance
        ).fit(X, y)
        together = decoder.predict_proba(X)
        assert np.isfinite(together).all()
        assert_array_equal(decoder.predict_proba(X[3:4])[0], together[3])


@pytest.mark.parametrize(
    ("name", "params", "complaint"),
    [
        ("acm-mdm", {"order": 0}, "order 0"),
        ("acm-fgmdm", {"lag": 1.5}, "lag 1.5"),
        ("bt-acm", {"order": 2.0}, "order 2.0"),
        ("bt-acm", {"classifier": "lda"}, "classifier 'lda'"),
        ("bt-acm", {"order": 50, "lag": 9}, "order 50 with lag 9"),
    ],
)
def test_says_what_is_wrong(name, params, complaint, make_trials):
    """A SettingsError that names the parameter."""
    X, y = make_trials(n_per_class=4)
    with pytest.raises(SettingsError, match=complaint):
        make_decoder(name, **params).fit(X, y)
