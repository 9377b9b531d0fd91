"""The daemon under a service manager, and the decoder inside it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from bci.config import EpochSettings
from bci.daemon.control import ask
from bci.evaluation.training import train_model
from bci.events import Marker
from bci.sources.amplifier import AmplifierProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery, resolve_one
from bci.sources.simulate import simulate_run

WAIT_S = 60.0
PERSON = {"ability": 1.0, "rate_hz": 125.0, "seed": 5, "montage": ("C3", "Cz", "C4", "CP3", "CP4")}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    if os.name != "posix":
        pytest.skip("systemd's protocol is of POSIX")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.settimeout(0.1)
    yield listening
    listening.close()


def pings(manager: socket.socket, seconds: float) -> int:
    """Count watchdog pings for a while."""
    deadline, n = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        try:
            n += b"WATCHDOG=1" in manager.recv(4096)
        except TimeoutError:
            continue
    return n


def test_the_watchdog_is_answered_until_the_recorder_stalls(
    manager: socket.socket, tmp_path: Path, sender: Any, begin_daemon: Callable[..., Any]
) -> None:
    """Ready, then pings; none while the recorder's process hangs; again when it goes on.

    That the amplifier goes away changes nothing.
    """
    sender.start()
    daemon = begin_daemon(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="2000000")
    file = Path(daemon.wait_for_samples(50)["recording"]["now"]["file"])
    assert pings(manager, 1.0) > 0
    sender.stop()
    daemon.wait_for(
        lambda s: s["recording"]["now"]["streams"][0]["state"] != "receiving", "missed the stream"
    )
    assert pings(manager, 1.0) > 0

    recorder = json.loads(file.with_name(file.name + ".recorder").read_text())["pid"]
    os.kill(recorder, signal.SIGSTOP)
    try:
        status = daemon.wait_for(lambda s: s["stalled"], "saw that the recorder hangs")
        assert "recorder has not answered" in status["stalled"]
        pings(manager, 0.5)  # those that were on their way
        assert pings(manager, 1.5) == 0
    finally:
        os.kill(recorder, signal.SIGCONT)
    daemon.wait_for(lambda s: s["stalled"] is None, "went on")
    assert pings(manager, 1.5) > 0
    assert daemon.terminate()[0] == 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of the simulated person."""
    labels = ["left_hand", "right_hand"] * 10
    np.random.default_rng(1).shuffle(labels)
    cues = [Marker(3.0 + 5.0 * k, label) for k, label in enumerate(labels)]
    epochs = EpochSettings(window_s=(0.5, 3.5), length_s=2.0, step_s=0.5)
    trained = train_model([simulate_run(PERSON, cues, 105.0)], epochs, "ts-lr", cv=False)
    path = tmp_path_factory.mktemp("model") / "model.bci"
    trained.save(path)
    return path


