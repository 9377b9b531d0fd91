"""How good a decoder is, said honestly: protocols, intervals, chance; and training."""

from bci.evaluation.chance import chance_level, permutation_p
from bci.evaluation.comparison import Difference, compare, paired_differences
from bci.evaluation.crossval import (
    Progress,
    evaluate,
    permuted_labels,
    score_split,
    statistic,
    summarised,
)
from bci.evaluation.episodes import PseudoOnline
from bci.evaluation.learning import LearningCurve, learning_curve
from bci.evaluation.metrics import Score
from bci.evaluation.protocols import PROTOCOLS, Protocol, Split, splits
from bci.evaluation.pseudo_online import PseudoOnlineTask, evaluate_pseudo_online
from bci.evaluation.recalibration import recalibrate_model
from bci.evaluation.result import Result
from bci.evaluation.table import EvaluationTable
from bci.evaluation.training import train_model

__all__ = [
    "PROTOCOLS",
    "Difference",
    "EvaluationTable",
    "LearningCurve",
    "Progress",
    "Protocol",
    "PseudoOnline",
    "PseudoOnlineTask",
    "Result",
    "Score",
    "Split",
    "chance_level",
    "compare",
    "evaluate",
    "evaluate_pseudo_online",
    "learning_curve",
    "paired_differences",
    "permutation_p",
    "permuted_labels",
    "recalibrate_model",
    "score_split",
    "splits",
    "statistic",
    "summarised",
    "train_model",
]
