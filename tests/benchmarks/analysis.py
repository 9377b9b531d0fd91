"""A whole analysis of S001: three runs, 64 channels, left against right, warm.

From opened recordings: power (Burg), coherence of all pairs and node strength, R2 with tests and
chance levels, laterality, individual peaks, ERD/ERS maps of three channels with their bootstrap,
suggestions with their stability. Then the page with all its pictures; then what a changed test
costs when the rest is kept. Kernels are compiled, modules are loaded, nothing is kept at first.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bci.config import EpochSettings
from bci.features.analysis import AnalysisSettings, analyse
from bci.features.cache import Cache
from bci.features.library import Library
from bci.features.page import write_page
from bci.sources.reading import open_recording
from tests.benchmarks.measure import arguments, emit, shared_recording
from tests.benchmarks.table import goal

GOAL_S = 3.0
SETTINGS = AnalysisSettings(
    epochs=EpochSettings(band_hz=(2.0, 45.0), event_map={"T1": "left_hand", "T2": "right_hand"}),
    connectivity={"measure": "coherence"},
)


def seconds(work: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Time calls: median and longest on the wall, median of the processor.

    The first of several only warms up. On a machine that has nothing else to do the processor's
    time is the wall's.
    """
    wall, processor = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    kept = slice(1 if repeats > 1 else 0, None)
    return statistics.median(wall[kept]), max(wall[kept]), statistics.median(processor[kept])


def main() -> None:
    """Measure."""
    given = arguments(__doc__)
    repeats = 1 if given.quick else 8
    paths = [shared_recording(f"S001R{run}.edf") for run in ("04", "08", "12")]
    runs = [open_recording(path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        analysis = analyse(runs, SETTINGS)
        numbers = seconds(lambda: analyse(runs, SETTINGS), repeats)
        files = seconds(
            lambda: analyse([open_recording(path) for path in paths], SETTINGS), repeats
        )

        def page() -> None:
            made = analyse(runs, SETTINGS)
            library.write(made, lambda place: write_page(made, place))

        pictures = seconds(page, min(repeats, 4))
        cache = Cache(Path(folder) / "cache")
        analyse(runs, SETTINGS, cache)
        changed = SETTINGS.model_copy(update={"test": "t"})

        def again() -> None:
            for path in cache.folder.glob("*_contrast-*"):
                path.unlink()
            for path in cache.folder.glob("suggestions-*"):
                path.unlink()
            analyse(runs, changed, cache)

        kept = seconds(again, repeats)
    rows = {
        "numbers": ("power, coherence, R2, ERD/ERS: all arrays", numbers, True),
        "from_files": ("the same with reading the files", files, False),
        "with_page": ("the same with every picture and the page", pictures, True),
        "another_test": ("another test of R2, the rest kept", kept, False),
    }
    emit(
        "analysis",
        n_trials=sum(analysis.n_trials.values()),
        n_channels=len(analysis.channels),
        **{
            f"{name}_s": dict(
                zip(("median", "worst", "processor"), map(_rounded, found), strict=True)
            )
            for name, (_, found, _) in rows.items()
        },
        goals=[
            goal(
                f"S001, three runs, {what}",
                f"{GOAL_S:g} s" if wanted else "",
                ours=f"{found[0]:.2f} s ({found[2]:.2f} s of the processor)",
                met=found[0] < GOAL_S if wanted else None,
            )
            for what, found, wanted in rows.values()
        ],
    )


def _rounded(value: float) -> float:
    return round(value, 3)


if __name__ == "__main__":
    main()
