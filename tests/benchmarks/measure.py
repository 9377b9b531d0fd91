"""What every benchmark shares: paired timing, one JSON line, an output folder.

A benchmark is a module with a `main` that measures and calls `emit` once. Run one by itself with
``python -m tests.benchmarks.NAME [--out FOLDER]``, or all with ``python -m tests.benchmarks``.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["arguments", "data_folder", "eeg_like", "emit", "paired", "shared_recording"]


def arguments(description: str | None, **options: Any) -> argparse.Namespace:
    """Parse what every benchmark takes: ``--out`` (folder for plots and tables) and ``--quick``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=None, help="folder for plots and tables")
    parser.add_argument("--quick", action="store_true", help="a smaller form, for the test suite")
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parsed = parser.parse_args()
    if parsed.out is not None:
        parsed.out.mkdir(parents=True, exist_ok=True)
    return parsed


def emit(benchmark: str, **figures: Any) -> None:
    """Print the one JSON line of a benchmark."""
    print(json.dumps({"benchmark": benchmark, **figures}), flush=True)


def paired(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int = 7
) -> dict[str, float]:
    """Time two callables in turn, so that a noisy machine disturbs both alike.

    Returns
    -------
    dict
        ``ours_ms`` and ``peer_ms``: medians. ``ratio``: median over the pairs of peer / ours, with
        its smallest and largest, ``ratio_low`` and ``ratio_high``.
    """
    ours(), peer()
    mine, theirs = [], []
    for _ in range(repeats):
        for measured, function in ((mine, ours), (theirs, peer)):
            start = time.perf_counter()
            function()
            measured.append(1e3 * (time.perf_counter() - start))
    ratios = [b / a for a, b in zip(mine, theirs, strict=True)]
    return {
        "ours_ms": round(statistics.median(mine), 4),
        "peer_ms": round(statistics.median(theirs), 4),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(min(ratios), 2),
        "ratio_high": round(max(ratios), 2),
    }


def eeg_like(seed: int, n_trials: int, n_channels: int, n_times: int) -> np.ndarray:
    """Return coloured, spatially mixed noise with two classes of channel power, in volts."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((n_trials, n_channels, n_times + 200))
    coloured = white.copy()
    # A band of rhythms: an autoregression with a resonance near a fifteenth of the rate.
    for t in range(2, coloured.shape[2]):
        coloured[..., t] += 1.6 * coloured[..., t - 1] - 0.8 * coloured[..., t - 2]
    mixing = np.eye(n_channels) + 0.3 * rng.standard_normal((n_channels, n_channels))
    gain = np.exp(0.2 * rng.standard_normal((n_trials, n_channels, 1)))
    return 1e-5 * (mixing @ (gain * coloured[..., 200:]))


def data_folder() -> Path:
    """Return the folder of real recordings: ``ROLANDIC_TEST_DATA``, or ``../shared/data``."""
    import os

    here = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("ROLANDIC_TEST_DATA", here.parent / "shared" / "data"))


def shared_recording(pattern: str) -> Path:
    """Return the first recording of the data folder that matches.

    Raises
    ------
    FileNotFoundError
    """
    found = next(iter(sorted(data_folder().rglob(pattern))), None)
    if found is None:
        raise FileNotFoundError(f"no {pattern} in {data_folder()}")
    return found
