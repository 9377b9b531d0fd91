"""The machine: compiled kernels, folders, disk, memory, threads, clocks."""

import os
import platform
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numba
import numpy as np
import platformdirs
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from bci.checks import Check, failed, ok, warning
from bci.compiled import cache_folders
from bci.decoders.warmup import compile_kernels, is_compiled
from bci.private import private_folder

__all__ = ["clock", "disk", "folders", "kernels", "memory", "sleep", "threads"]

_GB = 1e9
#: 64 channels of float32 at 1 kHz for two hours, and what fails at once.
_DISK_LITTLE, _DISK_NONE = 2.0 * _GB, 0.2 * _GB
#: Training holds a few hundred matrices of some hundred rows, twice; a bare import takes 0.3 GB.
_MEMORY_LITTLE = 1.0 * _GB
#: An 88 x 88 decomposition takes 0.5 ms on a core of 2023. A decision at n = 88 has one.
_SLOW_MS = 5.0
_SLEPT_LATE_MS = 5.0


def kernels(name: str) -> Check:
    """Compile the kernels, if that was not done yet, and check that they are kept."""
    if not is_compiled():
        compile_kernels()
    where = cache_folders()
    if where is None or not is_compiled():
        return warning(
            name,
            "there is no folder to keep them in: every start compiles them again",
            "set NUMBA_CACHE_DIR to a folder that you may write",
        )
    return ok(name, f"kept in {_short(os.path.commonpath(where))}")


def folders(name: str) -> Check:
    """Check that logs, temporary files and recordings can be written."""
    here = {
        "logs": Path(platformdirs.user_log_dir("rolandic", appauthor=False)),
        "temporary files": Path(tempfile.gettempdir()),
        "this folder": Path.cwd(),
    }
    problems = [
        f"{what} ({folder}): {reason}"
        for what, folder in here.items()
        if (reason := _refusal(folder))
    ]
    if problems:
        return failed(
            name, f"cannot be written: {'; '.join(problems)}", "mend the rights, or work elsewhere"
        )
    return ok(name, f"logs in {_short(str(here['logs']))}; files go where you start Rolandic")


def _refusal(folder: Path) -> str:
    """Return why nothing can be written in a folder; empty when it can."""
    try:
        private_folder(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def disk(name: str) -> Check:
    """Check that there is room for a session where the command was started."""
    free = shutil.disk_usage(Path.cwd()).free
    detail = (
        f"{free / _GB:.0f} GB free here" if free > 10 * _GB else f"{free / _GB:.1f} GB free here"
    )
    advice = "free some: an hour of 64 channels at 1 kHz takes 0.9 GB"
    if free < _DISK_NONE:
        return failed(name, detail, advice)
    return warning(name, detail, advice) if free < _DISK_LITTLE else ok(name, detail)


def memory(name: str) -> Check:
    """Check that there is memory left for training."""
    free, total = _memory()
    if free is None or total is None:
        return ok(name, "unknown on this system")
    detail = f"{free / _GB:.1f} of {total / _GB:.1f} GB available"
    if free < _MEMORY_LITTLE:
        return warning(name, detail, "close other programs before training")
    return ok(name, detail)


def _memory() -> tuple[float | None, float | None]:
    """Return the memory that is available, and all there is (bytes; None: cannot be known)."""
    if platform.system() == "Windows":
        return _windows_memory()
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total = float(page * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return None, None
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024.0 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        free = total  # macOS gives pages away so freely that none of its figures means "left"
    return free, total


def _windows_memory() -> tuple[float | None, float | None]:
    import ctypes

    class Status(ctypes.Structure):  # MEMORYSTATUSEX of the Windows API
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((field, ctypes.c_ulonglong) for field in ("total", "free", "b", "c", "d", "e", "f")),
        )

    status = Status(length=ctypes.sizeof(Status))
    windll = getattr(ctypes, "windll", None)
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return float(status.free), float(status.total)


def threads(name: str) -> Check:
    """Check that BLAS keeps to one thread when told to, and how fast it then is."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    matrix = np.cov(np.random.default_rng(0).standard_normal((88, 750)))
    took_ms = []
    with threadpool_limits(1):
        limited = [x for x in threadpool_info() if x["user_api"] == "blas"]
        for _ in range(15):
            began = time.perf_counter()
            scipy.linalg.eigh(matrix)
            took_ms.append(1e3 * (time.perf_counter() - began))
    blas = ", ".join(sorted({f"{x['internal_api']} {x['version']}" for x in limited}))
    detail = (
        f"{cores} cores; {blas or 'a BLAS that threadpoolctl does not know'}; an 88 x 88 "
        f"decomposition takes {median(took_ms):.1f} ms on one thread; Numba has "
        f"{numba.config.NUMBA_NUM_THREADS} threads ({numba.config.THREADING_LAYER} layer)"
    )
    if not limited or any(x["num_threads"] != 1 for x in limited):
        return warning(
            name,
            f"{detail}; BLAS does not keep to one thread, which makes decisions three times slower",
            "set OPENBLAS_NUM_THREADS=1 (MKL_NUM_THREADS=1, VECLIB_MAXIMUM_THREADS=1) before you "
            "start Rolandic",
        )
    if median(took_ms) > _SLOW_MS:
        return warning(name, detail, "end other programs that compute; use fewer channels")
    return ok(name, detail)


def clock(name: str) -> Check:
    """Check that the clocks are fine enough, and run alike."""
    from bci.sources.clock import lsl_clock

    resolution_us = 1e6 * time.get_clock_info("monotonic").resolution
    counted, lsl, since = time.perf_counter(), lsl_clock(), time.monotonic()
    while (passed := time.monotonic() - since) < 0.5:
        time.sleep(0.05)
    counted, lsl = time.perf_counter() - counted, lsl_clock() - lsl
    drift_us = 1e6 * max(abs(lsl - passed), abs(counted - passed))
    detail = (
        f"resolution {resolution_us:.3g} us; LSL's and the system's differ by {drift_us:.0f} us "
        "over 0.5 s"
    )
    # Windows counts this clock in steps of 15.6 ms; stamps are LSL's, which are finer.
    if drift_us > 1000 + 2 * resolution_us:
        return failed(name, detail, "this is a fault of the system: try without virtualisation")
    return ok(name, detail)


def sleep(name: str) -> Check:
    """Check how late the system wakes a thread that waits."""
    late_ms = []
    for _ in range(150):
        began = time.perf_counter()
        time.sleep(0.002)
        late_ms.append(1e3 * (time.perf_counter() - began) - 2.0)
    worst = float(np.quantile(late_ms, 0.99))
    detail = f"a thread wakes {median(late_ms):.2f} ms late, 1 % of the time over {worst:.1f} ms"
    if worst > _SLEPT_LATE_MS:
        return warning(
            name,
            f"{detail}: decisions will be as late",
            "end other programs that compute, and choose the energy profile for performance",
        )
    return ok(name, detail)


def _short(path: str) -> str:
    """Return a path with the home folder as ``~``."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path
