"""The stream clock against streams whose truth is known, and against real stamps."""

from itertools import pairwise

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.acquisition.clock import Gap, StreamClock
from bci.acquisition.timelines import Timeline, timeline
from bci.errors import SettingsError

RATES = (125.0, 160.0, 250.0, 500.0, 1000.0, 2000.0)


def sent(rate_hz, duration_s, *, deviation=0.0, jitter_s=0.0, lost=(), seed=0):
    """Return stamps and true times; `lost` holds (sample, samples that are missing there)."""
    k = np.arange(round(duration_s * rate_hz))
    truth = 5000.0 + k * (1 + deviation) / rate_hz
    stamps = truth + np.random.default_rng(seed).uniform(0, jitter_s, len(k))
    kept = np.ones(len(k), dtype=bool)
    for at, n in lost:
        kept[at : at + n] = False
    return stamps[kept], truth[kept]


def run_in_chunks(stamps, rate_hz, edges):
    """Return times, segments and gaps from a clock that is fed chunk by chunk."""
    clock = StreamClock(rate_hz)
    times, segments, gaps = np.empty(len(stamps)), np.empty(len(stamps), dtype=np.int64), ()
    for first, stop in pairwise([0, *sorted(edges), len(stamps)]):
        gaps += clock.update(stamps[first:stop], times[first:stop], segments[first:stop])
    return times, segments, gaps


def bursty(n_packets, seed):
    """Return stamps as a radio link makes them: packets of 5, bursts, stalls and losses."""
    rng = np.random.default_rng(seed)
    delay = np.repeat(rng.gamma(1.0, 0.05, n_packets), 5)
    stamps = np.arange(5 * n_packets) / 125 + delay
    stamps[3 * n_packets :] += 1.7
    stamps[4 * n_packets :] -= 40.0
    stamps[rng.integers(0, len(stamps), 3)] = np.nan
    return stamps


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("jitter_periods", [0.0, 0.1])
def test_one_lost_sample_is_declared_at_once(rate_hz, jitter_periods):
    """On exact stamps a single lost sample is a gap on the first sample after it."""
    at = round(4 * rate_hz)
    stamps, _ = sent(rate_hz, 8, jitter_s=jitter_periods / rate_hz, lost=[(at, 1)])
    line = timeline(stamps, rate_hz)
    (gap,) = line.gaps
    assert gap.declared_at == gap.began_at == at
    assert gap.lost_s * rate_hz == pytest.approx(1.0, abs=0.02 + jitter_periods)
    assert np.array_equal(line.segments, np.arange(len(stamps)) >= at)


@pytest.mark.parametrize("rate_hz", RATES)
def test_exact_stamps_come_out_as_they_are(rate_hz):
    """Stamps without jitter at the nominal rate pass to a microsecond, in one segment."""
    stamps, _ = sent(rate_hz, 10)
    line = timeline(stamps, rate_hz)
    assert not line.gaps
    np.testing.assert_allclose(line.times, stamps, atol=1e-6)


@pytest.mark.parametrize(("rate_hz", "n_lost"), [(125.0, 1), (125.0, 5), (250.0, 3), (1000.0, 10)])
def test_losses_in_jittered_streams_are_found_within_two_seconds(rate_hz, n_lost):
    """Under 20 ms of uniform jitter a loss of 8 ms or more is found, with its place and size."""
    at = round(60 * rate_hz)
    stamps, _ = sent(rate_hz, 90, jitter_s=0.02, lost=[(at, n_lost)], seed=3)
    (gap,) = timeline(stamps, rate_hz).gaps
    assert at <= gap.declared_at <= at + 2 * rate_hz
    assert abs(gap.began_at - at) <= 0.15 * rate_hz
    assert gap.lost_s == pytest.approx(n_lost / rate_hz, abs=0.003)


