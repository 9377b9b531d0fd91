"""``bci doctor``: whether this machine is fit, and what to do where it is not."""

from rich.console import Console

from bci.cli import options, output
from bci.cli.checks import tell
from bci.doctor import Check, examine

__all__ = ["command"]


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
    tell(checks, "fit", json=json)
