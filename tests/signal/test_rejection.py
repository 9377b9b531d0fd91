"""Trials that stand out, and who may reject them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.config import EpochSettings
from bci.evaluation import Protocol, evaluate, score_split, splits, train_model
from bci.signal.epochs import Epochs, LeftOut, cut_epochs
from bci.signal.rejection import (
    class_counts,
    kept_trials,
    mark_trials,
    standing_out,
    without_marked,
)
from bci.sources.reading import open_recording

CHANNELS = ("C3", "Cz", "C4", "CP3")
RATE_HZ = 125.0


def some_epochs(n_trials: int = 30, *, reject: bool = True, seed: int = 0) -> Epochs:
    """Return trials of two windows of correlated noise, two classes."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(4) + 0.4 * rng.random((4, 4))
    X = 5e-6 * mixing @ rng.standard_normal((2 * n_trials, 4, 250))
    y = np.arange(n_trials) % 2
    trials = np.repeat(np.arange(n_trials), 2)
    return Epochs(
        X=X,
        y=y[trials],
        trials=trials,
        trial_y=y,
        trial_onsets_s=5.0 * np.arange(n_trials),
        trial_runs=np.zeros(n_trials, np.int64),
        classes=("left_hand", "right_hand"),
        channels=CHANNELS,
        recordings=("a.xdf",),
        rate_hz=RATE_HZ,
        settings=EpochSettings(window_s=(0.0, 4.0), length_s=2.0, step_s=2.0, reject=reject),
        left_out=(LeftOut("a.xdf", 1.0, "crosses a gap", "left_hand"),),
        muscle_v=2e-6 * np.exp(0.1 * rng.standard_normal((2 * n_trials, 4))),
    )


def planted(kind: str, trial: int, times: float = 1.0) -> Epochs:
    """Return such epochs with one window of one trial made to stand out."""
    epochs = some_epochs()
    window = 2 * trial + 1
    if kind == "amplitude":
        epochs.X[window, 2, 100] += times * 1e-3
    elif kind == "flat":
        epochs.X[window, 1] *= 1e-5
    elif kind == "muscle":
        epochs.muscle_v[window, 0] = times * 2e-5
    else:  # a covariance of another shape, at ordinary amplitudes
        epochs.X[window] = epochs.X[window].mean(axis=0) + 0.02 * epochs.X[window]
    return epochs


@pytest.mark.parametrize(
    ("kind", "channel"), [("amplitude", "C4"), ("flat", "Cz"), ("muscle", "C3"), ("potato", "")]
)
def test_each_reason_is_told_with_its_channel_and_number(kind: str, channel: str) -> None:
    """A trial made to stand out in one window is marked, by its reason, and no other is for it."""
    usual = {mark.trial for mark in mark_trials(some_epochs())}
    marks = [mark for mark in mark_trials(planted(kind, 7)) if mark.trial not in usual]
    assert [(mark.trial, mark.reason, mark.channel) for mark in marks] == [(7, kind, channel)]
    assert marks[0].excess > 1
    assert ("SD" if kind == "potato" else "µV") in marks[0].text


@settings(max_examples=25)
@given(st.integers(0, 29), st.floats(0.3, 100.0), st.sampled_from(["amplitude", "muscle"]))
def test_a_trial_stands_out_by_its_level(trial: int, times: float, kind: str) -> None:
    """Whatever its level beyond the limit; it does not hide the others' limits."""
    marks = {mark.trial: mark for mark in mark_trials(planted(kind, trial, times=times + 0.5))}
    assert marks[trial].reason == kind
    assert len(marks) <= 3


def test_ordinary_trials_are_seldom_marked() -> None:
    """Of 20 x 30 trials of noise, fewer than 3 % stand out."""
    n = sum(len(mark_trials(some_epochs(seed=seed))) for seed in range(20))
    assert n < 0.03 * 600


def test_test_trials_have_no_say_and_are_never_rejected() -> None:
    """What is marked among training trials does not change with anything in the others."""
    epochs = planted("amplitude", 7)
    train = np.arange(20)
    before = kept_trials(epochs, train)
    assert set(train) - set(before) >= {7}
    epochs.X[epochs.trials >= 20] *= 1e4
    epochs.muscle_v[epochs.trials >= 20] *= 1e4
    np.testing.assert_array_equal(kept_trials(epochs, train), before)


