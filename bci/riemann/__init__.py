"""Geometry of symmetric positive definite matrices: covariances, means, tangent space."""

from bci.riemann.augmented import ESTIMATORS, augmented_covariances
from bci.riemann.means import euclidean_mean, log_euclidean_mean, riemannian_mean
from bci.riemann.siegel import (
    siegel_exp,
    siegel_frame,
    siegel_logarithms,
    siegel_mean,
    siegel_squared_distances,
)
from bci.riemann.sliding import SlidingCovariance
from bci.riemann.tangent import (
    RIDGE,
    log_whitened,
    regularised,
    squared_distances,
    squared_log_euclidean_distances,
    symmetric_exp,
    tangent_vectors,
    untangent,
    upper,
    whitening,
)
from bci.riemann.toeplitz import autocovariances, reflection_coefficients

__all__ = [
    "ESTIMATORS",
    "RIDGE",
    "SlidingCovariance",
    "augmented_covariances",
    "autocovariances",
    "euclidean_mean",
    "log_euclidean_mean",
    "log_whitened",
    "reflection_coefficients",
    "regularised",
    "riemannian_mean",
    "siegel_exp",
    "siegel_frame",
    "siegel_logarithms",
    "siegel_mean",
    "siegel_squared_distances",
    "squared_distances",
    "squared_log_euclidean_distances",
    "symmetric_exp",
    "tangent_vectors",
    "untangent",
    "upper",
    "whitening",
]
