"""Delay and dimension of a delay embedding from the signal alone, without labels.

The augmented signal is a delay embedding (Takens 1981): order is its dimension, lag its delay.
Here are the usual rules for both. Carrara and Papadopoulo (2024, IEEE Trans Biomed Eng 71(9))
found the choice that they give no better than plain tangent space; `ACMSearchCV` has it as
``strategy="phase-space"``, so that the data can say.

All functions take segments, shape (n_segments, n_times), and average over them: windows and
channels are segments alike. Each segment is centred by itself.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.spatial import KDTree

__all__ = [
    "PhaseSpace",
    "ar_order",
    "autocorrelation",
    "false_neighbours",
    "first_below",
    "first_minimum",
    "mutual_information",
    "phase_space",
]

F64 = NDArray[np.float64]

#: Segments that false neighbours are looked for in, and points of each.
_MOST_SEGMENTS, _MOST_POINTS = 40, 2000
#: A dimension is enough when no more neighbours than this share are false.
_FEW = 0.05


class PhaseSpace(NamedTuple):
    """What the rules say.

    Attributes
    ----------
    zero_crossing, decay, information_minimum : int
        Delays (samples): the autocorrelation's first zero, its first fall below 1/e, and the
        first minimum of mutual information; the longest delay looked at where there is none.
    false_neighbours, ar_order : int
        Dimensions.
    """

    zero_crossing: int
    decay: int
    information_minimum: int
    false_neighbours: int
    ar_order: int


def phase_space(X: F64, max_lag: int, max_order: int) -> PhaseSpace:
    """Apply every rule to windows.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)
    max_lag, max_order : int
        Largest delay (samples) and dimension that are looked at.

    Returns
    -------
    PhaseSpace
        The dimension by false neighbours is at the delay of the first minimum of information.
    """
    segments = X.reshape(-1, X.shape[2])
    correlation = autocorrelation(segments, max_lag)
    delay = first_minimum(mutual_information(segments, max_lag))
    few = segments[:: max(1, len(segments) // _MOST_SEGMENTS)]
    false = false_neighbours(few, delay, max_order)
    enough = np.flatnonzero(false <= _FEW)
    return PhaseSpace(
        first_below(correlation, 0.0),
        first_below(correlation, 1 / np.e),
        delay,
        int(enough[0]) + 1 if len(enough) else max_order,
        min(max(ar_order(segments, max_order), 1), max_order),
    )


def autocorrelation(segments: F64, max_lag: int) -> F64:
    """Return the mean autocorrelation.

    Parameters
    ----------
    segments : ndarray of float64, shape (n_segments, n_times)
    max_lag : int

    Returns
    -------
    ndarray of float64, shape (max_lag + 1,)
        1 at delay 0. The unbiased estimate: products at a delay are divided by their number.
    """
    n_times = segments.shape[1]
    centred = segments - segments.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, 2 * n_times, axis=1)) ** 2
    products = np.fft.irfft(power, axis=1)[:, : max_lag + 1] / (n_times - np.arange(max_lag + 1))
    live = products[:, 0] > 0
    correlation: F64 = (products[live] / products[live, :1]).mean(axis=0)
    return correlation


def first_below(correlation: F64, level: float) -> int:
    """Return the first delay at which an autocorrelation lies at or below a level.

    Zero: the delayed copy is linearly independent. 1/e: for signals that decay without a crossing
    (Kantz and Schreiber 2004, "Nonlinear time series analysis", section 3.3). The largest delay
    where it never does.
    """
    below = np.flatnonzero(correlation <= level)
    return int(below[0]) if len(below) else len(correlation) - 1


def mutual_information(segments: F64, max_lag: int, n_bins: int = 32) -> F64:
    """Return the average mutual information between a signal and its delayed copy.

    Fraser and Swinney 1986, Phys Rev A 33(2), by histograms of `n_bins` equally filled bins a
    side; each segment's values are replaced by their ranks, which leaves mutual information as
    it is. The histograms of all segments are summed.

    Parameters
    ----------
    segments : ndarray of float64, shape (n_segments, n_times)
    max_lag : int
    n_bins : int

    Returns
    -------
    ndarray of float64, shape (max_lag + 1,)
        In nats.
    """
    n_times = segments.shape[1]
    ranks = segments.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    bins = ranks * n_bins // n_times
    information = np.empty(max_lag + 1)
    for lag in range(max_lag + 1):
        cells = bins[:, : n_times - lag] * n_bins + bins[:, lag:]
        joint = np.bincount(cells.ravel(), minlength=n_bins**2).reshape(n_bins, n_bins)
        p = joint / joint.sum()
        apart = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
        there = p > 0
        information[lag] = np.sum(p[there] * np.log(p[there] / apart[there]))
    return information


def first_minimum(values: F64) -> int:
    """Return the first local minimum after 0; the last place where there is none."""
    rising = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] <= values[2:]))
    return int(rising[0]) + 1 if len(rising) else len(values) - 1


def false_neighbours(
    segments: F64, lag: int, max_dimension: int, *, stretch: float = 15.0, size: float = 2.0
) -> F64:
    """Return the share of nearest neighbours that the next dimension tears apart.

    Kennel, Brown and Abarbanel 1992, Phys Rev A 45(6), eq. 4 and 5: the neighbour of a point is
    false when the coordinate that is added lies more than `stretch` times their distance apart,
    or when it makes their distance more than `size` times the signal's standard deviation.

    Parameters
    ----------
    segments : ndarray of float64, shape (n_segments, n_times)
        Neighbours are looked for within a segment, not within one delay of each other.
    lag : int
    max_dimension : int
    stretch, size : float

    Returns
    -------
    ndarray of float64, shape (max_dimension,)
        For dimensions 1 .. max_dimension; NaN where segments are too short.
    """
    shares = np.full(max_dimension, np.nan)
    for dimension in range(1, max_dimension + 1):
        n_false = n_points = 0
        for x in segments:
            n = len(x) - dimension * lag
            spread = float(x.std())
            if n < 2 * lag + 2 or not spread > 0:
                continue
            every = max(1, n // _MOST_POINTS)
            points = np.column_stack([x[k * lag : k * lag + n] for k in range(dimension)])
            added = x[dimension * lag : dimension * lag + n]
            here = np.arange(0, n, every)
            # The nearest that is not of the same stretch of time is among the 2 lag + 2 nearest.
            near, which = map(np.asarray, KDTree(points).query(points[here], k=2 * lag + 2))
            apart = np.abs(which - here[:, None]) > lag
            column = apart.argmax(axis=1)
            rows = np.arange(len(here))
            found = apart[rows, column] & (near[rows, column] > 0)
            distance, other = near[rows, column][found], which[rows, column][found]
            step = np.abs(added[here[found]] - added[other])
            false = (step > stretch * distance) | (np.hypot(step, distance) > size * spread)
            n_false += int(false.sum())
            n_points += len(false)
        if n_points:
            shares[dimension - 1] = n_false / n_points
    return shares


def ar_order(segments: F64, max_order: int) -> int:
    """Return the order of an autoregression, by the Bayesian information criterion.

    Schwarz 1978, Ann Stat 6(2): n log(error variance) + p log n for one segment of n samples, with
    the error variance of the Yule-Walker equations on the segments' mean autocorrelation.

    Parameters
    ----------
    segments : ndarray of float64, shape (n_segments, n_times)
    max_order : int

    Returns
    -------
    int
        0 .. max_order.
    """
    n = segments.shape[1]
    r = autocorrelation(segments, max_order) * (1 - np.arange(max_order + 1) / n)
    criterion = np.empty(max_order + 1)
    for order in range(max_order + 1):
        explained = r[1 : order + 1] @ solve_toeplitz(r[:order], r[1 : order + 1]) if order else 0.0
        criterion[order] = n * np.log(max(1.0 - explained, 1e-300)) + order * np.log(n)
    return int(criterion.argmin())
