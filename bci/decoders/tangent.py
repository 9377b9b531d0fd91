"""Linear decoding in the tangent space of (augmented) covariances."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bci.decoders.base import F64, CovarianceDecoder, Index, View, check_at_least, covariances
from bci.decoders.folds import trial_folds
from bci.decoders.linear import check_linear, fit_logistic, fit_svm, link_probabilities, scores
from bci.riemann import riemannian_mean, tangent_vectors, whitening

__all__ = ["TangentDecoder"]


class TangentDecoder(CovarianceDecoder):
    """Tangent vectors at the Riemannian mean, and a linear rule on them.

    Barachant et al. 2012, IEEE Trans Biomed Eng 59(4), 920-928; with `order` above 1 the
    covariances are augmented (Carrara and Papadopoulo 2024).

    Parameters
    ----------
    classifier : {"lr", "svm"}
        Logistic regression, or a support vector machine calibrated on inner folds.
    order, lag : int
        Of the augmented covariance; lag in samples, without effect at order 1.
    covariance : {"oas", "lwf", "scm"}
    C : float
        Inverse strength of the rule's penalty.
    n_folds : int
        Inner folds for calibration (``"svm"``).
    seed : int
        Of the inner folds.

    Attributes
    ----------
    order_, lag_ : int
        As used.
    whitening_ : ndarray of float64, shape (n, n)
        Inverse square root of the reference; n = order * n_channels.
    coef_ : ndarray of float64, shape (n_scores, n * (n + 1) / 2)
    intercept_ : ndarray of float64, shape (n_scores,)
    """

    def __init__(
        self,
        classifier: Literal["lr", "svm"] = "lr",
        order: int | str = 1,
        lag: int = 1,
        covariance: str = "oas",
        C: float = 1.0,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.classifier = classifier
        self.order = order
        self.lag = lag
        self.covariance = covariance
        self.C = C
        self.n_folds = n_folds
        self.seed = seed

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        check_linear(self.classifier, self.C)
        check_at_least("n_folds", self.n_folds, 2)
        self.order_, self.lag_ = self._choose(X, target, trials)
        C = covariances(X, self.order_, self.lag_, self.covariance)
        self.whitening_ = whitening(riemannian_mean(C))
        vectors = tangent_vectors(C, self.whitening_)
        if self.classifier == "lr":
            rule = fit_logistic(vectors, target, self.C)
        else:
            folds = trial_folds(target, trials, self.n_folds, self.seed)
            rule = fit_svm(vectors, target, self.C, folds)
        self.coef_ = np.ascontiguousarray(rule.coef)
        self.intercept_ = rule.intercept
        self.link_ = rule.link

    def _choose(self, X: F64, target: Index, trials: Index) -> tuple[int, int]:
        return check_at_least("order", self.order, 1), check_at_least("lag", self.lag, 1)

    @property
    def views(self) -> tuple[View, ...]:
        """The one covariance: of all channels, at the order and lag in use."""
        return (View(None, self.order_, self.lag_),)

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        vectors = tangent_vectors(C[0], self.whitening_)
        return link_probabilities(scores(vectors, self.coef_, self.intercept_), self.link_)
