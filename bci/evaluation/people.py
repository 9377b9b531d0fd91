"""Several people: the mean of a score, and the difference of two decoders, over people.

People are independent, trials of one person are not repeats of another: here a person counts as
one, whatever the number of trials. Intervals are Student's; they say what the number of people
leaves open, and end where the score does: what no score can be needs no place in an interval, which
covers the mean as often without it. A difference is tested by the paired t-test and by exchanging
the two decoders' scores person by person, at random.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bci.evaluation.chance import permutation_p
from bci.evaluation.comparison import N_DRAWS, Difference
from bci.evaluation.metrics import Score
from bci.evaluation.paired import holm

__all__ = ["differences_over_people", "mean_over_people"]

F64 = NDArray[np.float64]


def mean_over_people(
    scores: Sequence[float], least: float = -np.inf, most: float = np.inf
) -> Score | None:
    """Return a mean and its 95 % interval over people; None for fewer than two.

    Parameters
    ----------
    scores : sequence of float
    least, most : float
        Between which any score lies.

    >>> mean_over_people([0.5, 0.75, 1.0], least=0.0, most=1.0)
    Score(mean=0.75, low=0.1289655..., high=1.0)
    """
    if len(scores) < 2:
        return None
    values = np.asarray(scores, np.float64)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return Score(mean, max(least, mean - float(half)), min(most, mean + float(half)))


def differences_over_people(
    scores: dict[tuple[str, str], dict[str, float]], metrics: dict[str, str], *, seed: int = 0
) -> list[Difference]:
    """Compare every pair of decoders by the people that both were evaluated on.

    Parameters
    ----------
    scores : dict
        By (protocol, decoder), the score of each person.
    metrics : dict of str to str
        Which score it is, by protocol; all are of 0 to 1.
    seed : int

    Returns
    -------
    list of Difference
        Where two people or more allow one. Of it `p_resampled_t` is the paired t-test, and
        `n_trials` the number of people.
    """
    rng = np.random.default_rng([seed, 0xA11])
    found = []
    for (protocol, first), (other, second) in combinations(scores, 2):
        if protocol != other:
            continue
        a, b = scores[protocol, first], scores[other, second]
        d = np.array([a[name] - b[name] for name in a if name in b])
        score = mean_over_people(d.tolist(), -1.0, 1.0)
        if score is None:
            continue
        signs = 1 - 2 * rng.integers(2, size=(N_DRAWS, len(d)))
        p = permutation_p(abs(score.mean), np.abs((signs * d).mean(axis=1)).tolist())
        found.append(
            Difference(
                first=first,
                second=second,
                protocol=protocol,
                metric=metrics[protocol],
                mean=score.mean,
                low=score.low,
                high=score.high,
                p_resampled_t=_paired_t(d),
                p_permutation=p,
                p_holm=p,
                n_comparisons=1,
                n_trials=len(d),
                n_folds=0,
            )
        )
    adjusted = holm([difference.p_permutation for difference in found])
    return [
        replace(difference, p_holm=p, n_comparisons=len(found))
        for difference, p in zip(found, adjusted, strict=True)
    ]


def _paired_t(d: F64) -> float:
    if not d.any():
        return 1.0
    spread = float(d.std(ddof=1)) / np.sqrt(len(d))
    if not spread:
        return 0.0
    return float(2 * stats.t.sf(abs(float(d.mean())) / spread, len(d) - 1))
