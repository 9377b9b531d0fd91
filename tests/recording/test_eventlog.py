"""The event log: what was written is read back, and what was changed is found out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import RecordingError, SettingsError
from bci.recording.eventlog import EventLog, read_event_log


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
