"""How long to wait before something that failed is tried again."""

from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Doubles from one failure to the next; what has gone well for a while is forgiven.

    Parameters
    ----------
    first_s, longest_s : float
        Waits after the first failure, and at most.
    well_s : float
        Something that worked for this long has not failed before.
    clock : callable
        Monotonic (s).

    Examples
    --------
    >>> now = [0.0]
    >>> backoff = Backoff(1.0, 3.0, 60.0, lambda: now[0])
    >>> [backoff.failed() for _ in range(3)]
    [1.0, 2.0, 3.0]
    >>> backoff.began(); now[0] = 61.0; backoff.failed()
    1.0
    """

    def __init__(
        self, first_s: float, longest_s: float, well_s: float, clock: Callable[[], float]
    ) -> None:
        self._first_s, self._longest_s, self._well_s = first_s, longest_s, well_s
        self._clock = clock
        self._next_s = first_s
        self._began_s: float | None = None
        self._due_s = -1.0
        self.n_failures = 0

    @property
    def due(self) -> bool:
        """Whether it is time to try."""
        return self._clock() >= self._due_s

    def began(self) -> None:
        """Take note that it works."""
        self._began_s = self._clock()

    def failed(self) -> float:
        """Take note that it has failed; return how long to wait (s)."""
        now = self._clock()
        if self._began_s is not None and now - self._began_s >= self._well_s:
            self._next_s = self._first_s
        self._began_s = None
        self.n_failures += 1
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        self._due_s = now + wait_s
        return wait_s
