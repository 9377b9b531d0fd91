"""The block-Toeplitz ACM against the full matrix: mean of 115 trials, and one trial.

22 channels, order 10 (lower ones for the plot), lag 4, windows of 750 samples, OAS, BLAS on one
thread.

Mean: an SPD matrix and order - 1 points of Siegel disks, against the Riemannian mean of the full
augmented covariances, ours and (order 10, one run) pyriemann's.

One trial, three comparisons. To its coefficients, against the authors' way: the augmented
covariance (our kernel), the mean of its block diagonals, inverses of growing matrices. To its
tangent vector, what a linear rule takes, against that of the full matrix: ours, and pyriemann's of
the stacked signal. ``coefficients_differ`` is between recursion and growing inverses, of the same
autocovariances.
"""

import time
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from pyriemann.estimation import Covariances
from pyriemann.geometry.mean import mean_riemann
from pyriemann.tangentspace import TangentSpace
from threadpoolctl import threadpool_limits

from bci.decoders import BlockToeplitzDecoder
from bci.riemann import (
    augmented_covariances,
    autocovariances,
    reflection_coefficients,
    riemannian_mean,
    siegel_mean,
    tangent_vectors,
    whitening,
)
from tests.benchmarks.decision import Augmented
from tests.benchmarks.measure import arguments, eeg_like, emit, paired
from tests.benchmarks.table import goal

LAG = 4
MEAN_GOAL, TRIAL_GOAL = 10.0, 3.0


def inverse_root(S: np.ndarray) -> np.ndarray:
    """Return the symmetric inverse square root."""
    values, vectors = np.linalg.eigh(S)
    return (vectors / np.sqrt(values)) @ vectors.T


def growing_inverses(R: np.ndarray) -> np.ndarray:
    """Return the coefficients by the equations of Carrara and Papadopoulo 2024.

    Parameters
    ----------
    R : ndarray of float, shape (order, n, n)
    """
    order, n = R.shape[:2]
    S = np.block([[R[j - i] if j >= i else R[i - j].T for j in range(order)] for i in range(order)])
    found = [inverse_root(R[0]) @ R[1] @ inverse_root(R[0])]
    for k in range(1, order - 1):
        inverse = np.linalg.inv(S[: n * k, : n * k])
        row = S[:n, n : n * (k + 1)]
        back = S[n * k : n * (k + 1), : n * k]
        L = R[0] - row @ inverse @ row.T
        K = R[0] - back @ inverse @ back.T
        M = row @ inverse @ back.T
        found.append(inverse_root(L) @ (R[k + 1] - M) @ inverse_root(K))
    return np.array(found)


def averaged_diagonals(S: np.ndarray, order: int) -> np.ndarray:
    """Return the means of a matrix's block diagonals, shape (order, n, n)."""
    n = len(S) // order
    blocks = S.reshape(order, n, order, n).transpose(0, 2, 1, 3)
    return np.array([blocks[range(order - d), range(d, order)].mean(axis=0) for d in range(order)])


