"""How much faster than real time a recording is decoded, hop by hop.

S001R12 at a hop of 100 ms through `bci.online.replay` (reading and training are not in it), by a
decoder trained on R04 and R08. The peer is the loop that one would write of parts: SciPy's
`sosfilt` on each hop, the window cut, `predict_proba` of pyriemann's pipeline on one BLAS thread;
it runs on the first 300 windows, and times are compared by the window. Where ours goes is timed in
runs of their own on one thread, as live. A busy machine takes the replay's second core away: the
processor time of a decision, over all threads, stands beside the factor.
"""

import math
import statistics
import time
from collections.abc import Callable

import numpy as np
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from scipy import signal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from bci.acquisition import Acquisition, timeline
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import Model
from bci.evaluation import train_model
from bci.online import OnlineDecoder, Script, replay
from bci.online.scorer import WindowScorer
from bci.signal import CausalFilter, design_bandpass, filter_segments
from bci.signal.epochs import cut_epochs
from bci.sources.headmodel import montage_labels
from bci.sources.playback import PlaybackSource
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from tests.benchmarks.measure import arguments, emit, shared_recording
from tests.benchmarks.table import goal

CASES = {
    "64 channels, order 3": ((), 3, 4, None),
    "22 channels, order 4": ((*montage_labels("sensorimotor"), "Fz"), 4, 6, 500.0),
}
EVENTS = {"T1": "left_hand", "T2": "right_hand"}
HOP_S = 0.1


class Augmented(TransformerMixin, BaseEstimator):
    """Stack delayed copies of a window."""

    def __init__(self, order: int = 1, lag: int = 1) -> None:
        self.order = order
        self.lag = lag

    def fit(self, X, y=None):
        """Learn nothing."""
        return self

    def transform(self, X):
        """Return the augmented windows."""
        n = X.shape[2] - (self.order - 1) * self.lag
        starts = (i * self.lag for i in range(self.order))
        return np.concatenate([X[:, :, start : start + n] for start in starts], axis=1)


def peer_loop(
    recording: Recording, model: Model, training: list[Recording], order: int, lag: int
) -> Callable[[int], float]:
    """Return a function that decodes some windows with the peer's parts: seconds a window."""
    epochs = cut_epochs(training, model.epochs)
    scale = epochs.X.std()
    pipeline = make_pipeline(
        Augmented(order, lag),
        Covariances("oas"),
        TangentSpace(),
        LogisticRegression(max_iter=2000),
    ).fit(epochs.X / scale, epochs.y)
    samples = recording.samples[:, model.match_stream(recording.info)] / scale
    sos = design_bandpass(model.epochs.band_hz, model.rate_hz, model.epochs.filter_order)
    hop, length = round(HOP_S * model.rate_hz), epochs.X.shape[2]

    def run(n_windows: int) -> float:
        zi = np.repeat(signal.sosfilt_zi(sos)[:, :, None], samples.shape[1], axis=2) * samples[0]
        history = np.zeros((samples.shape[1], length))
        n_done, at = 0, 0
        began = time.perf_counter()
        while n_done < n_windows:
            filtered, zi = signal.sosfilt(sos, samples[at : at + hop], axis=0, zi=zi)
            history = np.concatenate([history[:, hop:], filtered.T], axis=1)
            at += hop
            if at >= length:
                pipeline.predict_proba(history[None])
                n_done += 1
        return (time.perf_counter() - began) / n_windows

    return run


def hop_times(recording: Recording, model: Model) -> list[float]:
    """Return what each decision takes, one by one as live, from samples in the ring (s)."""
    source = PlaybackSource(recording)
    acquisition = Acquisition(source, buffer_s=recording.duration_s + 1, clock=lambda: math.nan)
    acquisition.open()
    while not source.ended:
        acquisition.pump(0.0)
    settings = OnlineSettings.make(hop_s=HOP_S)
    decoder = OnlineDecoder(model, acquisition.ring, acquisition.info, settings, script=Script())
    stamps = [time.perf_counter() for _ in decoder.advance()]
    return np.diff(stamps).tolist()


