"""256 channels at 2 kHz in chunks of 64, recorded and decoded on one core, nothing lost.

The sender has the other core to itself, where there is one: it stands for an amplifier.
Acquisition, decoder (32 channels, order 3) and the recorder's process share one. Twenty seconds in
the suite, ``--load-seconds=120`` in CI, an hour with ``--soak``.
"""

import os
import subprocess
import sys
import threading
import uuid
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from bci.acquisition import Acquisition
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import Model, make_decoder
from bci.online.decision import Decision
from bci.online.decoder import OnlineDecoder
from bci.online.runner import DecoderThread
from bci.recording.process import RecorderProcess
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.reading import open_recording

RATE_HZ, CHUNK, N_CHANNELS, N_DECODED = 2000.0, 64, 256, 32
WARM_UP_S = 5.0

# Counts in its first channel; the others hold noise in microvolts. Ends when its stdin does.
SENDER = f"""
import sys, threading, time
import numpy as np, pylsl
from bci.sources.base import Channel, StreamInfo
from bci.sources.outlet import EegOutlet
rng = np.random.default_rng(1)
blocks = 1e-5 * rng.standard_normal((16, {CHUNK}, {N_CHANNELS}))
channels = tuple(Channel(f"E{{k}}", "microvolts") for k in range({N_CHANNELS}))
outlet = EegOutlet(StreamInfo("load", "EEG", sys.argv[1], {RATE_HZ}, channels))
print("up", flush=True)
sys.stdin.readline()
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), done.set()), daemon=True).start()
k, start, worst = 0, pylsl.local_clock(), 0.0
while not done.is_set():
    block = blocks[(k // {CHUNK}) % 16]
    block[:, 0] = 1e-6 * (k + np.arange({CHUNK}))
    stamps = start + (k + np.arange({CHUNK})) / {RATE_HZ}
    time.sleep(max(0.0, stamps[-1] - pylsl.local_clock()))
    worst = max(worst, pylsl.local_clock() - stamps[-1])
    outlet.push(block, stamps)
    k += {CHUNK}
print(k, worst, time.process_time(), flush=True)
time.sleep(30.0)
"""


@contextmanager
def one_core() -> Iterator[int | None]:
    """Keep this thread, and what it starts, on one core; yield another core, if there is one."""
    me = psutil.Process()
    if not hasattr(me, "cpu_affinity"):  # macOS has none
        yield None
        return
    cores = me.cpu_affinity()
    me.cpu_affinity(cores[:1])
    try:
        yield cores[1] if len(cores) > 1 else None
    finally:
        me.cpu_affinity(cores)


@contextmanager
def sender(source_id: str, core: int | None) -> Iterator[subprocess.Popen[str]]:
    """Start the sender; it sends when told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, source_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if core is not None:
            psutil.Process(process.pid).cpu_affinity([core])
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def tell(process: subprocess.Popen[str]) -> None:
    """Let the sender begin, or end."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def a_model() -> Model:
    """Return a model of order 3 on 32 of the channels, with windows of two seconds."""
    rng = np.random.default_rng(2)
    X = 1e-5 * rng.standard_normal((24, N_DECODED, 4000))
    y = np.arange(24) % 2
    X[y == 1, :3] *= 1.5
    return Model(
        channels=tuple(f"E{8 * k + 1}" for k in range(N_DECODED)),
        rate_hz=RATE_HZ,
        epochs=EpochSettings(window_s=(0.5, 2.5)),
        classes=("left_hand", "right_hand"),
        estimator=make_decoder("acm-lr", order=3, lag=24).fit(X, y),
        artifact_limit_v=np.full(N_DECODED, 1e-3),
        decoder="acm-lr",
        card={},
    )


class Figures:
    """Processor time and memory of this process and the recorder's, over time."""

    def __init__(self, recorder_pid: int) -> None:
        self._processes = {"here": psutil.Process(), "recorder": psutil.Process(recorder_pid)}
        self._begun_s = lsl_clock()
        self._cpu = {name: sum(p.cpu_times()[:2]) for name, p in self._processes.items()}
        self._rss: list[tuple[float, float]] = []

    def sample(self) -> None:
        """Note how much memory both hold."""
        held = sum(process.memory_info().rss for process in self._processes.values())
        self._rss.append((lsl_clock() - self._begun_s, held / 2**20))

    def cpu_shares(self) -> dict[str, float]:
        """Return which share of one core each used since the start."""
        elapsed_s = lsl_clock() - self._begun_s
        return {
            name: (sum(process.cpu_times()[:2]) - self._cpu[name]) / elapsed_s
            for name, process in self._processes.items()
        }

    def growth_mib(self) -> tuple[float, float]:
        """Return by how much memory grew after the first third, by a line, and what was held."""
        times, held = np.array(self._rss).T
        later = times >= times[-1] / 3
        slope = np.polyfit(times[later], held[later], 1)[0]
        return float(slope * (times[-1] - times[later][0])), float(held[-1])


