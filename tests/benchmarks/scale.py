"""Time and peak memory against channels, order and trials.

Each curve's exponent is the median slope (Theil and Sen) of the logarithm of the time over its
upper half, where arithmetic outweighs overhead. A time is the processor's (all is serial), the
shortest of two passes over the whole curve: a machine that is busy for a while bends none of it. It
is held against what the arithmetic says: products of `channels` squared for each of `order` lags
and a matrix of (order x channels) squared to write for covariances, the cube of order x channels
for logarithms (means, tangent vectors), all of it for each trial. No peer: the yardstick is the
arithmetic.

Memory is the growth of the peak resident set in a process of its own, in units of the covariances,
n x n x trials x 8 bytes: what is taken beyond the input, the result included.
"""

import itertools
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from bci.decoders.tangent import TangentDecoder
from bci.riemann import augmented_covariances, riemannian_mean, tangent_vectors, whitening
from tests.benchmarks.measure import arguments, emit
from tests.benchmarks.table import goal

N_TIMES, LAG = 480, 6
#: What an exponent may exceed the arithmetic by: timings on a shared machine, caches that fill.
TOLERANCE = 0.25


class Size(NamedTuple):
    """How large a problem is."""

    channels: int
    order: int
    trials: int

    @property
    def n(self) -> int:
        """Rows of a covariance."""
        return self.channels * self.order


SWEEPS = {
    "channels": [Size(c, 2, 12) for c in (8, 12, 16, 24, 32, 48, 64, 96, 128)],
    "order": [Size(22, p, 12) for p in range(1, 11)],
    "trials": [Size(16, 2, t) for t in (20, 40, 80, 160, 320, 640, 1280, 2000)],
}
#: By work: the exponents that the arithmetic has in channels, order and trials.
ARITHMETIC = {
    "covariances": {"channels": 2, "order": 2, "trials": 1},
    "mean": {"channels": 3, "order": 3, "trials": 1},
    "tangent": {"channels": 3, "order": 3, "trials": 1},
    "fit": {"channels": 3, "order": 3, "trials": 1},
}
#: By work: copies of the covariances that it may take beyond its input, the result among them. The
#: time-major copy of the windows and half a copy of tangent vectors, and their transpose, count.
COPIES = {"covariances": 1.5, "mean": 1.0, "tangent": 1.0, "fit": 3.0}


def works(size: Size) -> dict[str, Callable[[], object]]:
    """Return the works at a size.

    The windows are noise: on EEG a mean takes more steps the higher the order, which is the data's
    doing and no arithmetic.
    """
    X = 1e-5 * np.random.default_rng(0).standard_normal((size.trials, size.channels, N_TIMES))
    y = np.arange(size.trials) % 2
    C = augmented_covariances(X, size.order, LAG)
    W = whitening(C.mean(axis=0))
    return {
        "covariances": lambda: augmented_covariances(X, size.order, LAG),
        "mean": lambda: riemannian_mean(C),
        "tangent": lambda: tangent_vectors(C, W),
        "fit": lambda: TangentDecoder(order=size.order, lag=LAG).fit(X, y),
    }


def once(work: Callable[[], object]) -> float:
    """Return how long one run takes: the shortest of a few, where it is short (s)."""
    times: list[float] = []
    while len(times) < 5 and sum(times) < 0.01:
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def sweep_times(sizes: list[Size], passes: int) -> dict[str, list[float]]:
    """Return the time of each work at each size, the shortest of passes over all sizes (s)."""
    best = {work: [math.inf] * len(sizes) for work in ARITHMETIC}
    for _ in range(passes):
        for at, size in enumerate(sizes):
            for work, run in works(size).items():
                best[work][at] = min(best[work][at], once(run))
    return best


