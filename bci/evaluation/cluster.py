"""Cells on the workers of a Dask cluster (dask.distributed: the extra ``distributed``)."""

import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

from threadpoolctl import threadpool_limits

from bci.errors import SettingsError
from bci.evaluation.jobs import Cell, Document, run_cell
from bci.evaluation.keys import code_versions

__all__ = ["Dask"]

#: Seconds that a scheduler, and the first of its workers, has to answer.
_ANSWER_S = 10.0


class Dask:
    """The workers of a Dask cluster (dask.distributed).

    They must have this Rolandic and these libraries, and are sent the data, unencrypted unless the
    address says ``tls://``.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    SettingsError
        When dask.distributed is not installed, nobody answers there or there is no worker, or a
        worker has other versions.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise SettingsError(
                f"--scheduler {address} needs dask.distributed: install it with "
                "pip install 'rolandic[distributed]'"
            ) from error
        try:
            _knock(address)
            self._client = Client(
                address, timeout=_ANSWER_S, set_as_default=False, direct_to_workers=False
            )
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"--scheduler {address}: no Dask scheduler answers there: start one (dask "
                "scheduler) and give the address that it prints, such as tcp://10.0.0.5:8786"
            ) from error
        try:
            self._check_workers(address)
        except BaseException:
            self._client.close()
            raise
        self._executor = self._client.get_executor(pure=False)

    def _check_workers(self, address: str) -> None:
        try:
            self._client.wait_for_workers(1, timeout=_ANSWER_S)
        except TimeoutError as error:
            raise SettingsError(
                f"--scheduler {address} has no worker: start some with dask worker {address} "
                "--nthreads 1"
            ) from error
        ours = code_versions()
        for worker, theirs in self._client.run(code_versions).items():
            differing = [
                f"{name} {theirs.get(name)}, here {version}"
                for name, version in ours.items()
                if theirs.get(name) != version
            ]
            if differing:
                raise SettingsError(
                    f"--scheduler {address}: worker {worker} has {'; '.join(differing)}: results "
                    "would differ; install the same versions there"
                )

    @property
    def width(self) -> int:
        """Four cells a thread, whatever workers there are now."""
        threads: int = sum(
            w["nthreads"] for w in self._client.scheduler_info(-1)["workers"].values()
        )
        return max(8, 4 * threads)

    def place(self, data: Any) -> Any:
        """Send the data as a task, which is repeated where its worker is lost."""
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            return self._client.submit(_as_it_is, data, pure=False)

    def submit(self, cell: Cell, placed: Any) -> "Future[tuple[bool, Any]]":
        """Start a cell on the cluster."""
        future: Future[tuple[bool, Any]] = self._executor.submit(
            _run_on_worker, cell.function, placed, cell.arguments
        )
        return future

    def drop(self, placed: Any) -> None:
        """Let the cluster forget the data."""
        placed.release()

    def restart(self) -> None:
        """Nothing to start: the scheduler looks after its workers."""

    def close(self) -> None:
        """Take back what has not run, and leave the cluster."""
        self._executor.shutdown(wait=False)
        self._client.close()


def _knock(address: str) -> None:
    """Raise OSError or ValueError at once where Dask would try for seconds."""
    place = urlsplit(address)
    if not (place.hostname and place.port):
        raise ValueError(f"{address} names no host and port")
    with socket.create_connection((place.hostname, place.port), timeout=_ANSWER_S):
        pass


def _as_it_is(data: Any) -> Any:
    return data


def _run_on_worker(
    function: Callable[..., Document], data: Any, arguments: tuple[Any, ...]
) -> tuple[bool, Any]:
    # For good: a worker's threads share BLAS, and one that left a limit would lift it for others.
    threadpool_limits(limits=1)
    return run_cell(function, data, arguments)
