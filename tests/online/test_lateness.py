"""The live rule, in virtual time: slow decoders, consumers that stall, amplifiers that go silent.

Time passes only while the decoder waits or something in it is slow, and then the amplifier goes
on sending: what is asserted holds to the sample on any machine.
"""

import itertools

import numpy as np
import pytest

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.online import DecoderThread, OnlineDecoder, replay, verify
from bci.online.decision import LATE, NO_SIGNAL, OVERRAN, STALE
from bci.recording.eventlog import EventLog, read_event_log
from bci.sources.recording import Recording

ONLINE = OnlineSettings(hop_s=0.1)
TOO_LATE = {LATE, STALE, OVERRAN}


class PacedRing(RingBuffer):
    """A ring into which a recording flows as time passes; it comes 1 ms after its stamps."""

    def __init__(self, recording):
        super().__init__(recording.n_samples, recording.samples.shape[1])
        self._recording, self._clock = recording, StreamClock(recording.info.rate_hz)
        self.now = float(recording.stamps[0])

    def clock(self):
        """Return what time it is."""
        return self.now

    def pass_time(self, seconds):
        """Let time pass, and samples come."""
        self.now += seconds
        r = self._recording
        due = int(np.searchsorted(r.stamps, self.now - 0.001, side="right"))
        for at in range(self.n_written, due):
            times, segments = np.empty(1), np.empty(1, dtype=np.int64)
            self._clock.update(r.stamps[at : at + 1], times, segments)
            self.write(
                r.samples[at : at + 1], times, r.stamps[at : at + 1], segments, r.stamps[at] + 0.001
            )
        if due == r.n_samples:
            self.close()

    def wait_for(self, n_written, timeout_s):
        """Wait in virtual time."""
        until = self.now + timeout_s
        while self.n_written < n_written and self.now < until and not self.closed:
            self.pass_time(0.001)
        return self.n_written >= n_written


class Live:
    """A decoder's thread over a recording that flows; `slow(sample)` says how long a hop takes."""

    def __init__(self, recording, model, *, slow=lambda sample: 0.002, outputs=(), **options):
        self.ring = PacedRing(recording)
        clock = self.ring.clock
        self.decoder = OnlineDecoder(model, self.ring, recording.info, ONLINE, clock=clock)
        scorer = self.decoder._scorer  # noqa: SLF001 -- where a slow decoder is slow
        score = scorer.probabilities

        def slowly(window, end):
            self.ring.pass_time(slow(end))
            return score(window, end)

        scorer.probabilities = slowly
        self.notices = []
        self.thread = DecoderThread(
            self.decoder, self.ring, outputs, clock=clock, on_notice=self.notices.append, **options
        )

    def run(self):
        """Run to the recording's end and return the decisions."""
        self.thread.start()
        self.thread.join(60.0)
        assert self.thread.error is None
        return list(self.thread.decisions)


def said(decisions):
    """Return what a replay must reproduce."""
    return [(d.sample, d.probabilities, d.smoothed, d.label, d.reason) for d in decisions]


def slow_for_a_while(sample):
    """Take 2 ms; from sample 1500 most of a hop (96 ms); from 2500 more than two; then recover."""
    return 0.085 if 1500 <= sample < 2500 else 0.23 if 2500 <= sample < 3500 else 0.002


def test_a_decoder_that_is_too_slow_withholds_and_says_so(recording, model):
    """Nothing shows a decision that took longer than a hop, and slow ones are spoken of before."""
    live = Live(recording, model, slow=slow_for_a_while)
    decisions = live.run()
    hop_s = live.decoder.hop_s
    for d in decisions:
        if d.smoothed is not None:
            assert d.decoded_s - d.visible_s <= hop_s
            assert d.started_s - d.time_s < 0.002 + hop_s
        if 2600 < d.sample < 3500:
            assert d.reason in TOO_LATE
            assert (d.smoothed, d.label) == (None, None)
    assert {d.reason for d in decisions if d.sample > 3600}.isdisjoint(TOO_LATE)
    report = live.thread.account.report()
    slow = [d for d in decisions if d.smoothed is not None and d.processing_s > 0.75 * hop_s]
    assert report.n_slow == len(slow) > 80
    assert report.n_overran == sum(d.reason == OVERRAN for d in decisions) > 20
    assert report.n_late == sum(d.reason in (LATE, STALE) for d in decisions) > 20
    first_slow, withheld, dropped = (
        next(i for i, text in enumerate(live.notices) if part in text)
        for part in ("three quarters", "withheld", "dropped undecoded")
    )
    assert first_slow < withheld < dropped
    assert len(live.notices) < 12  # 200 decisions were late


