"""A sender's clock against this machine's, from noisy measurements: a line, and its steps.

liblsl measures every two seconds and keeps the best of eight probes. Such a measurement is wrong by
at most half its round trip: microseconds on one machine, milliseconds over radio, and differently
each time. Taken as they come, two faults reach the samples: the noise moves all of them to and fro,
and between measurements a clock that drifts runs away (500 ppm: 1 ms in two seconds). So offset and
drift are estimated together (a Kalman filter of two states), each measurement counting by its round
trip, and the offset is extrapolated to the moment that is asked for.

A measurement that its round trip cannot explain is not taken. When the next one says the same, the
sender's clock has stepped (that machine slept, or restarted): the line begins anew there.
"""

from math import sqrt

from bci.sources.clock import ClockReading

__all__ = ["OffsetLine"]

#: A measurement's standard deviation is at least this (s): two ends read their clocks in turn.
_NOISE_S = 5e-5
#: ... and this share of its round trip, whose half is the most that it can be wrong by.
_NOISE_SHARE = 0.25
_GATE_SIGMAS = 4.0
#: What is known of drift beforehand: 500 ppm is a bad quartz.
_DRIFT = 300e-6
_DRIFT_MOST = 2e-3
#: How fast drift wanders, and offset besides (each a second, squared and summed).
_DRIFT_WANDER, _WANDER_S = 1e-7, 1e-5


class OffsetLine:
    """What to add to a sender's stamps, at any time.

    Attributes
    ----------
    n_steps : int
        How often the sender's clock has stepped.
    drift : float
        By how much the offset grows in a second.
    """

    def __init__(self) -> None:
        self.n_steps = 0
        self.drift = 0.0
        self._at_s: float | None = None
        self._offset_s = 0.0
        self._p11 = self._p12 = 0.0
        self._p22 = _DRIFT**2
        self._last: ClockReading | None = None
        self._doubted: tuple[float, ClockReading] | None = None

    def at(self, time_s: float) -> float:
        """Return the offset at `time_s` on this machine's LSL clock; 0 before any measurement."""
        if self._at_s is None:
            return 0.0
        return self._offset_s + self.drift * (time_s - self._at_s)

    def take(self, time_s: float, reading: ClockReading) -> bool:
        """Take a measurement made at `time_s`; False when it is the last one once more."""
        if reading == self._last:
            return False
        self._last = reading
        noise = (_NOISE_S + _NOISE_SHARE * reading.round_trip_s) ** 2
        if self._at_s is None:
            self._begin(time_s, reading.offset_s, noise)
            return True
        p11, p12, p22 = self._foreseen(time_s - self._at_s)
        error = reading.offset_s - self.at(time_s)
        if abs(error) > 0.5 * reading.round_trip_s + _GATE_SIGMAS * sqrt(p11 + noise):
            self._doubt(time_s, reading, noise)
            return True
        self._doubted = None
        self._offset_s = self.at(time_s)
        gain1, gain2 = p11 / (p11 + noise), p12 / (p11 + noise)
        self._offset_s += gain1 * error
        self.drift = min(max(self.drift + gain2 * error, -_DRIFT_MOST), _DRIFT_MOST)
        self._p11, self._p12 = p11 * (1.0 - gain1), p12 * (1.0 - gain1)
        self._p22 = p22 - gain2 * p12
        self._at_s = time_s
        return True

    def _foreseen(self, dt_s: float) -> tuple[float, float, float]:
        """Return the covariance of offset and drift, `dt_s` later."""
        wander = _DRIFT_WANDER**2 * dt_s
        p11 = self._p11 + 2.0 * dt_s * self._p12 + dt_s * dt_s * self._p22
        p11 += _WANDER_S**2 * dt_s + wander * dt_s * dt_s / 3.0
        return p11, self._p12 + dt_s * self._p22 + wander * dt_s / 2.0, self._p22 + wander

    def _begin(self, time_s: float, offset_s: float, noise: float) -> None:
        self._at_s, self._offset_s = time_s, offset_s
        self._p11, self._p12 = noise, 0.0

    def _doubt(self, time_s: float, reading: ClockReading, noise: float) -> None:
        """Keep a measurement that does not fit; two that agree with each other are a step."""
        doubted, self._doubted = self._doubted, (time_s, reading)
        if doubted is None:
            return
        before_s, before = doubted
        foreseen = before.offset_s + self.drift * (time_s - before_s)
        both = 0.5 * (before.round_trip_s + reading.round_trip_s) + 2 * _GATE_SIGMAS * _NOISE_S
        if abs(reading.offset_s - foreseen) <= both + _DRIFT_MOST * (time_s - before_s):
            self.n_steps += 1
            self._doubted = None
            self._begin(time_s, reading.offset_s, noise)
