"""The report of a session: HTML, and PDF for the printer, with pictures, for people.

Every score carries its interval and what chance reaches, every picture its filter and reference.
"""

from typing import TYPE_CHECKING

from bci.lazy import names_of

if TYPE_CHECKING:
    from bci.report.page import write_report
    from bci.report.session import SessionSummary
    from bci.report.tables import accuracy_line, adaptation_line

__all__ = ["SessionSummary", "accuracy_line", "adaptation_line", "write_report"]

# The window tells scores too, and must start without MNE and Matplotlib (a second and more).
__getattr__ = names_of(
    __name__,
    {
        "SessionSummary": "bci.report.session",
        "accuracy_line": "bci.report.tables",
        "adaptation_line": "bci.report.tables",
        "write_report": "bci.report.page",
    },
)