@pytest.mark.slow
def test_nothing_is_lost_under_load_on_one_core(
    request: pytest.FixtureRequest, soak: bool, tmp_path: Path
) -> None:
    """Every sample that was sent is in the ring and in the file; decisions keep up."""
    asked_s = request.config.getoption("--load-seconds")
    duration_s = float(asked_s or (3600.0 if soak else 20.0))
    source_id = f"test-{uuid.uuid4().hex}"
    model = a_model()
    query = StreamQuery(source_id=source_id)
    way_ms = array("d")

    def note(decision: Decision) -> None:
        if decision.probabilities is not None:
            way_ms.append(1e3 * (decision.decoded_s - decision.visible_s))

    with one_core() as other, sender(source_id, other) as amplifier:
        acquisition = Acquisition(LslSource(query, timeout_s=20.0), buffer_s=30.0)
        recorder = RecorderProcess([query], tmp_path / "load.xdf")
        acquisition.start()
        decoder = None
        try:
            recorder.start()
            tell(amplifier)
            decoder = DecoderThread(
                OnlineDecoder(
                    model, acquisition.ring, acquisition.info, OnlineSettings(), clock=lsl_clock
                ),
                acquisition.ring,
                [note],
                n_kept=100,  # as whoever runs for long does
            )
            decoder.start()
            ring, seen = acquisition.ring, 0
            assert ring.wait_for(round(WARM_UP_S * RATE_HZ), 20.0)
            assert recorder.pid is not None
            figures, waiting = Figures(recorder.pid), threading.Event()
            ends_s = lsl_clock() + duration_s
            while lsl_clock() < ends_s:
                waiting.wait(1.0)
                figures.sample()
                upto = ring.n_written
                if upto == seen:  # the machine paused for longer than this turn
                    continue
                window = ring.window(upto, upto - seen)
                assert window is not None, "this test was held up for longer than the ring"
                counted = np.rint(window.samples[:, 0] * 1e6)
                assert (counted == np.arange(seen, upto)).all()
                seen = upto
            shares = figures.cpu_shares()
            tell(amplifier)
            assert amplifier.stdout is not None
            sent, late_s, sender_cpu_s = amplifier.stdout.readline().split()
            assert ring.wait_for(int(sent), 5.0), "samples that were sent did not arrive"
        finally:
            acquisition.stop()
            if decoder is not None:
                decoder.stop()
            summary = recorder.stop() if recorder.alive else None
    assert summary is not None
    assert ring.n_written == int(sent)
    assert acquisition.gaps == ()
    assert [stream.n_samples for stream in summary.streams if stream.source_id == source_id] == [
        int(sent)
    ]
    if duration_s <= 30.0:
        recorded = open_recording(summary.path)
        assert recorded.n_samples == int(sent)
        assert (np.diff(np.rint(recorded.samples[:, 0] * 1e6)) == 1).all()
    expected = int(sent) / RATE_HZ / 0.1 - 20
    growth_mib, held_mib = figures.growth_mib()
    print(
        f"{duration_s:g} s, {int(sent)} samples of {N_CHANNELS} channels, none lost; of one core: "
        f"{shares['here']:.2f} acquisition and decoder, {shares['recorder']:.2f} recorder "
        f"({float(sender_cpu_s) / duration_s:.2f} sender, late by {1e3 * float(late_s):.0f} ms at "
        f"worst); {len(way_ms)} of {expected:.0f} decisions, {np.median(way_ms):.1f} ms (median) "
        f"and {np.percentile(way_ms, 99):.1f} ms (p99) after the ring had the hop; memory "
        f"{held_mib:.0f} MiB, grown by {growth_mib:+.1f}"
    )
    assert shares["here"] + shares["recorder"] < 1.0
    assert len(way_ms) > 0.9 * expected
    assert growth_mib < 8.0
