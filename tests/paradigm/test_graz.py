"""The Graz protocol's plan."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import SettingsError
from bci.events import CLASSES
from bci.paradigm import GrazSettings, plan_run
from bci.paradigm.graz import run_steps

settings = st.builds(
    GrazSettings,
    classes=st.lists(st.sampled_from(list(CLASSES)), min_size=2, max_size=6, unique=True).map(
        tuple
    ),
    trials_per_class=st.integers(1, 12),
    pause_s=st.tuples(st.floats(0, 2), st.floats(2, 4)),
    seed=st.integers(0, 1000),
)


@given(settings, st.integers(0, 5))
def test_trials_are_balanced_and_never_overlap(protocol, run):
    """Each class comes equally often; trials follow each other with the drawn pause."""
    trials = plan_run(protocol, run)
    counts = Counter(trial.label for trial in trials)
    assert counts == dict.fromkeys(protocol.classes, protocol.trials_per_class)
    for before, after in itertools.pairwise(trials):
        shortest = protocol.fixation_s + protocol.imagery_s + protocol.pause_s[0]
        assert after.start_s - before.start_s >= shortest - 1e-9
    trial = trials[0]
    assert protocol.pause_s[0] <= trial.pause_s <= protocol.pause_s[1]


@given(settings)
def test_no_class_is_left_to_the_end(protocol):
    """In every block of two trials a class each comes twice: drift cannot pass for a class."""
    trials = plan_run(protocol)
    block = 2 * len(protocol.classes)
    for start in range(0, len(trials) - block + 1, block):
        counts = Counter(trial.label for trial in trials[start : start + block])
        assert set(counts.values()) == {2}


@given(settings)
def test_markers_come_in_order_with_one_cue_a_trial(protocol):
    """Steps are in order of time, and each trial has one cue between its fixation and its end."""
    trials = plan_run(protocol)
    steps = list(run_steps(protocol, trials))
    assert [step.at_s for step in steps] == sorted(step.at_s for step in steps)
    assert steps[0].label == "run_start"
    assert steps[-1].label == "run_end"
    for number, trial in enumerate(trials):
        labels = [step.label for step in steps if step.trial == number]
        assert labels == [
            "trial_start",
            "fixation",
            trial.label,
            "imagery_start",
            "imagery_end",
            "trial_end",
        ]


def test_a_run_is_reproduced_by_its_seed_and_number():
    """The same seed and run give the same order; another run another one."""
    protocol = GrazSettings(seed=3)
    assert plan_run(protocol, 0) == plan_run(protocol, 0)
    assert plan_run(protocol, 0) != plan_run(protocol, 1)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"classes": ("left_hand",)}, "two or more"),
        ({"classes": ("left_hand", "wings")}, "wings"),
        ({"cue_s": 5.0, "imagery_s": 4.0}, "cue 5"),
        ({"pause_s": (3.0, 1.0)}, "pause 3 1"),
        ({"trials_per_class": 0}, "trials_per_class"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_settings_are_named(values, named):
    """A settings error says which setting and which value."""
    with pytest.raises(SettingsError, match=named):
        GrazSettings.make(**values)
