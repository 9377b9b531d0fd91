"""Kernels: numeric functions that Numba compiles on first use and keeps on disk.

One spelling for all of them: serial (a parallel launch from two threads aborts the process),
without the GIL, division by zero as NumPy has it. Numba keeps the machine code in
``NUMBA_CACHE_DIR``, else beside the source, else in the user's cache folder. Where none of these
can be written (a read-only install without a home) its decorator raises, and the package could not
be imported: then kernels are compiled anew in every process, which `bci doctor` says.

A kernel calls others of its own file only: Numba's cache does not see a change in another file.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

import numba

__all__ = ["KERNELS", "cache_folders", "kernel"]

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

#: Every kernel that was defined so far.
KERNELS: list[Callable[..., object]] = []


@overload
def kernel(function: Callable[P, R]) -> Callable[P, R]: ...
@overload
def kernel(*, fastmath: set[str]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def kernel(function: Callable[P, R] | None = None, *, fastmath: Any = False) -> Any:
    """Make a kernel of a function (a decorator).

    Parameters
    ----------
    function : callable
    fastmath : set of str, optional
        What LLVM may assume of floating-point arithmetic, as in `numba.njit`.
    """
    if function is None:
        return functools.partial(kernel, fastmath=fastmath)
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        _log.info("%s cannot be kept on disk", function.__qualname__, exc_info=True)
        compiled = numba.njit(**options)(function)
    KERNELS.append(compiled)
    return compiled


def cache_folders() -> set[str] | None:
    """Return where the kernels defined so far are kept; None when one cannot be."""
    folders = {compiled.stats.cache_path for compiled in KERNELS}  # type: ignore[attr-defined]
    return None if None in folders else folders
