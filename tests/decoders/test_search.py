"""The search over order, lag, C and kernel."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from bci.config import EpochSettings
from bci.decoders import Model, load_model
from bci.decoders.choice import best_few, one_standard_error
from bci.decoders.chosen import ChosenDecoder
from bci.decoders.search import ACMSearchCV
from bci.errors import SettingsError
from bci.signal.epochs import cut_epochs
from bci.sources.labels import SENSORIMOTOR
from bci.sources.reading import open_recording

CS = (0.5, 1.0, 1.5)
SMALL = {"orders": (1, 2, 3), "lags": (1, 3)}


class Augment(TransformerMixin, BaseEstimator):
    """Stack delayed copies, (order - 1) * lag samples shorter (MOABB's: order * lag)."""

    def __init__(self, order=1, lag=1):
        self.order = order
        self.lag = lag

    def fit(self, X, y=None):
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        """Return the augmented windows."""
        lost = (self.order - 1) * self.lag
        return np.concatenate(
            [X[:, :, d : X.shape[2] - lost + d] for d in range(0, lost + 1, self.lag)], axis=1
        )


@pytest.fixture(scope="module")
def person(shared_data: Path):
    """Return S001's windows (sensorimotor channels), scaled to about 1, and classes."""
    settings = EpochSettings.make(
        event_map={"T1": "left_hand", "T2": "right_hand"}, channels=SENSORIMOTOR
    )
    runs = [shared_data / "eegmmidb" / f"S001R{run}.edf" for run in ("04", "08", "12")]
    epochs = cut_epochs([open_recording(path) for path in runs], settings)
    return epochs.X / epochs.X.std(), epochs.y


def peer(X, y, orders, lags, n_folds=3):
    """Search pyriemann's pipeline with scikit-learn; candidates in our order."""
    pipeline = make_pipeline(
        Augment(), Covariances("oas"), TangentSpace("riemann"), SVC(cache_size=50)
    )
    grid = [
        {
            "augment__order": [order],
            "augment__lag": [lag],
            "svc__C": CS,
            "svc__kernel": ["linear", "rbf"],
        }
        for order in orders
        for lag in (lags if order > 1 else [1])
    ]
    return GridSearchCV(pipeline, grid, cv=StratifiedKFold(n_folds), scoring="roc_auc").fit(X, y)


def same(ours, theirs):
    """Compare scores of all candidates and the choice."""
    assert len(ours.cv_results_["params"]) == len(theirs.cv_results_["params"])
    for mine, other in zip(ours.cv_results_["params"], theirs.cv_results_["params"], strict=True):
        assert mine == {key.partition("__")[2]: value for key, value in other.items()}
    for key in ("split0_test_score", "split2_test_score", "mean_test_score", "std_test_score"):
        assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], atol=1e-9, err_msg=key)
    # Where means are equal but for rounding, scikit-learn ranks by the rounding.
    means = theirs.cv_results_["mean_test_score"].round(12)
    assert_array_equal(ours.cv_results_["rank_test_score"], rankdata(-means, method="min"))
    assert ours.best_index_ == means.argmax()
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-9)


def test_full_equals_grid_search_on_a_recording(person):
    """Scores of every candidate and fold, ranks and choice are GridSearchCV's over pyriemann."""
    X, y = person
    ours = ACMSearchCV((1, 2, 4), (3,), CS, strategy="full").fit(X, y)
    same(ours, peer(X, y, (1, 2, 4), (3,)))


@pytest.mark.parametrize("seed", range(3))
def test_full_equals_grid_search_on_made_trials(make_trials, seed):
    """The same on made trials of a weak effect, where machines reach their limit C."""
    X, y = make_trials(n_per_class=15, effect=0.93, seed=seed)
    X = X / X.std()
    ours = ACMSearchCV(**SMALL, Cs=CS, strategy="full").fit(X, y)
    theirs = peer(X, y, SMALL["orders"], SMALL["lags"])
    same(ours, theirs)
    assert ours.best_score_ < 1


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_chosen_decoder_ranks_trials_as_the_peers_pipeline(person, kernel):
    """Refitted on all trials, new trials get the order that the chosen pyriemann pipeline gives."""
    X, y = person
    train, test = np.arange(30), np.arange(30, 45)
    search = ACMSearchCV((1, 2), (4,), (1.0,), (kernel,), strategy="full").fit(X[train], y[train])
    order, lag = search.best_params_["order"], search.best_params_["lag"]
    pipeline = make_pipeline(
        Augment(order, lag), Covariances("oas"), TangentSpace("riemann"), SVC(kernel=kernel)
    )
    theirs = pipeline.fit(X[train], y[train]).decision_function(X[test])
    ours = search.decision_function(X[test])
    slope, offset = np.polyfit(theirs, ours, 1)  # Platt's sigmoid
    assert slope > 0
    assert_allclose(ours, slope * theirs + offset, atol=2e-2 * np.ptp(ours))
    probabilities = search.predict_proba(X[test])
    assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-ours)), rtol=1e-9)
    assert_array_equal(search.predict(X[test]), probabilities.argmax(axis=1))
    alone = np.concatenate([search.predict_proba(X[k : k + 1]) for k in test])
    assert_array_equal(alone, probabilities)


