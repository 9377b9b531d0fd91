"""What Rolandic does for, and against, code that came in through entry points.

A plugin may be absent, fail to load, or raise whatever it likes; none of that may be a traceback
for the user or the end of a session.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from bci.errors import InputError, TrialError

__all__ = ["install_line", "is_ours", "reason_of", "told_in_one_line", "unloadable"]

_log = logging.getLogger(__name__)


def is_ours(thing: object) -> bool:
    """Whether a class, or the class of an object, comes with Rolandic's core."""
    kind = thing if isinstance(thing, type) else type(thing)
    return kind.__module__.partition(".")[0] == "bci"


def reason_of(error: BaseException) -> str:
    """Return what an exception says, in one line.

    >>> reason_of(ValueError("two", "lines"))
    "ValueError: ('two', 'lines')"
    >>> reason_of(TrialError("no trials"))
    'no trials'
    """
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def unloadable(error: BaseException, origin: str) -> str:
    """Say in one line why an entry point could not be loaded, and what installs what it lacks.

    Parameters
    ----------
    error : exception
    origin : str
        The distribution that the entry point is of.
    """
    reason = reason_of(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        line = install_line(error.name, origin)
        return f"{reason}: {line}" if line else reason
    return reason


def install_line(module: str, origin: str) -> str:
    """Return the line that installs a module which a distribution asks for; empty: none does.

    >>> install_line("distributed", "rolandic")
    "pip install 'rolandic[distributed]'"
    """
    top = _normal(module.partition(".")[0])
    try:
        wanted = [Requirement(text) for text in requires(origin) or ()]
    except (PackageNotFoundError, InvalidRequirement, ValueError):
        return ""
    for requirement in wanted:
        if _normal(requirement.name) == top:
            extra = _extra(requirement)
            return f"pip install '{origin}[{extra}]'" if extra else f"pip install '{requirement}'"
    return ""


def _normal(name: str) -> str:
    return name.replace("-", "_").lower()


def _extra(requirement: Requirement) -> str:
    _, found, rest = str(requirement.marker or "").partition('extra == "')
    return rest.partition('"')[0] if found else ""


@contextmanager
def told_in_one_line(estimator: Any, doing: str) -> Iterator[None]:
    """Turn whatever a plugin's decoder raises into one line; of our own, an error stays one.

    Parameters
    ----------
    estimator : object
    doing : str
        What it was asked to do, such as "learn from these trials".

    Raises
    ------
    TrialError
        In place of what the plugin raised.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_ours(estimator):
            raise
        kind = type(estimator)
        _log.exception("%s.%s could not %s", kind.__module__, kind.__qualname__, doing)
        raise TrialError(
            f"decoder {kind.__name__} of {kind.__module__.partition('.')[0]} could not {doing} "
            f"({reason_of(error)}): choose another decoder, or tell its makers"
        ) from error