@pytest.mark.parametrize("jitter_s", [0.005, 0.02])
def test_a_stall_that_catches_up_is_no_gap(jitter_s):
    """Samples that are held for 0.4 s and then come all at once were not lost."""
    rate_hz = 250.0
    stamps, truth = sent(rate_hz, 60, jitter_s=jitter_s)
    for start in (20.0, 35.0, 35.9):
        held = (truth >= 5000 + start) & (truth < 5000 + start + 0.4)
        stamps[held] = 5000 + start + 0.4 + np.arange(held.sum()) * 1e-5
    line = timeline(stamps, rate_hz)
    assert not line.gaps
    assert np.abs(line.times - truth)[1000:].max() < 0.004


@pytest.mark.parametrize("rate_hz", [125.0, 1000.0])
@pytest.mark.parametrize("deviation", [-5e-4, 5e-4])
@pytest.mark.parametrize("jitter_s", [0.0, 0.0005])
def test_ten_minutes_of_drift_are_no_gap(rate_hz, deviation, jitter_s):
    """A sender's quartz that is 500 ppm off is followed to within one sample, without gaps."""
    stamps, truth = sent(rate_hz, 600, deviation=deviation, jitter_s=jitter_s)
    line = timeline(stamps, rate_hz)
    assert not line.gaps
    assert np.abs(line.times - truth).max() * rate_hz < 1


@pytest.mark.parametrize("rate_hz", [125.0, 1000.0])
@pytest.mark.parametrize("deviation", [-0.03, -0.024, 0.024, 0.03])
@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
def test_a_rate_off_by_three_percent_is_learned(rate_hz, deviation, jitter_s):
    """A sender that is slower or faster than it declares has no gaps, and its rate is learned."""
    stamps, truth = sent(rate_hz, 60, deviation=deviation, jitter_s=jitter_s)
    clock = StreamClock(rate_hz)
    times, segments = np.empty(len(stamps)), np.empty(len(stamps), dtype=np.int64)
    assert not clock.update(stamps, times, segments)
    assert clock.period_s * rate_hz - 1 == pytest.approx(deviation, abs=1e-3)
    assert np.abs(times - truth)[-1000:].max() < 0.002


@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
@pytest.mark.parametrize("step_s", [-600000.0, -1.0, 30.0])
def test_a_step_of_the_clock_is_a_gap_at_once(jitter_s, step_s):
    """A restarted sender steps back or far ahead: declared on the sample, times start anew."""
    stamps, _ = sent(250.0, 30, jitter_s=jitter_s)
    stamps[5000:] += step_s
    line = timeline(stamps, 250.0)
    (gap,) = line.gaps
    assert gap.declared_at == gap.began_at == 5000
    assert gap.lost_s == pytest.approx(step_s, abs=0.021)
    np.testing.assert_allclose(line.times[5300:], stamps[5300:] - jitter_s / 2, atol=0.011)


def test_a_jump_that_is_taken_back_was_jitter():
    """One late stamp in an exact stream makes it a jittered one: the next is no gap any more."""
    stamps, _ = sent(250.0, 20)
    stamps[[1000, 1500, 2000, 2500]] += 0.006
    gaps = timeline(stamps, 250.0).gaps
    assert [gap.declared_at for gap in gaps] == [1000, 1001]
    assert sum(gap.lost_s for gap in gaps) == pytest.approx(0, abs=1e-4)


def test_stamps_of_whole_chunks_are_spread():
    """Chunks that carry one stamp, their newest sample's, come out evenly spaced."""
    truth = np.arange(250 * 40) / 250
    stamps = np.repeat(truth[24::25], 25)
    line = timeline(stamps, 250.0)
    assert not line.gaps
    assert np.abs(line.times - truth)[2500:].max() < 0.002
    np.testing.assert_allclose(np.diff(line.times[2500:]), 1 / 250, rtol=0.5)


