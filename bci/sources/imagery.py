"""From cues to what the sensorimotor rhythms do: desynchronisation, rebound, and their moods.

During imagery the rhythms over the imagined limb's cortex weaken (ERD), after it the beta rhythm
overshoots (rebound): Pfurtscheller and Lopes da Silva 1999, doi:10.1016/S1388-2457(99)00141-8;
foot and tongue imagery strengthens the hand's mu rhythm (Pfurtscheller et al. 2006,
doi:10.1016/j.neuroimage.2005.12.003).

Everything that is drawn at random for a trial depends on the trial's number and never on its
class, and at ability 0 the class enters with weight zero: such a person's signal is the same, to
the last bit, whatever is cued.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bci.events import CLASSES

__all__ = ["ENDING", "REGIONS", "Imagery", "random_stream"]

F64 = NDArray[np.float64]

#: Cortex with a rhythm that imagery moves: hand areas, foot area, tongue areas of the left and
#: right hemisphere.
REGIONS = ("hand-L", "hand-R", "foot", "tongue-L", "tongue-R")

#: Fraction of the mu amplitude that is lost at full effort, by region; negative: gained. The
#: hand's share on its own side is a quarter of that on the other.
_DEPTH: dict[str, tuple[float, ...]] = {
    "left_hand": (0.18, 0.75, 0.08, 0.0, 0.05),
    "right_hand": (0.75, 0.18, 0.08, 0.05, 0.0),
    "both_hands": (0.72, 0.72, 0.10, 0.05, 0.05),
    "feet": (-0.20, -0.20, 0.78, 0.0, 0.0),
    "tongue": (-0.12, -0.12, 0.0, 0.72, 0.72),
    "rest": (0.0, 0.0, 0.0, 0.0, 0.0),
}
#: What every cue does, whatever it says: expectation and effort.
_COMMON = (0.22, 0.22, 0.12, 0.08, 0.08)

#: Markers that end imagery; any other that names no class is no concern of the imaginer's.
ENDING = frozenset({"imagery_end", "trial_start", "trial_end", "fixation", "run_start", "run_end"})

_RISE_S = 0.5
_RELEASE_S = 0.6
#: Rebound: begins while the mu rhythm recovers, peaks 0.85 s after the imagery's end.
_REBOUND_S = (0.35, 1.35)
_REBOUND_PER_DEPTH = 1.3
_BETA_PER_MU = 0.75
#: Effort fades to this much of itself with this time constant.
_FADE = (0.65, 6.0)
#: Amplitudes never fall below this fraction.
_FLOOR = 0.08


def random_stream(seed: int, session: int, kind: int, index: int = 0) -> np.random.Generator:
    """Return a generator that depends on nothing but these four numbers.

    `kind` keeps purposes apart; `index` counts blocks, trials or events within one.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(session, kind, index)))


_TRIAL, _RELEASE, _DAY = 101, 102, 103


@dataclass(slots=True)
class _Event:
    """A cue or an end, taken up at a sample; `depth` is None for an end."""

    stamp_s: float
    onset: int
    depth: F64 | None


