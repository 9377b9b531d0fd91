"""Common spatial patterns and linear discriminant analysis."""

from collections.abc import Sequence

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bci.decoders.base import F64, CovarianceDecoder, Index, View, check_at_least, covariances
from bci.decoders.linear import link_probabilities, scores

__all__ = ["CSPDecoder"]


class CSPDecoder(CovarianceDecoder):
    """Log-variances along common spatial patterns, and linear discriminant analysis.

    Blankertz et al. 2008, IEEE Signal Processing Magazine 25(1); for more than two classes by
    approximate joint diagonalisation (Grosse-Wentrup and Buss 2008). The discriminant analysis
    is without shrinkage.

    Parameters
    ----------
    n_filters : int
        Spatial filters kept, at most.
    covariance : {"oas", "lwf", "scm"}

    Attributes
    ----------
    filters_, patterns_ : ndarray of float64, shape (n_filters, n_channels)
    coef_ : ndarray of float64, shape (n_scores, n_filters)
    intercept_ : ndarray of float64, shape (n_scores,)
    """

    def __init__(self, n_filters: int = 6, covariance: str = "oas") -> None:
        self.n_filters = n_filters
        self.covariance = covariance

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        # Pyriemann loads matplotlib (0.35 s), which what only decodes need not wait for.
        from pyriemann.spatialfilters import CSP

        C = covariances(X, 1, 1, self.covariance)
        # Volts squared are near 1e-11, below the tolerances of the joint diagonalisation.
        scaled = C / (np.trace(C, axis1=1, axis2=2).mean() / C.shape[-1])
        csp = CSP(nfilter=check_at_least("n_filters", self.n_filters, 1)).fit(scaled, target)
        self.filters_ = np.ascontiguousarray(csp.filters_)
        self.patterns_ = np.ascontiguousarray(csp.patterns_)
        lda = LinearDiscriminantAnalysis().fit(self._features(C), target)
        self.coef_ = np.ascontiguousarray(lda.coef_)
        self.intercept_ = lda.intercept_

    def _features(self, C: F64) -> F64:
        powers = ((self.filters_ @ C) * self.filters_).sum(axis=2)
        logarithms: F64 = np.log(np.maximum(powers, np.finfo(np.float64).tiny))
        return logarithms

    @property
    def views(self) -> tuple[View, ...]:
        """The one covariance: plain, of all channels."""
        return (View(None, 1, 1),)

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        values = scores(self._features(C[0]), self.coef_, self.intercept_)
        return link_probabilities(values, "softmax")