def test_losses_too_small_to_see_add_up_to_a_gap():
    """Under bursts of 0.1 s, losses of 16 ms are declared once they sum to a quarter second."""
    rng = np.random.default_rng(8)
    delay = np.repeat(rng.uniform(0, 0.1, 6000), 5)
    lost_s = np.repeat(0.016 * np.clip((np.arange(6000) - 3000) // 60, 0, 40), 5)
    truth = np.arange(30000) / 125 + lost_s
    gaps = timeline(truth + delay, 125.0).gaps
    assert gaps
    assert all(15000 <= gap.declared_at for gap in gaps)
    assert 0.25 <= sum(gap.lost_s for gap in gaps) <= 0.64 + 0.1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    edges=st.lists(st.integers(0, 5 * 1200), max_size=30),
)
def test_cutting_anywhere_changes_nothing(seed, edges):
    """Times, segments and gaps are the same to the last bit however the stream is cut."""
    stamps = bursty(1200, seed)
    times, segments, gaps = run_in_chunks(stamps, 125.0, [])
    cut_times, cut_segments, cut_gaps = run_in_chunks(stamps, 125.0, edges)
    assert len(gaps) >= 2
    assert times.tobytes() == cut_times.tobytes()
    assert segments.tobytes() == cut_segments.tobytes()
    assert gaps == cut_gaps


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), now=st.integers(1, 5 * 1200))
def test_nothing_depends_on_later_stamps(seed, now):
    """What the clock says of a sample is what it said when that sample was the newest."""
    stamps = bursty(1200, seed)
    whole = timeline(stamps, 125.0)
    part = timeline(stamps[:now], 125.0)
    assert part.times.tobytes() == whole.times[:now].tobytes()
    assert part.gaps == tuple(gap for gap in whole.gaps if gap.declared_at < now)


@settings(max_examples=100, deadline=None)
@given(
    stamps=hnp.arrays(
        np.float64,
        st.integers(0, 400),
        elements=st.one_of(
            st.floats(allow_nan=True, allow_infinity=True, width=64),
            st.floats(0, 10),
            st.just(3.0),
        ),
    ),
    rate_hz=st.sampled_from([1.0, 125.0, 2000.0]),
)
def test_any_stamps_at_all_are_survived(stamps, rate_hz):
    """NaN, infinite, equal and wild stamps give ordered times and consistent segments."""
    with np.errstate(all="ignore"):
        line = timeline(stamps, rate_hz)
    finite = np.isfinite(stamps)
    first = int(finite.argmax()) if finite.any() else len(stamps)
    assert np.isnan(line.times[:first]).all()
    assert np.isfinite(line.times[first:]).all()
    for k in range(first + 1, len(stamps)):
        assert line.segments[k] > line.segments[k - 1] or line.times[k] >= line.times[k - 1]
    assert [gap.declared_at for gap in line.gaps] == list(
        np.flatnonzero(np.diff(line.segments)) + 1
    )
    assert all(0 <= gap.began_at <= gap.declared_at for gap in line.gaps)


def test_many_gaps_in_one_update_are_all_reported():
    """More gaps than the clock's buffer holds come out of one update, in order."""
    stamps, _ = sent(125.0, 100)
    stamps += np.repeat(np.arange(100) * 10.0, 125)
    gaps = timeline(stamps, 125.0).gaps
    assert [gap.declared_at for gap in gaps] == list(range(125, 12500, 125))


def test_stamps_that_are_missing_are_bridged_by_the_period():
    """A stamp that is not finite gets the time between its neighbours, and a loss there counts."""
    stamps, truth = sent(125.0, 20)
    stamps[[0, 1, 500, 501]] = np.nan
    line = timeline(stamps, 125.0)
    assert not line.gaps
    assert np.isnan(line.times[:2]).all()
    np.testing.assert_allclose(line.times[2:], truth[2:], atol=1e-6)
    stamps[502:] += 1 / 125
    (gap,) = timeline(stamps, 125.0).gaps
    assert gap.declared_at == 502


def test_samples_are_numbered_from_the_first_one():
    """A clock that starts in mid-stream reports gaps in the stream's own count."""
    stamps, _ = sent(125.0, 10, lost=[(500, 2)])
    clock = StreamClock(125.0, first_sample=70000)
    times, segments = np.empty(len(stamps)), np.empty(len(stamps), dtype=np.int64)
    (gap,) = clock.update(stamps, times, segments)
    assert (gap.declared_at, gap.began_at) == (70500, 70500)
    assert times[0] == stamps[0]
    assert segments[0] == 0