def test_decisions_and_quality_are_published_when_asked(
    sender: Any, begin_daemon: Callable[..., Any], model: Path
) -> None:
    """Both are described LSL streams: probabilities, decision, latency; a quality a channel."""
    with AmplifierProcess(person=PERSON, source_id=sender.source_id) as amplifier:
        amplifier.run()
        name = f"decisions {sender.source_id}"
        daemon = begin_daemon(
            f'[decoding]\nmodel = "{model.as_posix()}"\nstale_s = 2.0\npublish = true\n'
            f'name = "{name}"\n[quality]\npublish = true\nname = "quality {name}"\n'
        )
        daemon.wait_for(lambda s: s["decoding"]["newest"], "decoded")
        found = resolve_one(StreamQuery(name=name), WAIT_S)
        inlet = pylsl.StreamInlet(found.handle)
        sample, stamp = inlet.pull_sample(WAIT_S)
        root = inlet.info(5.0).as_xml()
        for label in ("p_left_hand", "p_right_hand", "decision", "latency"):
            assert f"<label>{label}</label>" in root
        assert len(sample) == 4
        assert abs(stamp - pylsl.local_clock()) < 30.0
        quality = resolve_one(StreamQuery(name=f"quality {name}"), WAIT_S)
        judged = pylsl.StreamInlet(quality.handle)
        numbers, _ = judged.pull_sample(WAIT_S)
        assert len(numbers) == len(PERSON["montage"])
        inlet.close_stream()
        judged.close_stream()
        assert daemon.terminate()[0] == 0


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Replay and verify."""
    command = [sys.executable, "-m", "bci", "replay", *arguments, "--verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    return done


def test_each_file_replays_to_the_last_bit_though_the_amplifier_was_killed(
    sender: Any, begin_daemon: Callable[..., Any], model: Path
) -> None:
    """Also the two files that meet at a new one, and the one that ends with the daemon.

    When the amplifier returns, the file goes on; each connection is a run of its own; the log
    names the model.
    """
    name = f'[decoding]\nmodel = "{model.as_posix()}"\nstale_s = 2.0\n'
    daemon = None
    for n_runs in (1, 2):
        with AmplifierProcess(person=PERSON, source_id=sender.source_id) as amplifier:
            amplifier.run()
            daemon = daemon or begin_daemon(name)
            daemon.wait_for(
                lambda s: s["acquisition"]["state"] == "receiving" and s["decoding"]["newest"],
                "decoded",
            )
            ready_s = lsl_clock() + 2.0  # the newest may still be of the run before
            daemon.wait_for(
                lambda s, ready_s=ready_s: s["decoding"]["newest"]["time_s"] > ready_s + 2.0,
                f"decoded in run {n_runs}",
            )
            if n_runs == 2:
                n_begun = daemon.status()["decoding"]["n_begun"] + 1
                ask(daemon.workspace, "new-file", timeout_s=WAIT_S)
                daemon.wait_for(
                    lambda s, n=n_begun: s["decoding"]["n_begun"] == n and s["decoding"]["newest"],
                    "decoded again",
                )
                assert daemon.terminate()[0] == 0
            else:
                crashed = amplifier._child._process  # noqa: SLF001 -- a crash, not a stop
                crashed.kill()
                crashed.join()
    assert daemon is not None
    first, second = sorted(daemon.workspace.rglob("*.xdf"))
    found = json.loads(replay(str(first), "--json").stdout)["verification"]
    assert len(found["runs"]) == 2
    assert found["runs"][0]["ended"] == "connection lost"
    assert found["n_identical"] == found["n_logged"] - found["n_absent"]
    assert all(run["n_identical"] > 10 for run in found["runs"])
    done = replay(str(second), "--model", str(model))
    assert "live decisions reproduced to the last bit" in done.stdout + done.stderr


def test_a_model_that_is_none_stops_no_recording(
    sender: Any, begin_daemon: Callable[..., Any], tmp_path: Path
) -> None:
    """It is said, again and again; what comes is recorded all the same."""
    sender.start()
    (tmp_path / "none.bci").write_bytes(b"no model")
    daemon = begin_daemon('[decoding]\nmodel = "none.bci"\n')
    daemon.wait_for(lambda s: s["decoding"]["n_failures"] >= 2, "tried twice")
    status = daemon.wait_for_samples(200)
    assert status["decoding"]["state"] == "failed"
    assert any("decoding has failed" in notice["text"] for notice in status["notices"])
    assert daemon.terminate()[0] == 0


def test_a_stream_that_comes_back_changed_is_acquired_anew(
    sender: Any, begin_daemon: Callable[..., Any]
) -> None:
    """The recorder gives it a stream of its own in the file, the daemon takes it as it now is."""
    with AmplifierProcess(person=PERSON, source_id=sender.source_id) as amplifier:
        amplifier.run()
        daemon = begin_daemon()
        daemon.wait_for_samples(50)
        daemon.wait_for(lambda s: s["acquisition"]["state"] == "receiving", "acquired it")
        amplifier.drop()
        amplifier.restore(n_channels=3)
        daemon.wait_for(
            lambda s: (
                s["acquisition"].get("n_channels") == 3 and s["acquisition"]["state"] == "receiving"
            ),
            "acquired it anew",
        )
        status = daemon.wait_for(
            lambda s: [x["n_channels"] for x in s["recording"]["now"]["streams"]] == [5, 3],
            "recorded it as another stream",
        )
        assert status["recording"]["n_failures"] == 0
        assert daemon.terminate()[0] == 0


def test_a_port_that_is_taken_stops_no_recording(
    sender: Any, begin_daemon: Callable[..., Any]
) -> None:
    """Without its remote control it records all the same, and says so."""
    sender.start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = begin_daemon(f"[remote]\nenabled = true\nport = {port}\n")
        status = daemon.wait_for_samples(50)
        daemon.wait_for(lambda s: s["state"] == "running", "ran")
        status = daemon.status()
        assert any("NO REMOTE CONTROL" in notice["text"] for notice in status["notices"])
        assert daemon.terminate()[0] == 0
