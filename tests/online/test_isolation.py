"""A plugin's decoder that raises: the window has no decision, the run goes on, and it is said."""

from dataclasses import replace

import numpy as np
import pytest

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.decoders import platform_card
from bci.online import DecoderThread, OnlineDecoder, replay
from bci.recording.eventlog import EventLog, read_event_log


class Flaky:
    """A decoder that comes from elsewhere and fails on some windows."""

    def __init__(self, decoder, fails):
        self.decoder, self.fails = decoder, fails
        self.classes_ = decoder.classes_
        self.n_asked = 0

    def predict_proba(self, windows):
        """Return probabilities, or raise."""
        self.n_asked += 1
        if self.fails(self.n_asked):
            raise KeyError("weights\nare gone")
        return self.decoder.predict_proba(windows)


def flaky(model, fails):
    """Return the model with a decoder that fails whenever `fails` says so of a window's number."""
    return replace(model, estimator=Flaky(model.estimator, fails), recentering=None)


@pytest.fixture
def run(recording, tmp_path):
    """Return a function that decides a recording live, with a log."""

    def go(model):
        n = recording.n_samples
        ring = RingBuffer(n, recording.samples.shape[1])
        times, segments = np.empty(n), np.empty(n, dtype=np.int64)
        StreamClock(recording.info.rate_hz).update(recording.stamps, times, segments)
        ring.write(recording.samples, times, recording.stamps, segments, 0.0)
        ring.close()
        online = OnlineSettings(hop_s=0.1)
        notices = []
        header = {
            "settings": online.model_dump(),
            "recording": recording.path.name,
            "model_sha256": "m",
            "platform": platform_card(),
        }
        with EventLog(tmp_path / "log.jsonl") as log:
            thread = DecoderThread(
                OnlineDecoder(model, ring, recording.info, online),
                ring,
                (),
                log,
                header=header,
                on_notice=notices.append,
            )
            thread.start()
            thread.join(60.0)
        # The recording is old news: that decisions are late is said, too.
        return thread, [text for text in notices if text.startswith("no decisions")]

    return go


def test_a_window_on_which_it_raises_has_no_decision(run, model):
    """The reason is one line; every other window is decided as ever; nothing is said of a few."""
    thread, notices = run(flaky(model, lambda n: n % 50 == 0))
    failed = [d for d in thread.decisions if d.reason.startswith("decoder failed")]
    assert thread.error is None
    assert len(failed) == sum(d.probabilities is None for d in thread.decisions) > 5
    assert failed[0].reason == "decoder failed (KeyError: 'weights\\nare gone')"
    assert not notices


def test_after_ten_in_a_row_it_is_said_once(run, model):
    """A decoder that is broken for a while is spoken of each time, and decides when it works."""
    thread, notices = run(flaky(model, lambda n: 20 < n <= 60 or 100 < n <= 120))
    assert thread.error is None
    assert len(notices) == 2
    assert notices[0].startswith("no decisions: the decoder failed (KeyError")
    assert "10 windows in a row" in notices[0]
    assert thread.decisions[-1].probabilities is not None


def test_the_log_of_it_is_verified(run, model, recording, tmp_path):
    """A replay with the same plugin repeats the failures and the decisions to the last bit."""
    again = lambda n: n % 7 == 0  # noqa: E731
    run(flaky(model, again))
    events = list(read_event_log(tmp_path / "log.jsonl"))
    assert any(e.get("reason", "").startswith("decoder failed") for e in events)
    result = replay(recording, flaky(model, again), OnlineSettings(hop_s=0.1))
    said = [d.reason for d in result.decisions]
    logged = [e["reason"] for e in events if e["event"] == "decision"]
    assert said == logged
