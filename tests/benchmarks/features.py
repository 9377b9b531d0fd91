"""Spectra, connectivity and one decision, against the straight computation.

64 channels x 45 trials x 3 s at 160 Hz, 4 to 40 Hz in steps of 1 Hz, BLAS on one thread. The
peers: statsmodels' Burg estimator, signal by signal, and scipy's frequency response of each model;
all pairs of mne-connectivity's coherence, trial by trial, over the same segments of 1 s that
overlap by three quarters, then the mean over partners. One decision of ``psd+fc-lda`` (22 channels
x 750 samples at 250 Hz, windows that it has not seen) has a goal in milliseconds, and no peer.
"""

import time
from typing import Any

import numpy as np
from mne_connectivity import spectral_connectivity_epochs
from scipy.signal import freqz
from statsmodels.regression.linear_model import burg as statsmodels_burg
from threadpoolctl import threadpool_limits

from bci.decoders import make_decoder
from bci.features.connectivity import strengths
from bci.features.settings import ConnectivitySettings, SpectrumSettings
from bci.features.spectra import spectra
from bci.sources.headmodel import MONTAGES
from tests.benchmarks.measure import arguments, eeg_like, emit, paired
from tests.benchmarks.table import goal

RATE_HZ, FREQS_HZ = 160.0, np.arange(4.0, 41.0)
ORDER, SEGMENT, STEP = 16, 160, 40
PSD_GOAL, COHERENCE_GOAL, DECISION_MS = 3.0, 10.0, 2.0


def straight_power(X: np.ndarray) -> np.ndarray:
    """Return Burg spectra from statsmodels and scipy."""
    power = np.empty((*X.shape[:2], len(FREQS_HZ)))
    for index in np.ndindex(*X.shape[:2]):
        rho, variance = statsmodels_burg(X[index], ORDER)
        _, response = freqz([1.0], np.r_[1.0, -rho], worN=FREQS_HZ, fs=RATE_HZ)
        power[index] = 2 / RATE_HZ * variance * np.abs(response) ** 2
    return power


def straight_strength(X: np.ndarray) -> np.ndarray:
    """Return coherence node strengths from mne-connectivity: its coherence is not squared."""
    strength = np.empty((*X.shape[:2], len(FREQS_HZ)))
    for window, row in zip(X, strength, strict=True):
        segments = np.lib.stride_tricks.sliding_window_view(window, SEGMENT, axis=1)[:, ::STEP]
        pieces = segments.transpose(1, 0, 2)
        pieces = pieces - pieces.mean(axis=2, keepdims=True)
        found = spectral_connectivity_epochs(
            pieces, method="coh", mode="fourier", sfreq=RATE_HZ, fmin=3.5, fmax=40.5,
            faverage=False, verbose="error",
        )  # fmt: skip
        lower = found.get_data("dense") ** 2
        row[:] = (lower + lower.transpose(1, 0, 2)).sum(axis=1) / (len(window) - 1)
    return strength


def decision(n_windows: int) -> dict[str, Any]:
    """Time single windows."""
    names = MONTAGES["sensorimotor"][:22]
    X, y = eeg_like(1, 60, 22, 750), np.arange(60) % 2
    X[y == 1, :2] *= 1.3
    decoder = make_decoder("psd+fc-lda", channels=names, rate_hz=250.0).fit(X[:40], y[:40])
    taken, cpu = [], []
    for k in range(n_windows + 10):
        window = X[40 + k % 20 :][:1]
        began, began_cpu = time.perf_counter(), time.thread_time()
        decoder.predict_proba(window)
        cpu.append(1e3 * (time.thread_time() - began_cpu))
        taken.append(1e3 * (time.perf_counter() - began))
    return {
        "n_windows": n_windows,
        "median_ms": round(float(np.median(taken[10:])), 4),
        "p99_ms": round(float(np.percentile(taken[10:], 99)), 4),
        "p99_cpu_ms": round(float(np.percentile(cpu[10:], 99)), 4),
    }


def main() -> None:
    """Compare both, and time the decision."""
    options = arguments(__doc__)
    n_trials, n_channels, repeats, n_windows = (3, 8, 1, 20) if options.quick else (45, 64, 3, 2000)
    X = 1e6 * eeg_like(0, n_trials, n_channels, 480)
    spectrum = SpectrumSettings(order=ORDER)
    coherence = ConnectivitySettings(measure="coherence", segment_s=1.0, overlap=0.75)
    with threadpool_limits(1):
        ours = spectra(X[:2], RATE_HZ, spectrum).power
        ratio = ours / straight_power(X[:2])
        # They divide the variance of the error by another number of samples: up to a factor.
        power_difference = float(np.abs(ratio / ratio.mean(axis=-1, keepdims=True) - 1).max())
        strength, _ = strengths(X[:2], RATE_HZ, FREQS_HZ, coherence)
        strength_difference = float(np.abs(strength - straight_strength(X[:2])).max())
        psd = paired(lambda: spectra(X, RATE_HZ, spectrum), lambda: straight_power(X), repeats)
        fc = paired(
            lambda: strengths(X, RATE_HZ, FREQS_HZ, coherence),
            lambda: straight_strength(X),
            repeats,
        )
        online = decision(n_windows)
    goals = [
        goal("Burg spectra", f"{PSD_GOAL:g} x", met=psd["ratio"] >= PSD_GOAL, ratio=psd),
        goal(
            "coherence node strength, all pairs",
            f"{COHERENCE_GOAL:g} x",
            met=fc["ratio"] >= COHERENCE_GOAL,
            ratio=fc,
        ),
        goal(
            "psd+fc-lda, one window of 22 channels",
            f"under {DECISION_MS:g} ms",
            met=online["median_ms"] < DECISION_MS,
            ours=f"{online['median_ms']:.3g} ms, p99 {online['p99_ms']:.3g} ms",
        ),
    ]
    emit(
        "features",
        shape=[n_trials, n_channels, 480],
        psd=psd | {"relative_difference": power_difference},
        coherence=fc | {"difference": strength_difference},
        decision=online,
        goals=goals,
    )


if __name__ == "__main__":
    main()
