"""Learning while decoding: whole, at a boundary, off the decision's way, and again in a replay."""

import itertools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.decoders import platform_card
from bci.decoders.adapt import Revealed, make_adapter
from bci.errors import SettingsError
from bci.evaluation.training import train_model
from bci.online import CueTracker, DecoderThread, OnlineDecoder, replay, verify
from bci.online.adaptation import Adaptation, Ask, Update
from bci.online.replay import cues_of, decode
from bci.online.tail import SignalTail
from bci.online.teaching import AdaptSettings, Teacher, adapt_settings
from bci.recording.eventlog import EventLog, read_event_log

HOP = OnlineSettings(hop_s=0.1)
ARMS = ("frozen", "recenter", "pseudo", "supervised", "reward", "reward+recenter", "linucb")


@pytest.fixture(scope="module")
def model(calibration, model):
    """Return the model with recentering, as training makes it."""
    return train_model([calibration], model.epochs, "ts-lr", cv=False, recenter_s=60.0)


def said(decisions):
    """Return what must not differ between live and replay."""
    return [(d.sample, d.probabilities, d.smoothed, d.label, d.reason) for d in decisions]


def live_run(recording, model, log_path, settings, *, pool=None, chunk=9):
    """Run a recording through the decoder's thread, cues and teacher; return decisions, teacher."""
    ring = RingBuffer(recording.n_samples + 1, recording.samples.shape[1])
    teacher = Teacher(settings, model, HOP)
    if pool is not None:
        teacher.pool.shutdown()
        teacher.pool = pool
    tracker = CueTracker(model, ring, HOP, lambda label: None, teacher.trial_over)
    decoder = OnlineDecoder(model, ring, recording.info, HOP, adaptation=teacher.next_adaptation())
    header = {
        "settings": HOP.model_dump(),
        "recording": recording.path.name,
        "model_sha256": "m",
        "platform": platform_card(),
    }
    with EventLog(log_path) as log:
        thread = DecoderThread(
            decoder, ring, [tracker.take_decision], log, header=header, teacher=teacher
        )
        clock = StreamClock(recording.info.rate_hz)
        for marker in recording.markers:
            tracker.take_marker(marker)
        for start in range(0, recording.n_samples, chunk):
            stamps = recording.stamps[start : start + chunk]
            times, segments = np.empty(len(stamps)), np.empty(len(stamps), dtype=np.int64)
            clock.update(stamps, times, segments)
            ring.write(recording.samples[start : start + chunk], times, stamps, segments, 0.0)
        ring.close()
        thread.start()
        thread.join(60.0)
        teacher.finish()
    assert thread.error is None
    return list(thread.decisions), teacher


class Slow(ThreadPoolExecutor):
    """A pool whose results come some boundaries late, as those of a slow learner do."""

    def __init__(self, n_looks):
        super().__init__(1)
        self.n_looks = n_looks

    def submit(self, *work):
        """Return a future that is done at the given look."""
        inner = super().submit(*work)
        looks = itertools.count()
        outer: Future = Future()
        outer.done = lambda: next(looks) >= self.n_looks and inner.exception(30.0) is None
        outer.result = inner.result
        return outer


@pytest.mark.parametrize("arm", ARMS)
def test_a_live_run_is_replayed_bit_for_bit_with_every_update(arm, recording, model, tmp_path):
    """From the log alone: each decision, each state; also where learning took five hops."""
    log_path = tmp_path / "log.jsonl"
    pool = Slow(5) if arm in ("supervised", "reward+recenter") else None
    decisions, teacher = live_run(recording, model, log_path, AdaptSettings(arm=arm), pool=pool)
    assert teacher.n_updates >= 7
    assert teacher.effect["n"] == teacher.n_updates
    events = [e for e in read_event_log(log_path) if e["event"] == "adaptation_updated"]
    if pool is not None:
        assert {e["sample"] - e["asked"] for e in events} == {5 * 12, 6 * 12} & {
            e["sample"] - e["asked"] for e in events
        }
        assert all(e["sample"] > e["asked"] for e in events)
    outcome, verification = verify(recording, model, "m", log_path, platform_card())
    assert verification.differences == ()
    assert verification.n_identical == len(decisions) == verification.n_logged
    assert verification.runs[0].n_updates_identical == verification.runs[0].n_updates
    assert verification.runs[0].n_updates == teacher.n_updates
    assert verification.reproduced
    assert said(outcome.decisions) == said(decisions)


