"""All checks, in the order in which they are told."""

import logging
from collections.abc import Callable, Iterator

from bci.checks import Check, failed
from bci.doctor import lsl, machine, packages, plugins, ports, window

__all__ = ["CHECKS", "examine"]

_log = logging.getLogger(__name__)

#: Name: what looks, and says what it found.
CHECKS: dict[str, Callable[[str], Check]] = {
    "Python": packages.python,
    "packages": packages.packages,
    "plugins": plugins.plugins,
    "compiled kernels": machine.kernels,
    "folders": machine.folders,
    "disk": machine.disk,
    "memory": machine.memory,
    "threads": machine.threads,
    "clock": machine.clock,
    "sleep": machine.sleep,
    "liblsl": lsl.library,
    "LSL settings": lsl.settings,
    "LSL stream": lsl.round_trip,
    "open ports": ports.ports,
    "window": window.window,
}


def examine(began: Callable[[str], object] | None = None) -> Iterator[Check]:
    """Run every check.

    Parameters
    ----------
    began : callable, optional
        Told the name of each check when it begins.

    Yields
    ------
    Check
        A check that breaks down itself counts as failed; the others go on.
    """
    for name, look in CHECKS.items():
        if began is not None:
            began(name)
        try:
            yield look(name)
        except Exception as error:
            _log.warning("the check of %s broke down", name, exc_info=True)
            yield failed(
                name,
                f"could not be checked ({type(error).__name__}: {error})",
                "reinstall Rolandic in a fresh environment; if that changes nothing, report it",
            )
