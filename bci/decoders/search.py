"""The search over order, lag, C and kernel of the augmented covariance method."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from bci.decoders.acm_grid import SCORES, Machine, Problem
from bci.decoders.base import F64, CovarianceDecoder, Index, View, check_at_least, picked
from bci.decoders.choice import CHOICES, best_few, one_standard_error
from bci.decoders.chosen import ChosenDecoder
from bci.decoders.folds import trial_folds
from bci.decoders.linear import Folds, check_linear
from bci.decoders.phase_space import PhaseSpace, phase_space
from bci.decoders.race import Race, mean_scores
from bci.errors import SettingsError

__all__ = ["ACMSearchCV"]

#: Called with how many of the steps are done, how many there are, and the best parameters so far
#: with their ``"score"``; the search ends when it returns False.
Callback = Callable[[int, int, dict[str, Any]], bool | None]

STRATEGIES = ("racing", "full", "phase-space")
_KERNELS = ("linear", "rbf")


class ACMSearchCV(CovarianceDecoder):
    """Augmented covariance, tangent space, classifier: all of it chosen by cross-validation.

    A score is the mean over inner folds of the pipeline (augmented covariance, Riemannian mean
    of the fold's training trials, tangent space, classifier), as scikit-learn's `GridSearchCV`
    has it for pyriemann's parts. Everything is chosen within `fit`: inside `cross_val_score` the
    search is nested, and no test trial is seen.

    The race. First pairs of order and lag are scored by one logarithm a trial
    (`bci.decoders.acm_grid.quick_scores`), on the same folds: from order 4 on every second one,
    then those of the others that lie beside good ones. Then, in rounds, the leading pairs are
    scored exactly. It ends when no pair that is left could win even if its quick score were as
    much too low as any was found to be. (Over S001, S042 and a simulated person, 36 pairs each:
    rank correlation of quick and exact scores 0.98 to 0.99, largest difference 0.013. With
    logarithms at the identity, log-Euclidean, the correlation is 0.1 to 0.9.)

    Order 1, plain tangent space, always takes part, once: it has no lag (listed with lag 1). Pairs
    that leave fewer augmented samples than half a window are left out.

    Parameters
    ----------
    orders, lags : iterable of int
        Lags in samples.
    Cs : sequence of float
    kernels : sequence of {"linear", "rbf"}
        Of the support vector machine; without effect on logistic regression.
    classifier : {"svm", "lr"}
    covariance : {"oas", "lwf", "scm"}
    subsets : mapping of str to sequence of int, optional
        Channel subsets by name, as indices, that take part in the search. None: all channels.
    strategy : {"racing", "full", "phase-space"}
        ``"full"`` scores every pair exactly. ``"phase-space"`` takes order (false nearest
        neighbours) and lag (first minimum of mutual information) from the signal without labels
        (`bci.decoders.phase_space`), within the range of `orders` and `lags`; C and kernel by
        their scores.
    choice : {"best", "one-standard-error", "average"}
        Which pair stands: the best; the lowest order within one standard error of it; the
        `n_averaged` best together (those of the best one's channels), their Gram matrices
        averaged, with the best one's kernel and C.
    n_averaged : int
    prior : callable or mapping, optional
        ``prior(order, lag)``, or ``prior[order, lag]`` (0 where absent): what to add to a pair's
        score before choosing, in units of the score.
    cv : int or splitter
        Inner folds. A number: scikit-learn's `StratifiedKFold`, shuffled if there is a
        `random_state`; where `groups` join windows to trials, folds that keep them together.
    scoring : {"roc_auc", "accuracy", "balanced_accuracy"}, optional
        Of trials: decision values of a trial's windows are averaged. None: ``"roc_auc"`` for two
        classes, else ``"accuracy"``.
    refit : bool
        Fit `best_estimator_` on all trials.
    n_jobs : int, optional
        Pairs at a time, by joblib: threads (kernels run without the GIL, and share one copy of
        the trials) unless `joblib.parallel_config` names another backend, such as Dask.
    random_state : int, optional
    callback : callable, optional
        ``callback(done, total, best)`` after each pair: `best` is a dict of the best parameters
        so far and their ``"score"``. When it returns False the search ends, with the best so far.
    max_rows : int, optional
        Orders above 1 that make more rows (order * n_channels) than this are left out.

    Attributes
    ----------
    cv_results_ : dict of arrays, each of length n_candidates
        As in `GridSearchCV`: ``params``, ``param_*``, ``split*_test_score``,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``; and ``exact``: False where a
        pair was scored quickly only; those rank behind. Pairs without a score, passed over by the
        race or left when a callback stopped it, are not listed.
    best_params_ : dict
    best_score_ : float
        Its mean score in the inner folds (optimistic: the best of many).
    best_index_ : int
    best_estimator_ : ChosenDecoder
    n_splits_ : int
    scoring_ : str
    phase_space_ : dict of str to PhaseSpace
        By subset (``"phase-space"``).
    stopped_ : bool
        Whether the callback ended the search.
    classes_ : ndarray, shape (n_classes,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((20, 3, 100)), np.arange(20) % 2
    >>> search = ACMSearchCV(orders=(1, 2), lags=(1, 4)).fit(X, y)
    >>> sorted(search.best_params_)
    ['C', 'kernel', 'lag', 'order']
    """

    def __init__(
        self,
        orders: Sequence[int] = range(1, 11),
        lags: Sequence[int] = range(1, 11),
        Cs: Sequence[float] = (0.5, 1.0, 1.5),
        kernels: Sequence[str] = _KERNELS,
        classifier: Literal["svm", "lr"] = "svm",
        covariance: str = "oas",
        subsets: Mapping[str, Sequence[int]] | None = None,
        strategy: Literal["racing", "full", "phase-space"] = "racing",
        choice: Literal["best", "one-standard-error", "average"] = "best",
        n_averaged: int = 5,
        prior: Callable[[int, int], float] | Mapping[tuple[int, int], float] | None = None,
        cv: Any = 3,
        scoring: str | None = None,
        refit: bool = True,
        n_jobs: int | None = None,
        random_state: int | None = None,
        callback: Callback | None = None,
        max_rows: int | None = None,
    ) -> None:
        self.orders = orders
        self.lags = lags
        self.Cs = Cs
        self.kernels = kernels
        self.classifier = classifier
        self.covariance = covariance
        self.subsets = subsets
        self.strategy = strategy
        self.choice = choice
        self.n_averaged = n_averaged
        self.prior = prior
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.callback = callback
        self.max_rows = max_rows

    def decision_function(self, X: ArrayLike) -> F64:
        """Return calibrated decision values; see `ChosenDecoder.decision_function`."""
        return self._fitted().decision_function(X)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the score of windows, by `scoring`."""
        return float(get_scorer(self.scoring_)(self, X, y))

    @property
    def views(self) -> tuple[View, ...]:
        """Those of `best_estimator_`."""
        return self._fitted().views

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        return self._fitted().probabilities_from(C)

    def _fitted(self) -> ChosenDecoder:
        if not self.refit:
            raise SettingsError("the search was made with refit=False: there is no best_estimator_")
        decoder: ChosenDecoder = self.best_estimator_
        return decoder

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        self._check()
        n_classes = len(self.classes_)
        self.scoring_ = self.scoring or ("roc_auc" if n_classes == 2 else "accuracy")
        if self.scoring_ not in SCORES:
            raise SettingsError(f"scoring {self.scoring_!r}: choose one of {', '.join(SCORES)}")
        if self.scoring_ == "roc_auc" and n_classes > 2:
            raise SettingsError(f"scoring 'roc_auc' is for two classes, these are {n_classes}")
        folds = self._folds(X, target, trials)
        self.n_splits_ = len(folds)
        kernels = self.kernels if self.classifier == "svm" else ("linear",)
        machines = tuple(Machine(kernel, C) for kernel in kernels for C in sorted(self.Cs))
        problem = Problem(
            target, trials, folds, machines, self.classifier, self.covariance, self.scoring_
        )
        with threadpool_limits(limits=1, user_api="blas"):
            race = self._race(X, problem)
            self.stopped_ = race.stopped
            self._tabulate(race)
            if self.refit:
                self.best_estimator_ = self._decoder(race)
                self.best_estimator_.fit(X, self.classes_[target], trials)

    def _race(self, X: F64, problem: Problem) -> Race:
        named = self._views(X)
        bonus = np.array([self._bonus(view.order, view.lag) for _, view in named])

        def report(race: Race) -> bool:
            if self.callback is None:
                return True
            v = race.leader()
            means = mean_scores(race.scores[v])
            m = int(means.argmax())
            best = self._params(*named[v], problem.machines[m]) | {"score": float(means[m])}
            return self.callback(race.done, race.total, best) is not False

        race = Race(X, problem, named, bonus, self.n_jobs, report)
        if self.strategy == "racing":
            race.run()
        else:
            race.score_all()
        return race

    def _check(self) -> None:
        for value, name, known in (
            (self.strategy, "strategy", STRATEGIES),
            (self.choice, "choice", CHOICES),
            *((kernel, "kernel", _KERNELS) for kernel in self.kernels),
        ):
            if value not in known:
                raise SettingsError(f"{name} {value!r}: choose one of {', '.join(known)}")
        check_at_least("n_averaged", self.n_averaged, 1)
        if not len(self.Cs) or not len(self.kernels):
            raise SettingsError("Cs and kernels: give at least one of each")
        for C in self.Cs:
            check_linear(self.classifier, C)

    def _folds(self, X: F64, target: Index, trials: Index) -> Folds:
        if hasattr(self.cv, "split"):
            return list(self.cv.split(X, target, trials))
        n_folds = check_at_least("cv", self.cv, 2)
        if trials.max() + 1 < len(trials):
            return trial_folds(target, trials, n_folds, self.random_state or 0)
        n_folds = min(n_folds, int(np.bincount(target).min()))
        shuffle = self.random_state is not None
        splitter = StratifiedKFold(n_folds, shuffle=shuffle, random_state=self.random_state)
        return list(splitter.split(X, target))

    def _subsets(self, n_channels: int) -> dict[str, tuple[int, ...] | None]:
        if self.subsets is None:
            return {"": None}
        subsets: dict[str, tuple[int, ...] | None] = {}
        for name, members in self.subsets.items():
            picks = tuple(int(index) for index in members)
            if (
                not picks
                or len(set(picks)) < len(picks)
                or not set(picks) <= set(range(n_channels))
            ):
                raise SettingsError(
                    f"subset {name!r}: give different indices of 0 to {n_channels - 1}"
                )
            subsets[name] = None if picks == tuple(range(n_channels)) else picks
        if not subsets:
            raise SettingsError("subsets: give at least one, or None")
        return subsets

    def _views(self, X: F64) -> list[tuple[str, View]]:
        orders = sorted({1} | {check_at_least("orders", order, 1) for order in self.orders})
        lags = sorted({check_at_least("lags", lag, 1) for lag in self.lags})
        if not lags:
            raise SettingsError("lags: give at least one")
        _, n_channels, n_times = X.shape
        views = []
        self.phase_space_: dict[str, PhaseSpace] = {}
        for name, picks in self._subsets(n_channels).items():
            n_picks = n_channels if picks is None else len(picks)
            pairs = [(1, 1)]
            pairs += [
                (order, lag)
                for order in orders[1:]
                for lag in lags
                if (order - 1) * lag <= n_times // 2
                and (self.max_rows is None or order * n_picks <= self.max_rows)
            ]
            if self.strategy == "phase-space":
                seen = phase_space(picked(X, View(picks, 1, 1)), lags[-1], orders[-1])
                self.phase_space_[name] = seen
                pairs = [_nearest(pairs, seen.false_neighbours, seen.information_minimum)]
            views += [(name, View(picks, order, lag)) for order, lag in pairs]
        return views

    def _bonus(self, order: int, lag: int) -> float:
        if self.prior is None:
            return 0.0
        if callable(self.prior):
            return float(self.prior(order, lag))
        return float(self.prior.get((order, lag), 0.0))

    def _params(self, name: str, view: View, machine: Machine) -> dict[str, Any]:
        params: dict[str, Any] = {"order": view.order, "lag": view.lag, "C": machine.C}
        if self.classifier == "svm":
            params["kernel"] = machine.kernel
        return params if self.subsets is None else {"subset": name} | params

    def _tabulate(self, race: Race) -> None:
        """Write `cv_results_` and the best of them."""
        done = [v for v in range(len(race.views)) if race.seen[v]]
        machines = race.problem.machines
        # Candidates in scikit-learn's order, the kernel running fastest: ties go to the first.
        cells = sorted(range(len(machines)), key=lambda m: machines[m].C)
        rows = [(v, m) for v in done for m in cells]
        params = [self._params(*race.views[v], machines[m]) for v, m in rows]
        splits = np.array([race.scores[v, m] for v, m in rows])
        means = mean_scores(splits)
        exact = np.array([race.exact[v] for v, _ in rows])
        ranks = np.empty(len(rows), dtype=np.int32)
        ranks[exact] = rankdata(-means[exact], method="min")
        ranks[~exact] = exact.sum() + rankdata(-means[~exact], method="min")
        results: dict[str, Any] = {"params": params, "exact": exact}
        for key in params[0]:
            results[f"param_{key}"] = np.ma.array([given[key] for given in params])
        for k in range(self.n_splits_):
            results[f"split{k}_test_score"] = splits[:, k]
        results |= {
            "mean_test_score": means,
            "std_test_score": splits.std(axis=1),
            "rank_test_score": ranks,
        }
        self.cv_results_ = results
        view = self._chosen(race)
        members = [i for i, (v, _) in enumerate(rows) if v == view]
        self.best_index_ = members[int(means[members].argmax())]
        self.best_params_ = params[self.best_index_]
        self.best_score_ = float(means[self.best_index_])

    def _chosen(self, race: Race) -> int:
        """Return the number of the view that stands."""
        leader = race.leader()
        if self.choice != "one-standard-error":
            return leader
        same = race.alike(leader)
        orders = np.array([race.views[v][1].order for v in same])
        machine = mean_scores(race.scores[same]).argmax(axis=1)
        return int(same[one_standard_error(orders, race.scores[same, machine], race.bonus[same])])

    def _decoder(self, race: Race) -> ChosenDecoder:
        best = self._chosen(race)
        _, view = race.views[best]
        pairs = [(view.order, view.lag)]
        if self.choice == "average":
            alike = race.alike(best)
            means = race.best()[alike]
            means[alike == best] = np.inf
            pairs = [race.views[v][1][1:] for v in alike[best_few(means, self.n_averaged)]]
        return ChosenDecoder(
            self.classifier,
            tuple(pairs),
            view.channels,
            self.best_params_.get("kernel", "linear"),
            self.covariance,
            self.best_params_["C"],
            seed=self.random_state or 0,
        )


def _nearest(pairs: list[tuple[int, int]], order: int, lag: int) -> tuple[int, int]:
    return min(pairs, key=lambda pair: (abs(pair[0] - order), abs(pair[1] - lag)))
