"""What is being trained: the rows of a comparison, and how far the work is."""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bci.evaluation.comparison import Difference
from bci.experiment.attempts import Attempt
from bci.experiment.worker import Task, TaskState

__all__ = ["Batch", "TrainingProgress", "TrainingRow", "between", "free_names", "rank"]


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A decoder of the comparison that is going on, or was the last.

    Attributes
    ----------
    decoder : str
    state : TaskState
    attempt : Attempt or None
        Once it is DONE.
    error : str
        Why it FAILED.
    behind : Difference or None
        The best of the comparison minus this, once all are tested; None for the best itself.
    best : bool
    """

    decoder: str
    state: TaskState
    attempt: Attempt | None = None
    error: str = ""
    behind: Difference | None = None
    best: bool = False


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far the work that was asked for is.

    Attributes
    ----------
    what : str
        Name of what is being done; empty: nothing is.
    share : float
        0 to 1, of all.
    left_s : float or None
        How long it will still take, roughly (s); None: not known yet.
    """

    what: str = ""
    share: float = 0.0
    left_s: float | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is being done."""
        return bool(self.what)


class Batch:
    """Tasks that were asked for together; written and read in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: list[Task] = []
        self._took_s: list[float] = []

    @property
    def tasks(self) -> list[Task]:
        """All that were added since the beginning."""
        with self._lock:
            return list(self._tasks)

    def begin(self) -> None:
        """Forget what is over, if all is."""
        with self._lock:
            if all(task.state.over for task in self._tasks):
                self._tasks, self._took_s = [], []

    def add(self, task: Task) -> None:
        """Count a task in."""
        with self._lock:
            self._tasks.append(task)

    def ended(self, task: Task) -> None:
        """Remember how long a task took: the next may take as long."""
        if task.began_s is not None:
            with self._lock:
                self._took_s.append(time.monotonic() - task.began_s)

    @property
    def progress(self) -> TrainingProgress:
        """How far all of them are."""
        with self._lock:
            tasks, took_s = list(self._tasks), list(self._took_s)
        waiting = [task for task in tasks if not task.state.over]
        if not waiting:
            return TrainingProgress()
        now = next((task for task in waiting if task.state is TaskState.RUNNING), None)
        part = now.done / now.total if now is not None and now.total else 0.0
        left_s = None
        if now is not None and (now_left_s := now.left_s) is not None:
            lasted_s = time.monotonic() - (now.began_s or 0.0)
            each_s = statistics.fmean([*took_s, lasted_s + now_left_s])
            left_s = now_left_s + each_s * (len(waiting) - 1)
        share = (len(tasks) - len(waiting) + part) / len(tasks)
        return TrainingProgress((now or waiting[0]).name, min(share, 1.0), left_s)


def rank(row: TrainingRow) -> float:
    """Return what the best row has most of."""
    return row.attempt.rank if row.attempt is not None else -1.0


def between(
    found: Sequence[Difference], best: TrainingRow | None, row: TrainingRow
) -> Difference | None:
    """Return how much better the best of a comparison is than a row; None for the best itself."""
    if best is None or best.attempt is None or row.attempt is None or row.best:
        return None
    first, second = (f"{a.number} {a.decoder}" for a in (best.attempt, row.attempt))
    for difference in found:
        if (difference.first, difference.second) == (first, second):
            return difference
        if (difference.first, difference.second) == (second, first):
            low, high = -difference.high, -difference.low
            return replace(
                difference, first=first, second=second, mean=-difference.mean, low=low, high=high
            )
    return None


def free_names(folder: Path, attempts: Sequence[Attempt], decoders: Sequence[str]) -> list[str]:
    """Return file names for new attempts: numbers go on, and none is taken twice.

    >>> free_names(Path("none"), [Attempt("attempt-02_mdm.bci", "mdm")], ["ts-lr"])
    ['attempt-03_ts-lr.bci']
    """
    taken = [path.name for path in folder.glob("attempt-*")]
    taken += [attempt.file for attempt in attempts]
    heads = [name.partition("_")[0].removeprefix("attempt-") for name in taken]
    first = 1 + max([int(head) for head in heads if head.isdigit()], default=0)
    return [f"attempt-{first + k:02d}_{name}.bci" for k, name in enumerate(decoders)]
