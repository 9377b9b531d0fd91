"""A day of the daemon in one test: whatever happens, what was acknowledged is in a file."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.config import EpochSettings
from bci.daemon.control import ask
from bci.errors import RolandicError
from bci.evaluation.training import train_model
from bci.events import Marker
from bci.recording.evidence import examine_session
from bci.sources.amplifier import AmplifierProcess
from bci.sources.reading import open_recording
from bci.sources.simulate import simulate_run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="systemd's protocol is of POSIX")

WAIT_S = 60.0
WATCHDOG_S = 10.0
PERSON = {"ability": 1.0, "rate_hz": 125.0, "seed": 5, "montage": ("C3", "Cz", "C4", "CP3", "CP4")}


class Supervisor:
    """What systemd does with the unit: `sd_notify`, the watchdog, `Restart=on-failure`."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._command = command
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(0.1)
        self._environment = {
            **os.environ,
            **environment,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
        }
        self._said = (folder / "said").open("ab")
        self.told: list[dict[str, str]] = []
        self.n_starts = 0
        self.exit_code: int | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test supervisor")
        self._thread.start()

    def _run(self) -> None:
        while self.exit_code is None:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stderr=self._said, stdin=subprocess.DEVNULL
            )
            self.n_starts += 1
            code = self._watch()
            # Ended by a signal, or by a fault: again. Exit code 0, and any after stop: the end.
            if code == 0 or self._ending.is_set():
                self.exit_code = code

    def _watch(self) -> int:
        alive_s: float | None = None  # the watchdog counts from READY=1 on
        while (code := self.process.poll()) is None:
            try:
                message = self._socket.recv(4096).decode()
            except TimeoutError:
                message = ""
            if message:
                told = dict(line.split("=", 1) for line in message.splitlines())
                self.told.append(told)
                if {"READY", "WATCHDOG"} & told.keys():
                    alive_s = time.monotonic()
            if alive_s is not None and time.monotonic() - alive_s > WATCHDOG_S:
                self.told.append({"TIMEOUT": "1"})
                self.process.send_signal(signal.SIGABRT)
                alive_s = None
        return code

    def stop(self) -> float:
        """End the unit; return how long that took (s)."""
        self._ending.set()
        began_s = time.monotonic()
        self.process.terminate()
        code = self.process.wait(WAIT_S)
        took_s = time.monotonic() - began_s
        self._thread.join()
        self._socket.close()
        self._said.close()
        assert code == 0
        return took_s


class Witness:
    """Asks for the status ten times a second, and keeps what was acknowledged."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._stop = threading.Event()
        self.status: dict[str, Any] | None = None
        self.acknowledged: dict[tuple[str, str], int] = {}
        self._thread = threading.Thread(target=self._run, name="test witness")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                status = ask(self._workspace, "status", timeout_s=2.0)
            except RolandicError:
                continue
            now = status["recording"]["now"]
            for stream in now["streams"] if now else ():
                key = now["file"], stream["source_id"]
                before = self.acknowledged.get(key, 0)
                self.acknowledged[key] = max(before, stream["n_written"])
            self.status = status

    def wait_for(self, condition: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """Wait until the status is as wanted."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            status = self.status
            if status is not None and condition(status):
                return status
            time.sleep(0.02)
        pytest.fail(f"never {what}: {json.dumps(self.status, indent=1)}")

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()


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


@pytest.fixture
def amplifier() -> Iterator[AmplifierProcess]:
    """Let a simulated person wear an amplifier of another process."""
    with AmplifierProcess(person=PERSON) as amplifier:
        yield amplifier


@pytest.fixture
def day(
    tmp_path: Path, model: Path, amplifier: AmplifierProcess
) -> Iterator[tuple[Supervisor, Witness, Path]]:
    """Start the daemon as systemd does; yields supervisor, witness, folder of faults."""
    settings = tmp_path / "session.toml"
    settings.write_text(
        '[workspace]\nfolder = "lab"\nsubject = "S01"\n'
        f'[[streams]]\nsource_id = "{amplifier.source_id}"\nuse = "eeg"\n'
        f'[decoding]\nmodel = "{model.as_posix()}"\nstale_s = 1.0\n',
        encoding="utf-8",
    )
    faults = tmp_path / "faults"
    faults.mkdir()
    launcher = Path(__file__).with_name("day_daemon.py")
    environment = {"ROLANDIC_TEST_FAULTS": str(faults), "XDG_STATE_HOME": str(tmp_path / "state")}
    witness = Witness(tmp_path / "lab")
    supervisor = Supervisor(
        [sys.executable, str(launcher), "daemon", str(settings)], tmp_path, environment
    )
    try:
        yield supervisor, witness, faults
    finally:
        witness.stop()
        if supervisor.exit_code is None:
            supervisor.stop()