def test_three_classes_are_scored_by_accuracy(make_trials):
    """With three classes accuracy decides, as in GridSearchCV, and all rules give probabilities."""
    X, y = make_trials(n_per_class=12, n_classes=3, effect=0.6)
    X = X / X.std()
    search = ACMSearchCV((1, 2), (2,), (1.0,), strategy="full").fit(X, y)
    grid = {"augment__order": [1, 2], "augment__lag": [2], "svc__kernel": ["linear", "rbf"]}
    pipeline = make_pipeline(Augment(), Covariances("oas"), TangentSpace("riemann"), SVC())
    theirs = GridSearchCV(pipeline, grid, cv=StratifiedKFold(3)).fit(X, y)
    assert search.scoring_ == "accuracy"
    by_order = theirs.cv_results_["mean_test_score"]
    assert_allclose(search.cv_results_["mean_test_score"], by_order, atol=1e-9)
    assert search.predict_proba(X).shape == (36, 3)
    assert search.score(X, y) == np.mean(search.predict(X) == y)


def test_racing_finds_what_full_finds(person):
    """On S001 the race ends at the full search's choice, and few pairs were scored exactly."""
    X, y = person
    grid = {"orders": range(1, 6), "lags": (1, 2, 4, 6, 8)}
    full = ACMSearchCV(**grid, strategy="full").fit(X, y)
    race = ACMSearchCV(**grid).fit(X, y)
    assert race.best_params_ == full.best_params_
    assert race.best_score_ == full.best_score_
    exact = race.cv_results_["exact"]
    assert 6 <= exact.sum() < len(exact) / 2
    assert exact[0]  # order 1
    # At orders 4 and 5, half of the pairs and a quarter of the others were looked at.
    assert len(exact) == 6 * (1 + 10 + 5 + 2)
    # What was scored exactly has the exact scores; the rest is near.
    rows = [full.cv_results_["params"].index(params) for params in race.cv_results_["params"]]
    difference = race.cv_results_["mean_test_score"] - full.cv_results_["mean_test_score"][rows]
    assert_array_equal(difference[exact], 0)
    assert np.abs(difference).max() < 0.05
    assert race.cv_results_["rank_test_score"][exact].max() <= exact.sum()


def test_inside_cross_validation_noise_scores_at_chance(make_trials):
    """Nested in cross_val_score the search finds nothing in labels without meaning."""
    scores = []
    for seed in range(4):
        X, y = make_trials(effect=1.0, seed=seed)
        search = ACMSearchCV(**SMALL)
        scores += list(cross_val_score(search, X, y == "left_hand", cv=4, scoring="roc_auc"))
    assert abs(np.mean(scores) - 0.5) < 0.12


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_change_nothing(make_trials, backend):
    """Two threads or two processes give the results of one."""
    X, y = make_trials(effect=0.8)
    alone = ACMSearchCV(**SMALL).fit(X, y)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        together = ACMSearchCV(**SMALL).fit(X, y)
    for key in ("mean_test_score", "exact", "rank_test_score"):
        assert_array_equal(together.cv_results_[key], alone.cv_results_[key])
    assert_array_equal(together.predict_proba(X), alone.predict_proba(X))
    if backend == "loky":
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def test_a_callback_sees_progress_and_the_best(make_trials):
    """It is called once a pair, counts up to the total, and sees the best score only rise."""
    X, y = make_trials(effect=0.8)
    calls = []
    search = ACMSearchCV(**SMALL, strategy="full", callback=lambda *a: calls.append(a)).fit(X, y)
    assert [done for done, _, _ in calls] == [1, 2, 3, 4, 5]
    assert {total for _, total, _ in calls} == {5}
    best = [found["score"] for _, _, found in calls]
    assert best == sorted(best)
    assert best[-1] == search.best_score_
    assert {k: v for k, v in calls[-1][2].items() if k != "score"} == search.best_params_
    assert not search.stopped_


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("after", [1, 4, 6])
def test_a_callback_stops_with_the_best_so_far(make_trials, after, n_jobs):
    """Returning False ends the search, in the screen or in the rounds, with a fitted decoder."""
    X, y = make_trials(effect=0.8)

    def stop(done, total, best):
        return done < after

    search = ACMSearchCV(**SMALL, callback=stop, n_jobs=n_jobs).fit(X, y)
    assert search.stopped_
    # Two threads finish what is under way: no more than four tasks.
    assert 1 <= len(search.cv_results_["params"]) // 6 <= min(after + (n_jobs > 1) * 4, 5)
    assert search.best_index_ == search.cv_results_["rank_test_score"].argmin()
    assert search.predict_proba(X).shape == (len(X), 2)


