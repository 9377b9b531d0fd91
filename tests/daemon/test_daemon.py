"""``bci daemon`` as a process: what it records, how it ends, what it survives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.daemon.control import ask
from bci.errors import RolandicError

posix = pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")


def files(daemon: Any) -> list[Path]:
    """Return the recordings, in order."""
    return sorted((daemon.workspace / "sourcedata").rglob("*.xdf"))


def test_every_sample_up_to_the_signal_is_in_the_file(
    sender: Any, begin_daemon: Callable[..., Any], counters: Callable[..., np.ndarray]
) -> None:
    """TERM ends it with code 0; the file holds every sample from its first on, and is read back."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(200)
    n_before = sender.n_sent
    code, said = daemon.terminate()
    assert code == 0, said
    (file,) = files(daemon)
    numbers = counters(file, sender.source_id)
    np.testing.assert_array_equal(np.diff(numbers), 1)
    assert numbers[-1] >= n_before - 1
    assert f"read back: {len(numbers):,} of {len(numbers):,} samples" in said


@pytest.mark.skipif(sys.platform == "win32", reason="CTRL_C reaches the whole console")
def test_ctrl_c_is_as_orderly_as_term(sender: Any, begin_daemon: Callable[..., Any]) -> None:
    """INT ends it with code 0 too, and leaves no recorder and no socket behind."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(20)
    daemon.signal(signal.SIGINT)
    code, said = daemon.finish()
    assert code == 0, said
    assert not list(daemon.workspace.rglob("*.recorder"))
    assert sorted(p.name for p in (daemon.workspace / ".rolandic").iterdir()) == [
        "daemon.lock",
        "daemon.log",
    ]


@posix
def test_hup_begins_a_new_file_and_loses_nothing(
    sender: Any, begin_daemon: Callable[..., Any], counters: Callable[..., np.ndarray]
) -> None:
    """Each sample is in one file or both; those in both are where they meet."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(100)
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(lambda s: len(s["recording"]["finished"]) == 1, "ended the first file")
    daemon.wait_for_samples(100)
    assert daemon.terminate()[0] == 0
    first, second = (counters(file, sender.source_id) for file in files(daemon))
    np.testing.assert_array_equal(np.diff(first), 1)
    np.testing.assert_array_equal(np.diff(second), 1)
    assert first[0] < second[0] <= first[-1] + 1 < second[-1]


@posix
def test_hup_while_nothing_is_recorded_is_answered_in_words(
    begin_daemon: Callable[..., Any],
) -> None:
    """There is no file to follow: that is said, and is no fault."""
    daemon = begin_daemon("[recording]\nat_start = false\n")
    daemon.wait_for(lambda s: s["state"] == "running", "ran")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(
        lambda s: any("no new file" in notice["text"] for notice in s["notices"]), "said why"
    )
    assert daemon.terminate()[0] == 0  # `finish` looks for tracebacks


def test_the_socket_does_what_signals_do(sender: Any, begin_daemon: Callable[..., Any]) -> None:
    """``--new-file`` and ``--stop`` work wherever signals do not."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(20)
    command = [sys.executable, "-m", "bci", "daemon", str(daemon.settings)]
    done = subprocess.run([*command, "--new-file"], capture_output=True, text=True, check=True)
    assert "run-02" in done.stdout.replace("\n", "")
    subprocess.run([*command, "--stop"], capture_output=True, text=True, check=True)
    assert daemon.finish()[0] == 0
    assert len(files(daemon)) == 2
    again = subprocess.run([*command, "--stop"], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "no daemon works in this workspace" in again.stderr


def test_one_daemon_a_workspace(sender: Any, begin_daemon: Callable[..., Any]) -> None:
    """A second one is refused in one line, and the first does not notice."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(20)
    code, said = begin_daemon().finish()
    assert code == 2
    assert said.startswith("error: ")
    assert "another daemon works in this workspace" in said
    assert len(said.splitlines()) == 1
    daemon.wait_for_samples(60)
    assert daemon.terminate()[0] == 0


