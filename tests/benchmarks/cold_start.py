"""From nothing compiled to a decoded minute: the first start, later starts, and ``bci --help``.

S001R12's first minute (64 channels) is replayed with the command line, in processes of their own:
once with an empty Numba cache, which compiles, then with the cache that this left behind. A bare
import of skops (which brings scikit-learn) and Numba, which no start can do without, is timed in
turn. Processor time is told too: it is the wall's on a machine that has nothing else to do.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.measure import arguments, emit, shared_recording
from tests.benchmarks.table import goal

FIRST_S, LATER_S = 40.0, 3.0
EVENTS = ("--event", "T1=left_hand", "--event", "T2=right_hand")


def crop_edf(path: Path, seconds: int, out: Path) -> None:
    """Copy the first seconds of an EDF file whose records are one second long."""
    content = path.read_bytes()
    header, n_records = int(content[184:192]), int(content[236:244])
    record = (len(content) - header) // n_records
    shortened = content[:236] + f"{seconds:<8d}".encode() + content[244:header]
    out.write_bytes(shortened + content[header : header + seconds * record])


def seconds(*arguments: object, cache: Path | None = None) -> tuple[float, float]:
    """Run Python in a process of its own; return how long that took, and its processor's time."""
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        capture_output=True,
        env=os.environ | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {}),
    )
    after = os.times()
    used = after.children_user + after.children_system
    return time.perf_counter() - began, used - before.children_user - before.children_system


def main() -> None:
    """Start, and start again."""
    given = arguments(__doc__)
    models = ("ts-lr",) if given.quick else ("ts-lr", "acm-lr", "acm-svm")
    repeats = 1 if given.quick else 2
    later: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    shell, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        minute, fresh = place / "minute.edf", place / "fresh"
        crop_edf(shared_recording("S001R12.edf"), 60, minute)
        for name in models:
            channels = ("--channels", "sensorimotor") if name == "acm-svm" else ()
            params = ("--param", "order=3") if name == "acm-lr" else ()
            seconds(
                "-m", "bci", "train", shared_recording("S001R04.edf"),
                shared_recording("S001R08.edf"), "--decoder", name, *channels, *params, *EVENTS,
                "--no-cv", "--out", place / f"{name}.bci",
            )  # fmt: skip
        replay = {
            name: ("-m", "bci", "replay", minute, "--model", place / f"{name}.bci")
            for name in models
        }
        first_s, first_cpu_s = seconds(*replay["ts-lr"], cache=fresh)
        for _ in range(repeats):
            for name in models:
                later[name].append(seconds(*replay[name], cache=fresh))
            shell.append(seconds("-m", "bci", "--help", cache=fresh))
            bare.append(seconds("-c", "import skops.io, numba", cache=fresh))
    median = {name: statistics.median(took for took, _ in runs) for name, runs in later.items()}
    emit(
        "cold_start",
        first_s=round(first_s, 2),
        first_cpu_s=round(first_cpu_s, 2),
        later_s={name: _column(runs, 0) for name, runs in later.items()},
        later_cpu_s={name: _column(runs, 1) for name, runs in later.items()},
        help_s=_column(shell, 0),
        bare_imports_s=_column(bare, 0),
        goals=[
            goal(
                "first `bci replay` ever, compiling",
                f"{FIRST_S:g} s",
                ours=f"{first_s:.1f} s",
                met=first_s < FIRST_S,
            ),
            *(
                goal(
                    f"later, one minute of {'21' if name == 'acm-svm' else '64'} channels, {name}",
                    f"{LATER_S:g} s",
                    ours=f"{value:.2f} s",
                    met=value < LATER_S,
                )
                for name, value in median.items()
            ),
        ],
    )


def _column(runs: list[tuple[float, float]], which: int) -> list[float]:
    return [round(run[which], 2) for run in runs]


if __name__ == "__main__":
    main()
