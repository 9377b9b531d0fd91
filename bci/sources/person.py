"""The simulated person: anatomy and physiology, and the brain that runs on them.

Who a person is depends on the seed (where the patches lie and point, the individual alpha and mu
frequencies, the background's slope; on the first day the cap sits some millimetres off and mu is
up to half a hertz elsewhere), what another day makes of it on the session too (`bci.sources.days`).
Within a session gains and frequencies wander.

The strengths are those of the recordings of EEGMMIDB that have no ringing line noise (S042: some
3 uV²/Hz at 10 Hz falling as 1/f^1.5 from 1 to 40 Hz, a mu peak of 24 and an alpha peak of 27
uV²/Hz). Those who control a BCI well have a stronger mu rhythm at rest (Blankertz et al. 2010,
doi:10.1016/j.neuroimage.2010.03.022): here too.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bci.sources.days import N_BACKGROUND, NO_SHIFT, Day
from bci.sources.headmodel import MONTAGES, HeadModel, head_model
from bci.sources.imagery import REGIONS, random_stream

__all__ = ["Brain", "Person", "draw_person"]

F64 = NDArray[np.float64]

_PERSON, _DAY, _NOISE, _WANDER = 1, 2, 3, 4

N_ALPHA = 4
#: The background's power density at 10 Hz, averaged over a 64-channel cap (uV²/Hz).
_BACKGROUND_AT_10_HZ = 2.0
#: Blocks that run before sample 0, so that the slowest filter (0.2 Hz) has forgotten its start.
_WARM_UP_S = 12.0

#: Where the regions lie: electrode above, how far towards a second one.
_PLACES: dict[str, tuple[str, str, float]] = {
    "hand-L": ("C3", "C3", 0.0),
    "hand-R": ("C4", "C4", 0.0),
    "foot": ("Cz", "CPz", 0.3),
    "tongue-L": ("C5", "FT7", 0.35),
    "tongue-R": ("C6", "FT8", 0.35),
}
_ALPHA_PLACES = ("O1", "O2", "POz", "P4")
_MU_SHARE = (1.0, 1.0, 0.7, 0.6, 0.6)
_ALPHA_UV = (8.0, 8.0, 7.0, 4.5)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Who sits there, on this day.

    Attributes
    ----------
    mu_hz, beta_hz : ndarray of float64, shape (n_regions,)
    alpha_hz : ndarray of float64, shape (n_alpha,)
    mu_uv, beta_uv, alpha_uv : ndarray of float64
        RMS amplitude at the electrode where it is largest (uV), same shapes.
    rhythm_fields : ndarray of float64, shape (n_regions, n_electrodes)
        Scalp field of each region, largest magnitude 1, over `HeadModel.labels`.
    alpha_fields : ndarray of float64, shape (n_alpha, n_electrodes)
    background_fields : ndarray of float64, shape (n_background, n_electrodes)
        uV/sqrt(Hz) at 10 Hz.
    slope : float
        Beta of the background's 1/f^beta power spectrum.
    """

    mu_hz: F64
    beta_hz: F64
    alpha_hz: F64
    mu_uv: F64
    beta_uv: F64
    alpha_uv: F64
    rhythm_fields: F64 = field(repr=False)
    alpha_fields: F64 = field(repr=False)
    background_fields: F64 = field(repr=False)
    slope: float


