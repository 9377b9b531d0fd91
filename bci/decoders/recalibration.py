"""Supervised recalibration: a fitted decoder for a new session, from a few labelled trials.

Riemannian Procrustes analysis (Rodrigues, Jutten and Congedo 2019, "Riemannian Procrustes
analysis: transfer learning for brain-computer interfaces", IEEE Trans Biomed Eng 66(8),
2390-2401): the new session's mean is taken to that of training, and the whole is then rotated
about it so that the class means come to lie on those of training. The decoder stays as it is.
"""

from collections.abc import Sequence

import numpy as np

from bci.decoders.base import F64, CovarianceDecoder, Index, View
from bci.decoders.recentering import recentered, transport
from bci.errors import TrialError
from bci.riemann import log_whitened, riemannian_mean, whitening

__all__ = ["RecalibratedDecoder", "rotation"]

#: Weight of staying where it is, in variances of the class means. With none a few trials rotate by
#: noise: on P1 from day to day, five trials a class, ROC-AUC .93 fell to .77; with 0.6 it was .91,
#: with 2 .92. Of what a made rotation had cost, 0.6 undid a little more than 2 did.
_STIFFNESS = 1.0
_STEPS, _TOLERANCE = 300, 1e-6


class RecalibratedDecoder(CovarianceDecoder):
    """A fitted decoder that sees the covariances of a new session moved to where it was trained.

    Parameters
    ----------
    decoder : CovarianceDecoder
        Fitted; it is not changed.
    class_means : sequence of ndarray of float64, shape (n_classes, n, n)
        One a view of `decoder`: means of the windows that it was trained on.
    rotate : bool
        Align the classes too; False: their common mean alone.

    Attributes
    ----------
    maps_ : list of ndarray of float64, shape (n, n)
        One a view: B of ``B C B'``.
    """

    def __init__(
        self, decoder: CovarianceDecoder, class_means: Sequence[F64], rotate: bool = True
    ) -> None:
        self.decoder = decoder
        self.class_means = class_means
        self.rotate = rotate

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        if not np.array_equal(self.classes_, self.decoder.classes_):
            raise TrialError(
                f"recalibration needs trials of every class ({self.decoder.classes_}), these are "
                f"of {self.classes_}"
            )
        self.covariance = self.decoder.covariance
        n_trials = np.array([len(np.unique(trials[target == k])) for k in np.unique(target)])
        self.maps_ = [
            _aligning_map(C, target, n_trials, means, rotate=self.rotate)
            for C, means in zip(self.decoder.covariances(X), self.class_means, strict=True)
        ]

    @property
    def views(self) -> tuple[View, ...]:
        """Those of the decoder."""
        return self.decoder.views

    def covariances(self, X: F64) -> list[F64]:
        """Return the covariances that the decoder takes, before they are moved."""
        return self.decoder.covariances(X)

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances."""
        return self.decoder.probabilities_from(
            [recentered(stack, B) for stack, B in zip(C, self.maps_, strict=True)]
        )


def _aligning_map(C: F64, target: Index, n_trials: Index, means: F64, *, rotate: bool) -> F64:
    """Return the B that takes the session of `C` to where the classes have the given means."""
    members = [target == k for k in range(len(means))]
    # Of the class means, so that it does not matter how many trials each class has.
    goal = riemannian_mean(means)
    T = transport(riemannian_mean(np.stack([riemannian_mean(C[m]) for m in members])), goal)
    if not rotate:
        return T
    W = whitening(goal)
    logs = log_whitened(recentered(C, T), W)
    found = np.stack([logs[m].mean(axis=0) for m in members])
    # Of each class mean, over trials: windows of one trial count once.
    variance = sum(
        ((logs[m] - mean) ** 2).sum() / m.sum() / (n - 1)
        for m, mean, n in zip(members, found, n_trials, strict=True)
    )
    Q = rotation(log_whitened(means, W), found, _STIFFNESS * float(variance))
    return np.asarray(np.linalg.solve(W, Q @ W @ T), dtype=np.float64)


def rotation(goal: F64, found: F64, stiffness: float = 0.0) -> F64:
    """Return the orthogonal Q that brings ``Q found Q'`` nearest to `goal`, starting from I.

    Minimises the sum over classes of ``|goal - Q found Q'|^2``, plus ``stiffness |Q - I|^2``.
    Adding a multiple of I to every matrix changes the sum by a constant and makes the part that
    depends on Q convex, so the polar factor of its gradient never makes it worse; Q is a local
    optimum, near I where `stiffness` is large. Two classes alone leave the signs of 2^n axes open:
    the start decides.

    Parameters
    ----------
    goal, found : ndarray of float64, shape (n_classes, n, n)
        Symmetric.
    stiffness : float
    """
    n = goal.shape[-1]
    shift = np.eye(n) * max(np.abs(np.linalg.eigvalsh(a)).max() for a in (goal, found))
    goal, found = goal + shift, found + shift
    Q: F64 = np.eye(n)
    for _ in range(_STEPS):
        gradient = 4 * (goal @ Q @ found).sum(axis=0) + 2 * stiffness * np.eye(n)
        U, _, Vt = np.linalg.svd(gradient)
        before, Q = Q, U @ Vt
        if np.linalg.norm(Q - before) < _TOLERANCE:
            break
    return Q
