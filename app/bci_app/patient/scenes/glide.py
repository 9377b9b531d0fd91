"""Smooth motion from decisions that come ten times a second: a critically damped spring.

What is shown follows the newest evidence and nothing else: it never swings beyond it, and never
goes on by itself. After a step of evidence it has gone half the way in `HALF_S`.
"""

import math

__all__ = ["HALF_S", "Glide"]

#: From a step of the evidence to half the way (s): the motion from one decision runs into that of
#: the next (100 ms later), and nobody sees steps.
HALF_S = 0.08

# A critically damped spring at rest has gone half the way when w t = 1.678.
_HALF_WAY = 1.6783469900166605
# What was not painted for so long (s) is shown where it is, not on its way there.
_AWAY_S = 0.5


class Glide:
    """One number on its way to a target.

    Parameters
    ----------
    at : float
        Where it begins.
    half_s : float
        As `HALF_S`.

    Examples
    --------
    >>> glide = Glide(0.0)
    >>> shown = [glide.step(1.0, now_s) for now_s in (0.0, 0.08, 0.16, 0.4)]
    >>> [round(value, 2) for value in shown]
    [0.0, 0.5, 0.85, 1.0]
    """

    def __init__(self, at: float = 0.0, half_s: float = HALF_S) -> None:
        self.at = at
        self._rate = _HALF_WAY / half_s
        self._speed = 0.0
        self._now_s: float | None = None

    def jump(self, at: float) -> None:
        """Be somewhere, at rest."""
        self.at, self._speed = at, 0.0

    def step(self, target: float, now_s: float) -> float:
        """Return where it is now.

        Parameters
        ----------
        target : float
            The newest evidence.
        now_s : float
            Of the frame (s); exact for any time between frames.
        """
        since_s = 0.0 if self._now_s is None else max(0.0, now_s - self._now_s)
        self._now_s = now_s
        if since_s > _AWAY_S:
            self.jump(target)
        away = self.at - target
        carried = (self._speed + self._rate * away) * since_s
        fade = math.exp(-self._rate * since_s)
        at = target + (away + carried) * fade
        self._speed = (self._speed - self._rate * carried) * fade
        # The speed from before may carry it through a target that has turned round.
        if (at - target) * away < 0:
            at, self._speed = target, 0.0
        self.at = at
        return at
