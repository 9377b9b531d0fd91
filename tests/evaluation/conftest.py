"""Recordings and epochs whose truth is planted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.events import Marker
from bci.signal.epochs import Epochs
from bci.sources.base import Channel, StreamInfo
from bci.sources.recording import Recording

RATE_HZ = 100.0
CHANNELS = ("FC3", "C3", "Cz", "C4", "CP3", "CP4")


@pytest.fixture(scope="session")
def make_epochs() -> Callable[..., Epochs]:
    """Return a maker of windows of noise; class k has `effect` more amplitude in channel k."""

    def make(
        n_trials: int = 40,
        *,
        n_windows: int = 1,
        effect: float = 0.0,
        n_classes: int = 2,
        n_runs: int = 4,
        seed: int = 0,
        recordings: tuple[str, ...] = (),
    ) -> Epochs:
        rng = np.random.default_rng(seed)
        trial_y = np.arange(n_trials) % n_classes
        trials = np.repeat(np.arange(n_trials), n_windows)
        X = 1e-5 * rng.standard_normal((len(trials), 6, 120))
        X[np.arange(len(trials)), trial_y[trials]] *= 1 + effect
        return Epochs(
            X=X,
            y=trial_y[trials],
            trials=trials,
            trial_y=trial_y,
            trial_onsets_s=6.0 * np.arange(n_trials),
            trial_runs=np.arange(n_trials) * n_runs // n_trials,
            classes=("left_hand", "right_hand", "feet", "tongue")[:n_classes],
            channels=CHANNELS,
            recordings=recordings or tuple(f"run{k}.edf" for k in range(n_runs)),
            rate_hz=120.0,
            settings=EpochSettings.make(
                window_s=(0.0, 3.0),
                length_s=1.0 if n_windows > 1 else None,
                step_s=0.5 if n_windows > 1 else None,
            ),
        )

    return make


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Recording]:
    """Return a maker of runs: noise; a trial of 4 s every 8 s, its class loud in one channel."""

    def make(
        name: str = "run.xdf", n_trials: int = 10, *, effect: float = 0.0, seed: int = 0
    ) -> Recording:
        rng = np.random.default_rng(seed)
        n = round((8 * n_trials + 4) * RATE_HZ)
        samples = 1e-5 * rng.standard_normal((n, len(CHANNELS)))
        markers = []
        for trial, label in enumerate(rng.permutation(np.arange(n_trials) % 2)):
            start = 4.0 + 8.0 * trial
            markers += [
                Marker(start, ("left_hand", "right_hand")[label]),
                Marker(start + 4.0, "trial_end"),
            ]
            first = round(start * RATE_HZ)
            samples[first : first + round(4 * RATE_HZ), (1, 3)[label]] *= 1 + effect
        return Recording(
            path=Path(name),
            info=StreamInfo(
                name="made",
                kind="EEG",
                source_id="made",
                rate_hz=RATE_HZ,
                channels=tuple(Channel(label, "V") for label in CHANNELS),
            ),
            samples=samples,
            stamps=np.arange(n) / RATE_HZ,
            clock_offsets=np.empty((0, 2)),
            markers=tuple(markers),
        )

    return make


@pytest.fixture(scope="session")
def make_session() -> Callable[..., Recording]:
    """Return a maker of runs of mixed sources; source k is quieter in trials of class k.

    A trial of 3 s every 5 s. `shift` mixes the channels anew, as another day would.
    """

    def make(
        name: str,
        n_trials: int = 24,
        *,
        n_classes: int = 2,
        depth: float = 0.6,
        shift: float = 0.0,
        n_channels: int = 6,
        only: str = "",
        seed: int = 0,
        day: int = 0,
    ) -> Recording:
        rng = np.random.default_rng(seed)
        n = round((5 * n_trials + 3) * RATE_HZ)
        sources = 1e-5 * rng.standard_normal((n, n_channels))
        classes = rng.permutation(np.arange(n_trials) % n_classes)
        names = ("left_hand", "right_hand", "feet", "tongue")
        if only:
            classes[:] = names.index(only)
        markers = []
        for trial, label in enumerate(classes):
            start = 2.0 + 5.0 * trial
            markers += [
                Marker(start, names[label]),
                Marker(start + 3.0, "trial_end"),
            ]
            first = round(start * RATE_HZ)
            sources[first : first + round(3 * RATE_HZ), label] *= 1 - depth
        person = np.random.default_rng(99).standard_normal((n_channels, n_channels))
        anew = np.random.default_rng([98, day]).standard_normal((n_channels, n_channels))
        mixing = (np.eye(n_channels) + shift * anew) @ (np.eye(n_channels) + 0.3 * person)
        return Recording(
            path=Path(name),
            info=StreamInfo(
                name="made",
                kind="EEG",
                source_id="made",
                rate_hz=RATE_HZ,
                channels=tuple(Channel(f"E{k}", "V") for k in range(n_channels)),
            ),
            samples=sources @ mixing.T,
            stamps=np.arange(n) / RATE_HZ,
            clock_offsets=np.empty((0, 2)),
            markers=tuple(markers),
        )

    return make
