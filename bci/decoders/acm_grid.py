"""Scores of (order, lag) pairs by cross-validation: the numbers of the search.

For each view (channels, order, lag) all machines (kernel and C) of all folds are scored at once.
They see the trials only through scalar products of tangent vectors, so one Gram matrix a fold
serves them all; covariances are made once a view, and a fold's reference starts from the mean of
all trials.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from bci.decoders.base import F64, Index, View, covariances, picked
from bci.decoders.linear import Folds
from bci.errors import TrialError
from bci.riemann import euclidean_mean, riemannian_mean, tangent_vectors, whitening

__all__ = [
    "SCORES",
    "Machine",
    "Problem",
    "Products",
    "area_under_roc",
    "exact_scores",
    "quick_scores",
]

#: What folds may be scored by.
SCORES = ("roc_auc", "accuracy", "balanced_accuracy")

#: Gradient at which a descent has come close enough to start others from it.
_START_TOLERANCE = 1e-1


class Machine(NamedTuple):
    """A classifier of tangent vectors.

    Attributes
    ----------
    kernel : {"linear", "rbf"}
    C : float
    """

    kernel: str
    C: float


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What the scores of all views share, but for the windows.

    Attributes
    ----------
    target : ndarray of int, shape (n_windows,)
        Classes, from 0.
    trials : ndarray of int, shape (n_windows,)
        Trials, from 0; a trial's decision values are averaged before they are scored.
    folds : list of (train, test)
        Window numbers.
    machines : tuple of Machine
        Of a kernel, C ascending.
    classifier : {"svm", "lr"}
    covariance : {"oas", "lwf", "scm"}
    scoring : {"roc_auc", "accuracy", "balanced_accuracy"}
    """

    target: Index = field(repr=False)
    trials: Index = field(repr=False)
    folds: Folds = field(repr=False)
    machines: tuple[Machine, ...]
    classifier: str = "svm"
    covariance: str = "oas"
    scoring: str = "roc_auc"


class Products(NamedTuple):
    """What machines need to know of feature vectors.

    Attributes
    ----------
    gram : ndarray of float64, shape (n_windows, n_windows)
        Scalar products.
    sums : ndarray of float64, shape (n_windows,)
        Of each vector's entries.
    n_features : int
    """

    gram: F64
    sums: F64
    n_features: int

    @classmethod
    def of(cls, vectors: F64) -> "Products":
        """Return the products of vectors of shape (n_windows, n_features)."""
        return cls(vectors @ vectors.T, vectors.sum(axis=1), vectors.shape[1])

    def centred(self, train: Index) -> "Products":
        """Return the products of the vectors less the mean vector of `train`."""
        to_mean = self.gram[train].mean(axis=0)
        gram = self.gram - to_mean - to_mean[:, None] + to_mean[train].mean()
        return Products(gram, self.sums - self.sums[train].mean(), self.n_features)

    def rbf(self, train: Index) -> F64:
        """Return the Gaussian kernel, its width from `train` as scikit-learn's ``"scale"`` has it.

        That is gamma = 1 / (n_features * variance), the variance over all entries of all vectors.
        """
        squares = np.diag(self.gram)
        mean = self.sums[train].mean() / self.n_features
        spread = squares[train].mean() - self.n_features * mean**2
        gamma = 1.0 / spread if spread > 0 else 1.0
        distances = np.maximum(squares + squares[:, None] - 2 * self.gram, 0.0)
        kernel: F64 = np.exp(-gamma * distances)
        return kernel


def exact_scores(X: F64, problem: Problem, view: View, tolerance: float = 1e-8) -> F64:
    """Score a view as scikit-learn would the pipeline, refitted in each fold.

    Each fold's reference is the Riemannian mean of its training trials.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    problem : Problem
    view : View
    tolerance : float
        On the gradient of the means.

    Returns
    -------
    ndarray of float64, shape (n_machines, n_folds)
    """
    C = _covariances(X, problem, view)
    start = riemannian_mean(C, _START_TOLERANCE)
    scores = np.empty((len(problem.machines), len(problem.folds)))
    for k, (train, test) in enumerate(problem.folds):
        W = whitening(riemannian_mean(C[train], tolerance, start=start))
        products = Products.of(tangent_vectors(C, W))
        scores[:, k] = _fold_scores(products, problem, train, test)
    return scores


