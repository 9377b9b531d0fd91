"""The live way over LSL: an amplifier that falls silent, a consumer that stalls, a replay of it."""

import threading

import pytest

from bci.acquisition import Acquisition
from bci.certification import rehearsal_model
from bci.config import OnlineSettings
from bci.decoders import platform_card
from bci.online import LiveDecoding, verify
from bci.online.decision import LATE, NO_SIGNAL, OVERRAN, STALE
from bci.recording import RunRecording
from bci.recording.eventlog import EventLog
from bci.sources.amplifier import AmplifierProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.reading import open_recording

HANG_S = 1.6


class Consumer:
    """An output that stalls when told to, and remembers what it heard and when."""

    def __init__(self):
        self.heard = []
        self.stall_s = 0.0
        self.decided = threading.Condition()

    def __call__(self, decision):
        """Take a decision."""
        self.heard.append((lsl_clock(), decision))
        stall_s, self.stall_s = self.stall_s, 0.0
        threading.Event().wait(stall_s)
        with self.decided:
            self.decided.notify_all()

    def wait_until(self, true_of, timeout_s=20.0):
        """Wait until a condition is true of all that was heard."""
        with self.decided:
            assert self.decided.wait_for(lambda: true_of(list(self.heard)), timeout_s)


def n_shown(heard):
    """Return how many decisions could be shown."""
    return sum(d.smoothed is not None for _, d in heard)


@pytest.fixture
def amplifier():
    """Return a simulated amplifier that sends."""
    process = AmplifierProcess(person={"ability": 1.0, "rate_hz": 250.0, "montage": ("C3", "C4")})
    process.start()
    process.run()
    yield process
    process.stop()


def test_a_stall_and_an_outage_never_show_old_data_and_are_replayed(amplifier, tmp_path):
    """What came meanwhile is dropped; feedback is withheld; the log reproduces every decision."""
    acquisition = Acquisition(LslSource(StreamQuery(source_id=amplifier.source_id)))
    acquisition.start()
    try:
        model = rehearsal_model(acquisition, listen_s=5.0)
        consumer, log_path = Consumer(), tmp_path / "log.jsonl"
        with EventLog(log_path) as log:
            recording = RunRecording(
                [StreamQuery(source_id=amplifier.source_id)],
                tmp_path / "run.xdf",
                log,
                lambda text: None,
                lambda error: None,
            )
            recording.start()
            identity = {"model_sha256": "m", "unit": None, "platform": platform_card()}
            live = LiveDecoding(
                model, acquisition, OnlineSettings(), log, identity, outputs=[consumer]
            )
            live.begin()
            consumer.wait_until(lambda heard: n_shown(heard) >= 5)
            consumer.stall_s = 0.75
            before = n_shown(consumer.heard)
            consumer.wait_until(lambda heard: n_shown(heard) >= before + 5)
            amplifier.hang(HANG_S)
            before = n_shown(consumer.heard)
            consumer.wait_until(lambda heard: n_shown(heard) >= before + 5)
            live.finish()
            recording.stop(completed=True)
    finally:
        acquisition.stop()
    hop_s = live.latency.lengths.hop / 1e3
    for _, d in consumer.heard:
        if d.smoothed is not None:
            assert d.decoded_s - d.visible_s <= hop_s
    dropped = [d for d in live.decisions if d.reason in (LATE, STALE, OVERRAN)]
    assert len(dropped) >= 5
    silent = [(now, d) for now, d in consumer.heard if d.reason == NO_SIGNAL]
    assert silent
    newest_s = next(d.time_s for _, d in silent)
    assert silent[0][0] - newest_s < 1.5  # 1 s, and what the machine's other programs take
    assert "gap" in {d.reason for d in live.decisions if d.sample > silent[0][1].sample}
    recorded = open_recording(tmp_path / "run.xdf")
    outcome, verification = verify(recorded, model, "m", log_path, platform_card())
    assert verification.differences == ()
    assert verification.n_identical == verification.n_logged == len(live.decisions)
    assert verification.reproduced
    assert outcome.decisions
