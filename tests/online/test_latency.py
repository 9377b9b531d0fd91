"""The account of latency: quantiles in flat memory, stages that add up, what is left out."""

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.online import Decision, LatencyAccount, Presentation
from bci.online.decision import LATE, OVERRAN, STALE
from bci.online.latency import Lengths, Tally

P = (0.5, 0.5)


def made(sample=10, *, smoothed=P, reason="", took_s=0.0035):
    """Return a decision whose newest sample was visible after 4 ms and decided on at once."""
    return Decision(sample, 1.0, P, smoothed, None, reason, 1.004, 1.005, 1.007, 1.004 + took_s)


def test_the_stages_add_up():
    """Acquisition and processing are the latency; queueing, computing, output are processing."""
    account = made().account()
    assert account["acquisition"] + account["processing"] == pytest.approx(made().latency_s)
    parts = account["queueing"] + account["computing"] + account["output"]
    assert parts == pytest.approx(account["processing"])


def test_what_lsl_cannot_see_is_added_as_the_amplifier():
    """A stored offset is a stage of its own, and part of what a program or a person has."""
    account = LatencyAccount(0.1, amplifier_s=0.0077)
    account.add(made())
    account.add_presentation(made(), Presentation(10, shown_s=1.0175))
    stages = account.report().stages
    assert stages["amplifier"].median == pytest.approx(7.7, rel=0.01)
    assert stages["command"].worst == pytest.approx(7.5 + 7.7)
    assert stages["presentation"].worst == pytest.approx(10.0)
    assert stages["system"].worst == pytest.approx(17.5 + 7.7)


def test_light_is_where_presentation_ends():
    """Where a photodiode saw the frame, its swap is not the end."""
    account = LatencyAccount(0.1)
    account.add_presentation(made(), Presentation(10, shown_s=1.0175, lit_s=1.0275))
    assert account.report().stages["presentation"].worst == pytest.approx(20.0)


def test_only_what_was_issued_in_time_has_a_latency():
    """Late, stale and withheld decisions are counted, each kind apart, and timed nowhere."""
    account = LatencyAccount(0.1)
    account.add(made())
    account.add(made(took_s=0.08))
    account.add(made(smoothed=None, reason=OVERRAN, took_s=5.0))
    account.add(made(smoothed=None, reason=LATE))
    account.add(made(smoothed=None, reason=STALE))
    account.add(made(smoothed=None, reason="gap"))
    report = account.report()
    assert (report.n_decisions, report.n_issued) == (6, 3)
    assert (report.n_late, report.n_overran, report.n_slow) == (2, 1, 1)
    assert report.stages["processing"].n == 2
    assert report.stages["processing"].worst == pytest.approx(80.0)


def test_without_a_decision_there_is_no_latency_to_state():
    """A replay has no stamps: nothing is invented, in words or in JSON."""
    account = LatencyAccount()
    account.add(Decision(10, 1.0, P, P, None, ""))
    report = account.report(Lengths())
    assert report.whole is None
    assert report.line() == "no decision was issued"
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert document["processing"] is None
    assert document["lengths"] == {"chunk": None, "hop": None, "window": None}


@given(st.lists(st.floats(-0.01, 10.0), min_size=1, max_size=300))
def test_a_tally_has_the_quantiles_of_all_values(values):
    """Median and 99th percentile are those of the sorted values, to half a per cent or 10 ns."""
    tally = Tally()
    for value in values:
        tally.add(value)
    for q in (0.5, 0.99):
        exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
        assert tally.quantile(q) == pytest.approx(exact, rel=0.0051, abs=1e-8)
    spread = tally.spread()
    assert spread.worst == 1e3 * max(values)
    assert spread.mean == pytest.approx(1e3 * np.mean(values), abs=1e-9)
    assert spread.sd == pytest.approx(1e3 * np.std(values), rel=1e-6, abs=1e-6)


def test_memory_does_not_grow_with_the_number_of_decisions():
    """A day of decisions at 50 a second needs no more than the first hour."""
    rng = np.random.default_rng(0)
    account, sizes = LatencyAccount(0.1), []
    for _ in range(2):
        for took_s in rng.lognormal(-6.0, 0.7, 20_000):
            account.add(made(took_s=took_s))
        counts = account._tallies["processing"]._counts  # noqa: SLF001 -- what could grow
        sizes.append(sys.getsizeof(counts))
    assert len(counts) < 1000
    assert sizes[1] <= sizes[0]
