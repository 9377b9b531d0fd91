"""RLEEGNet: components without a leak, one loss told two things, and what a session needs."""

import json
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_score

from bci.decoders import load_model, make_decoder
from bci.decoders.adapt import Revealed, make_adapter
from bci.errors import SettingsError
from bci.evaluation.online_adaptation import told_to
from bci.testing import AdapterSuite, DecoderSuite, made_model, made_trials

torch = pytest.importorskip("torch", reason="torch is not installed (extra rleegnet)")

#: Enough for made trials, and short.
QUICK = {"n_steps": 30}


class TestDecoder(DecoderSuite):
    """The contract of decoders."""

    name = "rleegnet"
    params = QUICK


class TestReward(AdapterSuite):
    """The contract of arms: told of right and wrong only."""

    name, decoder, told, params = "rleegnet-reward", "rleegnet", "reward", QUICK


class TestSupervised(AdapterSuite):
    """The contract of arms: told of classes only."""

    name, decoder, told, params = "rleegnet-supervised", "rleegnet", "label", QUICK


@pytest.fixture(scope="module")
def model():
    """Return a model of three classes."""
    return made_model("rleegnet", **QUICK)


def session(n, seed=3, *, moved=0.4, effect=0.5):
    """Return trials of a day with the electrodes elsewhere: three windows each, and classes."""
    X, y = made_trials(n, 3, seed=seed, moved=moved, effect=effect)
    classes = ["left_hand", "right_hand", "feet"]
    target = np.array([classes.index(name) for name in y])
    order = np.argsort(target, kind="stable")
    grouped = X[order].reshape(-1, 3, *X.shape[1:])
    labels = target[order][::3]
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    return grouped[shuffled], labels[shuffled]


def test_components_are_those_of_mne():
    """Filters and time courses of MNE's one-versus-rest CSP in csp_space, up to sign and scale."""
    from mne import use_log_level
    from mne.decoding import CSP

    from bci_rleegnet.components import components, one_versus_rest

    X, y = made_trials(40, 3, n_times=400)
    target = np.unique(y, return_inverse=True)[1]
    W = one_versus_rest(X, target, 2)
    assert W.shape == (6, 6)
    ours = components(X, W, 1)
    for k in range(3):
        with use_log_level("ERROR"):
            csp = CSP(2, transform_into="csp_space", cov_est="epoch").fit(X * 1e6, target == k)
            theirs = csp.transform(X * 1e6)
        for row in ours[:, 2 * k : 2 * k + 2].transpose(1, 0, 2):
            same = [abs(np.corrcoef(row.ravel(), t.ravel())[0, 1]) for t in theirs.swapaxes(0, 1)]
            assert max(same) > 0.995


def test_filters_come_of_training_windows_only():
    """Other test windows, other test labels: no filter and no weight moves; no label at use."""
    X, y = made_trials(20, 3)
    decoder = make_decoder("rleegnet", rate_hz=100.0, **QUICK)
    train, test = np.arange(40), np.arange(40, 60)
    first = decoder.fit(X[train], y[train])
    filters, p = first.filters_.copy(), first.predict_proba(X[test])
    X[test] *= 3
    y[test] = y[test][::-1]
    again = make_decoder("rleegnet", rate_hz=100.0, **QUICK).fit(X[train], y[train])
    assert_array_equal(again.filters_, filters)
    assert_array_equal(again.predict_proba(X[test] / 3), p)


def test_the_published_leak_would_be_seen():
    """Windows projected by the filters of their true class decode labels without meaning."""
    from bci_rleegnet.components import components, one_versus_rest

    rng = np.random.default_rng(0)
    X = 1e-5 * rng.standard_normal((80, 16, 100))
    target = rng.permutation(np.repeat(np.arange(4), 20))
    W = one_versus_rest(X, target, 4)
    signals = components(X, W, 1)
    own = np.stack([s[4 * k : 4 * k + 4] for s, k in zip(signals, target, strict=True)])
    # Each class's filters leave their mark in every window that they are applied to.
    powers = np.log(own.var(axis=2))
    leaked = cross_val_score(LinearDiscriminantAnalysis(), powers, target, cv=5).mean()
    honest = make_decoder("rleegnet", rate_hz=100.0, **QUICK)
    hits = [
        honest.fit(X[train], target[train]).predict(X[test]) == target[test]
        for train, test in ((np.arange(40), np.arange(40, 80)), (np.arange(40, 80), np.arange(40)))
    ]
    assert leaked > 0.3
    assert abs(np.mean(hits) - 0.25) < 0.2


def test_the_dqn_learns_calibration_from_right_and_wrong_alone():
    """Pre-trained by epsilon-greedy episodes, it decodes; other rewards make another network."""
    X, y = made_trials(30, 3, seed=1)
    unseen, truth = made_trials(20, 3, seed=2)
    dqn = make_decoder("rleegnet", rate_hz=100.0, told="reward", n_steps=150).fit(X, y)
    assert dqn.score(unseen, truth) > 0.7
    with pytest.raises(SettingsError, match="told 'cues'"):
        make_decoder("rleegnet", told="cues").fit(X, y)


