"""Is one decoder better than another? Paired differences on the same trials, tested two ways.

*Corrected resampled t* (Nadeau and Bengio 2003, Machine Learning 52, 239-281, eq. 8): over the
differences of all folds of all repeats. Their training sets overlap, so their variance is too
small; ``1 / J + n_test / n_train`` in place of ``1 / J`` makes up for it. It asks whether the
difference would hold for other training sets of this size.

*Permutation over trials*: under the null hypothesis the two decoders' outputs for a trial could be
exchanged; they are, at random, and the difference is computed again. Scores of two decoders have no
common scale, so ranks within the fold are exchanged. It asks whether it would hold for other test
trials, for decoders trained as these were.

The interval of a difference comes from drawing trials anew, both decoders on the same ones. Of
several pairs in a table each p-value by permutation is adjusted by Holm's method (1979, Scand. J.
Stat. 6, 65-70): `p_holm` is what to compare with 5 %.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bci.errors import TrialError
from bci.evaluation.chance import permutation_p
from bci.evaluation.episodes import PseudoOnline
from bci.evaluation.metrics import normalised_matthews
from bci.evaluation.paired import (
    areas,
    corrected_resampled_t,
    drawn_areas,
    drawn_shares,
    holm,
    shares,
    times_drawn,
)
from bci.evaluation.result import Result

__all__ = ["Difference", "Evaluated", "compare", "paired_differences"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Permutations and draws: the smallest p-value is then 1 / 5000.
N_DRAWS = 4999

#: Of one decoder by one protocol: repeats of the cross-validation that differ in their seed, or one
#: run of the pseudo-online test.
Evaluated = Sequence[Result] | PseudoOnline


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the first decoder of two did.

    Attributes
    ----------
    first, second, protocol : str
    metric : str
        ``"roc_auc"`` of two classes, ``"accuracy"`` of more, ``"nmcc"`` pseudo-online.
    mean, low, high : float
        First minus second, and its 95 % interval over trials (pseudo-online: episodes).
    p_resampled_t : float or None
        Two-sided; None with one fold.
    p_permutation : float
        Two-sided.
    p_holm : float
        The same, adjusted for `n_comparisons`.
    n_comparisons : int
        Pairs that were tested together.
    n_trials, n_folds : int
        Of all repeats: folds.
    """

    first: str
    second: str
    protocol: str
    metric: str
    mean: float
    low: float
    high: float
    p_resampled_t: float | None
    p_permutation: float
    p_holm: float
    n_comparisons: int
    n_trials: int
    n_folds: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)


def paired_differences(evaluated: Sequence[Evaluated], *, seed: int = 0) -> list[Difference]:
    """Compare every pair of decoders that was evaluated by the same protocol.

    Parameters
    ----------
    evaluated : sequence of Evaluated
        Of one person: all of them are one family for Holm's adjustment.
    seed : int

    Raises
    ------
    TrialError
        When two results of one protocol are not of the same trials in the same folds.
    """
    pairs = [(a, b) for a, b in combinations(evaluated, 2) if _name(a)[1] == _name(b)[1]]
    found = [compare(a, b, seed=seed) for a, b in pairs]
    adjusted = holm([difference.p_permutation for difference in found])
    return [
        Difference(**asdict(difference) | {"p_holm": p, "n_comparisons": len(found)})
        for difference, p in zip(found, adjusted, strict=True)
    ]


def compare(first: Evaluated, second: Evaluated, *, seed: int = 0) -> Difference:
    """Compare two decoders.

    Parameters
    ----------
    first, second : Evaluated
        Evaluated on the same trials, in the same folds.
    seed : int
        Of permutations and draws.

    Raises
    ------
    TrialError
        When they were not.
    """
    rng = np.random.default_rng([seed, 0xC0])
    if isinstance(first, PseudoOnline):
        if isinstance(second, PseudoOnline) and _same_episodes(first, second):
            return _over_episodes(first, second, rng)
    elif not isinstance(second, PseudoOnline) and _same_trials(first, second):
        return _over_trials(first, second, rng)
    raise TrialError(
        f"{' ('.join(_name(first))}) and {' ('.join(_name(second))}) were not tested on the same "
        "trials in the same folds: evaluate both with the same protocol and seed"
    )


def _name(evaluated: Evaluated) -> tuple[str, str]:
    one = evaluated if isinstance(evaluated, PseudoOnline) else evaluated[0]
    return one.decoder, one.protocol


def _same_episodes(a: PseudoOnline, b: PseudoOnline) -> bool:
    return (
        a.protocol == b.protocol
        and np.array_equal(a.episode_labels, b.episode_labels)
        and np.array_equal(a.episode_counts.sum(axis=2), b.episode_counts.sum(axis=2))
        and len(a.fold_nmcc) == len(b.fold_nmcc)
    )


