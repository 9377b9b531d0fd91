"""The stream clock: dejittered times and gaps, one sample after the other.

A stamp is ``s = line(k) + delay``. The line is where sample k would be stamped without delay; it
has an offset and a period. Delays are positive and of every kind: none (file playback, good
amplifiers), a few milliseconds (scheduling), or seconds (a radio link that stalls, then delivers
its backlog without loss). Samples that were lost raise the line itself. The clock follows the line
along the *lower envelope* of the stamps and calls what lifts that envelope a gap. Nothing at a
sample depends on later stamps, or on how the stream is cut.

**The line.** Every block (8 samples at the start, growing to 1 s) the lowest stamp corrects offset
and period in a recursive least-squares fit with forgetting (120 s), the block's minimum being its
measurement. What that measurement is worth is learned: `scatter`, the changes from minimum to
minimum, clipped at three sigmas. For the period it counts less when successive errors are alike (a
stall of five seconds is one error, not five) and in a bursty stream's first minute (the decaying
peak of the jumps, squared, over the seconds seen). The period starts at the nominal one, give or
take 1 %: a sender 3 % off is known to 0.1 % after 3 s of exact stamps, 40 s of 20 ms jitter or 80 s
of 200 ms bursts. Two blocks below the line by four sigmas, or one after a gap that was declared
late, set the line down at once.

**Gaps**, in the order in which they are found out:

1. *At once.* A stream whose jumps stayed under a quarter period for a second is exact: there a jump
   of half a period, either way, is a gap on its first sample. On any stream, so is a jump forward
   of 1 s, or one backward of a period, beyond twice the decaying peak (60 s) of the jumps. A jump
   that is taken back within the hold was jitter: the stream is no longer exact.
2. *By suspicion.* Where the delay rises above ``theta = max(half a period, 4 scatter) + 3 sigmas of
   the line``, a suspicion opens; one delay below theta drops it. After 1.5 s it is a gap that
   began where it opened. After a minute it sees one lost sample in 20 ms of uniform jitter at
   125 Hz; scatter is held under 0.1 s, which keeps theta under 0.7 s on the worst stream.
3. *By creep.* Losses too small for theta lift the line through its own corrections. When these sum
   to 0.25 s the sum is a gap that began where half of it was reached.

**Times out** follow the line and advance by 0.5 to 1.5 periods a sample, so they are monotone in a
segment; each gap starts a new segment on the new line. Between `began_at` and `declared_at` of a
gap that was declared late they are still on the old line, too early by `lost_s`.

A new connection (`StreamClock.restart`) is a gap at its first stamp, wherever that lies.

**What it does on real stamps** (OpenBCI over Bluetooth, 125 Hz, packets of 5 samples, normal bursts
of 0.2 s; seconds lost: declared / net of what came after all / duration minus samples):

=======  ====  ===================  ==============================================================
file     gaps  lost (s)             note
=======  ====  ===================  ==============================================================
P1_001      4   1.6 /  0.8 /  0.0   stalls of up to 0.9 s that take up to 18 s to catch up
P1_002     39  60.8 / 60.8 / 65.7   lost a quarter
P1_003      0   0.0 /  0.0 / -0.3   stalls of 0.34 s
P1_004      9   5.4 /  4.9 /  6.2   lost 4 s near its end
P1_005      7   3.2 /  1.1 /  1.1
P1_006      2   0.7 / -0.3 / -0.5
P1_007     10   3.7 /  2.6 /  2.7   lost 2.5 s around second 30
P1_008      2   0.7 /  0.2 /  0.5
P1_009      9   2.4 /  0.3 /  0.4   stalls of 0.5 s, 2 to 3 s long
P1_010      5   1.6 /  0.1 /  0.0
P1_011      3   0.7 / -0.2 / -0.2
P1_012      4   1.1 /  0.7 /  0.7
=======  ====  ===================  ==============================================================

P1_004 is no slow clock: from second 70 to 165 its envelope stays within 0.07 % of the nominal rate,
and it climbs only in stretches (4 s within 20 s near the end), as radio losses do. Samples taken
out at 34 places of P1_003, 006 and 010: of losses of 320 ms 33 are found, of 480 ms all, of 200 ms
3. Below the bursts a loss leaves no trace but creep.

The price on bursty streams is the false alarm: a stall that does not catch up within 1.5 s is
declared, and its backlog later brings the line down again; `given_back_s` sums that up, and the
gaps' sum with it is the net loss. With a hold of 1 s P1_003 has two of these, with 2 s 29 of the 33
losses are found: 1.5 s is the shortest that leaves the regular bursts alone. A sender whose own
loop drifts, sleeping between samples (clock_resets.xdf: 7 % slow, jumps of three periods), gets a
gap for each jump.

A sample costs about 50 ns, an update of 8 samples 2.5 us.
"""

