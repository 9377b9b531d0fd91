"""Recentering online: it follows the signal, and a replay follows it bit for bit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.decoders import platform_card
from bci.evaluation.training import train_model
from bci.online import DecoderThread, OnlineDecoder, Script, replay, verify
from bci.recording.eventlog import EventLog, read_event_log
from bci.sources.recording import Recording

HOP = OnlineSettings(hop_s=0.1)


@pytest.fixture(scope="module")
def recentering(calibration, model):
    """Return the model with recentering, as training makes it."""
    return train_model([calibration], model.epochs, "ts-lr", cv=False, recenter_s=60.0)


def with_samples(recording, samples):
    """Return the recording with other samples."""
    return Recording(
        recording.path,
        recording.info,
        samples,
        recording.stamps,
        recording.clock_offsets,
        recording.markers,
    )


@pytest.fixture
def louder(recording):
    """Return the recording with other gains at two channels, which the artifact limits allow."""
    samples = recording.samples.copy()
    samples[:, [0, 3]] *= [1.5, 0.4]
    return with_samples(recording, samples)


def said(decisions):
    """Return what must not differ between live and replay."""
    return [(d.sample, d.probabilities, d.smoothed, d.label, d.reason) for d in decisions]


def live(recording, model, cuts, *, clock=None, capacity=None):
    """Return the decisions of a stream that arrives in the given chunks, and the decoder."""
    ring = RingBuffer(capacity or recording.n_samples + 1, recording.samples.shape[1])
    decoder = OnlineDecoder(model, ring, recording.info, HOP, clock=clock)
    stream_clock, decisions = StreamClock(recording.info.rate_hz), []
    for start, stop in itertools.pairwise([0, *cuts, recording.n_samples]):
        n = stop - start
        times, segments = np.empty(n), np.empty(n, dtype=np.int64)
        stamps = recording.stamps[start:stop]
        stream_clock.update(stamps, times, segments)
        ring.write(recording.samples[start:stop], times, stamps, segments, 0.0)
        decisions.extend(decoder.advance())
    return decisions, decoder


def test_gains_that_changed_are_followed(recording, louder, model, recentering):
    """With other gains at two channels the recentred decisions come back to those before.

    The first windows after the start still see the change; by the last quarter most of it is gone.
    """
    before = replay(recording, recentering, HOP)
    plain, moved = replay(louder, model, HOP), replay(louder, recentering, HOP)
    assert plain.moved_db is None
    assert moved.moved_db > 2 * before.moved_db

    def apart(a, b):
        pairs = zip(a.decisions, b.decisions, strict=True)
        return np.mean(
            [
                abs(x.probabilities[0] - y.probabilities[0])
                for x, y in list(pairs)[-100:]
                if x.probabilities and y.probabilities
            ]
        )

    assert apart(moved, before) < 0.3 * apart(plain, replay(recording, model, HOP))


def test_a_model_without_it_decides_as_before(recording, model, recentering):
    """The first decisions are those of the plain model: the reference has not moved yet."""
    plain, moved = replay(recording, model, HOP), replay(recording, recentering, HOP)
    first = next(d.probabilities for d in plain.decisions if d.probabilities)
    assert first == next(d.probabilities for d in moved.decisions if d.probabilities)
    assert said(plain.decisions) != said(moved.decisions)


def test_chunks_do_not_matter(louder, recentering):
    """However the stream is cut, every recentred decision is the same to the last bit."""
    whole, _ = live(louder, recentering, [])
    cut, _ = live(louder, recentering, range(7, louder.n_samples, 61))
    assert said(whole) == said(cut)


def test_gaps_artifacts_stale_windows_and_overruns_are_replayed(louder, recentering):
    """What was not decided on was not learned from: a replay that is told of it does the same."""
    samples = louder.samples.copy()
    samples[1500:1510, 1] += 0.01
    stamps = louder.stamps.copy()
    stamps[2200:] += 0.5
    recording = replace(with_samples(louder, samples), stamps=stamps)
    now = {"sample": 0}

    def clock():
        late_s = 2.0 if 3000 < now["sample"] <= 3300 else 0.01
        return stamps[min(now["sample"], len(stamps) - 1)] + late_s

    ring = RingBuffer(1000, samples.shape[1])
    decoder = OnlineDecoder(recentering, ring, recording.info, HOP, clock=clock)
    stream_clock, decisions = StreamClock(recording.info.rate_hz), []
    edges = [*range(0, 4000, 40), 5000, *range(5040, recording.n_samples, 40)]
    for start, stop in itertools.pairwise(edges):
        n = stop - start
        times, segments = np.empty(n), np.empty(n, dtype=np.int64)
        stream_clock.update(stamps[start:stop], times, segments)
        at = now["sample"] = stop
        if start == 4000:  # one piece larger than the ring: it overruns
            for part in (slice(0, 600), slice(600, 1000)):
                ring.write(
                    samples[start:stop][part],
                    times[part],
                    stamps[start:stop][part],
                    segments[part],
                    clock(),
                )
        else:
            ring.write(samples[start:at], times, stamps[start:at], segments, clock())
        decisions.extend(decoder.advance())
    reasons = {d.reason for d in decisions}
    assert {"gap", "stale", "late", "artifact at Cz"} <= reasons
    assert decoder.script.jumps
    late = {d.sample: d.reason for d in decisions if d.reason in ("stale", "late")}
    script = Script(withheld=late, jumps=dict(decoder.script.jumps))
    again = replay(recording, recentering, HOP, script=script).decisions
    assert said(decisions) == said(again)[: len(decisions)]
    forgotten = replay(recording, recentering, HOP, script=Script()).decisions
    assert said(decisions)[-1] != said(forgotten)[len(decisions) - 1]


def test_a_logged_run_is_verified_to_the_last_bit(louder, recentering, tmp_path):
    """The log of a live run names the recentering and where it ended; a replay reproduces all."""
    n = louder.n_samples
    ring = RingBuffer(n, louder.samples.shape[1])
    times, segments = np.empty(n), np.empty(n, dtype=np.int64)
    StreamClock(louder.info.rate_hz).update(louder.stamps, times, segments)
    ring.write(louder.samples, times, louder.stamps, segments, 0.0)
    decoder = OnlineDecoder(recentering, ring, louder.info, HOP)
    header = {
        "sample": 0,
        "settings": HOP.model_dump(),
        "model_sha256": "of the file",
        "unit": None,
        "platform": platform_card(),
    }
    path = tmp_path / "session.jsonl"
    with EventLog(path) as log:
        thread = DecoderThread(decoder, ring, (), log, header=header)
        ring.close()
        thread.start()
        thread.join(30.0)
    outcome, verification = verify(louder, recentering, "of the file", path, platform_card())
    assert verification.n_identical == verification.n_logged > 400
    assert verification.reproduced
    *_, end = read_event_log(path)
    assert end["recentering_moved_db"] == outcome.moved_db > 1.0


def test_what_is_learned_waits_for_no_one(recording, recentering):
    """A reader that leaves in the middle and comes back gets the same decisions as one that stays.

    The mean is moved after a decision has been handed out; the next decision sees it moved in any
    case.
    """
    stays, _ = live(recording, recentering, [])
    ring = RingBuffer(recording.n_samples + 1, recording.samples.shape[1])
    decoder = OnlineDecoder(recentering, ring, recording.info, HOP)
    n = recording.n_samples
    times, segments = np.empty(n), np.empty(n, dtype=np.int64)
    StreamClock(recording.info.rate_hz).update(recording.stamps, times, segments)
    ring.write(recording.samples, times, recording.stamps, segments, 0.0)
    leaves = []
    while True:
        decision = next(decoder.advance(), None)
        if decision is None:
            break
        leaves.append(decision)
    assert said(leaves) == said(stays)
