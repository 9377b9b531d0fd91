"""When the daemon must not tell its service manager that it is alive.

It is alive unless *it* has stalled:

- the recorder's process has not answered for `STALLED_S`, or
- for `STALLED_S` the recorder has received the EEG stream (newest sample younger than a second)
  while the acquisition in the daemon had none of it.

Then the pings stop; the manager ends the daemon and starts it anew, which takes the recorder over.
An amplifier that is off is no stall: then neither has samples, and a restart would bring none. That
is said in the status, in the log and by the recorder instead.
"""

from collections.abc import Callable

from bci.recording.status import RecorderStatus, StreamState

__all__ = ["STALLED_S", "StallWatch"]

STALLED_S = 5.0
_FRESH_S = 1.0


class StallWatch:
    """Looks again and again, from one thread; any may read `reason`.

    Parameters
    ----------
    clock : callable
        Monotonic (s).

    Attributes
    ----------
    reason : str or None
        What has stalled; None: nothing has.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._behind_since_s: float | None = None
        self.reason: str | None = None

    def look(
        self,
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
        now_s = self._clock()
        if not _behind(recorded, source_id, age_s):
            self._behind_since_s = None
        elif self._behind_since_s is None:
            # While the amplifier was off, neither had samples: that time does not count.
            self._behind_since_s = now_s
        self.reason = None
        if unanswered_s > STALLED_S:
            self.reason = f"the recorder has not answered for {unanswered_s:.0f} s"
        elif self._behind_since_s is not None and now_s - self._behind_since_s > STALLED_S:
            self.reason = (
                f"the acquisition has had no sample for {now_s - self._behind_since_s:.0f} s in "
                "which the recorder had some"
            )
        return self.reason


def _behind(recorded: RecorderStatus | None, source_id: str | None, age_s: float | None) -> bool:
    """Whether the recorder has samples now that the acquisition has not."""
    if recorded is None or source_id is None or age_s is None or age_s < _FRESH_S:
        return False
    return any(
        stream.source_id == source_id
        and stream.state is StreamState.RECEIVING
        and stream.age_s is not None
        and stream.age_s < _FRESH_S
        for stream in recorded.streams
    )
