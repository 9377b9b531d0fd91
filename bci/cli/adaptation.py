"""``bci evaluate --protocol online-adaptation``: whether learning on does better, told fairly."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.table import Table

from bci import __version__
from bci.cli import output
from bci.cli.evaluated import class_trials, say_failures
from bci.cli.subjects import Reader
from bci.errors import InputError, SettingsError
from bci.evaluation.jobs import Failure, Pool
from bci.evaluation.planning import Subject
from bci.evaluation.store import claim_folder
from bci.private import write_private

__all__ = ["PROTOCOL", "Asked", "chosen_arms", "compare_arms"]

#: Its name among the protocols.
PROTOCOL = "online-adaptation"

_DEFAULT = (
    "frozen", "recenter", "pseudo", "reward", "reward+recenter", "supervised", "retrained",
)  # fmt: skip
#: Columns that a terminal has no room for; files have them.
_WIDE = ("told", "people", "kappa", "update (ms)")


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of this protocol, and those of others that it heeds.

    Attributes
    ----------
    arms : tuple of str
    flips : tuple of float
        Percent.
    delays : tuple of int
    loss : float
        Percent.
    seeds, retrain : int
    sessions : tuple of str
    tau_s : float
    seed : int
    guard : bool
    """

    arms: tuple[str, ...]
    flips: tuple[float, ...]
    delays: tuple[int, ...]
    loss: float
    seeds: int
    retrain: int
    sessions: tuple[str, ...]
    tau_s: float
    seed: int
    guard: bool


def chosen_arms(names: Sequence[str], decoders: Sequence[str]) -> tuple[str, ...]:
    """Return the arms that were asked for, frozen first, since all are compared with it.

    Where none was, those of the decoders' own plugins are among them (``rleegnet-...`` of
    ``rleegnet``).

    Raises
    ------
    SettingsError
        For one that is unknown.
    """
    from bci.decoders.adapt import available_arms
    from bci.evaluation.retrained import RETRAINED

    known = {**available_arms(), **RETRAINED}
    for name in names:
        if name not in known:
            hint = " (rolandic[rleegnet] brings it)" if name.startswith("rleegnet") else ""
            raise SettingsError(f"--arm {name!r}{hint}: give one of {', '.join(known)}")
    own = [name for name in known if any(name.startswith(f"{one}-") for one in decoders)]
    return tuple(dict.fromkeys(("frozen", *(names or (*_DEFAULT[1:], *own)))))


def compare_arms(
    readers: Sequence[Reader],
    decoders: Sequence[str],
    params: Mapping[str, Any],
    asked: Asked,
    *,
    pool: Pool,
    out: Path | None,
    overwrite: bool,
    json: bool,
) -> None:
    """Evaluate, print and write.

    Raises
    ------
    InputError
        In one line.
    """
    from bci.evaluation.adaptation_cells import Arms, evaluate_adaptation
    from bci.evaluation.adaptation_table import AdaptationTable, curves
    from bci.evaluation.online_adaptation import Feedback

    for name, percent in (*(("--flip", p) for p in asked.flips), ("--loss", asked.loss)):
        if not 0 <= percent <= 100:
            raise SettingsError(f"{name} {percent:g}: give a percentage, 0 to 100")
    feedback = tuple(
        Feedback(flips / 100, delay, asked.loss / 100)
        for delay in asked.delays
        for flips in asked.flips
    )
    arms = Arms(asked.arms, feedback, asked.seeds, asked.retrain, asked.guard)
    if len(readers) == 1:
        readers[0].keep()
    output.compile_ahead()
    manifest = {
        "protocol": PROTOCOL,
        "subjects": {reader.name: [path.name for path in reader.paths] for reader in readers},
        "reading": readers[0].reading,
        "settings": readers[0].cutting,
        "decoders": list(decoders),
        "params": {name: repr(value) for name, value in params.items()},
        "arms": list(asked.arms),
        "rewards": [one.label for one in feedback],
        "seeds": asked.seeds,
        "retrain": asked.retrain,
        "guard": asked.guard,
        "sessions": list(asked.sessions),
        "recenter": asked.tau_s,
    }
    store = claim_folder(out, manifest, overwrite=overwrite) if out else None
    with closing(pool), output.progress_bar("evaluating") as show:
        adapted, trials, failures = evaluate_adaptation(
            [Subject(reader.name, reader.read) for reader in readers],
            dict.fromkeys(decoders, params),
            arms,
            sessions=asked.sessions,
            tau_s=asked.tau_s,
            pool=pool,
            store=store,
            progress=show,
        )
    for reader in readers if len(readers) > 1 else []:
        reader.warn()
    if not adapted:
        first = failures[0]
        raise (InputError if first.is_input else RuntimeError)(str(first))
    table = AdaptationTable.of(adapted, trials, seed=asked.seed)
    course = curves(adapted, trials)
    document = {
        "protocol": PROTOCOL,
        "arms": [row.as_dict() for row in table.rows],
        "curves": [
            {
                "decoder": curve.decoder,
                "arm": curve.arm,
                "reward": curve.feedback,
                "trials": list(curve.trials),
                "accuracy": [score.as_dict() for score in curve.scores],
            }
            for curve in course
        ],
        "subjects": {
            name: {
                "classes": list(own.classes),
                "trained_on": list(own.training.recordings),
                "n_training": class_trials(own.training),
                "sessions": dict(zip(own.names, own.within_counts(), strict=True)),
            }
            for name, own in trials.items()
        },
        "notes": list(table.notes),
        "seeds": asked.seeds,
        "params": dict(params),
        "failures": [str(failure) for failure in failures],
    }
    if out:
        n_classes = max(len(own.classes) for own in trials.values())
        _write(out, table, course, n_classes, document, failures)
    if json:
        output.print_json(document)
    else:
        _print(table, document, out)
    if failures:
        say_failures(failures)
        # An arm that does not exist for one of the decoders is worth a line, and no error.
        whole = len(trials) == len(readers) and {r.arm for r in table.rows} >= set(asked.arms)
        if not (whole and all(failure.is_input for failure in failures)):
            raise typer.Exit(2 if all(failure.is_input for failure in failures) else 1)


