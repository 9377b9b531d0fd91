"""The gate before the decoder: what it lets through, and what it names."""

import numpy as np
import pytest

from bci.signal.artifacts import WindowProblem, artifact_limits, window_problem
from bci.signal.filters import CausalFilter, design_bandpass


def windows_of(n_windows=40, n_channels=6, n_times=250, seed=0):
    """Return Gaussian windows of 10 uV times the channel's number."""
    rng = np.random.default_rng(seed)
    scale = 1e-5 * (1 + np.arange(n_channels))[:, None]
    return scale * rng.standard_normal((n_windows, n_channels, n_times))


def test_ordinary_windows_pass():
    """Windows like those of the training, and the training's own, have no problem."""
    limits = artifact_limits(windows_of())
    assert limits.shape == (6,)
    for window in [*windows_of(), *windows_of(200, seed=1)]:
        assert window_problem(window, limits) is None


def test_limits_scale_with_the_signal():
    """Twice the amplitude has twice the limit, channel by channel; no channel moves another."""
    windows = windows_of()
    limits = artifact_limits(windows)
    np.testing.assert_allclose(artifact_limits(2 * windows), 2 * limits, rtol=1e-12)
    louder = windows.copy()
    louder[:, 2] *= 7
    np.testing.assert_allclose(artifact_limits(louder) / limits, [1, 1, 7, 1, 1, 1], rtol=1e-12)


def test_the_limit_is_one_and_a_half_times_what_calibration_saw():
    """Where a tenth of the windows has blinks, one like them is no artifact, a double one is."""
    windows = windows_of(60)
    windows[::10, 0, 50:100] += 1.5e-4
    limits = artifact_limits(windows)
    seen = np.sort(np.ptp(windows[:, 0], axis=1))
    assert limits[0] == pytest.approx(1.5 * seen[-3], rel=1e-12)
    blink = windows_of(1, seed=2)[0]
    blink[0, 50:100] += 1.5e-4
    assert window_problem(blink, limits) is None
    blink[0, 50:100] += 3e-4
    assert window_problem(blink, limits) == WindowProblem("artifact", 0)


@pytest.mark.parametrize(("n_windows", "n_wild"), [(3, 1), (30, 1), (300, 9)])
def test_wild_training_windows_do_not_open_the_gate(n_windows, n_wild):
    """A cable pulled during calibration leaves the limits where they were, or nearly."""
    windows = windows_of(n_windows)
    limits = artifact_limits(windows)
    windows[:n_wild] *= 1000
    assert (artifact_limits(windows) < 1.3 * limits).all()


def test_a_calibration_full_of_artifacts_is_bounded_by_the_median():
    """Even a fifth of wild windows lifts a limit to 7.5 medians and no further."""
    windows = windows_of()
    windows[:8] *= 1000
    median = np.median(np.ptp(windows, axis=2), axis=0)
    np.testing.assert_allclose(artifact_limits(windows), 7.5 * median, rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_times", [1, 250])
def test_a_value_that_is_no_number_is_named_with_its_channel(value, n_times):
    """One NaN, or channels full of infinities, are named, and no warning is given."""
    limits = artifact_limits(windows_of())
    window = windows_of(1, seed=3)[0]
    window[4, :n_times] = value
    window[5] = 0
    assert window_problem(window, limits) == WindowProblem("not a number", 4)


@pytest.mark.parametrize("share", [0.0, 5e-4])
def test_a_flat_channel_is_named(share):
    """A channel that went to nothing, on whatever offset, is flat; one at a hundredth is not."""
    limits = artifact_limits(windows_of())
    window = windows_of(1, seed=3)[0]
    window[3] = 0.2 + share * limits[3] * np.linspace(0, 1, 250)
    window[1] *= 100
    assert window_problem(window, limits) == WindowProblem("flat", 3)
    window[3] = 0.01 * limits[3] * np.linspace(0, 1, 250)
    window[1] /= 100
    assert window_problem(window, limits) is None


def test_the_worst_channel_is_named():
    """Of two channels with an artifact the one farther beyond its limit is named."""
    limits = artifact_limits(windows_of())
    window = windows_of(1, seed=3)[0]
    window[5] *= 5
    window[0] *= 9
    assert window_problem(window, limits) == WindowProblem("artifact", 0)


def test_a_channel_dead_in_training_is_flat_when_dead_and_an_artifact_when_not():
    """A limit of zero divides nothing by zero into silence."""
    windows = windows_of()
    windows[:, 2] = 0
    limits = artifact_limits(windows)
    assert window_problem(windows[0], limits) == WindowProblem("flat", 2)
    assert window_problem(windows_of(1)[0], limits) == WindowProblem("artifact", 2)


@pytest.mark.parametrize(
    "windows", [np.zeros((0, 3, 5)), np.zeros((3, 5)), np.full((2, 3, 5), np.nan)]
)
def test_windows_that_cannot_set_limits_are_refused(windows):
    """No window, one dimension too few, or NaN is an error rather than a limit."""
    with pytest.raises(ValueError, match="artifact limits need"):
        artifact_limits(windows)


def test_a_real_session_is_hardly_ever_rejected(shared_data):
    """S001: limits from R04 and R08 reject under 1 % of all windows of R12, 64 channels."""
    import mne

    def filtered(run):
        raw = mne.io.read_raw(shared_data / "eegmmidb" / f"S001{run}.edf", verbose="ERROR")
        samples = np.ascontiguousarray(raw.get_data().T)
        out = CausalFilter(design_bandpass((7.0, 35.0), 160.0), samples.shape[1])(samples)
        cues = [a["onset"] for a in raw.annotations if a["description"] in ("T1", "T2")]
        return out.T, [round(160 * (onset + 0.5)) for onset in cues]

    training = [x[:, s : s + 480] for x, starts in map(filtered, ("R04", "R08")) for s in starts]
    limits = artifact_limits(np.stack(training))
    online, _ = filtered("R12")
    starts = range(480, online.shape[1] - 480, 16)
    problems = [window_problem(online[:, s : s + 480], limits) for s in starts]
    assert len(problems) > 1000
    assert sum(problem is not None for problem in problems) < 0.01 * len(problems)
    pulled = online[:, 4800:5280].copy()
    pulled[10, 200:240] += 1e-3
    assert window_problem(pulled, limits) == WindowProblem("artifact", 10)
