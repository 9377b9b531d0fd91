"""Made trials: a few sources, mixed; each class quietens one, and may couple the channels."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def make_trials() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a function that makes windows in volts and their labels, by seed."""

    def make(
        n_per_class=20, n_classes=2, n_channels=6, n_times=120, seed=0, effect=0.5,
        referenced=False, coupled=False,
    ):  # fmt: skip
        rng = np.random.default_rng(seed)
        names = np.array(["left_hand", "right_hand", "feet", "tongue"][:n_classes])
        y = np.repeat(names, n_per_class)
        # The head belongs to the person: the same whatever the trials.
        mixing = np.random.default_rng(99).standard_normal((n_channels, n_channels))
        sources = rng.standard_normal((len(y), n_channels, n_times))
        for k, name in enumerate(names):
            sources[y == name, k] *= effect
        X = 1e-5 * mixing @ sources
        if coupled:
            # The first class's channels share a signal, each with its own delay.
            n_shared = (y == names[0]).sum()
            shared = rng.standard_normal((n_shared, n_times + n_channels))
            delayed = [shared[:, k : k + n_times] for k in range(n_channels)]
            strength = 1.5 * X.std(axis=(0, 2))[:, None]
            X[y == names[0]] += strength * np.stack(delayed, axis=1)
        if referenced:
            X -= X.mean(axis=1, keepdims=True)
        shuffled = rng.permutation(len(y))
        return X[shuffled], y[shuffled]

    return make