class Imagery:
    """The imaginer: takes cues, tells the rhythms' gains.

    Parameters
    ----------
    ability : float
        0 to 1: the share of the class in what a cue does.
    rate_hz : float
    start_time_s : float
        Time of sample 0.
    seed, session : int
    strategy : ndarray of float64, shape (n_classes, n_regions), optional
        What the day adds to the depths of the classes of `bci.events.CLASSES`.
    """

    def __init__(
        self,
        ability: float,
        rate_hz: float,
        start_time_s: float,
        seed: int,
        session: int,
        strategy: F64 | None = None,
    ) -> None:
        self._ability = ability
        self._rate_hz = rate_hz
        self._start_time_s = start_time_s
        self._seed = seed
        self._session = session
        self._events: list[_Event] = []
        self._n_trials = 0
        self._n_ends = 0
        # Not in everybody do the regions answer alike.
        day = random_stream(seed, 0, _DAY)
        self._day = np.clip(day.normal(1.0, 0.12, len(REGIONS)), 0.7, 1.15)
        # Rest is no imagery: it has no strategy that could change.
        added = np.zeros((len(CLASSES), len(REGIONS))) if strategy is None else strategy
        self._depth = {
            name: np.array(_DEPTH[name]) + (name != "rest") * added[number]
            for number, name in enumerate(CLASSES)
        }

    def cue(self, label: str, time_s: float, next_sample: int) -> bool:
        """Take a marker.

        Parameters
        ----------
        label : str
        time_s : float
            Its stamp, on the clock of the samples.
        next_sample : int
            The first sample that is not out yet: nothing changes before it.

        Returns
        -------
        bool
            Whether it changes anything.
        """
        if label in CLASSES:
            reaction_s, depth = self._draw_trial(label)
        elif label in ENDING:
            draw = random_stream(self._seed, self._session, _RELEASE, self._n_ends)
            self._n_ends += 1
            reaction_s, depth = draw.uniform(0.2, 0.4), None
        else:
            return False
        due = math.ceil((time_s + reaction_s - self._start_time_s) * self._rate_hz)
        self._events.append(_Event(time_s, max(due, next_sample), depth))
        self._events.sort(key=lambda event: event.stamp_s)
        return True

    def forget(self, before_sample: int) -> None:
        """Drop what has no effect from `before_sample` on."""
        margin = (_RELEASE_S + sum(_REBOUND_S)) * self._rate_hz
        while len(self._events) > 1 and min(e.onset for e in self._events[1:]) + margin < (
            before_sample
        ):
            del self._events[0]

    def gains(self, first: int, n_samples: int) -> tuple[F64, F64]:
        """Return what the rhythms' amplitudes are multiplied by.

        Returns
        -------
        mu, beta : ndarray of float64, shape (n_samples, n_regions)
        """
        sample = np.arange(first, first + n_samples, dtype=np.float64)
        lost = np.zeros((n_samples, len(REGIONS)))
        rebound = np.zeros((n_samples, len(REGIONS)))
        for number, event in enumerate(self._events):
            if event.depth is None:
                continue
            later = [other.onset for other in self._events[number + 1 :]]
            stop = min(later, default=None)
            if stop is not None and stop <= event.onset:
                continue  # overtaken before it began
            since_s = (sample - event.onset) / self._rate_hz
            held = _ramp(since_s / _RISE_S)
            fade, fade_s = _FADE
            held *= fade + (1.0 - fade) * np.exp(-np.maximum(since_s, 0.0) / fade_s)
            if stop is not None:
                after_s = (sample - stop) / self._rate_hz
                held *= 1.0 - _ramp(after_s / _RELEASE_S)
                begin_s, length_s = _REBOUND_S
                phase = np.clip((after_s - begin_s) / length_s, 0.0, 1.0)
                reached = min((stop - event.onset) / self._rate_hz / _RISE_S, 1.0)
                bump = reached * 16.0 * phase**2 * (1.0 - phase) ** 2
                rebound += bump[:, None] * (np.maximum(event.depth, 0.0) * _REBOUND_PER_DEPTH)
            lost += held[:, None] * event.depth
        mu = np.maximum(1.0 - lost, _FLOOR)
        beta = np.maximum(1.0 - _BETA_PER_MU * lost, _FLOOR) * (1.0 + rebound)
        return mu, beta

    def _draw_trial(self, label: str) -> tuple[float, F64]:
        """Draw reaction time (s) and depths, shape (n_regions,), of the next trial."""
        draw = random_stream(self._seed, self._session, _TRIAL, self._n_trials)
        self._n_trials += 1
        weakness = 1.0 - self._ability
        reaction_s = 0.3 + 0.3 * draw.beta(2.0, 2.0)
        lapsed = draw.random() < 0.02 + 0.2 * weakness
        effort = np.clip(draw.normal(1.0, 0.12 + 0.2 * weakness), 0.3, 1.4)
        spread = draw.normal(0.0, 0.05 + 0.05 * weakness, len(REGIONS))
        share = 0.0 if lapsed else self._ability
        wanted = (1.0 - share) * np.array(_COMMON) + share * self._depth[label]
        return reaction_s, effort * self._day * wanted + spread


def _ramp(x: F64) -> F64:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    clipped = np.clip(x, 0.0, 1.0)
    ramp: F64 = clipped * clipped * (3.0 - 2.0 * clipped)
    return ramp
