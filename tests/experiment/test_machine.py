"""The experiment over real LSL: recordings played by an amplifier in another process."""

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pylsl
import pytest

from bci.config import EpochSettings, OnlineSettings
from bci.decoders import load_model, platform_card
from bci.errors import ModelError, RecordingError, RolandicError, StreamError
from bci.events import Marker
from bci.experiment import Experiment, ExperimentError, RunContext, State
from bci.online import DecisionOutlet, verify
from bci.paradigm import play_run
from bci.recording import RecorderProcess
from bci.recording.eventlog import read_event_log
from bci.sources.amplifier import AmplifierProcess
from bci.sources.discovery import StreamQuery
from bci.sources.reading import open_recording, recording_hash
from bci.sources.recording import Recording
from bci.sources.simulate import simulate_run

PERSON = {"ability": 1.0, "rate_hz": 125.0, "montage": ("C3", "Cz", "C4", "CP3", "CP4")}
EPOCHS = EpochSettings(window_s=(0.5, 2.5), length_s=1.5, step_s=0.5)
ONLINE = OnlineSettings(smoothing="evidence")


def run_of(n_trials: int, seed: int) -> Recording:
    """Return a simulated run with a cue every four seconds."""
    labels = ["left_hand", "right_hand"] * (n_trials // 2)
    np.random.default_rng(seed).shuffle(labels)
    cues = [Marker(2.0 + 4.0 * k, label) for k, label in enumerate(labels)]
    return simulate_run(PERSON | {"seed": 3}, cues, 4.0 * n_trials + 2.0)


def play(amplifier: AmplifierProcess, index: int, speed: float, context: RunContext) -> bool:
    """Play a recording, its stamps ending before the present."""
    back_s = sum(amplifier.durations_s()) + 10 if speed > 1 else 0.0
    return play_run(
        amplifier, index, context.ring, context.cancelled, speed=speed, backdate_s=back_s
    )


@pytest.fixture(scope="module")
def amplifier() -> Iterator[AmplifierProcess]:
    """Return an amplifier that holds a run for calibration and one to decode."""
    with AmplifierProcess([run_of(20, 1), run_of(4, 2)], name="test amplifier") as amplifier:
        yield amplifier


def connected(
    folder: Path, amplifier: AmplifierProcess, recenter_s: float | None = None
) -> Experiment:
    """Return an experiment that acquires the amplifier."""
    experiment = Experiment(folder, EPOCHS, ONLINE, decoder="acm-svm", recenter_s=recenter_s)
    experiment.connect(
        StreamQuery(source_id=amplifier.source_id),
        StreamQuery(source_id=amplifier.marker_source_id),
    )
    return experiment


def test_a_session_from_connecting_to_its_replay(tmp_path, amplifier):
    """Calibrate, train, decode live; files hold every sample; a replay repeats every decision.

    The model recentres: what it learned live, the replay learns again.
    """
    experiment = connected(tmp_path / "session", amplifier, recenter_s=30.0)
    states, outcomes = [experiment.state], []
    experiment.events.state_changed.connect(states.append)
    experiment.events.trial_finished.connect(outcomes.append)
    outlet = DecisionOutlet(("left_hand", "right_hand"), "decisions", f"{tmp_path.name}-out")
    (found,) = pylsl.resolve_byprop("source_id", f"{tmp_path.name}-out", 1, 5.0)
    published = pylsl.StreamInlet(found, recover=False)
    published.open_stream(5.0)
    try:
        path = experiment.calibrate(partial(play, amplifier, 0, 20.0))
        model = experiment.train()
        result = experiment.go_online(partial(play, amplifier, 1, 1.0), outputs=[outlet])
        said, said_at = published.pull_chunk(1.0, len(result.decisions))
    finally:
        experiment.close()

    assert states == [
        State.MONITORING,
        State.CALIBRATING,
        State.MONITORING,
        State.TRAINED,
        State.ONLINE,
        State.TRAINED,
        State.CLOSED,
    ]
    sent = [run_of(20, 1), run_of(4, 2)]
    for source, file in zip(sent, (path, result.recording), strict=True):
        kept = open_recording(file)
        np.testing.assert_array_equal(
            kept.samples, (source.samples * 1e6).astype(np.float32).astype(float) * 1e-6
        )
        np.testing.assert_allclose(np.diff(kept.stamps), 1 / 125.0, atol=1e-9)
        assert [m.label for m in kept.markers] == [m.label for m in source.markers]
        np.testing.assert_allclose(
            [m.time_s - kept.stamps[0] for m in kept.markers],
            [m.time_s - source.stamps[0] for m in source.markers],
            atol=1e-3,
        )
    assert [o.cue for o in outcomes] == [m.label for m in sent[1].markers]
    assert all(0 < d.latency_s < 0.2 for d in result.decisions if d.probabilities)
    # A hop of 12 samples, a first window of 188: every hop from then on.
    assert len(result.decisions) == 18 * 125 // 12 - -(-188 // 12) + 1
    assert said_at == [d.time_s for d in result.decisions]
    for values, decision in zip(said, result.decisions, strict=True):
        assert decision.smoothed is None or tuple(values[:2]) == decision.smoothed
        named = None if values[2] < 0 else ("left_hand", "right_hand")[int(values[2])]
        assert named == decision.label

    log = tmp_path / "session" / "session.jsonl"
    recording, saved = open_recording(result.recording), load_model(experiment.model_path)
    again, verification = verify(
        recording, saved, recording_hash(experiment.model_path), log, platform_card()
    )
    assert verification.same_machine
    assert verification.n_identical == verification.n_logged == len(result.decisions)
    assert verification.reproduced
    assert again.moved_db == result.moved_db > 0.1
    assert [t.decoded for t in again.trials] == [t.decoded for t in outcomes]
    assert sum(t.correct for t in again.trials) >= 3
    assert model.card["recordings"][0]["sha256"] == recording_hash(path)

    # What was not decided by this model, or not recorded in this file, cannot be verified.
    with pytest.raises(ModelError, match="another model"):
        verify(recording, saved, "0" * 64, log, platform_card())
    with pytest.raises(RecordingError, match="is it the recording of that session"):
        verify(open_recording(path), saved, "0" * 64, log, platform_card())
    # A sample changed after the fact is found out.
    samples = recording.samples.copy()
    samples[1500, 0] += 1e-9
    forged = Recording(
        recording.path,
        recording.info,
        samples,
        recording.stamps,
        recording.clock_offsets,
        recording.markers,
    )
    _, verification = verify(
        forged, saved, recording_hash(experiment.model_path), log, platform_card()
    )
    assert not verification.reproduced
    # So is a log whose tail is missing, which no chain of hashes can show,
    text = log.read_text(encoding="utf-8")
    tail = log.with_name("tail.jsonl")
    tail.write_text("".join(text.splitlines(keepends=True)[:-40]), "utf-8")
    _, verification = verify(
        recording, saved, recording_hash(experiment.model_path), tail, platform_card()
    )
    assert verification.n_identical == verification.n_logged < len(result.decisions)
    assert not verification.complete
    assert not verification.reproduced
    # and a log that was changed.
    log.write_text(text.replace('"label": "left_hand"', '"label": "right_hand"', 1), "utf-8")
    with pytest.raises(RecordingError, match="chain of hashes is broken"):
        list(read_event_log(log))


def test_a_stream_that_dies_keeps_what_came(tmp_path):
    """When the amplifier goes in mid-run it is said, and the file holds what came before."""
    with AmplifierProcess([run_of(4, 2)], name="dying amplifier") as dying:
        experiment = connected(tmp_path / "session", dying)

        def run(context: RunContext) -> bool:
            dying.play(0, 1.0)
            assert context.ring.wait_for(300, 10.0)  # the recorder is a little behind
            dying._child._process.kill()  # noqa: SLF001 -- a crash, not a stop
            return play_run(dying, 0, context.ring, context.cancelled)

        with pytest.raises(RolandicError, match=r"dying amplifier|amplifier process ended"):
            experiment.calibrate(run)
        experiment.close()
    kept = open_recording(tmp_path / "session" / "calibration-01.xdf")
    assert kept.n_samples >= 250
    truth = (run_of(4, 2).samples * 1e6).astype(np.float32).astype(float) * 1e-6
    np.testing.assert_array_equal(kept.samples, truth[: kept.n_samples])


def test_a_run_that_failed_does_not_block_the_next(tmp_path, amplifier):
    """A run that raised keeps its file, is not learned from, and another can be made."""
    experiment = connected(tmp_path / "session", amplifier)

    def broken(context: RunContext) -> bool:
        raise ZeroDivisionError("a fault of the paradigm")

    try:
        with pytest.raises(ZeroDivisionError):
            experiment.calibrate(broken)
        assert experiment.state is State.MONITORING
        assert experiment.calibrations == []
        path = experiment.calibrate(lambda context: True)
        assert experiment.calibrations == [path]
        assert sorted(p.name for p in (tmp_path / "session").glob("*.xdf")) == [
            "calibration-01.xdf",
            "calibration-02.xdf",
        ]
    finally:
        experiment.close()


def test_a_recorder_that_dies_ends_the_run(tmp_path, amplifier, monkeypatch):
    """When nothing is recorded any more the run is ended at once, and it is said why."""
    recorders = []
    start = RecorderProcess.start

    def started(recorder: RecorderProcess) -> None:
        start(recorder)
        recorders.append(recorder)

    monkeypatch.setattr(RecorderProcess, "start", started)
    experiment = connected(tmp_path / "session", amplifier)

    def run(context: RunContext) -> bool:
        os.kill(recorders[0].pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # a crash
        assert context.cancelled.wait(10.0)
        return False

    try:
        with pytest.raises(RolandicError, match="recorder process ended"):
            experiment.calibrate(run)
        assert experiment.state is State.MONITORING
    finally:
        experiment.close()


def test_a_listener_that_fails_leaves_the_run_alone(tmp_path, amplifier, caplog):
    """An event's listener that raises is logged; the run is recorded and used all the same."""
    experiment = connected(tmp_path / "session", amplifier)

    def broken(state: State) -> None:
        raise ZeroDivisionError(state)

    experiment.events.state_changed.connect(broken)
    try:
        path = experiment.calibrate(lambda context: True)
    finally:
        experiment.close()
    assert experiment.calibrations == [path]
    assert experiment.state is State.CLOSED
    assert "a listener of state_changed failed" in caplog.text


def test_closing_ends_a_run_first(tmp_path, amplifier):
    """Closed from another thread in mid-run: the file is whole, the log complete, closed stays."""
    experiment = connected(tmp_path / "session", amplifier)
    closer = threading.Thread(target=experiment.close)

    def run(context: RunContext) -> bool:
        closer.start()
        return not context.cancelled.wait(10.0)

    experiment.calibrate(run)
    closer.join(10.0)
    assert experiment.state is State.CLOSED
    events = [e["event"] for e in read_event_log(tmp_path / "session" / "session.jsonl")]
    assert events[-4:] == ["recording_finished", "disconnected", "session_closed", "sealed"]


def test_stop_ends_a_run_early(tmp_path, amplifier):
    """A run that is stopped is recorded until then, and the experiment goes on."""
    experiment = connected(tmp_path / "session", amplifier)

    def run(context: RunContext) -> bool:
        experiment.stop()
        return play(amplifier, 0, 1.0, context)

    try:
        experiment.calibrate(run)
        assert experiment.state is State.MONITORING
        assert experiment.recorded[0].streams[0].n_samples < run_of(20, 1).n_samples
    finally:
        experiment.close()


def test_what_the_state_does_not_allow_is_refused_with_the_reason(tmp_path):
    """Each step says why it is not ready."""
    experiment = Experiment(tmp_path / "session", EPOCHS, ONLINE)
    assert experiment.why_not("connect") is None
    assert "no stream" in str(experiment.why_not("calibrate"))
    with pytest.raises(ExperimentError, match="no calibration run"):
        experiment.train()
    with pytest.raises(ExperimentError, match="no stream"):
        experiment.go_online(lambda context: True)
    experiment.close()
    experiment.close()
    with pytest.raises(ExperimentError, match="closed"):
        experiment.connect(StreamQuery(source_id="nobody"))


def test_a_missing_marker_stream_leaves_nothing_connected(tmp_path, amplifier):
    """When the second of two streams is not there, the first is let go of."""
    experiment = Experiment(tmp_path / "session", EPOCHS, ONLINE)
    with pytest.raises(StreamError, match="nobody"):
        experiment.connect(
            StreamQuery(source_id=amplifier.source_id),
            StreamQuery(source_id="nobody"),
            timeout_s=0.5,
        )
    assert experiment.acquisition is None
    assert experiment.state is State.IDLE
    experiment.close()
