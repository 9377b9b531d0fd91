"""How far apart classes are in each feature: effect sizes, tests, and what chance looks like."""

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import beta, f, f_oneway, kruskal, mannwhitneyu, t, ttest_ind

from bci.errors import SettingsError, TrialError

__all__ = [
    "ClusterTest",
    "Contrast",
    "chance_r2",
    "cluster_test",
    "cohen_d",
    "contrast",
    "signed_r2",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

TESTS = ("t", "wilcoxon")


def signed_r2(features: F64, y: I64) -> F64:
    """Return the share of a feature's variance that the class explains, with a sign.

    With two classes it is the squared correlation of feature and class, positive where the second
    class has the larger mean. With more it is the correlation ratio (between-class over total
    sum of squares), which has no sign.

    Parameters
    ----------
    features : ndarray of float64, shape (n_trials, ...)
    y : ndarray of int, shape (n_trials,)
        Classes, from 0.

    Returns
    -------
    ndarray of float64, shape (...)
        From -1 to 1; zero for a feature that does not vary.

    Raises
    ------
    TrialError
        When a class has no trial.
    """
    counts = _counts(y)
    centred = features - features.mean(axis=0)
    total = (centred**2).sum(axis=0)
    means = np.array([centred[y == k].mean(axis=0) for k in range(len(counts))])
    between = np.tensordot(counts.astype(np.float64), means**2, axes=1)
    r2 = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    if len(counts) == 2:
        r2 = np.sign(means[1] - means[0]) * r2
    return np.asarray(r2, dtype=np.float64)


def cohen_d(features: F64, y: I64) -> F64:
    """Return the second class's mean less the first's, in pooled standard deviations.

    Raises
    ------
    TrialError
        For another number of classes than two; for a class of one trial.
    """
    counts = _counts(y, least=2)
    if len(counts) != 2:
        raise TrialError(f"Cohen's d compares two classes, these are {len(counts)}")
    first, second = features[y == 0], features[y == 1]
    pooled = (
        (counts[0] - 1) * first.var(axis=0, ddof=1) + (counts[1] - 1) * second.var(axis=0, ddof=1)
    ) / (len(y) - 2)
    apart = second.mean(axis=0) - first.mean(axis=0)
    d: F64 = np.divide(apart, np.sqrt(pooled), out=np.zeros_like(apart), where=pooled > 0)
    return d


def chance_r2(n_trials: int, n_classes: int = 2, level: float = 0.95) -> float:
    """Return the R2 that one feature exceeds by chance with probability ``1 - level``.

    Under no effect and normal noise R2 is beta-distributed with (n_classes - 1) / 2 and
    (n_trials - n_classes) / 2. The largest of many features exceeds it far more often.

    >>> round(chance_r2(45), 3)
    0.086
    """
    if n_trials <= n_classes:
        return 1.0
    return float(beta.ppf(level, (n_classes - 1) / 2, (n_trials - n_classes) / 2))


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Every feature's difference between classes.

    Attributes
    ----------
    r2 : ndarray of float64, shape (...)
        See `signed_r2`.
    d : ndarray of float64, shape (...), or None
        Cohen's d; None for more than two classes.
    p : ndarray of float64, shape (...)
        Of the test, one by one.
    significant : ndarray of bool, shape (...)
        With the false discovery rate held at `level` over all features (Benjamini and Hochberg).
    test : str
    level : float
    n_trials : tuple of int
        By class.
    chance_r2 : float
        What a single feature exceeds by chance once in twenty times.
    chance_largest_r2 : float
        What the largest of all these features exceeds by chance once in twenty times: from
        shuffled classes, so that their correlations count.
    p_largest : float
        Share of shuffled classes (and the true ones) whose largest R2 is at least the one found:
        whether there is anything at all.
    """

    r2: F64 = field(repr=False)
    d: F64 | None = field(repr=False)
    p: F64 = field(repr=False)
    significant: Bool = field(repr=False)
    test: str
    level: float
    n_trials: tuple[int, ...]
    chance_r2: float
    chance_largest_r2: float
    p_largest: float


def contrast(
    features: F64,
    y: I64,
    test: Literal["t", "wilcoxon"] = "wilcoxon",
    *,
    level: float = 0.05,
    n_shuffles: int = 200,
    seed: int = 0,
) -> Contrast:
    """Compare the classes in every feature.

    Parameters
    ----------
    features : ndarray of float64, shape (n_trials, ...)
        Log power, connectivity: anything that is one number a trial.
    y : ndarray of int, shape (n_trials,)
        Classes, from 0.
    test : {"wilcoxon", "t"}
        Rank-sum test (Kruskal-Wallis for more than two classes), or Welch's t-test (analysis of
        variance).
    level : float
        False discovery rate.
    n_shuffles : int
        Of the classes, for the chance level of the largest R2.
    seed : int

    Raises
    ------
    SettingsError
        For another test.
    TrialError
        When a class has fewer than two trials.
    """
    if test not in TESTS:
        raise SettingsError(f"test {test!r}: choose one of {', '.join(TESTS)}")
    counts = _counts(y, least=2)
    n_classes = len(counts)
    parts = [features[y == k] for k in range(n_classes)]
    p = _p_values(parts, test)
    from mne.stats import fdr_correction  # as below: MNE takes its time to load

    significant, _ = fdr_correction(p, alpha=level)
    r2 = signed_r2(features, y)
    largest = _largest_by_chance(features, y, n_shuffles, seed)
    # The classes as they are count as one shuffle (Phipson and Smyth 2010): never zero.
    reached = np.sum(largest >= np.abs(r2).max() * (1 - 1e-12))
    return Contrast(
        r2=r2,
        d=cohen_d(features, y) if n_classes == 2 else None,
        p=p,
        significant=np.asarray(significant, dtype=bool),
        test=test,
        level=level,
        n_trials=tuple(int(n) for n in counts),
        chance_r2=chance_r2(len(y), n_classes),
        chance_largest_r2=float(np.quantile(largest, 0.95)),
        p_largest=float((1 + reached) / (1 + n_shuffles)),
    )


def _p_values(parts: list[F64], test: str) -> F64:
    several: dict[str, Callable[..., Any]] = {"wilcoxon": kruskal, "t": f_oneway}
    two: dict[str, Callable[..., Any]] = {
        "wilcoxon": mannwhitneyu,
        "t": partial(ttest_ind, equal_var=False),
    }
    with warnings.catch_warnings():  # of features that do not vary
        warnings.simplefilter("ignore", RuntimeWarning)
        found = (two if len(parts) == 2 else several)[test](*parts, axis=0)
    # A feature that does not vary has no statistic: it says nothing against chance.
    return np.nan_to_num(np.asarray(found.pvalue, dtype=np.float64), nan=1.0)


def _largest_by_chance(features: F64, y: I64, n_shuffles: int, seed: int) -> F64:
    """Return the largest R2 of all features for shuffled classes, shape (n_shuffles,)."""
    flat = features.reshape(len(y), -1)
    flat = flat - flat.mean(axis=0)
    norms = np.sqrt((flat**2).sum(axis=0))
    flat = np.divide(flat, norms, out=np.zeros_like(flat), where=norms > 0)
    rng = np.random.default_rng(seed)
    counts = _counts(y)
    largest = np.empty(n_shuffles)
    for s in range(n_shuffles):
        member = (rng.permutation(y) == np.arange(len(counts))[:, None]) / np.sqrt(counts)[:, None]
        largest[s] = ((member @ flat) ** 2).sum(axis=0).max()
    return largest


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTest:
    """Clusters of neighbouring features in which the classes differ.

    Attributes
    ----------
    statistic : ndarray of float64, shape (n_channels, n_freqs)
        Of each feature: with two classes Student's t, positive where the second has the larger
        mean; with more F.
    clusters : list of ndarray of bool, shape (n_channels, n_freqs)
        The most significant first. With two classes each has one sign.
    p : ndarray of float64, shape (n_clusters,)
        Of each cluster's mass against the largest of shuffled classes: corrected for all features.
    n_shuffles : int
    """

    statistic: F64 = field(repr=False)
    clusters: list[Bool] = field(repr=False)
    p: F64
    n_shuffles: int

    def significant(self, level: float = 0.05) -> Bool:
        """Return which features belong to a cluster with a p of less than `level`.

        What is controlled is the chance of any false cluster; where a true one ends is not.
        """
        found = np.zeros(self.statistic.shape, dtype=bool)
        for cluster, p in zip(self.clusters, self.p, strict=True):
            found |= cluster & (p < level)
        return found


def cluster_test(
    features: F64,
    y: I64,
    neighbours: Sequence[Sequence[int]],
    *,
    n_shuffles: int = 1000,
    seed: int = 0,
) -> ClusterTest:
    """Test clusters over channels and frequencies by permutation (Maris and Oostenveld 2007).

    Parameters
    ----------
    features : ndarray of float64, shape (n_trials, n_channels, n_freqs)
    y : ndarray of int, shape (n_trials,)
    neighbours : sequence of sequences of int, length n_channels
        Of each channel, its neighbours on the scalp; frequencies neighbour the next ones.
    n_shuffles, seed : int

    Raises
    ------
    TrialError
        When a class has fewer than two trials.
    """
    from mne.stats import f_oneway, permutation_cluster_test, ttest_ind_no_p

    def student(first: F64, second: F64) -> F64:
        with np.errstate(divide="ignore", invalid="ignore"):  # of a feature that does not vary
            return _finite(ttest_ind_no_p(second, first))

    def anova(*parts: F64) -> F64:
        with np.errstate(divide="ignore", invalid="ignore"):
            return _finite(f_oneway(*parts))

    counts = _counts(y, least=2)
    _, n_channels, n_freqs = features.shape
    channels = np.zeros((n_channels, n_channels), dtype=bool)
    for channel, others in enumerate(neighbours):
        channels[channel, list(others)] = channels[list(others), channel] = True
    steps = np.eye(n_freqs, k=1) + np.eye(n_freqs, k=-1)
    # Features run over channels slowly, over frequencies fast.
    adjacency = sparse.kron(channels, np.eye(n_freqs)) + sparse.kron(np.eye(n_channels), steps)
    two = len(counts) == 2
    within = len(y) - len(counts)
    # A feature is in a cluster where it is significant by itself.
    threshold = t.ppf(1 - 0.05 / 2, within) if two else f.ppf(1 - 0.05, len(counts) - 1, within)
    # MNE 1.13 renamed seed, and warns of the old name.
    named = "rng" if "rng" in inspect.signature(permutation_cluster_test).parameters else "seed"
    statistic, clusters, p, _ = permutation_cluster_test(
        [features[y == k].reshape(counts[k], -1) for k in range(len(counts))],
        threshold=float(threshold),
        n_permutations=n_shuffles,
        tail=0 if two else 1,
        stat_fun=student if two else anova,
        adjacency=sparse.coo_array(adjacency),
        out_type="mask",
        verbose="error",
        **{named: seed},
    )
    order = np.argsort(p, kind="stable")
    return ClusterTest(
        np.asarray(statistic).reshape(n_channels, n_freqs),
        [np.asarray(clusters[k]).reshape(n_channels, n_freqs) for k in order],
        np.asarray(p, dtype=np.float64)[order],
        n_shuffles,
    )


def _finite(statistic: F64) -> F64:
    return np.nan_to_num(statistic, nan=0.0, posinf=0.0, neginf=0.0)


def _counts(y: I64, least: int = 1) -> I64:
    counts = np.bincount(y)
    if len(counts) < 2:
        raise TrialError("a contrast needs trials of two classes or more")
    if counts.min() < least:
        raise TrialError(
            f"class number {int(counts.argmin()) + 1} has {counts.min()} trials: a contrast needs "
            f"{least} or more of each"
        )
    return counts
