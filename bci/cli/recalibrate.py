"""``bci recalibrate``: a model for a new session, from a few labelled trials."""

from pathlib import Path
from typing import Annotated

import typer

from bci.cli import options, output
from bci.cli.train import check_place
from bci.decoders import load_model
from bci.evaluation import recalibrate_model
from bci.signal.epochs import LeftOut

__all__ = ["command"]


def command(
    recordings: options.RecordingsArgument,
    model: Annotated[
        Path, typer.Option(metavar="M", help="A model that bci train wrote, with --recenter.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the new model goes.")],
    rotate: Annotated[
        bool,
        typer.Option(
            "--rotate/--no-rotate",
            help="Align the classes too, as far as the trials tell; else their common mean alone.",
        ),
    ] = True,
    labels: options.LabelsOption = None,
    unit: options.UnitOption = None,
    stream: options.StreamOption = None,
    overwrite: Annotated[bool, typer.Option(help="Replace FILE if it is there.")] = False,
    json: options.JsonOption = False,
) -> None:
    """Align a model with a new session by a few labelled trials of it.

    The decoder stays as it is; the covariances of the session are moved to where it was trained.

    Example: bci recalibrate day2.xdf --model day1.bci --out day2.bci
    """
    check_place(out, overwrite=overwrite)
    loaded = load_model(model)
    opened = options.open_recordings(recordings, unit=unit, labels=labels, stream=stream)
    output.show_recording_warnings(opened)
    output.compile_ahead()
    made = recalibrate_model(loaded, opened, rotate=rotate)
    recalibrated = made.card["recalibrated"]
    output.show_left_out([LeftOut(**item) for item in recalibrated["left_out"]])
    made.save(out, overwrite=overwrite)
    if json:
        output.print_json({"model": str(out), **recalibrated})
    else:
        output.results_console().print(
            f"{out}: {model} aligned by "
            + ", ".join(f"{n} trials of {name}" for name, n in recalibrated["n_trials"].items()),
            soft_wrap=True,
        )
