"""The LSL clock of this machine: the one clock on which samples, markers and decisions meet."""

import ctypes
from dataclasses import dataclass

import pylsl

from bci.errors import StreamError

__all__ = ["ClockReading", "lsl_clock", "read_clock"]


def lsl_clock() -> float:
    """Return the LSL clock (s): monotonic, its zero is arbitrary."""
    return float(pylsl.local_clock())


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How a sender's LSL clock stands to this machine's.

    Attributes
    ----------
    offset_s : float
        What to add to the sender's stamps.
    round_trip_s : float
        Of the best probe; the offset is wrong by at most half of it.
    """

    offset_s: float
    round_trip_s: float


def read_clock(inlet: pylsl.StreamInlet, timeout_s: float) -> ClockReading:
    """Measure a sender's clock: 0.6 s the first time, at once later.

    Raises
    ------
    StreamError
        When the sender does not answer.
    """
    probe = pylsl.lib.lib.lsl_time_correction_ex
    probe.restype = ctypes.c_double
    remote, uncertainty, error = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    offset_s = probe(
        inlet.obj,
        ctypes.byref(remote),
        ctypes.byref(uncertainty),
        ctypes.c_double(timeout_s),
        ctypes.byref(error),
    )
    if error.value:
        raise StreamError(
            f"the clock of an LSL stream could not be read ({_reason(error.value)}): is its "
            "program still running, and does a firewall let its UDP port through?"
        )
    return ClockReading(float(offset_s), float(uncertainty.value))


def _reason(code: int) -> str:
    return {-1: "no answer in time", -2: "it has closed"}.get(code, f"liblsl's error {code}")