def block_toeplitz_mean(R: np.ndarray, omega: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean, coordinate by coordinate."""
    return riemannian_mean(R[:, 0]), [siegel_mean(omega[:, k]) for k in range(omega.shape[1])]


def compare(X: np.ndarray, order: int, repeats: int, mean_repeats: int) -> dict[str, Any]:
    """Time mean and one trial at one order, all against our own full matrix."""
    R = autocovariances(X, order, LAG)
    omega = reflection_coefficients(R)
    C = augmented_covariances(X, order, LAG)
    mean = paired(lambda: block_toeplitz_mean(R, omega), lambda: riemannian_mean(C), mean_repeats)
    one = X[:1]
    coefficients = paired(
        lambda: reflection_coefficients(autocovariances(one, order, LAG)),
        lambda: growing_inverses(
            averaged_diagonals(augmented_covariances(one, order, LAG)[0], order)
        ),
        repeats,
    )
    y = np.arange(len(X)) % 2
    decoder = BlockToeplitzDecoder("lr", order, LAG).fit(X, y)
    W = whitening(C.mean(axis=0))
    vector = paired(
        lambda: decoder.tangent_vectors(one),
        lambda: tangent_vectors(augmented_covariances(one, order, LAG), W),
        repeats,
    )
    known = growing_inverses(R[0])
    return {
        "mean": mean,
        "coefficients": coefficients,
        "vector": vector,
        "coefficients_differ": float(np.abs(omega[0] - known).max()),
    }


def against_pyriemann(X: np.ndarray, order: int, repeats: int) -> dict[str, Any]:
    """Time the same against pyriemann; the mean once, which takes it ten seconds."""
    R = autocovariances(X, order, LAG)
    omega = reflection_coefficients(R)
    stacked = Augmented(order, LAG)
    C = Covariances("oas").transform(stacked.transform(X / X.std()))
    began = time.perf_counter()
    block_toeplitz_mean(R, omega)
    middle = time.perf_counter()
    M = mean_riemann(C)
    ended = time.perf_counter()
    ratio = round((ended - middle) / (middle - began), 2)
    decoder = BlockToeplitzDecoder("lr", order, LAG).fit(X, np.arange(len(X)) % 2)
    one, scaled = X[:1], X[:1] / X.std()
    space = TangentSpace()
    space.reference_ = M
    vector = paired(
        lambda: decoder.tangent_vectors(one),
        lambda: space.transform(Covariances("oas").transform(stacked.transform(scaled))),
        repeats,
    )
    mean = {
        "ours_ms": round(1e3 * (middle - began), 4),
        "peer_ms": round(1e3 * (ended - middle), 4),
        "ratio": ratio,
        "ratio_low": ratio,
        "ratio_high": ratio,
    }
    return {"mean": mean, "vector": vector}


def main() -> None:
    """Compare over orders."""
    options = arguments(__doc__)
    orders = (2, 4) if options.quick else (2, 4, 7, 10)
    n_trials, repeats = (20, 9) if options.quick else (115, 41)
    X = eeg_like(0, n_trials, 22, 750)
    with threadpool_limits(1):
        results = {
            order: compare(X, order, repeats, 3 if order == orders[-1] else 1) for order in orders
        }
        peer = against_pyriemann(X, orders[-1], repeats)
    last = results[orders[-1]]
    at = f"{n_trials} trials, 22 channels, order {orders[-1]}"
    goals = [
        goal(
            f"{what}, {at}" if name == "mean" else what,
            f"{wanted:g} x",
            ratio=measured[name],
            met=measured[name]["ratio"] >= wanted,
        )
        for what, name, measured, wanted in (
            ("mean, against our full ACM", "mean", last, MEAN_GOAL),
            ("mean, against pyriemann's full ACM", "mean", peer, MEAN_GOAL),
            (
                "one trial to its coefficients, against growing inverses",
                "coefficients",
                last,
                TRIAL_GOAL,
            ),
            ("one trial to its tangent vector, against our full ACM", "vector", last, TRIAL_GOAL),
            ("one trial to its tangent vector, against pyriemann's", "vector", peer, TRIAL_GOAL),
        )
    ]
    if options.out is not None:
        figure, axes = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
        for axis, name in zip(axes, ("mean", "coefficients", "vector"), strict=True):
            for side, label in (("ours_ms", "block-Toeplitz"), ("peer_ms", "full matrix")):
                axis.loglog(orders, [results[p][name][side] for p in orders], "o-", label=label)
            axis.set(title=name, xlabel="order", ylabel="ms")
            axis.set_xticks(orders, [str(order) for order in orders])
            axis.minorticks_off()
            axis.legend()
        figure.savefig(options.out / "bt_acm.png", dpi=120)
        plt.close(figure)
    emit(
        "bt_acm",
        n_trials=n_trials,
        orders={str(order): result for order, result in results.items()},
        pyriemann=peer,
        goals=goals,
    )


if __name__ == "__main__":
    main()