def _print(table: Any, document: Mapping[str, Any], out: Path | None) -> None:
    console = output.results_console()
    head, rows = table.cells()
    kept = [k for k, title in enumerate(head) if title not in _WIDE and any(r[k] for r in rows)]
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k in kept:
        shown.add_column(head[k], justify="left" if k < 4 else "right")
    for row in rows:
        shown.add_row(*(row[k] for k in kept))
    console.print(shown)
    for line in [*_said(document), *table.notes]:
        console.print(line, soft_wrap=True)
    if out:
        console.print(f"Tables: {out / 'table.html'}, table.csv, curves.csv", soft_wrap=True)


def _said(document: Mapping[str, Any]) -> list[str]:
    people = document["subjects"]
    lines = []
    for name, own in people.items():
        later = ", ".join(f"{n} trials of {session}" for session, n in own["sessions"].items())
        trained = ", ".join(f"{n} {label}" for label, n in own["n_training"].items())
        lines.append(
            f"{name + ': ' if name else ''}trained on {', '.join(own['trained_on'])} ({trained}); "
            f"then {later}"
        )
    return lines if len(lines) < 4 else [*lines[:2], f"and {len(lines) - 2} more people"]


def _write(
    folder: Path,
    table: Any,
    course: Sequence[Any],
    n_classes: int,
    document: Mapping[str, Any],
    failures: Sequence[Failure],
) -> None:
    from bci.evaluation.pages import csv_text
    from bci.report.adaptation import adaptation_figure

    picture = io.BytesIO()
    adaptation_figure(course, n_classes).savefig(
        picture, format="png", dpi=110, metadata={"Software": None}
    )
    encoded = base64.b64encode(picture.getvalue()).decode()
    page = table.html(
        [f"<p>{html.escape(line)}.</p>" for line in [*_said(document), f"Rolandic {__version__}"]],
        [
            "<h2>Over the trials of a session</h2>",
            f'<p><img alt="accuracy over trials by arm" src="data:image/png;base64,{encoded}"></p>',
        ],
        [f"Not evaluated: {failure}" for failure in failures],
    )
    points = [
        [curve.decoder, curve.arm, curve.feedback, trial, score.mean, score.low, score.high]
        for curve in course
        for trial, score in zip(curve.trials, curve.scores, strict=True)
    ]
    fields = ("decoder", "arm", "reward", "until_trial", "accuracy", "low", "high")
    try:
        write_private(folder / "table.csv", table.csv())
        write_private(folder / "table.html", page)
        write_private(folder / "curves.csv", csv_text(fields, points))
        write_private(folder / "results.json", output.as_json(document))
    except OSError as error:
        raise SettingsError(f"--out {folder} cannot be written ({error.strerror})") from error
