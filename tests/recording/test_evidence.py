"""A session against its log: what was changed, taken away or added is found out."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bci.errors import RecordingError
from bci.recording.eventlog import EventLog
from bci.recording.evidence import FileState, examine_session, find_sessions


def sha256(content: bytes) -> str:
    """Hash some bytes."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Return the folder of a small session, closed in order."""
    folder = tmp_path / "session"
    folder.mkdir()
    with EventLog(folder / "session.jsonl", clock=lambda: 3.0) as log:
        log.write("session_started")
        for name in ("run-01.xdf", "run-02.xdf", "model.bci"):
            (folder / name).write_bytes(name.encode())
            log.write("recording_finished", file=name, sha256=sha256(name.encode()))
        log.seal()
    return folder


def states(folder: Path) -> dict[str, str]:
    """Return what became of each file."""
    return {file.name: file.state.value for file in examine_session(folder).files}


def test_a_session_that_nobody_touched_is_intact(session: Path) -> None:
    """Every file is ok, the log is sealed, folder and log name the same session."""
    evidence = examine_session(session)
    assert evidence.intact
    assert evidence.logs[0].sealed
    assert evidence.logs[0].n_events == 5
    assert states(session) == {"model.bci": "ok", "run-01.xdf": "ok", "run-02.xdf": "ok"}
    assert examine_session(session / "session.jsonl") == evidence
    assert evidence.state_of(session / "run-01.xdf") is FileState.OK
    assert evidence.state_of(session.parent / "run-01.xdf") is None


def test_each_kind_of_change_is_named(session: Path) -> None:
    """Changed, missing and added files; one flipped bit suffices."""
    (session / "run-01.xdf").write_bytes(b"run-01.xdg")
    (session / "model.bci").unlink()
    (session / "notes.txt").write_text("later")
    evidence = examine_session(session)
    assert not evidence.intact
    assert evidence.problems == ("model.bci is missing", "run-01.xdf was changed")
    assert states(session) == {
        "model.bci": "missing",
        "notes.txt": "not named in the log",
        "run-01.xdf": "changed",
        "run-02.xdf": "ok",
    }
    assert evidence.counts["ok"] == 1


def test_the_last_hash_counts(tmp_path: Path) -> None:
    """A model that was trained again is judged by what the log says of it last."""
    (tmp_path / "model.bci").write_bytes(b"second")
    with EventLog(tmp_path / "session.jsonl") as log:
        log.write("model_trained", file="model.bci", sha256=sha256(b"first"))
        log.write("model_trained", file="model.bci", sha256=sha256(b"second"))
    evidence = examine_session(tmp_path)
    assert evidence.intact
    assert not evidence.logs[0].sealed


def test_a_session_that_was_killed_is_told_from_one_that_was_changed(tmp_path: Path) -> None:
    """A recording without its end in the log, and a last line that is cut, are said, no more."""
    (tmp_path / "run-01.xdf").write_bytes(b"samples")
    with EventLog(tmp_path / "session.jsonl") as log:
        log.write("recording_started", file="run-01.xdf")
    with (tmp_path / "session.jsonl").open("ab") as file:
        file.write(b'{"event": "decis')
    evidence = examine_session(tmp_path)
    assert evidence.intact
    assert not evidence.logs[0].sealed
    assert evidence.logs[0].n_cut_bytes == 16
    assert states(tmp_path) == {"run-01.xdf": "not closed"}


def test_a_broken_chain_is_named_with_its_line(session: Path) -> None:
    """What comes before it still counts; the session is not intact."""
    log = session / "session.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("run-02", "run-09")
    log.write_text("".join(lines))
    evidence = examine_session(session)
    assert not evidence.intact
    assert not evidence.logs[0].sealed
    assert evidence.logs[0].n_events == 2
    assert "line 3" in evidence.problems[0]


def test_a_log_that_was_written_anew_is_found_out_by_its_final_hash(session: Path) -> None:
    """The chain of a forged log holds: only the hash that was kept elsewhere differs."""
    kept = examine_session(session).logs[0].final_chain
    events = [json.loads(line) for line in (session / "session.jsonl").read_text().splitlines()]
    (session / "session.jsonl").unlink()
    (session / "run-01.xdf").write_bytes(b"forged")
    with EventLog(session / "session.jsonl", clock=lambda: 3.0) as log:
        for event in events[:-1]:
            fields = {k: v for k, v in event.items() if k not in ("event", "at_s", "chain")}
            if fields.get("file") == "run-01.xdf":
                fields["sha256"] = sha256(b"forged")
            log.write(event["event"], **fields)
        log.seal()
    evidence = examine_session(session)
    assert evidence.intact
    assert evidence.logs[0].final_chain != kept


