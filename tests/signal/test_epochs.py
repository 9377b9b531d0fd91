"""Cutting recordings into the windows of their trials."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.errors import ChannelError, RecordingError, SettingsError, TrialError
from bci.events import Marker, normalised_label
from bci.signal import design_bandpass, filter_segments
from bci.signal.epochs import BY_HAND, REJECTED, cut_epochs
from bci.signal.trials import find_trials
from bci.sources.base import Channel, StreamInfo
from bci.sources.recording import Recording

RATE = 100.0
EVENTS = {"T1": "left_hand", "T2": "right_hand"}


def make_recording(
    *,
    name: str = "run1.edf",
    labels: tuple[str, ...] = ("C3", "Cz", "C4"),
    rate_hz: float = RATE,
    n_trials: int = 6,
    trial_s: float = 4.0,
    lose: tuple[int, int] | None = None,
    clock_offset_s: float | None = None,
    cues: tuple[str, ...] = ("T1", "T2"),
    seed: int = 0,
) -> Recording:
    """Build a recording whose trials alternate with rest of 2 s; `lose` cuts samples out."""
    period_s = trial_s + 2.0
    n = round((n_trials * period_s + 3.0) * rate_hz)
    rng = np.random.default_rng(seed)
    samples = 1e-5 * rng.standard_normal((n, len(labels)))
    stamps = 500.0 + np.arange(n) / rate_hz
    shift = clock_offset_s or 0.0
    markers = []
    for trial in range(n_trials):
        onset = stamps[0] + shift + 2.0 + trial * period_s
        markers.append(Marker(onset, cues[trial % len(cues)]))
        markers.append(Marker(onset + trial_s, "T0"))
    if lose:
        kept = np.r_[0 : lose[0], lose[1] : n]
        samples, stamps = samples[kept], stamps[kept]
    offsets = np.empty((0, 2))
    if clock_offset_s is not None:
        offsets = np.array([[stamps[0], clock_offset_s], [stamps[-1], clock_offset_s]])
    info = StreamInfo(
        "amp", "EEG", "amp", rate_hz, tuple(Channel(label, "microvolts") for label in labels)
    )
    return Recording(Path(name), info, samples, stamps, offsets, tuple(markers))


def settings(**values: object) -> EpochSettings:
    """Return the settings of these tests with some values changed."""
    return EpochSettings.make(**{"event_map": EVENTS, "window_s": (0.5, 3.5), **values})


def filtered(recording: Recording) -> np.ndarray:
    """Filter a gapless recording as a whole."""
    sos = design_bandpass((8.0, 32.0), recording.info.rate_hz)
    return filter_segments(recording.samples, np.zeros(recording.n_samples, np.int64), sos)


def test_windows_are_the_filtered_samples_after_the_cue() -> None:
    """A window is the causally filtered recording from cue + start on, channel by channel."""
    recording = make_recording()
    epochs = cut_epochs([recording], settings())
    assert epochs.X.shape == (6, 3, 300)
    whole = filtered(recording)
    for trial in range(6):
        first = 200 + trial * 600 + 50
        np.testing.assert_array_equal(epochs.X[trial], whole[first : first + 300].T)
    assert epochs.classes == ("left_hand", "right_hand")
    assert epochs.y.tolist() == [0, 1] * 3
    np.testing.assert_allclose(epochs.trial_onsets_s, 2.0 + 6.0 * np.arange(6), atol=1e-9)


def test_a_trial_is_cut_into_windows_that_carry_its_number() -> None:
    """With a length and a step, all windows of a trial share its class and number, in order."""
    recording = make_recording()
    epochs = cut_epochs([recording], settings(length_s=2.0, step_s=0.5))
    assert epochs.X.shape == (18, 3, 200)
    assert epochs.trials.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
    np.testing.assert_array_equal(epochs.y, epochs.trial_y[epochs.trials])
    np.testing.assert_array_equal(epochs.X[1], filtered(recording)[300:500].T)


def test_the_order_of_classes_is_the_one_asked_for() -> None:
    """`classes` orders the indices; trials of other classes are not used."""
    recording = make_recording(cues=("T1", "T2", "T3"), n_trials=9)
    chosen = settings(event_map=EVENTS | {"T3": "feet"}, classes=("right_hand", "left_hand"))
    epochs = cut_epochs([recording], chosen)
    assert epochs.classes == ("right_hand", "left_hand")
    assert epochs.trial_y.tolist() == [1, 0] * 3


def test_what_comes_later_does_not_change_a_window() -> None:
    """Filters are causal: other samples after a window's end leave it as it was, to the bit."""
    recording = make_recording()
    before = cut_epochs([recording], settings())
    changed = recording.samples.copy()
    changed[550:] *= 1e3  # trial 0 uses samples 250 to 549
    after = cut_epochs(
        [
            Recording(
                recording.path,
                recording.info,
                changed,
                recording.stamps,
                recording.clock_offsets,
                recording.markers,
            )
        ],
        settings(),
    )
    np.testing.assert_array_equal(before.X[0], after.X[0])
    assert not np.array_equal(before.X[1], after.X[1])


