"""The live quality of 64 channels, 2 s at 1 kHz, against the same measures by SciPy and NumPy.

The peer takes what is at hand: `scipy.signal.detrend`, `scipy.signal.periodogram` for the spectra,
a Butterworth band-pass, `numpy.corrcoef`, and the variance of each pair's difference.
"""

import numpy as np
from scipy import signal

from bci.signal.quality import channel_quality
from tests.benchmarks.measure import arguments, eeg_like, emit, paired
from tests.benchmarks.table import goal

RATE_HZ, GOAL_MS = 1000.0, 20.0


def straight(samples: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the same measures, one library call after the other."""
    level = signal.detrend(samples, axis=0)
    frequencies, power = signal.periodogram(level, RATE_HZ, window="hann", axis=0)
    bands = ((1.0, 45.0), (49.0, 51.0), (30.0, 100.0), (8.0, 30.0))
    rms = [np.sqrt(power[(frequencies >= a) & (frequencies <= b)].sum(axis=0)) for a, b in bands]
    sos = signal.butter(4, (1.0, 45.0), "bandpass", output="sos", fs=RATE_HZ)
    filtered = signal.sosfilt(sos, level, axis=0)
    likeness = np.quantile(np.abs(np.corrcoef(filtered.T)), 0.98, axis=1)
    distance = [np.var(filtered - filtered[:, k : k + 1], axis=0) for k in range(samples.shape[1])]
    jumps = np.abs(samples[8:] - samples[:-8])
    robust = np.median(jumps, axis=0)
    return (*rms, likeness, np.array(distance), jumps.max(axis=0), robust)


def main() -> None:
    """Measure."""
    options = arguments(__doc__)
    samples = np.ascontiguousarray(eeg_like(1, 1, 64, 2000)[0].T)
    measured = paired(
        lambda: channel_quality(samples, RATE_HZ),
        lambda: straight(samples),
        5 if options.quick else 41,
    )
    goals = [
        goal(
            "live quality, 64 channels x 2 s at 1 kHz",
            f"under {GOAL_MS:g} ms",
            met=measured["ours_ms"] < GOAL_MS,
            ours=f"{measured['ours_ms']:.3g} ms",
            peer=f"{measured['peer_ms']:.3g} ms",
            ratio=measured,
        )
    ]
    emit("quality", quality=measured, goals=goals)


if __name__ == "__main__":
    main()
