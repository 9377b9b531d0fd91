"""A small model and a recording to decode, both from the simulated person."""

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.evaluation.training import train_model
from bci.events import Marker
from bci.sources.simulate import simulate_run


def cues(n_trials: int, seed: int, first_s: float = 3.0, every_s: float = 5.0) -> list[Marker]:
    """Return alternating, shuffled left and right cues."""
    labels = ["left_hand", "right_hand"] * (n_trials // 2)
    np.random.default_rng(seed).shuffle(labels)
    return [Marker(first_s + every_s * k, label) for k, label in enumerate(labels)]


@pytest.fixture(scope="session")
def person():
    """Return parameters of an easy person, at a low rate."""
    return {
        "ability": 1.0,
        "rate_hz": 125.0,
        "seed": 5,
        "montage": ("C3", "Cz", "C4", "CP3", "CP4"),
    }


@pytest.fixture(scope="session")
def calibration(person):
    """Return a run of twenty trials."""
    return simulate_run(person, cues(20, 1), 105.0)


@pytest.fixture(scope="session")
def recording(person):
    """Return a run of eight other trials of the same person."""
    return simulate_run(person | {"session": 1}, cues(8, 2), 45.0)


@pytest.fixture(scope="session")
def model(calibration, tmp_path_factory):
    """Return a model with windows shorter than the trial's span."""
    settings = EpochSettings(window_s=(0.5, 3.5), length_s=2.0, step_s=0.5)
    return train_model([calibration], settings, "ts-lr", cv=False)
