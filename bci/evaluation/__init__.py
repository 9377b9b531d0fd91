"""How good a decoder is, said honestly: cross-validation, intervals, chance; and training."""

from bci.evaluation.chance import chance_level, permutation_p
from bci.evaluation.crossval import Progress, Result, Scheme, evaluate, trial_folds
from bci.evaluation.metrics import Score
from bci.evaluation.recalibration import recalibrate_model
from bci.evaluation.training import train_model

__all__ = [
    "Progress",
    "Result",
    "Scheme",
    "Score",
    "chance_level",
    "evaluate",
    "permutation_p",
    "recalibrate_model",
    "train_model",
    "trial_folds",
]