@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
@pytest.mark.parametrize("lost_s", [0.0, 0.1, -7000.0])
def test_a_new_connection_is_a_gap_at_its_first_stamp(jitter_s, lost_s):
    """After `restart` the next sample begins a segment, however small the step; only once."""
    stamps, _ = sent(250.0, 60, jitter_s=jitter_s)
    stamps[5000:] += lost_s
    clock = StreamClock(250.0)
    times, segments = np.empty(len(stamps)), np.empty(len(stamps), dtype=np.int64)
    assert not clock.update(stamps[:5000], times[:5000], segments[:5000])
    clock.restart()
    (gap,) = clock.update(stamps[5000:], times[5000:], segments[5000:])
    assert (gap.declared_at, gap.began_at) == (5000, 5000)
    assert gap.lost_s == pytest.approx(lost_s, abs=0.021)
    np.testing.assert_array_equal(segments, np.arange(len(stamps)) >= 5000)
    assert clock.period_s == pytest.approx(1 / 250, rel=1e-4)


def test_restarting_before_the_first_stamp_is_no_gap():
    """There is nothing before it that it could be a gap to."""
    stamps, _ = sent(250.0, 4)
    clock = StreamClock(250.0)
    clock.restart()
    assert not clock.update(stamps, np.empty(1000), np.empty(1000, dtype=np.int64))


def test_unusable_arguments_are_refused():
    """No rate, or arrays of different lengths, are errors and change nothing."""
    with pytest.raises(SettingsError, match="0 Hz"):
        StreamClock(0.0)
    clock = StreamClock(125.0)
    with pytest.raises(ValueError, match="3 stamps"):
        clock.update(np.zeros(3), np.empty(2), np.empty(3, dtype=np.int64))


def test_crossing_is_having_samples_on_both_sides():
    """Samples cross a gap from `began_at` - 1 on, and no longer from `declared_at` on."""
    gap = Gap(declared_at=120, began_at=100, lost_s=0.3)
    line = Timeline(np.arange(300) / 125, (np.arange(300) >= 120).astype(np.int64), (gap,))
    assert line.crosses_gap(40, 100) is None
    assert line.crosses_gap(40, 101) is gap
    assert line.crosses_gap(105, 110) is gap
    assert line.crosses_gap(119, 200) is gap
    assert line.crosses_gap(120, 200) is None


def test_the_nearest_sample_is_found_across_steps():
    """A time finds its sample before, in and after a gap, and when the clock stepped back."""
    stamps, _ = sent(100.0, 30, lost=[(1000, 300)])
    line = timeline(stamps, 100.0)
    assert line.sample_at(0.0) == 0
    assert line.sample_at(5005.004) == 500
    assert line.sample_at(5010.0) == 999
    assert line.sample_at(5012.98) == 1000
    assert line.sample_at(1e9) == len(stamps) - 1
    stamps[2000:] -= 4000.0
    back = timeline(stamps, 100.0)
    for sample in (0, 999, 1000, 1999, 2000, len(stamps) - 1):
        assert back.sample_at(stamps[sample]) == sample
    with pytest.raises(ValueError, match="no sample"):
        timeline(np.array([np.nan]), 100.0).sample_at(0.0)


def stamps_of(path):
    """Return the raw stamps of the regular stream in an XDF file, and its nominal rate."""
    import pyxdf

    streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False, synchronize_clocks=False)
    (stream,) = [s for s in streams if float(s["info"]["nominal_srate"][0]) > 0]
    return stream["time_stamps"], float(stream["info"]["nominal_srate"][0])


def missing_s(stamps, rate_hz):
    """Return how much longer a recording lasted than its samples."""
    return stamps[-1] - stamps[0] + 1 / rate_hz - len(stamps) / rate_hz


