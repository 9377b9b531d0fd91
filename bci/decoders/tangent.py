"""Linear decoding in the tangent space of (augmented) covariances."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bci.decoders.base import F64, CovarianceDecoder, Index, View, check_at_least
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
    orders_, lags_ : ndarray of int, shape (n_views,)
        Of the covariances in use.
    picks_ : ndarray of int, shape (n_picks,)
        Channels in use.
    whitenings_ : list of ndarray of float64, shape (n, n)
        One a view: inverse square root of its reference; n = order * n_picks.
    coef_ : ndarray of float64, shape (n_scores, n_features)
        For the views' tangent vectors, n * (n + 1) / 2 each, one after the other.
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
        self.picks_, pairs = self._choose(X)
        self.orders_, self.lags_ = np.array(pairs, dtype=np.intp).T
        stacks = self.covariances(X)
        self.whitenings_ = [whitening(riemannian_mean(C)) for C in stacks]
        parts = [tangent_vectors(C, W) for C, W in zip(stacks, self.whitenings_, strict=True)]
        scales = np.repeat(self._weights(parts), [part.shape[1] for part in parts])
        vectors = np.concatenate(parts, axis=1) * scales
        self._learn(vectors, scales, target, trials)

    def _learn(self, vectors: F64, scales: F64, target: Index, trials: Index) -> None:
        """Fit the rule to vectors whose features were multiplied by `scales`."""
        if self.classifier == "lr":
            rule = fit_logistic(vectors, target, self.C)
        else:
            folds = trial_folds(target, trials, self.n_folds, self.seed)
            rule = fit_svm(vectors, target, self.C, folds)
        self.coef_ = np.ascontiguousarray(rule.coef * scales)
        self.intercept_ = rule.intercept
        self.link_ = rule.link

    def _choose(self, X: F64) -> tuple[Index, list[tuple[int, int]]]:
        """Return the channels to use, and the order and lag of each view."""
        pair = check_at_least("order", self.order, 1), check_at_least("lag", self.lag, 1)
        return np.arange(X.shape[1]), [pair]

    def _weights(self, parts: Sequence[F64]) -> F64:
        """Return what each view's tangent vectors are multiplied by before the rule is fitted."""
        return np.ones(len(parts))

    @property
    def views(self) -> tuple[View, ...]:
        """The covariances, in the order of `orders_`."""
        picks = None if len(self.picks_) == self.n_channels_in_ else tuple(self.picks_.tolist())
        pairs = zip(self.orders_.tolist(), self.lags_.tolist(), strict=True)
        return tuple(View(picks, order, lag) for order, lag in pairs)

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        return link_probabilities(self._scores(self._vectors(C)), self.link_)

    def _vectors(self, C: Sequence[F64]) -> F64:
        parts = [tangent_vectors(*pair) for pair in zip(C, self.whitenings_, strict=True)]
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def _scores(self, vectors: F64) -> F64:
        return scores(vectors, self.coef_, self.intercept_)
