"""What ``bci evaluate`` found: on the screen, as JSON, and as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bci.cli import output
from bci.errors import SettingsError
from bci.evaluation import EvaluationTable, Protocol, PseudoOnline, Result
from bci.evaluation.cells import Grid, Row
from bci.evaluation.jobs import Failure
from bci.evaluation.pages import html_page, html_table
from bci.evaluation.rows import ALL_PEOPLE
from bci.private import write_private
from bci.signal.epochs import Epochs

__all__ = ["as_document", "print_tables", "say_failures", "write_tables"]

Cells = tuple[list[str], list[list[str]]]

#: Columns that a terminal has no room for; files have them.
_WIDE = ("nMCC", "chance (%)")

#: Rows that may become columns where the table is too wide.
_MOST_COLUMNS = 4


def as_document(
    grid: Grid,
    table: EvaluationTable,
    protocols: Sequence[Protocol],
    seed: int,
    params: Mapping[str, Any],
    recordings: Sequence[str],
) -> dict[str, Any]:
    """Return everything for JSON."""
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
            "subjects": {name: _of_person(epochs) for name, epochs in grid.epochs.items()},
            "people": [row for row in written["rows"] if row["subject"] == ALL_PEOPLE],
        }
    else:
        (epochs,) = grid.epochs.values()
        document |= _of_person(epochs) | {"recordings": list(recordings)}
    first = next(iter(grid.epochs.values()))
    return document | {
        "settings": first.settings.model_dump(mode="json"),
        "scheme": protocols[0].name,
        "protocols": [protocol.model_dump(mode="json") for protocol in protocols],
        "folds": _n_folds(grid.rows[0]),
        "seed": seed,
        "params": dict(params),
        "failures": [str(failure) for failure in grid.failures],
    }


def _of_person(epochs: Epochs) -> dict[str, Any]:
    return {
        "classes": list(epochs.classes),
        "channels": list(epochs.channels),
        "rate_hz": epochs.rate_hz,
        "recordings": list(epochs.recordings),
        "left_out": [item._asdict() for item in epochs.left_out],
    }


def _n_folds(row: Row) -> int:
    result = row.result
    return len(result.fold_nmcc) if isinstance(result, PseudoOnline) else len(result.n_train)


def write_tables(
    folder: Path, grid: Grid, table: EvaluationTable, document: Mapping[str, Any]
) -> None:
    """Write ``table.csv``, ``table.html``, ``differences.csv`` and ``results.json``.

    Raises
    ------
    SettingsError
        When they cannot be written.
    """
    parts = [html_table(*table.cells())]
    if table.differences:
        parts += ["<h2>Differences between decoders</h2>", html_table(*table.difference_cells())]
    failures = [f"Not evaluated: {failure}" for failure in grid.failures]
    files = {
        "table.csv": table.csv(),
        "table.html": html_page("Evaluation", parts, [*table.notes, *failures]),
        "results.json": output.as_json(document),
    }
    if table.differences:
        files["differences.csv"] = table.differences_csv()
    try:
        for name, text in files.items():
            write_private(folder / name, text)
    except OSError as error:
        raise SettingsError(f"--out {folder} cannot be written ({error.strerror})") from error


def print_tables(grid: Grid, table: EvaluationTable) -> None:
    """Print the table, and what must be known to read it."""
    console = output.results_console()
    only = next(iter(grid.epochs.values())) if len(grid.epochs) == 1 else None
    results = [row.result for row in grid.rows]
    if only is not None:
        runs = ", ".join(only.recordings)
        channels = len(only.channels)
        console.print(f"{only.n_trials} trials of {runs}; {channels} channels", soft_wrap=True)
    head, rows = table.cells()
    if all(isinstance(result, Result) for result in results):
        at = [k for k, name in enumerate(head) if name != "ITR (bit/min)"]
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
    shown = [k for k, name in enumerate(head) if name not in _WIDE]
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


def say_failures(failures: Sequence[Failure]) -> None:
    """Say on stderr what has no score; cells that failed for one reason are one line."""
    by_reason: dict[str, list[str]] = {}
    for failure in failures:
        by_reason.setdefault(failure.reason, []).append(failure.name)
    for reason, names in by_reason.items():
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        output.show_error(f"{names[0]}{more}: {reason}")
