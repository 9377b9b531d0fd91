"""What a window is labelled, and what rest there is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.config import EpochSettings
from bci.errors import TrialError
from bci.evaluation.truth import OTHER, Truth, find_truth, part_of, window_labels, with_idle
from bci.events import Marker
from bci.signal.epochs import cut_epochs
from bci.sources.recording import Recording

Make = Callable[..., Recording]
HANDS = ("left_hand", "right_hand")
IDLE = 2


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """Draw trials that don't overlap, of two classes, idle as a class, and another."""
    at, rows = 0, []
    for _ in range(draw(st.integers(0, 6))):
        start = at + draw(st.integers(0, 12))
        at = start + draw(st.integers(1, 12))
        rows.append((start, at, draw(st.sampled_from([0, 1, IDLE, OTHER]))))
    columns = np.array(rows, np.int64).reshape(-1, 3)
    return Truth(columns[:, 0], columns[:, 1], columns[:, 2], at + draw(st.integers(20, 30)))


@given(truths(), st.integers(1, 20))
def test_a_window_is_what_most_of_its_samples_are(truth: Truth, length: int) -> None:
    """Sample by sample, at every overlap; a tie with idle is idle, no other label is smaller."""
    samples = np.full(truth.n_samples, IDLE)
    for start, stop, label in zip(truth.starts, truth.stops, truth.labels, strict=True):
        samples[start:stop] = label
    ends = np.arange(length, truth.n_samples + 1)
    for end, label in zip(ends, window_labels(truth, ends, length, IDLE), strict=True):
        window = samples[end - length : end]
        counts = {value: int((window == value).sum()) for value in (OTHER, 0, 1, IDLE)}
        assert counts[int(label)] == max(counts.values())
        if counts[IDLE] == max(counts.values()):
            assert label == IDLE


@given(truths(), st.data())
def test_a_part_of_the_truth_is_the_truth_of_the_part(truth: Truth, data: st.DataObject) -> None:
    """Cut first or label first: the same, trials that are cut through included."""
    first = data.draw(st.integers(0, truth.n_samples - 10))
    stop = data.draw(st.integers(first + 5, truth.n_samples))
    ends = np.arange(first + 5, stop + 1)
    whole = window_labels(truth, ends, 5, IDLE)
    part = window_labels(truth.part(first, stop), ends - first, 5, IDLE)
    np.testing.assert_array_equal(whole, part)


def test_a_trial_ends_where_its_event_says_or_else_with_the_span(make_run: Make) -> None:
    """A next cue ends no trial; rejected ones and other classes are neither task nor idle."""
    run = make_run(n_trials=3)
    settings = EpochSettings.make(window_s=(0.5, 3.0))
    marks = (
        Marker(4.0, "left_hand"),
        Marker(8.5, "trial_end"),
        Marker(12.0, "right_hand"),
        Marker(20.0, "feet"),
    )
    truth = find_truth(replace(run, markers=marks), settings, HANDS)
    assert truth.starts.tolist() == [400, 1200, 2000]
    assert truth.stops.tolist() == [850, 1500, 2300]
    assert truth.labels.tolist() == [0, 1, OTHER]
    rejected = (*marks, Marker(9.0, "trial_rejected"))
    truth = find_truth(replace(run, markers=rejected), settings, HANDS)
    assert truth.labels.tolist() == [OTHER, 1, OTHER]
    assert truth.stops.tolist() == [850, 1500, 2300]


def test_a_part_of_a_recording_holds_its_samples_and_markers(make_run: Make) -> None:
    """Samples, stamps and markers within; gaps and returns are counted from its start."""
    run = replace(make_run(), gaps=(100, 900, 2000), returns=(900,))
    part = part_of(run, 500, 1500)
    np.testing.assert_array_equal(part.samples, run.samples[500:1500])
    assert [marker.time_s for marker in part.markers] == [8.0, 12.0]
    assert (part.gaps, part.returns) == ((400,), (400,))


@pytest.mark.parametrize(
    ("cut", "n_windows"),
    [({}, 1), ({"length_s": 1.5, "step_s": 0.5}, 4)],
    ids=["one a trial", "sliding"],
)
def test_windows_of_rest_hold_no_sample_of_a_trial(
    make_run: Make, cut: dict[str, float], n_windows: int
) -> None:
    """Trials are loud, rest is not: each stretch of rest is a trial of quiet windows."""
    run = make_run(effect=20.0)
    settings = EpochSettings.make(band_hz=(8.0, 30.0), window_s=(0.5, 3.5), **cut)
    epochs = cut_epochs([run], settings)
    truth = find_truth(run, settings, HANDS)
    more = with_idle(epochs, [run], [truth], (*HANDS, "idle"), IDLE)
    rest = more.y == IDLE
    assert more.n_trials == epochs.n_trials + 11
    assert (np.bincount(more.trials[rest])[epochs.n_trials :] >= n_windows).all()
    np.testing.assert_array_equal(more.X[~rest], epochs.X)
    # The causal filter rings on for a moment behind a trial.
    loud = np.ptp(epochs.X, axis=2).max(axis=1).min()
    quiet = np.median(np.ptp(more.X[rest], axis=2).max(axis=1))
    assert quiet < loud / 5
    np.testing.assert_array_equal(more.trial_y[more.trials], more.y)


def test_no_rest_that_is_long_enough_is_one_line(make_run: Make) -> None:
    """The line names the recording, the window, and both ways out."""
    run = make_run()
    settings = EpochSettings.make(window_s=(0.0, 4.0))
    truth = Truth(np.array([0]), np.array([run.n_samples]), np.array([0]), run.n_samples)
    with pytest.raises(TrialError, match=r"run.xdf.*4 s.*--length.*threshold"):
        with_idle(cut_epochs([run], settings), [run], [truth], (*HANDS, "idle"), IDLE)
