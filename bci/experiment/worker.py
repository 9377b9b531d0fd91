"""A process of its own for long work: one task at a time, with progress, and an end when asked.

::

    WAITING --its turn--> RUNNING --returns--> DONE
       |                     |----raises----> FAILED     (also when its process dies)
       '------cancel---------'----cancel----> CANCELLED  (its process is ended, another is started)

A task is a function of a module, called as ``function(*arguments, progress=...)`` in the process.
The process runs at a lower priority than the window, the acquisition and the decoder, has one BLAS
thread, leaves Ctrl-C to whoever started it and ends when that one is gone.

================  ==============  ==============================
attribute         writer          readers
================  ==============  ==============================
state, result ... worker thread   any (the state is written last)
cancelled         any             worker thread
================  ==============  ==============================
"""

import enum
import logging
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import psutil
from psygnal import Signal, SignalGroup

from bci.errors import InputError, RolandicError
from bci.experiment.states import tell

__all__ = ["Task", "TaskState", "Worker"]

_log = logging.getLogger(__name__)

# How often a running task is looked at (s); how long a process may take to end by itself (s).
_LOOK_S, _END_S = 0.05, 5.0

#: Set to 1 before the process loads any of these libraries.
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


class TaskState(enum.Enum):
    """Where a task is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)


class TaskEvents(SignalGroup):
    """What becomes of a task; told in the worker's thread."""

    progressed = Signal(int, int)
    finished = Signal(object)


class Task:
    """Work that was handed to a `Worker`.

    Attributes
    ----------
    name : str
        What a person calls it.
    state : TaskState
    done, total : int
        Steps; `total` is 0 while it is not known.
    result : object
        What the function returned, once DONE.
    error : RolandicError or None
        Why it FAILED.
    """

    def __init__(self, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.name, self.function, self.arguments = name, function, arguments
        self.events = TaskEvents()
        self.state = TaskState.WAITING
        self.done = self.total = 0
        self.result: Any = None
        self.error: RolandicError | None = None
        self.began_s: float | None = None
        self._cancelled = threading.Event()
        self._over = threading.Event()

    def cancel(self) -> None:
        """Ask for its end; harmless when it is over."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether its end was asked for."""
        return self._cancelled.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; for tests and commands, never in the window's thread."""
        return self._over.wait(timeout_s)

    @property
    def left_s(self) -> float | None:
        """How long it will still take, judged by the steps so far (s); None: not known yet."""
        if self.began_s is None or not self.done or self.total < self.done:
            return None
        return (time.monotonic() - self.began_s) / self.done * (self.total - self.done)

    def advance(self, done: int, total: int) -> None:
        """Take note of progress; the worker's to call."""
        self.done, self.total = done, total
        tell(self.events.progressed, done, total)

    def finish(self, state: TaskState) -> None:
        """Take note of its end; the worker's to call."""
        self.state = state
        # Who waited finds what listeners made of it.
        tell(self.events.finished, self)
        self._over.set()


class Worker:
    """Runs tasks one after the other in a process that it keeps.

    Parameters
    ----------
    name : str
        Of its thread and process.
    preload : bool
        Load the decoders at the start: two seconds' worth, which the first task then does not wait
        for.
    """

    def __init__(self, name: str = "worker", *, preload: bool = True) -> None:
        self._name, self._preload = name, preload
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._current: Task | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, name: str, function: Callable[..., Any], *arguments: Any) -> Task:
        """Make a task and hand it over: for whoever needs no event of it from the start."""
        task = Task(name, function, arguments)
        self.put(task)
        return task

    def put(self, task: Task) -> None:
        """Hand over a task; it waits for those before it."""
        self._tasks.put(task)

    @property
    def current(self) -> Task | None:
        """The task that is running."""
        return self._current

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    def close(self) -> None:
        """Cancel what runs and waits, and end the process; more than once is harmless."""
        self._closing.set()
        self._tasks.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    # --- in the worker's thread -----------------------------------------------------------

    def _run(self) -> None:
        self._start()
        while True:
            task = self._tasks.get()
            if task is None:
                break
            if task.cancelled or self._closing.is_set():
                task.finish(TaskState.CANCELLED)
                continue
            self._current = task
            try:
                self._carry_out(task)
            except Exception as error:
                _log.exception("%s: the worker failed", self._name)
                task.error = RolandicError(f"{task.name}: {type(error).__name__}: {error}")
                task.finish(TaskState.FAILED)
            self._current = None
        self._end_process()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._connection = ours
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        try:
            self._process = context.Process(
                target=_serve, args=(theirs, self._preload), name=self._name, daemon=True
            )
            self._process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        theirs.close()

    def _end_process(self) -> None:
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is None or connection is None:
            return
        connection.close()
        process.join(0.2)
        for end in (process.terminate, process.kill):
            if process.is_alive():
                end()
                process.join(_END_S)
        process.close()

    def _carry_out(self, task: Task) -> None:
        if self._process is None or not self._process.is_alive():
            self._end_process()
            self._start()
        connection, process = self._connection, self._process
        if connection is None or process is None:
            raise RuntimeError("a worker has no process")
        task.began_s, task.state = time.monotonic(), TaskState.RUNNING
        try:
            connection.send((task.function, task.arguments))
            while True:
                if task.cancelled or self._closing.is_set():
                    self._end_process()
                    if not self._closing.is_set():
                        self._start()
                    return task.finish(TaskState.CANCELLED)
                if not connection.poll(_LOOK_S):
                    continue
                kind, content = connection.recv()
                if kind == "progress":
                    task.advance(*content)
                elif kind == "result":
                    task.result = content
                    return task.finish(TaskState.DONE)
                else:
                    reason, is_input = content
                    task.error = InputError(reason) if is_input else RolandicError(reason)
                    return task.finish(TaskState.FAILED)
        except (EOFError, ConnectionError, BrokenPipeError):
            process.join(_END_S)
            code = process.exitcode
            task.error = RolandicError(
                f"{task.name}: its process ended (exit code {code}): does the memory suffice? "
                "Nothing is lost; try again"
            )
            self._end_process()
            self._start()
            return task.finish(TaskState.FAILED)


def _serve(connection: Connection, preload: bool) -> None:
    """Carry out tasks until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, name="follow parent", daemon=True).start()
    with suppress(psutil.Error, OSError):
        below = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", 10)
        psutil.Process().nice(below)
    from threadpoolctl import threadpool_limits

    if preload:
        from bci.decoders import available_decoders

        available_decoders()
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        reporter = _Reporter(connection)
        try:
            with threadpool_limits(limits=1):
                answer: tuple[str, Any] = ("result", function(*arguments, progress=reporter))
        except Exception as error:
            _log.debug("a task failed\n%s", traceback.format_exc())
            is_input = isinstance(error, RolandicError)
            reason = str(error) if is_input else f"{type(error).__name__}: {error}"
            answer = ("error", (reason, is_input))
        try:
            connection.send(answer)
        except OSError:
            return
        except Exception as error:  # a result that cannot be sent
            connection.send(("error", (f"{type(error).__name__}: {error}", False)))


class _Reporter:
    """Sends progress, at most twenty times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._sent_s = connection, 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._sent_s < 0.05:
            return
        self._sent_s = now
        self._connection.send(("progress", (done, total)))


def _follow_parent() -> None:
    """End when the process that asked is gone, however it ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
