"""What came of online adaptation: each arm over people, against frozen, and against the bound.

A person counts as one, however many trials and seeds: of seeds the mean is taken first. Intervals
are Student's over people; of one person over the trials, which says less: they are not independent.
Against frozen (and, but for frozen, against recentering alone) arms are compared person by person
(`bci.evaluation.people`), p-values adjusted by Holm over all comparisons of the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.evaluation.adaptation_cells import Adapted, Trials
from bci.evaluation.comparison import Difference
from bci.evaluation.metrics import Score, cohen_kappa, wilson_interval
from bci.evaluation.online_adaptation import BOUND, GUARD, hears_rewards, told_to
from bci.evaluation.pages import csv_text, html_page, html_table
from bci.evaluation.paired import holm
from bci.evaluation.people import differences_over_people, mean_over_people

__all__ = ["BLOCK", "FIRST", "HARM", "AdaptationTable", "ArmRow", "Curve", "curves"]

F64 = NDArray[np.float64]

#: Trials of a session that count as its beginning, and of a point of the course.
FIRST = 20
BLOCK = 10
#: Who loses more than this of accuracy against frozen is harmed, who gains as much is helped.
HARM = 0.02

_SAME = (
    "With two classes and a reward that is never false, reward is the label: that something was "
    "wrong names the other class. Rows of clean reward say nothing then that those of labels don't."
)
_GUARDED = (
    "+guard: the arm is taken back when the trained decoder does better, by what was revealed; "
    "where the arm is told nothing, its guard is told right and wrong."
)
_NOTES = (
    "Trained on the first session, references, search and limits too; each later session once, in "
    "recorded order: predict, score, reveal, update. Each begins with the decoder as trained.",
    "Intervals: 95 % over people (of one person: over trials, taken as independent), seeds "
    "averaged first. p: by exchanging arms person by person (or trial by trial), adjusted by Holm "
    "over all comparisons. harmed, helped: more than two points below or above frozen, which of 30 "
    "trials is one: chance alone harms as many as it helps.",
    "regret: trials of a hundred that supervised adaptation with recentering, the bound, got right "
    "and the arm did not (net). update: what an arm takes after a trial, recentering included.",
)
_FIELDS = (
    "decoder", "arm", "told", "reward", "people", "seeds", "accuracy", "kappa", "first_20",
    "above_frozen", "p_frozen", "above_recenter", "p_recenter", "regret", "harmed", "helped",
    "update_ms", "update_p99_ms",
)  # fmt: skip
_HEAD = (
    "decoder", "arm", "told", "reward", "people", "accuracy (%)", "kappa", "first 20 (%)",
    "above frozen (points)", "p (Holm)", "above recenter (points)", "p (Holm) ",
    "regret (of 100)", "harmed (%)", "helped (%)", "update (ms)",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """One person's marks with one arm, means over seeds; `right` is of each trial."""

    right: F64
    accuracy: float
    kappa: float
    first: float
    regret: float | None


