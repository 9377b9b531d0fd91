"""Activation patterns: where on the scalp a decoder's evidence comes from."""

import numpy as np

from bci.decoders.base import F64, Decoder
from bci.decoders.csp import CSPDecoder

__all__ = ["activation_patterns"]


def activation_patterns(decoder: Decoder, X: F64) -> F64:
    """Return patterns that may be drawn as topographies.

    Weights of a classifier must not be read as sources: they also cancel noise. What may be read
    is how the signal goes with the classifier's output (Haufe et al. 2014, NeuroImage 87, 96-110,
    eq. 6: pattern = covariance of data and output / variance of output).

    Parameters
    ----------
    decoder : Decoder
        Fitted.
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
        The training windows.

    Returns
    -------
    ndarray of float64, shape (n_patterns, n_channels)
        For common spatial patterns, one row a component: the decoder's own patterns, in units of
        the signal up to a factor, sign arbitrary. For every other decoder, one row a class, in
        the order of `classes_`: the change in log power (natural logarithm of the variance within
        a window) of each channel that goes with one standard deviation of the evidence for the
        class. Evidence is the logarithm of the class's probability minus the mean of the
        logarithms of all. This is the pattern in channel power of a decoder that may use more
        than channel power (covariances between channels, delays).
    """
    if isinstance(decoder, CSPDecoder):
        return decoder.patterns_.copy()
    X = np.asarray(X, dtype=np.float64)
    tiny = np.finfo(np.float64).tiny
    logarithms = np.log(np.maximum(decoder.predict_proba(X), 1e-12))
    evidence = logarithms - logarithms.mean(axis=1, keepdims=True)
    evidence -= evidence.mean(axis=0)
    spread = evidence.std(axis=0)
    power = np.log(np.maximum(X.var(axis=2), tiny))
    power -= power.mean(axis=0)
    patterns: F64 = evidence.T @ power / (len(X) * np.maximum(spread, tiny)[:, None])
    return patterns
