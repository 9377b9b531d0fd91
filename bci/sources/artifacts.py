"""What an amplifier picks up that is not the brain: eyes, muscles, mains, electrodes.

Blinks go through the head model; muscles lie outside the skull, where its shells give no
solution, and fall off with distance along the scalp instead.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bci.sources.days import Day
from bci.sources.headmodel import head_model
from bci.sources.imagery import random_stream

__all__ = ["Artifacts"]

F64 = NDArray[np.float64]

_SCHEDULE, _NOISE, _CAP = 11, 12, 13

_BLINK, _BURST = 0, 1
#: Where muscles lie: temporalis and frontalis, and the neck's.
_MUSCLES = ("FT9", "FT10", "T9", "T10", "P9", "P10", "AF9", "AF10")
_MUSCLE_SPREAD_M = 0.035
_ELECTRODE_NOISE_UV = 0.5
_DRIFT_UV = 15.0
_DRIFT_S = 40.0


@dataclass(frozen=True, slots=True)
class _Artifact:
    """One blink or burst: where it begins and ends (s), how large it is, which muscle."""

    begin_s: float
    length_s: float
    size_uv: float
    muscle: int


class Artifacts:
    """What is added to the brain's signal, block after block.

    Parameters
    ----------
    rate_hz : float
    rows : ndarray of int64, shape (n_channels,)
        The montage's electrodes among `HeadModel.labels`.
    seed, session : int
    block : int
        Samples in a block.
    mains_hz : float
        Line frequency; at 0, or at Nyquist and above (the amplifier's filter), there is none.
    day : Day
        What the day makes of the first day's contacts.
    """

    def __init__(
        self,
        rate_hz: float,
        rows: NDArray[np.int64],
        seed: int,
        session: int,
        block: int,
        mains_hz: float,
        day: Day,
    ) -> None:
        head = head_model()
        self._rate_hz = rate_hz
        self._seed = seed
        self._session = session
        self._block = block
        self._n_channels = len(rows)
        cap = random_stream(seed, 0, _CAP)
        # Drawn for the whole cap: a channel is the same in every montage.
        whole_cap = cap.lognormal(0.0, 0.6, len(head.labels))
        offset_uv = cap.normal(0.0, _DRIFT_UV, len(head.labels))
        noise = cap.lognormal(0.0, 0.3, len(head.labels)) * day.noise
        gain = np.exp(cap.normal(0.0, 0.06, len(head.labels))) * day.gain
        self._electrode_gain = gain[rows]
        self._noise_v = _ELECTRODE_NOISE_UV * 1e-6 * noise[rows]

        self._blink_v = 1e-6 * head.eyes()[rows]
        muscles = head.positions_m[head.index(_MUSCLES)]
        distance = np.linalg.norm(head.positions_m[rows] - muscles[:, None], axis=2)
        self._muscle_v = 1e-6 * np.exp(-0.5 * (distance / _MUSCLE_SPREAD_M) ** 2)
        self._tone_uv = cap.lognormal(np.log(1.0), 0.5, len(_MUSCLES))
        high = min(110.0, 0.45 * rate_hz)
        self._muscle_sos = signal.butter(2, (22.0, high), "bandpass", output="sos", fs=rate_hz)
        # Unit variance after the filter: its impulse response's energy.
        pulse = signal.sosfilt(self._muscle_sos, signal.unit_impulse(int(2 * rate_hz)))
        self._muscle_sos[0, :3] /= np.sqrt(np.sum(pulse**2))
        self._muscle_state = np.zeros((len(self._muscle_sos), 2, len(_MUSCLES)))

        self._mains_hz = mains_hz
        self._mains_v = 1e-6 * 0.7 * whole_cap[rows] * (0.0 < mains_hz < 0.5 * rate_hz)
        self._mains_phase = cap.normal(0.0, 0.3, len(head.labels))[rows]

        self._drift_v = 1e-6 * offset_uv[rows]
        self._pending: tuple[list[_Artifact], list[_Artifact]] = ([], [])
        self._schedules = [random_stream(seed, session, _SCHEDULE, kind) for kind in (0, 1)]
        self._scheduled_s = [0.0, 0.0]

    @property
    def electrode_gain(self) -> F64:
        """Factor of each channel on this day, shape (n_channels,)."""
        return self._electrode_gain

    def next_block(self, number: int) -> F64:
        """Make the next block.

        Returns
        -------
        ndarray of float64, shape (n_block, n_channels)
            V.
        """
        draw = random_stream(self._seed, self._session, _NOISE, number)
        sample = number * self._block + np.arange(self._block)
        time_s = sample / self._rate_hz
        self._schedule(float(time_s[-1]) + 1.0 / self._rate_hz)
        block = draw.standard_normal((self._block, self._n_channels)) * self._noise_v
        block += self._blinks(time_s)[:, None] * self._blink_v
        block += self._muscles(time_s, draw) @ self._muscle_v
        if self._mains_v.any():
            phase = 2.0 * np.pi * np.mod(self._mains_hz * time_s, 1.0)
            block += np.sin(phase[:, None] + self._mains_phase) * self._mains_v
        block += self._drift(draw)
        for kind in (_BLINK, _BURST):
            over = float(time_s[-1])
            kept = [item for item in self._pending[kind] if item.begin_s + item.length_s > over]
            self._pending[kind][:] = kept
        return block

    def _schedule(self, until_s: float) -> None:
        """Draw blinks and bursts up to a time, each kind from its own renewal process."""
        blinks, bursts = self._schedules
        while self._scheduled_s[_BLINK] < until_s:
            self._scheduled_s[_BLINK] += 0.7 + blinks.gamma(1.5, 2.2)  # every 4 s on average
            self._pending[_BLINK].append(
                _Artifact(
                    begin_s=self._scheduled_s[_BLINK],
                    length_s=blinks.uniform(0.25, 0.4),
                    size_uv=blinks.lognormal(np.log(130.0), 0.3),
                    muscle=0,
                )
            )
        while self._scheduled_s[_BURST] < until_s:
            self._scheduled_s[_BURST] += 3.0 + bursts.exponential(22.0)
            self._pending[_BURST].append(
                _Artifact(
                    begin_s=self._scheduled_s[_BURST],
                    length_s=bursts.uniform(0.3, 1.5),
                    size_uv=bursts.lognormal(np.log(18.0), 0.5),
                    muscle=int(bursts.integers(len(_MUSCLES))),
                )
            )

    def _blinks(self, time_s: F64) -> F64:
        """Return the lids' course (uV), shape (n_block,): fast down, slower up, undershoot."""
        course = np.zeros(len(time_s))
        for blink in self._pending[_BLINK]:
            phase = (time_s - blink.begin_s) / blink.length_s
            closing = np.clip(phase, 0.0, 1.0)
            course += blink.size_uv * np.sin(np.pi * closing**0.75) ** 2
        return course

    def _muscles(self, time_s: F64, draw: np.random.Generator) -> F64:
        """Return the muscles' activity (uV), shape (n_block, n_muscles)."""
        white = draw.standard_normal((self._block, len(_MUSCLES)))
        activity, self._muscle_state = signal.sosfilt(
            self._muscle_sos, white, axis=0, zi=self._muscle_state
        )
        strength = np.tile(self._tone_uv, (self._block, 1))
        for burst in self._pending[_BURST]:
            phase = np.clip((time_s - burst.begin_s) / burst.length_s, 0.0, 1.0)
            strength[:, burst.muscle] += burst.size_uv * np.sin(np.pi * phase) ** 0.5
        scaled: F64 = activity * strength
        return scaled

    def _drift(self, draw: np.random.Generator) -> F64:
        """Return the electrodes' offsets (V), shape (n_block, n_channels).

        They wander like an Ornstein-Uhlenbeck process of the day's size; between the blocks'
        ends the course is a cubic with level ends, smooth for any filter.
        """
        before = self._drift_v
        keep = np.exp(-self._block / self._rate_hz / _DRIFT_S)
        push = 1e-6 * _DRIFT_UV * np.sqrt(1.0 - keep**2)
        self._drift_v = keep * before + push * draw.standard_normal(self._n_channels)
        along = np.arange(1, self._block + 1) / self._block
        course = along * along * (3.0 - 2.0 * along)
        wandered: F64 = before + course[:, None] * (self._drift_v - before)
        return wandered
