"""The line through a sender's clock offsets: noise, drift, outliers, steps."""

import numpy as np
import pytest

from bci.sources.clock import ClockReading
from bci.sources.offsets import OffsetLine


def measured(line, times_s, offset, *, trip_s=0.001, seed=0):
    """Feed measurements with errors of up to half a round trip; return the line's errors."""
    rng = np.random.default_rng(seed)
    errors = []
    for time_s in times_s:
        wrong_s = rng.uniform(-0.5, 0.5) * trip_s
        line.take(time_s, ClockReading(offset(time_s) + wrong_s, trip_s))
        errors.append(line.at(time_s + 1.0) - offset(time_s + 1.0))
    return np.array(errors)


def test_nothing_is_known_before_a_measurement():
    """Without one the offset is 0; with one it is that."""
    line = OffsetLine()
    assert line.at(100.0) == 0.0
    line.take(100.0, ClockReading(-3.25, 0.001))
    assert line.at(100.0) == -3.25


@pytest.mark.parametrize("drift", [-500e-6, 0.0, 20e-6, 500e-6])
def test_drift_is_learned_and_extrapolated(drift):
    """After a minute the offset is known a second ahead, to a tenth of the measurements' error."""
    line = OffsetLine()
    errors = measured(line, np.arange(0.0, 300.0, 2.0), lambda t: 7.0 + drift * t)
    assert line.drift == pytest.approx(drift, abs=5e-6)
    assert np.abs(errors[30:]).max() < 2e-4
    assert line.n_steps == 0


def test_noise_of_slow_round_trips_is_averaged():
    """Measurements that err by up to 10 ms leave an offset that errs by less than 3."""
    line = OffsetLine()
    errors = measured(line, np.arange(0.0, 600.0, 2.0), lambda t: 7.0, trip_s=0.02)
    assert np.abs(errors[30:]).max() < 0.003
    assert line.n_steps == 0


def test_one_measurement_that_cannot_be_is_not_taken():
    """An offset that lies further off than its round trip allows changes nothing, alone."""
    line = OffsetLine()
    measured(line, np.arange(0.0, 60.0, 2.0), lambda t: 7.0)
    before = line.at(62.0)
    line.take(62.0, ClockReading(7.5, 0.001))
    assert line.at(62.0) == before
    measured(line, np.arange(64.0, 80.0, 2.0), lambda t: 7.0)
    assert line.n_steps == 0


@pytest.mark.parametrize("step_s", [-80000.0, -0.02, 0.02, 80000.0])
def test_two_that_agree_are_a_step(step_s):
    """A clock that was set is followed at the second measurement; its drift stays known."""
    line = OffsetLine()
    measured(line, np.arange(0.0, 60.0, 2.0), lambda t: 7.0 + 100e-6 * t)
    errors = measured(line, np.arange(60.0, 64.0, 2.0), lambda t: 7.0 + step_s + 100e-6 * t)
    assert abs(errors[0]) > 0.01
    assert abs(errors[1]) < 0.001
    assert line.n_steps == 1


def test_the_same_measurement_again_teaches_nothing():
    """As liblsl returns its last measurement until it has a newer one."""
    line = OffsetLine()
    reading = ClockReading(7.0, 0.001)
    assert line.take(0.0, reading)
    assert not line.take(1.0, reading)
