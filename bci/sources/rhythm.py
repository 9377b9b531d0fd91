"""How often a sender pushes, so that the time between two pushes is not taken for silence."""

from collections import deque

__all__ = ["PushRhythm"]

#: Arrivals that follow each other this closely belong to one push (s).
_TOGETHER_S = 0.02
#: A push lasts no longer: what arrives sample by sample, without end, is many (s).
_LONGEST_S = 0.05
#: Pushes that are looked at.
_N_PUSHES = 5
#: Times a push's length until the next one is overdue.
_OVERDUE = 1.5


class PushRhythm:
    """Learns from what arrives how much signal a sender pushes at once.

    It takes the median of the last five pushes: one is what a sender held back while it hung, and
    on a busy machine one comes in pieces; neither changes what is expected of it. Until three have
    come it takes the shortest, since what was queued before the first is no push.

    Parameters
    ----------
    rate_hz : float
        Nominal, above 0.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._pushes: deque[int] = deque(maxlen=_N_PUSHES)
        self._began_s = self._last_s = float("-inf")

    def arrived(self, n_samples: int, now_s: float) -> None:
        """Take note of samples."""
        # A replay has no clock: its times are no numbers, and nothing is later than another.
        late = now_s - self._last_s > _TOGETHER_S or now_s - self._began_s > _LONGEST_S
        if late or not self._pushes:
            self._pushes.append(0)
            self._began_s = now_s
        self._last_s = now_s
        self._pushes[-1] += n_samples

    def patience_s(self, silent_s: float) -> float:
        """Return for how long nothing may come (s); never below `silent_s`, or two samples."""
        sizes = sorted(self._pushes)
        size = (sizes[0] if len(sizes) < 3 else sizes[len(sizes) // 2]) if sizes else 0
        return max(silent_s, 2.0 / self._rate_hz, _OVERDUE * size / self._rate_hz)