from dataclasses import dataclass
from math import exp, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from bci.compiled import kernel
from bci.errors import SettingsError

__all__ = ["Gap", "StreamClock"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# Why each has this value: the module's docstring.
_BLOCK_S = 1.0
_HOLD_S = 1.5
_MEMORY_S = 120.0  # of the fit
_RATE_SPREAD = 0.01  # a sender's period against the nominal one, standard deviation
_RATE_KNOWN = 0.003  # when the period is known well enough to count creep
_RATE_LIMIT = 0.15
_LEAST_GAIN = 0.1  # of the line's offset: it follows in ten blocks
_START_S = 0.1  # doubt about the first stamp
_START_SCATTER_PERIODS = 0.25
_SCATTER_BLOCKS = 30.0  # memory of the scatter, and of how alike errors are
_SCATTER_MOST_S = 0.1
_SCATTER_LEAST_PERIODS = 1e-4
_CLIP = 9.0  # three sigmas, squared
_FLOOR_SIGMAS = 4.0
_MODEL_SIGMAS = 3.0
_ALIKE_MOST = 0.8
_JUMP_PERIODS = 0.5
_EXACT_PERIODS = 0.25
_PEAK_MEMORY_S = 60.0
_STALL_S = 1.0
_CREEP_S = 0.25

# The state is one float64 array, so that the kernel allocates nothing. Times are relative to the
# origin, a raw stamp: sums of periods stay exact however large the sender's clock is.
_NOMINAL = 0  # nominal period
_ORIGIN = 1  # NaN before the first finite stamp
_LINE, _PERIOD = 2, 3  # the line at the current sample, and its slope
_P11, _P12, _P22 = 4, 5, 6  # their covariance
_SCATTER, _N_SCATTER = 7, 8  # variance of block minima, and the blocks behind it
_LAST, _LAST_AT = 9, 10  # the last finite stamp and its sample
_PEAK = 11  # decaying peak of the jumps
_SEEN = 12  # finite stamps so far
_BLOCK_MIN, _BLOCK_AT, _BLOCK_N = 13, 14, 15
_N_LOW = 16  # consecutive blocks below the line
_OPEN_AT, _OPEN_MIN = 17, 18  # where the suspicion began (-1: none), lowest delay in its later half
_TIME, _SEGMENT, _SAMPLE = 19, 20, 21  # last time given out, relative; its segment; next sample
_JUMP, _JUMPED_AT = 22, 23  # the last gap that was declared at once
_USUAL, _ALIKE = 24, 25  # last error in sigmas; mean product of successive ones
_LEFT = 26  # what the last minimum kept above the corrected line
_CREEP, _CREEP_AT = 27, 28  # upward corrections since the gap, and where half of a gap was reached
_RESTART = 29  # 1: the next finite stamp is the first of a new connection
_BACK = 30  # what stalls that were declared as gaps gave back, when their backlog came (negative)
_SIZE = 31


@kernel
def _restart_line(state: F64, line: float, variance: float) -> None:
    """Put the line elsewhere; its period stays known."""
    state[_LINE] = line
    state[_P11] = variance
    state[_P12] = 0.0
    state[_BLOCK_N] = 0.0
    state[_BLOCK_MIN] = np.inf
    state[_N_LOW] = 0.0
    state[_LEFT] = 0.0
    state[_OPEN_AT] = -1.0


@kernel
def _learn_scatter(state: F64, low: float, prior: float, share: float, exact: bool) -> None:
    """Learn how block minima scatter, and whether successive errors are alike."""
    scatter = state[_SCATTER]
    usual = min(max(low / sqrt(prior + scatter), -2.0), 2.0)
    state[_ALIKE] += (usual * state[_USUAL] - state[_ALIKE]) / _SCATTER_BLOCKS
    state[_USUAL] = usual
    change = (low - state[_LEFT]) ** 2 / 2.0
    if exact:  # all that changes is a period that is not yet known
        change *= scatter / (scatter + state[_BLOCK_N] ** 2 * state[_P22] / 2.0)
    change = min(change, _CLIP * scatter)
    state[_N_SCATTER] = min(state[_N_SCATTER] + share, _SCATTER_BLOCKS)
    scatter += (change - scatter) / (1.0 + state[_N_SCATTER])
    least = _SCATTER_LEAST_PERIODS * state[_NOMINAL]
    state[_SCATTER] = min(max(scatter, least * least), _SCATTER_MOST_S**2)


@kernel
def _learn_block(state: F64, theta: float, full_n: float) -> None:
    """Correct line and period by the minimum of the block that is over."""
    low, length = state[_BLOCK_MIN], state[_BLOCK_N]
    age = state[_SAMPLE] - state[_BLOCK_AT]
    nominal = state[_NOMINAL]
    state[_BLOCK_MIN] = np.inf
    if not low <= theta:  # a gap may be going on, or no stamp was finite: no lesson
        state[_N_LOW] = state[_BLOCK_N] = 0.0
        return
    if low < -max(_FLOOR_SIGMAS * sqrt(state[_SCATTER]), _JUMP_PERIODS * nominal):
        state[_N_LOW] += 1.0
        if state[_N_LOW] >= 2.0:
            state[_BACK] += low
            _restart_line(state, state[_LINE] + low, state[_SCATTER])
            return
    else:
        state[_N_LOW] = 0.0
    p11, p12, p22 = state[_P11], state[_P12], state[_P22]
    prior = p11 - 2.0 * age * p12 + age * age * p22
    exact = state[_PEAK] < _EXACT_PERIODS * nominal
    _learn_scatter(state, low, prior, length / full_n, exact)
    state[_BLOCK_N] = 0.0
    # an error of more than three sigmas counts as three
    noise = max(state[_SCATTER] * full_n / length, low * low / 9.0 - prior)
    alike = 0.0 if exact else min(max(state[_ALIKE], 0.0), _ALIKE_MOST)
    bursts = state[_PEAK] ** 2 * full_n / state[_SEEN]
    slow = noise * (1.0 + alike) / (1.0 - alike) + bursts * full_n / length
    h1, h2 = p11 - age * p12, p12 - age * p22
    g2 = h2 / (prior + slow)
    g1 = max(prior / (prior + noise), _LEAST_GAIN) + age * g2
    state[_LINE] += g1 * low
    state[_LEFT] = low - g1 * low
    if p22 < (_RATE_KNOWN * nominal) ** 2:
        state[_CREEP] = max(state[_CREEP] + g1 * low, 0.0)
    if state[_CREEP] <= 0.5 * _CREEP_S:
        state[_CREEP_AT] = state[_SAMPLE] + 1.0
    period = state[_PERIOD] + g2 * low
    most, least = nominal * (1.0 + _RATE_LIMIT), nominal * (1.0 - _RATE_LIMIT)
    state[_PERIOD] = min(max(period, least), most)
    # gains that are not the optimal ones: the covariance in Joseph's form, then made proper
    forget = 1.0 / (1.0 - min(length * nominal / _MEMORY_S, 0.5))
    p12 = (p12 - g1 * h2 - g2 * h1 + g1 * g2 * (prior + noise)) * forget
    p11 = max(p11 - 2.0 * g1 * h1 + g1 * g1 * (prior + noise), 0.0) * forget
    p22 = min(max(p22 - g2 * h2, 0.0) * forget, (_RATE_SPREAD * nominal) ** 2)
    bound = sqrt(p11 * p22)
    state[_P11], state[_P12], state[_P22] = p11, min(max(p12, -bound), bound), p22


@kernel
def _is_jump(state: F64, jump: float, hold_n: float) -> bool:
    """Tell whether this step from stamp to stamp is a gap for certain."""
    nominal, peak = state[_NOMINAL], state[_PEAK]
    learned = state[_SEEN] > hold_n
    if learned and peak < _EXACT_PERIODS * nominal:
        return bool(abs(jump) > _JUMP_PERIODS * nominal)
    if jump > 0.0:
        return bool(jump > _STALL_S + 2.0 * peak)
    return bool(jump < -(2.0 * peak + (nominal if learned else _STALL_S)))


@kernel
def _judge(state: F64, stamp: float, theta: float, hold_n: float) -> tuple[float, float]:
    """Take in a finite stamp; return where a gap began (-1: none) and the seconds it lost."""
    sample = state[_SAMPLE]
    delay = stamp - state[_ORIGIN] - state[_LINE]
    jump = stamp - state[_LAST] - state[_PERIOD] * (sample - state[_LAST_AT])
    state[_LAST], state[_LAST_AT] = stamp, sample
    state[_SEEN] += 1.0
    if state[_RESTART] > 0.0 or _is_jump(state, jump, hold_n):
        if state[_RESTART] > 0.0:
            state[_RESTART] = jump = 0.0
        elif jump * state[_JUMP] < 0.0 and sample - state[_JUMPED_AT] < hold_n:
            state[_PEAK] = min(abs(jump), _STALL_S)  # it is taken back: jitter after all
        state[_JUMP], state[_JUMPED_AT] = jump, sample
        state[_ORIGIN] = stamp
        _restart_line(state, 0.0, state[_SCATTER] + state[_PEAK] ** 2)
        return sample, delay
    decay = exp(-state[_NOMINAL] / _PEAK_MEMORY_S)
    state[_PEAK] = max(state[_PEAK] * decay, min(abs(jump), _STALL_S))
    if delay < state[_BLOCK_MIN]:
        state[_BLOCK_MIN], state[_BLOCK_AT] = delay, sample
    if delay <= theta:
        state[_OPEN_AT] = -1.0
        return -1.0, 0.0
    if state[_OPEN_AT] < 0.0:
        state[_OPEN_AT], state[_OPEN_MIN] = sample, np.inf
    open_n = sample - state[_OPEN_AT]
    if 2.0 * open_n >= hold_n:
        state[_OPEN_MIN] = min(state[_OPEN_MIN], delay)
    if open_n < hold_n:
        return -1.0, 0.0
    began, lost = state[_OPEN_AT], state[_OPEN_MIN]
    _restart_line(state, state[_LINE] + lost, state[_SCATTER])
    state[_N_LOW] = 1.0  # it may have been a stall: the first low block sets the line down
    return began, lost


@kernel
def _advance(
    state: F64, stamps: F64, times: F64, segments: I64, gaps: F64, first: int
) -> tuple[int, int]:
    """Run from sample `first` on; return where it stopped and how many rows of `gaps` it filled.

    It stops before the end only when `gaps` is full.
    """
    nominal = state[_NOMINAL]
    full_n = max(8.0, np.round(_BLOCK_S / nominal))
    hold_n = max(16.0, np.round(_HOLD_S / nominal))
    n_gaps = 0
    i = first
    while i < len(stamps) and n_gaps < len(gaps):
        stamp = stamps[i]
        sample = state[_SAMPLE]
        began, lost = -1.0, 0.0
        if isfinite(state[_ORIGIN]):
            state[_LINE] += state[_PERIOD]
            state[_P11] += 2.0 * state[_P12] + state[_P22]
            state[_P12] += state[_P22]
            state[_BLOCK_N] += 1.0
            floor = max(_JUMP_PERIODS * nominal, _FLOOR_SIGMAS * sqrt(state[_SCATTER]))
            theta = floor + _MODEL_SIGMAS * sqrt(max(state[_P11], 0.0))
            if isfinite(stamp):
                began, lost = _judge(state, stamp, theta, hold_n)
            block_n = min(max(8.0, state[_SEEN] / 4.0), full_n)
            if began < 0.0 and state[_BLOCK_N] >= block_n:
                _learn_block(state, theta, full_n)
                if state[_CREEP] > _CREEP_S:
                    began, lost = state[_CREEP_AT], state[_CREEP]
        elif isfinite(stamp):
            state[_ORIGIN] = state[_LAST] = stamp
            state[_LAST_AT] = sample
            state[_SEEN] = 1.0
            state[_TIME] = -nominal
            _restart_line(state, 0.0, _START_S**2)
        if began >= 0.0:
            gaps[n_gaps, 0], gaps[n_gaps, 1], gaps[n_gaps, 2] = sample, min(began, sample), lost
            n_gaps += 1
            state[_SEGMENT] += 1.0
            state[_CREEP], state[_CREEP_AT] = 0.0, sample + 1.0
            state[_TIME] = state[_LINE]
        else:
            step = state[_LINE] - state[_TIME]
            state[_TIME] += min(max(step, 0.5 * nominal), 1.5 * nominal)
        times[i] = state[_ORIGIN] + state[_TIME]
        segments[i] = np.int64(state[_SEGMENT])
        state[_SAMPLE] = sample + 1.0
        i += 1
    return i, n_gaps


@dataclass(frozen=True, slots=True)
class Gap:
    """Signal that is missing from a stream.

    Attributes
    ----------
    declared_at : int
        Sample at which the gap became known: the first of the new segment.
    began_at : int
        First sample after the loss, at the earliest; `declared_at` or before.
    lost_s : float
        Signal missing (s); negative where the sender's clock stepped back.
    """

    declared_at: int
    began_at: int
    lost_s: float


class StreamClock:
    """Dejitters the stamps of one regular stream and finds its gaps.

    Parameters
    ----------
    rate_hz : float
        Nominal sampling rate.
    first_sample : int
        Number of the first sample.

    Raises
    ------
    SettingsError
        When the rate is not a positive number.
    """

    def __init__(self, rate_hz: float, first_sample: int = 0) -> None:
        if not (isfinite(rate_hz) and rate_hz > 0):
            raise SettingsError(
                f"a stream of {rate_hz:g} Hz has no regular clock: choose one with a sampling rate"
            )
        period = 1.0 / rate_hz
        state = np.zeros(_SIZE)
        state[_NOMINAL] = state[_PERIOD] = period
        state[_ORIGIN] = np.nan
        state[_P22] = (_RATE_SPREAD * period) ** 2
        state[_SCATTER] = (_START_SCATTER_PERIODS * period) ** 2
        state[_OPEN_AT] = -1.0
        state[_SAMPLE] = state[_CREEP_AT] = first_sample
        self._state = state
        self._gaps = np.empty((32, 3))

    @property
    def period_s(self) -> float:
        """The sender's sampling period as learned so far (s)."""
        return float(self._state[_PERIOD])

    @property
    def given_back_s(self) -> float:
        """How much of the gaps was none: stalls whose backlog came after all (s, 0 or less).

        The sum of all `Gap.lost_s` and this is the net loss.
        """
        return float(self._state[_BACK])

    def restart(self) -> None:
        """Begin a new segment at the next stamp, wherever it lies: the connection is a new one.

        What was learned of period and jitter holds.
        """
        if isfinite(self._state[_ORIGIN]):
            self._state[_RESTART] = 1.0

    def update(self, stamps: F64, times_out: F64, segments_out: I64) -> tuple[Gap, ...]:
        """Take the stamps of the next samples.

        Parameters
        ----------
        stamps : ndarray of float64, shape (n_samples,)
            As sent (s). One that is not finite is bridged by the period.
        times_out : ndarray of float64, shape (n_samples,)
            Filled with dejittered times on the sender's clock (s), monotone within a segment; NaN
            before the first finite stamp.
        segments_out : ndarray of int64, shape (n_samples,)
            Filled with the number of each sample's segment, from 0.

        Returns
        -------
        tuple of Gap
            The gaps that were declared at these samples.

        Raises
        ------
        ValueError
            When the arrays are not equally long.
        """
        if not len(stamps) == len(times_out) == len(segments_out):
            raise ValueError(
                f"{len(stamps)} stamps need as many times and segments, not {len(times_out)} and "
                f"{len(segments_out)}"
            )
        found: list[Gap] = []
        done = 0
        while done < len(stamps):
            done, n_gaps = _advance(self._state, stamps, times_out, segments_out, self._gaps, done)
            for declared, began, lost in self._gaps[:n_gaps].tolist():
                found.append(Gap(int(declared), int(began), lost))
        return tuple(found)
