"""When the daemon must not tell its service manager that it is alive.

It is alive unless *it* has stalled:

- the recorder's process has not answered for `STALLED_S`, or
- the recorder receives the EEG stream (newest sample younger than a second) while the acquisition
  in the daemon has had no sample for `STALLED_S`.

Then the pings stop; the manager ends the daemon and starts it anew, which takes the recorder over.
An amplifier that is off is no stall: then neither has samples, and a restart would bring none. That
is said in the status, in the log and by the recorder instead.
"""

from bci.recording.status import RecorderStatus, StreamState

__all__ = ["STALLED_S", "stalled"]

STALLED_S = 5.0
_FRESH_S = 1.0


def stalled(
    unanswered_s: float,
    recorded: RecorderStatus | None,
    source_id: str | None,
    age_s: float | None,
) -> str | None:
    """Say what has stalled, or None.

    Parameters
    ----------
    unanswered_s : float
        How long the recorder has not answered (s).
    recorded : RecorderStatus or None
        Its newest answer; None while nothing is recorded.
    source_id : str or None
        Of the stream that is acquired; None while there is none.
    age_s : float or None
        Since the acquisition's newest sample (s).
    """
    if unanswered_s > STALLED_S:
        return f"the recorder has not answered for {unanswered_s:.0f} s"
    if recorded is None or source_id is None or age_s is None or age_s <= STALLED_S:
        return None
    received = any(
        stream.source_id == source_id
        and stream.state is StreamState.RECEIVING
        and stream.age_s is not None
        and stream.age_s < _FRESH_S
        for stream in recorded.streams
    )
    return (
        f"the acquisition has had no sample for {age_s:.0f} s, the recorder has"
        if received
        else None
    )
