"""The ramp of the clock offset: times stay in order, and come to where the offset is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.acquisition.align import OffsetRamp

RATE_HZ = 500.0


@given(
    chunks=st.lists(st.tuples(st.integers(1, 64), st.floats(-0.02, 0.02)), min_size=1, max_size=40),
)
def test_times_grow_whatever_the_offset_does(chunks):
    """Corrections of up to 20 ms never put a sample before an earlier one."""
    ramp, first, out = OffsetRamp(RATE_HZ), 0, []
    for n_samples, offset_s in chunks:
        # As unevenly as the stream clock ever lets them be.
        times = (first + np.arange(n_samples)) * 0.5 / RATE_HZ
        assert ramp.apply(times, 100.0 + offset_s, anew=False) == 0.0
        out.append(times)
        first += n_samples
    assert (np.diff(np.concatenate(out)) > 0).all()


def test_a_small_change_is_complete_at_the_end_of_a_chunk():
    """A correction that the chunk has room for is on its last sample."""
    ramp = OffsetRamp(RATE_HZ)
    times = np.zeros(10)
    ramp.apply(times, 100.0, anew=False)
    np.testing.assert_array_equal(times, 100.0)
    times = np.zeros(10)
    ramp.apply(times, 100.002, anew=False)
    np.testing.assert_allclose(times, 100.0 + 0.0002 * np.arange(1, 11))
    times = np.zeros(10)
    ramp.apply(times, 100.002, anew=False)
    np.testing.assert_allclose(times, 100.002)


@pytest.mark.parametrize("leap_s", [-5000.0, 0.06])
def test_a_leap_is_applied_at_once_and_said(leap_s):
    """What is no correction is a clock that was set."""
    ramp = OffsetRamp(RATE_HZ)
    assert ramp.apply(np.zeros(4), 100.0, anew=False) == 0.0
    times = np.zeros(4)
    assert ramp.apply(times, 100.0 + leap_s, anew=False) == pytest.approx(leap_s)
    np.testing.assert_allclose(times, 100.0 + leap_s)


def test_a_new_connection_needs_no_ramp():
    """A small difference between two connections is said as well: it belongs to their gap."""
    ramp = OffsetRamp(RATE_HZ)
    ramp.apply(np.zeros(4), 100.0, anew=False)
    times = np.zeros(4)
    assert ramp.apply(times, 100.01, anew=True) == pytest.approx(0.01)
    np.testing.assert_allclose(times, 100.01)
