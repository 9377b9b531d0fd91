"""The rows of the table of everything that was evaluated, and of the means over people."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bci.evaluation.comparison import Evaluated
from bci.evaluation.episodes import PseudoOnline
from bci.evaluation.metrics import Score
from bci.evaluation.people import mean_over_people

__all__ = [
    "ALL_PEOPLE",
    "COLUMNS",
    "Column",
    "Row",
    "Value",
    "people_scores",
    "rows_over_people",
    "shown",
]

Value = Score | float | None


class Column(NamedTuple):
    """A column of scores.

    Attributes
    ----------
    key : str
        In CSV and JSON.
    title : str
        For people, with the unit.
    scale : float
        From the value to what is shown.
    digits : int
        Behind the point.
    least, most : float
        Between which any value lies.
    """

    key: str
    title: str
    scale: float = 1.0
    digits: int = 2
    least: float = 0.0
    most: float = 1.0


COLUMNS = (
    Column("roc_auc", "ROC-AUC"),
    Column("accuracy", "accuracy (%)", 100, 0),
    Column("kappa", "kappa", least=-1.0),
    Column("nmcc", "nMCC"),
    Column("window_accuracy", "windows right (%)", 100, 0),
    Column("hits", "hits (%)", 100, 0),
    Column("wrong", "wrong (%)", 100, 0),
    Column("missed", "missed (%)", 100, 0),
    Column("false_alarms_per_min", "false alarms (1/min)", 1, 1, most=math.inf),
    Column("first_correct_s", "first right (s)", 1, 1, most=math.inf),
    Column("itr_bits_per_min", "ITR (bit/min)", 1, 1, most=math.inf),
    Column("chance_95", "chance (%)", 100, 0),
    Column("p_value", "p", 1, 3),
)

#: Stands for the person in rows of means over people.
ALL_PEOPLE = "all people"


@dataclass(frozen=True, slots=True)
class Row:
    """What one decoder did by one protocol.

    Attributes
    ----------
    subject, decoder, protocol : str
    n_trials : int
    values : dict
        By the key of a column.
    """

    subject: str
    decoder: str
    protocol: str
    n_trials: int
    values: dict[str, Value]

    @classmethod
    def of(cls, subject: str, evaluated: Evaluated) -> "Row":
        """Make the row of a result, or of its repeats.

        Of repeats, scores and bounds are averaged: shuffling the same trials anew narrows nothing.
        """
        if isinstance(evaluated, PseudoOnline):
            values = {column.key: getattr(evaluated, column.key, None) for column in COLUMNS}
            values |= {"window_accuracy": evaluated.accuracy, "accuracy": None}
            return cls(subject, evaluated.decoder, evaluated.protocol, evaluated.n_trials, values)
        first = evaluated[0]
        values = {
            column.key: _mean([getattr(result, column.key, None) for result in evaluated])
            for column in COLUMNS
        }
        return cls(subject, first.decoder, first.protocol, first.n_trials, values)

    def text(self, column: Column) -> str:
        """Return what the table shows; empty where there is nothing."""
        return shown(self.values[column.key], column)


def rows_over_people(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the means over people, where there are two or more."""
    together = []
    for decoder, protocol in dict.fromkeys((row.decoder, row.protocol) for row in rows):
        alike = [row for row in rows if (row.decoder, row.protocol) == (decoder, protocol)]
        if len({row.subject for row in alike}) < 2:
            continue
        values: dict[str, Value] = {}
        for column in COLUMNS:
            # Levels of chance and p-values have no mean that says anything.
            given = [row.values[column.key] for row in alike]
            means = [value.mean for value in given if isinstance(value, Score)]
            values[column.key] = mean_over_people(
                [m for m in means if not math.isnan(m)], column.least, column.most
            )
        n_trials = sum(row.n_trials for row in alike)
        together.append(Row(ALL_PEOPLE, decoder, protocol, n_trials, values))
    return together


def people_scores(
    rows: Sequence[Row],
) -> tuple[dict[tuple[str, str], dict[str, float]], dict[str, str]]:
    """Return by protocol and decoder the score of each person, and which score that is."""
    scores: dict[tuple[str, str], dict[str, float]] = {}
    metrics: dict[str, str] = {}
    for row in rows:
        pseudo = row.values["window_accuracy"] is not None
        metric = "nmcc" if pseudo else "roc_auc" if row.values["roc_auc"] else "accuracy"
        # One score for all people: an area only where all have one.
        if metrics.setdefault(row.protocol, metric) != metric:
            metrics[row.protocol] = "accuracy"
    for row in rows:
        value = row.values[metrics[row.protocol]]
        if isinstance(value, Score):
            scores.setdefault((row.protocol, row.decoder), {})[row.subject] = value.mean
    return scores, metrics


def shown(value: Value, column: Column) -> str:
    """Return a value as a column shows it, with its interval if it has one."""
    if value is None:
        return ""
    show: Callable[[float], str] = lambda number: f"{number * column.scale:.{column.digits}f}"  # noqa: E731
    if isinstance(value, Score):
        return f"{show(value.mean)} [{show(value.low)}, {show(value.high)}]"
    return "" if math.isnan(value) else show(value)


def _mean(values: Sequence[Value]) -> Value:
    given = [value for value in values if value is not None]
    if not given or isinstance(given[0], Score):
        scores = [value for value in given if isinstance(value, Score)]
        if not scores:
            return None
        n = len(scores)
        return Score(
            sum(s.mean for s in scores) / n,
            sum(s.low for s in scores) / n,
            sum(s.high for s in scores) / n,
        )
    return sum(value for value in given if not isinstance(value, Score)) / len(given)
