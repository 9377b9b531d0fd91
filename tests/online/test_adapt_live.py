"""Rewards by key over a lost connection: what was learned carries on, and is replayed."""

import queue

from bci.acquisition import Acquisition
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import platform_card
from bci.evaluation.training import train_model
from bci.events import Marker
from bci.online import LiveDecoding, verify
from bci.online.teaching import AdaptSettings
from bci.recording import RunRecording
from bci.recording.eventlog import EventLog, read_event_log
from bci.sources.amplifier import AmplifierProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.reading import open_recording


def test_what_was_learned_carries_on_over_a_lost_connection_and_is_replayed(
    person, calibration, tmp_path
):
    """Two trials, the amplifier goes and returns, a third: one state after another, bit for bit."""
    settings = EpochSettings(window_s=(0.3, 1.5), length_s=0.8, step_s=0.4)
    model = train_model([calibration], settings, "ts-lr", cv=False, recenter_s=20.0)
    shown, outcomes, updates = queue.Queue(), queue.Queue(), queue.Queue()
    log_path = tmp_path / "session.jsonl"
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
                model,
                acquisition,
                OnlineSettings(stale_s=2.0),
                log,
                {"model_sha256": "m", "unit": None, "platform": platform_card()},
                outputs=[lambda d: shown.put(d) if d.smoothed is not None else None],
                on_outcome=outcomes.put,
                recorder=lambda: recording.status,
                adapt=AdaptSettings(arm="reward+recenter", told="key"),
                on_update=updates.put,
            )
            live.begin()

            def trial():
                while not shown.empty():
                    shown.get_nowait()
                for _ in range(12):
                    shown.get(timeout=20.0)
                live.take_marker(Marker(lsl_clock(), "left_hand"))
                outcome = outcomes.get(timeout=20.0)
                live.reward(float(outcome.correct))
                live.reward(1.0 - float(outcome.correct))
                return updates.get(timeout=20.0)

            first, second = trial(), trial()
            amplifier.drop(0.25)
            third = trial()
            live.finish()
            recording.stop(completed=True)
        finally:
            acquisition.stop()

    assert not any(update.error for update in (first, second, third))
    assert len({u.state_sha256 for u in (first, second, third)}) == 3
    effect = live.adapter_effect
    assert effect["n_updates"] == effect["n"] == 3
    assert effect["rewards"] == {"used": 3, "contradicted": 3}
    starts = [e for e in read_event_log(log_path) if e["event"] == "online_started"]
    assert len(starts) == 2
    assert [s["adaptation"]["state"]["n"] for s in starts] == [0, 2]
    assert all("recentering_carried_on" not in s for s in starts)
    recorded = open_recording(tmp_path / "run.xdf")
    _, verification = verify(recorded, model, "m", log_path, platform_card())
    assert verification.differences == ()
    assert verification.reproduced
    assert [run.n_updates_identical for run in verification.runs] == [2, 1]
