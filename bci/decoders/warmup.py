"""Compiling every kernel ahead of its first use, once after installing.

What is kept on disk is good for one processor, one Numba, one Python and these sources. A file
beside it says for which it was made, so that a command knows within a millisecond that there is
nothing to do; loading all kernels to see takes half a second.
"""

import hashlib
import logging
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import llvmlite.binding as llvm
import numba
import numpy as np
from numpy.typing import NDArray

from bci.acquisition import timeline
from bci.compiled import KERNELS, cache_folders
from bci.features.burg import burg, pair_coherency
from bci.features.connectivity import connectivity
from bci.features.settings import ConnectivitySettings
from bci.riemann import (
    SlidingCovariance,
    augmented_covariances,
    autocovariances,
    log_whitened,
    reflection_coefficients,
    riemannian_mean,
    siegel_frame,
    siegel_mean,
    siegel_squared_distances,
    squared_distances,
    tangent_vectors,
)
from bci.signal import CausalFilter, design_bandpass
from bci.signal.envelope import warm_up

__all__ = ["compile_kernels", "is_compiled"]

_log = logging.getLogger(__name__)

#: Called with how many steps are done and how many there are.
Progress = Callable[[int, int], None]

_MARK = "rolandic-compiled.txt"


def _windows() -> NDArray[np.float64]:
    return np.random.default_rng(0).standard_normal((4, 2, 48))


def _matrices() -> NDArray[np.float64]:
    return augmented_covariances(_windows(), 2, 2)


def _slide() -> None:
    sliding = SlidingCovariance(2, 48, 8, 2, 2)
    signal = np.random.default_rng(0).standard_normal((2, 48))
    sliding.append(signal[:, -sliding.n_recent :])
    sliding.covariance(signal)


# Each calls kernels through the public functions that everything else calls them through: a kernel
# is compiled for the types of its arguments.
_STEPS: tuple[Callable[[], object], ...] = (
    lambda: timeline(np.arange(32) / 100.0, 100.0),
    lambda: CausalFilter(design_bandpass((8.0, 30.0), 100.0), 2)(np.zeros((4, 2))),
    warm_up,
    _matrices,
    _slide,
    lambda: log_whitened(_matrices(), np.eye(4)),
    lambda: squared_distances(_matrices(), np.eye(4)),
    lambda: tangent_vectors(_matrices(), np.eye(4)),
    lambda: riemannian_mean(_matrices()),
    lambda: reflection_coefficients(autocovariances(_windows(), 2, 2)),
    lambda: siegel_mean(np.zeros((2, 2, 2))),
    lambda: burg(_windows(), 2),
    lambda: connectivity(
        _windows(), 100.0, np.array([10.0]), ConnectivitySettings(measure="wpli", segment_s=0.2)
    ),
    lambda: pair_coherency(_windows(), np.array([[0, 1]]), 2, np.array([10.0]), 100.0),
    lambda: siegel_squared_distances(np.zeros((2, 2, 2)), siegel_frame(np.zeros((2, 2)))),
)


def compile_kernels(progress: Progress | None = None) -> None:
    """Call every kernel once: those that are not on disk are compiled, the others loaded.

    Parameters
    ----------
    progress : callable, optional
        Called before the first step and after each.
    """
    for done, step in enumerate(_STEPS):
        if progress is not None:
            progress(done, len(_STEPS))
        step()
    if progress is not None:
        progress(len(_STEPS), len(_STEPS))
    mark = _mark()
    if mark is not None:
        try:
            mark.write_text(_made_for(), encoding="utf-8")
        except OSError:
            _log.info("%s cannot be written", mark, exc_info=True)


def is_compiled() -> bool:
    """Whether every kernel is on disk, made for this processor, Numba, Python and these sources."""
    mark = _mark()
    try:
        return mark is not None and mark.read_text(encoding="utf-8") == _made_for()
    except (OSError, UnicodeDecodeError):
        return False


def _mark() -> Path | None:
    folders = cache_folders()
    return Path(min(folders)) / _MARK if folders else None


def _made_for() -> str:
    sources = hashlib.sha256()
    for module in sorted({compiled.__module__ for compiled in KERNELS}):
        sources.update(Path(sys.modules[module].__file__ or "").read_bytes())
    features = llvm.get_host_cpu_features().flatten()
    return "\n".join(
        (
            f"python {platform.python_version()}",
            f"numba {numba.__version__}",
            f"{llvm.get_host_cpu_name()} {features}",
            f"sources {sources.hexdigest()}",
        )
    )
