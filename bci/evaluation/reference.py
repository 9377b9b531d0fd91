"""What recentering needs of the recordings that a decoder is trained on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.timelines import timeline
from bci.decoders import CovarianceDecoder
from bci.errors import TrialError
from bci.riemann import riemannian_mean
from bci.signal.artifacts import artifact_limits, window_problem
from bci.signal.epochs import Epochs
from bci.signal.filters import design_bandpass, filter_segments
from bci.sources.labels import match_channels
from bci.sources.recording import Recording

__all__ = ["class_means", "session_references"]

F64 = NDArray[np.float64]

#: More windows than these make no better mean.
_MOST_WINDOWS = 400


def session_references(
    decoder: CovarianceDecoder, recordings: Sequence[Recording], epochs: Epochs
) -> tuple[F64, ...]:
    """Return the Riemannian mean, one a view, of the windows of whole recordings.

    Windows follow one another, rest between trials and all, as online; those that hold a gap or
    an artifact are left out.

    Parameters
    ----------
    decoder : CovarianceDecoder
        Fitted.
    recordings : sequence of Recording
    epochs : Epochs
        Cut from them.

    Returns
    -------
    tuple of ndarray of float64, shape (n, n)

    Raises
    ------
    TrialError
        When no window is left.
    """
    limits = artifact_limits(epochs.X)
    windows = [
        window
        for recording in recordings
        for window in _following(recording, epochs)
        if window_problem(window, limits) is None
    ]
    if not windows:
        raise TrialError(
            f"{', '.join(epochs.recordings)}: no window is free of gaps and artifacts: recentering "
            "has nothing to start from"
        )
    every = -(-len(windows) // _MOST_WINDOWS)
    return tuple(riemannian_mean(C) for C in decoder.covariances(np.stack(windows[::every])))


def _following(recording: Recording, epochs: Epochs) -> list[F64]:
    """Return the windows of a recording, end to end, within its gapless segments."""
    picks = match_channels(epochs.channels, recording.info.labels)
    line = timeline(recording.stamps, epochs.rate_hz, recording.returns)
    sos = design_bandpass(epochs.settings.band_hz, epochs.rate_hz, epochs.settings.filter_order)
    filtered = filter_segments(recording.samples[:, picks], line.segments, sos)
    n_times = epochs.X.shape[2]
    return [
        filtered[start : start + n_times].T
        for start in range(0, len(filtered) - n_times + 1, n_times)
        if not line.crosses_gap(start, start + n_times)
    ]


def class_means(decoder: CovarianceDecoder, epochs: Epochs) -> tuple[F64, ...]:
    """Return the Riemannian means, one stack a view, of the trials' windows by class.

    Returns
    -------
    tuple of ndarray of float64, shape (n_classes, n, n)
    """
    return tuple(
        np.stack([riemannian_mean(C[epochs.y == k]) for k in range(len(epochs.classes))])
        for C in decoder.covariances(epochs.X)
    )