def test_a_log_that_was_changed_is_not_reproduced(recording, model, tmp_path):
    """One update's state of another hash, or a reward that was another: said, and not verified."""
    log_path, other = tmp_path / "log.jsonl", tmp_path / "other.jsonl"
    live_run(recording, model, log_path, AdaptSettings(arm="reward+recenter", params={"rate": 3}))
    with EventLog(other) as log:
        for event in read_event_log(log_path):
            fields = {k: v for k, v in event.items() if k not in ("event", "at_s", "chain")}
            if event["event"] == "adaptation_updated":
                fields["reward"] = 1.0 - fields["reward"]
            log.write(event["event"], **fields)
    _, verification = verify(recording, model, "m", other, platform_card())
    assert not verification.reproduced
    assert verification.n_updates_failed


@pytest.mark.parametrize("arm", ["frozen", "recenter"])
def test_frozen_and_recentering_arms_decide_as_without_adaptation(arm, recording, model):
    """To the last bit: the arm takes the very way of the decoder that has none."""
    plain = model if arm == "recenter" else replace(model, recentering=None)
    before = replay(recording, plain, HOP)
    adaptation = Adaptation(make_adapter(arm, model, hop_s=0.1), model, HOP.hop_s)
    decisions, _ = decode(recording, model, HOP, adaptation=adaptation)
    assert said(decisions) == said(before.decisions)


def test_an_update_takes_effect_behind_its_boundary_and_never_before(recording, model):
    """Decisions up to the swap are those without it; the next are not; later trials change none."""
    cue = cues_of(recording, model)[1]
    windows = tuple(cue.sample + n for n in (320, 380, 440))
    asked, effect = _boundary(model, recording, cue.sample + 450), 0
    effect = asked + 3 * 12
    ask = Ask(
        cue.sample, 0, Revealed(1, 0.0), tuple(_boundary(model, recording, w) for w in windows)
    )

    def decided(script):
        adapter = make_adapter("supervised", model, hop_s=0.1, rate=30.0)
        adaptation = Adaptation(adapter, model, HOP.hop_s, script=script)
        return said(decode(recording, model, HOP, adaptation=adaptation)[0])

    without, with_it = decided([]), decided([Update(ask, asked, effect)])
    changed = [a[0] for a, b in zip(without, with_it, strict=True) if a != b]
    assert min(changed) > effect
    assert min(changed) <= effect + 3 * 12
    later = Update(replace(ask, trial=0), asked + 600, effect + 600)
    also = decided([Update(ask, asked, effect), later])
    before = [a for a in with_it if a[0] <= effect + 600]
    assert also[: len(before)] == before


def _boundary(model, recording, sample):
    """Return the last hop's end before a sample."""
    return sample // 12 * 12


class Raises:
    """An arm that decides as the trained decoder does until it raises."""

    name = "raises"

    def __init__(self, model, *, decision=None, update=None):
        self.model, self.decision, self.update, self.n = model, decision, update, 0

    def probabilities(self, windows):
        """Raise at the given decision; say nonsense for -1."""
        self.n += 1
        if self.decision is not None and self.n >= abs(self.decision):
            if self.decision < 0:
                return np.full((1, 7), np.nan)
            raise RuntimeError("a decision")
        p = self.model.probabilities(windows) ** 2
        return p / p.sum(axis=1, keepdims=True)

    def observe(self, windows):
        """Nothing."""

    def reveal(self, windows, chosen, revealed):
        """Raise."""
        raise RuntimeError("an update")

    @property
    def state(self):
        """Return nothing."""
        return {}

    def carry_on(self, state):
        """Nothing."""

    def copy(self):
        """Return itself: it has no state."""
        return self


@pytest.mark.parametrize("at", [40, -40])
def test_an_arm_that_fails_in_a_decision_is_out_and_the_trained_decoder_goes_on(
    at, recording, model, caplog
):
    """From that very hop, with the trained decoder's bits; a replay breaks where the log says."""
    plain = said(replay(recording, replace(model, recentering=None), HOP).decisions)
    adaptation = Adaptation(Raises(model, decision=at), model, HOP.hop_s)
    decisions, _ = decode(recording, model, HOP, adaptation=adaptation)
    assert not adaptation.works
    after = [a[:2] for a in said(decisions) if a[0] >= adaptation.broken_at]
    assert after == [a[:2] for a in plain if a[0] >= adaptation.broken_at]
    before = [d for d in decisions if d.sample < adaptation.broken_at and d.probabilities]
    assert len(before) == 39
    again = Adaptation(Raises(model), model, HOP.hop_s, breaks_at=adaptation.broken_at)
    assert said(decode(recording, model, HOP, adaptation=again)[0]) == said(decisions)
    assert "failed in a decision" in caplog.text