def test_names_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    """A log cannot make anybody read a file elsewhere."""
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "session").mkdir()
    with EventLog(tmp_path / "session" / "session.jsonl") as log:
        log.write("recording_finished", file="../secret", sha256=sha256(b"x"))
    assert states(tmp_path / "session") == {"../secret": "missing"}


def test_the_logs_of_several_lives_are_one_session(session: Path) -> None:
    """A file that any of them names is named; each chain is checked, and named by its log."""
    (session / "run-03.xdf").write_bytes(b"third")
    (session / "model.bci").write_bytes(b"trained again")
    with EventLog(session / "session-02.jsonl") as log:
        log.write("recording_finished", file="run-03.xdf", sha256=sha256(b"third"))
        log.write("model_trained", file="model.bci", sha256=sha256(b"trained again"))
        log.seal()
    evidence = examine_session(session)
    assert evidence.intact
    assert [log.path.name for log in evidence.logs] == ["session.jsonl", "session-02.jsonl"]
    assert set(states(session).values()) == {"ok"}
    assert len(evidence.files) == 4
    second = session / "session-02.jsonl"
    second.write_text(second.read_text().replace("model_trained", "model_tuned"))
    assert "session-02.jsonl, line 2" in examine_session(session).problems[0]


def test_only_the_files_that_are_asked_for_are_read(session: Path) -> None:
    """Replaying one run of a day hashes that run; what lies elsewhere is not of the session."""
    other = session.parent / "other.xdf"
    other.write_bytes(b"x")
    (session / "run-02.xdf").unlink()
    evidence = examine_session(session / "session.jsonl", only=[session / "run-01.xdf", other])
    assert [(file.name, file.state) for file in evidence.files] == [("run-01.xdf", FileState.OK)]
    assert evidence.state_of(other) is None


def test_what_holds_no_log_is_refused(tmp_path: Path) -> None:
    """An empty folder, an empty file: one line each."""
    with pytest.raises(RecordingError, match="no event log"):
        examine_session(tmp_path)
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(RecordingError, match="is empty, or is none"):
        examine_session(tmp_path / "a.jsonl")


def test_the_command_ends_with_code_1_for_a_changed_session(session: Path) -> None:
    """`bci verify`: 0 and the final hash; then 1, and one line that names the file."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bci", "verify", str(session), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    good = run()
    assert good.returncode == 0, good.stderr
    assert (
        f"session.jsonl: final hash {examine_session(session).logs[0].final_chain}" in good.stdout
    )
    (session / "run-02.xdf").write_bytes(b"other")
    bad = run("--json")
    assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)
    assert "run-02.xdf was changed" in bad.stderr
    assert json.loads(bad.stdout)["counts"]["changed"] == 1


def test_a_workspace_is_all_the_sessions_in_it(session: Path) -> None:
    """They lie some folders down; one that was changed is named; what has a dot is no session."""
    workspace = session.parent
    other = workspace / "sourcedata" / "sub-S02"
    other.parent.mkdir()
    shutil.copytree(session, other)
    shutil.copytree(session, workspace / ".rolandic" / "x")
    assert find_sessions(workspace) == [session, other]
    assert find_sessions(session) == [session]
    command = [sys.executable, "-m", "bci", "verify", str(workspace), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["intact"]) == (0, True), done.stderr
    (other / "run-01.xdf").write_bytes(b"changed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{other}: run-01.xdf was changed" in done.stderr
    with pytest.raises(RecordingError, match="or a workspace"):
        find_sessions(_empty(workspace))


def test_what_a_running_recorder_needs_is_no_file_of_the_session(session: Path) -> None:
    """It lies beside the recording and goes with its end."""
    before = states(session)
    (session / "run-03.xdf.recorder").write_text("{}")
    assert states(session) == before


def _empty(folder: Path) -> Path:
    """Make an empty folder."""
    (folder / "empty").mkdir()
    return folder / "empty"
