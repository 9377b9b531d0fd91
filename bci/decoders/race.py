"""The race of (order, lag) pairs: which are scored, how exactly, and who leads."""

from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np

from bci.decoders.acm_grid import Problem, exact_scores, quick_scores
from bci.decoders.base import F64, Index, View
from bci.decoders.choice import best_few

__all__ = ["Race", "mean_scores"]

#: From this order on every second pair is looked at first, then this part (one of four) of the
#: others: those with the best neighbours. Chosen of nine such rules on eight real people and five
#: simulated ones, MOABB's grid, both ways to stagger: the pair with the best quick score was kept
#: in 26 cases of 26 (without the second look in 23), for an estimated 0.6 of the arithmetic. On six
#: people that it was not chosen on (S006, S023, S047, S065, two simulated) the race over that grid
#: ended at the full search's choice each time.
_LARGE_ORDER, _SHARE = 4, 4
_BESIDE = ((0, -1), (0, 1), (-1, 0), (1, 0))
#: Pairs that are scored exactly in a round, and rounds at most.
_ROUND, _MOST_ROUNDS = 4, 4
#: Gradient at which a fold's reference is near enough: in the race (over S001 and two simulated
#: people, 17 pairs of 18 scores, none differed from those at 1e-8), and where all is exact.
_RACE_TOLERANCE, _FULL_TOLERANCE = 1e-1, 1e-5


class Race:
    """Scores of views as they come in.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    problem : Problem
    views : list of (str, View)
        Each with the name of its channels. The first is always scored exactly.
    bonus : ndarray of float64, shape (n_views,)
        Added to mean scores when they are compared.
    n_jobs : int or None
    report : callable
        Called with the race after each score; the race ends when it returns False.

    Attributes
    ----------
    scores : ndarray of float64, shape (n_views, n_machines, n_folds)
    seen, exact : ndarray of bool, shape (n_views,)
        Which have a score; an exact one.
    done, total : int
        Scores that were made; as many as there may be.
    stopped : bool
    """

    def __init__(
        self,
        X: F64,
        problem: Problem,
        views: list[tuple[str, View]],
        bonus: F64,
        n_jobs: int | None,
        report: "Callable[[Race], bool]",
    ) -> None:
        self.problem, self.views, self.bonus = problem, views, bonus
        n = len(views)
        self.scores = np.full((n, len(problem.machines), len(problem.folds)), np.nan)
        self.seen = np.zeros(n, dtype=bool)
        self.exact = np.zeros(n, dtype=bool)
        self.done, self.total = 0, n
        self.stopped = False
        self._X, self._n_jobs, self._report = X, n_jobs, report

    def score_all(self) -> None:
        """Score every view exactly."""
        self._score(np.arange(len(self.views)), _FULL_TOLERANCE)

    def run(self) -> None:
        """Score quickly, at large orders every second view first; then the leaders, exactly."""
        first, rest, neighbours = self._lattice()
        n_more = -(-len(rest) // _SHARE)
        n_quick = len(first) + n_more
        self.total = n_quick + min(_ROUND * _MOST_ROUNDS, n_quick)
        self._score(first, None)
        if self.stopped:
            return
        quick = np.append(self.best(), -np.inf)
        beside = np.array([quick[neighbours[v]].max() for v in rest])
        self._score(rest[best_few(beside, n_more)], None)
        quick, error = self.best(), 0.0
        left = np.flatnonzero(self.seen)
        for _ in range(_MOST_ROUNDS):
            if self.stopped or not len(left):
                return
            leaders = left[best_few(quick[left], _ROUND)]
            if not self.exact[0] and 0 not in leaders:
                leaders[-1] = 0
            self._score(leaders, _RACE_TOLERANCE)
            best = self.best()
            error = float((best[self.exact] - quick[self.exact]).max(initial=0.0))
            left = np.flatnonzero(self.seen & ~self.exact)
            left = left[quick[left] + error >= best[self.exact].max(initial=-np.inf)]

    def _lattice(self) -> tuple[Index, Index, dict[int, list[int]]]:
        """Return the views of the first look, the others, and the neighbours of those."""
        orders = sorted({view.order for _, view in self.views})
        lags = sorted({view.lag for _, view in self.views})
        at = {
            (name, orders.index(view.order), lags.index(view.lag)): v
            for v, (name, view) in enumerate(self.views)
        }
        skipped = {
            v: [at.get((name, i + di, j + dj), -1) for di, dj in _BESIDE]
            for (name, i, j), v in at.items()
            if self.views[v][1].order >= _LARGE_ORDER and (i + j) % 2
        }
        everyone = np.arange(len(self.views))
        rest = np.isin(everyone, list(skipped))
        return everyone[~rest], everyone[rest], skipped

    def best(self) -> F64:
        """Return each view's best mean score with its bonus; -inf for those without a score."""
        best = np.full(len(self.views), -np.inf)
        best[self.seen] = mean_scores(self.scores[self.seen]).max(axis=1) + self.bonus[self.seen]
        return best

    def leader(self) -> int:
        """Return the number of the best view; a quick score does not win over an exact one."""
        best = self.best()
        if self.exact.any():
            best[~self.exact] = -np.inf
        return int(best.argmax())

    def alike(self, view: int) -> Index:
        """Return the numbers of the scored views that have a view's channels."""
        name = self.views[view][0]
        return np.flatnonzero(self.seen & [other == name for other, _ in self.views])

    def _score(self, numbers: Index, tolerance: float | None) -> None:
        """Score views exactly, or quickly where there is no tolerance."""
        # Small matrices first: something is known early, and the last task is not a lone large
        # one that others wait for by much. After a stop what is under way still comes in.
        for number, scores in joblib.Parallel(
            n_jobs=self._n_jobs, prefer="threads", return_as="generator_unordered"
        )(self._tasks(np.sort(numbers), tolerance)):
            self.scores[number] = scores
            self.seen[number] = True
            self.exact[number] = tolerance is not None
            self.done += 1
            if not self.stopped:
                self.stopped = not self._report(self)

    def _tasks(self, numbers: Index, tolerance: float | None) -> Iterator[Any]:
        for number in numbers:
            if self.stopped:
                return
            view = self.views[number][1]
            yield joblib.delayed(_task)(self._X, self.problem, view, int(number), tolerance)


def _task(
    X: F64, problem: Problem, view: View, number: int, tolerance: float | None
) -> tuple[int, F64]:
    if tolerance is None:
        return number, quick_scores(X, problem, view)
    return number, exact_scores(X, problem, view, tolerance)


def mean_scores(scores: F64) -> F64:
    """Return means over folds, rounded so that equals are equal in whatever order they add up."""
    means: F64 = scores.mean(axis=-1).round(12)
    return means
