"""``bci status``: how a daemon is."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bci.cli import options, output
from bci.daemon.control import ask, newest_workspace
from bci.daemon.settings import load_settings
from bci.errors import SettingsError

__all__ = ["command"]

_WATCH_S = 1.0
_N_NOTICES = 8


def command(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SESSION.toml|WORKSPACE]", help="Which daemon is meant; else your newest."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again each second, until Ctrl-C.")
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Show how a daemon is: files, streams, decoder, quality, and what it had to say.

    Ends with code 2 when no daemon works there.
    """
    if place is None:
        workspace = newest_workspace()
    else:
        workspace = place if place.is_dir() else load_settings(place).workspace.folder
    if not watch:
        document = ask(workspace, "status")
        if json:
            output.print_json(document)
        else:
            output.results_console().print(_shown(document))
        return
    if json:
        raise SettingsError("--watch and --json: give one of them")
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        while True:
            live.update(_shown(ask(workspace, "status")), refresh=True)
            time.sleep(_WATCH_S)


def _shown(document: dict[str, Any]) -> RenderableType:
    return Group(*_parts(document))


def _parts(document: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text(
        f"{document['state']} for {_time(document['uptime_s'])}, process {document['pid']}, "
        f"in {document['workspace']}"
    )
    if document["stalled"]:
        yield Text(f"STALLED: {document['stalled']}", style="bold red")
    yield from _recording(document["recording"])
    yield from _acquisition(document["acquisition"])
    yield from _decoding(document["decoding"])
    yield from _quality(document["quality"])
    for check in document["preflight"]:
        if check["status"] != "ok":
            style = "red" if check["status"] == "failed" else "yellow"
            yield Text(f"pre-flight: {check['name']}: {check['detail']}", style=style)
    for notice in document["notices"][-_N_NOTICES:]:
        yield Text(f"{notice['at'][11:19]} {notice['text']}", style="yellow")


def _recording(recording: dict[str, Any]) -> Iterator[RenderableType]:
    if recording["error"]:
        yield Text(f"NOT RECORDING: {recording['error']}", style="bold red")
    now = recording["now"]
    if now is None:
        if not recording["error"]:
            yield Text(f"recording: {recording['state']}", style="yellow")
        return
    left = "" if now["disk_left_s"] is None else f", room for {_time(now['disk_left_s'])}"
    yield Text(
        f"recording to {now['file']}: {_time(now['duration_s'])}, {now['n_bytes']:,} bytes{left}",
        style="green",
    )
    table = Table("stream", "source id", "state", "samples", "on disk", "Hz", "age", "gaps")
    for stream in now["streams"]:
        receiving = stream["state"] == "receiving"
        table.add_row(
            stream["name"],
            stream["source_id"],
            Text(
                stream["state"] if receiving else stream["state"].upper(),
                style="green" if receiving else "red",
            ),
            f"{stream['n_written']:,}",
            f"{stream['n_synced']:,}",
            _number(stream["effective_hz"], ".2f"),
            _number(stream["age_s"], ".2f", " s"),
            str(stream["n_gaps"]),
        )
    yield table


def _acquisition(acquisition: dict[str, Any] | None) -> Iterator[RenderableType]:
    if acquisition is None:
        return
    receiving = acquisition["state"] == "receiving"
    if receiving:
        what = (
            f"{acquisition['stream']}, {acquisition['n_channels']} channels at "
            f"{acquisition['rate_hz']:g} Hz, {acquisition['n_gaps']} gaps"
        )
    else:
        what = f"{acquisition['state'].upper()}: {acquisition['reason']}"
    yield Text(f"acquisition: {what}", style="green" if receiving else "red")


def _decoding(decoding: dict[str, Any] | None) -> Iterator[RenderableType]:
    if decoding is None:
        return
    newest = decoding["newest"]
    if decoding["state"] == "failed":
        yield Text(f"decoding FAILED: {decoding['error']}", style="bold red")
    elif newest is None:
        yield Text(f"decoding: {decoding['state']}", style="yellow")
    else:
        yield Text(
            f"decoding: {newest['label'] or newest['reason']}, "
            f"{decoding['n_failures']} failures so far",
            style="green",
        )


def _quality(quality: list[dict[str, Any]] | None) -> Iterator[RenderableType]:
    if quality is None:
        return
    bad = [row for row in quality if row["quality"] != "good"]
    if not bad:
        yield Text(f"quality: all {len(quality)} channels good", style="green")
        return
    listed = ", ".join(f"{row['channel']} {row['quality']} ({row['number']})" for row in bad)
    yield Text(f"quality: {len(bad)} of {len(quality)} channels: {listed}", style="yellow")


def _time(seconds: float) -> str:
    """Write a duration for people.

    >>> _time(59), _time(3723), _time(300_000)
    ('59 s', '1 h 02 min', '83 h 20 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"
