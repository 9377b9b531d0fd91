"""Covariances of the augmented signal, without ever forming that signal.

For order p and lag l the augmented signal of a window X, shape (n_channels, n_times), stacks
``X[:, i*l : n_times - (p-1-i)*l]`` for i = 0 .. p-1 (the delay embedding of Carrara and
Papadopoulo 2024, "Classification of BCI-EEG based on the augmented covariance matrix", IEEE Trans
Biomed Eng 71(9), eq. 4 to 6). Its covariance has p x p blocks; block (i, j) sums the products
``x[s] x[s + d*l]'`` of samples d = j - i lags apart over the N samples from s = i*l on. So the
blocks of one lag distance are sliding sums of one sequence: they share a core, and differ by the
thin pieces of l samples at either end. Each piece is multiplied once and the blocks are put
together by *adding* pieces (running sums backward over the pieces before the core, forward over
those after it); nothing is ever subtracted, so a large sample that leaves the window takes no
digits with it. Where the window is too short for all blocks to share a core, runs of blocks that
do share one are formed.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bci.errors import SettingsError
from bci.riemann import kernels

__all__ = ["ESTIMATORS", "augmented_covariances", "check_window"]

F64 = NDArray[np.float64]

#: Covariance estimators by name, and their number in the kernel.
ESTIMATORS: dict[str, int] = {"scm": 0, "oas": 1, "lwf": 2}


def augmented_covariances(X: ArrayLike, order: int, lag: int, estimator: str = "oas") -> F64:
    """Estimate the covariances of augmented windows.

    Parameters
    ----------
    X : array_like of float, shape (n_trials, n_channels, n_times)
        Windows, in any unit.
    order : int, at least 1
        Copies of the signal that are stacked; 1 is the plain covariance.
    lag : int, at least 1
        From one copy to the next, in samples.
    estimator : {"oas", "scm", "lwf"}
        All three centre each row of the augmented signal by its own mean and divide by the
        number N = n_times - (order - 1) * lag of augmented samples, as pyriemann's estimators of
        the same names do of the explicitly stacked signal. ``"scm"``: nothing more (singular
        when N < order * n_channels, or for an average reference). ``"oas"``: shrunk toward a
        multiple of the identity by Oracle Approximating Shrinkage (Chen et al. 2010, eq. 23, as
        scikit-learn has it). ``"lwf"``: by Ledoit and Wolf (2004).

    Returns
    -------
    ndarray of float64, shape (n_trials, order * n_channels, order * n_channels)
        Symmetric to the last bit.

    Raises
    ------
    SettingsError
        For an unknown estimator, an order or lag below 1, and a window that is too short.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((2, 3, 100))
    >>> augmented_covariances(X, order=2, lag=4).shape
    (2, 6, 6)
    """
    X = kernels.plain(X)
    n_trials, n_channels, n_times = X.shape
    check_window(n_times, order, lag, estimator)
    n = order * n_channels
    covariances = np.empty((n_trials, n, n))
    kernels.augmented(X, order, lag, ESTIMATORS[estimator], covariances)
    return covariances


def check_window(n_times: int, order: int, lag: int, estimator: str) -> None:
    """Raise SettingsError for what cannot be estimated of windows of `n_times` samples."""
    if estimator not in ESTIMATORS:
        raise SettingsError(
            f"covariance estimator {estimator!r}: choose one of {', '.join(ESTIMATORS)}"
        )
    if order < 1 or lag < 1:
        raise SettingsError(f"order {order} and lag {lag}: both must be at least 1")
    if n_times - (order - 1) * lag < 2:
        raise SettingsError(
            f"order {order} with lag {lag} needs windows of at least {(order - 1) * lag + 2} "
            f"samples, these have {n_times}: lower the order or the lag, or lengthen the window"
        )
