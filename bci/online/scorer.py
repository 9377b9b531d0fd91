"""From filtered samples, a hop at a time, to the probabilities of a window."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.decoders import CovarianceDecoder, RunningReference, View
from bci.decoders.base import picked
from bci.decoders.model import Model
from bci.decoders.plugins import is_ours
from bci.online.adaptation import Adaptation
from bci.riemann import SlidingCovariance

__all__ = ["WindowScorer"]

F64 = NDArray[np.float64]

#: Where fewer hops than this make a window, its covariance is computed anew each time. Measured
#: with 22 and 64 channels at orders 1 to 4, both are equally fast at 4 to 8 hops; at 30, sliding is
#: 1.4 to 3 times as fast.
_FEWEST_HOPS = 8
#: Likewise where a view would have to keep more numbers than this (64 MB; a rebuild takes 3 ms).
_MOST_KEPT = 8_000_000


class WindowScorer:
    """Gives the probabilities of the window that ends with the newest hop.

    Decoders that see covariances only get them from sums that slide along with the stream
    (`SlidingCovariance`), the same as of the window itself to rounding; others get the window.
    Sample covariances (``"scm"``) are always computed of the window itself, with the ridge that
    they have offline: of a singular one, rounding alone makes the directions without signal.
    What comes out depends on the samples since the last restart and on nothing else, but for the
    reference point of a model that recentres: that follows all windows since the start.

    Parameters
    ----------
    model : Model
    length, hop : int
        Of windows and hops, in samples.
    learned : mapping, optional
        `learned` of another scorer: the reference point goes on from there.
    adaptation : Adaptation, optional
        The arm that decides in place of the trained decoder; the reference point, too, is its.
    """

    def __init__(
        self,
        model: Model,
        length: int,
        hop: int,
        learned: Mapping[str, Any] | None = None,
        adaptation: Adaptation | None = None,
    ) -> None:
        self._model, self._adaptation = model, adaptation
        self._unobserved: tuple[Any, int] | None = None
        self._sliding: list[tuple[View, SlidingCovariance]] = []
        self._reference: RunningReference | None = None
        if model.recentering is not None and adaptation is None:
            self._reference = RunningReference(model.recentering, length, model.rate_hz)
            if learned is not None:
                self._reference.carry_on(learned)
        self._unlearned: tuple[list[F64], int] | None = None
        decoder = model.estimator
        self._sees_covariances = isinstance(decoder, CovarianceDecoder)
        if not isinstance(decoder, CovarianceDecoder):
            return
        sizes = [len(model.channels if v.channels is None else v.channels) for v in decoder.views]
        views = list(zip(decoder.views, sizes, strict=True))
        if decoder.covariance == "scm" or not all(_pays(*view, length, hop) for view in views):
            return
        for view, n_channels in views:
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
        if self._adaptation is not None:
            return self._adapted(self._adaptation, window, end)
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

    def _adapted(self, adaptation: Adaptation, window: F64, end: int) -> F64:
        self.learn()
        given: Any = window[None]
        if adaptation.by_covariances is not None:
            given = self._covariances(window)
        p = adaptation.probabilities(given, end) if adaptation.works else None
        if p is not None:
            self._unobserved = given, end
            return p
        if self._sees_covariances:
            frozen: F64 = self._model.probabilities_from(self._covariances(window))[0]
            return frozen
        frozen = self._model.probabilities(window[None])[0]
        return frozen

    def learn(self) -> None:
        """Let the reference point follow the last window, if the model recentres.

        To be called when there is time: before the next window it is done in any case.
        """
        if self._adaptation is not None and self._unobserved is not None:
            self._adaptation.observe(*self._unobserved)
            self._unobserved = None
        if self._reference is not None and self._unlearned is not None:
            self._reference.learn(*self._unlearned)
        self._unlearned = None

    @property
    def moved_db(self) -> float | None:
        """How far the reference point has moved (dB); None where it stays."""
        if self._adaptation is not None:
            return self._adaptation.moved_db
        return None if self._reference is None else self._reference.moved_db

    @property
    def learned(self) -> dict[str, Any] | None:
        """What the reference point has learned, for JSON; None where that is nothing."""
        self.learn()
        state = None if self._reference is None else self._reference.state
        return state if state is not None and state["learned_s"] else None

    @property
    def in_any_order(self) -> bool:
        """True when a window's probabilities do not depend on other windows."""
        free = self._reference is None and self._adaptation is None
        # A plugin's may raise, or not be safe in threads.
        return self._sees_covariances and free and is_ours(self._model.estimator)

    def covariances(self, window: F64) -> list[F64]:
        """Return the window's covariances, shape (1, n, n), one a view; they are the caller's."""
        return [C.copy() for C in self._covariances(window)]

    def scored(self, windows: Sequence[list[F64] | None]) -> list[F64 | None]:
        """Return the probabilities of several windows, from their covariances; in any thread.

        Parameters
        ----------
        windows : sequence
            From `covariances`; None for a hop that is not decided on.

        Returns
        -------
        list of ndarray of float64, shape (n_classes,), or None
            A window's are, to the last bit, those that it has alone.
        """
        given = [C for C in windows if C is not None]
        if not given:
            return [None] * len(windows)
        stacks = [np.concatenate(view) for view in zip(*given, strict=True)]
        rows = iter(self._model.probabilities_from(stacks))
        return [None if C is None else next(rows) for C in windows]

    def _covariances(self, window: F64) -> list[F64]:
        """Return the window's covariances, shape (1, n, n), one a view of the decoder."""
        if not self._sliding:
            computed: list[F64] = self._model.estimator.covariances(window[None])
            return computed
        return [
            sliding.covariance(picked(window[:, : sliding.n_first], view))[None]
            for view, sliding in self._sliding
        ]


def _pays(view: View, n_channels: int, length: int, hop: int) -> bool:
    """Whether a covariance that slides is faster than a new one each hop, and fits into memory."""
    n_hops = (length - (view.order - 1) * view.lag) // hop
    n_kept = n_hops * view.order * (view.order + 1) // 2 * n_channels**2
    return n_hops >= _FEWEST_HOPS and n_kept <= _MOST_KEPT
