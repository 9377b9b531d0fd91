"""Whole runs as if they came in: the online path, its account, and nothing leaked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import matthews_corrcoef

from bci.config import EpochSettings, OnlineSettings
from bci.errors import InputError, SettingsError, TrialError
from bci.evaluation import Protocol, PseudoOnlineTask, compare, evaluate_pseudo_online, train_model
from bci.evaluation import pseudo_online as module
from bci.evaluation.episodes import account
from bci.evaluation.outcomes import Windows
from bci.evaluation.transfer import transfer_rate, wolpaw_bits
from bci.evaluation.truth import OTHER, Truth
from bci.online.replay import replay
from bci.sources.recording import Recording

Make = Callable[..., Recording]
SETTINGS = EpochSettings.make(band_hz=(8.0, 30.0), window_s=(0.5, 3.5), length_s=1.5, step_s=0.5)
HOP = OnlineSettings.make(hop_s=0.25, threshold=0.0)
RUNS = Protocol(name="leave-one-run-out")


def runs(make_run: Make, n: int = 3, **options: Any) -> list[Recording]:
    """Make runs of one person."""
    return [make_run(f"run{k}.xdf", seed=k, **options) for k in range(n)]


def by_hand(said: str, labels: str, *, withheld: tuple[int, ...] = ()) -> Windows:
    """Write decisions as letters: L and R commands, . idle, x another class; one every 10."""
    index = {"L": 0, "R": 1, ".": 2, "x": OTHER}
    n = len(said)
    return Windows(
        runs=np.zeros(n, np.int64),
        ends=10 * np.arange(1, n + 1),
        said=np.array([index[letter] for letter in said]),
        labels=np.array([index[letter] for letter in labels]),
        withheld=np.isin(np.arange(n), withheld),
    )


def test_the_account_is_the_one_that_is_counted_by_hand() -> None:
    """Hits, wrong, missed, alarms, times, and the rate: on decisions that can be counted."""
    truth = Truth(
        np.array([20, 90, 150]), np.array([50, 120, 180]), np.array([0, 1, 0]), n_samples=210
    )
    found = by_hand(
        "..LLLLRR..LRR.LRR....",
        "...LLL....RRR...LLL..",
        withheld=(15,),
    )
    result = account(
        "made", "p", [found], [truth], ("left", "right", "idle"), 2, length=20, hop=10, rate_hz=10.0
    )
    # A decision falls at 10 times its number, from 1. Trials hold decisions 3-5, 10-12, 16-18.
    # Trial 0: L at 30, right. Trial 1: L at 110 is wrong, R at 120. Trial 2: R at 160 is wrong.
    assert (result.n_trials, result.n_windows, result.n_withheld) == (3, 21, 1)
    assert result.hits.mean == pytest.approx(1 / 3)
    assert result.wrong.mean == pytest.approx(2 / 3)
    assert result.missed.mean == 0
    # In the rest: L at 60 is excused, its window holds samples of trial 0. R at 70 and 80 is one
    # false alarm, R at 130 is excused, L at 150 is another.
    rest_min = 12 / 60
    assert result.idle_min == pytest.approx(rest_min)
    assert result.false_alarms_per_min.mean == pytest.approx(2 / rest_min)
    exact = stats.chi2.ppf([0.025, 0.975], [4, 6]) / 2 / rest_min
    assert result.false_alarms_per_min.low == pytest.approx(exact[0])
    assert result.false_alarms_per_min.high == pytest.approx(exact[1])
    assert result.first_correct_s is not None
    assert result.first_correct_s.mean == pytest.approx((1.0 + 3.0) / 2)
    assert result.nmcc.mean == pytest.approx((matthews_corrcoef(found.labels, found.said) + 1) / 2)
    assert result.itr_bits_per_min == 0


def test_a_decoder_that_says_one_class_for_ever_has_alarms_after_every_other() -> None:
    """It answers no cue, and is excused for a window's length behind its trial, no longer."""
    truth = Truth(np.array([20, 90]), np.array([50, 120]), np.array([0, 1]), n_samples=150)
    found = by_hand("L" * 15, "...LLL...RRR...")
    result = account(
        "made", "p", [found], [truth], ("left", "right", "idle"), 2, length=10, hop=10, rate_hz=10.0
    )
    assert (result.hits.mean, result.wrong.mean, result.missed.mean) == (0, 0, 1)
    assert result.first_correct_s is None
    # Before the first trial, between the two, and behind the second.
    assert result.false_alarms_per_min.mean == pytest.approx(3 / (9 / 60))


