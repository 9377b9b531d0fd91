"""``bci export``: the recordings of a workspace as BIDS."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bci.cli import options, output

__all__ = ["command"]


def command(
    workspace: Annotated[
        Path, typer.Argument(metavar="WORKSPACE", help="Folder of the workspace.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The BIDS dataset; made if it is not there.")
    ],
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="S01", help="Only this person; may be repeated. Default: everyone."),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Write the recordings of a workspace as BIDS: BrainVision, events, channels, electrodes.

    Each is read back, and its samples and events are compared with those recorded.

    Example: bci export study --out study-bids --subject S01
    """
    from bci.workspace.export import export_workspace

    with output.progress_bar("exporting") as progress:
        written = export_workspace(
            workspace, out, [s.removeprefix("sub-") for s in subject or ()], progress=progress
        )
    if json:
        output.print_json(
            {
                "out": str(out),
                "recordings": [
                    {
                        "source": str(item.source),
                        "path": str(item.path),
                        "n_samples": item.n_samples,
                        "n_events": item.n_events,
                    }
                    for item in written
                ],
            }
        )
        return
    console = output.results_console()
    table = Table("recording", "samples", "events", "read back")
    for item in written:
        table.add_row(item.path.name, str(item.n_samples), str(item.n_events), "equal")
    console.print(table)
    console.print(f"{len(written)} recordings exported to {out}", soft_wrap=True)