def draw_person(ability: float, seed: int, session: int, shift: Day | None = None) -> Person:
    """Draw a person and a day.

    Parameters
    ----------
    ability : float
        0 to 1; sets the strength of the mu and beta rhythms.
    seed, session : int
    shift : Day, optional
        What the day makes of the first; default: nothing.
    """
    head = head_model()
    shift = shift or Day.draw(NO_SHIFT, seed, session)
    who = random_stream(seed, 0, _PERSON)
    day = random_stream(seed, 0, _DAY)  # the first: `shift` says what another makes of it

    mu_hz = who.uniform(9.5, 12.0) + who.normal(0.0, 0.25, len(REGIONS))
    beta_hz = who.uniform(17.5, 22.5) + who.normal(0.0, 0.6, len(REGIONS))
    alpha_hz = who.uniform(9.0, 11.5) + who.normal(0.0, 0.2, N_ALPHA)
    mu_uv = (3.0 + 2.5 * ability) * np.array(_MU_SHARE) * _lognormal(who, 0.12, len(REGIONS))
    alpha_uv = np.array(_ALPHA_UV) * _lognormal(who, 0.25, 1) * _lognormal(who, 0.15, N_ALPHA)
    slope = float(np.clip(who.normal(1.4, 0.1), 1.1, 1.7))

    cap_shift = day.normal(0.0, 0.05, 3) + shift.cap  # of a unit vector: some 4 mm each way
    places = [_place(head, *_PLACES[region]) for region in REGIONS]
    places += [head.electrode_direction(label) for label in _ALPHA_PLACES]
    fields = []
    for number, place in enumerate(places):
        is_region = number < len(REGIONS)
        spread_m = 0.012 if is_region else 0.018
        centre = place + who.normal(0.0, 0.04, 3) + cap_shift
        lean = who.normal(0.0, 0.35, 3)  # rhythms come from gyri and sulci together
        if is_region:
            centre, lean = centre + shift.patches[number], lean + shift.lean[number]
        fields.append(head.patch(_unit(centre), spread_m, lean))
    rhythm_fields = np.array(fields[: len(REGIONS)])
    return Person(
        mu_hz=mu_hz + day.uniform(-0.5, 0.5) + shift.mu_hz,
        beta_hz=beta_hz + day.uniform(-0.7, 0.7) + shift.beta_hz,
        alpha_hz=alpha_hz + day.uniform(-0.3, 0.3) + shift.alpha_hz,
        mu_uv=mu_uv * _lognormal(day, 0.2, len(REGIONS)) * shift.mu,
        beta_uv=0.4 * mu_uv * _lognormal(day, 0.2, len(REGIONS)) * shift.beta,
        alpha_uv=alpha_uv * _lognormal(day, 0.3, 1) * shift.alpha,
        rhythm_fields=rhythm_fields,
        alpha_fields=np.array(fields[len(REGIONS) :]),
        background_fields=_background(head, who, day, cap_shift) * shift.background[:, None],
        slope=slope,
    )


def _background(
    head: HeadModel, who: np.random.Generator, day: np.random.Generator, cap_shift: F64
) -> F64:
    """Draw the background's patches, shape (n_background, n_electrodes), uV/sqrt(Hz) at 10 Hz."""
    cortex = head.directions[:-2]
    fields = np.empty((N_BACKGROUND, len(head.labels)))
    # Drawn one by one: the lattice is stepped through evenly, so that no lobe is left out.
    chosen = (np.arange(N_BACKGROUND) * len(cortex)) // N_BACKGROUND
    for row, point in enumerate(chosen):
        centre = _unit(cortex[point] + who.normal(0.0, 0.05, 3) + cap_shift)
        fields[row] = head.patch(centre, who.uniform(0.010, 0.045), who.normal(0.0, 1.0, 3))
    fields *= _lognormal(who, 0.35, N_BACKGROUND)[:, None]
    power = np.sum(fields[:, head.index(MONTAGES["standard-64"])] ** 2, axis=0).mean()
    fields *= np.sqrt(_BACKGROUND_AT_10_HZ / power)
    scaled: F64 = fields * _lognormal(day, 0.25, N_BACKGROUND)[:, None] * _lognormal(day, 0.15, 1)
    return scaled


def _place(head: HeadModel, above: str, towards: str, share: float) -> F64:
    first, second = head.electrode_direction(above), head.electrode_direction(towards)
    return _unit((1.0 - share) * first + share * second)


