"""Six decoders by five folds on S001: two processes against one, on processes that have started.

Both sides compute the same 30 cells (64 channels, 45 trials, 7-35 Hz) and must give the same bits.
Two processes have loaded what they need before: how long that takes is told apart, with what it
is spent on, since a short evaluation is not worth it and a long one does not notice.

A machine with other work to do has no second core to give. Beside the time on the wall stands the
processors' time: that of one process over that of the busier of two and of the one that asked
them, which is what the wall would say on two idle cores.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from typing import Any

import psutil

from bci.config import EpochSettings
from bci.evaluation import Protocol, Result
from bci.evaluation.cells import Grid, Subject, evaluate_cells
from bci.evaluation.jobs import Batch, Cell, run_cells
from bci.evaluation.processes import Processes
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording
from tests.benchmarks.measure import arguments, emit, paired, shared_recording
from tests.benchmarks.table import goal

#: The long ones first: what is left for one process alone at the end is short.
DECODERS = ("acm-lr", "bt-acm", "csp-lda", "fgmdm", "ts-svm", "acm-svm")
WANTED = 1.8


def cells_equal(a: Grid, b: Grid) -> bool:
    """Whether two grids hold the same bits."""
    results = [(x.result, y.result) for x, y in zip(a.rows, b.rows, strict=True)]
    return all(
        isinstance(x, Result)
        and isinstance(y, Result)
        and x.probabilities.tobytes() == y.probabilities.tobytes()
        for x, y in results
    )


def started_s(n_jobs: int) -> float:
    """Return how long processes take from nothing to a first result each."""
    began = time.perf_counter()
    with closing(Processes(n_jobs)) as pool:
        run_cells([Batch(7, tuple(Cell(f"{k}", "", divmod, (k + 1,)) for k in range(4)))], pool)
        return time.perf_counter() - began


def _cpu_ratio(one: Callable[[], object], two: Callable[[], object]) -> float:
    workers = [p for p in psutil.Process().children(recursive=True) if p.memory_info().rss > 1e8]

    def spent() -> list[float]:
        return [sum(p.cpu_times()[:2]) for p in (psutil.Process(), *workers)]

    times = [spent()]
    for function in (one, two):
        function()
        times.append(spent())
    alone, (asking, *working) = (
        [b - a for a, b in zip(before, after, strict=True)] for before, after in pairwise(times)
    )
    return alone[0] / (asking + max(working))


def imports_s() -> dict[str, float]:
    """Return what a process loads, and how long that takes by itself, each in a new process."""
    found = {}
    for name in ("numpy", "sklearn.svm", "numba", "skops.io", "bci.evaluation"):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True, env=os.environ)
        found[name] = round(time.perf_counter() - began, 2)
    return found


def main() -> None:
    """Compare, and tell where the time goes that does not halve."""
    given = arguments(__doc__)
    decoders: dict[str, dict[str, Any]] = {n: {} for n in DECODERS[2:4] if given.quick} or {
        n: {} for n in DECODERS
    }
    recordings = [open_recording(shared_recording(f"S001R{run}.edf")) for run in ("04", "08", "12")]
    settings = EpochSettings.make(
        band_hz=(7.0, 35.0), event_map={"T1": "left_hand", "T2": "right_hand"}
    )
    began = time.perf_counter()
    epochs = cut_epochs(recordings, settings)
    cut_s = time.perf_counter() - began
    subjects = [Subject("S001", lambda: (epochs, recordings))]
    protocols = [Protocol(folds=2 if given.quick else 5)]
    grids: dict[str, Grid] = {}
    with closing(Processes(2)) as pool:

        def two() -> None:
            grids["two"] = evaluate_cells(subjects, decoders, protocols, pool=pool)

        def one() -> None:
            grids["one"] = evaluate_cells(subjects, decoders, protocols)

        times = paired(two, one, repeats=1 if given.quick else 3)
        spent = [_cpu_ratio(one, two) for _ in range(1 if given.quick else 2)]
        began = time.perf_counter()
        placed = pool.place(epochs)
        placed_s = time.perf_counter() - began
        pool.drop(placed)
    same = cells_equal(grids["one"], grids["two"])
    start_s = started_s(2)
    emit(
        "evaluation",
        decoders=list(decoders),
        times=times,
        cpu_ratio=round(statistics.median(spent), 2),
        same_bits=same,
        start_of_two_processes_s=round(start_s, 2),
        imports_s=imports_s(),
        cutting_s=round(cut_s, 3),
        handing_over_s=round(placed_s, 3),
        load=os.getloadavg() if hasattr(os, "getloadavg") else None,
        goals=[
            goal(
                f"{len(decoders)} decoders x {protocols[0].folds} folds on S001, two processes "
                f"against one ({'same bits' if same else 'OTHER BITS'})",
                f"{WANTED:g} x",
                ratio=times,
                met=same and times["ratio"] >= WANTED,
            ),
            goal(
                "the same by processors' time, as on idle cores",
                f"{WANTED:g} x",
                ours=f"{statistics.median(spent):.2f} x",
                met=statistics.median(spent) >= WANTED,
            ),
            goal("start of two processes, once", "", ours=f"{start_s:.1f} s", met=None),
        ],
    )


if __name__ == "__main__":
    main()