def test_trials_that_cross_a_gap_are_left_out_and_named() -> None:
    """A gap removes its trial alone, and the filter starts anew after it."""
    whole = cut_epochs([make_recording(n_trials=10)], settings())
    recording = make_recording(n_trials=10, lose=(2800, 3000))  # trial 4: cue at sample 2600
    epochs = cut_epochs([recording], settings())
    assert [item.reason for item in epochs.left_out] == ["crosses a gap"]
    assert epochs.left_out[0].recording == "run1.edf"
    assert epochs.left_out[0].onset_s == pytest.approx(26.0, abs=0.02)
    assert epochs.n_trials == 9
    np.testing.assert_array_equal(epochs.X[0], whole.X[0])
    # Trial 5 begins 200 samples after the gap: the fresh filter has settled to within a percent.
    np.testing.assert_allclose(epochs.X[5], whole.X[6], atol=1e-2 * np.abs(whole.X).max())


def test_markers_meet_samples_on_the_clock_of_the_recording_machine() -> None:
    """The clock offset is applied: a sender whose clock is 3 s behind yields the same windows."""
    plain = cut_epochs([make_recording()], settings())
    shifted = cut_epochs([make_recording(clock_offset_s=3.0)], settings())
    np.testing.assert_array_equal(plain.X, shifted.X)


def test_a_window_beyond_the_end_is_left_out_and_named() -> None:
    """The last trial of a recording that was stopped early is not used, and listed."""
    recording = make_recording()
    n = 200 + 5 * 600 + 100
    cut = Recording(
        recording.path,
        recording.info,
        recording.samples[:n],
        recording.stamps[:n],
        recording.clock_offsets,
        recording.markers,
    )
    epochs = cut_epochs([cut], settings())
    assert epochs.n_trials == 5
    assert [item.reason for item in epochs.left_out] == ["reaches beyond the end of the recording"]


def test_runs_with_channels_in_another_order_are_reordered_by_name() -> None:
    """Channels meet by name: the second run's rows are those of the first run's channels."""
    first = make_recording()
    second = make_recording(name="run2.edf", labels=("C4", "C3", "Cz"))
    epochs = cut_epochs([first, second], settings())
    assert epochs.channels == ("C3", "Cz", "C4")
    np.testing.assert_array_equal(epochs.X[6:], cut_epochs([second], settings()).X[:, [1, 2, 0]])
    assert epochs.trial_runs.tolist() == [0] * 6 + [1] * 6


