"""What a process that decides in real time needs of its interpreter."""

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["realtime_interpreter"]

# A thread that waits for the GIL gets it after this long; at CPython's 5 ms a decoder beside a
# busy thread woke 5.2 ms late, at 0.5 ms 0.65 ms late.
_SWITCH_INTERVAL_S = 0.0005

_lock = threading.Lock()
_entered: list[float] = []


@contextmanager
def realtime_interpreter(*, collect: bool = True) -> Iterator[None]:
    """Keep garbage collection and busy threads from delaying decisions.

    A full collection over all that MNE, scikit-learn and Numba keep alive stopped every thread
    for 180 ms in the middle of a run. What exists now is put aside, so that a collection looks
    only at what the run itself makes. It stays so until the last of those who entered leaves.

    Parameters
    ----------
    collect : bool
        Whether the first who enters collects garbage; where that would stop a window, what there
        is of it is put aside, too.
    """
    with _lock:
        if collect and not _entered:
            gc.collect()
        _entered.append(sys.getswitchinterval())
        gc.freeze()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        with _lock:
            interval_s = _entered[0]
            _entered.pop()
            if not _entered:
                sys.setswitchinterval(interval_s)
                gc.unfreeze()
