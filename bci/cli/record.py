"""``bci record``: LSL streams to an XDF file."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bci.cli import options, output
from bci.cli.signals import stop_on_signals
from bci.errors import SettingsError, StreamLostError
from bci.recording import Recorder, RecorderStatus, RecorderSummary
from bci.sources.discovery import StreamQuery

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option(metavar="FILE.xdf", help="File to make; must not exist.")],
    name: Annotated[
        list[str] | None, typer.Option(metavar="STREAM", help="Stream by name; repeat it.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="All of this type; repeat it."),
    ] = None,
    source_id: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Stream by source id; repeat it.")
    ] = None,
    predicate: Annotated[
        list[str] | None,
        typer.Option(metavar="XPATH", help="All that an XPath predicate selects; repeat it."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="S", min=0.0, help="Stop after this long (s).")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="How long to wait for the streams (s).")
    ] = 10.0,
    json: options.JsonOption = False,
) -> None:
    """Record LSL streams to an XDF file until Ctrl-C (or TERM), or for a duration.

    Every stream that any of the options selects is recorded, signals and markers alike. If one
    closes, the others go on; the command then ends with code 2, the file in order.

    Example: bci record --name "Rolandic amplifier" --type Markers --out session.xdf
    """
    queries = [
        *(StreamQuery(name=value) for value in name or ()),
        *(StreamQuery(kind=value) for value in kind or ()),
        *(StreamQuery(source_id=value) for value in source_id or ()),
        *(StreamQuery(predicate=value) for value in predicate or ()),
    ]
    if not queries:
        raise SettingsError("name a stream: --name, --type, --source-id or --predicate")
    messages = Console(stderr=True, highlight=False, markup=False)
    recorder = Recorder(queries, out, timeout_s=timeout)
    # Until the streams are there Ctrl-C ends the command at once: nothing is recorded yet.
    recorder.start()
    with stop_on_signals() as stop:
        messages.print(f"recording to {out}; Ctrl-C stops", soft_wrap=True, markup=False)
        try:
            end_s = None if duration is None else time.monotonic() + duration
            with messages.status("") as line:
                while not (stop.is_set() or (status := recorder.status()).error):
                    line.update(_line(status))
                    left_s = 0.2 if end_s is None else end_s - time.monotonic()
                    if status.all_lost or left_s <= 0:
                        break
                    stop.wait(min(0.2, left_s))
        finally:
            summary = recorder.stop()
    _report(summary, json=json)
    lost = [stream for stream in summary.streams if stream.lost]
    if lost:
        raise StreamLostError(
            "; ".join(summary.notices)
            or f"LSL stream {lost[0].name!r} stopped; its samples are in {out}"
        )


def _line(status: RecorderStatus) -> str:
    counts = ", ".join(f"{stream.name}: {stream.n_samples}" for stream in status.streams)
    return f"{status.duration_s:.0f} s; samples: {counts}"


def _report(summary: RecorderSummary, *, json: bool) -> None:
    if json:
        output.print_json(_document(summary))
        return
    table = Table("stream", "type", "source id", "samples", "first stamp", "last stamp")
    for stream in summary.streams:
        table.add_row(
            stream.name + (" (lost)" if stream.lost else ""),
            stream.kind,
            stream.source_id,
            str(stream.n_samples),
            "" if stream.first_stamp is None else f"{stream.first_stamp:.3f}",
            "" if stream.last_stamp is None else f"{stream.last_stamp:.3f}",
        )
    console = output.results_console()
    console.print(table)
    console.print(
        f"{summary.path}: {summary.duration_s:.1f} s, {summary.n_bytes} bytes",
        soft_wrap=True,
        markup=False,
    )


def _document(summary: RecorderSummary) -> dict[str, Any]:
    return {
        "file": str(summary.path),
        "duration_s": summary.duration_s,
        "n_bytes": summary.n_bytes,
        "streams": [
            {
                "name": stream.name,
                "type": stream.kind,
                "source_id": stream.source_id,
                "n_samples": stream.n_samples,
                "first_stamp": stream.first_stamp,
                "last_stamp": stream.last_stamp,
                "lost": stream.lost,
            }
            for stream in summary.streams
        ],
        "notices": list(summary.notices),
    }
