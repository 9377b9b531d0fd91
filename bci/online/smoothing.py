"""Smoothing of class probabilities over windows, online and in a trial's score alike."""

import math

import numpy as np
from numpy.typing import NDArray

from bci.config import OnlineSettings

__all__ = ["Smoother"]

F64 = NDArray[np.float64]

# A probability of exactly 0 in one window would veto its class for ever in a product.
_FLOOR = 1e-6


class Smoother:
    """Class probabilities smoothed by the chosen rule.

    ``"none"`` passes them on. ``"exponential"`` averages them with the weight
    ``exp(-step_s / smoothing_s)`` for the past. ``"evidence"`` takes the mean of their logarithms
    since the last restart, normalised to sum to one: the product rule for windows, tempered by
    their number since overlapping windows are not independent.

    Parameters
    ----------
    settings : OnlineSettings
    step_s : float
        From one window to the next (s).
    n_classes : int
    """

    def __init__(self, settings: OnlineSettings, step_s: float, n_classes: int) -> None:
        self._rule = settings.smoothing
        self._decay = math.exp(-step_s / settings.smoothing_s)
        self._n_classes = n_classes
        self.restart()

    def restart(self) -> None:
        """Forget all windows."""
        self._state = np.zeros(self._n_classes)
        self.n_windows = 0

    def update(self, probabilities: F64) -> F64:
        """Take the probabilities of the next window and return the smoothed ones.

        Parameters
        ----------
        probabilities : ndarray of float64, shape (n_classes,)

        Returns
        -------
        ndarray of float64, shape (n_classes,)
            Sums to one.
        """
        self.n_windows += 1
        if self._rule == "evidence":
            self._state = self._state + np.log(np.maximum(probabilities, _FLOOR))
            mean = self._state / self.n_windows
            likelihood = np.exp(mean - mean.max())
            smoothed: F64 = likelihood / likelihood.sum()
            return smoothed
        if self._rule == "none" or self.n_windows == 1:
            self._state = probabilities.copy()
        else:
            self._state = self._decay * self._state + (1 - self._decay) * probabilities
        return self._state.copy()