def exponent(xs: list[int], times: list[float]) -> float:
    """Fit the power of the upper half of a curve."""
    points = list(zip(np.log(xs), np.log(times), strict=True))[len(xs) // 2 :]
    slopes = [(d - b) / (c - a) for (a, b), (c, d) in itertools.combinations(points, 2)]
    return statistics.median(slopes)


def peak_copies(work: str, size: Size) -> float:
    """Return by how many copies of the covariances a work's peak grows, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.scale", "--child", json.dumps([work, *size])],
        stdout=subprocess.PIPE,
        check=True,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
    )
    return float(done.stdout) / (size.n**2 * size.trials * 8)


def _grow(work: str, *size: int) -> None:
    """Print by how many bytes the peak resident set grows with one work."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    # Everything is compiled and loaded on a small problem first. The works' inputs are then made,
    # and the heap is filled to its peak, so that what comes on top is new.
    with threadpool_limits(1):
        works(Size(size[0], size[1], 4))[work]()
        chosen = works(Size(*size))[work]
        current = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        slack = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - current
        filler = np.ones(max(0, slack) // 8)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        chosen()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    sys.stdout.write(f"{after - before + 0 * len(filler)}\n")


def plot(curves: dict[str, dict[str, tuple[list[int], list[float]]]], out: Path) -> None:
    """Draw each sweep: time against size, with the arithmetic's slope beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, (sweep, by_work) in zip(
        figure.subplots(1, 3, sharey=True), curves.items(), strict=True
    ):
        for number, (work, (xs, times)) in enumerate(by_work.items()):
            ms = 1e3 * np.array(times)
            power = ARITHMETIC[work][sweep]
            axes.loglog(
                xs, ms, "o-", color=f"C{number}", ms=4, label=f"{work}: {exponent(xs, times):.2f}"
            )
            guide = ms[-1] * (np.array(xs[len(xs) // 2 :]) / xs[-1]) ** power
            axes.loglog(xs[len(xs) // 2 :], guide, ":", color=f"C{number}")
        axes.set_xlabel(sweep)
        axes.grid(alpha=0.3)
        axes.legend(title="exponent (dotted: arithmetic)", fontsize=8)
    figure.axes[0].set_ylabel("time (ms)")
    figure.savefig(out / "scale.png", dpi=120)


def main() -> None:
    """Measure every curve."""
    if sys.argv[1:2] == ["--child"]:
        work, *size = json.loads(sys.argv[2])
        _grow(work, *size)
        return
    given = arguments(__doc__)
    curves: dict[str, Any] = {}
    goals = []
    with threadpool_limits(1):
        for sweep, sizes in SWEEPS.items():
            chosen = sizes[: len(sizes) // 2] if given.quick else sizes
            xs = [getattr(size, sweep) for size in chosen]
            times = sweep_times(chosen, 1 if given.quick else 2)
            curves[sweep] = {work: (xs, times[work]) for work in ARITHMETIC}
    exponents = {
        work: {sweep: round(exponent(*curves[sweep][work]), 2) for sweep in SWEEPS}
        for work in ARITHMETIC
    }
    for work, wanted in ARITHMETIC.items():
        found = exponents[work]
        goals.append(
            goal(
                f"{work}: exponents in channels, order, trials",
                ", ".join(f"{wanted[sweep]}" for sweep in SWEEPS),
                ours=", ".join(f"{found[sweep]:.2f}" for sweep in SWEEPS),
                met=all(found[sweep] <= wanted[sweep] + TOLERANCE for sweep in SWEEPS),
            )
        )
    copies = {}
    if Path("/proc/self/statm").exists():
        size = Size(22, 8, 1000)
        measured = ["covariances"] if given.quick else list(COPIES)
        copies = {work: round(peak_copies(work, size), 2) for work in measured}
        goals += [
            goal(
                f"{work}: memory beyond its input, in covariances ({size.trials} of n = {size.n})",
                f"{COPIES[work]:g}",
                ours=f"{taken:.2f}",
                met=taken <= COPIES[work],
            )
            for work, taken in copies.items()
        ]
    if given.out is not None:
        plot(curves, given.out)
    emit(
        "scale",
        exponents=exponents,
        copies=copies,
        seconds_by_size={
            sweep: {
                work: dict(zip(map(str, xs), (float(f"{t:.3g}") for t in times), strict=True))
                for work, (xs, times) in by_work.items()
            }
            for sweep, by_work in curves.items()
        },
        goals=goals,
    )


if __name__ == "__main__":
    main()
