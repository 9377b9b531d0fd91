"""One window to a probability against ``predict_proba`` of the pyriemann pipeline.

22 channels at order 1, 4, 8 (n = 22, 88, 176) and 64 channels at order 3 (n = 192), lag 6, 750
samples, BLAS on one thread. The peer: lagged copies (a transformer of one concatenation, lighter
than MOABB's), OAS covariances, tangent space, logistic regression. Both are fitted on the same
trials and decide on windows that neither saw. ``ours_p99_cpu_ms`` is the 99th percentile of the
processor's time: where it is far below that of the clock, others kept the machine busy.
"""

import time
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from bci.decoders import make_decoder
from tests.benchmarks.measure import arguments, eeg_like, emit
from tests.benchmarks.table import goal

LAG = 6
#: Channels and order.
CASES = ((22, 1), (22, 4), (22, 8), (64, 3))
GOAL, P99_MS = 4.0, 1.0


class Augmented(TransformerMixin, BaseEstimator):
    """Stack lagged copies of each window."""

    def __init__(self, order: int, lag: int) -> None:
        self.order = order
        self.lag = lag

    def fit(self, X: np.ndarray, y: object = None) -> "Augmented":
        """Learn nothing."""
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the augmented windows."""
        kept = X.shape[-1] - (self.order - 1) * self.lag
        starts = [i * self.lag for i in range(self.order)]
        return np.concatenate([X[..., start : start + kept] for start in starts], axis=1)


def trials(n_channels: int, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows and their two classes, which differ in the power of two channels."""
    X, y = eeg_like(1, n_trials, n_channels, 750), np.arange(n_trials) % 2
    X[y == 1, :2] *= 1.3
    return X, y


def compare(
    n_channels: int, order: int, n_train: int, n_windows: int, every: int
) -> dict[str, Any]:
    """Time single windows; the peer on one in `every`, in between, so that noise hits both."""
    X, y = trials(n_channels, n_train + 64)
    ours = make_decoder("acm-lr", order=order, lag=LAG).fit(X[:n_train], y[:n_train])
    peer = make_pipeline(
        Augmented(order, LAG), Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=2000)
    )
    # Covariances of volts are too small for its logarithms.
    scale = 1 / X.std()
    peer.fit(scale * X[:n_train], y[:n_train])
    windows = [X[n_train + i : n_train + i + 1] for i in range(64)]
    scaled = [scale * window for window in windows]
    for i in range(4):
        ours.predict_proba(windows[i]), peer.predict_proba(scaled[i])
    mine, cpu, theirs = [], [], []
    for i in range(n_windows):
        began, began_cpu = time.perf_counter(), time.thread_time()
        ours.predict_proba(windows[i % 64])
        cpu.append(1e3 * (time.thread_time() - began_cpu))
        mine.append(1e3 * (time.perf_counter() - began))
        if i % every == 0:
            began = time.perf_counter()
            peer.predict_proba(scaled[i % 64])
            theirs.append(1e3 * (time.perf_counter() - began))
    held_out = X[n_train:]
    difference = np.abs(ours.predict_proba(held_out) - peer.predict_proba(scale * held_out)).max()
    ratios = np.array(theirs) / np.array(mine)[::every]
    return {
        "n_windows": n_windows,
        "ours_ms": round(float(np.median(mine)), 4),
        "peer_ms": round(float(np.median(theirs)), 4),
        "ratio": round(float(np.median(ratios)), 2),
        "ratio_low": round(float(np.percentile(ratios, 5)), 2),
        "ratio_high": round(float(np.percentile(ratios, 95)), 2),
        "ours_p99_ms": round(float(np.percentile(mine, 99)), 4),
        "ours_p99_cpu_ms": round(float(np.percentile(cpu, 99)), 4),
        "peer_p99_ms": round(float(np.percentile(theirs, 99)), 4),
        "probability_difference": float(difference),
    }


def main() -> None:
    """Compare at four sizes."""
    options = arguments(__doc__)
    cases = CASES[:2] if options.quick else CASES
    n_train, n_windows, every = (20, 60, 4) if options.quick else (40, 1500, 10)
    with threadpool_limits(1):
        results = {
            channels * order: compare(channels, order, n_train, n_windows, every)
            for channels, order in cases
        }
    goals = []
    for n, result in results.items():
        # The goal is for n = 88; the ratio is asked of the other sizes too.
        wanted = f"{GOAL:g} x, p99 under {P99_MS:g} ms" if n == 88 else f"{GOAL:g} x"
        met = result["ratio"] >= GOAL and (n != 88 or result["ours_p99_ms"] < P99_MS)
        ours = f"{result['ours_ms']:.3g} ms, p99 {result['ours_p99_ms']:.3g} ms"
        peer = f"{result['peer_ms']:.3g} ms, p99 {result['peer_p99_ms']:.3g} ms"
        goals.append(
            goal(f"one window, n = {n}", wanted, met=met, ours=ours, peer=peer, ratio=result)
        )
    if options.out is not None:
        figure, axes = plt.subplots(layout="constrained")
        for side, name in (("ours", "Rolandic"), ("peer", "pyriemann")):
            axes.loglog(
                list(results), [r[f"{side}_ms"] for r in results.values()], "o-", label=name
            )
        axes.set(xlabel="n = order x channels", ylabel="one window to a probability (ms)")
        axes.legend()
        figure.savefig(options.out / "decision.png", dpi=120)
        plt.close(figure)
    emit("decision", sizes={str(n): result for n, result in results.items()}, goals=goals)


if __name__ == "__main__":
    main()