def test_a_stream_that_is_missing_is_waited_for(
    sender: Any, begin_daemon: Callable[..., Any], counters: Callable[..., np.ndarray]
) -> None:
    """It starts without the amplifier, says so, and records it from its first sample on."""
    daemon = begin_daemon()
    status = daemon.wait_for(
        lambda s: (
            any("there is no LSL stream with" in n["text"] for n in s["notices"])
            and any("no LSL stream with" in check["detail"] for check in s["preflight"])
            and "no LSL stream with" in s["acquisition"]["reason"]
        ),
        "said that it waits",
    )
    assert status["acquisition"]["state"] == "waiting"
    assert len([n for n in status["notices"] if sender.source_id in n["text"]]) == 1
    assert [s["state"] for s in status["recording"]["now"]["streams"]] == ["waiting"]
    sender.start()
    daemon.wait_for_samples(100)
    status = daemon.wait_for(lambda s: s["acquisition"]["state"] == "receiving", "acquired it")
    (check,) = [c for c in status["preflight"] if c["name"] == sender.source_id]
    assert (check["status"], check["detail"][:3]) == ("ok", "was")
    sender.stop()
    sender.start()
    status = daemon.wait_for(
        lambda s: s["acquisition"]["n_outages"] and s["acquisition"]["state"] == "receiving",
        "took it up again",
    )
    said = [n["text"] for n in status["notices"] if sender.source_id in n["text"]]
    assert [text for text in said if "its connection ended" in text] == said[2:3]
    assert len(said) <= 5, said  # waited for, joined, perhaps silent, lost, back
    assert daemon.terminate()[0] == 0
    steps = np.diff(counters(files(daemon)[0], sender.source_id))
    assert np.count_nonzero(steps != 1) <= 1  # what was sent before it was found again
    assert steps.min() == 1