def _unit(vector: F64) -> F64:
    unit: F64 = vector / np.linalg.norm(vector)
    return unit


def _lognormal(draw: np.random.Generator, sigma: float, n: int) -> F64:
    return np.exp(draw.normal(0.0, sigma, n))


class Brain:
    """What the cortex of a person does, block after block.

    Parameters
    ----------
    person : Person
    rate_hz : float
    rows : ndarray of int64, shape (n_channels,)
        The montage's electrodes among `HeadModel.labels`.
    seed, session : int
    block : int
        Samples in a block. Blocks are asked for in order, and each draws from a generator of its
        own number: the signal cannot depend on how it is read.
    """

    def __init__(
        self,
        person: Person,
        rate_hz: float,
        rows: NDArray[np.int64],
        seed: int,
        session: int,
        block: int,
    ) -> None:
        self._rate_hz = rate_hz
        self._seed = seed
        self._session = session
        self._block = block
        self._regions = np.ascontiguousarray(person.rhythm_fields[:, rows]) * 1e-6
        self._alpha = np.ascontiguousarray(person.alpha_fields[:, rows]) * 1e-6
        # White noise of this density, before the filter that makes it 1/f with gain 1 at 10 Hz.
        density = np.sqrt(rate_hz / 2.0) * 1e-6
        self._background = np.ascontiguousarray(person.background_fields[:, rows]) * density
        self._pink = design_pink(person.slope, rate_hz)
        self._pink_state = np.zeros((len(self._pink), 2, N_BACKGROUND))

        self._centre_hz = np.concatenate([person.mu_hz, person.beta_hz, person.alpha_hz])
        self._scale_uv = np.concatenate([person.mu_uv, person.beta_uv, person.alpha_uv])
        n_regions, n_all = len(REGIONS), len(self._centre_hz)
        half_width_hz = np.full(n_all, 1.1)
        half_width_hz[n_regions : 2 * n_regions] = 2.2
        half_width_hz[2 * n_regions :] = 0.8
        self._envelopes = [design_envelope(width, rate_hz) for width in half_width_hz]
        self._envelope_state = np.zeros((n_all, 2, 1), dtype=np.complex128)
        self._phase = random_stream(seed, session, _WANDER).uniform(0.0, 2.0 * np.pi, n_all)
        # What wanders within the session, as standard normals: log gain, frequency.
        self._wander = random_stream(seed, session, _WANDER, 1).normal(size=(2, n_all))

        self._n_warm_up = int(np.ceil(_WARM_UP_S * rate_hz / block))
        for number in range(self._n_warm_up):
            self._advance(number)

    def next_block(self, number: int) -> tuple[F64, F64, F64]:
        """Make the next block.

        Returns
        -------
        fixed : ndarray of float64, shape (n_block, n_channels)
            Background and posterior alpha (V).
        mu, beta : ndarray of float64, shape (n_block, n_regions)
            The regions' rhythms, before imagery changes their strength (uV at the peak).
        """
        pink, rhythms = self._advance(number + self._n_warm_up)
        n = len(REGIONS)
        fixed = pink @ self._background + rhythms[:, 2 * n :] @ self._alpha
        return fixed, rhythms[:, :n], rhythms[:, n : 2 * n]

    def project(self, rhythms: F64) -> F64:
        """Project the regions' activity to the channels.

        Parameters
        ----------
        rhythms : ndarray of float64, shape (n_times, n_regions)
            uV.

        Returns
        -------
        ndarray of float64, shape (n_times, n_channels)
            V.
        """
        projected: F64 = rhythms @ self._regions
        return projected

    def _advance(self, number: int) -> tuple[F64, F64]:
        """Run background and rhythms through one block."""
        draw = random_stream(self._seed, self._session, _NOISE, number)
        white = draw.standard_normal((self._block, N_BACKGROUND))
        pink, self._pink_state = signal.sosfilt(self._pink, white, axis=0, zi=self._pink_state)
        return pink, self._rhythms(draw)

    def _rhythms(self, draw: np.random.Generator) -> F64:
        """Run the rhythms through one block, shape (n_block, n_rhythms), in uV.

        A rhythm is Gaussian noise of a few hertz of bandwidth around a carrier: it waxes and
        wanes as rhythms do.
        """
        n_all, n_regions = len(self._centre_hz), len(REGIONS)
        noise = draw.standard_normal((n_all, 2, self._block))
        envelope = np.empty((self._block, n_all), dtype=np.complex128)
        for row in range(n_all):
            pole, gain = self._envelopes[row]
            stage = noise[row, 0] + 1j * noise[row, 1]
            for order in (0, 1):
                stage, self._envelope_state[row, order] = signal.lfilter(
                    [1.0], [1.0, -pole], stage, zi=self._envelope_state[row, order]
                )
            envelope[:, row] = gain * stage

        before = self._wander
        keep = np.exp(-self._block / self._rate_hz / 45.0)  # over some 45 s
        self._wander = keep * before + np.sqrt(1 - keep**2) * draw.normal(size=before.shape)
        along = (np.arange(1, self._block + 1) / self._block)[:, None, None]
        wander = before + along * (self._wander - before)
        frequency_hz = self._centre_hz + 0.15 * wander[:, 1]
        phase = self._phase + np.cumsum(2.0 * np.pi * frequency_hz / self._rate_hz, axis=0)
        self._phase = np.mod(phase[-1], 2.0 * np.pi)

        wave = envelope * np.exp(1j * phase)
        rhythms = wave.real
        # Mu is an arch, not a sine: a second harmonic locked to the first.
        mu = wave[:, :n_regions]
        rhythms[:, :n_regions] += 0.25 * (mu**2 / (np.abs(mu) + 1e-12)).real
        scaled: F64 = rhythms * (self._scale_uv * np.exp(0.18 * wander[:, 0]))
        return scaled


