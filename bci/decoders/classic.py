"""The decoders of the field's standard pipelines, by the names of the registry."""

from bci.decoders.csp import CSPDecoder
from bci.decoders.mdm import FgMDMDecoder, MDMDecoder
from bci.decoders.tangent import TangentDecoder

__all__ = ["acm_fgmdm", "acm_mdm", "csp_lda", "fgmdm", "mdm", "ts_lr", "ts_svm"]


def csp_lda(n_filters: int = 6, covariance: str = "oas") -> CSPDecoder:
    """Take log-variances along common spatial patterns; linear discriminant analysis."""
    return CSPDecoder(n_filters, covariance)


def mdm(covariance: str = "oas") -> MDMDecoder:
    """Compare distances to the Riemannian mean of each class."""
    return MDMDecoder(covariance=covariance)


def fgmdm(covariance: str = "oas") -> FgMDMDecoder:
    """Compare distances to class means after geodesic filtering."""
    return FgMDMDecoder(covariance=covariance)


def acm_mdm(order: int = 3, lag: int = 4, covariance: str = "oas") -> MDMDecoder:
    """Compare distances to class means of augmented covariances."""
    return MDMDecoder(order, lag, covariance)


def acm_fgmdm(order: int = 3, lag: int = 4, covariance: str = "oas") -> FgMDMDecoder:
    """Compare distances to class means of augmented covariances after geodesic filtering."""
    return FgMDMDecoder(order, lag, covariance)


def ts_lr(covariance: str = "oas", C: float = 1.0) -> TangentDecoder:
    """Map to the tangent space; logistic regression."""
    return TangentDecoder("lr", covariance=covariance, C=C)


def ts_svm(
    covariance: str = "oas", C: float = 1.0, n_folds: int = 5, seed: int = 0
) -> TangentDecoder:
    """Map to the tangent space; calibrated support vector machine."""
    return TangentDecoder("svm", covariance=covariance, C=C, n_folds=n_folds, seed=seed)