def profile(recording: Recording, model: Model) -> dict[str, float]:
    """Return a decision's median and 99th percentile, and its parts' medians (ms), one thread."""
    samples = recording.samples[:, model.match_stream(recording.info)].astype(np.float64)
    sos = design_bandpass(model.epochs.band_hz, model.rate_hz, model.epochs.filter_order)
    line = timeline(recording.stamps, recording.info.rate_hz)
    filtered = np.ascontiguousarray(filter_segments(samples, line.segments, sos).T)
    hop = round(HOP_S * model.rate_hz)
    length = round(model.epochs.window_length_s * model.rate_hz)
    scorer, causal = WindowScorer(model, length, hop), CausalFilter(sos, samples.shape[1])
    parts: dict[str, list[float]] = {"filter": [], "covariance": [], "probability": []}
    for end in range(hop, min(len(samples), 6000), hop):
        times = [time.perf_counter()]
        causal(samples[end - hop : end])
        times.append(time.perf_counter())
        scorer.append(filtered[:, max(0, end - length) : end])
        if end < length:
            continue
        C = scorer.covariances(filtered[:, end - length : end])
        times.append(time.perf_counter())
        model.probabilities_from(C)
        times.append(time.perf_counter())
        for part, took in zip(parts, np.diff(times), strict=True):
            parts[part].append(took)
    whole = hop_times(recording, model)
    medians = {part: statistics.median(took) for part, took in parts.items()}
    medians["rest"] = statistics.median(whole) - sum(medians.values())
    figures = {"decision": statistics.median(whole), "decision_p99": np.percentile(whole, 99)}
    return {name: round(1e3 * float(took), 4) for name, took in (figures | medians).items()}


def main() -> None:
    """Replay both ways, in turn."""
    given = arguments(__doc__)
    repeats, n_peer = (1, 20) if given.quick else (5, 300)
    training = [open_recording(shared_recording(f"S001R{run}.edf")) for run in ("04", "08")]
    recording = open_recording(shared_recording("S001R12.edf"))
    results, goals = {}, []
    for name, (channels, order, lag, wanted) in CASES.items():
        settings = EpochSettings.make(
            band_hz=(7.0, 35.0),
            window_s=(0.5, 3.5),
            event_map=EVENTS,
            classes=tuple(EVENTS.values()),
            channels=channels,
        )
        model = train_model(training, settings, "acm-lr", {"order": order, "lag": lag}, cv=False)
        peer = peer_loop(recording, model, training, order, lag)
        online = OnlineSettings.make(hop_s=HOP_S)
        factors, ratios, theirs, busy = [], [], [], []
        with threadpool_limits(1):
            replay(recording, model, online), peer(5)
            for _ in range(repeats):
                began = time.process_time()
                ours = replay(recording, model, online)
                busy.append((time.process_time() - began) / len(ours.decisions))
                theirs.append(peer(n_peer))
                factors.append(ours.realtime_factor)
                ratios.append(theirs[-1] / (ours.elapsed_s / len(ours.decisions)))
            parts = profile(recording, model)
        factor = statistics.median(factors)
        peer_factor = HOP_S / statistics.median(theirs)
        ratio = {
            "ratio": round(statistics.median(ratios), 1),
            "ratio_low": round(min(ratios), 1),
            "ratio_high": round(max(ratios), 1),
        }
        results[name] = {
            "realtime_factor": round(factor),
            "realtime_factor_range": [round(min(factors)), round(max(factors))],
            "peer_realtime_factor": round(peer_factor),
            **ratio,
            "processor_ms": round(1e3 * statistics.median(busy), 4),
            "one_thread_ms": parts,
        }
        goals.append(
            goal(
                f"{name}, hop 100 ms",
                "" if wanted is None else f"{wanted:g} x real time",
                met=None if wanted is None else factor >= wanted,
                ours=f"{factor:.0f} x",
                peer=f"{peer_factor:.0f} x",
                ratio=ratio,
            )
        )
    emit("replay", cases=results, goals=goals)


if __name__ == "__main__":
    main()
