"""Geometry of symmetric positive definite matrices: covariances, means, tangent space."""

from bci.riemann.augmented import ESTIMATORS, augmented_covariances
from bci.riemann.tangent import (
    RIDGE,
    log_whitened,
    regularised,
    riemannian_mean,
    squared_distances,
    symmetric_exp,
    tangent_vectors,
    untangent,
    upper,
    whitening,
)

__all__ = [
    "ESTIMATORS",
    "RIDGE",
    "augmented_covariances",
    "log_whitened",
    "regularised",
    "riemannian_mean",
    "squared_distances",
    "symmetric_exp",
    "tangent_vectors",
    "untangent",
    "upper",
    "whitening",
]
