"""The event log: what was written is read back, and what was changed is found out."""

import hashlib
import json
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import RecordingError, SettingsError
from bci.recording.eventlog import ChainWalk, EventLog, read_event_log


def written(path, n=5):
    """Write a small log and return its lines."""
    with EventLog(path, clock=lambda: 12.5) as log:
        for k in range(n):
            log.write("decision", sample=k, probabilities=[0.1 * k, 1 - 0.1 * k], label="rüh")
    return path.read_text("utf-8").splitlines()


def test_events_come_back_as_they_were(tmp_path):
    """Floats to the last bit, text in any script, in order, with the clock's time."""
    path = tmp_path / "log.jsonl"
    written(path)
    events = list(read_event_log(path))
    assert [event["sample"] for event in events] == [0, 1, 2, 3, 4]
    assert events[3]["probabilities"] == [0.1 * 3, 1 - 0.1 * 3]
    assert events[0] == {
        "event": "decision",
        "at_s": 12.5,
        "sample": 0,
        "probabilities": [0.0, 1.0],
        "label": "rüh",
    }
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", ["edit", "remove", "insert", "swap", "cut"])
def test_a_changed_log_is_found_out(tmp_path, change):
    """Whoever edits, removes, inserts, swaps or cuts a line breaks the chain at that line."""
    path = tmp_path / "log.jsonl"
    lines = written(path)
    if change == "edit":
        lines[2] = lines[2].replace('"sample": 2', '"sample": 7')
    elif change == "remove":
        del lines[2]
    elif change == "insert":
        lines.insert(2, lines[1])
    elif change == "swap":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines[2] = lines[2][:-10]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(RecordingError, match="line 3"):
        list(read_event_log(path))


@given(content=st.binary(max_size=200))
def test_any_other_file_is_refused(tmp_path_factory, content):
    """No bytes but a log's pass for one, and none cause anything but the one error."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError):
        list(read_event_log(path))


@pytest.mark.parametrize("tail", [b'{"event": "dec', "ü".encode()[:1], bytes(300)])
def test_a_last_line_that_is_cut_is_said_and_not_fatal(tmp_path, tail, caplog):
    """After a power cut the lines before it are good: half a line, half a letter, or zeros."""
    path = tmp_path / "log.jsonl"
    written(path)
    with path.open("ab") as file:
        file.write(tail)
    walk = ChainWalk(path)
    assert len(list(walk)) == 5
    assert (walk.n_events, walk.n_cut_bytes, walk.broken) == (5, len(tail), None)
    with caplog.at_level(logging.WARNING):
        assert len(list(read_event_log(path))) == 5
    assert "its last line is cut" in caplog.text


def test_lines_reach_the_disk_within_a_second_and_nobody_waits(tmp_path, monkeypatch):
    """A thread of the log's own syncs; a disk that stalls does not hold up who writes."""
    synced, stall = threading.Event(), threading.Event()

    def slow(descriptor):
        synced.set()
        assert stall.wait(30)

    monkeypatch.setattr("os.fsync", slow)
    log = EventLog(tmp_path / "log.jsonl")
    log.write("first")
    assert synced.wait(10)
    log.write("second, while the disk stalls")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    stall.set()
    log.close()


def test_a_disk_that_refuses_is_said_at_the_next_line(tmp_path, monkeypatch):
    """What did not reach the disk is never passed over."""
    failed = threading.Event()

    def refuse(descriptor):
        failed.set()
        raise OSError(5, "Input/output error")

    log = EventLog(tmp_path / "log.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", refuse)
        log.write("first")
        assert failed.wait(10)
        log._syncer.join(10)  # noqa: SLF001 - ends with the failure
        with pytest.raises(RecordingError, match="Input/output error"):
            log.write("second")
        with pytest.raises(RecordingError, match="does not reach the disk"):
            log.sync()
    log.close()


def test_a_log_is_sealed_with_the_hash_of_every_file(tmp_path):
    """The last event names them all, and the hash that comes back stands for the whole."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.xdf").write_bytes(b"samples")
    (tmp_path / "model.bci").write_bytes(b"model")
    (tmp_path / ".hidden").write_bytes(b"")
    with EventLog(tmp_path / "session.jsonl") as log:
        log.write("first")
        final = log.seal()
        assert log.chain == final
    walk = ChainWalk(tmp_path / "session.jsonl")
    *_, sealed = walk
    assert walk.final == final
    assert sealed["event"] == "sealed"
    assert sealed["files"] == {
        "model.bci": {"sha256": hashlib.sha256(b"model").hexdigest(), "n_bytes": 5},
        "runs/a.xdf": {"sha256": hashlib.sha256(b"samples").hexdigest(), "n_bytes": 7},
    }


def test_a_log_is_never_overwritten(tmp_path):
    """A name that exists is refused and stays as it was."""
    path = tmp_path / "log.jsonl"
    lines = written(path)
    with pytest.raises(SettingsError, match=r"log\.jsonl"):
        EventLog(path)
    assert path.read_text("utf-8").splitlines() == lines
    with pytest.raises(SettingsError):
        EventLog(tmp_path / "nowhere" / "log.jsonl")


def test_what_json_cannot_hold_is_an_error_at_once(tmp_path):
    """A number that is not one never reaches the file."""
    path = tmp_path / "log.jsonl"
    with EventLog(path) as log:
        with pytest.raises(ValueError, match="JSON"):
            log.write("decision", latency_s=float("nan"))
        log.write("after", ok=True)
    assert [json.loads(line)["event"] for line in path.read_text("utf-8").splitlines()] == ["after"]
    assert len(list(read_event_log(path))) == 1


def test_a_line_that_did_not_fit_leaves_the_chain_whole(tmp_path, monkeypatch):
    """What a full disk took of a line is taken back; when there is room again the log goes on."""
    log = EventLog(tmp_path / "log.jsonl")
    log.write("before")
    file = log._file  # noqa: SLF001 -- a disk that fills

    class Full:
        n_left = 10

        def write(self, data):
            if not self.n_left:
                raise OSError(28, "No space left on device")
            n_done, self.n_left = file.write(data[: self.n_left]), 0
            return n_done

        def truncate(self, size):
            return file.truncate(size)

    with monkeypatch.context() as full:
        full.setattr(log, "_file", Full())
        with pytest.raises(RecordingError, match="No space left"):
            log.write("lost")
    log.write("after")
    log.close()
    walk = ChainWalk(log.path)
    assert [event["event"] for event in walk] == ["before", "after"]
    assert walk.broken is None
