"""Cells in processes of this machine."""

import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import psutil
from joblib.externals.loky import ProcessPoolExecutor

from bci.decoders import available_decoders
from bci.evaluation.jobs import Cell, Document, run_cell

__all__ = ["Processes"]

_log = logging.getLogger(__name__)


class Processes:
    """Processes of this machine, with one BLAS thread each.

    Parameters
    ----------
    n_jobs : int
    """

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        # One more than run: no process waits for this one to hand over the next.
        self.width = 2 * n_jobs
        self._folder = Path(tempfile.mkdtemp(prefix="rolandic-"))  # 0700
        self._n_placed = 0
        self.restart()

    def restart(self) -> None:
        """Start the processes."""
        self._executor = ProcessPoolExecutor(
            max_workers=self._n_jobs,
            initializer=_begin_process,
            initargs=(os.getpid(), self._folder),
            env=dict.fromkeys(_THREADS, "1"),
        )
        # They load what they need, two seconds' worth, while the first recordings are read.
        for _ in range(self._n_jobs):
            self._executor.submit(available_decoders)

    def place(self, data: Any) -> Path:
        """Write the data where processes can map it."""
        self._n_placed += 1
        path = self._folder / f"{self._n_placed}.joblib"
        joblib.dump(data, path)
        return path

    def submit(self, cell: Cell, placed: Path) -> "Future[tuple[bool, Any]]":
        """Start a cell in a process that is free."""
        future: Future[tuple[bool, Any]] = Future()
        try:
            future = self._executor.submit(_run_mapped, cell.function, placed, cell.arguments)
        except BrokenProcessPool as error:  # a process died since the last one was handed over
            future.set_exception(error)
        return future

    def drop(self, placed: Path) -> None:
        """Delete the file; where it is still mapped (Windows), the end of the run does."""
        try:
            placed.unlink(missing_ok=True)
        except OSError:
            _log.debug("%s is still in use", placed)

    def close(self) -> None:
        """End the processes, and delete what they read."""
        self._executor.shutdown(wait=True, kill_workers=True)
        shutil.rmtree(self._folder, ignore_errors=True)


#: How often a process looks whether its parent is there (s).
_FOLLOW_S = 0.5

#: Set to 1 in the processes, before they load any of these libraries.
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def _begin_process(parent: int, folder: Path) -> None:
    """Leave Ctrl-C to the process that asked; end when it is gone, however it ended.

    loky's processes wait for work from a parent that was killed for ever, and its queues do not
    tell them: each of them holds both ends. What was written for them is deleted by them then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        # Not `wait`: one that was killed may stay for a while, as a zombie.
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(parent)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(_FOLLOW_S)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=follow, name="follow parent", daemon=True).start()


def _run_mapped(
    function: Callable[..., Document], path: Path, arguments: tuple[Any, ...]
) -> tuple[bool, Any]:
    return run_cell(function, _mapped(path), arguments)


@lru_cache(maxsize=2)
def _mapped(path: Path) -> Any:
    return joblib.load(path, mmap_mode="r")
