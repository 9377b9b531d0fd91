"""What is measured, judged: each limit, and what is said of a machine that is busy."""

import json
from dataclasses import replace

import pytest

from bci.certification import Measured, judge
from bci.online.latency import LatencyReport, Lengths, Spread


def spread(median, p99=None, sd=0.5, n=1000):
    """Return a distribution (ms)."""
    return Spread(median, p99 or 2 * median, 4 * median, median, sd, n)


GOOD = Measured(
    stream="BrainAmp",
    hostname="lab",
    rate_hz=500.0,
    effective_hz=500.01,
    n_channels=32,
    seconds=300.0,
    model="acm-lr on 22 channels",
    latency=LatencyReport(
        {"acquisition": spread(3.0), "processing": spread(1.0)},
        Lengths(16.0, 100.0, 2000.0),
        n_decisions=3000,
        n_issued=3000,
    ),
    amplifier_s=0.002,
    clock_offset_s=0.0001,
    floor=spread(0.1),
    n_received=150_000,
    n_recorded=150_100,
    n_missing=0,
    n_gaps=0,
    lost_s=0.0,
)


def with_latency(**changes):
    """Return what was measured, with another account."""
    return replace(GOOD, latency=replace(GOOD.latency, **changes))


def stages(**changes):
    """Return what was measured, with other stages."""
    return with_latency(stages=GOOD.latency.stages | changes)


def failures(measured):
    """Return the names of the failed checks."""
    certificate = judge(measured)
    checks = (*certificate.bci2000, *certificate.ours)
    assert certificate.passed == (not any(c.status == "failed" for c in checks))
    return [c.name for c in checks if c.status == "failed"]


def test_what_is_quick_and_lossless_passes():
    """No check fails, and the document says so for both sets of limits."""
    assert failures(GOOD) == []
    document = json.loads(json.dumps(judge(GOOD).as_dict(), allow_nan=False))
    assert document["passed"] is document["passed_bci2000"] is document["passed_ours"] is True
    assert document["latency_ms"]["processing"]["median"] == 1.0


@pytest.mark.parametrize(
    ("measured", "failed"),
    [
        (stages(processing=spread(21.0)), ["processing", "visible to command"]),
        (stages(processing=spread(1.0, sd=11.0)), ["processing"]),
        (stages(processing=spread(1.0, p99=6.0)), ["visible to command"]),
        (stages(processing=spread(2.5, p99=3.0)), ["visible to command"]),
        (stages(acquisition=spread(8.0)), ["amplifier"]),
        (replace(GOOD, amplifier_s=0.0516), ["amplifier"]),
        (with_latency(n_overran=4), ["decisions in time"]),
        (with_latency(n_late=4), ["decisions in time"]),
        (replace(GOOD, n_missing=1), ["samples lost"]),
        (replace(GOOD, n_gaps=1, lost_s=0.1), ["samples lost"]),
        (replace(GOOD, effective_hz=502.0), ["clock"]),
    ],
)
def test_each_limit_fails_its_check(measured, failed):
    """Beyond a limit, just the check that it belongs to fails."""
    assert failures(measured) == failed


def test_what_lsl_cannot_see_is_asked_for():
    """Without a stored offset the amplifier's check says what is not in its figure."""
    (amplifier, _) = judge(replace(GOOD, amplifier_s=None)).bci2000
    assert amplifier.status == "ok"
    assert "--set-offset 'BrainAmp=" in amplifier.detail
    (amplifier, _) = judge(GOOD).bci2000
    assert "median 5.0 ms" in amplifier.detail


def test_a_busy_machine_is_told_from_a_slow_decoder():
    """Where even a bare thread wakes late, a failure says so; else it names what to change."""
    slow = stages(processing=spread(30.0))
    assert (
        "the machine is busy" in judge(replace(slow, floor=spread(1.0, p99=9.0))).bci2000[1].advice
    )
    assert "the machine is busy" not in judge(slow).bci2000[1].advice
    assert judge(replace(slow, floor=spread(1.0, p99=9.0))).busy


def test_without_a_decision_nothing_passes():
    """A stream that is never decided on is no pass by default."""
    nothing = replace(GOOD, latency=LatencyReport({}))
    assert set(failures(nothing)) >= {"amplifier", "processing", "decisions in time"}
