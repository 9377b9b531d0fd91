"""The augmented covariance of a window that slides over a stream, a hop at a time."""

import numpy as np
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.riemann import kernels
from bci.riemann.augmented import ESTIMATORS

__all__ = ["SlidingCovariance"]

F64 = NDArray[np.float64]


class SlidingCovariance:
    """Covariances of the windows that end at each hop, from sums over whole hops.

    Block (i, j) of an augmented covariance sums products of samples (j - i) * lag apart. Each hop
    adds the products of its own samples, and the sum over a window is put together from two parts,
    as a queue is from two stacks: running sums over the hops before the last rebuild, one for each
    hop that may still be the oldest, and one sum over the hops since. Once a window's length the
    former are made anew from the products of the latter. Nothing is ever subtracted, so there is
    no drift, and an artifact that has left the window takes no digits with it: the usual way, to
    add what enters and subtract what leaves, keeps the rounding of the largest sample it ever saw.
    (The scheme is known as two stacks: Tangwongsan, Hirzel and Schneider 2020, "In-order
    sliding-window aggregation in worst-case constant time", arXiv 2009.13768.)

    Over a million hops with artifacts of a million times the signal among them, no entry was
    further than 1e-14 of the largest from the direct computation. Sums are about a centre fixed at
    the restart, which serves signals that stay near it, as filtered ones do.

    A hop costs order * (order + 1) / 2 products of `hop` samples instead of `order` products of a
    whole window. The rebuild reads all that is kept, once a window's length: 0.03 ms with 22
    channels at order 4 and 29 hops a window, 0.14 ms with 64 channels at order 3, less than one
    direct computation.

    Parameters
    ----------
    n_channels, n_times : int
        Of a window.
    hop : int
        Samples from one window to the next.
    order, lag : int
    estimator : {"oas", "lwf", "scm"}
        As for `augmented_covariances`.

    Raises
    ------
    SettingsError
        When the augmented window is shorter than a hop, for which there is nothing to keep.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        hop: int,
        order: int = 1,
        lag: int = 1,
        estimator: str = "oas",
    ) -> None:
        self._order, self._lag, self._hop = order, lag, hop
        self._estimator = ESTIMATORS[estimator]
        n_hops, self._n_rest = divmod(n_times - (order - 1) * lag, hop)
        if n_hops < 1:
            raise SettingsError(
                f"windows of {n_times} samples are shorter than a hop of {hop} at order {order} "
                f"and lag {lag}"
            )
        n_sums = order * (order + 1) // 2 * n_channels**2 + order * n_channels
        self._products = np.zeros((n_hops, n_sums))
        self._newer = np.zeros(n_sums)
        self._recent = np.empty(((order - 1) * lag + hop, n_channels))
        self._n_samples = n_times - (order - 1) * lag
        n_first = n_times if estimator == "lwf" else (order - 1) * lag + self._n_rest
        self._first = np.empty((n_first, n_channels))
        self._centre = np.zeros(n_channels)
        self._covariance = np.empty((order * n_channels, order * n_channels))
        self._n_hops = 0

    @property
    def n_recent(self) -> int:
        """Samples that `append` needs: the hop's own and those that delays reach back to."""
        return len(self._recent)

    @property
    def n_first(self) -> int:
        """Samples that `covariance` needs: those before the hops and the delays, or all."""
        return len(self._first)

    @property
    def ready(self) -> bool:
        """True when the sums hold a whole window."""
        return self._n_hops >= len(self._products)

    def restart(self) -> None:
        """Forget the past: the next hop is a first one."""
        self._n_hops = 0
        self._newer[:] = 0.0

    def append(self, recent: F64) -> None:
        """Add the newest hop.

        Parameters
        ----------
        recent : ndarray of float64, shape (n_channels, n_recent)
            The newest samples, without a gap; the last `hop` of them follow those of the call
            before.
        """
        if not self._n_hops:
            # Not the mean: an artifact in the first hop must not set what all sums are about.
            self._centre[:] = np.median(recent, axis=1)
        np.subtract(recent.T, self._centre, out=self._recent)
        step = self._n_hops % len(self._products)
        kernels.slide(
            self._recent, self._order, self._lag, self._hop, self._products, self._newer, step
        )
        self._n_hops += 1

    def covariance(self, window: F64) -> F64:
        """Return the covariance of the window that ends with the newest hop.

        Parameters
        ----------
        window : ndarray of float64, shape (n_channels, n_times)
            Its first `n_first` samples are enough: they complete the sums where hops do not fill a
            window. Ledoit-Wolf needs them all.

        Returns
        -------
        ndarray of float64, shape (n, n)
            n = order * n_channels. A work array: it changes with the next call.
        """
        np.subtract(window[:, : len(self._first)].T, self._centre, out=self._first)
        older = self._products[self._n_hops % len(self._products)]
        kernels.slid(
            self._first,
            self._order,
            self._lag,
            self._n_samples,
            self._n_rest,
            older,
            self._newer,
            self._estimator,
            self._covariance,
        )
        return self._covariance
