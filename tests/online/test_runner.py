"""The decoder's thread: outputs that fail, streams that fall silent, a full disk."""

import json
import queue
import threading

import numpy as np
import pytest

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.errors import RecordingError
from bci.online import DecoderThread, OnlineDecoder
from bci.recording.eventlog import EventLog, read_event_log


@pytest.fixture
def fed(recording, model):
    """Return a ring that holds the recording, and a decoder of it."""
    n = recording.n_samples
    ring = RingBuffer(n, recording.samples.shape[1])
    times, segments = np.empty(n), np.empty(n, dtype=np.int64)
    StreamClock(recording.info.rate_hz).update(recording.stamps, times, segments)
    ring.write(recording.samples, times, recording.stamps, segments, 0.0)
    return ring, OnlineDecoder(model, ring, recording.info, OnlineSettings())


def run_to_the_end(thread, ring):
    """Let a thread decide what is in the ring."""
    ring.close()
    thread.start()
    thread.join(30.0)


def test_an_output_that_fails_is_left_out_and_the_others_go_on(fed, caplog):
    """One that raises is logged and not called again; the rest get every decision."""
    ring, decoder = fed
    calls, got = [], []

    def broken(decision):
        calls.append(decision)
        raise ZeroDivisionError

    notices = []
    thread = DecoderThread(decoder, ring, [broken, got.append], on_notice=notices.append)
    run_to_the_end(thread, ring)
    assert len(calls) == 1
    assert len(got[:-1]) == len(thread.decisions) > 400
    assert got[-1].reason == "no signal"  # the stream is over
    assert any("not called again" in text for text in notices)
    assert thread.error is None
    assert "not called again" in caplog.text


def test_the_log_holds_every_decision_and_the_start(fed, tmp_path, recording):
    """The log tells a replay where the decoder started, and what it said."""
    ring, decoder = fed
    path = tmp_path / "log.jsonl"
    with EventLog(path) as log:
        thread = DecoderThread(decoder, ring, (), log, header={"settings": {}})
        run_to_the_end(thread, ring)
    start, *events, end = read_event_log(path)
    assert (end["event"], end["n_decisions"]) == ("online_finished", len(thread.decisions))
    assert (start["event"], start["stamp"]) == ("online_started", recording.stamps[0])
    assert [e["smoothed"] for e in events] == [
        None if d.smoothed is None else list(d.smoothed) for d in thread.decisions
    ]


def test_a_log_that_cannot_be_written_is_a_failure_with_a_reason(fed, tmp_path):
    """A full disk ends the decoder, says so once, and loses no decision that was made."""
    ring, decoder = fed
    log = EventLog(tmp_path / "log.jsonl")
    written, failures = [], []

    class Full:
        def write(self, text):
            if len(written) == 4:
                raise OSError(28, "No space left on device")
            written.append(json.loads(text)["event"])
            return len(text)

        def truncate(self, size):
            pass

    log.close()
    log._file = Full()  # noqa: SLF001 -- a disk that fills
    thread = DecoderThread(decoder, ring, (), log, on_failure=failures.append)
    run_to_the_end(thread, ring)
    assert isinstance(thread.error, RecordingError)
    assert "No space left" in str(thread.error)
    assert failures == [thread.error]
    assert len(thread.decisions) == len(written)


def test_a_silent_stream_is_waited_for(recording, model):
    """A stream that is open but sends nothing: outputs hear it, and the decoder goes on waiting."""
    ring = RingBuffer(1000, recording.samples.shape[1])
    decoder = OnlineDecoder(model, ring, recording.info, OnlineSettings())
    heard = queue.SimpleQueue()
    thread = DecoderThread(decoder, ring, [heard.put], silence_s=0.2)
    thread.start()
    assert heard.get(timeout=10.0).reason == "no signal"
    thread.stop()
    assert thread.error is None


def test_stop_decides_what_is_there(fed, recording, model):
    """Hops that are complete when it is stopped are decided before it ends."""
    ring, decoder = fed
    first = threading.Event()
    thread = DecoderThread(decoder, ring, [lambda decision: first.set()])
    thread.start()
    assert first.wait(10.0)
    thread.stop()
    assert thread.decisions[-1].sample + decoder.hop > recording.n_samples
