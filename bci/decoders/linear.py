"""Linear rules on feature vectors: logistic regression, and a calibrated support vector machine.

A rule is two arrays and a link: scores ``x @ coef.T + intercept``, and how scores become
probabilities. With two classes there is one score, the log-odds of the second class.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from bci.errors import SettingsError

__all__ = [
    "CLASSIFIERS",
    "Rule",
    "fit_logistic",
    "fit_machines",
    "fit_svm",
    "link_probabilities",
    "platt",
    "scores",
]

F64 = NDArray[np.float64]
Index = NDArray[np.intp]
Folds = Sequence[tuple[Index, Index]]

#: Rules by name.
CLASSIFIERS = ("lr", "svm")


class Rule(NamedTuple):
    """A fitted linear rule.

    Attributes
    ----------
    coef : ndarray of float64, shape (n_scores, n_features)
        One score for two classes, else one a class.
    intercept : ndarray of float64, shape (n_scores,)
    link : {"softmax", "one-vs-rest"}
        How the scores of three or more classes become probabilities.
    """

    coef: F64
    intercept: F64
    link: str


def scores(features: F64, coef: F64, intercept: F64) -> F64:
    """Return ``features @ coef.T + intercept``, row by row.

    One matrix product would take another path through BLAS for one row than for many, and differ
    in the last bits.

    Parameters
    ----------
    features : ndarray of float64, shape (n, n_features)
    coef : ndarray of float64, shape (n_scores, n_features)
    intercept : ndarray of float64, shape (n_scores,)

    Returns
    -------
    ndarray of float64, shape (n, n_scores)
    """
    products: F64 = np.matmul(coef, features[:, :, None])[:, :, 0]
    return products + intercept


def link_probabilities(values: F64, link: str) -> F64:
    """Turn scores into probabilities.

    Parameters
    ----------
    values : ndarray of float64, shape (n, n_scores)
        One score (two classes) is the log-odds of the second class.
    link : {"softmax", "one-vs-rest"}

    Returns
    -------
    ndarray of float64, shape (n, n_classes)
        Rows sum to 1.
    """
    if values.shape[1] == 1:
        second = expit(values)
        return np.concatenate([1.0 - second, second], axis=1)
    if link == "softmax":
        weights = np.exp(values - values.max(axis=1, keepdims=True))
    else:
        weights = np.maximum(expit(values), np.finfo(np.float64).tiny)
    probabilities: F64 = weights / weights.sum(axis=1, keepdims=True)
    return probabilities


def fit_logistic(features: F64, target: Index, C: float) -> Rule:
    """Fit an L2-penalised (multinomial) logistic regression.

    Parameters
    ----------
    features : ndarray of float64, shape (n, n_features)
    target : ndarray of int, shape (n,)
        Classes, from 0.
    C : float
        Inverse strength of the penalty.
    """
    model = LogisticRegression(C=C, max_iter=2000).fit(features, target)
    return Rule(model.coef_, model.intercept_, "softmax")


def fit_svm(features: F64, target: Index, C: float, folds: Folds) -> Rule:
    """Fit linear support vector machines, one a class against the rest, and calibrate them.

    One final machine a class is fitted on everything. What turns its decision values into
    probabilities (Platt's sigmoid) is fitted on decision values of machines that had not seen the
    trial: those of the inner folds. The sigmoid is folded into the rule's coefficients.

    Parameters
    ----------
    features : ndarray of float64, shape (n, n_features)
    target : ndarray of int, shape (n,)
        Classes, from 0.
    C : float
        Weight of errors.
    folds : list of (train, test)
        Inner folds that keep the windows of a trial together.
    """
    # A machine needs the scalar products only; there are more features than windows, mostly.
    dual, intercept = fit_machines(features @ features.T, target, C, folds)
    return Rule(dual @ features, intercept, "one-vs-rest")


def fit_machines(gram: F64, target: Index, C: float, folds: Folds) -> tuple[F64, F64]:
    """Fit the machines of `fit_svm` to scalar products, or to any other kernel's values.

    Parameters
    ----------
    gram : ndarray of float64, shape (n, n)
    target : ndarray of int, shape (n,)
    C : float
    folds : list of (train, test)

    Returns
    -------
    dual : ndarray of float64, shape (n_scores, n)
        Weight of each window; 0 for those that are no support vectors. The sigmoid's slope is in.
    intercept : ndarray of float64, shape (n_scores,)
    """
    n_classes = int(target.max()) + 1
    everything = np.arange(len(target))
    dual, intercept = [], []
    for k in [1] if n_classes == 2 else range(n_classes):
        positive = target == k
        held_out = np.empty(len(target))
        for train, test in folds:
            machine = _machine(gram, positive, train, C)
            held_out[test] = machine.decision_function(gram[np.ix_(test, train)])
        slope, offset = platt(held_out, positive)
        machine = _machine(gram, positive, everything, C)
        weights = np.zeros(len(target))
        weights[machine.support_] = slope * machine.dual_coef_[0]
        dual.append(weights)
        intercept.append(slope * machine.intercept_[0] + offset)
    return np.array(dual), np.array(intercept)


def _machine(gram: F64, positive: NDArray[np.bool_], train: Index, C: float) -> SVC:
    machine = SVC(C=C, kernel="precomputed")
    return machine.fit(gram[np.ix_(train, train)], positive[train])


def platt(decisions: F64, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit a sigmoid to decision values.

    Newton's method on the log-likelihood with Platt's smoothed targets (Lin, Lin and Weng 2007,
    "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68).

    Without class information, held-out decision values of a small sample run *against* the
    labels (leaving a trial out shifts the machine toward the other class), and a free sigmoid
    would turn the machine around. The slope is therefore held at no less than 0.01 per standard
    deviation of the decision values: nearly no information, the order kept.

    Parameters
    ----------
    decisions : ndarray of float64, shape (n,)
        Of held-out windows.
    positive : ndarray of bool, shape (n,)

    Returns
    -------
    slope, offset : float
        ``P(positive) = 1 / (1 + exp(-(slope * decision + offset)))``.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    wanted = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    spread = float(decisions.std())
    if not spread > 0:
        return 0.0, float(np.log((n_positive + 1) / (n_negative + 1)))
    centre = float(decisions.mean())
    design = np.column_stack([(decisions - centre) / spread, np.ones(len(decisions))])
    theta = _maximum_likelihood(design, wanted, np.zeros(len(decisions)))
    if theta[0] < _MIN_SLOPE:
        offset = _maximum_likelihood(design[:, 1:], wanted, _MIN_SLOPE * design[:, 0])
        theta = np.array([_MIN_SLOPE, offset[0]])
    slope = float(theta[0]) / spread
    return slope, float(theta[1]) - slope * centre


_MIN_SLOPE = 0.01


def _maximum_likelihood(design: F64, wanted: F64, fixed: F64) -> F64:
    """Newton's method with halved steps for a logistic model with soft targets."""

    def loss(theta: F64) -> float:
        value = fixed + design @ theta
        return float(np.sum(np.logaddexp(0.0, value) - wanted * value))

    theta = np.zeros(design.shape[1])
    current = loss(theta)
    for _ in range(100):
        p = expit(fixed + design @ theta)
        gradient = design.T @ (p - wanted)
        if np.abs(gradient).max() < 1e-10 * len(wanted):
            break
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(len(theta))
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10 and loss(theta - size * step) > current - 1e-4 * size * gradient @ step:
            size /= 2
        theta = theta - size * step
        current = loss(theta)
    return theta


def check_linear(classifier: str, C: float) -> None:
    """Raise SettingsError for an unknown rule or a penalty that is not positive."""
    if classifier not in CLASSIFIERS:
        raise SettingsError(f"classifier {classifier!r}: choose one of {', '.join(CLASSIFIERS)}")
    if not C > 0:
        raise SettingsError(f"C {C!r}: give a number above 0")
