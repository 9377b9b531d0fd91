"""An amplifier on a simulated person who imagines what the markers say.

The signal is made in blocks of a fixed length, counted from sample 0; each block draws from
generators of its own number, and what a cue changes is resolved sample by sample. So the samples
are the same, to the last bit, however they are read: they depend on the parameters, the seed, the
session and the cues, nothing else.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.events import Marker
from bci.sources.artifacts import Artifacts
from bci.sources.base import Channel, Chunk, StreamInfo
from bci.sources.days import Day, DayShift
from bci.sources.headmodel import head_model, montage_labels
from bci.sources.imagery import Imagery
from bci.sources.person import Brain, draw_person
from bci.sources.recording import Recording

__all__ = ["SimulatedSource", "simulate_run"]

F64 = NDArray[np.float64]

#: Long enough that a block's fixed costs vanish, short enough that making one (about a
#: millisecond) is no hiccup for whoever paces the stream.
BLOCK_SAMPLES = 256
#: The beta rhythm and the muscles need room below Nyquist.
MINIMUM_RATE_HZ = 80.0
#: No EEG amplifier is faster, and the person would not keep up with the clock.
MAXIMUM_RATE_HZ = 20_000.0
DEFAULT_CHUNK_S = 0.04


class SimulatedSource:
    """A `Source` of simulated EEG; it never ends, and `read` never waits.

    Parameters
    ----------
    ability : float
        How well the person's imagery shows: at 0 nothing in the signal depends on the class that
        is cued, at 1 decoding is easy.
    rate_hz : float
        Sampling rate.
    montage : str or sequence of str
        A name of `bci.sources.headmodel.MONTAGES` or electrode labels.
    seed : int
        Who it is.
    session : int
        Which day: the same person with the cap and the mood of another day.
    shift : DayShift, optional
        How far days after the first (session 0) lie from it; default: as in life.
    start_time_s : float
        Stamp of sample 0.
    chunk_samples : int or None
        Samples a `read` returns; None: 40 ms.
    mains_hz : float
        Line frequency; 0: none.
    name, source_id : str
        As the stream will be known; without an id, one is made from the parameters.

    Raises
    ------
    SettingsError
        For a parameter out of range.
    ChannelError
        For an unknown electrode.

    Examples
    --------
    >>> source = SimulatedSource(montage=("C3", "Cz", "C4"), seed=1)
    >>> source.cue("left_hand", time_s=1.0)
    >>> source.read(0.0).samples.shape
    (10, 3)
    """

    def __init__(
        self,
        *,
        ability: float = 0.8,
        rate_hz: float = 250.0,
        montage: str | Sequence[str] = "sensorimotor",
        seed: int = 0,
        session: int = 0,
        shift: DayShift | None = None,
        start_time_s: float = 0.0,
        chunk_samples: int | None = None,
        mains_hz: float = 50.0,
        name: str = "Rolandic simulated amplifier",
        source_id: str = "",
    ) -> None:
        if not 0.0 <= ability <= 1.0:
            raise SettingsError(f"ability {ability:g}: give 0 (chance) to 1 (easy)")
        if not (math.isfinite(rate_hz) and rate_hz >= MINIMUM_RATE_HZ):
            raise SettingsError(f"rate {rate_hz:g} Hz: give {MINIMUM_RATE_HZ:g} Hz or more")
        if rate_hz > MAXIMUM_RATE_HZ:
            raise SettingsError(f"rate {rate_hz:g} Hz: give {MAXIMUM_RATE_HZ:g} Hz or less")
        for what, number in (("seed", seed), ("session", session)):
            if number < 0:
                raise SettingsError(f"{what} {number}: give 0 or more")
        if chunk_samples is not None and chunk_samples < 1:
            raise SettingsError(f"chunk of {chunk_samples} samples: give at least 1")
        if not (math.isfinite(mains_hz) and mains_hz >= 0):
            raise SettingsError(f"mains {mains_hz:g} Hz: give 50, 60, or 0 for none")
        if not math.isfinite(start_time_s):
            raise SettingsError(f"start time {start_time_s:g} s: give a finite number")
        labels = montage_labels(montage)
        head = head_model()
        rows = head.index(labels)
        self._info = StreamInfo(
            name=name,
            kind="EEG",
            source_id=source_id or f"rolandic-simulated-{seed}-{session}-{len(labels)}",
            rate_hz=float(rate_hz),
            channels=tuple(
                Channel(label, "microvolts", "EEG", (float(x), float(y), float(z)))
                for label, (x, y, z) in zip(labels, head.positions_m[rows], strict=True)
            ),
        )
        self._start_time_s = start_time_s
        self._chunk_samples = chunk_samples or max(1, round(DEFAULT_CHUNK_S * rate_hz))
        day = Day.draw(shift or DayShift(), seed, session)
        self._imagery = Imagery(ability, rate_hz, start_time_s, seed, session, day.depth)
        person = draw_person(ability, seed, session, day)
        self._brain = Brain(person, rate_hz, rows, seed, session, BLOCK_SAMPLES)
        self._artifacts = Artifacts(rate_hz, rows, seed, session, BLOCK_SAMPLES, mains_hz, day)
        self._lock = threading.Lock()
        self._next_sample = 0
        self._block_number = -1
        self._stale = False
        self._fixed = np.empty((0, len(labels)))
        self._mu = self._beta = np.empty((0, 0))
        self._block = self._fixed

    @property
    def info(self) -> StreamInfo:
        """The stream's description."""
        return self._info

    @property
    def ended(self) -> bool:
        """False: the person stays."""
        return False

    @property
    def next_sample(self) -> int:
        """Index of the first sample that is not out yet."""
        return self._next_sample

    def open(self) -> None:
        """Do nothing: the person is there."""

    def close(self) -> None:
        """Do nothing."""

    def cue(self, label: str, time_s: float) -> None:
        """Let the person see a marker; any thread may.

        Parameters
        ----------
        label : str
            A class of `bci.events.CLASSES` starts imagery, a trial's or run's boundary ends it,
            anything else is ignored.
        time_s : float
            The marker's stamp, on the clock of the samples. What it starts begins a reaction
            time later, or at the next sample where that one is out already.

        Raises
        ------
        ValueError
            For a time that is not finite.
        """
        if not math.isfinite(time_s):
            raise ValueError(f"cue {label!r} at {time_s} s: the time is not a number")
        with self._lock:
            if self._imagery.cue(label, time_s, self._next_sample):
                self._stale = True

    def read(self, timeout_s: float) -> Chunk:
        """Return the next chunk; at once, whatever the timeout."""
        return self.read_samples(self._chunk_samples)

    def read_samples(self, n_samples: int) -> Chunk:
        """Return the next `n_samples` samples.

        Parameters
        ----------
        n_samples : int

        Returns
        -------
        Chunk
            Its arrays are the caller's to keep.
        """
        with self._lock:
            first = self._next_sample
            samples = np.empty((n_samples, len(self._info.channels)))
            done = 0
            while done < n_samples:
                number, offset = divmod(first + done, BLOCK_SAMPLES)
                self._make(number)
                take = min(BLOCK_SAMPLES - offset, n_samples - done)
                samples[done : done + take] = self._block[offset : offset + take]
                done += take
                self._next_sample = first + done
        index = np.arange(first, first + n_samples)
        stamps = self._start_time_s + index / self._info.rate_hz
        return Chunk(first_sample=first, samples=samples, stamps=stamps)

    def _make(self, number: int) -> None:
        """Have block `number` ready, with all cues so far."""
        if number != self._block_number:
            self._fixed, self._mu, self._beta = self._brain.next_block(number)
            self._fixed *= self._artifacts.electrode_gain
            self._fixed += self._artifacts.next_block(number)
            self._imagery.forget(number * BLOCK_SAMPLES)
            self._block_number = number
            self._stale = True
        if self._stale:
            mu, beta = self._imagery.gains(number * BLOCK_SAMPLES, BLOCK_SAMPLES)
            # Whole blocks only: a matrix product's rounding depends on its shape.
            rhythms = self._brain.project(mu * self._mu + beta * self._beta)
            self._block = self._fixed + rhythms * self._artifacts.electrode_gain
            self._stale = False


def simulate_run(
    source_params: Mapping[str, Any], cues: Sequence[Marker], duration_s: float
) -> Recording:
    """Record a simulated run offline.

    Parameters
    ----------
    source_params : mapping
        Keyword arguments of `SimulatedSource`.
    cues : sequence of Marker
        What the person sees, and the recording's markers.
    duration_s : float

    Returns
    -------
    Recording
        Of the samples that `SimulatedSource` yields when the cues arrive in time.
    """
    source = SimulatedSource(**source_params)
    ordered = tuple(sorted(cues, key=lambda marker: marker.time_s))
    for marker in ordered:
        source.cue(marker.label, marker.time_s)
    chunk = source.read_samples(round(duration_s * source.info.rate_hz))
    return Recording(
        path=Path("simulated"),
        info=source.info,
        samples=chunk.samples,
        stamps=chunk.stamps,
        clock_offsets=np.empty((0, 2)),
        markers=ordered,
    )