@dataclass(frozen=True, slots=True)
class ArmRow:
    """One arm over people.

    Attributes
    ----------
    decoder, arm, told, feedback : str
    people : dict of str to Marks
    n_seeds : int
    against : dict of str to Difference
        By the other arm; where two people or more allow it.
    update_ms : tuple of float
        Mean over people of the median, and the largest 99th percentile.
    harmed, helped : float or None
        Shares of people; None without frozen.
    """

    decoder: str
    arm: str
    told: str
    feedback: str
    people: dict[str, Marks]
    n_seeds: int
    against: dict[str, Difference]
    update_ms: tuple[float, float]
    harmed: float | None = None
    helped: float | None = None

    def score(self, mark: str) -> Score | float | None:
        """Return the mean of a mark over people; of one person the mark, accuracy over trials."""
        values = [getattr(marks, mark) for marks in self.people.values()]
        if any(value is None for value in values):
            return None
        if len(values) == 1 and mark == "accuracy":
            (only,) = self.people.values()
            n = len(only.right)
            return Score(only.accuracy, *wilson_interval(only.accuracy * n, n))
        least, most = {"kappa": (-1.0, 1.0), "regret": (-100.0, 100.0)}.get(mark, (0.0, 1.0))
        return mean_over_people(values, least, most) or float(values[0])

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        scores = {mark: self.score(mark) for mark in ("accuracy", "kappa", "first", "regret")}
        return {
            "decoder": self.decoder,
            "arm": self.arm,
            "told": self.told,
            "reward": self.feedback,
            "n_seeds": self.n_seeds,
            **{k: v.as_dict() if isinstance(v, Score) else v for k, v in scores.items()},
            "harmed": self.harmed,
            "helped": self.helped,
            "update_ms": list(self.update_ms),
            "against": {name: found.as_dict() for name, found in self.against.items()},
            "people": {
                name: {
                    "accuracy": marks.accuracy,
                    "kappa": marks.kappa,
                    "first": marks.first,
                    "regret": marks.regret,
                }
                for name, marks in self.people.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy over the trials of a session, blocks of them, over people.

    Attributes
    ----------
    decoder, arm, feedback : str
    trials : tuple of int
        Last trial of each block, from 1.
    scores : tuple of Score
        Of one person without an interval.
    """

    decoder: str
    arm: str
    feedback: str
    trials: tuple[int, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class AdaptationTable:
    """All arms, and what a reader must know.

    Attributes
    ----------
    rows : tuple of ArmRow
    notes : tuple of str
    """

    rows: tuple[ArmRow, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, adapted: Sequence[Adapted], trials: Mapping[str, Trials], *, seed: int = 0
    ) -> "AdaptationTable":
        """Sum up.

        Parameters
        ----------
        adapted, trials
            From `evaluate_adaptation`.
        seed : int
            Of the tests by permutation.
        """
        bounds = {(a.subject, a.decoder): a for a in adapted if a.arm == BOUND}
        rows = []
        for key in dict.fromkeys((a.decoder, a.arm, a.feedback) for a in adapted):
            alike = [a for a in adapted if (a.decoder, a.arm, a.feedback) == key]
            people = {
                a.subject: _marks(a, trials[a.subject], bounds.get((a.subject, a.decoder)))
                for a in alike
            }
            update_ms = (
                float(np.mean([a.update_ms[0] for a in alike])),
                max(a.update_ms[1] for a in alike),
            )
            decoder, arm, feedback = key
            rows.append(
                ArmRow(
                    decoder,
                    arm,
                    told_to(arm),
                    feedback.label if hears_rewards(arm) else "",
                    people,
                    max(len(a.chosen) for a in alike),
                    {},
                    update_ms,
                )
            )
        two = any(len(own.classes) == 2 for own in trials.values())
        clean = any(row.feedback and "flipped" not in row.feedback for row in rows)
        more = [_GUARDED] if any(row.arm.endswith(GUARD) for row in rows) else []
        more += [_SAME] if two and clean else []
        return cls(tuple(_compared(rows, seed)), (*_NOTES, *more))

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the table, as text."""
        rows = []
        for row in self.rows:
            frozen, recentred = row.against.get("frozen"), row.against.get("recenter")
            rows.append(
                [
                    *(row.decoder, row.arm, row.told, row.feedback, str(len(row.people))),
                    _shown(row.score("accuracy"), 100, 1),
                    _shown(row.score("kappa"), 1, 2),
                    _shown(row.score("first"), 100, 1),
                    *_difference(frozen),
                    *_difference(recentred),
                    _shown(row.score("regret"), 1, 1),
                    *("" if n is None else f"{100 * n:.0f}" for n in (row.harmed, row.helped)),
                    f"{row.update_ms[0]:.1f} (p99 {row.update_ms[1]:.1f})",
                ]
            )
        return list(_HEAD), rows

    def csv(self) -> str:
        """Return the rows as CSV."""
        lines = []
        for row in self.rows:
            said: list[Any] = [row.decoder, row.arm, row.told, row.feedback]
            said += [len(row.people), row.n_seeds]
            said += [_mean(row.score(mark)) for mark in ("accuracy", "kappa", "first")]
            for other in ("frozen", "recenter"):
                found = row.against.get(other)
                said += ["", ""] if found is None else [found.mean, found.p_holm]
            shares = ["" if n is None else n for n in (row.harmed, row.helped)]
            lines.append([*said, _mean(row.score("regret")), *shares, *row.update_ms])
        return csv_text(_FIELDS, lines)

    def html(self, before: Sequence[str], after: Sequence[str], notes: Sequence[str]) -> str:
        """Return a page with the table, and other parts around it."""
        parts = [*before, html_table(*self.cells()), *after]
        return html_page("Online adaptation", parts, [*self.notes, *notes])


def curves(adapted: Sequence[Adapted], trials: Mapping[str, Trials]) -> list[Curve]:
    """Return the course of accuracy by decoder, arm and feedback.

    Each point is a block of `BLOCK` trials, averaged over a person's sessions, then over people; it
    ends where some session ends.
    """
    found = []
    n_blocks = min(
        int(np.bincount(own.sessions).min()) for own in trials.values()
    ) // BLOCK  # fmt: skip
    for key in dict.fromkeys((a.decoder, a.arm, a.feedback) for a in adapted):
        of_people = []
        for a in (a for a in adapted if (a.decoder, a.arm, a.feedback) == key):
            own = trials[a.subject]
            right = (a.chosen == own.y).mean(axis=0)
            of_people.append(
                [float(right[own.within // BLOCK == k].mean()) for k in range(n_blocks)]
            )
        scores = []
        for values in zip(*of_people, strict=True):
            nobody = Score(values[0], values[0], values[0])
            scores.append(mean_over_people(values, 0.0, 1.0) or nobody)
        decoder, arm, feedback = key
        said = feedback.label if hears_rewards(arm) else ""
        ends = tuple(BLOCK * (k + 1) for k in range(n_blocks))
        found.append(Curve(decoder, arm, said, ends, tuple(scores)))
    return found


def _marks(adapted: Adapted, trials: Trials, bound: Adapted | None) -> Marks:
    right = (adapted.chosen == trials.y).mean(axis=0)
    kappas = [cohen_kappa(trials.y, one, len(trials.classes)).mean for one in adapted.chosen]
    regret = None
    if bound is not None:
        most = (bound.chosen == trials.y).mean(axis=0)
        regret = 100 * float((most - right).mean())
    return Marks(
        right=right,
        accuracy=float(right.mean()),
        kappa=float(np.mean(kappas)),
        first=float(right[trials.within < FIRST].mean()),
        regret=regret,
    )


def _compared(rows: Sequence[ArmRow], seed: int) -> list[ArmRow]:
    """Compare each row with frozen and, where it recentres, with recentering alone."""
    base = {(row.decoder, row.arm): row for row in rows if row.arm in ("frozen", "recenter")}
    found: list[tuple[int, str, Difference]] = []
    for number, row in enumerate(rows):
        for other in ("frozen", "recenter"):
            reference = base.get((row.decoder, other))
            if reference is None or row.arm in ("frozen", other):
                continue
            scores = {
                (row.decoder, name): _by_person_or_trial(of_row)
                for name, of_row in ((row.arm, row), (other, reference))
            }
            differences = differences_over_people(scores, {row.decoder: "accuracy"}, seed=seed)
            found += [(number, other, difference) for difference in differences]
    adjusted = holm([difference.p_permutation for _, _, difference in found])
    against: dict[int, dict[str, Difference]] = {}
    for (number, other, difference), p in zip(found, adjusted, strict=True):
        difference = replace(difference, p_holm=p, n_comparisons=len(found))
        against.setdefault(number, {})[other] = difference
    compared = []
    for number, row in enumerate(rows):
        frozen = base.get((row.decoder, "frozen"))
        shares: dict[str, float] = {}
        if frozen is not None and row.arm != "frozen":
            gains = [
                marks.accuracy - frozen.people[name].accuracy
                for name, marks in row.people.items()
                if name in frozen.people
            ]
            least = HARM + 1e-12
            if gains:
                shares["harmed"] = float(np.mean([gain < -least for gain in gains]))
                shares["helped"] = float(np.mean([gain > least for gain in gains]))
        harmed, helped = shares.get("harmed"), shares.get("helped")
        compared.append(replace(row, against=against.get(number, {}), harmed=harmed, helped=helped))
    return compared


def _by_person_or_trial(row: ArmRow) -> dict[str, float]:
    """Return each person's accuracy; of one person, what each trial came to."""
    if len(row.people) > 1:
        return {name: marks.accuracy for name, marks in row.people.items()}
    (only,) = row.people.values()
    return {str(trial): float(right) for trial, right in enumerate(only.right)}


def _shown(value: Score | float | None, scale: float, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, Score):
        low, high = (f"{scale * bound:.{digits}f}" for bound in (value.low, value.high))
        return f"{scale * value.mean:.{digits}f} [{low}, {high}]"
    return f"{scale * value:.{digits}f}"


def _difference(found: Difference | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    score = Score(found.mean, found.low, found.high)
    return _shown(score, 100, 1), f"{found.p_holm:.3f}"


def _mean(value: Score | float | None) -> float | str:
    if value is None:
        return ""
    return value.mean if isinstance(value, Score) else value
