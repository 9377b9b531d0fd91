"""What ``bci evaluate`` found, on the screen and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bci.cli import output
from bci.evaluation import EvaluationTable, Protocol, PseudoOnline, Result
from bci.evaluation.cells import Grid, Row
from bci.evaluation.jobs import Failure
from bci.evaluation.learning import LearningCurve
from bci.evaluation.rows import ALL_PEOPLE
from bci.signal.epochs import Epochs

__all__ = ["as_document", "class_trials", "print_tables", "say_failures"]

Cells = tuple[list[str], list[list[str]]]

#: Columns of cued trials that a terminal has no room for; files have them.
_WIDE = ("nMCC", "chance (%)", "ITR (bit/min)")

#: Rows that may become columns where the table is too wide.
_MOST_COLUMNS = 4


def as_document(
    grid: Grid,
    table: EvaluationTable,
    protocols: Sequence[Protocol],
    seed: int,
    params: Mapping[str, Any],
    standing: Mapping[str, str],
    recordings: Sequence[str],
) -> dict[str, Any]:
    """Return everything for JSON.

    Parameters
    ----------
    grid : Grid
    table : EvaluationTable
    protocols : sequence of Protocol
    seed : int
    params : mapping
        Of the decoders.
    standing : mapping of str to str
        Person to the trials that stand out, where rejection was asked for.
    recordings : sequence of str
        As they were named.
    """
    named = any(row.subject for row in grid.rows)
    written = table.as_dict()
    document: dict[str, Any] = {
        "results": [
            ({"subject": row.subject} if named else {}) | row.result.as_dict() for row in grid.rows
        ],
        "differences": written["differences"],
    }
    if named:
        document |= {
            "subjects": {
                name: _of_person(epochs, standing.get(name)) for name, epochs in grid.epochs.items()
            },
            "people": [row for row in written["rows"] if row["subject"] == ALL_PEOPLE],
        }
    else:
        ((name, epochs),) = grid.epochs.items()
        document |= _of_person(epochs, standing.get(name)) | {"recordings": list(recordings)}
    if grid.curves:
        document["learning_curves"] = [
            ({"subject": name} if named else {}) | curve.as_dict() for name, curve in grid.curves
        ]
    first = next(iter(grid.epochs.values()))
    return document | {
        "settings": first.settings.model_dump(mode="json"),
        "protocols": [protocol.model_dump(mode="json") for protocol in protocols],
        "folds": _n_folds(grid.rows[0]),
        "seed": seed,
        "params": dict(params),
        "failures": [str(failure) for failure in grid.failures],
    }


def class_trials(epochs: Epochs) -> dict[str, int]:
    """Return the number of trials of each class."""
    counts = np.bincount(epochs.trial_y, minlength=len(epochs.classes)).tolist()
    return dict(zip(epochs.classes, counts, strict=True))


def _of_person(epochs: Epochs, standing: str | None) -> dict[str, Any]:
    return {
        "classes": list(epochs.classes),
        "channels": list(epochs.channels),
        "rate_hz": epochs.rate_hz,
        "recordings": list(epochs.recordings),
        "n_trials": class_trials(epochs),
        "left_out": [item._asdict() for item in epochs.left_out],
        "stand_out": standing,
    }


def _n_folds(row: Row) -> int:
    result = row.result
    return len(result.fold_nmcc) if isinstance(result, PseudoOnline) else len(result.n_train)


def print_tables(grid: Grid, table: EvaluationTable) -> None:
    """Print the table, and what must be known to read it."""
    console = output.results_console()
    only = next(iter(grid.epochs.values())) if len(grid.epochs) == 1 else None
    results = [row.result for row in grid.rows]
    if only is not None:
        runs = ", ".join(only.recordings)
        by_class = ", ".join(f"{n} {name}" for name, n in class_trials(only).items())
        console.print(
            f"{only.n_trials} trials ({by_class}) of {runs}; {len(only.channels)} channels",
            soft_wrap=True,
        )
    head, rows = table.cells()
    if all(isinstance(result, Result) for result in results):
        at = [k for k, name in enumerate(head) if name not in _WIDE]
        head, rows = [head[k] for k in at], [[row[k] for k in at] for row in rows]
        if only is not None:
            head, rows = _of_trials(head, rows, results)
    _print(console, head, rows)
    # Those of each person apart are many: files have them.
    found = table if only is not None else _over_people(table)
    if found.differences:
        console.print("Differences, on the same trials" if only else "Differences over people")
        _print(console, *found.difference_cells())
    _print_chance(console, grid.rows)
    _print_curves(console, grid.curves)


def _over_people(table: EvaluationTable) -> EvaluationTable:
    kept = {name: d for name, d in table.differences.items() if name == ALL_PEOPLE}
    return EvaluationTable((), kept)


def _of_trials(head: Sequence[str], rows: Sequence[Sequence[str]], results: Sequence[Any]) -> Cells:
    """Return the columns of one person's cued trials: each class's, and what 100 columns hold."""
    classes = results[0].classes
    shown = [k for k, name in enumerate(head) if name != "trials"]
    at = head.index("kappa")
    lines = []
    for row, result in zip(rows, results, strict=True):
        shares = [
            output.percent(result.per_class[name]).replace(" %", "")
            if name in result.per_class
            else "-"
            for name in classes
        ]
        short = [*row[:at], row[at].partition(" ")[0], *row[at + 1 :]]
        lines.append([short[k] for k in shown] + shares)
    return [head[k] for k in shown] + [f"{name} (%)" for name in classes], lines


def _print(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    shown = list(range(len(head)))
    at = head.index("protocol")
    if len({row[at] for row in rows}) == 1:  # said above the table
        console.print(rows[0][at])
        shown.remove(at)
    lines = [[head[k] for k in shown], *([row[k] for k in shown] for row in rows)]
    lengths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sum(lengths) + 3 * len(lengths) > console.width and len(rows) <= _MOST_COLUMNS:
        lines = [list(column) for column in zip(*lines, strict=True)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k, name in enumerate(lines[0]):
        words = k == 0 or name in ("decoder", "protocol", "first", "second", "score")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for line in lines[1:]:
        table.add_row(*line)
    console.print(table)


def _print_chance(console: Console, rows: Sequence[Row]) -> None:
    console.print("In brackets: 95 % intervals.")
    results = [(row.subject, row.result) for row in rows if isinstance(row.result, Result)]
    levels = {(result.chance_95, result.n_trials) for _, result in results}
    if len(levels) == 1:
        ((chance, n_trials),) = levels
        console.print(
            f"Chance reaches an accuracy of {100 * chance:.0f} % in at most one of twenty such "
            f"sessions of {n_trials} trials."
        )
    several = len({result.protocol for _, result in results}) > 1
    for subject, result in results:
        if not result.above_chance:
            of = ", ".join(
                filter(None, (subject, result.decoder, result.protocol if several else ""))
            )
            console.print(f"{of}: not above chance.")


def _print_curves(console: Console, curves: Sequence[tuple[str, LearningCurve]]) -> None:
    if not curves:
        return
    console.print("How many trials are enough: accuracy with fewer trials to learn from")
    if len({name for name, _ in curves}) == 1:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("training trials", justify="right")
        for _, curve in curves:
            table.add_column(f"{curve.decoder} (%)", justify="right")
        for points in zip(*(curve.points for _, curve in curves), strict=True):
            shares = [output.percent(point.accuracy).replace(" %", "") for point in points]
            table.add_row(str(points[0].n_train), *shares)
        console.print(table)
    for name, curve in curves:
        of = ", ".join(filter(None, (name, curve.decoder)))
        console.print(f"{of}: {curve.answer()}.", soft_wrap=True)


def say_failures(failures: Sequence[Failure]) -> None:
    """Say on stderr what has no score; cells that failed for one reason are one line."""
    by_reason: dict[str, list[str]] = {}
    for failure in failures:
        by_reason.setdefault(failure.reason, []).append(failure.name)
    for reason, names in by_reason.items():
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        output.show_error(f"{names[0]}{more}: {reason}")