def test_chosen_channels_are_used_in_their_order() -> None:
    """`channels` picks by name, and then runs need share no others."""
    first = make_recording(labels=("C3", "Cz", "C4"))
    second = make_recording(name="run2.edf", labels=("C4", "C3", "Fz"))
    epochs = cut_epochs([first, second], settings(channels=("C4", "C3")))
    assert epochs.channels == ("C4", "C3")
    np.testing.assert_array_equal(epochs.X[:6], cut_epochs([first], settings()).X[:, [2, 0]])


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (
            lambda: ([make_recording(), make_recording(name="b.edf", rate_hz=128.0)], {}),
            RecordingError,
            ["run1.edf", "100 Hz", "b.edf", "128 Hz"],
        ),
        (
            lambda: ([make_recording(), make_recording(name="b.edf", labels=("C3", "C4"))], {}),
            ChannelError,
            ["b.edf", "Cz", "--channels"],
        ),
        (
            lambda: ([make_recording()], {"channels": ("C3", "Oz")}),
            ChannelError,
            ["run1.edf", "Oz"],
        ),
        (
            lambda: ([make_recording()], {"event_map": {"769": "left_hand"}}),
            TrialError,
            ["run1.edf", "T0 (6)", "T1 (3)", "T2 (3)", "--event"],
        ),
        (
            lambda: ([make_recording()], {"event_map": {}}),
            TrialError,
            ["run1.edf", "T1 (3)", "--event T1=left_hand"],
        ),
        (
            lambda: ([make_recording()], {"event_map": {"T1": "left_hand"}}),
            TrialError,
            ["run1.edf", "only one class", "left_hand"],
        ),
        (
            lambda: ([make_recording()], {"classes": ("left_hand", "feet")}),
            TrialError,
            ["run1.edf", "feet", "left_hand (3)"],
        ),
        (lambda: ([make_recording()], {"window_s": (0.5, 5.0)}), TrialError, ["4 s", "T0"]),
        (lambda: ([make_recording()], {"window_s": (-1.0, 2.0)}), TrialError, ["before the cue"]),
        (lambda: ([make_recording()], {"band_hz": (8.0, 60.0)}), SettingsError, ["60", "50 Hz"]),
        (lambda: ([], {}), RecordingError, ["no recording"]),
    ],
    ids=[
        "rates",
        "channels differ",
        "channel missing",
        "no matching annotation",
        "no event map",
        "one class",
        "class not there",
        "window past the trial",
        "window before the cue",
        "band above Nyquist",
        "nothing",
    ],
)
def test_what_does_not_fit_is_named(
    build: Callable[[], tuple[list[Recording], dict[str, object]]],
    error: type[Exception],
    words: list[str],
) -> None:
    """Each misfit is one line that names the file or option, the value and what is there."""
    recordings, changed = build()
    with pytest.raises(error) as caught:
        cut_epochs(recordings, settings(**changed))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_one_broken_off_trial_is_left_out_not_refused() -> None:
    """A single trial that ends before the window does is listed; the others are used."""
    recording = make_recording()
    markers = list(recording.markers)
    markers[5] = Marker(markers[4].time_s + 1.5, "T0")
    broken = Recording(
        recording.path,
        recording.info,
        recording.samples,
        recording.stamps,
        recording.clock_offsets,
        tuple(markers),
    )
    epochs = cut_epochs([broken], settings())
    assert epochs.n_trials == 5
    assert epochs.left_out[0].reason == "ended after 1.5 s, before the window does"


def test_events_within_a_trial_do_not_end_it() -> None:
    """Feedback and beeps leave a trial as it is; the trial's end and a mapped-away label too."""
    marks = [
        Marker(0.0, "768"),
        Marker(1.0, "769"),
        Marker(1.0, "785"),
        Marker(2.0, "781"),
        Marker(3.0, "33024"),
        Marker(5.0, "800"),
        Marker(9.0, "770"),
    ]
    event_map = {"769": "left_hand", "770": "right_hand"}
    found = find_trials(marks, event_map | {"33024": "none"})
    assert [(trial.class_name, trial.length_s, trial.ended_by) for trial in found] == [
        ("left_hand", 4.0, "800"),
        ("right_hand", None, ""),
    ]


