"""Prototypes that move: the class means of a minimum-distance decoder, trial by trial."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from bci.decoders.adapt import Revealed
from bci.decoders.adapt_bandit import packed, unpacked
from bci.decoders.base import F64
from bci.decoders.mdm import FgMDMDecoder, MDMDecoder
from bci.decoders.model import Model
from bci.decoders.recentering import geodesic
from bci.errors import SettingsError
from bci.riemann import riemannian_mean, tangent_vectors, whitening

__all__ = ["Prototypes"]


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """Class means that go a part of the geodesic toward each trial's mean covariance.

    ``M <- M^1/2 (M^-1/2 C M^-1/2)^a M^1/2`` with C the Riemannian mean of the trial's windows, as
    in the adaptive decoders of Kumar et al. (2019, 2024); a = 1 / (prior + n), n trials of the
    class so far, and no less than `slowest`: what was trained counts as `prior` trials.

    Attributes
    ----------
    model : Model
        Its estimator is an `MDMDecoder` or `FgMDMDecoder` with the means as they are now.
    told : {"label", "itself"}
    means : ndarray of float64, shape (n_classes, n, n)
        In the order of the estimator's classes.
    counts : tuple of int
        Trials of each that were learned from.
    prior, slowest, confidence : float
    """

    model: Model
    told: str
    means: F64
    counts: tuple[int, ...]
    prior: float = 10.0
    slowest: float = 0.02
    confidence: float = 0.7

    @classmethod
    def of(cls, model: Model, told: str, **params: float) -> "Prototypes":
        """Return those that a decoder was trained to."""
        inverses = np.linalg.inv(model.estimator.whitenings_)
        prototypes = cls(model, told, inverses @ inverses, (0,) * len(model.classes), **params)
        if not (prototypes.prior >= 1 and 0 <= prototypes.slowest < 1):
            raise SettingsError(
                f"prior {prototypes.prior!r}, slowest {prototypes.slowest!r}: give 1 or more, and "
                "0 to below 1"
            )
        return prototypes

    def probabilities_from(self, C: Sequence[F64]) -> F64:
        """Return class probabilities from covariances, shape (n_windows, n_classes)."""
        return self.model.probabilities_from(C)

    def learned(self, C: Sequence[F64], chosen: int, revealed: Revealed) -> "Prototypes":
        """Return what a trial makes of it; itself where there is nothing to learn from."""
        label = revealed.label
        if self.told == "itself":
            mean = self.model.probabilities_from(C).mean(axis=0)
            label = int(np.argmax(mean)) if mean.max() >= self.confidence else None
        if label is None:
            return self
        decoder = self.model.estimator
        row = _row(self.model, label)
        target = riemannian_mean(self._filtered(C[0]))
        fraction = max(1 / (self.prior + self.counts[row]), self.slowest)
        means, whitenings = self.means.copy(), decoder.whitenings_.copy()
        means[row] = geodesic(means[row], target, fraction)
        whitenings[row] = whitening(means[row])
        counts = tuple(n + (k == row) for k, n in enumerate(self.counts))
        return self._with(means, whitenings, counts)

    def _filtered(self, C: F64) -> F64:
        decoder = self.model.estimator
        if isinstance(decoder, FgMDMDecoder):
            return decoder.filtered(tangent_vectors(C, decoder.whitening_))
        return C

    def _with(self, means: F64, whitenings: F64, counts: tuple[int, ...]) -> "Prototypes":
        decoder: MDMDecoder | FgMDMDecoder = copy.copy(self.model.estimator)
        decoder.whitenings_ = whitenings
        model = replace(self.model, estimator=decoder)
        return replace(self, model=model, means=means, counts=counts)

    @property
    def state(self) -> dict[str, Any]:
        """What was learned, for JSON."""
        return {
            "means": packed(self.means),
            "whitenings": packed(self.model.estimator.whitenings_),
            "counts": list(self.counts),
        }

    def resumed(self, state: Mapping[str, Any]) -> Self:
        """Return one that has learned what `state` says."""
        counts = tuple(int(n) for n in state["counts"])
        if len(counts) != len(self.counts):
            raise TypeError("state of another model: other classes")
        shape = self.means.shape
        means, whitenings = (unpacked(state[name], shape) for name in ("means", "whitenings"))
        return self._with(means, whitenings, counts)  # type: ignore[return-value]


def _row(model: Model, label: int) -> int:
    """Return where the estimator has a class of the model."""
    fitted = list(model.estimator.classes_)
    name = model.classes[label]
    return fitted.index(name) if name in fitted else label
