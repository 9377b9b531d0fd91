"""``bci doctor``: whether this machine is fit, and what to do where it is not."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bci.cli import options, output
from bci.doctor import Check, examine
from bci.errors import InputError

__all__ = ["command"]

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


class _UnfitError(InputError):
    """The machine fails checks, which its user can mend."""


def command(json: options.JsonOption = False) -> None:
    """Compile ahead, and check this machine: packages, folders, threads, clocks, LSL, screen.

    For the check of LSL a stream is opened for a moment. A failed check ends the command with
    code 2, a warning does not.

    Example: bci doctor
    """
    output.compile_ahead()
    checks: list[Check] = []
    with Console(stderr=True, highlight=False, markup=False).status("looking") as status:
        checks.extend(examine(lambda name: status.update(f"looking at: {name}")))
    n_failed = sum(check.status == "failed" for check in checks)
    if json:
        output.print_json(
            {
                "fit": not n_failed,
                "n_failed": n_failed,
                "n_warnings": sum(check.status == "warning" for check in checks),
                "checks": [check.as_dict() for check in checks],
            }
        )
    else:
        _print(checks)
    if n_failed:
        names = ", ".join(check.name for check in checks if check.status == "failed")
        raise _UnfitError(f"{n_failed} of {len(checks)} checks failed ({names}): do what they say")


def _print(checks: list[Check]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in checks:
        mark, colour = _MARKS[check.status]
        said = Text(check.detail)
        if check.advice:
            said.append(f"\n→ {check.advice}", style="bold")
        table.add_row(Text(mark, style=colour), Text(check.name), said)
    output.results_console().print(table)
