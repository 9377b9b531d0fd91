"""Independent cells of work: here one after the other, in processes, or on a Dask cluster.

A cell is a function of data and a few arguments that returns what JSON can hold. Wherever it runs,
BLAS has one thread there and what it returns goes through JSON, so that the place changes no bit of
a result. A finished cell is kept in a folder under a key of its content, written by the process
that asked for it: what runs the cells needs no common disk, and whatever ends the run, the same
call does only what is missing.

A cell that fails is a `Failure` and the others go on. When a process dies (memory ran out, somebody
ended it) all that ran beside it is lost: those cells are run again one at a time, and one that
takes its process with it even so has failed.

::

    pool                          where a cell runs     data gets there
    Serial                        this process          as it is
    Processes (processes.py)      n processes (loky)    through a private file that all map
    Dask (cluster.py)             a cluster's workers   once a batch, as a task of its own
"""

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from bci.errors import InputError
from bci.evaluation.store import CellStore

__all__ = [
    "Batch",
    "Cell",
    "Failure",
    "Pool",
    "Serial",
    "run_cell",
    "run_cells",
]

_log = logging.getLogger(__name__)

#: What a cell returns: what JSON can hold.
Document = dict[str, Any]

#: Called with the number of cells done and the number there will be.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One piece of work.

    Attributes
    ----------
    key : str
        Of all that its result depends on.
    name : str
        What a person calls it.
    function : callable
        Of a module, so that it can be sent; called as ``function(data, *arguments)``.
    arguments : tuple
    """

    key: str
    name: str
    function: Callable[..., Document]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Cells that need the same data.

    Attributes
    ----------
    data : object
        May be large; it is sent once.
    cells : tuple of Cell
    """

    data: Any = field(repr=False)
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no result.

    Attributes
    ----------
    name : str
        Of the cell.
    reason : str
    is_input : bool
        True: what the user gave cannot be used; False: something broke.
    """

    name: str
    reason: str
    is_input: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class Pool(Protocol):
    """Where cells run."""

    @property
    def width(self) -> int:
        """Cells that are handed over at once."""

    def place(self, data: Any) -> Any:
        """Bring data to where cells run, and return what stands for it."""

    def submit(self, cell: Cell, placed: Any) -> "Future[tuple[bool, Any]]":
        """Start a cell."""

    def drop(self, placed: Any) -> None:
        """Forget data that no cell needs any more."""

    def restart(self) -> None:
        """Start anew after a process died."""

    def close(self) -> None:
        """End all that runs."""


def run_cells(
    batches: Iterable[Batch],
    pool: Pool,
    *,
    store: CellStore | None = None,
    total: Callable[[], int] | None = None,
    progress: Progress | None = None,
) -> dict[str, Document | Failure]:
    """Run cells, save those that the store holds already.

    Parameters
    ----------
    batches : iterable of Batch
        Taken one at a time, when there is room for its first cell.
    pool : Pool
        Stays open: whoever made it closes it, which ends what runs there if this was broken off.
    store : CellStore, optional
    total : callable, optional
        Returns how many cells there will be, for the progress.
    progress : callable, optional

    Returns
    -------
    dict
        Each cell's result or failure, by its key.

    Raises
    ------
    SettingsError
        When a finished cell cannot be kept.
    """
    outcomes: dict[str, Document | Failure] = {}
    running: dict[Future[tuple[bool, Any]], _Job] = {}
    lost: list[_Job] = []  # ran when a process died: one of them may be what ended it
    jobs = _jobs(batches, pool, store, outcomes)

    def finish(job: _Job, outcome: Document | Failure) -> None:
        outcomes[job.cell.key] = outcome
        if not isinstance(outcome, Failure) and store is not None:
            store.save(job.cell.key, job.cell.name, outcome)
        job.placed.left -= 1
        if not job.placed.left:
            pool.drop(job.placed.handle)

    while True:
        alone = bool(lost) or any(job.alone for job in running.values())
        while len(running) < (1 if alone else pool.width):
            job = lost.pop() if lost else next(jobs, None)
            if job is None:
                break
            job.alone = alone
            running[pool.submit(job.cell, job.placed.handle)] = job
        if progress:
            progress(len(outcomes), max(total() if total else 0, len(outcomes)))
        if not running:
            return outcomes
        # With a limit, since a wait without one cannot be interrupted on Windows.
        done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
        broken = False
        for future in done:
            job = running.pop(future)
            outcome = _outcome(job.cell, future)
            if outcome is not None:
                finish(job, outcome)
            elif job.alone:
                finish(job, Failure(job.cell.name, _DIED, is_input=False))
                broken = True
            else:
                lost.append(job)
                broken = True
        if broken:
            lost += running.values()
            running.clear()
            _log.warning("a process died: what ran is run again, one cell at a time")
            pool.restart()


_DIED = "its process died, alone as well: does the memory suffice?"


@dataclass(slots=True)
class _Placed:
    """Data where cells run, and how many cells still need it."""

    handle: Any
    left: int


@dataclass(slots=True)
class _Job:
    cell: Cell
    placed: _Placed
    alone: bool = False


def _jobs(
    batches: Iterable[Batch],
    pool: Pool,
    store: CellStore | None,
    outcomes: dict[str, Document | Failure],
) -> Iterator[_Job]:
    """Yield the cells that are not done; those that are go to the outcomes."""
    for batch in batches:
        missing = {}
        for cell in batch.cells:
            kept = store.load(cell.key) if store is not None else None
            if kept is not None:
                outcomes[cell.key] = kept
            elif cell.key not in outcomes:
                missing[cell.key] = cell
        if missing:
            placed = _Placed(pool.place(batch.data), len(missing))
            for cell in missing.values():
                yield _Job(cell, placed)


def _outcome(cell: Cell, future: "Future[tuple[bool, Any]]") -> Document | Failure | None:
    """Return what became of a cell; None: its process died, or one beside it."""
    try:
        succeeded, returned = future.result()
    except BrokenProcessPool:
        return None
    except Exception as error:  # on the way there or back: a worker without Rolandic, say
        _log.info("%s failed on its way", cell.name, exc_info=True)
        return Failure(cell.name, f"{type(error).__name__}: {error}", is_input=False)
    if succeeded:
        document: Document = json.loads(returned)
        return document
    reason, is_input, trace = returned
    _log.info("%s failed\n%s", cell.name, trace)
    return Failure(cell.name, reason, is_input)


def run_cell(
    function: Callable[..., Document], data: Any, arguments: tuple[Any, ...]
) -> tuple[bool, Any]:
    """Run a cell; what goes wrong in it comes back as words, which can always be sent."""
    try:
        with threadpool_limits(limits=1):
            return True, json.dumps(function(data, *arguments))
    except Exception as error:
        _log.debug("a cell failed", exc_info=True)
        is_input = isinstance(error, InputError)
        reason = str(error) if is_input else f"{type(error).__name__}: {error}"
        return False, (reason, is_input, traceback.format_exc())


class Serial:
    """One cell after the other, in this process."""

    width = 1

    def place(self, data: Any) -> Any:
        """Return the data."""
        return data

    def submit(self, cell: Cell, placed: Any) -> "Future[tuple[bool, Any]]":
        """Run a cell."""
        future: Future[tuple[bool, Any]] = Future()
        future.set_result(run_cell(cell.function, placed, cell.arguments))
        return future

    def drop(self, placed: Any) -> None:
        """Nothing to forget."""

    def restart(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to end."""
