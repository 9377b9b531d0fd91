"""The Report step: one page a clinician can read, the trend over sessions, the export."""

import html
from collections.abc import Sequence

from PySide6.QtCore import QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from bci.experiment.session import Session
from bci.experiment.worker import Task
from bci_app.steps.base import ActionInfo, Step
from bci_app.theme import STEP_PX, font
from bci_app.widgets.paper_view import PaperView
from bci_app.words import tr

__all__ = ["ReportStep"]

_SIDE_PX, _LOOK_MS = 280, 200


class ReportStep(Step):
    """Writes the report, draws the trend, exports."""

    name = "report"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.write = self._button("report.write", tr("Write report"), self.write_report)
        self.write.setProperty("role", "primary")
        self.write.setMinimumHeight(5 * STEP_PX)
        self.write.setToolTip(tr("HTML and PDF, beside the recordings"))
        self.open_html = self._button("report.open_html", tr("Open in browser"), self.show_html)
        self.open_pdf = self._button("report.open_pdf", tr("Open PDF"), self.show_pdf)
        self.trend = self._button("report.trend", tr("Trend over sessions"), self.draw_trend)
        self.trend.setToolTip(
            tr(
                "About this: accuracy of each session with its 95 % interval and what chance "
                "reaches; and by how much the mu rhythm yields during imagery (ERD)"
            )
        )
        self.export = self._button("report.export", tr("Export BIDS"), self.export_bids)
        self.export.setToolTip(
            tr("BrainVision files with events, channels and electrodes; each is read back")
        )
        self.cancel = self._button("report.cancel", tr("Cancel"), self.cancel_work)
        self.bar = QProgressBar()
        self.bar.setAccessibleName(tr("Progress"))
        self.work = QLabel()
        self.work.setObjectName("report.work")
        self.work.setWordWrap(True)
        self.summary = QTextBrowser()
        self.summary.setObjectName("report.summary")
        self.summary.setAccessibleName(tr("Summary of the session"))
        self.page = PaperView(
            tr("The first page of the report appears here. Press Write report for it.")
        )
        self.curve = PaperView(
            tr(
                "Accuracy and ERD of this person over the sessions of the workspace appear here. "
                "Press Trend over sessions for them."
            )
        )
        self._looking = QTimer(self)
        self._looking.setInterval(_LOOK_MS)
        self._looking.timeout.connect(self._show_progress)
        self._lay_out()
        self.add_actions()
        self.unbound()

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Report")

    def _button(self, name: str, text: str, clicked: object) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setAccessibleName(text)
        button.clicked.connect(clicked)
        return button

    def _lay_out(self) -> None:
        side = QFrame()
        side.setProperty("role", "panel")
        side.setFixedWidth(_SIDE_PX)
        column = QVBoxLayout(side)
        column.setContentsMargins(2 * STEP_PX, 2 * STEP_PX, 2 * STEP_PX, 2 * STEP_PX)
        column.setSpacing(STEP_PX)
        for head, widgets in (
            (tr("Report"), (self.write, self.open_html, self.open_pdf)),
            (tr("This person"), (self.trend,)),
            (tr("For other programs"), (self.export,)),
        ):
            title = QLabel(head)
            title.setFont(font(bold=True))
            column.addWidget(title)
            for widget in widgets:
                column.addWidget(widget)
            column.addSpacing(STEP_PX)
        column.addStretch(1)
        column.addWidget(self.work)
        column.addWidget(self.bar)
        column.addWidget(self.cancel)
        note = QLabel(
            tr(
                "Rolandic is research software and no medical device. It does not stimulate, and "
                "it diagnoses nothing."
            )
        )
        note.setWordWrap(True)
        note.setProperty("role", "quiet")
        note.setFont(font("small"))
        column.addWidget(note)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("report.tabs")
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        for view, text in (
            (self.summary, tr("So far")),
            (self.page, tr("First page")),
            (self.curve, tr("Over sessions")),
        ):
            self.tabs.addTab(view, text)
        row = QHBoxLayout()
        row.setSpacing(2 * STEP_PX)
        row.addWidget(side)
        row.addWidget(self.tabs, 1)
        self.column.addLayout(row, 1)

    # --- a session ------------------------------------------------------------------------

    def bound(self, session: Session) -> None:
        """Show what there is to tell so far."""
        self.on(session.events.record_changed, self._show, newest=True)
        self.on(session.events.readiness_changed, self._show, newest=True)
        self.on(session.reports.events.changed, self._show_results, newest=True)
        self.on(session.reports.events.working, self._working)
        self.on(session.reports.events.failed, self._failed)
        self._show()
        self._show_results()

    def unbound(self) -> None:
        """Say what will be here."""
        self._looking.stop()
        self.summary.setHtml(
            _paragraph(
                tr(
                    "What was done, with accuracies, their intervals and chance, appears here. "
                    "Open a session first."
                )
            )
        )
        self.page.show_picture(None)
        self.curve.show_picture(None)
        for button in (self.write, self.open_html, self.open_pdf, self.trend, self.export):
            button.setEnabled(False)
        self._say("", "quiet")
        self.bar.hide()
        self.cancel.hide()

    def _show(self) -> None:
        session = self.session
        if session is None:
            return
        rows = "".join(
            f'<tr><td style="padding:4px 24px 4px 0"><b>{html.escape(name)}</b></td>'
            f'<td style="padding:4px 0">{html.escape(text)}</td></tr>'
            for name, text in session.reports.lines()
        )
        reason = session.readiness("report").why_not
        self.summary.setHtml(
            f"<table>{rows}</table>"
            + (_paragraph(tr("Not yet: {reason}.", reason=reason)) if reason else "")
        )
        idle = session.reports.task is None
        has_runs = bool(session.record.runs)
        for button, on in (
            (self.write, has_runs),
            (self.trend, has_runs),
            (self.export, has_runs),
        ):
            button.setEnabled(on and idle)
        self.open_html.setEnabled(session.reports.written)
        self.open_pdf.setEnabled(session.reports.pdf_path.is_file())

    def _show_results(self) -> None:
        session = self.session
        if session is None:
            return
        reports = session.reports
        self.page.show_picture(
            reports.report.front if reports.report is not None else None,
            tr("First page of the report"),
        )
        self.curve.show_picture(
            reports.trend.picture if reports.trend is not None else None,
            tr("Accuracy and ERD over sessions"),
        )
        self._show()

    # --- work -----------------------------------------------------------------------------

    def _working(self, task: Task) -> None:
        over = task.state.over
        self.bar.setVisible(not over)
        self.cancel.setVisible(not over)
        if not over:
            self._looking.start()
            self._show_progress()
        else:
            self._looking.stop()
            self._over(task)
        self._show()

    def _over(self, task: Task) -> None:
        session = self.session
        if session is None:
            return
        reports = session.reports
        if task.error is not None:
            return  # `_failed` says it
        if task.cancelled and task.result is None:
            self._say(tr("Cancelled"), "quiet")
        elif task.result is reports.report and reports.report is not None:
            problems = "; ".join(reports.report.problems)
            said = tr("Written to {folder}", folder=reports.html_path.parent)
            self._say(
                f"{said}. {problems}" if problems else said, "caution" if problems else "good"
            )
            self.tabs.setCurrentWidget(self.page)
        elif task.result is reports.trend and reports.trend is not None:
            self._say(tr("Sessions shown: {n}", n=len(reports.trend.points)), "good")
            self.tabs.setCurrentWidget(self.curve)
        else:
            n = len(reports.exported)
            folder = reports.export_folder
            text = tr("Exported to {folder}, and read back: {n}", n=n, folder=folder)
            self._say(text, "good")

    def _show_progress(self) -> None:
        task = self.session.reports.task if self.session is not None else None
        if task is None:
            return
        self.bar.setRange(0, task.total)
        self.bar.setValue(task.done)
        left = task.left_s
        text = task.name.capitalize()
        self._say(
            tr("{what}: {s} s left", what=text, s=round(left)) if left is not None else text,
            "quiet",
        )

    def _failed(self, reason: str) -> None:
        self._say(reason, "trouble")

    def _say(self, text: str, role: str) -> None:
        self.work.setText(text)
        self.work.setProperty("role", role)
        self.work.style().unpolish(self.work)
        self.work.style().polish(self.work)

    # --- what the clinician asks for ------------------------------------------------------

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        return (
            ActionInfo("report.write.key", tr("Write report"), "Ctrl+Return", self.write.click),
            ActionInfo("report.open.key", tr("Open report"), "Ctrl+O", self.open_html.click),
            ActionInfo("report.trend.key", tr("Trend over sessions"), "Ctrl+T", self.trend.click),
            ActionInfo("report.export.key", tr("Export BIDS"), "Ctrl+B", self.export.click),
        )

    def write_report(self) -> None:
        """Write the report, in the worker's process."""
        if self.session is not None:
            self.session.reports.write()

    def draw_trend(self) -> None:
        """Draw the trend, in the worker's process."""
        if self.session is not None:
            self.session.reports.draw_trend()

    def export_bids(self) -> None:
        """Export this person's recordings, in the worker's process."""
        if self.session is not None:
            self.session.reports.export()

    def cancel_work(self) -> None:
        """Cancel what is being done."""
        if self.session is not None and self.session.reports.task is not None:
            self.session.reports.task.cancel()

    def show_html(self) -> None:
        """Open the report in the system's browser."""
        if self.session is not None:
            url = QUrl.fromLocalFile(str(self.session.reports.html_path.absolute()))
            QDesktopServices.openUrl(url)

    def show_pdf(self) -> None:
        """Open the report in the system's viewer of PDF."""
        if self.session is not None:
            url = QUrl.fromLocalFile(str(self.session.reports.pdf_path.absolute()))
            QDesktopServices.openUrl(url)


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
