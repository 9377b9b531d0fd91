"""Ending and restarting the daemon: how long it takes, and what it costs.

32 channels at 500 Hz, sent by another process, whose first channel counts. From TERM to the end of
the process, with what was pushed before the signal and is not in the file; from HUP, with what is
in neither of the two files; from SIGKILL of the daemon and a start anew to the takeover of the
recorder, with what is missing in the one file. No peer: LabRecorder has no daemon.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bci.daemon.control import ask
from bci.errors import RolandicError
from bci.sources.child import ChildProcess
from tests.benchmarks.measure import arguments, emit
from tests.benchmarks.recorder_stop import Sender, counts_and_stamps
from tests.benchmarks.table import goal

STOP_S = 0.5
_WAIT_S = 60.0


class Daemon:
    """A daemon in a process of its own."""

    def __init__(self, folder: Path, source_id: str) -> None:
        self.workspace = folder / "lab"
        settings = folder / "session.toml"
        settings.write_text(
            '[workspace]\nfolder = "lab"\nsubject = "S01"\n'
            f'[[streams]]\nsource_id = "{source_id}"\nuse = "eeg"\n',
            encoding="utf-8",
        )
        self.began_s = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci", "daemon", str(settings)], stderr=subprocess.DEVNULL
        )

    def wait_for(self, condition: Callable[[dict[str, Any]], object]) -> float:
        """Wait until the status is as wanted; return how long after its start (s)."""
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                status = ask(self.workspace, "status")
            except RolandicError:
                status = None
            if status and status["pid"] == self.process.pid and condition(status):
                return time.perf_counter() - self.began_s
            time.sleep(0.02)
        raise TimeoutError("the daemon did not come so far")

    def terminate(self) -> float:
        """End it; return how long that took (s)."""
        began_s = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(_WAIT_S)
        if code:
            raise RuntimeError(f"the daemon ended with {code}")
        return time.perf_counter() - began_s

    def files(self) -> list[Path]:
        """Return the recordings, in order."""
        return sorted((self.workspace / "sourcedata").rglob("*.xdf"))


def written(status: dict[str, Any]) -> int:
    """Return how many samples of the present file are acknowledged."""
    now = status["recording"]["now"]
    return 0 if now is None else sum(stream["n_written"] for stream in now["streams"])


def day(sender: ChildProcess, source_id: str) -> dict[str, float]:
    """Start, HUP, kill, start, TERM; return times (s) and samples missing."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), source_id)
        start_s = daemon.wait_for(lambda status: written(status) > 0)
        os.kill(daemon.process.pid, signal.SIGHUP)
        daemon.wait_for(lambda status: len(status["recording"]["finished"]) == 1)
        daemon.process.kill()
        daemon.process.wait()
        daemon = Daemon(Path(folder), source_id)
        takeover_s = daemon.wait_for(lambda status: written(status) > 0)
        daemon.wait_for(lambda status: status["quality"] is not None)  # all of it is at work
        n_pushed = int(sender.ask("n_pushed"))
        stop_s = daemon.terminate()
        counts = [counts_and_stamps(file)[0] for file in daemon.files()]
        n_files = len(counts)
        held = np.unique(np.concatenate(counts))
    return {
        "start_s": start_s,
        "takeover_s": takeover_s,
        "stop_s": stop_s,
        "missing_at_stop": float(max(0, n_pushed - 1 - int(held[-1]))),
        "missing_between": float(held[-1] - held[0] + 1 - len(held)),
        "n_files": float(n_files),
    }


def main() -> None:
    """Measure, print one JSON line."""
    given = arguments(__doc__)
    source_id = f"counted-{uuid.uuid4().hex[:12]}"
    sender = ChildProcess("sender", Sender, (source_id,))
    sender.start()
    try:
        days = [day(sender, source_id) for _ in range(1 if given.quick else 5)]
    finally:
        sender.close()
    stops = [one["stop_s"] for one in days]
    missing = sum(one["missing_at_stop"] + one["missing_between"] for one in days)
    emit(
        "daemon_stop",
        stop_s=[round(value, 3) for value in stops],
        start_s=[round(one["start_s"], 2) for one in days],
        takeover_s=[round(one["takeover_s"], 2) for one in days],
        missing_at_stop=sum(one["missing_at_stop"] for one in days),
        missing_between=sum(one["missing_between"] for one in days),
        goals=[
            goal(
                "daemon, from TERM to the end of the process",
                f"{STOP_S:g} s",
                ours=f"{statistics.median(stops):.2f} s (worst {max(stops):.2f})",
                met=max(stops) < STOP_S,
            ),
            goal(
                "daemon: new file, kill, takeover, stop: samples missing",
                "0",
                ours=f"{missing:.0f}",
                met=missing == 0,
            ),
        ],
    )


if __name__ == "__main__":
    main()
