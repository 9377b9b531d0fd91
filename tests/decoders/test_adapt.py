"""Arms: what each learns from what it is told, and what must never happen while it does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.decoders import (
    CovarianceDecoder,
    Model,
    Recentering,
    RunningReference,
    load_model,
    make_decoder,
)
from bci.decoders.adapt import ARMS, Revealed, arms_for, make_adapter, reference_for, with_arm
from bci.decoders.adapt_bandit import Correction, Optimist
from bci.errors import InputError, SettingsError
from bci.riemann import riemannian_mean

RATE_HZ = 100.0
EPOCHS = EpochSettings(window_s=(0.5, 2.9), length_s=1.2, step_s=0.6)
LEARNS = [arm for arm in ARMS if arm not in ("frozen", "recenter")]


def model_of(X, y, decoder="ts-lr", *, recenter=True):
    """Return a model of windows of 1.2 s at 100 Hz."""
    classes = tuple(sorted(set(y.tolist())))
    channels = tuple(f"E{k}" for k in range(X.shape[1]))
    estimator = make_decoder(decoder, channels=channels, rate_hz=RATE_HZ).fit(X, y)
    recentering = None
    if recenter and isinstance(estimator, CovarianceDecoder):
        stacks = estimator.covariances(X)
        recentering = Recentering(
            tuple(riemannian_mean(C) for C in stacks),
            tuple(np.stack([riemannian_mean(C[y == k]) for k in classes]) for C in stacks),
            20.0,
        )
    limit = np.full(X.shape[1], 1.0)
    return Model(
        channels, RATE_HZ, EPOCHS, classes, estimator, limit, decoder, recentering=recentering
    )


@pytest.fixture(scope="module")
def model(make_trials):
    """Return a model of three classes that can follow its reference point."""
    return model_of(*make_trials(n_classes=3))


@pytest.fixture(scope="module")
def trials(make_trials, model):
    """Return windows of trials, four a trial, and their classes as numbers."""
    X, y = make_trials(n_per_class=60, n_classes=3, seed=1)
    order = np.argsort(y, kind="stable")
    grouped = X[order].reshape(-1, 4, *X.shape[1:])
    labels = np.array([model.classes.index(name) for name in y[order][::4]])
    shuffled = np.random.default_rng(2).permutation(len(labels))
    return grouped[shuffled], labels[shuffled]


def go_through(adapter, trials, told):
    """Let an arm decide and learn; return what it chose and its probabilities."""
    chosen, said = [], []
    for windows, y in zip(*trials, strict=True):
        p = adapter.probabilities(windows)
        said.append(p)
        chosen.append(int(p.mean(axis=0).argmax()))
        adapter.observe(windows)
        adapter.reveal(windows, chosen[-1], told(chosen[-1], int(y)))
    return np.array(chosen), np.array(said)


def everything(chosen, y):
    """Tell class and reward."""
    return Revealed(y, float(chosen == y))


def only_reward(chosen, y):
    """Tell right and wrong alone."""
    return Revealed(None, float(chosen == y))


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_begins_as_the_trained_decoder_to_the_last_bit(arm, model, trials):
    """Its prior is the calibration: before anything was revealed it decides the same."""
    windows = trials[0][0]
    p = make_adapter(arm, model).probabilities(windows)
    assert np.array_equal(p, model.probabilities(windows))


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("arm", ARMS)
def test_the_same_calls_give_the_same_bits_also_from_a_state_that_went_through_json(
    arm, guard, model, trials
):
    """Deterministic; an arm that carries on from a written state goes on as the first would."""
    first = make_adapter(arm, model, guard=guard)
    again = make_adapter(arm, model, guard=guard)
    half = len(trials[1]) // 2
    before = tuple(part[:half] for part in trials)
    after = tuple(part[half:] for part in trials)
    _, said = go_through(first, before, everything)
    _, said_again = go_through(again, before, everything)
    assert np.array_equal(said, said_again)
    resumed = make_adapter(arm, model, guard=guard)
    resumed.carry_on(json.loads(json.dumps(first.state)))
    assert resumed.state == first.state
    _, said = go_through(first, after, everything)
    _, said_resumed = go_through(resumed, after, everything)
    assert np.array_equal(said, said_resumed)
    assert resumed.state == first.state


@pytest.mark.parametrize("arm", ARMS)
def test_a_copy_goes_on_by_itself(arm, model, trials):
    """What a copy learns does not reach the arm that it was taken from."""
    adapter = make_adapter(arm, model)
    before, windows = adapter.state, trials[0][0]
    copy = adapter.copy()
    go_through(copy, tuple(part[:5] for part in trials), everything)
    assert adapter.state == before
    assert np.array_equal(adapter.probabilities(windows), model.probabilities(windows))
    if arm != "frozen":
        assert copy.state != before


@pytest.mark.parametrize("arm", ARMS)
def test_a_windows_bits_do_not_depend_on_its_company(arm, model, trials):
    """One by one or all together, an arm that has learned says the same."""
    adapter = make_adapter(arm, model)
    go_through(adapter, tuple(part[:6] for part in trials), everything)
    windows = trials[0][7]
    alone = [adapter.probabilities(window[None])[0] for window in windows]
    assert np.array_equal(adapter.probabilities(windows), np.array(alone))
    assert np.allclose(np.sum(alone, axis=1), 1.0)


@pytest.mark.parametrize("arm", ARMS)
def test_the_future_moves_no_past_decision(arm, model, trials):
    """Trials changed, and outcomes flipped, from the tenth on: the first ten stay bit for bit."""
    changed = trials[0].copy(), (trials[1] + 1) % 3
    changed[0][10:] *= 3.0
    changed[1][:10] = trials[1][:10]
    _, said = go_through(make_adapter(arm, model, guard=True), trials, everything)
    _, other = go_through(make_adapter(arm, model, guard=True), changed, everything)
    assert np.array_equal(said[:10], other[:10])
    assert not np.array_equal(said[10:], other[10:])


@pytest.mark.parametrize("arm", [a for a in LEARNS if "reward" in a or "linucb" in a])
def test_an_arm_of_rewards_never_looks_at_the_class(arm, model, trials):
    """With the class told beside the reward, or a wrong one, it learns the same."""
    states = []
    for tell in (
        everything,
        only_reward,
        lambda chosen, y: Revealed((y + 1) % 3, float(chosen == y)),
    ):
        adapter = make_adapter(arm, model)
        go_through(adapter, trials, tell)
        states.append(adapter.state)
    assert states[0] == states[1] == states[2]


def test_frozen_and_recentering_arms_ignore_what_is_revealed(model, trials):
    """They are told everything and decide as if they were told nothing."""
    for arm in ("frozen", "recenter"):
        told, untold = make_adapter(arm, model), make_adapter(arm, model)
        _, a = go_through(told, trials, everything)
        _, b = go_through(untold, trials, lambda chosen, y: Revealed())
        assert np.array_equal(a, b)
        if arm == "frozen":
            assert np.array_equal(a[-1], model.probabilities(trials[0][-1]))


def test_recentering_arm_is_the_running_reference_of_the_online_decoder(model, trials):
    """Observed window by window it moves as `RunningReference` does, to the last bit."""
    adapter = make_adapter("recenter", model, hop_s=0.6)
    reference = RunningReference(model.recentering, 120, RATE_HZ)
    end = 0
    for window in trials[0][:8].reshape(-1, *trials[0].shape[2:]):
        C = model.estimator.covariances(window[None])
        expected = model.probabilities_from(reference.transformed(C))
        assert np.array_equal(adapter.probabilities(window[None]), expected)
        reference.learn(C, end)
        adapter.observe(window[None])
        end += 60
    assert adapter.state["reference"] == reference.state
    assert adapter.moved_db == reference.moved_db


def test_with_two_classes_and_a_clean_reward_the_reward_is_the_label(make_trials):
    """The policy without flips makes the very steps of the supervised rule."""
    X, y = make_trials(n_per_class=40, seed=3)
    two = model_of(*make_trials())
    order = np.argsort(y, kind="stable")
    groups = X[order].reshape(-1, 4, *X.shape[1:])
    labels = np.repeat([0, 1], 10)
    mixed = np.random.default_rng(0).permutation(20)
    trials = groups[mixed], labels[mixed]
    _, supervised = go_through(make_adapter("supervised", two), trials, everything)
    adapter = make_adapter("reward+recenter", two, flips=0.0, rate=1.0)
    _, rewarded = go_through(adapter, trials, only_reward)
    assert np.allclose(supervised, rewarded, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("decoder", "arm", "params"),
    [
        ("ts-lr", "supervised", {}),
        ("ts-lr", "reward", {"rate": 1.0}),
        ("ts-lr", "linucb", {"ridge": 2.0}),
        ("csp-lda", "reward+recenter", {"rate": 1.0}),
        ("mdm", "supervised", {}),
        ("mdm", "reward", {"rate": 1.0}),
        ("fgmdm", "supervised", {}),
        ("psd-lda", "reward", {"rate": 1.0}),
    ],
)
def test_a_decoder_whose_classes_were_exchanged_is_set_right(decoder, arm, params, make_trials):
    """Two classes have changed places since training: what is told sets it right."""
    made = {"n_channels": 4, "effect": 0.75}
    model = model_of(*make_trials(n_per_class=15, **made), decoder)
    X, y = make_trials(n_per_class=80, seed=4, **made)
    swapped = 1 - np.array([model.classes.index(name) for name in y])
    adapter = make_adapter(arm, model, **params)
    chosen, _ = go_through(adapter, (X[:, None], swapped), everything)
    frozen = (model.probabilities(X).argmax(axis=1) == swapped).mean()
    late = (chosen[-40:] == swapped[-40:]).mean()
    assert frozen < 0.45
    assert late > frozen + 0.25


def test_the_policys_step_is_the_gradient_of_what_was_said():
    """Against finite differences of the log-probability of the reward, for flips of 20 %."""
    rng = np.random.default_rng(0)
    p, v = rng.dirichlet(np.ones(3), 1), rng.standard_normal((1, 5))
    rule = Correction(
        "reward", rng.normal(0, 0.1, (3, 5)), power=1.0, n=9, rate=0.01, anchor=0.0, flips=0.2
    )

    def said(weights, reward):
        pi = replace(rule, weights=weights).probabilities(p, v)[0, 1]
        q = 0.2 + 0.6 * pi
        return np.log(q if reward else 1 - q)

    for reward in (1.0, 0.0):
        after = rule.learned(p, v, 1, Revealed(None, reward))
        step = (after.weights - rule.weights) * after.power / 0.01
        found = np.empty((3, 5))
        for at in np.ndindex(3, 5):
            nudge = np.zeros((3, 5))
            nudge[at] = 1e-6
            rise = said(rule.weights + nudge, reward) - said(rule.weights - nudge, reward)
            found[at] = rise / 2e-6
        assert np.allclose(step, found, rtol=1e-5, atol=1e-8)


def test_the_bandits_inverse_and_bound_are_those_of_ridge_regression():
    """Against solving the normal equations of everything that a class was rewarded for."""
    rng = np.random.default_rng(1)
    rule = Optimist.new(3, optimism=0.3, ridge=2.0)
    seen = {k: ([], []) for k in range(3)}
    for _ in range(40):
        p = rng.dirichlet(np.ones(3), 1)
        logs = np.log(p) - np.log(p).mean()
        x = np.append(np.clip(logs[0], -4, 4) / 4, 1.0)
        a, r = int(rng.integers(3)), float(rng.integers(2))
        rule = rule.learned(p, np.empty((1, 0)), a, Revealed(None, r))
        seen[a][0].append(x)
        seen[a][1].append(r - p[0, a])
    p = rng.dirichlet(np.ones(3), 1)
    x = np.append((np.log(p) - np.log(p).mean())[0] / 4, 1.0)
    bounds = []
    for k in range(3):
        D, c = np.array(seen[k][0]), np.array(seen[k][1])
        A = 2.0 * np.eye(4) + D.T @ D
        theta = np.linalg.solve(A, D.T @ c)
        bounds.append(p[0, k] + theta @ x + 0.3 * np.sqrt(x @ np.linalg.solve(A, x)))
    said = rule.probabilities(p, np.empty((1, 0)))[0]
    assert np.array_equal(np.argsort(said), np.argsort(bounds))


def test_lost_and_senseless_rewards_teach_nothing_or_little(model, trials):
    """No reward leaves the state as it was; one beyond 0 and 1 counts as these."""
    windows = trials[0][0]
    for arm in ("reward", "linucb"):
        adapter = make_adapter(arm, model)
        before = adapter.state
        adapter.reveal(windows, 0, Revealed(None, None))
        assert adapter.state == before
        other = adapter.copy()
        adapter.reveal(windows, 0, Revealed(None, 1.0))
        other.reveal(windows, 0, Revealed(None, 1e9))
        assert adapter.state == other.state


def test_a_late_reward_teaches_about_the_trial_it_belongs_to(model, trials):
    """Three trials late, the windows and the choice of then are what is learned from."""
    on_time, late = make_adapter("reward", model), make_adapter("reward", model)
    reveals = [(w, 0, Revealed(None, float(y == 0))) for w, y in zip(*trials, strict=True)][:6]
    for reveal in reveals:
        on_time.reveal(*reveal)
    for _ in range(3):
        late.probabilities(trials[0][9])
    for reveal in reveals:
        late.reveal(*reveal)
    assert late.state == on_time.state


def test_an_update_that_raises_leaves_the_old_state(model, trials):
    """Windows that are no numbers, of another size, a class that there is not: nothing changes."""
    for arm in LEARNS:
        adapter = make_adapter(arm, model, guard=True)
        go_through(adapter, tuple(part[:3] for part in trials), everything)
        before, said = adapter.state, adapter.probabilities(trials[0][5])
        broken = trials[0][4].copy()
        broken[1, 2, 3] = np.nan
        for windows in (broken, trials[0][4][:, :3]):
            with pytest.raises((InputError, ValueError)):
                adapter.reveal(windows, 1, Revealed(1, 1.0))
        with pytest.raises((KeyError, TypeError)):
            adapter.carry_on({"arm": "another"})
        assert adapter.state == before
        assert np.array_equal(adapter.probabilities(trials[0][5]), said)


def test_a_stream_of_one_class_does_not_collapse_recentering(model, trials):
    """After forty trials of one class the other classes are still decoded above chance.

    Recentering must drift toward the class that it sees; it must not say that class, or another,
    whatever comes.
    """
    X, y = trials
    first = X[y == 0]
    for arm in ("recenter", "pseudo"):
        adapter = make_adapter(arm, model)
        for _ in range(4):
            for windows in first[:10]:
                chosen = int(adapter.probabilities(windows).mean(axis=0).argmax())
                adapter.observe(windows)
                adapter.reveal(windows, chosen, Revealed())
        assert np.isfinite(adapter.moved_db)
        assert adapter.moved_db < 6.0
        decided = [adapter.probabilities(w).mean(axis=0).argmax() for w in X]
        per_class = [np.mean(np.array(decided)[y == k] == k) for k in range(3)]
        assert min(per_class) > 0.3
        assert np.mean(decided == y) > 0.5


def test_windows_without_signal_do_not_move_the_reference(model, trials):
    """Singular windows (all channels flat) leave it where it is, and the next one moves it."""
    adapter = make_adapter("recenter", model)
    adapter.observe(np.zeros((3, *trials[0].shape[2:])))
    assert adapter.moved_db == pytest.approx(0.0, abs=1e-9)
    adapter.observe(trials[0][0])
    assert adapter.moved_db > 0


@pytest.mark.parametrize(
    ("decoder", "arms"),
    [
        ("ts-lr", tuple(ARMS)),
        ("csp-lda", tuple(ARMS)),
        ("acm-mdm", tuple(ARMS)),
        ("psd-lda", ("frozen", "supervised", "reward", "linucb")),
        ("bt-acm", ("frozen", "supervised", "reward", "linucb")),
        ("combined", ("frozen",)),
    ],
)
def test_arms_that_do_not_exist_for_a_decoder_are_refused_naming_those_that_do(
    decoder, arms, make_trials
):
    """Each that is listed can be made, decides and learns; the others name the listed ones."""
    X, y = make_trials(n_per_class=8, n_channels=3)
    model = model_of(X, y, decoder)
    assert arms_for(model) == arms
    for arm in ARMS:
        if arm not in arms:
            with pytest.raises(SettingsError, match="choose one of frozen"):
                make_adapter(arm, model)
            continue
        adapter = make_adapter(arm, model)
        adapter.observe(X[:2])
        adapter.reveal(X[:2], 0, Revealed(1, 0.0))
        assert np.allclose(adapter.probabilities(X).sum(axis=1), 1.0)


def test_without_recentering_the_arms_that_need_it_say_how_to_get_it(make_trials):
    """Tangent space can learn from rewards still; CSP has no reference point at all."""
    X, y = make_trials(n_per_class=8)
    tangent = model_of(X, y, recenter=False)
    assert arms_for(tangent) == ("frozen", "reward", "linucb")
    with pytest.raises(SettingsError, match="trained without recentering"):
        make_adapter("supervised", tangent)
    csp = model_of(X, y, "csp-lda", recenter=False)
    with pytest.raises(SettingsError, match="no reference point"):
        make_adapter("reward", csp)
    assert reference_for("reward", "csp-lda") == 120.0
    assert reference_for("reward", "psd-lda") is None
    assert reference_for("frozen", "csp-lda") is None
    with pytest.raises(SettingsError, match=r"does not exist for psd-lda.*frozen, supervised"):
        reference_for("recenter", "psd-lda")


@pytest.mark.parametrize(
    ("arm", "params", "match"),
    [
        ("teleport", {}, "unknown: choose one of frozen"),
        ("reward", {"speed": 1}, "its parameters are hop_s, rate"),
        ("reward", {"flips": 0.5}, "flips 0.5"),
        ("linucb", {"ridge": 0}, "ridge 0"),
        ("frozen", {"rate": 1}, "parameters are hop_s$"),
    ],
)
def test_bad_settings_are_one_line(arm, params, match, model):
    """An unknown arm or parameter, or one out of range, says what there is."""
    with pytest.raises(SettingsError, match=match) as caught:
        make_adapter(arm, model, **params)
    assert "\n" not in str(caught.value)


def test_a_model_file_keeps_the_arm(model, tmp_path):
    """Name and parameters are on its card and come back from the file."""
    chosen = with_arm(model, "reward+recenter", rate=0.5)
    chosen.save(tmp_path / "m.bci")
    assert load_model(tmp_path / "m.bci").card["adapt"] == {
        "arm": "reward+recenter",
        "params": {"rate": 0.5},
    }
    with pytest.raises(SettingsError, match="unknown"):
        with_arm(model, "teleport")
