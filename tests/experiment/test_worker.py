"""A worker's process: results, progress, cancel, and its death."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bci.errors import InputError, SettingsError
from bci.experiment.worker import Task, TaskState, Worker


def adding(a: int, b: int, *, progress: Callable[[int, int], None]) -> tuple[int, int, int]:
    """Return the sum, the process that found it, and its niceness."""
    for step in range(3):
        progress(step + 1, 3)
    return a + b, os.getpid(), int(psutil.Process().nice())


def refusing(*, progress: Callable[[int, int], None]) -> None:
    """Say that something cannot be used."""
    raise SettingsError("window 9 s: longer than the trials; shorten it")


def breaking(*, progress: Callable[[int, int], None]) -> None:
    """Fail as code that is wrong does."""
    raise ZeroDivisionError("division by zero")


def endless(*, progress: Callable[[int, int], None]) -> None:
    """Never return."""
    progress(1, 100)
    while True:
        time.sleep(0.01)


def unsendable(*, progress: Callable[[int, int], None]) -> object:
    """Return what cannot be pickled."""
    return lambda: None


def loaded(*, progress: Callable[[int, int], None]) -> bool:
    """Say whether decoders can be made at once."""
    return "bci.decoders.classic" in sys.modules


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker's process find this module's functions; what is installed goes first."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[2])])


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Start a worker."""
    made = Worker("test", preload=False)
    yield made
    made.close()


def begun(task: Task) -> Task:
    """Wait until a task has told of its first step."""
    deadline = time.monotonic() + 30
    while not task.done:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return task


def test_result_and_progress_come_from_another_process(worker: Worker) -> None:
    """A task returns from a process of lower priority, and its last step is always told."""
    steps: list[tuple[int, int]] = []
    task = Task("adding", adding, (2, 3))
    task.events.progressed.connect(lambda done, total: steps.append((done, total)))
    worker.put(task)
    assert task.wait(60)
    total, pid, niceness = task.result
    assert task.state is TaskState.DONE
    assert total == 5
    assert pid != os.getpid()
    assert niceness > psutil.Process().nice()
    assert steps[-1] == (3, 3)


@pytest.mark.parametrize(
    ("function", "said", "is_input"),
    [
        (refusing, "shorten it", True),
        (breaking, "ZeroDivisionError", False),
        (unsendable, "pickle", False),
    ],
)
def test_failures_come_back_in_words(
    worker: Worker, function: Callable[..., object], said: str, is_input: bool
) -> None:
    """What goes wrong is one line; what the user gave is told apart from what is our fault."""
    task = worker.submit("task", function)
    assert task.wait(60)
    assert task.state is TaskState.FAILED
    assert said in str(task.error)
    assert isinstance(task.error, InputError) == is_input


def test_cancel_ends_a_task_at_once_and_the_next_one_runs(worker: Worker) -> None:
    """A task that never returns is ended, and what waits behind it is done."""
    task = begun(worker.submit("endless", endless))
    behind = worker.submit("adding", adding, 1, 1)
    task.cancel()
    assert task.wait(10)
    assert task.state is TaskState.CANCELLED
    assert behind.wait(60)
    assert behind.result[0] == 2


def test_waiting_task_that_is_cancelled_never_runs(worker: Worker) -> None:
    """Cancelling what waits takes it out of the line."""
    running = worker.submit("endless", endless)
    waiting = worker.submit("adding", adding, 1, 1)
    waiting.cancel()
    running.cancel()
    assert waiting.wait(30)
    assert waiting.state is TaskState.CANCELLED
    assert waiting.result is None


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows ends processes otherwise")
def test_killed_process_is_said_and_replaced(worker: Worker) -> None:
    """A process that is killed fails its task with a reason, and the next task has another."""
    task = begun(worker.submit("endless", endless))
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert task.wait(10)
    assert task.state is TaskState.FAILED
    assert "process ended" in str(task.error)
    after = worker.submit("adding", adding, 4, 4)
    assert after.wait(60)
    assert after.result[0] == 8


@pytest.mark.parametrize("ahead", [True, False])
def test_decoders_are_loaded_ahead(ahead: bool) -> None:
    """A worker has them before its first task, unless it was told to be lean."""
    worker = Worker("ready", preload=ahead)
    task = worker.submit("loaded", loaded)
    assert task.wait(60)
    assert task.result is ahead
    worker.close()


def test_close_cancels_and_leaves_no_process() -> None:
    """Closing ends what runs, and its process."""
    worker = Worker("short", preload=False)
    task = begun(worker.submit("endless", endless))
    pid = worker.pid
    assert pid is not None
    worker.close()
    worker.close()
    assert task.state is TaskState.CANCELLED
    assert not psutil.pid_exists(pid)
