"""What a search chose: a decoder of given views, kernel and C."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bci.decoders.base import F64, Index
from bci.decoders.folds import trial_folds
from bci.decoders.linear import fit_machines, scores
from bci.decoders.tangent import TangentDecoder

__all__ = ["ChosenDecoder"]


class ChosenDecoder(TangentDecoder):
    """Tangent vectors of one or several augmented covariances; a linear or a Gaussian rule.

    Parameters
    ----------
    classifier : {"svm", "lr"}
        Three or more classes: one support vector machine a class against the rest.
    pairs : sequence of (order, lag)
        One covariance each; of several the Gram matrices are averaged as in `ACMDecoder`.
    picks : sequence of int, optional
        Channels in use. None: all.
    kernel : {"linear", "rbf"}
        Of the support vector machine. The Gaussian's width is scikit-learn's ``"scale"``.
    covariance : {"oas", "lwf", "scm"}
    C : float
    n_folds : int
        Inner folds for calibration (``"svm"``).
    seed : int

    Attributes
    ----------
    vectors_ : ndarray of float64, shape (n_support, n_features)
        Support vectors (``"rbf"``; there is no `coef_` then).
    scales_ : ndarray of float64, shape (n_features,)
        What features are multiplied by before the kernel.
    dual_coef_ : ndarray of float64, shape (n_scores, n_support)
    gamma_ : float
    """

    def __init__(
        self,
        classifier: Literal["svm", "lr"] = "svm",
        pairs: Sequence[tuple[int, int]] = ((1, 1),),
        picks: Sequence[int] | None = None,
        kernel: Literal["linear", "rbf"] = "linear",
        covariance: str = "oas",
        C: float = 1.0,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(classifier, covariance=covariance, C=C, n_folds=n_folds, seed=seed)
        self.pairs = pairs
        self.picks = picks
        self.kernel = kernel

    def decision_function(self, X: ArrayLike) -> F64:
        """Return calibrated decision values: log-odds.

        Parameters
        ----------
        X : array_like of float, shape (n_windows, n_channels, n_times)

        Returns
        -------
        ndarray of float64, shape (n_windows,) or (n_windows, n_classes)
            Two classes: of the second. More: of each class against the rest (``"svm"``).
        """
        values = self._scores(self._vectors(self.covariances(np.asarray(X, dtype=np.float64))))
        return values[:, 0] if values.shape[1] == 1 else values

    def _choose(self, X: F64) -> tuple[Index, list[tuple[int, int]]]:
        picks = np.arange(X.shape[1]) if self.picks is None else np.array(self.picks, np.intp)
        return picks, [(int(order), int(lag)) for order, lag in self.pairs]

    def _learn(self, vectors: F64, scales: F64, target: Index, trials: Index) -> None:
        if self.classifier == "lr" or self.kernel == "linear":
            super()._learn(vectors, scales, target, trials)
            return
        squares = np.einsum("ij,ij->i", vectors, vectors)
        variance = float(vectors.var())
        self.gamma_ = 1.0 / (vectors.shape[1] * variance) if variance > 0 else 1.0
        distances = squares + squares[:, None] - 2 * vectors @ vectors.T
        gram = np.exp(-self.gamma_ * np.maximum(distances, 0.0))
        folds = trial_folds(target, trials, self.n_folds, self.seed)
        dual, self.intercept_ = fit_machines(gram, target, self.C, folds)
        support = np.flatnonzero(dual.any(axis=0))
        self.dual_coef_ = np.ascontiguousarray(dual[:, support])
        self.vectors_ = np.ascontiguousarray(vectors[support])
        self.scales_ = scales
        self.link_ = "one-vs-rest"

    def _scores(self, vectors: F64) -> F64:
        if self.classifier == "lr" or self.kernel == "linear":
            return super()._scores(vectors)
        scaled = vectors * self.scales_
        squares = np.einsum("ij,ij->i", self.vectors_, self.vectors_)
        own = np.einsum("ij,ij->i", scaled, scaled)[:, None]
        distances = own + scores(scaled, -2 * self.vectors_, squares)
        return scores(
            np.exp(-self.gamma_ * np.maximum(distances, 0.0)), self.dual_coef_, self.intercept_
        )
