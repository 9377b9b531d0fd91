"""Minimum distance to the Riemannian means of the classes, plain and after geodesic filtering."""

from collections.abc import Sequence

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

from bci.decoders.base import F64, CovarianceDecoder, Index, View, check_at_least
from bci.decoders.linear import link_probabilities
from bci.riemann import (
    riemannian_mean,
    squared_distances,
    symmetric_exp,
    tangent_vectors,
    untangent,
    whitening,
)

__all__ = ["FgMDMDecoder", "MDMDecoder", "distance_probabilities"]


def _class_whitenings(C: F64, target: Index) -> F64:
    """Return the inverse square roots of the class means, shape (n_classes, n, n)."""
    return np.stack(
        [whitening(riemannian_mean(C[target == k])) for k in range(int(target.max()) + 1)]
    )


def _class_distances(C: F64, whitenings: F64) -> F64:
    """Return squared distances to the class means, shape (n_matrices, n_classes)."""
    return np.stack([squared_distances(C, W) for W in whitenings], axis=1)


def distance_probabilities(squares: F64) -> F64:
    """Return the softmax of the negative squared distances, as pyriemann has it.

    Parameters
    ----------
    squares : ndarray of float64, shape (n_windows, n_classes)
        Squared distances to the class means.

    Returns
    -------
    ndarray of float64, shape (n_windows, n_classes)
    """
    values = -squares
    # As log-odds for two classes: the same numbers, and one rule for what sums to 1.
    if values.shape[1] == 2:
        values = values[:, 1:] - values[:, :1]
    return link_probabilities(values, "softmax")


def _discriminants(vectors: F64, target: Index) -> F64:
    """Return the weights of a linear discriminant analysis shrunk by Ledoit-Wolf.

    The same as scikit-learn's (solver "lsqr", shrinkage "auto"): each class's covariance is
    shrunk in standardised features, then they are averaged. That average is a diagonal matrix
    plus one of rank n: solved by Woodbury's identity, 2080 features take milliseconds instead of
    seconds. A shrinkage of zero (two trials of a class) counts as 1e-6.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n, n_features)
    target : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n_scores, n_features)
        The difference of two classes, else one row a class.
    """
    n, n_features = vectors.shape
    diagonal = np.zeros(n_features)
    factors, means = [], []
    for k in range(int(target.max()) + 1):
        members = vectors[target == k]
        mean, spread = members.mean(axis=0), members.std(axis=0)
        spread[spread == 0] = 1.0
        standard = (members - mean) / spread
        shrinkage = max(float(ledoit_wolf_shrinkage(standard)), 1e-6)
        diagonal += len(members) / n * shrinkage * (standard**2).mean() * spread**2
        factors.append(np.sqrt((1 - shrinkage) / n) * (members - mean))
        means.append(mean)
    centres = np.array(means)
    factor = np.concatenate(factors)
    scaled = factor / diagonal
    small = np.eye(n) + scaled @ factor.T
    inverse_times = centres / diagonal
    weights: F64 = inverse_times - (np.linalg.solve(small, scaled @ centres.T).T) @ scaled
    return weights[1:] - weights[:1] if len(weights) == 2 else weights


class MDMDecoder(CovarianceDecoder):
    """Minimum distance to mean.

    Barachant et al. 2012, IEEE Trans Biomed Eng 59(4), 920-928. Probabilities are the softmax of
    the negative squared affine-invariant distances. With `order` above 1 the covariances are
    augmented (Carrara and Papadopoulo 2024, IEEE Trans Biomed Eng 71(9)).

    Parameters
    ----------
    order, lag : int
        Of the augmented covariance; lag in samples, without effect at order 1.
    covariance : {"oas", "lwf", "scm"}

    Attributes
    ----------
    whitenings_ : ndarray of float64, shape (n_classes, n, n)
        n = order * n_channels; inverse square roots of the class means.
    """

    def __init__(self, order: int = 1, lag: int = 1, covariance: str = "oas") -> None:
        self.order = order
        self.lag = lag
        self.covariance = covariance

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        check_at_least("order", self.order, 1)
        check_at_least("lag", self.lag, 1)
        self.whitenings_ = _class_whitenings(self.covariances(X)[0], target)

    @property
    def views(self) -> tuple[View, ...]:
        """The one covariance: of all channels, at the order and lag in use."""
        return (View(None, self.order, self.lag),)

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        return distance_probabilities(_class_distances(C[0], self.whitenings_))


class FgMDMDecoder(CovarianceDecoder):
    """Minimum distance to mean after geodesic filtering.

    Barachant et al. 2010, "Riemannian geometry applied to BCI classification" (LVA/ICA, LNCS
    6365): a discriminant analysis in the tangent space, shrunk by Ledoit-Wolf, keeps the
    directions that tell classes apart; filtered vectors go back to the manifold. Everything stays
    in the coordinates whitened by the reference, where the affine-invariant distances are the
    same, so the way back needs one exponential and no product. With `order` above 1 the covariances
    are augmented (Carrara and Papadopoulo 2024).

    Parameters
    ----------
    order, lag : int
        Of the augmented covariance; lag in samples, without effect at order 1.
    covariance : {"oas", "lwf", "scm"}

    Attributes
    ----------
    whitening_ : ndarray of float64, shape (n, n)
        Inverse square root of the reference; n = order * n_channels.
    directions_ : ndarray of float64, shape (n_directions, n * (n + 1) / 2)
        Orthonormal rows that span the kept subspace.
    whitenings_ : ndarray of float64, shape (n_classes, n, n)
        Inverse square roots of the means of the filtered classes.
    """

    def __init__(self, order: int = 1, lag: int = 1, covariance: str = "oas") -> None:
        self.order = order
        self.lag = lag
        self.covariance = covariance

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        check_at_least("order", self.order, 1)
        check_at_least("lag", self.lag, 1)
        C = self.covariances(X)[0]
        self.whitening_ = whitening(riemannian_mean(C))
        vectors = tangent_vectors(C, self.whitening_)
        weights = _discriminants(vectors, target)
        # W' (W W')^+ W, the filter of the paper, is the projection onto the rows of W.
        # Tangent vectors at the mean sum to zero, so one row of W depends on the others; what is
        # left of it is how far the mean was from converged.
        rows = np.linalg.svd(weights, full_matrices=False)[2]
        self.directions_ = np.ascontiguousarray(rows[: int(target.max())])
        self.whitenings_ = _class_whitenings(self.filtered(vectors), target)

    def filtered(self, vectors: F64) -> F64:
        """Return the matrices of tangent vectors of which only the kept directions are left."""
        # Row by row, so that a window's bits do not depend on its company.
        kept = np.matmul(self.directions_, vectors[:, :, None])[:, :, 0]
        back = np.matmul(kept[:, None, :], self.directions_)[:, 0, :]
        return symmetric_exp(untangent(back))

    @property
    def views(self) -> tuple[View, ...]:
        """The one covariance: of all channels, at the order and lag in use."""
        return (View(None, self.order, self.lag),)

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        filtered = self.filtered(tangent_vectors(C[0], self.whitening_))
        return distance_probabilities(_class_distances(filtered, self.whitenings_))
