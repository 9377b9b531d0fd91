"""Made windows and models to try plugins on: a few sources, mixed; each class quietens one.

In one class the channels are coupled, too, for decoders that look at nothing else.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.config import EpochSettings
from bci.decoders import CovarianceDecoder, Model, Recentering, make_decoder
from bci.decoders.base import F64
from bci.riemann import riemannian_mean

__all__ = ["RATE_HZ", "made_model", "made_trials"]

#: Of the windows (Hz).
RATE_HZ = 100.0
_CLASSES = ("left_hand", "right_hand", "feet", "tongue")
#: One person's head, whatever the trials.
_HEAD = 99


def made_trials(
    n_per_class: int = 20,
    n_classes: int = 2,
    *,
    n_channels: int = 6,
    n_times: int = 120,
    effect: float = 0.5,
    moved: float = 0.0,
    seed: int = 0,
) -> tuple[F64, NDArray[np.str_]]:
    """Return windows in volts and their classes.

    Parameters
    ----------
    n_per_class, n_classes : int
    n_channels, n_times : int
    effect : float
        Amplitude that the source of a class has left in its own trials; 1: classes are alike.
        Below 1, the channels of the first class are coupled as well.
    moved : float
        How far electrodes are from where they were (0: not at all).
    seed : int

    Returns
    -------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
        In random order.
    y : ndarray of str, shape (n_windows,)
    """
    rng = np.random.default_rng(seed)
    names = np.array(_CLASSES[:n_classes])
    y = np.repeat(names, n_per_class)
    head = np.random.default_rng(_HEAD).standard_normal((2, n_channels, n_channels))
    sources = rng.standard_normal((len(y), n_channels, n_times))
    for k, name in enumerate(names):
        sources[y == name, k] *= effect
    # 10 microvolts.
    X = 1e-5 * (head[0] + moved * head[1]) @ sources
    if effect < 1:
        # The first class's channels share a signal, each with its own delay.
        own = y == names[0]
        shared = rng.standard_normal((int(own.sum()), n_times + n_channels))
        delayed = np.stack([shared[:, k : k + n_times] for k in range(n_channels)], axis=1)
        X[own] += 1.5 * X.std(axis=(0, 2))[:, None] * delayed
    order = rng.permutation(len(y))
    return X[order], y[order]


def made_model(decoder: str, n_classes: int = 3, *, seed: int = 0, **params: Any) -> Model:
    """Return a model that was trained on made trials.

    Parameters
    ----------
    decoder : str
        Registered name. One that sees covariances can follow its reference point.
    n_classes : int
    seed : int
        Of the trials.
    **params
        Of the decoder.
    """
    X, y = made_trials(n_classes=n_classes, seed=seed)
    classes = tuple(_CLASSES[:n_classes])
    channels = tuple(f"E{k + 1}" for k in range(X.shape[1]))
    target = np.array([classes.index(name) for name in y])
    estimator = make_decoder(decoder, channels=channels, rate_hz=RATE_HZ, **params)
    estimator.fit(X, target, groups=np.arange(len(y)))
    recentering = None
    if isinstance(estimator, CovarianceDecoder):
        stacks = estimator.covariances(X)
        of_classes = [
            np.stack([riemannian_mean(C[target == k]) for k in range(n_classes)]) for C in stacks
        ]
        recentering = Recentering(
            tuple(riemannian_mean(C) for C in stacks), tuple(of_classes), 20.0
        )
    return Model(
        channels=channels,
        rate_hz=RATE_HZ,
        epochs=EpochSettings(window_s=(0.5, 2.9), length_s=1.2, step_s=0.6),
        classes=classes,
        estimator=estimator,
        artifact_limit_v=np.full(len(channels), 1e-3),
        decoder=decoder,
        recentering=recentering,
    )
