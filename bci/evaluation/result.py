"""What testing a decoder on trials gives."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.evaluation.metrics import Score
from bci.evaluation.transfer import transfer_rate

__all__ = ["Result"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """How well a decoder did on trials that it had not seen.

    Attributes
    ----------
    decoder, protocol : str
    classes : tuple of str
    n_trials : int
        Tested.
    roc_auc : Score or None
        Mean over folds; None for more than two classes.
    accuracy, kappa, nmcc : Score
        Over all tested trials.
    per_class : dict of str to Score
        Each class's share of trials decided right.
    chance_95 : float
        The smallest accuracy that is above chance at 5 %.
    bootstrap : dict of str to Score
        ROC-AUC, accuracy, kappa and nMCC again, with intervals by drawing trials anew.
    p_value : float or None
        Of the ROC-AUC (two classes) or accuracy, by permutation; None: not asked for.
    n_permutations : int
    probabilities : ndarray of float64, shape (n_trials, n_classes)
        Of each tested trial.
    trial_y, folds, trials : ndarray of int64, shape (n_trials,)
        Its class, the split in which it was tested, its number among all trials.
    n_train : tuple of int
        Training trials of each split.
    decision_s : float
        What a decision takes: from the cue to the end of the span that is used (s).
    """

    decoder: str
    protocol: str
    classes: tuple[str, ...]
    n_trials: int
    roc_auc: Score | None
    accuracy: Score
    kappa: Score
    nmcc: Score
    per_class: dict[str, Score]
    chance_95: float
    bootstrap: dict[str, Score]
    p_value: float | None
    n_permutations: int
    probabilities: F64 = field(repr=False)
    trial_y: I64 = field(repr=False)
    folds: I64 = field(repr=False)
    trials: I64 = field(repr=False)
    n_train: tuple[int, ...]
    decision_s: float

    @property
    def decided(self) -> I64:
        """The most probable class of each tested trial."""
        most: I64 = np.argmax(self.probabilities, axis=1)
        return most

    @property
    def itr_bits_per_min(self) -> float:
        """Information transfer rate of trials end to end (`bci.evaluation.transfer`)."""
        return transfer_rate(self.accuracy.mean, len(self.classes), self.decision_s)

    @property
    def above_chance(self) -> bool:
        """True when the accuracy is one that chance seldom (at most 5 %) reaches."""
        return self.accuracy.mean >= self.chance_95 - 1e-12

    def as_dict(self) -> dict[str, Any]:
        """Return the scores for JSON."""
        document: dict[str, Any] = {
            "decoder": self.decoder,
            "protocol": self.protocol,
            "roc_auc": self.roc_auc.as_dict() if self.roc_auc else None,
            "accuracy": self.accuracy.as_dict(),
            "kappa": self.kappa.as_dict(),
            "nmcc": self.nmcc.as_dict(),
            "itr_bits_per_min": self.itr_bits_per_min,
            "chance_95": self.chance_95,
            "above_chance": self.above_chance,
            "n_trials": self.n_trials,
            "per_class": {name: score.as_dict() for name, score in self.per_class.items()},
            "bootstrap": {name: score.as_dict() for name, score in self.bootstrap.items()},
        }
        if self.p_value is not None:
            document |= {"p_value": self.p_value, "n_permutations": self.n_permutations}
        return document
