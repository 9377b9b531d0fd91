"""The report's page, made with `mne.Report`."""

import base64
import html
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mne
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bci.errors import InputError
from bci.features.palette import class_colours
from bci.report import figures
from bci.report.contents import STYLE
from bci.report.document import FOOTER, Block, Document, Paragraph, Picture, Table
from bci.report.quality import quality_figure, quality_html, scalp_places
from bci.report.session import SessionSummary
from bci.report.tables import parameters_html, summary_html, table_html, trials_html
from bci.signal.epochs import LeftOut, cut_epochs
from bci.signal.recorded_quality import recorded_quality

__all__ = ["write_document", "write_report"]
#: Of pictures on the screen.
_DPI = 110


def write_report(path: Path, session: SessionSummary) -> None:
    """Write the report of a session.

    Parameters
    ----------
    path : Path
        An ``.html`` file; replaced if it is there.
    session : SessionSummary
    """
    epochs = cut_epochs(session.calibrations, session.model.epochs)
    colours = class_colours(session.model.classes)
    filtered = "{:g} to {:g} Hz, causal, reference as recorded".format(
        *session.model.epochs.band_hz
    )
    with mpl.rc_context(STYLE), mne.utils.use_log_level("ERROR"):
        report = mne.Report(title=session.title, verbose="ERROR")
        report.add_html(summary_html(session), "Summary")
        for title, caption, figure in (
            (
                "Spectra by class",
                "Calibration trials, the part of the trial that is decoded; Welch, reference as "
                "recorded; mean and 95 % interval over trials.",
                figures.spectra(session.calibrations, epochs, colours),
            ),
            (
                "Activation patterns",
                f"{filtered}. Change in log power of each channel that goes with the decoder's "
                "evidence for a class (Haufe et al. 2014); for CSP, the decoder's own patterns.",
                figures.topographies(session.model, epochs),
            ),
            (
                "Confusion matrix",
                "Online trials: what was cued, and what was decoded at the end of the trial.",
                figures.confusion(session.trials, session.model.classes),
            ),
            (
                "Decisions over time",
                f"{filtered}. Smoothed probability of each class ({session.online.smoothing}); "
                "shaded: the cued class, from the cue to the end of its window; the dashed line is "
                "the threshold.",
                figures.decisions_over_time(session, colours),
            ),
            (
                "Latency",
                "From the time stamp of a window's newest sample to the decision handed out.",
                figures.latencies(session.decisions),
            ),
        ):
            if figure is not None:
                report.add_figure(figure, title, caption=caption, image_format="png")
        report.add_html(trials_html(session), "Trials")
        _add_quality(report, session)
        report.add_html(parameters_html(session), "Parameters and versions")
        _save(report, path)


def _add_quality(report: mne.Report, session: SessionSummary) -> None:
    """Say how good the calibration's electrodes and trials were."""
    card = session.model.card
    runs, pictures = [], []
    for recording in session.calibrations:
        try:
            run = recorded_quality(recording)
        except InputError as error:  # too short, or without EEG: no reason to have no report
            report.add_html(f"<p>{html.escape(str(error))}</p>", "Quality")
            continue
        runs.append(run)
        pictures.append(quality_figure(run, scalp_places(recording.info.channels)))
    if not runs:
        return
    left_out = [LeftOut(**item) for item in card.get("left_out", ())]
    report.add_html(
        quality_html(runs, card.get("n_trials", {}), left_out, reject=session.model.epochs.reject),
        "Quality",
    )
    report.add_figure(
        pictures,
        "Electrodes",
        caption=[f"{run.name}, as recorded; mains at {run.mains_hz:g} Hz." for run in runs],
        image_format="png",
    )


def write_document(path: Path, document: Document) -> None:
    """Write a report as one HTML file; one that is there is replaced, whole or not at all.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    with mpl.rc_context(STYLE), mne.utils.use_log_level("ERROR"):
        report = mne.Report(title=f"{document.title}. {document.subtitle}", verbose="ERROR")
        for section in (document.front, *document.sections):
            parts = [_block_html(block) for block in section.blocks]
            if section is document.front:
                parts.append(_block_html(Paragraph(FOOTER, "quiet")))
            report.add_html("\n".join(parts), section.title)
        report.add_html(_block_html(Paragraph(FOOTER, "quiet")), "About")
        _save(report, path)


def _block_html(block: Block) -> str:
    match block:
        case Paragraph(text, kind):
            style = {
                "plain": "",
                "strong": "font-size:1.3em;font-weight:bold",
                "quiet": "color:#5a636e",
            }[kind]
            return f'<p style="{style}">{html.escape(text)}</p>'
        case Table():
            title = f"<h5>{html.escape(block.title)}</h5>" if block.title else ""
            return title + table_html(block.rows, block.head)
        case Picture():
            return _picture_html(block)


def _picture_html(picture: Picture) -> str:
    target = io.BytesIO()
    canvas: Any = FigureCanvasAgg(picture.figure)
    picture.figure.set_dpi(_DPI)
    canvas.draw()
    canvas.print_png(target)
    data = base64.b64encode(target.getvalue()).decode("ascii")
    title, caption = html.escape(picture.title), html.escape(picture.caption)
    return (
        f'<figure><h5>{title}</h5><img alt="{title}" style="max-width:100%" '
        f'src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _save(report: mne.Report, path: Path) -> None:
    """Write beside the target, private from the first byte, then put it in place in one step."""
    # mkstemp makes the file 0600; MNE writes into the file that is there.
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".html", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        report.save(temporary, open_browser=False, overwrite=True, verbose="ERROR")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
