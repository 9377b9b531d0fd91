"""The report of a session: HTML, and PDF for the printer, with pictures, for people.

Every score carries its interval and what chance reaches, every picture its filter and reference.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bci.report.page import write_report
    from bci.report.session import SessionSummary
    from bci.report.tables import accuracy_line

__all__ = ["SessionSummary", "accuracy_line", "write_report"]

_PLACES = {
    "SessionSummary": "bci.report.session",
    "accuracy_line": "bci.report.tables",
    "write_report": "bci.report.page",
}


def __getattr__(name: str) -> Any:
    # The window tells scores too, and must start without MNE and Matplotlib (a second and more).
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
