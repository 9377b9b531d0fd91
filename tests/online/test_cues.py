"""Cues in the ring, and what becomes of their trials."""

from dataclasses import replace

import numpy as np
import pytest

from bci.acquisition import RingBuffer
from bci.config import OnlineSettings
from bci.events import Marker
from bci.online import CueTracker, Decision
from bci.online.cues import locate
from bci.online.replay import cues_of


def ring_of(*segments, rate_hz=100.0):
    """Return a ring with segments of (first time, number of samples)."""
    ring = RingBuffer(8192, 1)
    for number, (start_s, n) in enumerate(segments):
        times = start_s + np.arange(n) / rate_hz
        ring.write(np.zeros((n, 1)), times, times, np.full(n, number), 0.0)
    return ring


@pytest.mark.parametrize(
    ("time_s", "sample"),
    [
        (10.0, 0),
        (10.004, 0),
        (10.006, 1),
        (10.99, 99),
        (11.05, 99),  # in the gap, nearer to what was before
        (11.95, 100),  # in the gap, nearer to what came after
        (12.5, 150),
        (9.0, 0),
        (13.1, None),  # not there yet
    ],
)
def test_a_cue_is_at_the_nearest_sample(time_s, sample):
    """Within segments, in gaps, before the beginning and beyond the end."""
    assert locate(ring_of((10.0, 100), (12.0, 100)), time_s) == sample


def test_where_a_clock_was_set_back_the_last_segment_counts():
    """A time that two segments have means the later one."""
    assert locate(ring_of((10.0, 300), (11.0, 300)), 11.5) == 350


def decision(sample, p):
    """Return a decision at 125 Hz."""
    return Decision(sample, 10 + (sample - 1) / 125, (p, 1 - p), (p, 1 - p), None, "")


def tracked(model, marker_s, *, on_cue=lambda label: None, on_outcome=lambda outcome: None):
    """Return the outcomes of a run in which every window says left."""
    ring = ring_of((10.0, 3000), rate_hz=125.0)
    tracker = CueTracker(model, ring, OnlineSettings(), on_cue, on_outcome)
    for time_s in marker_s:
        tracker.take_marker(Marker(time_s, "left_hand"))
    tracker.take_marker(Marker(11.0, "a comment"))
    for sample in range(252, 2900, 12):
        tracker.take_decision(decision(sample, 0.9))
    tracker.finish()
    return tracker.outcomes


def test_a_trial_is_over_when_its_windows_are(model):
    """Outcomes come one by one, each as soon as its last window was decided."""
    seen = []
    outcomes = tracked(model, [12.0, 18.0], on_outcome=seen.append)
    assert seen == outcomes
    assert [(o.cue, o.decoded, o.sample) for o in outcomes] == [
        ("left_hand", "left_hand", 250),
        ("left_hand", "left_hand", 1000),
    ]


@pytest.mark.parametrize(
    ("rejected_s", "left"),
    [
        (12.5, [18.0]),  # while it goes on
        (16.0, [18.0]),  # when it is over
        (19.0, [12.0]),  # the next
        (11.5, [12.0, 18.0]),  # before any
    ],
)
def test_a_rejected_trial_has_no_outcome(model, rejected_s, left):
    """`trial_rejected` takes back the trial of the last cue before it, over or not."""
    ring = ring_of((10.0, 3000), rate_hz=125.0)
    told = []
    tracker = CueTracker(model, ring, OnlineSettings(), lambda label: None, told.append)
    markers = [
        Marker(12.0, "left_hand"),
        Marker(18.0, "left_hand"),
        Marker(rejected_s, "trial_rejected"),
    ]
    markers.sort(key=lambda marker: marker.time_s)
    for sample in range(252, 2900, 12):
        while markers and markers[0].time_s <= 10 + sample / 125:
            tracker.take_marker(markers.pop(0))
        tracker.take_decision(decision(sample, 0.9))
    tracker.finish()
    assert [outcome.time_s for outcome in tracker.outcomes] == left
    assert (12.0 in [outcome.time_s for outcome in told]) == (rejected_s != 12.5)


def test_a_rejection_means_the_last_cue_of_any_class(model):
    """The cue of a class that the model does not know is the one that is taken back."""
    ring = ring_of((10.0, 3000), rate_hz=125.0)
    tracker = CueTracker(model, ring, OnlineSettings(), lambda label: None, lambda outcome: None)
    for marker in [
        Marker(12.0, "left_hand"),
        Marker(18.0, "tongue"),
        Marker(18.5, "trial_rejected"),
    ]:
        tracker.take_marker(marker)
    for sample in range(252, 2900, 12):
        tracker.take_decision(decision(sample, 0.9))
    tracker.finish()
    assert [outcome.time_s for outcome in tracker.outcomes] == [12.0]


def test_a_replay_leaves_rejected_trials_out(recording, model):
    """As training does: the same trials, but for the one that was rejected."""
    cue_s = recording.markers[2].time_s
    rejected = replace(
        recording, markers=(*recording.markers, Marker(cue_s + 1.0, "trial_rejected"))
    )
    before = [cue.time_s for cue in cues_of(recording, model)]
    assert [cue.time_s for cue in cues_of(rejected, model)] == [s for s in before if s != cue_s]
    assert cue_s in before


def test_a_trial_that_the_end_cuts_short_says_so(model):
    """A cue just before the end has no windows, and a reason."""
    outcomes = tracked(model, [12.0, 33.5])
    assert outcomes[1].decoded is None
    assert outcomes[1].reasons == ("cut short",)


def test_a_listener_that_fails_costs_no_trial(model, caplog):
    """Whatever a listener raises is logged, and every trial is still accounted for."""

    def broken(what):
        raise ZeroDivisionError(what)

    outcomes = tracked(model, [12.0, 18.0, 24.0], on_cue=broken, on_outcome=broken)
    assert [o.correct for o in outcomes] == [True, True, True]
    assert "a listener failed" in caplog.text
