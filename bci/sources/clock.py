"""The LSL clock of this machine: the one clock on which samples, markers and decisions meet."""

import pylsl

__all__ = ["lsl_clock"]


def lsl_clock() -> float:
    """Return the LSL clock (s): monotonic, its zero is arbitrary."""
    return float(pylsl.local_clock())
