"""What an arm sees of a window: the trained decoder's probabilities, and vectors to learn on."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from bci.decoders.base import F64, CovarianceDecoder
from bci.decoders.block_toeplitz import BlockToeplitzDecoder
from bci.decoders.features import FeatureDecoder
from bci.decoders.mdm import MDMDecoder
from bci.decoders.model import Model
from bci.decoders.tangent import TangentDecoder
from bci.errors import SettingsError
from bci.riemann import riemannian_mean, tangent_vectors, whitening

__all__ = [
    "CovarianceSight",
    "FeatureSight",
    "Given",
    "Sight",
    "has_features",
    "sight_of",
    "why_blind",
]

#: Windows as a decoder takes them: covariances, one stack a view; or the windows themselves.
Given = Sequence[F64] | F64


class Sight(Protocol):
    """Turns what is given of windows into probabilities and vectors."""

    n_features: int

    def seen(self, given: Given) -> tuple[F64, F64]:
        """Return probabilities (n_windows, n_classes) and vectors (n_windows, n_features)."""


class CovarianceSight:
    """Tangent vectors of covariances, where the classes' means lie around the origin.

    Vectors of a view are divided by its order, as in `ACMDecoder`.

    Parameters
    ----------
    model : Model

    Raises
    ------
    SettingsError
        When the model has no reference point.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._whitenings = _whitenings(model)
        self._orders = [view.order for view in model.estimator.views]
        sizes = [len(W) for W in self._whitenings]
        self.n_features = sum(n * (n + 1) // 2 for n in sizes)

    def seen(self, given: Given) -> tuple[F64, F64]:
        """Return probabilities and vectors of (recentred) covariances."""
        parts = [
            tangent_vectors(C, W) / order
            for C, W, order in zip(given, self._whitenings, self._orders, strict=True)
        ]
        return self._model.probabilities_from(list(given)), np.concatenate(parts, axis=1)


def why_blind(model: Model) -> str:
    """Say why there is no reference point to learn at in a decoder of covariances; empty: one is.

    Asked of every arm, so it computes nothing.
    """
    decoder = model.estimator
    if model.recentering is not None or isinstance(decoder, TangentDecoder | MDMDecoder):
        return ""
    return (
        f"decoder {model.decoder or type(decoder).__name__!r} has no reference point to learn at: "
        "train it with --recenter, or choose frozen"
    )


def _whitenings(model: Model) -> list[F64]:
    decoder = model.estimator
    if reason := why_blind(model):
        raise SettingsError(reason)
    if model.recentering is not None:
        return [whitening(riemannian_mean(means)) for means in model.recentering.class_means]
    if isinstance(decoder, TangentDecoder):
        return list(decoder.whitenings_)
    inverses = np.linalg.inv(decoder.whitenings_)
    return [whitening(riemannian_mean(inverses @ inverses))]


class FeatureSight:
    """The features of a linear decoder that sees no covariances.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        decoder = model.estimator
        if not has_features(decoder):
            raise SettingsError(f"decoder {model.decoder!r} has no features to learn on")
        self._model = model
        self.n_features = int(decoder.coef_.shape[1])

    def seen(self, given: Given) -> tuple[F64, F64]:
        """Return probabilities and standardised features of windows."""
        windows = np.asarray(given, dtype=np.float64)
        decoder = self._model.estimator
        if isinstance(decoder, BlockToeplitzDecoder):
            vectors = decoder.tangent_vectors(windows)
        else:
            vectors = decoder.standardised(windows)
        return self._model.probabilities(windows), vectors


def has_features(decoder: object) -> bool:
    """Whether a decoder that sees no covariances has features to learn on."""
    if isinstance(decoder, BlockToeplitzDecoder):
        return decoder.classifier != "mdm"
    return isinstance(decoder, FeatureDecoder)


def sight_of(model: Model) -> Sight:
    """Return what an arm sees of a model's windows.

    Raises
    ------
    SettingsError
        When there is nothing to learn on.
    """
    if isinstance(model.estimator, CovarianceDecoder):
        return CovarianceSight(model)
    return FeatureSight(model)
