"""Decision rule, smoothing, the account of a trial."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.config import EpochSettings, OnlineSettings
from bci.online import Cue, Decision, Smoother, score_trials
from bci.online.decision import DecisionRule

CLASSES = ("left_hand", "right_hand")


def said(rule, *probabilities):
    """Return what a rule says to a row of probabilities of the first class."""
    return [rule.decide((p, 1 - p)) for p in probabilities]


def test_below_threshold_nothing_is_decided():
    """A probability under the threshold gives a reason in place of a class."""
    rule = DecisionRule(OnlineSettings(threshold=0.7), 0.1, CLASSES)
    assert said(rule, 0.6, 0.7, 0.2) == [
        (None, "below threshold"),
        ("left_hand", ""),
        ("right_hand", ""),
    ]


def test_a_class_must_dwell():
    """A class counts when it was held for the dwell time; an interruption starts it anew."""
    rule = DecisionRule(OnlineSettings(threshold=0.7, dwell_s=0.2), 0.1, CLASSES)
    labels = [label for label, _ in said(rule, 0.8, 0.8, 0.8, 0.5, 0.8, 0.8, 0.8, 0.1)]
    assert labels == [None, None, "left_hand", None, None, None, "left_hand", None]


def test_decisions_keep_their_distance():
    """After a decision none follows within the refractory time."""
    rule = DecisionRule(OnlineSettings(threshold=0.7, refractory_s=0.3), 0.1, CLASSES)
    results = said(rule, 0.8, 0.8, 0.8, 0.8, 0.8)
    assert [label for label, _ in results] == ["left_hand", None, None, None, "left_hand"]
    assert results[1][1] == "refractory"


@given(
    st.sampled_from(["none", "exponential", "evidence"]),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
)
def test_smoothed_probabilities_are_probabilities(rule, values):
    """Whatever comes in, what goes out sums to one and never leaves [0, 1]."""
    smoother = Smoother(OnlineSettings(smoothing=rule), 0.1, 2)
    for value in values:
        smoothed = smoother.update(np.array([value, 1 - value]))
        assert smoothed.sum() == pytest.approx(1.0)
        assert ((smoothed >= 0) & (smoothed <= 1)).all()


def test_exponential_smoothing_has_its_time_constant():
    """A step of the input is answered by 1 - exp(-t / tau)."""
    smoother = Smoother(OnlineSettings(smoothing="exponential", smoothing_s=0.5), 0.1, 2)
    smoother.update(np.array([0.0, 1.0]))
    for _ in range(5):
        smoothed = smoother.update(np.array([1.0, 0.0]))
    assert smoothed[0] == pytest.approx(1 - math.exp(-1))


def test_evidence_is_the_tempered_product():
    """Accumulated evidence is the normalised geometric mean since the restart."""
    smoother = Smoother(OnlineSettings(smoothing="evidence"), 0.1, 2)
    smoother.update(np.array([0.1, 0.9]))
    smoother.restart()
    smoother.update(np.array([0.6, 0.4]))
    smoothed = smoother.update(np.array([0.8, 0.2]))
    geometric = np.sqrt(np.array([0.6 * 0.8, 0.4 * 0.2]))
    np.testing.assert_allclose(smoothed, geometric / geometric.sum())


def decision(sample, p, reason=""):
    """Return a decision at 100 Hz."""
    probabilities = None if p is None else (p, 1 - p)
    return Decision(sample, sample / 100, probabilities, probabilities, None, reason)


def test_a_trial_is_judged_by_the_windows_within_it():
    """Windows that reach before or beyond the trial's span have no part in its outcome."""
    epochs = EpochSettings(window_s=(0.5, 3.5), length_s=2.0, step_s=0.5)
    online = OnlineSettings(smoothing="none", hop_s=0.1)
    cue = Cue("left_hand", 1000, 10.0)
    # The span's windows end from 1250 (less one hop) to 1350.
    decisions = [decision(s, 0.9 if 1240 < s <= 1350 else 0.1) for s in range(1205, 1405, 10)]
    (outcome,) = score_trials([cue], decisions, CLASSES, epochs, online, 100.0)
    assert outcome.decoded == "left_hand"
    assert outcome.correct
    assert outcome.n_windows == 11


def test_a_trial_without_a_decoded_window_is_undecided():
    """When every window fell to a gap, the trial has no class and says why."""
    epochs = EpochSettings(window_s=(0.5, 3.5))
    decisions = [decision(s, None, "gap") for s in range(0, 2000, 10)]
    (outcome,) = score_trials(
        [Cue("left_hand", 1000, 10.0)], decisions, CLASSES, epochs, OnlineSettings(), 100.0
    )
    assert (outcome.decoded, outcome.correct, outcome.n_without) == (None, False, 1)
    assert outcome.reasons == ("gap",)
