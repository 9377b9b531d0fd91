"""``bci verify``: a session against its event log."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bci.cli import options, output
from bci.errors import RolandicError
from bci.recording.evidence import Evidence, examine_session, find_sessions

__all__ = ["command", "show_evidence"]


def command(
    session: Annotated[
        Path,
        typer.Argument(
            metavar="SESSION", help="A session's folder, one event log, or a workspace: all in it."
        ),
    ],
    json: options.JsonOption = False,
) -> None:
    """Check a session against its event log: the chain of the log, and the hash of each file.

    A changed or missing file, or a broken chain, ends the command with code 1. Keep the hash that
    is printed at the end elsewhere: only it shows that the log was not written anew as a whole.

    Example: bci verify session
    """
    places = find_sessions(session)
    found = []
    for place in places:
        with output.progress_bar("hashing") as progress:
            found.append(examine_session(place, progress=progress))
    if json:
        output.print_json(found[0].as_dict() if places == [session] else _all(found))
    else:
        for evidence in found:
            if places != [session]:
                output.results_console().print(f"\n{evidence.folder}", soft_wrap=True)
            _print(evidence)
    problems = [f"{e.folder}: {'; '.join(e.problems)}" for e in found if not e.intact]
    if problems:
        raise _NotIntactError("; ".join(problems))


def _all(found: list[Evidence]) -> dict[str, Any]:
    """Return the sessions of a workspace for JSON."""
    return {
        "intact": all(evidence.intact for evidence in found),
        "sessions": [evidence.as_dict() for evidence in found],
    }


def _print(evidence: Evidence) -> None:
    console = output.results_console()
    table = Table("file", "state", "SHA-256")
    for file in evidence.files:
        table.add_row(file.name, file.state.value, (file.sha256 or "-")[:16])
    console.print(table)
    show_evidence(evidence)


def show_evidence(evidence: Evidence) -> None:
    """Say in a few lines what a log proves."""
    console = output.results_console()
    counted = ", ".join(f"{n} {state}" for state, n in evidence.counts.items() if n)
    console.print(f"files: {counted or 'none'}")
    for log in evidence.logs:
        said = f"{log.path.name}: {log.n_events} events"
        if log.broken is not None:
            said += f"; broken at {log.broken}"
        elif log.n_cut_bytes:
            said += f"; its last line is cut ({log.n_cut_bytes} bytes)"
        if not log.sealed:
            said += "; not sealed: what came after its last line is not in it"
        console.print(said, soft_wrap=True)
        console.print(f"{log.path.name}: final hash {log.final_chain}", soft_wrap=True)


class _NotIntactError(RolandicError):
    """Not an error of input or of ours: code 1 says that the session is not what was logged."""
