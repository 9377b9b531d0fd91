"""Checks on the screen: a table for people, a document for programs, and the exit code."""

from rich.table import Table
from rich.text import Text

from bci.checks import Check
from bci.cli import output
from bci.errors import InputError

__all__ = ["UnfitError", "print_checks", "tell"]

#: Said in words, for those who see no colours.
_MARKS = {
    "ok": ("✓ ok", "green"),
    "warning": ("! warning", "yellow"),
    "failed": ("✗ failed", "red"),
}


class UnfitError(InputError):
    """Checks failed, which the user can mend."""


def tell(checks: list[Check], verdict: str, *, json: bool) -> None:
    """Print checks.

    Parameters
    ----------
    checks : list of Check
    verdict : str
        Name of the document's verdict: ``"fit"``.
    json : bool

    Raises
    ------
    UnfitError
        When one failed.
    """
    wrong = [check for check in checks if check.status == "failed"]
    if json:
        output.print_json(
            {
                verdict: not wrong,
                "n_failed": len(wrong),
                "n_warnings": sum(check.status == "warning" for check in checks),
                "checks": [check.as_dict() for check in checks],
            }
        )
    else:
        print_checks(checks)
    if wrong:
        names = ", ".join(check.name for check in wrong)
        raise UnfitError(f"{len(wrong)} of {len(checks)} checks failed ({names}): do what they say")


def print_checks(checks: list[Check]) -> None:
    """Print checks as a table for people."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(max_width=32)
    table.add_column()
    for check in checks:
        mark, colour = _MARKS[check.status]
        said = Text(check.detail)
        if check.advice:
            said.append(f"\n→ {check.advice}", style="bold")
        table.add_row(Text(mark, style=colour), Text(check.name), said)
    output.results_console().print(table)
