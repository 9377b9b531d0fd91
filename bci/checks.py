"""What a check says."""

from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["Check", "Status", "failed", "ok", "warning"]

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Attributes
    ----------
    name : str
    status : {"ok", "warning", "failed"}
        ``"failed"``: something will not work. ``"warning"``: it works, but worse than it could.
    detail : str
        What was found, with its numbers.
    advice : str
        What to do; empty only when the status is ``"ok"``.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


def ok(name: str, detail: str) -> Check:
    """Return a check that found nothing amiss."""
    return Check(name, "ok", detail)


def warning(name: str, detail: str, advice: str) -> Check:
    """Return a check that found something that works badly."""
    return Check(name, "warning", detail, advice)


def failed(name: str, detail: str, advice: str) -> Check:
    """Return a check that found something that does not work."""
    return Check(name, "failed", detail, advice)
