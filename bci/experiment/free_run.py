"""A run without cues: the decoder decides until somebody stops it, or its time is over."""

import math
import threading

from bci.paradigm import RunClock
from bci.sources.markers import MarkerOutlet

__all__ = ["REST_BEGAN", "REST_ENDED", "free_run"]

#: Markers by which a clinician says that the person rests: commands then are false alarms.
REST_BEGAN, REST_ENDED = "rest_began", "rest_ended"

# How far ahead a run without an end waits at a time (s).
_AHEAD_S = 3600.0


def free_run(
    outlet: MarkerOutlet,
    clock: RunClock,
    cancelled: threading.Event,
    *,
    minutes: float | None = None,
) -> bool:
    """Let a free run go on.

    Parameters
    ----------
    outlet : MarkerOutlet
        Gets ``run_start`` and ``run_end``.
    clock : RunClock
    cancelled : threading.Event
        Ends the run; where it has no length of its own, that is its proper end.
    minutes : float, optional
        How long it is to be; None: until it is stopped.

    Returns
    -------
    bool
        Whether the run came to its end.
    """
    start_s = clock.now()
    outlet.push("run_start", clock.stamp(start_s))
    end_s = math.inf if minutes is None else start_s + 60 * minutes
    while clock.now() < end_s:
        if not clock.wait_until(min(end_s, clock.now() + _AHEAD_S), cancelled):
            break
    outlet.push("run_end", clock.stamp(min(end_s, clock.now())))
    return minutes is None or not cancelled.is_set()