def test_subsets_take_part(make_trials):
    """A subset that leaves the noise out is found, and the decoder reads its channels only."""
    X, y = make_trials(n_channels=4, effect=0.8)
    noise = np.random.default_rng(0).standard_normal((len(X), 8, X.shape[2])) * X.std()
    both = np.concatenate([noise, X], axis=1)
    subsets = {"all": range(12), "noise": range(8), "head": range(8, 12)}
    search = ACMSearchCV((1, 2), (2,), subsets=subsets).fit(both, y)
    assert search.best_params_["subset"] == "head"
    assert search.best_estimator_.picks_.tolist() == [8, 9, 10, 11]
    changed = both.copy()
    changed[:, :8] = 1.0
    assert_array_equal(search.predict_proba(both), search.predict_proba(changed))
    with pytest.raises(SettingsError, match="subset 'off'"):
        ACMSearchCV(subsets={"off": [3, 12]}).fit(both, y)


def test_pairs_that_do_not_fit_are_left_out(make_trials):
    """Too many rows, or less than half a window left: order 1 always stays."""
    X, y = make_trials(n_channels=4, n_times=60)
    search = ACMSearchCV((3, 4, 5), (1, 10, 20), max_rows=16, strategy="full", refit=False)
    params = search.fit(X, y).cv_results_["params"]
    assert [(p["order"], p["lag"]) for p in params[::6]] == [
        (1, 1),
        (3, 1),
        (3, 10),
        (4, 1),
        (4, 10),
    ]
    with pytest.raises(SettingsError, match="refit=False"):
        search.predict(X)


def test_windows_of_a_trial_stay_together(make_trials):
    """With groups, folds hold whole trials, and a trial's windows are scored by their mean."""
    X, y = make_trials(n_per_class=12, effect=0.7)
    halves = np.concatenate([X[:, :, :60], X[:, :, 60:]])
    trials = np.tile(np.arange(len(X)), 2)
    seen = []

    class Splitter(StratifiedKFold):
        def split(self, X, y, groups=None):
            seen.append(groups)
            yield from ShuffleSplit(2, random_state=0).split(X)

    search = ACMSearchCV((1, 2), (2,)).fit(halves, np.tile(y, 2), groups=trials)
    n = search.n_splits_
    assert n == 3
    # An area over 24 whole trials in 3 folds: 4 against 4, so sixteenths.
    splits = np.array([search.cv_results_[f"split{k}_test_score"] for k in range(n)])
    assert_allclose(splits * 16, np.round(splits * 16), atol=1e-9)
    ACMSearchCV((1,), (1,), cv=Splitter(2), scoring="accuracy").fit(
        halves, np.tile(y, 2), groups=trials
    )
    assert_array_equal(seen[0], trials)


def test_a_prior_moves_the_choice(make_trials):
    """A bonus decides between pairs that are alike, and stays out of the scores."""
    X, y = make_trials(effect=0.8)
    plain = ACMSearchCV(**SMALL, strategy="full").fit(X, y)
    for prior in ({(3, 3): 1.0}, lambda order, lag: float((order, lag) == (3, 3))):
        for strategy in ("full", "racing"):
            moved = ACMSearchCV(**SMALL, strategy=strategy, prior=prior).fit(X, y)
            assert (moved.best_params_["order"], moved.best_params_["lag"]) == (3, 3)
            assert moved.best_score_ <= 1
    assert (plain.best_params_["order"], plain.best_params_["lag"]) != (3, 3)


def test_averaging_uses_several_pairs(make_trials):
    """The average holds the best pair first and as many as asked for."""
    X, y = make_trials(effect=0.8)
    search = ACMSearchCV(**SMALL, choice="average", n_averaged=3).fit(X, y)
    pairs = [(view.order, view.lag) for view in search.best_estimator_.views]
    assert len(set(pairs)) == 3
    assert pairs[0] == (search.best_params_["order"], search.best_params_["lag"])
    assert search.score(X, y) > 0.8


