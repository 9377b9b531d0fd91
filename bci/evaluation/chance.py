"""What chance alone reaches."""

from collections.abc import Sequence

from scipy import stats

__all__ = ["chance_level", "permutation_p"]


def chance_level(n_per_class: Sequence[int], alpha: float = 0.05) -> float:
    """Return the smallest accuracy that chance reaches with a probability of at most `alpha`.

    ``min{k : P(B >= k) <= alpha} / n`` with ``B ~ Binomial(n, p)``, the exact form of Müller-Putz
    et al. (2008, International Journal of Bioelectromagnetism 10, 52-55). `p` is the share of the
    commonest class, since always deciding that class reaches it: for balanced classes one over
    their number. An accuracy of this value or more is above chance at the level `alpha`. With so
    few trials that not even a perfect score is, the value lies above 1.

    Parameters
    ----------
    n_per_class : sequence of int
        Trials of each class.
    alpha : float

    >>> round(chance_level([20, 20]), 3), round(chance_level([36, 36, 36, 36]), 3)
    (0.65, 0.319)
    """
    n = sum(n_per_class)
    commonest = max(n_per_class) / n
    # isf gives the smallest k with P(B > k) <= alpha; one more is the smallest with P(B >= k).
    return float(stats.binom.isf(alpha, n, commonest) + 1) / n


def permutation_p(observed: float, permuted: Sequence[float]) -> float:
    """Return the p-value of a permutation test, ``(k + 1) / (n + 1)`` (Phipson and Smyth 2010).

    Parameters
    ----------
    observed : float
        Score with the true labels.
    permuted : sequence of float
        Scores with permuted ones; `k` of them are at least `observed`.
    """
    n_better = sum(score >= observed - 1e-12 for score in permuted)
    return (n_better + 1) / (len(permuted) + 1)