def recording(status: dict[str, Any]) -> str | None:
    """Return the file that is recorded."""
    now = status["recording"]["now"]
    return None if now is None else str(now["file"])


def written(status: dict[str, Any]) -> int:
    """Return how many samples of it are acknowledged."""
    now = status["recording"]["now"]
    return 0 if now is None or not now["streams"] else int(now["streams"][0]["n_written"])


def said(status: dict[str, Any], text: str) -> bool:
    """Say whether there was a notice with this text."""
    return any(text in notice["text"] for notice in status["notices"])


def test_a_day_in_the_lab(
    day: tuple[Supervisor, Witness, Path], amplifier: AmplifierProcess, tmp_path: Path
) -> None:
    """Amplifier restarts, decoder raises, disk fills, kill -9 of daemon and recorder, stop.

    Every sample that a status acknowledged is in its file.
    """
    supervisor, witness, faults = day
    amplifier.run()
    status = witness.wait_for(
        lambda s: s["decoding"]["newest"] and written(s) > 100, "recorded and decoded"
    )
    first = recording(status)
    assert any("READY" in told for told in supervisor.told)

    # The amplifier restarts: the same file goes on, the gap is marked, decoding goes on.
    amplifier.drop(1.0)
    status = witness.wait_for(
        lambda s: s["recording"]["now"]["streams"][0]["n_gaps"] == 1 and written(s) > 0,
        "marked the gap",
    )
    n_before = written(status)
    witness.wait_for(lambda s: written(s) > n_before + 50, "recorded on after the gap")
    assert recording(status) == first

    # The decoder raises: its windows give no decision, and that is said; no sample waits for it.
    (faults / "decoder").touch()
    status = witness.wait_for(
        lambda s: said(s, "the decoder was told to fail"), "said that the decoder fails"
    )
    n_before = written(status)
    witness.wait_for(lambda s: written(s) > n_before + 50, "recorded without a decoder")
    (faults / "decoder").unlink()
    status = witness.wait_for(
        lambda s: s["decoding"]["state"] == "decoding" and s["decoding"]["newest"], "decoded again"
    )
    assert recording(status) == first

    # The disk is full: that is shouted; when there is room again, a new file begins.
    (faults / "disk").touch()
    witness.wait_for(lambda s: said(s, "NOT RECORDING"), "shouted that the disk is full")
    (faults / "disk").unlink()
    status = witness.wait_for(
        lambda s: recording(s) not in (None, first) and written(s) > 50, "began a second file"
    )
    second = recording(status)

    # The daemon is killed: the recorder goes on, the next daemon takes it over.
    n_before, pid = written(status), status["pid"]
    supervisor.process.kill()
    status = witness.wait_for(
        lambda s: s["pid"] != pid and written(s) > n_before + 100, "came back"
    )
    assert recording(status) == second
    assert said(status, "was taken over")

    # The recorder is killed: a third file begins at once.
    place = Path(f"{second}.recorder")
    os.kill(json.loads(place.read_text(encoding="utf-8"))["pid"], signal.SIGKILL)
    status = witness.wait_for(
        lambda s: recording(s) not in (None, first, second) and written(s) > 50,
        "began a third file",
    )
    third = recording(status)
    witness.wait_for(lambda s: s["decoding"]["newest"], "decoded in the new life")

    took_s = supervisor.stop()
    witness.stop()
    assert supervisor.n_starts == 2
    assert not any("TIMEOUT" in told for told in supervisor.told)
    assert any("STOPPING" in told for told in supervisor.told)
    assert took_s < 5.0

    # The account.
    assert {file for file, _ in witness.acknowledged} == {first, second, third}
    found = {}
    for (file, source_id), n_acknowledged in witness.acknowledged.items():
        if source_id != amplifier.source_id:
            continue
        in_file = open_recording(Path(file))
        found[file] = len(in_file.stamps)
        assert found[file] >= n_acknowledged, file
    # Taken over without a gap: the second file's stamps are one even row.
    stamps = open_recording(Path(str(second))).stamps
    np.testing.assert_allclose(np.diff(stamps), 1 / 125.0, rtol=0.01)
    (folder,) = {Path(file).parent for file in found}
    evidence = examine_session(folder)
    assert evidence.intact, evidence.problems
    assert [log.sealed for log in evidence.logs] == [False, True]  # one life was killed
    print(
        f"acknowledged and in their files: {sum(witness.acknowledged.values())} of "
        f"{sum(found.values())} samples; stopped in {took_s:.2f} s"
    )