def test_a_killed_daemon_costs_no_sample(
    sender: Any, begin_daemon: Callable[..., Any], counters: Callable[..., np.ndarray]
) -> None:
    """The recorder goes on; the next daemon takes it over, and the one file has it all."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(100)
    daemon.process.kill()
    daemon.process.wait()
    with pytest.raises(RolandicError, match=r"is recorded on.*takes it over"):
        ask(daemon.workspace, "status")
    daemon = begin_daemon()
    status = daemon.wait_for_samples(200)
    assert any("was taken over" in notice["text"] for notice in status["notices"])
    assert daemon.terminate()[0] == 0
    (file,) = files(daemon)
    np.testing.assert_array_equal(np.diff(counters(file, sender.source_id)), 1)
    assert sorted(p.name for p in file.parent.glob("*.jsonl")) == [
        "session-02.jsonl",
        "session.jsonl",
    ]


def test_a_killed_recorder_is_followed_by_a_new_one(
    sender: Any, begin_daemon: Callable[..., Any], counters: Callable[..., np.ndarray]
) -> None:
    """What was acknowledged is in the old file, a new file begins, and it is said loudly."""
    sender.start()
    daemon = begin_daemon()
    acknowledged = daemon.wait_for_samples(100)["recording"]["now"]["streams"][0]["n_written"]
    (first,) = files(daemon)
    kill_recorder(first)
    status = daemon.wait_for(
        lambda s: s["recording"]["now"] and s["recording"]["now"]["file"] != str(first),
        "began a new file",
    )
    said = [n["text"] for n in status["notices"] if "NOT RECORDING" in n["text"]]
    assert f"bci repair {first}" in said[0]
    daemon.wait_for_samples(50)
    daemon.wait_for(
        lambda s: any(f"follows {first.name}: about" in n["text"] for n in s["notices"]),
        "said what is missing",
    )
    assert daemon.terminate()[0] == 0
    assert len(counters(first, sender.source_id)) >= acknowledged
    np.testing.assert_array_equal(np.diff(counters(files(daemon)[1], sender.source_id)), 1)


def kill_recorder(path: Path) -> None:
    """Kill the recorder of a file as no program can prevent."""
    import json

    place = path.with_name(path.name + ".recorder")
    os.kill(json.loads(place.read_text(encoding="utf-8"))["pid"], getattr(signal, "SIGKILL", 9))


def test_quality_and_recording_are_in_the_status(
    sender: Any, begin_daemon: Callable[..., Any], bci_status: Callable[..., Any]
) -> None:
    """``bci status`` shows the file, the stream and each channel; ``--json`` is one document."""
    sender.start()
    daemon = begin_daemon()
    status = daemon.wait_for(
        lambda s: s["quality"] is not None and len(s["preflight"]) >= 3, "judged the channels"
    )
    assert [row["channel"] for row in status["quality"]] == ["C3", "C4"]
    assert all(check["status"] != "failed" for check in status["preflight"]), status["preflight"]
    shown = bci_status(str(daemon.settings))
    assert "recording to" in shown
    assert sender.source_id[:8] in shown
    assert '"version": 1' in bci_status(str(daemon.workspace), "--json")
    assert daemon.terminate()[0] == 0


@pytest.fixture
def bci_status() -> Callable[..., str]:
    """``bci_status(*arguments)``: what the command prints."""

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "bci", "status", *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def test_a_disk_that_is_not_mounted_is_not_filled_in_its_place(
    begin_daemon: Callable[..., Any], tmp_path: Path
) -> None:
    """A workspace whose parent is not there is refused, in one line, and nothing is made."""
    begin_daemon()
    settings = tmp_path / "elsewhere.toml"
    text = (tmp_path / "session.toml").read_text(encoding="utf-8")
    settings.write_text(text.replace('"lab"', '"disk/rolandic/lab"'), encoding="utf-8")
    command = [sys.executable, "-m", "bci", "daemon", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "mount its disk" in line
    assert not (tmp_path / "disk").exists()


def test_settings_that_are_wrong_end_it_in_one_line(
    tmp_path: Path, begin_daemon: Callable[..., Any]
) -> None:
    """Code 2, the file, the line, the key; no workspace is made."""
    code, said = begin_daemon("[recording]\nsync_ms = 5\n").finish()
    assert code == 2
    assert said.splitlines() == [
        f"error: {tmp_path / 'session.toml'}, line 8: recording.sync_ms is no setting: "
        "is 'sync_s' meant?"
    ]
    assert not (tmp_path / "lab").exists()


@posix
def test_its_files_are_private(sender: Any, begin_daemon: Callable[..., Any]) -> None:
    """Folders have mode 0700, files 0600."""
    sender.start()
    daemon = begin_daemon()
    daemon.wait_for_samples(20)
    open_to_others = [
        path
        for path in (daemon.workspace, *daemon.workspace.rglob("*"))
        if path.stat().st_mode & 0o077 and not path.is_socket()
    ]
    assert not open_to_others
    assert daemon.terminate()[0] == 0


def test_nothing_answers_when_it_has_ended(sender: Any, begin_daemon: Callable[..., Any]) -> None:
    """A workspace whose daemon was killed says so, and the next daemon can have it."""
    sender.start()
    daemon = begin_daemon("[recording]\nat_start = false\n")
    daemon.wait_for(lambda s: s["state"] == "running", "ran")
    daemon.process.kill()
    daemon.process.wait()
    with pytest.raises(RolandicError, match=r"is gone.*nothing is recorded"):
        ask(daemon.workspace, "status")
    daemon = begin_daemon("[recording]\nat_start = false\n")
    status = daemon.wait_for(lambda s: s["state"] == "running", "ran again")
    assert status["recording"]["state"] == "stopped"
    began = time.monotonic()
    assert daemon.terminate()[0] == 0
    assert time.monotonic() - began < 10.0