def quick_scores(X: F64, problem: Problem, view: View) -> F64:
    """Score a view by one logarithm a trial.

    All folds share a reference, the arithmetic mean of all trials (no labels). The step from it
    to a fold's own is taken to first order: the mean tangent vector of the fold's training trials
    is subtracted.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    problem : Problem
    view : View

    Returns
    -------
    ndarray of float64, shape (n_machines, n_folds)
    """
    C = _covariances(X, problem, view)
    products = Products.of(tangent_vectors(C, whitening(euclidean_mean(C))))
    return np.column_stack(
        [
            _fold_scores(products.centred(train), problem, train, test)
            for train, test in problem.folds
        ]
    )


def _covariances(X: F64, problem: Problem, view: View) -> F64:
    return covariances(picked(X, view), view.order, view.lag, problem.covariance)


def _fold_scores(products: Products, problem: Problem, train: Index, test: Index) -> F64:
    """Return the score of each machine on the test windows."""
    decide = _logistic_decisions if problem.classifier == "lr" else _machine_decisions
    with config_context(assume_finite=True, skip_parameter_validation=True):
        decisions = decide(products, problem, train, test)
    trials, first, member = np.unique(problem.trials[test], return_index=True, return_inverse=True)
    label = problem.target[test][first]
    counts = np.bincount(member)[:, None]
    scores = np.empty(len(decisions))
    for m, values in enumerate(decisions):
        means = np.zeros((len(trials), values.shape[1]))
        np.add.at(means, member, values)
        scores[m] = _score(means / counts, label, problem.scoring)
    return scores


def _machine_decisions(
    products: Products, problem: Problem, train: Index, test: Index
) -> list[F64]:
    decisions: list[F64] = []
    label = problem.target[train]
    kernel, values, slack = "", np.empty(0), False
    for machine in problem.machines:
        if machine.kernel != kernel:
            kernel, slack = machine.kernel, False
            K = products.gram if kernel == "linear" else products.rbf(train)
            to_train, to_test = K[np.ix_(train, train)], K[np.ix_(test, train)]
        # No training trial at the limit C: a larger C changes nothing.
        if not slack:
            svc = SVC(C=machine.C, kernel="precomputed").fit(to_train, label)
            values = _decisions(svc, to_test)
            slack = bool(np.abs(svc.dual_coef_).max() < machine.C)
        decisions.append(values)
    return decisions


def _decisions(machine: SVC, kernel: F64) -> F64:
    if len(machine.classes_) > 2:
        values: F64 = machine.decision_function(kernel)
    else:
        # The same without scikit-learn's checks, which take longer than the machine.
        values = kernel[:, machine.support_] @ machine.dual_coef_.T + machine.intercept_
    return values


def _logistic_decisions(
    products: Products, problem: Problem, train: Index, test: Index
) -> list[F64]:
    # Coordinates within the trials' span: the same rule at far less cost.
    eigenvalues, vectors = np.linalg.eigh(products.gram)
    features = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    decisions = []
    for machine in problem.machines:
        model = LogisticRegression(C=machine.C, max_iter=2000)
        model.fit(features[train], problem.target[train])
        values = model.decision_function(features[test])
        decisions.append(values[:, None] if values.ndim == 1 else values)
    return decisions


def _score(values: F64, label: Index, scoring: str) -> float:
    if scoring == "roc_auc":
        return area_under_roc(values[:, 0], label == 1)
    chosen = values.argmax(axis=1) if values.shape[1] > 1 else (values[:, 0] > 0).astype(np.intp)
    if scoring == "accuracy":
        return float(np.mean(chosen == label))
    return float(balanced_accuracy_score(label, chosen))


def area_under_roc(values: F64, positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, as the share of pairs in the right order."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        raise TrialError("a fold's test part holds one class: use fewer folds, or stratify them")
    ranks = rankdata(values)
    above = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))
