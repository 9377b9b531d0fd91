"""What making reports gives, light enough for the window's process to receive it."""

from dataclasses import dataclass, field
from pathlib import Path

from bci.report.sitting import Accuracy

__all__ = ["HTML_NAME", "PDF_NAME", "Change", "SessionPoint", "Trend", "Written"]

#: Names of a session's report, in its folder.
HTML_NAME, PDF_NAME = "report.html", "report.pdf"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of power with its 95 % interval (%)."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class SessionPoint:
    """What is shown of a session.

    Attributes
    ----------
    session : str
        Its label.
    began : str
        Of its first run (ISO 8601); empty: not known.
    calibration, online : Accuracy or None
        Cross-validated; of all online trials together.
    erd : dict of str to Change
        By class.
    problem : str
        Why something is missing.
    """

    session: str
    began: str = ""
    calibration: Accuracy | None = None
    online: Accuracy | None = None
    erd: dict[str, Change] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written.

    Attributes
    ----------
    html, pdf : Path
    front : bytes
        Its first page (PNG).
    problems : tuple of str
        What could not be read, and is missing.
    """

    html: Path
    pdf: Path
    front: bytes = field(repr=False)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trend:
    """A person over sessions; `picture` is a PNG."""

    points: tuple[SessionPoint, ...]
    picture: bytes = field(repr=False)
