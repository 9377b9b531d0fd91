"""What online adaptation trains on, and the signals that it goes through.

The first session trains; of the later ones each recording is filtered as the model filters, and
kept whole: its windows are cut when their turn comes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.acquisition.timelines import timeline
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import CovarianceDecoder, Model, make_decoder
from bci.decoders.recentering import TAU_S
from bci.errors import TrialError
from bci.evaluation.protocols import Protocol, recording_sessions
from bci.evaluation.training import fit_model
from bci.signal.epochs import Epochs, cut_epochs, nearest_sample, sample_times
from bci.signal.filters import design_bandpass, filter_segments
from bci.signal.rejection import without_marked
from bci.signal.windows import window_samples, window_starts
from bci.sources.labels import match_channels
from bci.sources.recording import Recording

__all__ = ["AdaptationTask", "Run", "Session"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A recording, filtered, and where its windows lie.

    Attributes
    ----------
    filtered : ndarray of float64, shape (n_channels, n_samples)
        As the model filters (V).
    trials : ndarray of int64, shape (n_trials, n_windows)
        First samples of each trial's windows, in order of time.
    y : ndarray of int64, shape (n_trials,)
    seen : ndarray of int64, shape (n_seen,)
        First samples of the windows that follow one another, gaps left out.
    length : int
        Of a window, in samples.
    """

    filtered: F64 = field(repr=False)
    trials: I64 = field(repr=False)
    y: I64 = field(repr=False)
    seen: I64 = field(repr=False)
    length: int

    def windows(self, firsts: Iterable[int]) -> F64:
        """Return windows by their first samples, shape (n_windows, n_channels, n_times)."""
        return np.stack([self.filtered[:, first : first + self.length] for first in firsts])


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """Runs that follow one another on one day."""

    name: str
    runs: tuple[Run, ...]

    @property
    def y(self) -> I64:
        """Class of each trial, in order."""
        return np.concatenate([run.y for run in self.runs])


@dataclass(frozen=True, slots=True, eq=False)
class AdaptationTask:
    """What trains, and what is gone through.

    Attributes
    ----------
    training : Epochs
        Of the first session.
    recordings : tuple of Recording
        Which it was cut from.
    sessions : tuple of Session
        The later ones, in recorded order.
    online : OnlineSettings
        How a trial's windows are smoothed.
    tau_s : float
        Time constant of recentering (s).
    """

    training: Epochs
    recordings: tuple[Recording, ...]
    sessions: tuple[Session, ...]
    online: OnlineSettings
    tau_s: float = TAU_S

    @classmethod
    def of(
        cls,
        recordings: Sequence[Recording],
        settings: EpochSettings,
        sessions: Sequence[str] = (),
        *,
        online: OnlineSettings | None = None,
        tau_s: float = TAU_S,
    ) -> "AdaptationTask":
        """Divide recordings and cut them.

        Parameters
        ----------
        recordings : sequence of Recording
            In recorded order.
        settings : EpochSettings
        sessions : sequence of str
            Of each recording; empty: as the file names say, and where they say none, the first
            recording trains and the others are one session.
        online, tau_s

        Raises
        ------
        InputError
            As `cut_epochs`; TrialError when there is one session only, when sessions alternate,
            or when the first lacks a class.
        """
        of_recording = _sessions(recordings, sessions)
        names = list(dict.fromkeys(of_recording))
        everything = cut_epochs(recordings, settings)
        fixed = settings.model_copy(
            update={"classes": everything.classes, "channels": everything.channels}
        )
        first = [r for r, name in zip(recordings, of_recording, strict=True) if name == names[0]]
        runs = [_run(recording, everything, number) for number, recording in enumerate(recordings)]
        later = tuple(
            Session(name, tuple(runs[k] for k, own in enumerate(of_recording) if own == name))
            for name in names[1:]
        )
        if not any(len(session.y) for session in later):
            raise TrialError(
                f"online-adaptation: no trial lies behind {first[-1].path.name}, which trains: "
                "give more recordings, or other --sessions"
            )
        return cls(
            training=cut_epochs(first, fixed),
            recordings=tuple(first),
            sessions=tuple(session for session in later if len(session.y)),
            online=online or OnlineSettings(),
            tau_s=tau_s,
        )

    @property
    def y(self) -> I64:
        """Class of each trial that is gone through, in order."""
        return np.concatenate([session.y for session in self.sessions])

    def fit(self, decoder: str, params: Mapping[str, Any] | None = None) -> Model:
        """Train on the first session."""
        epochs = without_marked(self.training)
        unfitted = make_decoder(
            decoder, channels=epochs.channels, rate_hz=epochs.rate_hz, **(params or {})
        )
        recentred = isinstance(unfitted, CovarianceDecoder)
        return fit_model(
            epochs, self.recordings, decoder, params, recenter_s=self.tau_s if recentred else None
        )


def _run(recording: Recording, epochs: Epochs, number: int) -> Run:
    """Filter a recording as `cut_epochs` does, and find its windows again."""
    settings, rate_hz = epochs.settings, epochs.rate_hz
    length = window_samples(settings, rate_hz)
    columns = match_channels(epochs.channels, recording.info.labels)
    line = timeline(recording.stamps, rate_hz, recording.returns)
    sos = design_bandpass(settings.band_hz, rate_hz, settings.filter_order)
    filtered = filter_segments(recording.samples[:, columns], line.segments, sos)
    times = sample_times(recording, line)
    own = epochs.trial_runs == number
    cues = [
        nearest_sample(times, float(times[0]) + onset_s) for onset_s in epochs.trial_onsets_s[own]
    ]
    starts = window_starts(settings, rate_hz)
    trials = np.array(cues, np.int64)[:, None] + starts
    seen = [
        first
        for first in range(0, len(filtered) - length + 1, length)
        if not line.crosses_gap(first, first + length)
    ]
    order = np.argsort(trials[:, -1], kind="stable")
    return Run(
        np.ascontiguousarray(filtered.T),
        trials[order],
        epochs.trial_y[own][order],
        np.array(seen, np.int64),
        length,
    )


def _sessions(recordings: Sequence[Recording], given: Sequence[str]) -> tuple[str, ...]:
    """Return the session of each recording; each one's recordings follow one another."""
    names = [recording.path.name for recording in recordings]
    if len(recordings) < 2:
        raise TrialError(
            "online-adaptation: the first session trains and the later are gone through, here is "
            f"only {', '.join(names)}: give two recordings or more, in recorded order"
        )
    try:
        found = recording_sessions(names, Protocol(name="cross-session", sessions=tuple(given)))
    except TrialError as error:
        if given:
            raise TrialError(str(error).replace("cross-session", "online-adaptation")) from error
        found = ()
    if len(set(found)) < 2 and not given:
        found = ("first run", *["later runs"] * (len(names) - 1))
    changes = sum(a != b for a, b in pairwise(found))
    if len(set(found)) < 2 or changes != len(set(found)) - 1:
        raise TrialError(
            f"online-adaptation: sessions {', '.join(found)}: give two or more, each one's "
            "recordings one after the other, in recorded order"
        )
    return found
