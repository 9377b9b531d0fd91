"""One table of everything that was evaluated: a row for each person, decoder and protocol.

`EvaluationTable` holds the results; what it prints as, CSV, HTML or JSON, comes from one list of
columns. Columns that no row fills are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bci.evaluation.comparison import Difference, Evaluated, paired_differences
from bci.evaluation.metrics import Score
from bci.evaluation.pages import csv_text, html_page, html_table
from bci.evaluation.people import differences_over_people
from bci.evaluation.result import Result
from bci.evaluation.rows import (
    ALL_PEOPLE,
    COLUMNS,
    Column,
    Row,
    people_scores,
    rows_over_people,
    shown,
)

__all__ = ["EvaluationTable"]

_NOTES = (
    "In brackets: 95 % intervals, for the number of trials tested (pseudo-online: by drawing whole "
    "episodes).",
    "chance: an accuracy that chance reaches in at most one of twenty such sessions. p: by "
    "permuting labels within runs, with all fits again; pseudo-online those of trials: rest stays "
    "rest.",
    "nMCC: Matthews' correlation brought to 0..1, chance 0.5; pseudo-online it is of windows, idle "
    "among the classes.",
    "ITR: Wolpaw's, an upper bound: classes wanted and right equally often, errors even, rest "
    "between trials free.",
)


_PEOPLE = (
    f"{ALL_PEOPLE}: means over people, each counting once, with Student's intervals; p (t) by the "
    "paired t-test, p by exchanging decoders person by person."
)


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """Rows, and what differs between decoders.

    Attributes
    ----------
    rows : tuple of Row
    differences : dict of str to tuple of Difference
        By subject.
    """

    rows: tuple[Row, ...]
    differences: dict[str, tuple[Difference, ...]]

    @classmethod
    def of(
        cls, evaluated: Sequence[tuple[str, Result | Evaluated]], *, seed: int = 0
    ) -> "EvaluationTable":
        """Make the table, and compare decoders where several were evaluated by one protocol.

        Of several people there are rows of the means over them, and differences over them too.

        Parameters
        ----------
        evaluated : sequence of (str, Evaluated or Result)
            Subject (may be empty) and result.
        seed : int
            Of the comparisons.
        """
        given: list[tuple[str, Evaluated]] = [
            (subject, [item] if isinstance(item, Result) else item) for subject, item in evaluated
        ]
        differences = {}
        for subject in dict.fromkeys(subject for subject, _ in given):
            found = paired_differences([item for name, item in given if name == subject], seed=seed)
            if found:
                differences[subject] = tuple(found)
        rows = [Row.of(subject, item) for subject, item in given]
        together = rows_over_people(rows)
        if together:
            found = differences_over_people(*people_scores(rows), seed=seed)
            if found:
                differences[ALL_PEOPLE] = tuple(found)
        return cls((*rows, *together), differences)

    @property
    def columns(self) -> list[Column]:
        """Those that some row fills."""
        return [c for c in COLUMNS if any(row.values[c.key] is not None for row in self.rows)]

    @property
    def has_subjects(self) -> bool:
        """Whether rows name their subject."""
        return any(row.subject for row in self.rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, a sentence or two each."""
        n_pairs = max((len(found) for found in self.differences.values()), default=0)
        if not n_pairs:
            return _NOTES
        return (
            *_NOTES,
            *([_PEOPLE] if ALL_PEOPLE in self.differences else []),
            f"Differences: on the same trials; p (t) by the corrected resampled t-test over folds, "
            f"p by permutation over trials, p (Holm) the latter adjusted for {n_pairs} "
            f"comparison{'s' if n_pairs > 1 else ''} a person.",
        )

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the table, as text."""
        head = ["subject"] * self.has_subjects + ["decoder", "protocol", "trials"]
        rows = [
            [row.subject] * self.has_subjects
            + [row.decoder, row.protocol, str(row.n_trials)]
            + [row.text(column) for column in self.columns]
            for row in self.rows
        ]
        return head + [column.title for column in self.columns], rows

    def difference_cells(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the differences, as text."""
        head = ["subject"] * self.has_subjects
        head += ["protocol", "first", "second", "score", "difference", "p (t)", "p", "p (Holm)"]
        p_value = Column("", "", 1, 3)
        titles = {column.key: column.title.partition(" (")[0] for column in COLUMNS}
        rows = [
            [subject] * self.has_subjects
            + [d.protocol, d.first, d.second, titles[d.metric], _signed(d)]
            + [shown(p, p_value) for p in (d.p_resampled_t, d.p_permutation, d.p_holm)]
            for subject, found in self.differences.items()
            for d in found
        ]
        return head, rows

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "rows": [
                {
                    "subject": row.subject,
                    "decoder": row.decoder,
                    "protocol": row.protocol,
                    "n_trials": row.n_trials,
                    **{
                        key: value.as_dict() if isinstance(value, Score) else value
                        for key, value in row.values.items()
                    },
                }
                for row in self.rows
            ],
            "differences": [
                {"subject": subject, **difference.as_dict()}
                for subject, found in self.differences.items()
                for difference in found
            ],
        }

    def csv(self) -> str:
        """Return the table as CSV: a score in three columns, nothing rounded."""
        fields = ["subject", "decoder", "protocol", "n_trials"]
        scored = {
            column.key
            for column in self.columns
            if any(isinstance(row.values[column.key], Score) for row in self.rows)
        }
        for column in self.columns:
            fields.append(column.key)
            fields += [f"{column.key}_{end}" for end in ("low", "high")] * (column.key in scored)
        rows: list[list[Any]] = []
        for row in self.rows:
            line: list[Any] = [row.subject, row.decoder, row.protocol, row.n_trials]
            for column in self.columns:
                value = row.values[column.key]
                if isinstance(value, Score):
                    line += [value.mean, value.low, value.high]
                else:
                    line += ["" if value is None else value, *[""] * 2 * (column.key in scored)]
            rows.append(line)
        return csv_text(fields, rows)

    def differences_csv(self) -> str:
        """Return the differences as CSV."""
        documents = self.as_dict()["differences"]
        names = list(documents[0]) if documents else []
        return csv_text(
            names, [["" if d[name] is None else d[name] for name in names] for d in documents]
        )

    def html(
        self,
        title: str = "Evaluation",
        *,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> str:
        """Return a page that needs no other file.

        Parameters
        ----------
        title : str
        before, after : sequence of str
            HTML above and below the tables.
        notes : sequence of str
            Text below the table's own notes.
        """
        parts = [*before, html_table(*self.cells())]
        if self.differences:
            parts += ["<h2>Differences between decoders</h2>"]
            parts += [html_table(*self.difference_cells())]
        return html_page(title, [*parts, *after], [*self.notes, *notes])


def _signed(difference: Difference) -> str:
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
