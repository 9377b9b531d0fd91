"""A run that a recording presents: its cues are those that were given when it was made."""

import threading
import time

from bci.acquisition import RingBuffer
from bci.errors import StreamLostError
from bci.sources.amplifier import AmplifierProcess

__all__ = ["play_run"]

_LOOK_S = 0.1


def play_run(
    amplifier: AmplifierProcess,
    index: int,
    ring: RingBuffer,
    cancelled: threading.Event,
    *,
    speed: float = 1.0,
    backdate_s: float = 0.0,
) -> bool:
    """Let an amplifier play a recording to its end, and wait until all of it has arrived.

    Parameters
    ----------
    amplifier : AmplifierProcess
    index : int
        Of the recording.
    ring : RingBuffer
        Of the stream that the amplifier sends.
    cancelled : threading.Event
        Ends the run early.
    speed : float
        Times real time.
    backdate_s : float
        How far before the present the stamps start: at a higher speed they run ahead of the
        clock, and a later run in real time must not begin in the future.

    Returns
    -------
    bool
        Whether the recording came to its end.

    Raises
    ------
    StreamLostError
        When samples that were sent did not arrive.
    """
    before = ring.n_written
    amplifier.play(index, speed, backdate_s)
    while True:
        try:
            report = amplifier.wait_played(_LOOK_S)
        except TimeoutError:
            if cancelled.is_set():
                amplifier.pause()
                return False
            if ring.closed:
                raise StreamLostError("the stream stopped in the middle of the run") from None
            continue
        break
    if not ring.wait_for(before + report.n_samples, 5.0):
        missing = before + report.n_samples - ring.n_written
        raise StreamLostError(f"{missing} of {report.n_samples} samples have not arrived")
    # The recording's last markers come by another connection and may still be on their way.
    time.sleep(_LOOK_S)
    return True
