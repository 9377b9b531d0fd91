"""The report of a session: one HTML file with pictures, for people.

Every score carries its interval and what chance reaches, every picture its filter and reference.
"""

from bci.report.page import write_report
from bci.report.session import SessionSummary
from bci.report.tables import accuracy_line

__all__ = ["SessionSummary", "accuracy_line", "write_report"]
