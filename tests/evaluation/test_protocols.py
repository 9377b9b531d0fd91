"""Protocols: what is tested is never trained on, and what is missing is said in one line."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bci.errors import TrialError
from bci.evaluation import PROTOCOLS, Protocol, evaluate, splits
from bci.signal.epochs import Epochs

Make = Callable[..., Epochs]

DAYS = ("a_ses-1_r1.edf", "a_ses-1_r2.edf", "a_ses-2_r1.edf", "a_ses-3_r1.edf")
PARTS = ("calibration-01.xdf", "calibration-02.xdf", "online-01.xdf", "online-02.xdf")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_trial_is_on_both_sides_and_none_is_tested_twice(make_epochs: Make, name: str) -> None:
    """Whatever the protocol, training and test are disjoint, and a trial is tested at most once."""
    epochs = make_epochs(40, recordings=PARTS if name == "calibration-online" else DAYS)
    parts = splits(epochs, Protocol(name=name))
    tested = np.concatenate([part.test for part in parts])
    assert len(np.unique(tested)) == len(tested)
    for part in parts:
        assert not np.intersect1d(part.train, part.test).size
    if name == "calibration-online":
        assert set(epochs.trial_runs[tested]) == {2, 3}
        assert set(epochs.trial_runs[parts[0].train]) == {0, 1}
    else:
        assert len(tested) == 40


def test_a_session_is_tested_by_the_other_sessions(make_epochs: Make) -> None:
    """Runs of one day stay together, by the files' names or by what is said."""
    epochs = make_epochs(40, recordings=DAYS)
    named = splits(epochs, Protocol(name="cross-session"))
    assert [(part.name, set(epochs.trial_runs[part.test])) for part in named] == [
        ("1", {0, 1}),
        ("2", {2}),
        ("3", {3}),
    ]
    said = Protocol(name="cross-session", sessions=("mon", "tue", "mon", "tue"))
    for part in splits(epochs, said):
        assert set(epochs.trial_runs[part.test]) in ({0, 2}, {1, 3})


def test_recordings_of_one_name_are_still_different_runs(make_epochs: Make) -> None:
    """Two folders may hold the same file name: each is a run."""
    epochs = make_epochs(40, recordings=("run.edf",) * 4)
    assert len(splits(epochs, Protocol(name="leave-one-run-out"))) == 4


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_tested_recording_leaves_no_trace_in_training(make_epochs: Make, name: str) -> None:
    """Test trials a thousand times larger change no other trial's probabilities."""
    epochs = make_epochs(40, effect=0.3, recordings=PARTS if name != "cross-session" else DAYS)
    protocol = Protocol(name=name)
    before = evaluate(epochs, "ts-lr", None, protocol)
    louder = epochs.X.copy()
    target = int(before.trials[-1])
    louder[epochs.trials == target] *= 1e3
    after = evaluate(replace(epochs, X=louder), "ts-lr", None, protocol)
    of_fold = before.folds == before.folds[before.trials == target]
    others = of_fold & (before.trials != target)
    assert others.any()
    np.testing.assert_array_equal(before.probabilities[others], after.probabilities[others])


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({}, {"name": "cross-session"}, ["run0.edf", "--sessions"]),
        ({"recordings": DAYS[:2] * 2}, {"name": "cross-session"}, ["2 sessions", "only 1"]),
        ({}, {"name": "cross-session", "sessions": ("1", "2")}, ["2 sessions", "4 recordings"]),
        ({"recordings": PARTS[:2] * 2}, {"name": "calibration-online"}, ["calibration", "both"]),
        ({"recordings": PARTS[2:] * 2}, {"name": "calibration-online"}, ["online", "both"]),
        (
            {},
            {"name": "calibration-online", "sessions": ("calibration", "online", "on", "off")},
            ["run2.edf", "'on'", "calibration or online"],
        ),
    ],
    ids=["unnamed", "one session", "too few given", "no online", "no calibration", "a typo"],
)
def test_what_a_protocol_lacks_is_one_line(
    make_epochs: Make, given: dict[str, Any], options: dict[str, Any], words: list[str]
) -> None:
    """The line names the protocol, the recording and what to do."""
    with pytest.raises(TrialError) as caught:
        splits(make_epochs(40, **given), Protocol(**options))
    message = str(caught.value)
    assert options["name"] in message
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("tested", [False, True], ids=["of training", "of all that is tested"])
def test_a_class_that_is_missing_from_a_part_is_named(make_epochs: Make, tested: bool) -> None:
    """A class without trials to learn from, or to test, is named with its recordings."""
    epochs = make_epochs(40, recordings=PARTS)
    without = np.isin(epochs.trial_runs, (2, 3) if tested else (0, 1)) & (epochs.trial_y == 1)
    kept = np.flatnonzero(~without)
    fewer = replace(
        epochs,
        X=epochs.X[kept],
        y=epochs.y[kept],
        trials=np.arange(len(kept)),
        trial_y=epochs.trial_y[kept],
        trial_onsets_s=epochs.trial_onsets_s[kept],
        trial_runs=epochs.trial_runs[kept],
    )
    with pytest.raises(TrialError, match="right_hand"):
        splits(fewer, Protocol(name="calibration-online"))