def test_a_recording_that_lost_a_quarter_says_so(shared_data):
    """P1_002: dozens of gaps, and their sum is the missing quarter."""
    stamps, rate_hz = stamps_of(shared_data / "days_xdf" / "P1_002.xdf")
    gaps = timeline(stamps, rate_hz).gaps
    assert 25 <= len(gaps) <= 60
    assert sum(gap.lost_s for gap in gaps) == pytest.approx(missing_s(stamps, rate_hz), rel=0.12)


def test_bursts_that_catch_up_are_no_gaps(shared_data):
    """P1_003: twenty bursts a ten seconds, stalls of 0.34 s, nothing lost and nothing declared."""
    stamps, rate_hz = stamps_of(shared_data / "days_xdf" / "P1_003.xdf")
    line = timeline(stamps, rate_hz)
    assert not line.gaps
    assert np.diff(line.times).min() > 0
    delay = stamps - line.times
    assert -0.2 < delay.min()
    assert np.median(delay) < 0.2


@pytest.mark.parametrize("number", [5, 6, 7, 8, 9, 10, 11, 12])
def test_bursty_recordings_keep_most_of_their_time(shared_data, number):
    """The other bursty days: few gaps, and what was truly lost is within what they say."""
    stamps, rate_hz = stamps_of(shared_data / "days_xdf" / f"P1_{number:03d}.xdf")
    line = timeline(stamps, rate_hz)
    assert len(line.gaps) <= 10
    assert missing_s(stamps, rate_hz) - 0.45 <= sum(gap.lost_s for gap in line.gaps) <= 4.0


@pytest.mark.parametrize("number", [3, 5, 6, 7, 8, 9, 10, 11, 12])
def test_stalls_that_catch_up_are_given_back(shared_data, number):
    """What false gaps declared comes off again: the net loss is within 0.4 s of the truth."""
    stamps, rate_hz = stamps_of(shared_data / "days_xdf" / f"P1_{number:03d}.xdf")
    clock = StreamClock(rate_hz)
    times, segments = np.empty(len(stamps)), np.empty(len(stamps), dtype=np.int64)
    gaps = clock.update(np.ascontiguousarray(stamps), times, segments)
    net_s = sum(gap.lost_s for gap in gaps) + clock.given_back_s
    assert clock.given_back_s <= 0.0
    assert net_s == pytest.approx(missing_s(stamps, rate_hz), abs=0.4)


def test_a_slow_recording_is_one_that_lost_samples(shared_data):
    """P1_004 ran slow because of losses at its end, not of its clock."""
    stamps, rate_hz = stamps_of(shared_data / "days_xdf" / "P1_004.xdf")
    gaps = timeline(stamps, rate_hz).gaps
    assert sum(gap.lost_s for gap in gaps) == pytest.approx(missing_s(stamps, rate_hz), rel=0.2)
    assert sum(gap.lost_s for gap in gaps if gap.declared_at > 210 * rate_hz) > 3


@pytest.mark.parametrize(("name", "lost_s"), [("P1_003", 0.48), ("P1_006", 0.48), ("P1_010", 0.48)])
def test_half_a_second_taken_out_of_a_bursty_recording_is_found(shared_data, name, lost_s):
    """Samples removed from a real bursty stream are missed by the clock within two seconds."""
    stamps, rate_hz = stamps_of(shared_data / "days_xdf" / f"{name}.xdf")
    for at in range(5000, 25000, 5000):
        cut = np.delete(stamps, np.s_[at : at + round(lost_s * rate_hz)])
        gaps = timeline(cut, rate_hz).gaps
        assert any(at <= gap.declared_at <= at + 2 * rate_hz for gap in gaps)


def test_a_clock_that_was_reset_is_one_step_back(shared_data):
    """clock_resets.xdf: the sender's restart is declared on its sample, with its size."""
    stamps, rate_hz = stamps_of(shared_data / "xdf" / "clock_resets.xdf")
    back = [gap for gap in timeline(stamps, rate_hz).gaps if gap.lost_s < 0]
    assert [(gap.declared_at, gap.began_at) for gap in back] == [(12876, 12876)]
    assert back[0].lost_s == pytest.approx(-653187.9, abs=0.1)
