"""``bci repair``: a recording that was cut or damaged, completed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bci.cli import options, output
from bci.errors import SettingsError
from bci.recording.repair import RepairReport, examine_file, repair_file

__all__ = ["command"]


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An XDF file, of any recorder.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="NEW", help="The repaired file; default: FILE_repaired.xdf."),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Put the repaired file in the place of FILE.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is missing; write nothing.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Complete a recording that was cut or damaged.

    Says what is missing. FILE stays as it is, unless --in-place is given; a file that is whole is
    not copied.

    Example: bci repair sub-07_run-02_eeg.xdf
    """
    if (out is not None) + in_place + check > 1:
        raise SettingsError("--out, --in-place and --check exclude each other: give one")
    with output.progress_bar("reading") as progress:
        if check:
            report = examine_file(file, progress)
        else:
            report = repair_file(file, out, in_place=in_place, progress=progress)
    if json:
        output.print_json(report.as_dict())
    else:
        _print(report)


def _print(report: RepairReport) -> None:
    console = output.results_console()
    table = Table("stream", "samples", "clock offsets", "seconds", "footer")
    for stream in report.streams:
        span = "-"
        if stream.first_stamp is not None and stream.last_stamp is not None:
            span = f"{stream.last_stamp - stream.first_stamp:.3f}"
        had = "yes" if stream.had_footer else "added" if report.out is not None else "none"
        table.add_row(stream.name, str(stream.n_samples), str(stream.n_offsets), span, had)
    console.print(table)
    for finding in report.findings:
        console.print(finding, soft_wrap=True)
    if report.is_whole:
        console.print(f"{report.path}: nothing to repair", soft_wrap=True)
    elif report.out is not None:
        console.print(f"repaired: {report.out}", soft_wrap=True)