def test_a_class_that_is_not_asked_for_counts_nowhere() -> None:
    """Its windows are neither trials nor rest: a command in them is no alarm."""
    truth = Truth(np.array([20, 70]), np.array([50, 110]), np.array([0, OTHER]), n_samples=130)
    found = by_hand("..LLL..RRRRRR", "..LLL..xxxx..")
    result = account(
        "made", "p", [found], [truth], ("left", "right", "idle"), 2, length=10, hop=10, rate_hz=10.0
    )
    assert (result.n_trials, result.n_windows) == (1, 9)
    # Of the rest's commands the one at 120 starts where no sample of the other class is left.
    assert result.false_alarms_per_min.mean == pytest.approx(1 / (6 / 60))


@pytest.mark.parametrize(
    ("p", "n", "bits"), [(1, 2, 1), (1, 4, 2), (0.8, 4, 0.9610), (0.5, 2, 0), (0.1, 2, 0)]
)
def test_wolpaws_bits(p: float, n: int, bits: float) -> None:
    """Known values; at chance and below there is nothing."""
    assert wolpaw_bits(p, n) == pytest.approx(bits, abs=1e-4)
    assert transfer_rate(p, n, 4.0) == pytest.approx(15 * bits, abs=1e-2)


def test_decisions_are_those_of_a_replay_with_a_model_of_the_other_runs(make_run: Make) -> None:
    """The very online path: `train_model` on the training runs, `replay` of the test run."""
    recordings = runs(make_run, effect=0.5)
    online = OnlineSettings.make(hop_s=0.25, threshold=0.7, dwell_s=0.5)
    task = PseudoOnlineTask.of(recordings, SETTINGS, RUNS, rule="threshold", online=online)
    found = task.decide(task.splits()[1], "ts-lr")
    model = train_model([recordings[0], recordings[2]], task.settings, "ts-lr", cv=False)
    decisions = replay(recordings[1], model, online).decisions
    expected = [("left_hand", "right_hand", None).index(d.label) for d in decisions]
    assert found.said.tolist() == expected
    assert found.ends.tolist() == [d.sample for d in decisions]
    assert set(found.said) == {0, 1, 2}


@pytest.mark.parametrize("rule", ["class", "threshold"])
@pytest.mark.parametrize("protocol", [RUNS, Protocol(folds=4)], ids=["by run", "by trial"])
def test_noise_is_at_chance_and_an_effect_is_found(
    make_run: Make, rule: str, protocol: Protocol
) -> None:
    """Noise has an nMCC of .5; a strong effect is decided right, with its idle class too."""
    found = {}
    online = HOP if rule == "class" else OnlineSettings.make(hop_s=0.25, threshold=0.9)
    for effect in (0.0, 3.0):
        task = PseudoOnlineTask.of(
            runs(make_run, effect=effect), SETTINGS, protocol, rule=rule, online=online
        )
        found[effect] = evaluate_pseudo_online(task, "ts-lr")
    noise, strong = found[0.0], found[3.0]
    assert noise.nmcc.mean == pytest.approx(0.5, abs=0.05)
    assert noise.n_trials == strong.n_trials == 30
    assert strong.hits.mean > (0.9 if rule == "class" else 0.8)
    assert strong.nmcc.mean > (0.85 if rule == "class" else 0.6)
    assert strong.counts.sum() == strong.n_windows
    assert strong.first_correct_s is not None
    assert 0 < strong.first_correct_s.mean < 1.5
    if rule == "class":
        assert strong.false_alarms_per_min.mean < 4
        assert strong.itr_bits_per_min > 10
        difference = compare(strong, noise)
        assert difference.metric == "nmcc"
        assert difference.mean == pytest.approx(strong.nmcc.mean - noise.nmcc.mean)


