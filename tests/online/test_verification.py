"""Verifying the runs of a recording: what is not in the file, whose log it is, which model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci.acquisition import RingBuffer, StreamClock
from bci.config import OnlineSettings
from bci.errors import ModelError, RecordingError
from bci.online import DecoderThread, OnlineDecoder, verify
from bci.online.logged import logged_model, logged_start, logged_stream
from bci.recording.eventlog import EventLog
from bci.sources.files import recording_hash

ONLINE = OnlineSettings(hop_s=0.1)
LOST_AT, BACK_AT = 2000, 2040
"""The live stream's samples from the loss of a connection, and from where the next run begins."""


@pytest.fixture
def logged(recording, model, tmp_path):
    """Return a log of two runs on the recording: the first connection ends at `LOST_AT`."""

    def log_of(named="run.xdf", path=tmp_path / "session.jsonl", lost_at=LOST_AT):
        n = recording.n_samples
        ring = RingBuffer(n, recording.samples.shape[1])
        times, segments = np.empty(n), np.empty(n, dtype=np.int64)
        StreamClock(recording.info.rate_hz).update(recording.stamps, times, segments)
        ring.write(recording.samples, times, recording.stamps, segments, 0.0)
        ring.close()

        def decoder(start, until):
            return OnlineDecoder(
                model, ring, recording.info, ONLINE, start_sample=start, until=lambda: until
            )

        runs = iter([decoder(100, lost_at), decoder(BACK_AT, None)])
        header = {
            "settings": ONLINE.model_dump(),
            "model_sha256": "m",
            "model": "model.bci",
            "platform": {},
            "unit": None,
            "recording": named,
        }
        with EventLog(path) as log:
            thread = DecoderThread(
                None, ring, (), log, header=header, next_run=lambda: next(runs, None), hop_s=0.1
            )
            thread.start()
            thread.join(30.0)
        assert thread.error is None
        return path, thread.decisions

    return log_of


def file_of(recording, ended=LOST_AT, began=LOST_AT, name="run.xdf"):
    """Return what a recorder wrote that lost the stream at one sample and had it again at another.

    The stamps stay what they were.
    """
    kept = np.r_[0:ended, began : recording.n_samples]
    return replace(
        recording,
        path=Path(name),
        samples=recording.samples[kept],
        stamps=recording.stamps[kept],
        returns=(ended,),
        gaps=(ended,),
    )


def test_both_runs_are_verified(recording, model, logged):
    """Each is replayed from its own start in the file; their sums are told."""
    path, decisions = logged()
    outcome, verification = verify(file_of(recording), model, "m", path, {})
    assert verification.reproduced
    assert [run.ended for run in verification.runs] == ["connection lost", "stream over"]
    assert verification.n_logged == verification.n_identical == len(decisions) > 350
    assert len(outcome.decisions) == len(decisions)
    assert [trial.decoded for trial in outcome.trials].count(None) <= 1


def test_nothing_behind_a_loss_is_decided(model, recording, logged):
    """The run ends with its connection, though the ring holds more."""
    _, decisions = logged()
    samples = [d.sample for d in decisions]
    assert not [s for s in samples if LOST_AT < s < BACK_AT]
    assert max(s for s in samples if s <= LOST_AT) > LOST_AT - 13


def test_the_end_of_a_lost_connection_may_be_missing_in_the_file(recording, model, logged):
    """The recorder lost it 20 samples before, and had it again 15 before the next run began."""
    path, decisions = logged()
    file = file_of(recording, ended=LOST_AT - 20, began=BACK_AT - 15)
    _, verification = verify(file, model, "m", path, {})
    assert verification.reproduced
    first = verification.runs[0]
    assert first.n_absent == verification.n_absent in (1, 2)
    assert first.absent == tuple(
        [d.sample for d in decisions if LOST_AT - 20 < d.sample <= LOST_AT][:: first.n_absent - 1]
        if first.n_absent > 1
        else [decisions[first.n_logged - 1].sample] * 2
    )
    assert verification.n_identical == verification.n_logged - verification.n_absent


def test_what_no_loss_explains_is_a_failure(recording, model, logged):
    """A file that lacks more than the recorder can have missed, or a run's start, is told."""
    path, _ = logged()
    _, verification = verify(file_of(recording, ended=LOST_AT - 400), model, "m", path, {})
    assert not verification.reproduced
    assert verification.n_failed == verification.n_absent > 30
    assert "not in the file" in verification.differences[0]

    _, verification = verify(file_of(recording, began=BACK_AT + 1), model, "m", path, {})
    assert not verification.reproduced
    assert verification.runs[0].n_absent == 0
    assert verification.runs[1].n_absent == verification.runs[1].n_logged
    assert "first sample is not in the file" in verification.differences[0]


def test_a_file_that_ends_too_soon_without_a_loss_is_a_failure(recording, model, logged):
    """The last run was not lost: what its file lacks has been taken away."""
    path, _ = logged()
    whole = file_of(recording)
    cut = replace(whole, samples=whole.samples[:-30], stamps=whole.stamps[:-30])
    _, verification = verify(cut, model, "m", path, {})
    assert verification.n_failed == verification.runs[1].n_absent > 0
    assert not verification.reproduced


def test_runs_of_another_file_are_left_out_and_a_renamed_file_is_known(
    recording, model, logged, tmp_path
):
    """Files that follow each other overlap: a run belongs to the one that it names."""
    path, _ = logged(named="next.xdf")
    file = file_of(recording)
    _, verification = verify(file, model, "m", path, {})  # nothing names this one: its stamps do
    assert len(verification.runs) == 2
    with pytest.raises(RecordingError, match="holds none of the 2 online runs"):
        verify(replace(file, stamps=file.stamps + 1e4), model, "m", path, {})
    assert logged_start(path, Path("next.xdf"))["recording"] == "next.xdf"
    assert logged_start(path, Path("renamed.xdf"))["recording"] == "next.xdf"


def test_the_model_is_found_by_its_hash(model, tmp_path):
    """Where the log says, or under another name beside the log; else it is asked for."""
    log, saved = tmp_path / "session.jsonl", tmp_path / "renamed.bci"
    model.save(saved)
    start = {"model": "../elsewhere/model.bci", "model_sha256": recording_hash(saved)}
    assert logged_model(log, start) == saved
    with pytest.raises(ModelError, match="give it with --model"):
        logged_model(log, start | {"model_sha256": "0" * 64})
    with pytest.raises(ModelError, match="holds no online run"):
        logged_model(log, {})


def test_of_two_segments_the_one_with_the_runs_is_chosen(recording, logged, monkeypatch):
    """A stream that came back changed has one of its own in the file; else nothing is chosen."""

    class Stream:
        def __init__(self, stream_id, stamps):
            self.stream_id, self.stamps = stream_id, stamps

        def text(self, name):
            return "EEG"

    class File:
        streams = (Stream(2, recording.stamps - 1e4), Stream(5, recording.stamps))

    path, _ = logged()
    monkeypatch.setattr("bci.online.logged.load_streams", lambda path: File)
    assert logged_stream(Path("run.xdf"), path) == "5"
    File.streams = File.streams[1:]
    assert logged_stream(Path("run.xdf"), path) is None
    File.streams = (*File.streams, Stream(7, recording.stamps))
    with pytest.raises(RecordingError, match=r"choose one with --stream \(5, 7\)"):
        logged_stream(Path("run.xdf"), path)
