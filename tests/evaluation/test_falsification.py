"""What must not work, must not: the benchmark of adaptation against itself.

Each claim that a number makes has a way of being false; each has a test here that would see it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bci.config import EpochSettings
from bci.decoders import Model, make_decoder
from bci.decoders.adapt import arms_for
from bci.evaluation.adaptation_task import AdaptationTask
from bci.evaluation.online_adaptation import Decided, go_through
from bci.evaluation.retrained import RETRAINED
from bci.evaluation.training import fit_model
from bci.events import CLASSES
from bci.signal.epochs import cut_epochs
from bci.sources.base import StreamInfo
from bci.sources.recording import Recording

Make = Callable[..., Recording]
I64 = NDArray[np.int64]

SETTINGS = EpochSettings(window_s=(0.5, 2.5))
DECODERS = ("csp-lda", "ts-lr", "mdm")


@pytest.fixture(scope="module")
def days(make_session: Make) -> list[Recording]:
    """Return three days of three classes, mixed anew each day."""
    return [
        make_session(f"p_ses-{k}.xdf", 36, n_classes=3, seed=k, day=k, shift=0.1 * (k > 1))
        for k in (1, 2, 3)
    ]


def of(recordings: Sequence[Recording]) -> AdaptationTask:
    """Return the task."""
    return AdaptationTask.of(recordings, SETTINGS)


def arms_of(model: Model) -> tuple[str, ...]:
    """Return all arms but what only repeats another."""
    return (*arms_for(model), *RETRAINED)


def right(decided: Decided, task: AdaptationTask) -> int:
    """Return how many trials were decided right."""
    return int(np.count_nonzero(decided.chosen == task.y))


def at_chance(n_right: int, task: AdaptationTask) -> bool:
    """Say whether so many right are no more than chance gives, once in a thousand at most."""
    n, n_classes = len(task.y), len(task.training.classes)
    # Always saying one class gets its share; none here has more than its own.
    return bool(stats.binom.sf(n_right - 1, n, 1 / n_classes) > 1e-3)


def permuted_cues(recordings: Sequence[Recording], seed: int) -> list[Recording]:
    """Return recordings whose cues name classes at random, as often as before."""
    rng = np.random.default_rng([0x5EED, seed])
    changed = []
    for recording in recordings:
        cues = [k for k, marker in enumerate(recording.markers) if marker.label in CLASSES]
        labels = rng.permutation([recording.markers[k].label for k in cues])
        markers = list(recording.markers)
        for k, label in zip(cues, labels, strict=True):
            markers[k] = replace(markers[k], label=str(label))
        changed.append(replace(recording, markers=tuple(markers)))
    return changed


def noise_instead(recordings: Sequence[Recording], seed: int) -> list[Recording]:
    """Return recordings of noise, as loud in each channel as before."""
    rng = np.random.default_rng([0x0015E, seed])
    return [
        replace(r, samples=rng.standard_normal(r.samples.shape) * r.samples.std(axis=0))
        for r in recordings
    ]


def test_the_days_can_be_decoded(days: list[Recording]) -> None:
    """What the tests below take away is there: every decoder and arm is far above chance."""
    task = of(days)
    for decoder in DECODERS:
        model = task.fit(decoder)
        for arm in arms_of(model):
            assert right(go_through(task, model, arm), task) / len(task.y) > 0.5, (decoder, arm)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("change", [permuted_cues, noise_instead])
def test_permuted_labels_and_noise_score_chance(
    days: list[Recording],
    decoder: str,
    change: Callable[[Sequence[Recording], int], list[Recording]],
    soak: bool,
) -> None:
    """With labels that mean nothing, and with channels of noise, no arm is above chance."""
    for seed in range(20 if soak else 1):
        task = of(change(days, seed))
        model = task.fit(decoder)
        for arm in arms_of(model):
            assert at_chance(right(go_through(task, model, arm), task), task), (arm, seed)


@pytest.mark.parametrize("decoder", DECODERS)
def test_permuted_rewards_gain_nothing(days: list[Recording], decoder: str, soak: bool) -> None:
    """Rewards made from labels in another order leave reward arms no better than without."""
    task = of(days)
    model = task.fit(decoder)
    without = {
        "reward": right(go_through(task, model, "frozen"), task),
        "reward+recenter": right(go_through(task, model, "recenter"), task),
    }
    for arm, base in without.items():
        found = []
        for seed in range(20 if soak else 6):
            told = np.random.default_rng([7, seed]).permutation(task.y)
            found.append(right(go_through(task, model, arm, told_y=told), task))
        assert np.mean(found) <= base + 0.02 * len(task.y), arm


@pytest.mark.parametrize("decoder", DECODERS)
def test_no_past_decision_moves_with_the_future(days: list[Recording], decoder: str) -> None:
    """Other signals and cues after a time change nothing, to the last bit, of what came before."""
    last = days[-1]
    half_s = 2.0 + 5.0 * 18 - 1.0
    at = round(half_s * last.info.rate_hz)
    samples = last.samples.copy()
    samples[at:] = 3 * samples[at:][::-1]
    labels = [m.label for m in last.markers if m.time_s > half_s and m.label in CLASSES][::-1]
    markers = []
    for marker in last.markers:
        changed = marker.time_s > half_s and marker.label in CLASSES
        markers.append(replace(marker, label=labels.pop(0)) if changed else marker)
    other = replace(last, samples=samples, markers=tuple(markers))
    task, changed_task = of(days), of([*days[:-1], other])
    model = task.fit(decoder)
    n_before = len(task.y) - 18
    for arm in arms_of(model):
        before, after = (go_through(t, model, arm).probabilities for t in (task, changed_task))
        np.testing.assert_array_equal(before[:n_before], after[:n_before])
        assert not np.array_equal(before[n_before:], after[n_before:])


def test_nothing_but_the_first_day_enters_the_model(days: list[Recording]) -> None:
    """Whatever the later days hold, the model is the same to the last bit."""
    probe = cut_epochs(days[:1], SETTINGS).X
    one, other = of(days), of([days[0], *noise_instead(permuted_cues(days[1:], 0), 0)])
    for decoder in DECODERS:
        np.testing.assert_array_equal(
            one.fit(decoder).probabilities(probe), other.fit(decoder).probabilities(probe)
        )


@pytest.mark.parametrize("name", ["left_hand", "right_hand", "feet"])
def test_recentering_does_not_collapse_on_one_class(
    days: list[Recording], make_session: Make, name: str
) -> None:
    """Sixty trials of one class in a row pull the reference; that class is decided all the same."""
    stream = make_session("p_ses-2.xdf", 60, n_classes=3, only=name, seed=9, day=1)
    task = of([days[0], stream])
    model = task.fit("ts-lr")
    only = task.training.classes.index(name)
    assert set(task.y) == {only}
    frozen, recentred = (
        go_through(task, model, arm).chosen[20:] == only for arm in ("frozen", "recenter")
    )
    assert recentred.mean() > frozen.mean() - 0.1
    assert recentred.mean() > 0.6


def test_filters_fitted_with_the_test_trials_are_caught(make_session: Make) -> None:
    """CSP that has seen the test trials' labels fails the check that an honest one passes."""
    noise = [
        make_session(f"p_ses-{k}.xdf", 30, n_channels=32, depth=0.0, seed=20 + k) for k in (1, 2)
    ]
    task = of(noise)
    honest = task.fit("csp-lda")
    leaking = fit_model(cut_epochs(noise, SETTINGS), noise, "csp-lda", recenter_s=120.0)
    for arm in ("frozen", "recenter", "reward+recenter"):
        assert at_chance(right(go_through(task, honest, arm), task), task)
    assert not at_chance(right(go_through(task, leaking, "frozen"), task), task)


def test_filters_alone_are_enough_to_leak(make_session: Make) -> None:
    """Even where only the spatial filters saw the test trials, and no rule did, it is caught."""
    noise = [
        make_session(f"p_ses-{k}.xdf", 30, n_channels=32, depth=0.0, seed=30 + k) for k in (1, 2)
    ]
    every = cut_epochs(noise, SETTINGS)
    task = of(noise)
    seen = make_decoder("csp-lda", channels=every.channels, rate_hz=every.rate_hz)
    seen.fit(every.X, every.y, groups=every.trials)
    filtered = [
        replace(r, samples=r.samples @ seen.filters_.T, info=_of_components(r, len(seen.filters_)))
        for r in noise
    ]
    leaking = of(filtered)
    assert at_chance(right(go_through(task, task.fit("csp-lda"), "frozen"), task), task)
    model = leaking.fit("ts-lr")
    assert not at_chance(right(go_through(leaking, model, "frozen"), leaking), leaking)


def _of_components(recording: Recording, n: int) -> StreamInfo:
    return replace(recording.info, channels=recording.info.channels[:n])
