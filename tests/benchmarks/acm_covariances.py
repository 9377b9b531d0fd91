"""Augmented covariances of a session against pyriemann's of the explicitly augmented data.

144 trials of 22 channels and 750 samples, order 4, lag 6: n = 88. The peer's side stacks the lagged
copies, as its user must, and estimates with the same estimator.
"""

import matplotlib.pyplot as plt
import numpy as np
from pyriemann.estimation import Covariances
from threadpoolctl import threadpool_limits

from bci.riemann import ESTIMATORS, augmented_covariances
from tests.benchmarks.measure import arguments, eeg_like, emit, paired
from tests.benchmarks.table import goal

LAG = 6
GOAL = 8.0


def stacked(X: np.ndarray, order: int) -> np.ndarray:
    """Return the augmented signal."""
    n_times = X.shape[-1]
    pieces = [X[..., i * LAG : n_times - (order - 1 - i) * LAG] for i in range(order)]
    return np.concatenate(pieces, axis=1)


def compare(X: np.ndarray, order: int, estimator: str, repeats: int) -> dict[str, float]:
    """Time both sides, and say how far apart they end."""
    peer = Covariances(estimator)
    ours = augmented_covariances(X, order, LAG, estimator)
    theirs = peer.transform(stacked(X, order))
    times = paired(
        lambda: augmented_covariances(X, order, LAG, estimator),
        lambda: peer.transform(stacked(X, order)),
        repeats,
    )
    return times | {"difference": float(np.abs(ours - theirs).max() / np.abs(theirs).max())}


def main() -> None:
    """Compare every estimator at order 4, and OAS over orders."""
    options = arguments(__doc__)
    n_trials, repeats = (20, 3) if options.quick else (144, 7)
    X = eeg_like(0, n_trials, 22, 750)
    with threadpool_limits(1):
        results = {name: compare(X, 4, name, repeats) for name in ESTIMATORS}
        orders = (1, 2, 4) if options.quick else (1, 2, 4, 8)
        curve = {order: compare(X, order, "oas", 2) for order in orders}
    goals = [
        goal(
            f"{n_trials} trials, n = 88, {name}",
            f"{GOAL:g} x",
            met=result["ratio"] >= GOAL,
            ratio=result,
        )
        for name, result in results.items()
    ]
    if options.out is not None:
        figure, axes = plt.subplots(layout="constrained")
        rows = [22 * order for order in orders]
        axes.loglog(rows, [curve[order]["ours_ms"] for order in orders], "o-", label="Rolandic")
        axes.loglog(rows, [curve[order]["peer_ms"] for order in orders], "s-", label="pyriemann")
        axes.set(xlabel="n = order x 22 channels", ylabel=f"{n_trials} trials (ms)")
        axes.legend()
        figure.savefig(options.out / "acm_covariances.png", dpi=120)
        plt.close(figure)
    emit(
        "acm_covariances",
        n_trials=n_trials,
        estimators=results,
        orders={str(order): result for order, result in curve.items()},
        goals=goals,
    )


if __name__ == "__main__":
    main()
