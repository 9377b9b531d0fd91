"""The online decoder: the same windows as offline, whatever the chunks."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bci.acquisition import RingBuffer, StreamClock, timeline
from bci.config import OnlineSettings
from bci.errors import ModelError
from bci.online import OnlineDecoder, Script, replay
from bci.signal import design_bandpass, filter_segments
from bci.sources.base import Channel, StreamInfo
from bci.sources.recording import Recording

HOP = OnlineSettings(hop_s=0.1)


def feed(ring, clock, recording, start, stop, offset_s=0.0, arrival_s=0.0):
    """Write samples of a recording into a ring as the acquisition would."""
    n = stop - start
    times, segments = np.empty(n), np.empty(n, dtype=np.int64)
    stamps = recording.stamps[start:stop]
    clock.update(stamps, times, segments)
    ring.write(recording.samples[start:stop], times + offset_s, stamps, segments, arrival_s)


def decide(recording, model, cuts, *, start_sample=0, clock=None, script=None, online=HOP):
    """Decode a recording that arrives in the given chunks."""
    ring = RingBuffer(recording.n_samples + 1, recording.samples.shape[1])
    decoder = OnlineDecoder(
        model, ring, recording.info, online, start_sample=start_sample, clock=clock, script=script
    )
    stream_clock, decisions = StreamClock(recording.info.rate_hz), []
    edges = [0, *cuts, recording.n_samples]
    for start, stop in itertools.pairwise(edges):
        feed(ring, stream_clock, recording, start, stop)
        decisions.extend(decoder.advance())
    return decisions, decoder


def with_gap(recording, at, lost_s):
    """Return the recording with its stamps set on by `lost_s` from sample `at`."""
    stamps = recording.stamps.copy()
    stamps[at:] += lost_s
    return Recording(
        recording.path,
        recording.info,
        recording.samples,
        stamps,
        recording.clock_offsets,
        recording.markers,
    )


@given(cuts=st.lists(st.integers(1, 5624), max_size=30, unique=True).map(sorted))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_do_not_matter(recording, model, cuts):
    """However the stream is cut into chunks, every decision is the same to the last bit."""
    whole, _ = decide(recording, model, [])
    cut, _ = decide(recording, model, cuts)
    assert [(d.sample, d.probabilities, d.smoothed, d.label, d.reason) for d in whole] == [
        (d.sample, d.probabilities, d.smoothed, d.label, d.reason) for d in cut
    ]


def test_windows_are_those_of_the_offline_path(recording, model):
    """Each window's probabilities are the estimator's on the same window, filtered offline."""
    decisions, decoder = decide(recording, model, [])
    line = timeline(recording.stamps, recording.info.rate_hz)
    sos = design_bandpass(model.epochs.band_hz, recording.info.rate_hz)
    filtered = filter_segments(recording.samples, line.segments, sos)
    decided = [d for d in decisions if d.probabilities is not None]
    assert len(decided) > 400
    windows = np.stack([filtered[d.sample - decoder.length : d.sample].T for d in decided])
    np.testing.assert_allclose(
        np.array([d.probabilities for d in decided]),
        model.estimator.predict_proba(windows),
        rtol=1e-9,
    )


def test_a_decision_falls_on_every_hop(recording, model):
    """The grid is anchored to the start; the first decision comes after one whole window."""
    decisions, decoder = decide(recording, model, [], start_sample=37)
    samples = [d.sample for d in decisions]
    assert samples[0] == 37 + decoder.hop * -(-decoder.length // decoder.hop)
    assert set(np.diff(samples)) == {decoder.hop}
    assert samples[-1] + decoder.hop > recording.n_samples


def test_the_future_changes_nothing(recording, model):
    """Samples that come later leave every decision before them as it was."""
    cut = 3000
    changed = recording.samples.copy()
    changed[cut:] = np.random.default_rng(0).normal(scale=1e-4, size=changed[cut:].shape)
    other = Recording(
        recording.path, recording.info, changed, recording.stamps, recording.clock_offsets
    )
    before = [d for d in decide(recording, model, [])[0] if d.sample <= cut]
    assert before == [d for d in decide(other, model, [])[0] if d.sample <= cut]


def test_no_decision_over_a_gap(recording, model):
    """While the window holds a gap there is no decision, it says so, and then starts afresh."""
    at = 2508  # on the hop grid, so that a stream which starts here decides at the same samples
    decisions, decoder = decide(with_gap(recording, at, 0.5), model, [])
    assert all((d.reason == "gap") == (at < d.sample < at + decoder.length) for d in decisions)
    # Behind the gap the filter starts as at a first sample: what was before has no part in it.
    tail = Recording(
        recording.path,
        recording.info,
        recording.samples[at:],
        recording.stamps[at:],
        recording.clock_offsets,
    )
    fresh, _ = decide(tail, model, [], start_sample=0)
    first = next(d for d in decisions if d.sample >= at + decoder.length)
    (same,) = [d for d in fresh if d.sample + at == first.sample]
    assert first.probabilities == same.probabilities


def test_no_decision_over_an_artifact(recording, model):
    """A window with a wild channel is not decided on, and the channel is named."""
    samples = recording.samples.copy()
    samples[3000:3020, 1] += 0.01
    wild = Recording(
        recording.path, recording.info, samples, recording.stamps, recording.clock_offsets
    )
    decisions, _ = decide(wild, model, [])
    hit = [d for d in decisions if 3020 <= d.sample <= 3200]
    assert hit
    assert all(d.probabilities is None and d.label is None for d in hit)
    assert all("Cz" in d.reason for d in hit)


def test_a_sample_that_is_no_number_passes(recording, model):
    """One NaN costs the windows that hold it, says so, and leaves the filter unharmed."""
    at = 2999
    samples = recording.samples.copy()
    samples[at, 2] = np.nan
    broken = Recording(
        recording.path, recording.info, samples, recording.stamps, recording.clock_offsets
    )
    decisions, decoder = decide(broken, model, [])
    hit = [d for d in decisions if at < d.sample <= at + decoder.length]
    assert hit
    assert {d.reason for d in hit} == {"not a number"}
    behind = [d for d in decisions if d.sample > at + decoder.length]
    assert all(d.probabilities for d in behind)
    whole, _ = decide(recording, model, [])
    assert [d for d in decisions if d.sample <= at] == [d for d in whole if d.sample <= at]


def test_stale_windows_are_refused_and_replayed(recording, model):
    """A hop that comes too late is not decided on; a replay repeats just that."""
    # Virtual time: the stream's own, but two seconds late between samples 2000 and 2600.
    now = {"sample": 0}

    def clock() -> float:
        late_s = 2.0 if 2000 < now["sample"] <= 2600 else 0.01
        return recording.stamps[min(now["sample"], recording.n_samples - 1)] + late_s

    ring = RingBuffer(recording.n_samples, recording.samples.shape[1])
    live = OnlineDecoder(model, ring, recording.info, HOP, clock=clock)
    stream_clock, decisions = StreamClock(recording.info.rate_hz), []
    for start in range(0, recording.n_samples - live.hop, live.hop):
        now["sample"] = start + live.hop
        feed(ring, stream_clock, recording, start, start + live.hop, arrival_s=clock())
        decisions.extend(live.advance())
    stale = [d.sample for d in decisions if d.reason == "stale"]
    assert stale
    assert all(2000 < sample <= 2600 for sample in stale)
    again = replay(
        recording, model, HOP, script=Script(withheld=dict.fromkeys(stale, "stale"))
    ).decisions
    for first, second in zip(decisions, again, strict=False):
        assert (first.sample, first.smoothed, first.reason) == (
            second.sample,
            second.smoothed,
            second.reason,
        )


def test_an_overrun_goes_on_at_the_newest_and_is_replayed(recording, model):
    """A decoder that slept too long skips what was overwritten, says so, and repeats it."""
    ring = RingBuffer(1000, recording.samples.shape[1])
    live = OnlineDecoder(model, ring, recording.info, HOP)
    stream_clock = StreamClock(recording.info.rate_hz)
    decisions = []
    for start, stop in ((0, 900), (900, 2500), (2500, 3400)):
        feed(ring, stream_clock, recording, start, stop)
        decisions.extend(live.advance())
    assert len(live.script.jumps) == 1
    assert {d.reason for d in decisions} >= {"gap"}
    script = Script(jumps=dict(live.script.jumps))
    again = [d for d in replay(recording, model, HOP, script=script).decisions if d.sample <= 3400]
    assert [(d.sample, d.smoothed, d.reason) for d in decisions] == [
        (d.sample, d.smoothed, d.reason) for d in again
    ]


def test_restarted_evidence_is_replayed(recording, model):
    """Evidence restarted from outside is marked by sample, and a replay does it there again."""
    online = OnlineSettings(smoothing="evidence")
    ring = RingBuffer(recording.n_samples, recording.samples.shape[1])
    live = OnlineDecoder(model, ring, recording.info, online)
    stream_clock, decisions = StreamClock(recording.info.rate_hz), []
    for start in range(0, 4000, 100):
        feed(ring, stream_clock, recording, start, start + 100)
        if start in (1000, 2500):
            live.restart_evidence()
        decisions.extend(live.advance())
    assert len(live.script.restarts) == 2
    script = Script(restarts=set(live.script.restarts))
    again = replay(recording, model, online, script=script).decisions
    plain = replay(recording, model, online).decisions
    assert [d.smoothed for d in decisions] == [d.smoothed for d in again[: len(decisions)]]
    assert [d.smoothed for d in decisions] != [d.smoothed for d in plain[: len(decisions)]]


def test_channels_are_found_by_name(recording, model):
    """A stream with other channels between, in another order, decodes the same."""
    order = [4, 0, 3, 2, 1]
    extra = np.random.default_rng(1).normal(size=(recording.n_samples, 1))
    channels = [recording.info.channels[i] for i in order]
    channels.insert(2, Channel("AUX", "", "Misc"))
    samples = np.insert(recording.samples[:, order], [2], extra, axis=1)
    info = StreamInfo("shuffled", "EEG", "x", recording.info.rate_hz, tuple(channels))
    other = Recording(recording.path, info, samples, recording.stamps, recording.clock_offsets)
    assert decide(other, model, [])[0] == decide(recording, model, [])[0]


def test_a_missing_channel_is_named(recording, model):
    """A stream without a channel of the model is refused by the name of the channel."""
    keep = [0, 1, 3, 4]
    info = StreamInfo("short", "EEG", "x", 125.0, tuple(recording.info.channels[i] for i in keep))
    ring = RingBuffer(100, 4)
    with pytest.raises(ModelError, match="C4"):
        OnlineDecoder(model, ring, info, HOP)
