"""From a sample to the decision on it over LSL, and where the time goes.

64 channels at 1 kHz in chunks of 8, sent by another process; the whole live path (acquisition,
ring, filter, an augmented covariance of order 3 on 22 channels, smoothing, an output, the event
log); a second process computes all the while. A decision's time counts from the push of the chunk
that completed its hop: how long a sample waits for the rest of its chunk is the sender's choice,
and is told apart. ``floor_ms`` is how late a bare thread of the same process wakes meanwhile:
nothing in it can be quicker. The peer is raw pylsl in a process of its own, pulling the same
stream: push to visible there, with no decision at all.
"""

import tempfile
import threading
import uuid
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from bci.acquisition import Acquisition
from bci.certification import FloorThread, rehearsal_model
from bci.config import OnlineSettings
from bci.online import Decision, LiveDecoding
from bci.recording.eventlog import EventLog
from bci.sources.child import ChildProcess
from bci.sources.lsl import LslSource, StreamQuery
from tests.benchmarks.measure import arguments, emit
from tests.benchmarks.table import goal
from tests.benchmarks.visible import Pace, RawPylsl, Sender

PACE = Pace(n_channels=64, rate_hz=1000.0, chunk=8)
MEDIAN_MS, P99_MS = 2.0, 5.0


class Busy:
    """A process that computes."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        matrix = np.random.default_rng(0).standard_normal((200, 200))
        while not self._stop.is_set():
            np.linalg.svd(matrix)

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()


class Ages:
    """An output that notes when the chunk of a decision's newest sample was pushed."""

    def __init__(self, acquisition: Acquisition) -> None:
        self._ring = acquisition.ring
        self.pushed_s: dict[int, float] = {}

    def __call__(self, decision: Decision) -> None:
        """Take a decision."""
        newest = self._ring.window(decision.sample, 1)
        if newest is not None and decision.smoothed is not None:
            behind = PACE.chunk - 1 - round(1e6 * newest.samples[0, 0])
            self.pushed_s[decision.sample] = newest.stamps[0] + behind / PACE.rate_hz


def decide(source_id: str, seconds: float) -> tuple[dict[str, np.ndarray], Any, Any]:
    """Decode live; return each decision's parts (ms), the account, and the floor."""
    acquisition = Acquisition(LslSource(StreamQuery(source_id=source_id)))
    acquisition.start()
    try:
        model = rehearsal_model(acquisition, listen_s=6.0)
        ages = Ages(acquisition)
        with tempfile.TemporaryDirectory() as folder, EventLog(Path(folder) / "log.jsonl") as log:
            live = LiveDecoding(
                model, acquisition, OnlineSettings(), log, {"model_sha256": None}, outputs=[ages]
            )
            floor = FloorThread()
            live.begin()
            floor.start()
            try:
                threading.Event().wait(seconds + model.epochs.window_length_s)
            finally:
                spread = floor.stop()
                live.finish()
    finally:
        acquisition.stop()
    decided = [d for d in live.decisions if d.sample in ages.pushed_s]
    parts = {
        "visible": [d.visible_s - ages.pushed_s[d.sample] for d in decided],
        "queueing": [d.account()["queueing"] for d in decided],
        "computing": [d.account()["computing"] for d in decided],
        "output": [d.account()["output"] for d in decided],
        "total": [d.issued_s - ages.pushed_s[d.sample] for d in decided],
    }
    return {name: 1e3 * np.array(values) for name, values in parts.items()}, live.latency, spread


def main() -> None:
    """Measure."""
    options = arguments(__doc__)
    seconds, n_raw = (4.0, 40) if options.quick else (25.0, 1000)
    source_id = f"rolandic-decision-{uuid.uuid4().hex[:8]}"
    children = [
        ChildProcess("sender", Sender, (source_id, PACE)),
        ChildProcess("busy", Busy),
        ChildProcess("pylsl", RawPylsl, (source_id, PACE)),
    ]
    try:
        for child in children:
            child.start()
        parts, latency, floor = decide(source_id, seconds)
        raw = 1e3 * np.array(children[2].ask("measure", n_raw, timeout_s=60.0)[10:])
    finally:
        for child in reversed(children):
            child.close()
    figures = {
        name: {
            "median_ms": round(float(np.median(values)), 3),
            "p95_ms": round(float(np.percentile(values, 95)), 3),
            "p99_ms": round(float(np.percentile(values, 99)), 3),
            "worst_ms": round(float(values.max()), 3),
        }
        for name, values in parts.items()
    }
    total = figures["total"]
    whole = float(np.mean(parts["total"]))
    share = {n: round(float(np.mean(v)) / whole, 3) for n, v in parts.items() if n != "total"}
    said = ", ".join(f"{name} {100 * part:.0f} %" for name, part in share.items())
    goals = [
        goal(
            "sample to decision over LSL, 64 channels, 1 kHz, order 3 on 22, busy process",
            f"median under {MEDIAN_MS:g} ms, p99 under {P99_MS:g} ms",
            met=bool(total["median_ms"] < MEDIAN_MS and total["p99_ms"] < P99_MS),
            ours=f"{total['median_ms']:.2f} ms, p99 {total['p99_ms']:.2f} ms ({said})",
            peer=f"raw pylsl, push to visible alone: {np.median(raw):.2f} ms, p99 "
            f"{np.percentile(raw, 99):.2f} ms",
        )
    ]
    if options.out is not None:
        figure, axes = plt.subplots(layout="constrained")
        for name, values in parts.items():
            axes.semilogx(np.sort(values), np.linspace(0, 1, len(values)), label=name)
        axes.set(xlabel="since the push (ms), and its parts", ylabel="share of decisions")
        axes.legend()
        figure.savefig(options.out / "sample_to_decision.png", dpi=120)
        plt.close(figure)
    emit(
        "sample_to_decision",
        **figures,
        share=share,
        n=len(parts["total"]),
        n_late=latency.n_late + latency.n_overran,
        floor_ms=None
        if floor is None
        else {"median": floor.median, "p99": floor.p99, "worst": floor.worst},
        raw_pylsl_ms={"median": float(np.median(raw)), "p99": float(np.percentile(raw, 99))},
        goals=goals,
    )


if __name__ == "__main__":
    main()
