"""A model for a stream that has none: what it decides means nothing, what it costs is the same."""

import time

import numpy as np
from threadpoolctl import threadpool_limits

from bci.acquisition import Acquisition
from bci.config import EpochSettings
from bci.decoders import Model, make_decoder
from bci.errors import ChannelError, StreamLostError
from bci.signal import design_bandpass, filter_segments, window_samples
from bci.sources.labels import SENSORIMOTOR

__all__ = ["rehearsal_model"]

#: As in the goal for sample to decision.
N_CHANNELS, ORDER, LAG = 22, 3, 6
#: Of the stream, that it is fitted on: more windows than the covariance's rows need.
LISTEN_S = 6.0
_N_WINDOWS = 40
#: Times the usual amplitude: a rehearsal is about time, and decides through most artifacts.
_LENIENT = 20.0
#: What a filter's start leaves behind in its output (s).
_SETTLING_S = 2.0


def rehearsal_model(acquisition: Acquisition, *, listen_s: float = LISTEN_S) -> Model:
    """Fit an augmented covariance of order 3 on up to 22 channels to what a stream sends now.

    Parameters
    ----------
    acquisition : Acquisition
        Running.
    listen_s : float
        How much of the stream to fit on.

    Raises
    ------
    ChannelError
        When fewer than two channels carry a signal.
    StreamLostError
        When the stream sends too little for it.
    """
    info, ring = acquisition.info, acquisition.ring
    rate_hz = info.rate_hz
    n = min(round(listen_s * rate_hz), ring.capacity // 2)
    _wait(acquisition, ring.n_written + n, 3 * listen_s + 5.0)
    heard = ring.window(ring.n_written, n)
    if heard is None:
        raise StreamLostError(f"LSL stream {info.name!r} did not send {listen_s:g} s of signal")
    samples, segments = heard.samples.copy(), heard.segments.copy()
    chosen = _channels(info.labels, [c.kind for c in info.channels], np.ptp(samples, axis=0) > 0)
    if len(chosen) < 2:
        raise ChannelError(
            f"LSL stream {info.name!r}: fewer than two channels carry a signal: is the "
            "amplifier on?"
        )
    settings = EpochSettings(
        window_s=(0.5, 3.5),
        length_s=2.0,
        step_s=0.5,
        band_hz=(8.0, min(32.0, 0.4 * rate_hz)),
        channels=tuple(info.labels[i] for i in chosen),
        classes=("left_hand", "right_hand"),
    )
    sos = design_bandpass(settings.band_hz, rate_hz, settings.filter_order)
    filtered = filter_segments(samples[:, chosen], segments, sos)
    length = window_samples(settings, rate_hz)
    starts = np.linspace(round(_SETTLING_S * rate_hz), n - length, _N_WINDOWS).astype(int)
    X = np.stack([filtered[start : start + length].T for start in starts])
    y = np.arange(_N_WINDOWS) % 2
    with threadpool_limits(1):
        estimator = make_decoder("acm-lr", channels=settings.channels, order=ORDER, lag=LAG)
        estimator.fit(X, y)
    return Model(
        channels=settings.channels,
        rate_hz=rate_hz,
        epochs=settings,
        classes=settings.classes,
        estimator=estimator,
        artifact_limit_v=_LENIENT * np.median(np.ptp(X, axis=2), axis=0),
        decoder="acm-lr",
        card={"rehearsal": True, "params": {"order": ORDER, "lag": LAG}},
    )


def _wait(acquisition: Acquisition, n_written: int, timeout_s: float) -> None:
    ends_s = time.monotonic() + timeout_s
    while not acquisition.ring.wait_for(n_written, 0.5):
        acquisition.raise_error()
        if acquisition.ring.closed or time.monotonic() > ends_s:
            raise StreamLostError(
                f"LSL stream {acquisition.info.name!r} sends no signal to rehearse with: is the "
                "amplifier on?"
            )


def _channels(labels: tuple[str, ...], kinds: list[str], live: np.ndarray) -> list[int]:
    """Return which channels to use: sensorimotor ones first, none that is dead or no EEG."""
    usable = [i for i, kind in enumerate(kinds) if live[i] and kind.upper() in ("EEG", "")]
    usable = usable or [i for i in range(len(labels)) if live[i]]
    usable.sort(key=lambda i: labels[i] not in SENSORIMOTOR)  # stable: else in their order
    return sorted(usable[:N_CHANNELS])