def test_decisions_are_never_on_old_data_after_a_consumer_has_stalled(recording, model):
    """What came while an output did not return is dropped; the next decision is on the newest."""
    issued, stalls = [], {1512: 2.0, 3000: 0.15}

    def consumer(decision):
        issued.append((decision, live.ring.n_written))
        live.ring.pass_time(stalls.get(decision.sample, 0.0))

    live = Live(recording, model, outputs=[consumer])
    decisions = live.run()
    assert {1512, 3000} <= {d.sample for d in decisions}
    for decision, n_written in issued:
        if decision.smoothed is not None:
            assert n_written - decision.sample < live.decoder.hop
    after = [d for d in decisions if 1512 < d.sample < 2000]
    n_dropped = sum(d.reason in (LATE, STALE) for d in after)
    assert n_dropped == 2.0 * 125 // live.decoder.hop - 1
    assert all(d.smoothed for d in after[n_dropped:])
    assert live.thread.account.report().n_late == n_dropped


def test_what_was_late_is_in_the_log_and_a_replay_reproduces_it(recording, model, tmp_path):
    """The log names each hop that was dropped or withheld; verification finds every bit again."""
    path = tmp_path / "log.jsonl"
    with EventLog(path) as log:
        header = {
            "settings": ONLINE.model_dump(),
            "model_sha256": "m",
            "platform": {},
            "sample": 0,
            "unit": None,
        }
        live = Live(recording, model, slow=slow_for_a_while, log=log, header=header)
        decisions = live.run()
    assert {d.reason for d in decisions} >= {LATE, OVERRAN}
    outcome, verification = verify(recording, model, "m", path, {})
    assert verification.reproduced
    assert verification.n_identical == len(decisions)
    assert said(outcome.decisions) == said(decisions)
    assert said(replay(recording, model, ONLINE).decisions) != said(decisions)
    *_, end = read_event_log(path)
    assert end["latency_ms"]["n_overran"] == sum(d.reason == OVERRAN for d in decisions)


@pytest.fixture
def with_outage(recording):
    """Return the recording with three seconds without a sample."""
    stamps = recording.stamps.copy()
    stamps[2000:] += 3.0
    return Recording(
        recording.path, recording.info, recording.samples, stamps, recording.clock_offsets
    )


def test_an_outage_withholds_feedback_within_a_second(with_outage, model, tmp_path):
    """Outputs hear that there is no signal; decisions begin again with the first clean window."""
    heard, path = [], tmp_path / "log.jsonl"
    with EventLog(path) as log:
        live = Live(
            with_outage,
            model,
            outputs=[lambda d: heard.append((live.ring.now, d))],
            log=log,
        )
        decisions = live.run()
    silent = [(now, d) for now, d in heard if d.reason == NO_SIGNAL and d.sample == 2000]
    last_s = with_outage.stamps[1999]
    assert 0.5 < silent[0][0] - last_s < 1.0
    assert all(b[0] - a[0] < 1.2 for a, b in itertools.pairwise(silent))
    assert len(silent) == 3
    assert all((d.smoothed, d.label) == (None, None) for _, d in silent)
    assert NO_SIGNAL not in {d.reason for d in decisions}  # no hop: a replay has none either
    behind = [d for d in decisions if d.sample > 2000]
    assert {d.reason for d in behind if d.sample < 2000 + live.decoder.length} == {"gap"}
    assert all(d.smoothed for d in behind if d.sample >= 2000 + live.decoder.length)
    events = [e for e in read_event_log(path) if e["event"].startswith("signal")]
    assert [e["event"] for e in events] == ["signal_missing", "signal_returned"]
    assert events[1]["after_s"] == pytest.approx(3.0, abs=0.1)


def test_a_stream_that_is_over_leaves_no_feedback_behind(recording, model):
    """When the stream has closed, the last that outputs hear is that there is no signal."""
    heard = []
    Live(recording, model, outputs=[heard.append]).run()
    assert [d.reason for d in heard].count(NO_SIGNAL) == 1
    assert heard[-1].reason == NO_SIGNAL


def test_only_the_newest_decisions_are_kept_when_asked(recording, model):
    """A daemon's memory stays flat; counts and latencies are of all."""
    live = Live(recording, model, n_kept=25)
    kept = live.run()
    everything = Live(recording, model).run()
    assert said(kept) == said(everything[-25:])
    assert live.thread.account.report().n_decisions == len(everything)
