"""Information transfer rate after Wolpaw et al. (2000, IEEE Trans. Rehabil. Eng. 8, 222-226).

Its assumptions, which seldom hold and make it an upper bound of what a user gets: all classes are
wanted equally often, are right equally often, and errors fall on the others evenly. Of cued trials,
a decision takes the time from the cue to the end of the span that is used; pseudo-online, to the
first command, and a trial without a command is an error that took its whole time. Rest between
trials costs no time. Of one class against idle there is no rate.
"""

import numpy as np

__all__ = ["transfer_rate", "wolpaw_bits"]


def wolpaw_bits(share_correct: float, n_classes: int) -> float:
    """Return the bits of one decision: ``log2 N + P log2 P + (1 - P) log2((1 - P) / (N - 1))``.

    Zero at chance and below: a decoder that is wrong more often than chance carries information,
    but none that its user gets.

    >>> wolpaw_bits(1.0, 4), wolpaw_bits(0.5, 2), round(wolpaw_bits(0.9, 2), 3)
    (2.0, 0.0, 0.531)
    """
    if share_correct <= 1 / n_classes:
        return 0.0
    bits = float(np.log2(n_classes))
    if share_correct < 1:
        wrong = 1 - share_correct
        bits += share_correct * np.log2(share_correct) + wrong * np.log2(wrong / (n_classes - 1))
    return float(bits)


def transfer_rate(share_correct: float, n_classes: int, decision_s: float) -> float:
    """Return Wolpaw's information transfer rate (bits per minute).

    Parameters
    ----------
    share_correct : float
    n_classes : int
        Two or more.
    decision_s : float
        What one decision takes (s).
    """
    return wolpaw_bits(share_correct, n_classes) * 60 / decision_s
