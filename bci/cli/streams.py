"""``bci streams``: what is on the network."""

from typing import Annotated

import typer
from rich.table import Table

from bci.cli import options, output
from bci.sources.discovery import FoundStream, find_streams, reach_hint

__all__ = ["command"]


def command(
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="How long to look (s).")
    ] = 1.0,
    lsl_scope: options.LslScopeOption = None,
    lsl_session: options.LslSessionOption = None,
    lsl_peer: options.LslPeerOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the LSL streams that are there.

    Those of this machine, unless an option reaches further; an lsl_api.cfg of yours decides alone.

    Example: bci streams --timeout 2 --lsl-peer amplifier-pc
    """
    options.set_lsl(lsl_scope, lsl_session, lsl_peer)
    streams = find_streams(timeout_s=timeout)
    if json:
        output.print_json({"streams": [_document(stream) for stream in streams]})
        return
    console = output.results_console()
    if not streams:
        console.print(f"no LSL stream answers{reach_hint()}", soft_wrap=True)
        return
    table = Table("name", "type", "source id", "channels", "rate", "format", "host")
    for stream in streams:
        table.add_row(
            stream.name,
            stream.kind,
            stream.source_id,
            str(stream.n_channels),
            f"{stream.rate_hz:g} Hz" if stream.rate_hz else "irregular",
            stream.dtype,
            stream.hostname,
        )
    console.print(table)


def _document(stream: FoundStream) -> dict[str, str | float | int]:
    return {
        "name": stream.name,
        "type": stream.kind,
        "source_id": stream.source_id,
        "n_channels": stream.n_channels,
        "rate_hz": stream.rate_hz,
        "dtype": stream.dtype,
        "hostname": stream.hostname,
    }
