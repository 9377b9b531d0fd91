"""What a plugin is told that does not keep the contract."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ConformanceError", "require", "said"]


class ConformanceError(AssertionError):
    """A plugin does not do what Rolandic needs; the message says what, and how to mend it."""


def require(condition: object, message: str) -> None:
    """Raise ConformanceError with `message` unless the condition holds."""
    if not condition:
        raise ConformanceError(message)


@contextmanager
def said(doing: str) -> Iterator[None]:
    """Say what was being done when a plugin raised."""
    try:
        yield
    except ConformanceError:
        raise
    except Exception as error:
        raise ConformanceError(f"raised {type(error).__name__} while {doing}: {error}") from error