def test_a_trial_that_was_rejected_in_the_run_is_left_out_and_listed() -> None:
    """`trial_rejected` takes the trial of the last cue before it; others stay, and none ends."""
    recording = make_recording()
    rejected = Marker(recording.markers[4].time_s + 1.0, "trial_rejected")
    marked = replace(recording, markers=(*recording.markers, rejected))
    found = find_trials(marked.markers, EVENTS)
    assert [trial.rejected for trial in found] == [False, False, True, False, False, False]
    assert found[2].length_s == pytest.approx(4.0)
    epochs = cut_epochs([marked], settings())
    assert epochs.n_trials == 5
    assert [(item.reason, item.class_name) for item in epochs.left_out] == [(REJECTED, "left_hand")]
    assert epochs.left_out[0].onset_s == pytest.approx(14.0)


def test_a_day_with_lost_samples_says_which_trials_it_lost(shared_data: Path) -> None:
    """P1_002.xdf lost a quarter of its samples: the trials across its gaps are counted."""
    from bci.sources.reading import open_recording

    used = "C3 C4 Cz FC1 FC2 FC5 FC6 CP1 CP2 CP5 CP6".split()
    labels = [*used, "X1", "X2", "X3", "X4", "X5"]
    recording = open_recording(shared_data / "days_xdf" / "P1_002.xdf", labels=labels)
    chosen = EpochSettings.make(
        event_map={"2": "left_hand", "3": "right_hand"}, channels=tuple(used)
    )
    epochs = cut_epochs([recording], chosen)
    assert {item.reason for item in epochs.left_out} == {"crosses a gap"}
    left_out = {round(item.onset_s, 1) for item in epochs.left_out}
    stamps = recording.stamps + np.interp(recording.stamps, *recording.clock_offsets.T)
    cues = [m.time_s for m in recording.markers if normalised_label(m.label) in {"2", "3"}]
    assert epochs.n_trials + len(epochs.left_out) == len(cues) == 20
    assert epochs.n_trials >= 4
    # Of the 437 samples of a trial's 3.5 s, jitter moves a few over the edges: a trial that lacks
    # a fifth of them has lost them.
    for cue in cues:
        share = np.count_nonzero((stamps >= cue) & (stamps < cue + 3.5)) / 437
        assert share > 0.8 or round(cue - stamps[0], 1) in left_out


def test_trials_taken_out_by_hand_are_left_out_and_listed() -> None:
    """A trial is named by its recording and onset; the same onset in another run stays."""
    runs = [make_recording(name=f"run{k}.edf", seed=k) for k in (1, 2)]
    everything = cut_epochs(runs, settings())
    onset_s = float(everything.trial_onsets_s[1])
    epochs = cut_epochs(runs, settings(left_out={"run1.edf": (round(onset_s, 4),)}))
    assert epochs.n_trials == everything.n_trials - 1
    assert [(o.recording, o.reason, o.class_name) for o in epochs.left_out] == [
        ("run1.edf", BY_HAND, "right_hand")
    ]
    np.testing.assert_array_equal(np.delete(everything.X, 1, axis=0), epochs.X)


def test_taking_out_a_whole_class_says_so() -> None:
    """What is to do is to take some in again, not another window."""
    run = make_recording()
    onsets = tuple(2.0 + 6.0 * trial for trial in (0, 2, 4))
    with pytest.raises(TrialError, match=r"left_hand is left.*by hand.*take some in again"):
        cut_epochs([run], settings(left_out={"run1.edf": onsets}))


def test_bad_channels_are_never_used() -> None:
    """They are left out of all EEG channels and of those that are named, by any spelling."""
    recording = make_recording()
    for wanted in ((), ("C3", "C4")):
        settings = EpochSettings(event_map=EVENTS, channels=wanted, bad_channels=("c4", "Fp1"))
        assert "C4" not in cut_epochs([recording], settings).channels
    settings = EpochSettings(event_map=EVENTS, bad_channels=("C3", "Cz", "C4"))
    with pytest.raises(ChannelError, match="every channel is marked bad"):
        cut_epochs([recording], settings)