def test_of_two_classes_and_clean_rewards_only_the_words_differ():
    """Right by reward is the label: the same step, to rounding, where the choice was right."""
    model = made_model("rleegnet", 2, **QUICK)
    arms = [
        make_adapter(f"rleegnet-{kind}", model, flips=0.0, seed=5)
        for kind in ("reward", "supervised")
    ]
    windows = made_trials(3, 2, seed=8)[0][:3]
    for arm in arms:
        arm.reveal(windows, 1, Revealed(1, 1.0))
    assert_array_equal(arms[0].probabilities(windows), arms[1].probabilities(windows))
    # Wrong of one is right of the other: 1 - Q of a class is Q of the other.
    arms[0].reveal(windows, 1, Revealed(0, 0.0))
    arms[1].reveal(windows, 1, Revealed(0, 0.0))
    assert_allclose(arms[0].probabilities(windows), arms[1].probabilities(windows), atol=1e-4)


@pytest.mark.parametrize("kind", ["reward", "supervised"])
def test_learning_follows_a_day_on_which_electrodes_sit_elsewhere(model, kind):
    """Over a day that was moved, what is told makes it better than frozen."""
    trials, labels = session(60)
    arm = make_adapter(f"rleegnet-{kind}", model, seed=1)
    frozen, adapted = [], []
    for windows, label in zip(trials, labels, strict=True):
        frozen.append(int(model.probabilities(windows).mean(axis=0).argmax()) == label)
        chosen = int(arm.probabilities(windows).mean(axis=0).argmax())
        adapted.append(chosen == label)
        arm.reveal(windows, chosen, Revealed(int(label), float(chosen == label)))
    late = slice(30, None)
    assert np.mean(adapted[late]) > np.mean(frozen[late]) + 0.02


def test_rewards_without_meaning_teach_nothing():
    """Rewards by a coin, and nothing has changed since training: not above frozen.

    Two standard errors of the difference over 80 trials are 8 points (measured over 8 days: +1 on
    average). Where something has changed, even they can help: see the arm. That no label gets in is
    asked by the suite (`is_told_nothing_else`).
    """
    X, y = made_trials(60, 3, seed=50, effect=0.8)
    model = made_model("rleegnet", n_steps=1)
    target = np.array([model.classes.index(name) for name in y])
    decoder = make_decoder("rleegnet", rate_hz=100.0, n_steps=120).fit(X, target)
    model = replace(model, estimator=decoder)
    frozen, adapted = [], []
    for seed in (3, 4):
        trials, labels = session(40, seed, moved=0.0, effect=0.8)
        arm, rng = make_adapter("rleegnet-reward", model, seed=seed), np.random.default_rng(seed)
        for windows, label in zip(trials, labels, strict=True):
            frozen.append(int(model.probabilities(windows).mean(axis=0).argmax()) == label)
            chosen = int(arm.probabilities(windows).mean(axis=0).argmax())
            adapted.append(chosen == label)
            arm.reveal(windows, chosen, Revealed(None, float(rng.integers(2))))
    assert len(frozen) == 80
    assert 0.5 < np.mean(frozen) < 0.9
    assert np.mean(adapted) <= np.mean(frozen) + 0.08


def test_no_pickle_is_in_a_model_file(model, tmp_path):
    """Weights are arrays; the card names the line that installs what the model needs."""
    path = tmp_path / "model.bci"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        card = json.loads(archive.read("card.json"))
        with zipfile.ZipFile(archive.open("estimator.skops")) as skops:
            assert all(n.endswith((".npy", "schema.json")) for n in skops.namelist())
            for name in skops.namelist():
                if name.endswith(".npy"):
                    np.load(skops.open(name), allow_pickle=False)
    assert card["plugin"] == {
        "distribution": "rolandic",
        "install": "pip install 'rolandic[rleegnet]'",
    }
    X, _ = made_trials(3, 3)
    assert_array_equal(load_model(path).probabilities(X), model.probabilities(X))


def test_an_arm_says_which_models_it_learns():
    """Another decoder's model, or a senseless parameter: one line."""
    with pytest.raises(SettingsError, match="this one is of 'ts-lr': train it with --decoder"):
        make_adapter("rleegnet-reward", made_model("ts-lr"))
    with pytest.raises(SettingsError, match=r"flips 0\.7"):
        make_adapter("rleegnet-reward", made_model("rleegnet", n_steps=2), flips=0.7)


def test_the_arms_are_told_what_their_names_say():
    """The benchmark tells one of rewards, the other of classes."""
    assert told_to("rleegnet-reward") == "reward"
    assert told_to("rleegnet-supervised") == "label"


def test_torch_keeps_to_one_thread_and_its_generator_is_left_alone():
    """Fitting draws from its own seed: the process's random numbers go on as they were."""
    X, y = made_trials(4)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    make_decoder("rleegnet", rate_hz=100.0, n_steps=3).fit(X, y)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == 1


def test_a_window_of_22_channels_is_decided_in_time():
    """Two seconds of 22 channels at 250 Hz, one core: under 10 ms (of the best third)."""
    X, y = made_trials(4, 3, n_channels=22, n_times=500)
    decoder = make_decoder("rleegnet", rate_hz=250.0, n_steps=2).fit(X, y)
    took = []
    for i in range(60):
        began = time.perf_counter()
        decoder.predict_proba(X[i % len(X)][None])
        took.append(time.perf_counter() - began)
    assert sorted(took)[20] < 0.010