def test_an_update_that_raises_is_dropped_logged_and_decided_past(recording, model, tmp_path):
    """The arm decides as before, each failure is logged, and one notice given."""
    notices, log_path = [], tmp_path / "log.jsonl"
    settings = AdaptSettings(arm="reward", guard=False)
    ring = RingBuffer(recording.n_samples + 1, recording.samples.shape[1])
    teacher = Teacher(settings, model, HOP, notices.append)
    adaptation = Adaptation(Raises(model), model, HOP.hop_s, teacher.pool)
    teacher.adaptation = adaptation
    tracker = CueTracker(model, ring, HOP, lambda label: None, teacher.trial_over)
    decoder = OnlineDecoder(model, ring, recording.info, HOP, adaptation=adaptation)
    with EventLog(log_path) as log:
        thread = DecoderThread(decoder, ring, [tracker.take_decision], log, teacher=teacher)
        for marker in recording.markers:
            tracker.take_marker(marker)
        n, rate_hz = recording.n_samples, recording.info.rate_hz
        times = recording.stamps[0] + np.arange(n) / rate_hz
        ring.write(recording.samples, times, recording.stamps, np.zeros(n, dtype=np.int64), 0.0)
        ring.close()
        thread.start()
        thread.join(60.0)
        teacher.finish()
    events = [e for e in read_event_log(log_path) if e["event"] == "adaptation_updated"]
    assert len(events) >= 7
    assert {e["error"] for e in events} == {"RuntimeError: an update"}
    assert teacher.n_failed == len(events)
    assert len(notices) == 1
    assert adaptation.works


def test_a_decision_never_waits_for_learning(recording, model, tmp_path):
    """With a learner that hangs all hops are decided, and its copy is never swapped in."""
    release = threading.Event()

    class Hangs(Raises):
        def reveal(self, windows, chosen, revealed):
            release.wait(30.0)

    settings = AdaptSettings(arm="reward", guard=False)
    teacher = Teacher(settings, model, HOP)
    adaptation = Adaptation(Hangs(model), model, HOP.hop_s, teacher.pool)
    n = recording.n_samples
    ring = RingBuffer(n + 1, recording.samples.shape[1])
    decoder = OnlineDecoder(model, ring, recording.info, HOP, adaptation=adaptation)
    times = recording.stamps[0] + np.arange(n) / recording.info.rate_hz
    half = n // 2
    ring.write(
        recording.samples[:half], times[:half], recording.stamps[:half],
        np.zeros(half, dtype=np.int64), 0.0,
    )  # fmt: skip
    first = list(decoder.advance())
    end = first[-1].sample
    assert adaptation.ask(Ask(0, 0, Revealed(None, 1.0), (end,)))
    ring.write(
        recording.samples[half:], times[half:], recording.stamps[half:],
        np.zeros(n - half, dtype=np.int64), 0.0,
    )  # fmt: skip
    second = list(decoder.advance())
    assert second[-1].sample == (n // 12) * 12
    assert adaptation.take_updates() == []
    release.set()
    teacher.finish()


def test_waiting_trials_are_bounded_and_old_signal_is_not_learned_from(model):
    """More than a few that wait, or a trial whose signal is gone, are dropped and counted."""
    adaptation = Adaptation(make_adapter("reward", model), model, 0.1)
    asks = [adaptation.ask(Ask(k, 0, Revealed(None, 1.0), (k + 1,))) for k in range(12)]
    assert asks == [True] * 8 + [False] * 4
    assert adaptation.n_dropped == 4
    assert not adaptation.ask(Ask(0, 0, Revealed(None, 1.0), ()))


def test_the_tail_gives_what_was_written_and_nothing_that_is_gone():
    """Against the whole signal: any window within its capacity, whatever the pieces."""
    rng = np.random.default_rng(3)
    signal = rng.standard_normal((2, 500))
    tail, end = SignalTail(2, 90), 0
    while end < 500:
        n = min(int(rng.integers(1, 30)), 500 - end)
        end += n
        tail.write(end, signal[:, end - n : end])
        for back in (0, 5, 40, 79):
            window = tail.window(end - back, 10)
            if end - back >= 10:
                assert np.array_equal(window, signal[:, end - back - 10 : end - back])
        assert tail.window(end - 81, 10) is None
        assert tail.window(end + 1, 10) is None


def test_arms_and_cards_that_cannot_be_are_refused_before_a_run(model):
    """An unknown arm, one that a model has not, and a card that names one."""
    with pytest.raises(SettingsError, match="arm 'teleport' is unknown"):
        adapt_settings(model, "teleport")
    still = replace(model, recentering=None)
    with pytest.raises(SettingsError, match="trained without recentering"):
        adapt_settings(still, "supervised")
    assert adapt_settings(model) is None
    carded = replace(model, card={"adapt": {"arm": "reward", "params": {"rate": 0.5}}})
    assert adapt_settings(carded) == AdaptSettings(arm="reward", params={"rate": 0.5})
    assert adapt_settings(carded, "frozen").params == {}
