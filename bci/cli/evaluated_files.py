"""What ``bci evaluate`` found, as files: tables, a page, a picture."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bci import __version__
from bci.cli import output
from bci.cli.evaluated import class_trials
from bci.errors import SettingsError
from bci.evaluation import EvaluationTable, LearningCurve
from bci.evaluation.cells import Grid
from bci.evaluation.pages import csv_text, html_table
from bci.private import write_private
from bci.signal.rejection import class_counts

__all__ = ["write_files"]

_CURVES = (
    "Each trial is tested by decoders that learned from so many of the others, random and of all "
    "classes alike; means over repeats. Bars: 95 % intervals, for the number of trials tested. "
    "Dashed: what chance reaches in at most one of twenty such sessions."
)


def write_files(
    folder: Path, grid: Grid, table: EvaluationTable, document: Mapping[str, Any]
) -> None:
    """Write ``table.csv``, ``table.html``, ``differences.csv``, ``learning.csv``, ``results.json``.

    Parameters
    ----------
    folder : Path
    grid : Grid
    table : EvaluationTable
    document : mapping
        From `bci.cli.evaluated.as_document`.

    Raises
    ------
    SettingsError
        When they cannot be written.
    """
    page = table.html(
        before=_what(grid, document),
        after=_curves_html(grid.curves),
        notes=[f"Not evaluated: {failure}" for failure in grid.failures],
    )
    files = {"table.csv": table.csv(), "table.html": page, "results.json": output.as_json(document)}
    if table.differences:
        files["differences.csv"] = table.differences_csv()
    if grid.curves:
        files["learning.csv"] = _curves_csv(grid.curves)
    try:
        for name, text in files.items():
            write_private(folder / name, text)
    except OSError as error:
        raise SettingsError(f"--out {folder} cannot be written ({error.strerror})") from error


def _what(grid: Grid, document: Mapping[str, Any]) -> list[str]:
    """Return what was evaluated, and each person's trials by class, used and left out."""
    settings = document["settings"]
    low, high = settings["band_hz"]
    start, stop = settings["window_s"]
    said = [
        f"{low:g} to {high:g} Hz, {start:g} to {stop:g} s after the cue",
        f"seed {document['seed']}",
        *(f"{name} {value}" for name, value in document["params"].items()),
        f"Rolandic {__version__}",
    ]
    people = document.get("subjects", {"": document})
    head = ["subject", "recordings", "channels", "trials used", "left out", "stand out"]
    rows = []
    for name, epochs in grid.epochs.items():
        left_out = [
            f"{n} of {label or 'no class'} ({reason})"
            for label, reasons in class_counts(epochs.left_out).items()
            for reason, n in reasons.items()
        ]
        rows.append(
            [
                name,
                ", ".join(epochs.recordings),
                f"{len(epochs.channels)}, {epochs.rate_hz:g} Hz",
                ", ".join(f"{n} {label}" for label, n in class_trials(epochs).items()),
                ", ".join(left_out) or "none",
                people[name]["stand_out"] or "not looked for (no --reject)",
            ]
        )
    if list(grid.epochs) == [""]:
        head, rows = head[1:], [row[1:] for row in rows]
    return [f"<p>{html.escape('; '.join(said))}.</p>", html_table(head, rows)]


def _curves_html(curves: Sequence[tuple[str, LearningCurve]]) -> list[str]:
    if not curves:
        return []
    # matplotlib takes a second to import, and only this needs it.
    from bci.report.learning import learning_figure

    picture = io.BytesIO()
    learning_figure(curves).savefig(picture, format="png", dpi=110, metadata={"Software": None})
    encoded = base64.b64encode(picture.getvalue()).decode()
    answers = [f"{', '.join(filter(None, (name, c.decoder)))}: {c.answer()}" for name, c in curves]
    return [
        "<h2>How many trials are enough</h2>",
        *(f"<p>{html.escape(answer)}.</p>" for answer in answers),
        '<p><img alt="accuracy against the number of training trials" '
        f'src="data:image/png;base64,{encoded}"></p>',
        f"<p>{_CURVES}</p>",
    ]


def _curves_csv(curves: Sequence[tuple[str, LearningCurve]]) -> str:
    fields = ["subject", "decoder", "n_train"]
    for score in ("accuracy", "roc_auc"):
        fields += [score, f"{score}_low", f"{score}_high"]
    rows: list[list[Any]] = []
    for name, curve in curves:
        for point in curve.points:
            area = point.roc_auc
            rows.append(
                [
                    *(name, curve.decoder, point.n_train),
                    *(point.accuracy.mean, point.accuracy.low, point.accuracy.high),
                    *(("", "", "") if area is None else (area.mean, area.low, area.high)),
                    *(curve.chance_95, "" if curve.enough is None else curve.enough),
                ]
            )
    return csv_text([*fields, "chance_95", "enough"], rows)
