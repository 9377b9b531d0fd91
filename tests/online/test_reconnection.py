"""An amplifier that goes away and returns while it is decoded: run after run, and their replay."""

import threading
from functools import partial

import pytest

from bci.acquisition import Acquisition
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import platform_card
from bci.evaluation.training import train_model
from bci.online import LiveDecoding, verify
from bci.online.decision import NO_SIGNAL
from bci.recording import RunRecording
from bci.recording.eventlog import EventLog, read_event_log
from bci.sources.amplifier import AmplifierProcess
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.reading import open_recording

AWAY_S = (0.0, 0.25, 0.8)
"""A sender that is back before anybody looked, one that is started anew, one that was off."""


class Heard:
    """What an output was told, in order."""

    def __init__(self):
        self.all = []
        self._told = threading.Condition()

    def __call__(self, decision):
        """Take a decision."""
        with self._told:
            self.all.append(decision)
            self._told.notify_all()

    def wait_for_shown(self, n, after):
        """Wait until `n` decisions could be shown, of what came after the first `after`."""
        with self._told:
            assert self._told.wait_for(
                lambda: sum(d.smoothed is not None for d in self.all[after:]) >= n, 20.0
            )


@pytest.fixture(scope="module")
def recentering(calibration):
    """Return a model that recentres quickly, with short windows."""
    settings = EpochSettings(window_s=(0.5, 2.5), length_s=0.8, step_s=0.4)
    return train_model([calibration], settings, "ts-lr", cv=False, recenter_s=20.0)


def test_every_decision_over_reconnections_is_replayed_to_the_last_bit(
    person, recentering, tmp_path
):
    """Each connection is a run; what was decided is in the file, or named as the end of a lost one.

    Recorder and acquisition lose and regain the stream at different moments: the next run begins
    where both have it. Meanwhile outputs hear that there is no signal. Recentering carries on.
    """
    heard, log_path = Heard(), tmp_path / "session.jsonl"
    with AmplifierProcess(person=person) as amplifier, EventLog(log_path) as log:
        amplifier.run()
        query = StreamQuery(source_id=amplifier.source_id)
        acquisition = Acquisition(LslSource(query))
        acquisition.start()
        try:
            recording = RunRecording(
                [query], tmp_path / "run.xdf", log, lambda text: None, lambda error: None
            )
            recording.start()
            live = LiveDecoding(
                recentering,
                acquisition,
                OnlineSettings(stale_s=2.0),
                log,
                {"model_sha256": "m", "unit": None, "platform": platform_card()},
                outputs=[heard],
                recorder=lambda: recording.status,
            )
            live.begin()
            heard.wait_for_shown(12, after=0)
            for away_s in AWAY_S:
                amplifier.drop(away_s)
                heard.wait_for_shown(12, after=len(heard.all))
            live.finish()
            recording.stop(completed=True)
        finally:
            acquisition.stop()

    events = list(read_event_log(log_path))
    starts = [e for e in events if e["event"] == "online_started"]
    ends = [e for e in events if e["event"] == "online_finished"]
    assert len(starts) == len(AWAY_S) + 1
    assert [e["reason"] for e in ends] == ["connection lost"] * len(AWAY_S) + ["stopped"]
    assert [e["recording"] for e in starts] == ["run.xdf"] * len(starts)
    for end, start in zip(ends, starts[1:], strict=False):
        assert end["sample"] <= start["sample"]
        between = [d for d in heard.all if end["sample"] <= d.sample <= start["sample"]]
        assert any(d.reason == NO_SIGNAL for d in between)
        assert start["recentering_carried_on"]["learned_s"] > 0
    assert "recentering_carried_on" not in starts[0]

    check = partial(verify, open_recording(tmp_path / "run.xdf"), recentering, "m")
    outcome, verification = check(log_path, platform_card())
    assert verification.differences == ()
    assert verification.reproduced
    assert len(verification.runs) == len(starts)
    assert verification.n_logged == len(live.decisions)
    assert verification.n_identical + verification.n_absent == verification.n_logged
    assert verification.runs[-1].n_absent == 0
    assert all(run.n_identical >= 12 for run in verification.runs)
    assert outcome.moved_db == live.moved_db > 0