def design_pink(slope: float, rate_hz: float) -> F64:
    """Design a filter that turns white noise into 1/f^slope noise.

    Poles and zeros on the real axis alternate evenly over log frequency from 0.2 Hz to beyond
    Nyquist: the staircase of 6 dB an octave and flat averages to any slope between (Corsini and
    Saletti 1988, doi:10.1109/19.9825). Gain 1 at 10 Hz.

    Returns
    -------
    sos : ndarray of float64, shape (n_sections, 6)
    """
    ratio = 3.0
    n_poles = int(np.ceil(np.log(2.0 * rate_hz / 0.2) / np.log(ratio)))
    pole_hz = 0.2 * ratio ** np.arange(n_poles)
    zero_hz = pole_hz * ratio ** (slope / 2.0)
    poles = np.exp(-2.0 * np.pi * pole_hz / rate_hz)
    zeros = np.exp(-2.0 * np.pi * zero_hz / rate_hz)
    sos: F64 = signal.zpk2sos(zeros, poles, 1.0)
    _, response = signal.sosfreqz(sos, worN=[10.0], fs=rate_hz)
    sos[0, :3] /= np.abs(response[0])
    return sos


def design_envelope(half_width_hz: float, rate_hz: float) -> tuple[float, float]:
    """Design the twofold pole that gives a rhythm its bandwidth.

    Returns
    -------
    pole, gain : float
        Complex white noise of unit variance in each part comes out with unit variance in each.
    """
    # Each of the two stages is 1.55 times as wide as both together at half power.
    pole = float(np.exp(-2.0 * np.pi * 1.55 * half_width_hz / rate_hz))
    # Impulse response (n + 1) pole^n, energy (1 + pole²) / (1 - pole²)³.
    gain = float(np.sqrt((1.0 - pole**2) ** 3 / (1.0 + pole**2)))
    return pole, gain
