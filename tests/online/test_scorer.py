"""Online as offline, and together as one by one, whatever the decoder takes of a window."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bci.acquisition import RingBuffer, StreamClock, timeline
from bci.config import OnlineSettings
from bci.decoders.chosen import ChosenDecoder
from bci.evaluation.training import train_model
from bci.online import OnlineDecoder
from bci.online.scorer import WindowScorer
from bci.signal import design_bandpass, filter_segments
from bci.signal.epochs import cut_epochs
from bci.sources.recording import Recording

HOP = OnlineSettings(hop_s=0.1)
KINDS = {
    "csp-lda": {},
    "mdm": {},
    "acm-lr": {"order": 3, "lag": 4},
    "acm-svm": {},
    "acm-fgmdm": {"order": 2, "lag": 3},
    "bt-acm": {},
}


def changed(recording, samples, stamps=None):
    """Return the recording with other samples or stamps."""
    return Recording(
        recording.path,
        recording.info,
        samples,
        recording.stamps if stamps is None else stamps,
        recording.clock_offsets,
        recording.markers,
    )


def average_referenced(recording):
    """Return the recording less the mean of its channels: covariances are singular."""
    return changed(recording, recording.samples - recording.samples.mean(axis=1, keepdims=True))


@pytest.fixture
def interrupted(recording):
    """Return the recording with a gap, a value that is no number and a spike, all off the grid."""
    samples, stamps = recording.samples.copy(), recording.stamps.copy()
    stamps[1003:] += 0.7
    samples[2222, 1] = np.nan
    samples[3501, 2] += 10.0
    return changed(recording, samples, stamps)


def in_ring(recording):
    """Return a ring that holds the recording."""
    n = recording.n_samples
    ring = RingBuffer(n, recording.samples.shape[1])
    times, segments = np.empty(n), np.empty(n, dtype=np.int64)
    StreamClock(recording.info.rate_hz).update(recording.stamps, times, segments)
    ring.write(recording.samples, times, recording.stamps, segments, 0.0)
    return ring


def decided(recording, model, n_threads=None):
    """Return the decisions on a recording, one by one or together."""
    decoder = OnlineDecoder(model, in_ring(recording), recording.info, HOP)
    if n_threads is None:
        return list(decoder.advance())
    with ThreadPoolExecutor(n_threads) as pool:
        return list(decoder.advance_together(pool, n_threads))


def said(decisions):
    """Return what must not differ between one by one and together."""
    return [(d.sample, d.time_s, d.probabilities, d.smoothed, d.label, d.reason) for d in decisions]


def offline(recording, model, decisions):
    """Return the probabilities of the decided windows, cut from the recording filtered offline."""
    line = timeline(recording.stamps, recording.info.rate_hz)
    sos = design_bandpass(model.epochs.band_hz, model.rate_hz, model.epochs.filter_order)
    filtered = filter_segments(recording.samples, line.segments, sos)
    length = round(model.epochs.window_length_s * model.rate_hz)
    windows = np.stack([filtered[d.sample - length : d.sample].T for d in decisions])
    return model.probabilities(windows)


@pytest.mark.parametrize("covariance", ["oas", "lwf", "scm"])
@pytest.mark.parametrize("kind", ["mdm", "acm-lr", "acm-svm", "bt-acm"])
@pytest.mark.parametrize("singular", [False, True])
def test_online_is_offline(recording, calibration, model, kind, covariance, singular):
    """Any decoder and estimator, singular covariances too: 1e-9 of the window's own."""
    if singular:
        recording, calibration = average_referenced(recording), average_referenced(calibration)
    params = KINDS[kind] | {"covariance": covariance}
    trained = train_model([calibration], model.epochs, kind, params, cv=False)
    decisions = [d for d in decided(recording, trained) if d.probabilities is not None]
    assert len(decisions) > 400
    online = np.array([d.probabilities for d in decisions])
    assert_allclose(online, offline(recording, trained, decisions), rtol=1e-9)
    # Else a decoder that says the same of every window would pass.
    assert np.ptp(online[:, 0]) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_together_is_one_by_one(interrupted, calibration, model, kind):
    """Any decoder, over a gap, a NaN and an artifact, with any threads: the same bits."""
    trained = train_model([calibration], model.epochs, kind, KINDS[kind], cv=False)
    alone = said(decided(interrupted, trained))
    reasons = {reason.split(" at ")[0] for *_, reason in alone}
    assert reasons >= {"gap", "not a number", "artifact"}
    for n_threads in (1, 3):
        assert said(decided(interrupted, trained, n_threads)) == alone


def test_a_recording_without_one_good_window_is_decided_on_together(recording, model):
    """Nothing to compute: reasons, no failure."""
    samples = recording.samples.copy()
    samples[::100, 0] = np.nan
    decisions = decided(changed(recording, samples), model, 2)
    assert {d.reason for d in decisions} == {"not a number"}


def test_channels_of_a_view_are_those_that_slide(recording, calibration, model):
    """A decoder of several views on three of five channels sees its own ones online too."""
    epochs = cut_epochs([calibration], model.epochs)
    decoder = ChosenDecoder("lr", ((1, 1), (3, 4)), picks=(4, 0, 2))
    trained = replace(model, estimator=decoder.fit(epochs.X, epochs.y, groups=epochs.trials))
    decisions = [d for d in decided(recording, trained) if d.probabilities is not None]
    online = np.array([d.probabilities for d in decisions])
    assert_allclose(online, offline(recording, trained, decisions), rtol=1e-9)


@pytest.mark.parametrize("hop", [12, 80])
def test_a_restart_forgets(model, hop):
    """After a restart the bits are those of a new scorer, with many hops in a window or few."""
    signal = 1e-5 * np.random.default_rng(3).standard_normal((5, 1200))
    used, new = (WindowScorer(model, 250, hop) for _ in range(2))
    for end in range(hop, 600, hop):
        used.append(1e3 * signal[:, max(0, end - 250) : end])
    used.restart()
    for end in range(hop, 600, hop):
        recent = signal[:, max(0, end - 250) : end]
        for scorer in (used, new):
            scorer.append(recent)
        if end >= 250:
            assert_array_equal(used.probabilities(recent, end), new.probabilities(recent, end))
