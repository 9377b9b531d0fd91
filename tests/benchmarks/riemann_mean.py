"""Riemannian mean of a session against pyriemann's, both at their tolerance of 1e-8.

144 augmented covariances (22 channels, lag 6) of n = 44, 88, 176. Cold: from the arithmetic mean.
Warm: 115 of the trials, ours from the mean of all 144, as a cross-validation has it; against
pyriemann from its arithmetic mean, and (``same_start``, up to n = 88) from the same start. Each
side's result is held against a mean to 1e-12, and its gradient is given: both are as accurate.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from pyriemann.geometry.mean import mean_riemann
from threadpoolctl import threadpool_limits

from bci.riemann import augmented_covariances, log_whitened, riemannian_mean, whitening
from tests.benchmarks.measure import arguments, eeg_like, emit, paired
from tests.benchmarks.table import goal

LAG = 6
COLD, WARM = 2.0, 5.0


def gradient(C: np.ndarray, mean: np.ndarray) -> float:
    """Return the gradient's norm at a point, in whitened coordinates."""
    return float(np.linalg.norm(log_whitened(C, whitening(mean)).mean(axis=0)))


def accuracy(C: np.ndarray, mean: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Return how good a mean is."""
    error = np.linalg.norm(mean - exact) / np.linalg.norm(exact)
    return {"gradient": gradient(C, mean), "error": float(error)}


def compare(X: np.ndarray, order: int, repeats: int) -> dict[str, Any]:
    """Time both sides at one order."""
    C = augmented_covariances(X, order, LAG)
    # Pyriemann's logarithms see no covariances of volts (1e-11); ours take any unit.
    C /= np.trace(C, axis1=1, axis2=2).mean() / C.shape[-1]
    chosen = np.random.default_rng(0).permutation(len(C))[: round(0.8 * len(C))]
    part = C[chosen]
    start = riemannian_mean(C)
    exact = riemannian_mean(part, 1e-12, start=start)
    result: dict[str, Any] = {
        "cold": paired(lambda: riemannian_mean(C), lambda: mean_riemann(C), repeats),
        "warm": paired(
            lambda: riemannian_mean(part, start=start), lambda: mean_riemann(part), repeats
        ),
        "ours": accuracy(part, riemannian_mean(part, start=start), exact),
        "peer": accuracy(part, mean_riemann(part), exact),
    }
    if order <= 4:
        result["same_start"] = paired(
            lambda: riemannian_mean(part, start=start),
            lambda: mean_riemann(part, init=start),
            repeats,
        )
    return result


def main() -> None:
    """Compare, cold and warm."""
    options = arguments(__doc__)
    X = eeg_like(0, 24 if options.quick else 144, 22, 750)
    sizes = {2: 3, 4: 2} if options.quick else {2: 7, 4: 3, 8: 2}
    with threadpool_limits(1):
        results = {22 * order: compare(X, order, repeats) for order, repeats in sizes.items()}
    goals = [
        goal(
            f"{len(X)} trials, n = {n}, {start}",
            f"{wanted:g} x",
            met=result[start]["ratio"] >= wanted,
            ratio=result[start],
        )
        for n, result in results.items()
        for start, wanted in (("cold", COLD), ("warm", WARM))
    ]
    if options.out is not None:
        figure, axes = plt.subplots(layout="constrained")
        for start, style in (("cold", "o-"), ("warm", "s--")):
            for side, name, colour in (
                ("ours_ms", "Rolandic", "tab:blue"),
                ("peer_ms", "pyriemann", "tab:orange"),
            ):
                times = [result[start][side] for result in results.values()]
                axes.loglog(list(results), times, style, color=colour, label=f"{name}, {start}")
        axes.set(xlabel="n", ylabel=f"mean of {len(X)} (cold), of four fifths (warm) (ms)")
        axes.legend()
        figure.savefig(options.out / "riemann_mean.png", dpi=120)
        plt.close(figure)
    emit(
        "riemann_mean",
        n_trials=len(X),
        sizes={str(n): result for n, result in results.items()},
        goals=goals,
    )


if __name__ == "__main__":
    main()