def _same_trials(first: Sequence[Result], second: Sequence[Result]) -> bool:
    return len(first) == len(second) and all(
        a.protocol == b.protocol
        and all(
            np.array_equal(getattr(a, name), getattr(b, name))
            for name in ("trials", "trial_y", "folds")
        )
        for a, b in zip(first, second, strict=True)
    )


def _over_episodes(
    first: PseudoOnline, second: PseudoOnline, rng: np.random.Generator
) -> Difference:
    a, b = first.episode_counts, second.episode_counts

    def between(of_a: I64, of_b: I64) -> F64:
        """Return the difference of sums of episodes, each taken so many times."""
        return normalised_matthews(of_a) - normalised_matthews(of_b)

    def summed(times: I64, episodes: I64) -> I64:
        total: I64 = np.tensordot(times, episodes, axes=1)
        return total

    kept = rng.integers(2, size=(N_DRAWS, len(a)))
    swapped = 1 - kept
    permuted = between(summed(kept, a) + summed(swapped, b), summed(kept, b) + summed(swapped, a))
    times = times_drawn(first.episode_labels, N_DRAWS, rng)
    observed = float(between(a.sum(axis=0), b.sum(axis=0)))
    by_fold = np.subtract(first.fold_nmcc, second.fold_nmcc)
    n_test = first.n_trials / len(by_fold)
    return _difference(
        (first.decoder, second.decoder, first.protocol, "nmcc"),
        observed,
        permuted,
        between(summed(times, a), summed(times, b)),
        by_fold,
        (first.n_trials - n_test, n_test),
        first.n_trials,
    )


def _over_trials(
    first: Sequence[Result], second: Sequence[Result], rng: np.random.Generator
) -> Difference:
    of = first[0]
    y = of.trial_y
    ranked = of.roc_auc is not None
    score, drawn_score = (areas, drawn_areas) if ranked else (shares, drawn_shares)
    kept = rng.integers(2, size=(N_DRAWS, len(y))).astype(bool)
    times = times_drawn(y, N_DRAWS, rng)
    by_fold, observed, permuted, drawn = [], [], [], []
    for a, b in zip(first, second, strict=True):
        folds = [np.flatnonzero(a.folds == fold) for fold in np.unique(a.folds)]
        if ranked:
            folds = [at for at in folds if len(np.unique(y[at])) == 2]
        parts: list[tuple[F64, F64, F64]] = []
        # Areas are means over folds; shares are of all trials together.
        for at in folds if ranked else [*folds, np.arange(len(y))]:
            one, other = (_ranks(r, at) if ranked else _right(r, at) for r in (a, b))
            swapped = np.where(kept[:, at], one, other), np.where(kept[:, at], other, one)
            parts.append(
                (
                    score(y[at], one[None]) - score(y[at], other[None]),
                    score(y[at], swapped[0]) - score(y[at], swapped[1]),
                    drawn_score(y[at], one, times[:, at]) - drawn_score(y[at], other, times[:, at]),
                )
            )
        by_fold += [float(part[0][0]) for part in parts[: len(folds)]]
        counted = parts if ranked else parts[-1:]
        # A fold of which no trial of a class was drawn has no area in that draw.
        observed.append(np.mean([part[0][0] for part in counted]))
        permuted.append(np.mean([part[1] for part in counted], axis=0))
        drawn.append(np.nanmean([part[2] for part in counted], axis=0))
    return _difference(
        (of.decoder, second[0].decoder, of.protocol, "roc_auc" if ranked else "accuracy"),
        float(np.mean(observed)),
        np.mean(permuted, axis=0),
        np.mean(drawn, axis=0),
        np.array(by_fold),
        (float(np.mean(of.n_train)), of.n_trials / len(of.n_train)),
        of.n_trials,
    )


def _difference(
    names: tuple[str, str, str, str],
    observed: float,
    permuted: F64,
    drawn: F64,
    by_fold: F64,
    sizes: tuple[float, float],
    n_trials: int,
) -> Difference:
    first, second, protocol, metric = names
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    p = permutation_p(abs(observed), np.abs(permuted).tolist())
    return Difference(
        first=first,
        second=second,
        protocol=protocol,
        metric=metric,
        mean=observed,
        low=float(low),
        high=float(high),
        p_resampled_t=corrected_resampled_t(by_fold, *sizes),
        p_permutation=p,
        p_holm=p,
        n_comparisons=1,
        n_trials=n_trials,
        n_folds=len(by_fold),
    )


def _ranks(result: Result, at: I64) -> F64:
    ranks: F64 = stats.rankdata(result.probabilities[at, 1])
    return ranks


def _right(result: Result, at: I64) -> F64:
    right: F64 = (result.decided[at] == result.trial_y[at]).astype(np.float64)
    return right
