"""The augmented covariance method (ACM): one order and lag, or an average over several."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bci.decoders.base import F64, Index
from bci.decoders.phase_space import autocorrelation, first_below
from bci.decoders.tangent import TangentDecoder
from bci.errors import SettingsError
from bci.sources.labels import SENSORIMOTOR, canonical_label

__all__ = ["ACMDecoder", "acm_lr", "acm_svm", "first_zero", "sensorimotor_picks"]

#: Of the channels with known names, the sensorimotor ones are used where there are this many of
#: them or more, and they are no more than half of all.
_FEWEST_SENSORIMOTOR = 8
#: No view is averaged that would have more rows (order * n_channels) than this.
_MOST_ROWS = 100
#: Trace of the averaged Gram matrix. At 36 training trials (EEGMMIDB) anything above 100 is as
#: good; at 75 to 130 (P1, MI-OpenBCI) ROC-AUC falls off by .02 at three times as much.
_TRACE = 144.0


class ACMDecoder(TangentDecoder):
    """Augmented covariance, tangent space, linear rule.

    Carrara and Papadopoulo 2024, "Classification of BCI-EEG based on the augmented covariance
    matrix", IEEE Trans Biomed Eng 71(9).

    A session has some fifty to two hundred trials: too few to choose an order and a lag by their
    scores, the pair that is ahead is so by chance. With ``order="average"`` nothing is chosen by
    score. Three covariances take part: plain, and augmented at order 2 with the delay at which
    the channels' mean autocorrelation first crosses zero and with twice that delay: a quarter and
    a half of the signal's mean period, found without labels or sampling rate. Their Gram matrices
    of tangent vectors are added, each divided by its order squared, since a tangent vector's
    squared length grows with the rows of the matrix, and one rule is fitted to the sum. The sum
    is scaled to a fixed trace, so that C means the same with three channels as with 22, and with
    forty trials as with two hundred. Where the channels' names are known and the sensorimotor
    ones among them are eight or more, but no more than half of all, only those are used.

    Measured (tests/benchmarks/population, nested 5-fold, three seeds, all channels given; 95 %
    over 17 people: thirteen of EEGMMIDB, three of MI-OpenBCI, P1): ROC-AUC .792, plain tangent
    space with the same machine .715 (difference .077, .029 to .123), common spatial patterns
    .702. Nearly all of that are the channels. Against the machine on the same channels the
    average gains .008 (-.005 to .021): .004 (-.012 to .021) over the thirteen, who have 45 trials
    each, and .018 to .024 in each of the other four. Orders 2 to 4 and lags of 12 to 40 ms did
    as well within noise; no pair by itself was above order 1 by two standard errors, and orders 3
    and 4 at half the alpha rhythm's period (50 ms) were below. Racing plain, averaged and all
    channels by inner scores was no better than the fixed average (-.004 +- .010 at 7-35 Hz, -.022
    +- .009 at 8-32 Hz; by the one-standard-error rule +.003 +- .003 and -.012 +- .006).

    Parameters
    ----------
    classifier : {"lr", "svm"}
    order : int or "average"
    lag : int
        In samples; without effect at order 1 and when averaging.
    covariance : {"oas", "lwf", "scm"}
    C : float
    n_folds : int
        Inner folds for calibration (``"svm"``).
    seed : int
    channels : sequence of str, optional
        Names of the windows' channels; without effect at a given order.
    """

    def __init__(
        self,
        classifier: Literal["lr", "svm"] = "svm",
        order: int | Literal["average"] = 3,
        lag: int = 4,
        covariance: str = "oas",
        C: float = 1.0,
        n_folds: int = 5,
        seed: int = 0,
        channels: Sequence[str] | None = None,
    ) -> None:
        super().__init__(classifier, order, lag, covariance, C, n_folds, seed)
        self.channels = channels

    def _choose(self, X: F64) -> tuple[Index, list[tuple[int, int]]]:
        if not isinstance(self.order, str):
            return super()._choose(X)
        if self.order != "average":
            raise SettingsError(f"order {self.order!r}: give a whole number, or average")
        n_channels = X.shape[1]
        if self.channels is not None and len(self.channels) != n_channels:
            raise SettingsError(
                f"{len(self.channels)} channel names for windows of {n_channels} channels"
            )
        picks = sensorimotor_picks(self.channels or [""] * n_channels)
        delay = first_zero(X[:, picks])
        longest = X.shape[2] // 4
        lags = sorted({min(max(round(part * delay), 1), longest) for part in (1, 2)})
        fits = 2 * len(picks) <= _MOST_ROWS and longest > 0
        return picks, [(1, 1), *((2, lag) for lag in lags if fits)]

    def _weights(self, parts: Sequence[F64]) -> F64:
        if not isinstance(self.order, str):
            return super()._weights(parts)
        weights: F64 = 1 / self.orders_
        trace = len(parts[0]) * float(weights**2 @ [part.var(axis=0).sum() for part in parts])
        return weights * np.sqrt(_TRACE / trace) if trace > 0 else weights


def sensorimotor_picks(names: Sequence[str]) -> Index:
    """Return which of many channels are averaged over: the sensorimotor ones, or all.

    Parameters
    ----------
    names : sequence of str, length n_channels

    Returns
    -------
    ndarray of int, shape (n_picks,)
        Ascending.
    """
    picks = [i for i, name in enumerate(names) if canonical_label(name) in SENSORIMOTOR]
    if _FEWEST_SENSORIMOTOR <= len(picks) <= len(names) / 2:
        return np.array(picks, dtype=np.intp)
    return np.arange(len(names))


def first_zero(X: F64) -> float:
    """Return the delay at which the mean autocorrelation of windows first crosses zero.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_channels, n_times)

    Returns
    -------
    float
        In samples, between two of them by linear interpolation; the longest delay where there is
        no crossing.
    """
    correlation = autocorrelation(X.reshape(-1, X.shape[2]), X.shape[2] - 1)
    after = first_below(correlation, 0.0)
    if not correlation[after] < 0:
        return float(after)
    before, behind = correlation[after - 1 : after + 1]
    return float(after - 1 + before / (before - behind))


def acm_lr(
    order: int | Literal["average"] = 3,
    lag: int = 4,
    covariance: str = "oas",
    C: float = 1.0,
    n_folds: int = 5,
    seed: int = 0,
    channels: Sequence[str] | None = None,
) -> ACMDecoder:
    """Map augmented covariances to the tangent space; logistic regression."""
    return ACMDecoder("lr", order, lag, covariance, C, n_folds, seed, channels)


def acm_svm(
    order: int | Literal["average"] = "average",
    lag: int = 4,
    covariance: str = "oas",
    C: float = 1.0,
    n_folds: int = 5,
    seed: int = 0,
    channels: Sequence[str] | None = None,
) -> ACMDecoder:
    """Average plain and augmented covariances in the tangent space; calibrated support vectors."""
    return ACMDecoder("svm", order, lag, covariance, C, n_folds, seed, channels)
