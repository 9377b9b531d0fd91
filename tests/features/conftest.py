"""A recording whose classes differ where it is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bci.events import Marker
from bci.sources.base import Channel, StreamInfo
from bci.sources.recording import Recording

LABELS = ("FC3", "FCz", "FC4", "C3", "Cz", "C4", "CP3", "CP4")


@pytest.fixture(scope="session")
def made() -> Callable[..., Recording]:
    """``made(...)``: a recording whose first class has less of 11 Hz at C4."""
    return _made


def _made(
    *,
    labels: tuple[str, ...] = LABELS,
    classes: tuple[str, ...] = ("left_hand", "right_hand"),
    n_trials: int = 24,
    rate_hz: float = 100.0,
    apart_s: float = 5.0,
    tail_s: float = 6.0,
    seed: int = 0,
) -> Recording:
    """Return a recording whose first class has less of 11 Hz at C4 (or the last channel)."""
    rng = np.random.default_rng(seed)
    onsets_s = 3.0 + apart_s * np.arange(n_trials)
    n = round((onsets_s[-1] + tail_s) * rate_hz)
    samples = 1e-5 * rng.standard_normal((n, len(labels)))
    planted = labels.index("C4") if "C4" in labels else len(labels) - 1
    times_s = np.arange(n) / rate_hz
    for k, onset_s in enumerate(onsets_s):
        during = (times_s >= onset_s) & (times_s < onset_s + 3.0)
        size = 0.2 if k % len(classes) == 0 else 1.0
        phase = rng.uniform(0, 2 * np.pi)
        samples[during, planted] += size * 1e-5 * np.sin(2 * np.pi * 11 * times_s[during] + phase)
    return Recording(
        path=Path(f"made{seed}.xdf"),
        info=StreamInfo(
            "EEG", "EEG", "made", rate_hz, tuple(Channel(name, "V") for name in labels)
        ),
        samples=samples,
        stamps=times_s,
        clock_offsets=np.zeros((0, 2)),
        markers=tuple(
            Marker(float(onset_s), classes[k % len(classes)]) for k, onset_s in enumerate(onsets_s)
        ),
    )
