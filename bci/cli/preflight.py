"""``bci preflight``: whether a session can begin, and what to do where it cannot."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bci.checks import Check
from bci.cli import options
from bci.cli.checks import tell
from bci.errors import SettingsError
from bci.preflight import ExpectedStream, Plan, examine

__all__ = ["command"]


def command(
    session: Annotated[
        Path | None,
        typer.Argument(metavar="[SESSION.toml]", help="The settings of a daemon: all of it there."),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where the recordings will go.")
    ] = None,
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
    unit: options.UnitOption = None,
    duration: Annotated[
        float | None, typer.Option(metavar="S", min=0.0, help="Planned length (s).")
    ] = None,
    retry: Annotated[
        float,
        typer.Option(metavar="S", min=0.0, help="How long to look again for what is missing (s)."),
    ] = 0.0,
    lsl_scope: options.LslScopeOption = None,
    lsl_session: options.LslSessionOption = None,
    lsl_peer: options.LslPeerOption = None,
    json: options.JsonOption = False,
) -> None:
    """Before a session: folder, space, and whether every stream is there and as it should be.

    Writes and reads a file in the folder, pulls from every stream for a second, reads its clock.
    A failed check ends the command with code 2, a warning does not.

    Examples: bci preflight session.toml --retry 60;
    bci preflight --source-id amp-1 --type Markers --out recordings --duration 3600
    """
    streams = [
        *(ExpectedStream.make(name=value, unit=unit) for value in name or ()),
        *(ExpectedStream.make(kind=value, every=True, unit=unit) for value in kind or ()),
        *(ExpectedStream.make(source_id=value, unit=unit) for value in source_id or ()),
        *(ExpectedStream.make(predicate=value, every=True, unit=unit) for value in predicate or ()),
    ]
    if session is None:
        options.set_lsl(lsl_scope, lsl_session, lsl_peer)
        plan = Plan(out, tuple(streams), duration)
    elif streams:
        raise SettingsError(f"name streams in {session}, or by options, not both")
    else:
        plan = _planned(session, (lsl_scope, lsl_session, lsl_peer), out, duration)
    checks: list[Check] = []
    with Console(stderr=True, highlight=False, markup=False).status("looking") as status:
        checks.extend(examine(plan, lambda what: status.update(f"looking: {what}"), retry_s=retry))
    tell(checks, "ready", json=json)


def _planned(
    session: Path,
    lsl: tuple[str | None, str | None, list[str] | None],
    out: str | None,
    duration: float | None,
) -> Plan:
    """Return the plan of a settings file; what an option says counts instead."""
    # The daemon's settings take 0.1 s to import.
    from bci.daemon.plan import session_plan
    from bci.daemon.settings import load_settings

    settings = load_settings(session)
    held = options.set_lsl(*lsl, settings.lsl)
    plan = replace(session_plan(settings), lsl=held)
    if out is not None:
        plan = replace(plan, folder=out)
    return plan if duration is None else replace(plan, planned_s=duration)