def test_one_standard_error_prefers_the_lower_order():
    """The lowest order within the error of the paired differences stands; a clear winner wins."""
    orders = np.array([1, 2, 2, 3])
    near = np.array([[0.7, 0.8, 0.6], [0.5, 0.5, 0.5], [0.7, 0.7, 0.6], [0.8, 0.7, 0.7]])
    assert one_standard_error(orders, near) == 0
    clear = near + np.array([0, 0, 0, 0.3])[:, None]
    assert one_standard_error(orders, clear) == 3
    assert one_standard_error(orders, clear, np.array([0.0, 0.0, 0.35, 0.0])) == 2
    assert best_few(near.mean(axis=1), 2).tolist() == [3, 0]


def test_the_standard_error_choice_is_never_above_the_best(make_trials):
    """Its order is at most that of the best pair."""
    X, y = make_trials(effect=0.85)
    for seed in range(3):
        best = ACMSearchCV(**SMALL, random_state=seed).fit(X, y)
        careful = clone(best).set_params(choice="one-standard-error").fit(X, y)
        assert careful.best_params_["order"] <= best.best_params_["order"]
        row = careful.cv_results_["params"][careful.best_index_]
        assert row == careful.best_params_


def test_phase_space_reads_no_labels(person):
    """Order and lag stay when labels are shuffled; C and kernel are scored."""
    X, y = person
    found = []
    for labels in (y, np.random.default_rng(0).permutation(y)):
        search = ACMSearchCV(range(1, 6), range(1, 9), strategy="phase-space").fit(X, labels)
        found.append((search.best_params_["order"], search.best_params_["lag"]))
        assert len(search.cv_results_["params"]) == 6
    assert found[0] == found[1]
    assert found[0][0] > 1
    seen = search.phase_space_[""]
    # 8 to 32 Hz at 160 Hz: a quarter of the mean period is two to three samples.
    assert 2 <= seen.zero_crossing <= 4


def test_average_reference_works(make_trials):
    """Rank-deficient covariances: shrinkage makes them definite."""
    X, y = make_trials(referenced=True, effect=0.7)
    for strategy in ("racing", "full"):
        search = ACMSearchCV(**SMALL, strategy=strategy).fit(X, y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.score(X, y) > 0.8


def test_logistic_regression_in_place_of_the_machine(make_trials):
    """Without kernels: candidates are C by pair, and the decoder is linear."""
    X, y = make_trials(effect=0.7)
    search = ACMSearchCV(**SMALL, classifier="lr", choice="best").fit(X, y)
    assert len(search.cv_results_["params"]) == 5 * 3
    assert "kernel" not in search.best_params_
    assert_allclose(search.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_chosen_decoder_can_be_saved(make_trials, tmp_path, kernel):
    """The model file gives the same probabilities to the last bit."""
    X, y = make_trials(effect=0.7)
    decoder = ACMSearchCV((1, 2), (2,), kernels=(kernel,)).fit(X, y).best_estimator_
    model = Model(
        channels=tuple(f"E{k}" for k in range(6)),
        rate_hz=120.0,
        epochs=EpochSettings.make(window_s=(0.0, 1.0)),
        classes=("left_hand", "right_hand"),
        estimator=decoder,
        artifact_limit_v=np.full(6, np.inf),
    )
    model.save(tmp_path / "m.rolandic")
    again = load_model(tmp_path / "m.rolandic")
    assert_array_equal(again.probabilities(X), decoder.predict_proba(X))
    assert isinstance(again.estimator, ChosenDecoder)


def test_it_is_a_scikit_learn_estimator(make_trials):
    """It clones, takes parameters, and pickles, fitted."""
    search = clone(ACMSearchCV((1, 2), (3,))).set_params(strategy="full", cv=2)
    assert search.get_params()["lags"] == (3,)
    X, y = make_trials(n_per_class=6)
    again = pickle.loads(pickle.dumps(search.fit(X, y)))
    assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    assert again.n_splits_ == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strategy": "guess"}, "strategy 'guess'"),
        ({"choice": "worst"}, "choice 'worst'"),
        ({"kernels": ("poly",)}, "kernel 'poly'"),
        ({"orders": (0,)}, "orders 0"),
        ({"lags": ()}, "lags"),
        ({"Cs": (1.0, -1.0)}, "C -1.0"),
        ({"Cs": ()}, "Cs"),
        ({"scoring": "luck"}, "scoring 'luck'"),
        ({"cv": 1}, "cv 1"),
        ({"subsets": {}}, "subsets"),
    ],
)
def test_what_is_wrong_is_said(make_trials, params, message):
    """Each parameter out of range is named."""
    X, y = make_trials(n_per_class=4)
    with pytest.raises(SettingsError, match=message):
        ACMSearchCV(**params).fit(X, y)
