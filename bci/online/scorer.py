"""From filtered samples, a hop at a time, to the probabilities of a window."""

import numpy as np
from numpy.typing import NDArray

from bci.decoders import CovarianceDecoder, RunningReference, View
from bci.decoders.base import picked
from bci.decoders.model import Model
from bci.riemann import SlidingCovariance

__all__ = ["WindowScorer"]

F64 = NDArray[np.float64]


#: Where fewer hops than this make a window, its covariance is computed anew each time.
_FEWEST_HOPS = 4


class WindowScorer:
    """Gives the probabilities of the window that ends with the newest hop.

    Decoders that see covariances only get them from sums that slide along with the stream
    (`SlidingCovariance`), the same as of the window itself to rounding; others get the window.
    What comes out depends on the samples since the last restart and on nothing else, but for the
    reference point of a model that recentres: that follows all windows since the start.

    Parameters
    ----------
    model : Model
    length, hop : int
        Of windows and hops, in samples.
    """

    def __init__(self, model: Model, length: int, hop: int) -> None:
        self._model = model
        self._sliding: list[tuple[View, SlidingCovariance]] = []
        self._reference: RunningReference | None = None
        if model.recentering is not None:
            self._reference = RunningReference(model.recentering, length, model.rate_hz)
        self._unlearned: tuple[list[F64], int] | None = None
        decoder = model.estimator
        self._sees_covariances = isinstance(decoder, CovarianceDecoder)
        if not isinstance(decoder, CovarianceDecoder):
            return
        shortest = min(length - (view.order - 1) * view.lag for view in decoder.views)
        if shortest < _FEWEST_HOPS * hop:
            return
        for view in decoder.views:
            n_channels = len(model.channels) if view.channels is None else len(view.channels)
            sliding = SlidingCovariance(
                n_channels, length, hop, view.order, view.lag, decoder.covariance
            )
            self._sliding.append((view, sliding))

    def restart(self) -> None:
        """Forget the past: the next sample is a first one. The reference point stays."""
        for _, sliding in self._sliding:
            sliding.restart()

    def append(self, signal: F64) -> None:
        """Take the newest hop.

        Parameters
        ----------
        signal : ndarray of float64, shape (n_channels, n_samples)
            All samples since the restart, or a window's length of them, up to the hop's end.
        """
        for view, sliding in self._sliding:
            if signal.shape[1] >= sliding.n_recent:
                sliding.append(picked(signal[:, signal.shape[1] - sliding.n_recent :], view))

    def probabilities(self, window: F64, end: int) -> F64:
        """Return the class probabilities of the window that ends with the newest hop.

        Parameters
        ----------
        window : ndarray of float64, shape (n_channels, n_times)
        end : int
            Sample at which it ends.

        Returns
        -------
        ndarray of float64, shape (n_classes,)
        """
        if not self._sees_covariances:
            alone: F64 = self._model.probabilities(window[None])[0]
            return alone
        self.learn()
        C = self._covariances(window)
        if self._reference is not None:
            self._unlearned = C, end
            C = self._reference.transformed(C)
        result: F64 = self._model.probabilities_from(C)[0]
        return result

    def learn(self) -> None:
        """Let the reference point follow the last window, if the model recentres.

        To be called when there is time: before the next window it is done in any case.
        """
        if self._reference is not None and self._unlearned is not None:
            self._reference.learn(*self._unlearned)
        self._unlearned = None

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where it stays."""
        return None if self._reference is None else self._reference.moved_db

    @property
    def in_any_order(self) -> bool:
        """True when a window's probabilities do not depend on other windows."""
        return self._sees_covariances and self._reference is None

    def covariances(self, window: F64) -> list[F64]:
        """Return the window's covariances, shape (1, n, n), one a view; they are the caller's."""
        return [C.copy() for C in self._covariances(window)]

    def scored(self, windows: list[list[F64]]) -> F64:
        """Return the probabilities of several windows, from their covariances; in any thread.

        Returns
        -------
        ndarray of float64, shape (n_windows, n_classes)
            A window's are, to the last bit, those that it has alone.
        """
        stacks = [np.concatenate(view) for view in zip(*windows, strict=True)]
        return self._model.probabilities_from(stacks)

    def _covariances(self, window: F64) -> list[F64]:
        """Return the window's covariances, shape (1, n, n), one a view of the decoder."""
        if not self._sliding:
            computed: list[F64] = self._model.estimator.covariances(window[None])
            return computed
        return [sliding.covariance(picked(window, view))[None] for view, sliding in self._sliding]
