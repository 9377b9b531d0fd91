"""The standard decoders against the same pipelines made of pyriemann and scikit-learn parts."""

import warnings

import mne
import numpy as np
import pytest
from numpy.testing import assert_allclose
from pyriemann.classification import MDM, FgMDM
from pyriemann.estimation import Covariances
from pyriemann.spatialfilters import CSP
from pyriemann.tangentspace import TangentSpace
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bci.decoders import make_decoder
from bci.decoders.folds import trial_folds
from bci.signal import CausalFilter, design_bandpass

PEERS = {
    "csp-lda": lambda: make_pipeline(Covariances("oas"), CSP(6), LinearDiscriminantAnalysis()),
    "ts-lr": lambda: make_pipeline(
        Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=2000)
    ),
    "mdm": lambda: make_pipeline(Covariances("oas"), MDM()),
    "fgmdm": lambda: make_pipeline(Covariances("oas"), FgMDM()),
}


@pytest.fixture(scope="module")
def left_right(shared_data):
    """S001's imagined left and right fist: 7-35 Hz causal, 0.5-3.5 s, every third channel."""
    X, y = [], []
    for run in (4, 8, 12):
        path = next(shared_data.rglob(f"S001R{run:02d}.edf"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
        rate = raw.info["sfreq"]
        samples = raw.get_data().T[:, ::3]
        filtered = CausalFilter(design_bandpass((7.0, 35.0), rate), samples.shape[1])(samples)
        for mark in raw.annotations:
            if mark["description"] in ("T1", "T2"):
                start = round((mark["onset"] + 0.5) * rate)
                X.append(filtered[start : start + round(3 * rate)].T)
                y.append(mark["description"])
    return np.array(X), np.array(y)


@pytest.mark.parametrize("name", list(PEERS))
def test_probabilities_are_those_of_the_peer(name, left_right):
    """Same folds, same causal filter: every held-out probability agrees to 1e-8."""
    X, y = left_right
    assert X.shape == (45, 22, 480)
    target = np.unique(y, return_inverse=True)[1]
    for train, test in trial_folds(target, np.arange(len(y)), 5, seed=0):
        theirs = PEERS[name]().fit(X[train], y[train]).predict_proba(X[test])
        ours = make_decoder(name).fit(X[train], y[train]).predict_proba(X[test])
        assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("name", list(PEERS))
def test_three_classes_agree_too(name, make_trials):
    """Made trials of three classes at the scale of 1, which every part of the peers can take."""
    X, y = make_trials(n_classes=3)
    X = X * 1e5
    theirs = PEERS[name]().fit(X, y).predict_proba(X)
    assert_allclose(make_decoder(name).fit(X, y).predict_proba(X), theirs, atol=1e-6)