def reached(task: PseudoOnlineTask) -> list[float]:
    """Return, for each split, how near training comes to a sample that a test window reaches."""
    nearest = []
    for split in task.splits():
        gaps = [
            max(a.first - b.stop, (b.first - task.length) - a.stop)
            for a in split.train
            for b in split.test
            if a.run == b.run
        ]
        nearest.append(min(gaps, default=np.inf))
    return nearest


def test_training_keeps_a_window_away_and_the_double_that_does_not_is_caught(
    make_run: Make,
) -> None:
    """With the purge a window lies between; without it training and test share samples."""
    task = PseudoOnlineTask.of(runs(make_run), SETTINGS, Protocol(folds=4), online=HOP)
    assert min(reached(task)) >= task.length
    assert min(reached(replace(task, purge=False))) < 0
    assert reached(replace(task, protocol=RUNS)) == [np.inf] * 3
    tested = [(b.run, b.first, b.stop) for split in task.splits() for b in split.test]
    for run in range(3):
        edges = sorted((first, stop) for r, first, stop in tested if r == run)
        assert edges[0][0] == 0
        assert edges[-1][1] == task.truths[run].n_samples
        assert [stop for _, stop in edges[:-1]] == [first for first, _ in edges[1:]]


@pytest.mark.parametrize("protocol", [RUNS, Protocol(folds=4)], ids=["by run", "by trial"])
def test_nothing_of_the_test_part_is_in_the_model(
    make_run: Make, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    """Test samples a hundred times larger leave decoder, limits and reference as they were."""
    recordings = runs(make_run, effect=0.5)
    seen: list[Any] = []
    fit = module.fit_model

    def remembering(*args: Any, **options: Any) -> Any:
        seen.append(fit(*args, **options))
        return seen[-1]

    monkeypatch.setattr(module, "fit_model", remembering)
    task = PseudoOnlineTask.of(recordings, SETTINGS, protocol, online=HOP, recenter_s=60.0)
    split = task.splits()[1]
    task.decide(split, "ts-lr")
    louder = list(recordings)
    for stretch in split.test:
        samples = louder[stretch.run].samples.copy()
        begin = max(0, stretch.first - task.length)
        samples[begin : stretch.stop] *= 100
        louder[stretch.run] = replace(louder[stretch.run], samples=samples)
    replace(task, recordings=tuple(louder)).decide(split, "ts-lr")
    before, after = seen
    np.testing.assert_array_equal(before.artifact_limit_v, after.artifact_limit_v)
    for name in ("references", "class_means"):
        for a, b in zip(
            getattr(before.recentering, name), getattr(after.recentering, name), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    X = np.random.default_rng(0).standard_normal((5, 6, 150))
    np.testing.assert_array_equal(
        before.estimator.predict_proba(X), after.estimator.predict_proba(X)
    )


def test_a_cued_rest_may_be_the_idle_class(make_run: Make) -> None:
    """Imagery against rest: rest between trials joins the class, and there is one command."""
    settings = SETTINGS.model_copy(
        update={"event_map": {"left_hand": "rest", "right_hand": "right_hand"}}
    )
    task = PseudoOnlineTask.of(runs(make_run, effect=2.0), settings, RUNS, idle="rest", online=HOP)
    result = evaluate_pseudo_online(task, "ts-lr")
    assert result.classes == ("rest", "right_hand")
    assert result.n_trials == 15
    assert result.itr_bits_per_min is None
    assert result.as_dict()["idle"] == "rest"


@pytest.mark.parametrize("name", ["rest", "idle"])
def test_a_class_that_is_called_idle_or_rest_is_it(make_run: Make, name: str) -> None:
    """Unless another is named, trials cued to rest are idle, and no third class is made."""
    settings = SETTINGS.model_copy(
        update={"event_map": {"left_hand": name, "right_hand": "right_hand"}}
    )
    task = PseudoOnlineTask.of(runs(make_run), settings, RUNS)
    assert set(task.classes) == {name, "right_hand"}
    assert task.classes[task.idle] == name
    other = PseudoOnlineTask.of(runs(make_run), SETTINGS, RUNS)
    assert other.classes == ("left_hand", "right_hand", "idle")


def test_permuting_cues_leaves_their_times_and_numbers(make_run: Make) -> None:
    """Within each recording the same labels at the same times, in another order; all else stays."""
    task = PseudoOnlineTask.of(runs(make_run), SETTINGS, RUNS)
    first, second = (task.relabelled(markers) for markers in task.permuted(2))
    for shuffled in (first, second):
        for old, new in zip(task.recordings, shuffled.recordings, strict=True):
            assert [m.time_s for m in new.markers] == [m.time_s for m in old.markers]
            assert sorted(m.label for m in new.markers) == sorted(m.label for m in old.markers)
            ends = [k for k, m in enumerate(old.markers) if m.label == "trial_end"]
            assert all(new.markers[k].label == "trial_end" for k in ends)
        for old, new in zip(task.truths, shuffled.truths, strict=True):
            assert np.array_equal(old.starts, new.starts)
            assert np.array_equal(old.stops, new.stops)
    assert any(
        not np.array_equal(a.labels, b.labels)
        for a, b in zip(first.truths, second.truths, strict=True)
    )


def test_a_p_value_tells_an_effect_from_noise(make_run: Make) -> None:
    """With classes told apart no permutation comes near; noise is one of its permutations."""

    def p_value(effect: float, seed: int) -> float:
        made = [make_run(f"run{k}.xdf", 6, effect=effect, seed=10 * seed + k) for k in range(2)]
        task = PseudoOnlineTask.of(made, SETTINGS, RUNS, online=HOP)
        result = evaluate_pseudo_online(task, "mdm", permutations=9)
        assert result.n_permutations == 9
        assert result.as_dict()["p_value"] == result.p_value
        return result.p_value

    assert p_value(2.0, 0) == 0.1
    assert 0.25 < np.mean([p_value(0.0, seed) for seed in range(5)]) < 0.85


def test_labels_that_cannot_be_permuted_are_one_line(make_run: Make) -> None:
    """Where each recording holds one class there is nothing to exchange within it."""
    alike = [
        replace(
            run,
            markers=tuple(
                replace(m, label=name) if m.label.endswith("hand") else m for m in run.markers
            ),
        )
        for run, name in zip(runs(make_run, 2), ("left_hand", "right_hand"), strict=True)
    ]
    task = PseudoOnlineTask.of(alike, SETTINGS, Protocol(folds=2))
    with pytest.raises(TrialError, match="--permutations: no recording has trials of two classes"):
        list(task.permuted(1))
    assert list(task.permuted(0)) == []


@pytest.mark.parametrize(
    ("options", "protocol", "kind", "words"),
    [
        ({}, Protocol(folds=40), TrialError, ["--folds 40", "30 trials", "run0.xdf"]),
        ({}, Protocol(folds=1), TrialError, ["--folds 1"]),
        ({}, Protocol(name="cross-session"), TrialError, ["run0.xdf", "--sessions"]),
        ({"rule": "threshold", "idle": "left_hand"}, RUNS, SettingsError, ["left_hand", "class"]),
    ],
    ids=["more folds than trials", "one fold", "no sessions", "idle is a class"],
)
def test_what_is_lacking_is_one_line(
    make_run: Make,
    options: dict[str, Any],
    protocol: Protocol,
    kind: type[InputError],
    words: list[str],
) -> None:
    """The line names the value and what to do."""
    with pytest.raises(kind) as caught:
        PseudoOnlineTask.of(runs(make_run), SETTINGS, protocol, **options).splits()
    for word in words:
        assert word in str(caught.value)
