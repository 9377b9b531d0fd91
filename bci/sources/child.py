"""A worker in a process of its own, asked over a pipe.

The child is spawned (on every platform alike), leaves Ctrl-C to its parent, and ends when the
parent does (the pipe then reports its end) unless it is told to live on. Requests are numbered,
and so are answers: one that nobody waits for any more (its question timed out, or Ctrl-C fell in
between) is thrown away.
"""

import logging
import multiprocessing
import multiprocessing.process
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from bci.errors import InputError, RolandicError
from bci.private import PrivateLog

__all__ = ["ChildProcess", "Link", "Worker", "answer"]

logger = logging.getLogger(__name__)

#: How long a process that has closed, and one that is terminated, may take to end (s).
_END_S, _TERMINATE_S = 10.0, 5.0
#: Of the log of what goes wrong in a child.
_LOG_BYTES = 1_000_000


class Worker(Protocol):
    """What lives in the child: its public methods are what can be asked."""

    def close(self) -> Any:
        """End; called once, also when the parent is gone."""


def _answer(worker: Worker, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, getattr(worker, method)(*arguments)
    except InputError as error:
        return False, error
    except Exception as error:
        logger.exception("%s failed", method)
        return False, RolandicError(f"{error!r}\n{traceback.format_exc()}")


def answer(connection: Connection, worker: Worker) -> bool:
    """Answer questions until told to close; False when the other end is gone before."""
    method = ""
    try:
        while method != "close":
            number, method, asked = connection.recv()
            connection.send((number, *_answer(worker, method, asked)))
    except (EOFError, OSError):
        return False
    return True


def _end_with_parent(pipe: Connection, worker: Worker) -> None:
    """Serve until told to close or until the parent is gone."""
    if not answer(pipe, worker):
        logger.debug("the parent process is gone")
        worker.close()


def _log_beside(name: str) -> Path | None:
    """Return where a child of this process logs: beside the newest private log of this one."""
    logs = [h for h in logging.getLogger("bci").handlers if isinstance(h, PrivateLog)]
    if not logs:
        return None
    own = Path(logs[-1].baseFilename)
    return own.with_name(f"{own.stem}-{name.replace(' ', '-')}{own.suffix}")


def _log_to(path: Path | None) -> None:
    """Log what goes wrong here, tracebacks too; stderr belongs to the parent alone."""
    root = logging.getLogger("bci")
    root.addHandler(logging.NullHandler())
    root.propagate = False
    if path is None:
        return
    logging.raiseExceptions = False  # a log that cannot be written is no reason to write to stderr
    # Made by the first thing that goes wrong. Several children may append to it: each line is
    # written whole, and names its process.
    file = PrivateLog(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)
    file.setLevel(logging.WARNING)
    line = "%(asctime)s %(process)d %(levelname)s %(name)s %(threadName)s: %(message)s"
    file.setFormatter(logging.Formatter(line))
    root.addHandler(file)
    threading.excepthook = _log_thread


def _log_thread(failed: threading.ExceptHookArgs) -> None:
    """Log what ended a thread, instead of writing it to stderr."""
    value = failed.exc_value or failed.exc_type()
    name = failed.thread.name if failed.thread is not None else "?"
    logger.error("the thread %r has ended", name, exc_info=value)


def _child_main(
    pipe: Connection,
    factory: Callable[..., Worker],
    arguments: tuple[Any, ...],
    live: Callable[[Connection, Worker], None],
    log: Path | None,
) -> None:
    """Make the worker, report, then let it live."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _log_to(log)
    try:
        worker = factory(*arguments)
    except InputError as error:
        pipe.send((0, False, error))
        return
    except Exception as error:
        logger.exception("the worker could not be made")
        pipe.send((0, False, RolandicError(f"{error!r}\n{traceback.format_exc()}")))
        return
    with suppress(OSError):  # a parent that is gone by now is noticed by `live`
        pipe.send((0, True, None))
    live(pipe, worker)


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Let a process that is started now inherit that Ctrl-C is none of its business.

    It sets so itself, but only after its imports, and a Ctrl-C in these would print a traceback.
    Only the main thread may set signals; where another starts the process, or where signals are
    not inherited (Windows), that short time remains.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Link:
    """The asking end of a connection; any thread may ask.

    Parameters
    ----------
    name : str
        Of the process at the other end, in messages.
    connection : Connection
    gone : callable
        Makes the error that says that the other end has ended.
    """

    def __init__(
        self, name: str, connection: Connection, gone: Callable[[], RolandicError]
    ) -> None:
        self._name, self._connection, self._gone = name, connection, gone
        self._lock = threading.Lock()
        self._n_asked = 0

    def ask(self, method: str, *arguments: Any, timeout_s: float = 30.0) -> Any:
        """Call a method of the worker and return what it returns.

        Raises
        ------
        RolandicError
            What the method raised, or: the process has ended, or did not answer in time.
        """
        with self._lock:
            self._n_asked += 1
            try:
                self._connection.send((self._n_asked, method, arguments))
            except OSError as error:
                raise self._gone() from error
            return self.receive(self._n_asked, timeout_s)

    def receive(self, number: int, timeout_s: float) -> Any:
        """Wait for the answer to a question; the first, the worker's making, has number 0."""
        deadline = time.monotonic() + timeout_s
        answered = -1
        try:
            while answered != number:
                if not self._connection.poll(max(0.0, deadline - time.monotonic())):
                    raise RolandicError(
                        f"the {self._name} process did not answer within {timeout_s:g} s"
                    )
                answered, done, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error
        if not done:
            raise answer
        return answer

    def ended(self, timeout_s: float = 0.0) -> bool:
        """Say whether the other end is gone, or goes within so long."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            try:
                # What comes is an answer that nobody waited for, or the end.
                while self._connection.poll(max(0.0, deadline - time.monotonic())):
                    self._connection.recv()
            except (EOFError, OSError):
                return True
        return False

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class ChildProcess:
    """The parent's side.

    Parameters
    ----------
    name : str
        Of the process, and in messages: ``"amplifier"``.
    factory : callable
        Makes the `Worker` in the child; must be importable, as must its arguments be picklable.
    arguments : tuple
    live : callable
        What the child does with the pipe and the worker; must be importable. As it stands: answers
        until told to close or until the parent is gone, then closes the worker.
    """

    def __init__(
        self,
        name: str,
        factory: Callable[..., Worker],
        arguments: tuple[Any, ...] = (),
        live: Callable[[Connection, Worker], None] = _end_with_parent,
    ) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, self._child_pipe = context.Pipe()
        self._process = context.Process(
            target=_child_main,
            args=(self._child_pipe, factory, arguments, live, _log_beside(name)),
            name=f"rolandic {name}",
            daemon=True,
        )
        self._link = Link(name, self._pipe, self.gone)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return self._process.pid

    def start(self, timeout_s: float = 60.0) -> None:
        """Start, and wait until the worker is made; raises what making it raised."""
        with _ctrl_c_ignored():
            self._process.start()
        self._child_pipe.close()
        try:
            self._link.receive(0, timeout_s)
        except BaseException:
            self._terminate()
            raise

    def ask(self, method: str, *arguments: Any, timeout_s: float = 30.0) -> Any:
        """Call a method of the worker and return what it returns; see `Link.ask`."""
        return self._link.ask(method, *arguments, timeout_s=timeout_s)

    def gone(self) -> RolandicError:
        """Return the error that says that the process has ended."""
        self._process.join(5.0)
        return RolandicError(
            f"the {self._name} process ended unexpectedly (exit code {self._process.exitcode})"
        )

    def close(self, timeout_s: float = 30.0) -> Any:
        """Ask the worker to close, and wait for the process; returns what ``close`` returned."""
        if self._process.pid is None:
            return None  # never started
        try:
            return self.ask("close", timeout_s=timeout_s) if self.alive else None
        finally:
            self._process.join(_END_S)
            if self.alive:
                logger.warning(
                    "the %s process (%d) does not end: it is terminated", self._name, self.pid
                )
                self._terminate()
            self._link.close()

    def _terminate(self) -> None:
        """End it; one that waits for a disk that hangs cannot be ended, and is left."""
        self._process.terminate()
        self._process.join(_TERMINATE_S)
        if not self.alive:
            return
        logger.error(
            "the %s process (%d) cannot be ended and is left: end it by hand", self._name, self.pid
        )
        # On its way out Python would wait for it without end.
        getattr(multiprocessing.process, "_children", set()).discard(self._process)
