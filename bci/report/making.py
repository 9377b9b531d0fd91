"""Reports as tasks: from folders to files, for a worker's process and for commands."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bci.errors import RecordingError
from bci.report.contents import STYLE, session_document
from bci.report.page import write_document
from bci.report.paper import front_png, write_pdf
from bci.report.results import HTML_NAME, PDF_NAME, Trend, Written
from bci.report.sitting import read_sitting
from bci.report.trend import subject_trend, trend_figure

__all__ = ["make_report", "make_trend"]

_PARTS, _DPI = 12, 130


def make_report(folder: Path, *, progress: Callable[[int, int], None]) -> Written:
    """Write the report of a session as HTML and PDF, beside its recordings.

    Raises
    ------
    RolandicError
        When there is no session, or the files cannot be written.
    """
    sitting = read_sitting(folder, lambda done, total: progress(done * 2 // max(total, 1), _PARTS))
    document = session_document(
        sitting, lambda done, total: progress(2 + done * 6 // max(total, 1), _PARTS)
    )
    html, pdf = folder / HTML_NAME, folder / PDF_NAME
    try:
        write_pdf(pdf, document)
        progress(9, _PARTS)
        front = front_png(document)
        progress(10, _PARTS)
        write_document(html, document)
    except OSError as error:
        raise RecordingError(f"the report cannot be written to {folder}: {error}") from error
    progress(_PARTS, _PARTS)
    return Written(html, pdf, front, tuple(sitting.problems))


def make_trend(root: Path, subject: str, *, progress: Callable[[int, int], None]) -> Trend:
    """Draw a person over the sessions of a workspace.

    Raises
    ------
    InputError
        When there is no session.
    """
    points = subject_trend(root, subject, progress=progress)
    with mpl.rc_context(STYLE):
        figure = trend_figure(subject, points)
        figure.set_dpi(_DPI)
        target = io.BytesIO()
        FigureCanvasAgg(figure).print_png(target)  # type: ignore[no-untyped-call]
    return Trend(tuple(points), target.getvalue())
