"""How a day differs from the first: cap, contacts, background and the person's own strategy.

Session 0 is the day on which a simulated person is met; every later session differs from it as a
`DayShift` says, each in its own way.

The strengths, and where they come from:

- `displacement_mm`: caps that are put on without measuring sit elsewhere by a standard deviation
  of 3.0 to 12.7 mm, depending on the electrode (Atcherson et al. 2007, Brain Topography 20,
  105-111): the least of it.
- `pattern`: what imagery does differs between calibration and use, and within a session, by less
  than the background does, but it differs (Shenoy et al. 2006, "Towards adaptive classification for
  BCI", J Neural Eng 3, R13-R23).
- `gain`, `noise`, `background`, `rhythm`, `frequency_hz`: nobody has split what moves between days
  into these; by plausibility, and so that together a frozen decoder loses about what it loses in
  life.

What it loses (tests/benchmarks/adaptation.py: twelve people, two later days each, accuracy from
frozen to recentred): CSP and LDA 5 points with three classes and 11 with four, tangent space and
logistic regression 10 and 11. In life: 4.7 (CSP and LDA, BCI competition IV 2a), 8 and 11 (tangent
space, P1 of `bci.decoders.recentering` from one day to another), 0 to 4 from run to run of one day.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bci.errors import SettingsError
from bci.events import CLASSES
from bci.sources.headmodel import CORTEX_RADIUS_M, head_model
from bci.sources.imagery import REGIONS, random_stream

__all__ = ["NO_SHIFT", "N_BACKGROUND", "Day", "DayShift"]

F64 = NDArray[np.float64]

#: Patches of cortex that make the background.
N_BACKGROUND = 60

_SHIFT = 301


@dataclass(frozen=True, slots=True)
class DayShift:
    """Strengths of what changes from the first day to another; 0: nothing of the kind.

    Attributes
    ----------
    displacement_mm : float
        Of the cap, standard deviation along each axis (mm).
    gain : float
        Of each electrode's contact, standard deviation of the logarithm of its gain.
    noise : float
        Likewise, of the noise that it adds.
    background : float
        Of the background's patches and of the alpha rhythm, standard deviation of the logarithm of
        their amplitude.
    rhythm : float
        Of each region's mu and beta rhythms, likewise.
    frequency_hz : float
        Of the rhythms, standard deviation (Hz).
    pattern : float
        Of the fraction of a region's rhythm that imagery takes, standard deviation for each class
        and region. Where a region's patch lies and points moves along: by 20 mm, and by its own
        length, times this.

    Raises
    ------
    SettingsError
        For a strength below 0 or not finite.
    """

    displacement_mm: float = 3.0
    gain: float = 0.025
    noise: float = 0.08
    background: float = 0.08
    rhythm: float = 0.08
    frequency_hz: float = 0.2
    pattern: float = 0.15

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"day shift, {item.name} {value!r}: give 0 or more")


#: Every day as the first.
NO_SHIFT = DayShift(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

#: What a strategy of strength 1 would move a patch by (mm).
_PATCH_MM = 20.0
_HEAD_MM = 1e3 * CORTEX_RADIUS_M


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What one day makes of the first.

    Attributes
    ----------
    cap : ndarray of float64, shape (3,)
        Displacement, of a unit vector.
    patches, lean : ndarray of float64, shape (n_regions, 3)
        Displacement of each region's patch, and change of its orientation.
    mu, beta : ndarray of float64, shape (n_regions,)
        Factors of amplitudes.
    mu_hz, beta_hz, alpha_hz : float
        What is added to frequencies.
    background, alpha : ndarray of float64, shapes (n_background,) and (1,)
        Factors of amplitudes.
    gain, noise : ndarray of float64, shape (n_electrodes,)
        Factors.
    depth : ndarray of float64, shape (n_classes, n_regions)
        What is added to the fraction of a rhythm that imagery takes; times the effort.
    """

    cap: F64
    patches: F64
    lean: F64
    mu: F64
    beta: F64
    mu_hz: float
    beta_hz: float
    alpha_hz: float
    background: F64
    alpha: F64
    gain: F64
    noise: F64
    depth: F64

    @classmethod
    def draw(cls, shift: DayShift, seed: int, session: int) -> "Day":
        """Draw a day; the first adds nothing.

        Parameters
        ----------
        shift : DayShift
        seed, session : int
        """
        if not session:
            shift = NO_SHIFT
        normal = random_stream(seed, session, _SHIFT).standard_normal
        n = len(REGIONS)
        return cls(
            cap=normal(3) * shift.displacement_mm / _HEAD_MM,
            patches=normal((n, 3)) * shift.pattern * _PATCH_MM / _HEAD_MM,
            lean=normal((n, 3)) * shift.pattern,
            mu=np.exp(normal(n) * shift.rhythm),
            beta=np.exp(normal(n) * shift.rhythm),
            mu_hz=normal() * shift.frequency_hz,
            beta_hz=normal() * shift.frequency_hz,
            alpha_hz=normal() * shift.frequency_hz,
            background=np.exp(normal(N_BACKGROUND) * shift.background),
            alpha=np.exp(normal(1) * shift.background),
            gain=np.exp(normal(len(head_model().labels)) * shift.gain),
            noise=np.exp(normal(len(head_model().labels)) * shift.noise),
            depth=normal((len(CLASSES), n)) * shift.pattern,
        )