def test_cross_validation_rejects_within_the_fold() -> None:
    """A marked trial is tested all the same, and its fold's decoder is that without a rejection."""
    epochs, plain = planted("amplitude", 7), replace(planted("amplitude", 7), settings=None)
    plain = replace(plain, settings=some_epochs(reject=False).settings)
    result = evaluate(epochs, "ts-lr", protocol=Protocol(folds=3))
    assert result.n_trials == 30
    for split in splits(epochs, Protocol(folds=3)):
        expected = score_split(
            plain, replace(split, train=kept_trials(epochs, split.train)), "ts-lr"
        )
        np.testing.assert_allclose(score_split(epochs, split, "ts-lr"), expected)


def test_off_is_off() -> None:
    """Without the setting every trial is learned from, however it looks."""
    epochs = replace(planted("amplitude", 7), settings=EpochSettings(reject=False))
    np.testing.assert_array_equal(kept_trials(epochs, np.arange(30)), np.arange(30))
    assert without_marked(epochs) is epochs
    assert not EpochSettings().reject


def test_a_third_of_a_class_at_most_is_rejected() -> None:
    """Where half of a class stands out, those farthest out go."""
    epochs = some_epochs()
    for rank, trial in enumerate(range(0, 14, 2)):  # seven of fifteen, ever louder
        epochs.muscle_v[2 * trial] = 5e-5 * (1 + rank)
    kept = kept_trials(epochs, np.arange(30))
    rejected = sorted(set(range(0, 30, 2)) - set(kept.tolist()))
    assert rejected == [4, 6, 8, 10, 12]


def test_what_is_rejected_is_listed_and_counted_by_class() -> None:
    """The rest is consistent; the list has the earlier ones first, with class and number."""
    epochs = planted("amplitude", 7)
    kept = without_marked(epochs)
    assert kept.n_trials == 30 - (len(kept.left_out) - 1)
    np.testing.assert_array_equal(np.unique(kept.trials), np.arange(kept.n_trials))
    np.testing.assert_array_equal(kept.y, kept.trial_y[kept.trials])
    assert len(kept.X) == len(kept.muscle_v) == 2 * kept.n_trials
    assert 35.0 not in kept.trial_onsets_s
    assert kept.left_out[0] == epochs.left_out[0]
    counts = class_counts(kept.left_out)
    assert counts["left_hand"]["crosses a gap"] == 1
    assert counts["right_hand"]["amplitude"] == 1
    assert sum(n for reasons in counts.values() for n in reasons.values()) == len(kept.left_out)


def test_it_is_said_how_many_of_each_class_stand_out() -> None:
    """In one line, with the reasons."""
    said = standing_out(planted("amplitude", 7))
    assert said.startswith("0 of 15 trials of left_hand and 1 of 15 of right_hand (amplitude 1) ")


def test_a_real_person_with_an_artifact_is_trained_without_it(shared_data) -> None:
    """A planted jolt in S001 is rejected and on the card; those cut before it are the same."""
    recordings = [open_recording(shared_data / "eegmmidb" / f"S001R{k}.edf") for k in ("04", "08")]
    wanted = EpochSettings(
        event_map={"T1": "left_hand", "T2": "right_hand"},
        channels=("C3", "Cz", "C4", "FC3", "FC4"),
        reject=True,
    )
    untouched = cut_epochs(recordings, wanted)
    assert [mark.reason for mark in mark_trials(untouched)] == []
    jolted = recordings[0].samples.copy()
    at = round((untouched.trial_onsets_s[3] + 2.0) * 160)
    jolted[at : at + 8] += 2e-3
    recordings[0] = replace(recordings[0], samples=jolted)
    model = train_model(recordings, wanted, "csp-lda", cv=False)
    (item,) = model.card["left_out"]
    assert item["reason"].startswith("amplitude: ")
    assert item["onset_s"] == untouched.trial_onsets_s[3]
    assert item["class_name"] == untouched.classes[untouched.trial_y[3]]
    assert sum(model.card["n_trials"].values()) == untouched.n_trials - 1
