"""The report of a session, the trend over sessions, the export: made in the worker's process."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal, SignalGroup

from bci.experiment.states import tell
from bci.experiment.worker import Task, TaskState
from bci.report.results import HTML_NAME, PDF_NAME, Trend, Written
from bci.report.sitting import accuracy_of, cv_accuracy, trials_of
from bci.workspace.export import ExportedRecording, export_workspace

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["ReportsEvents", "ReportsPart"]


class ReportsEvents(SignalGroup):
    """What happens."""

    #: A report, a trend or an export is there, or is not up to date any more.
    changed = Signal()
    #: `Task`: one was begun, or is over.
    working = Signal(object)
    #: What failed, and what to do.
    failed = Signal(str)


class ReportsPart:
    """The report of a session, the trend over sessions, the export.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    report : Written or None
        Written in this sitting.
    trend : Trend or None
    exported : sequence of ExportedRecording
        By the last export.
    task : Task or None
        The one that is going on.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.events = ReportsEvents()
        self.report: Written | None = None
        self.trend: Trend | None = None
        self.exported: Sequence[ExportedRecording] = ()
        self.task: Task | None = None

    @property
    def html_path(self) -> Path:
        """Where the report is, or is to be."""
        return self._session.folder / HTML_NAME

    @property
    def pdf_path(self) -> Path:
        """Where the report for the printer is, or is to be."""
        return self._session.folder / PDF_NAME

    @property
    def written(self) -> bool:
        """Whether there is a report."""
        return self.html_path.is_file()

    @property
    def export_folder(self) -> Path:
        """Where `export` writes unless told otherwise: beside the workspace."""
        root = self._session.workspace.root.absolute()
        return root.with_name(f"{root.name}-bids")

    def lines(self) -> list[tuple[str, str]]:
        """Return what there is to say already, from the record alone: at once."""
        record = self._session.record
        n_runs = {kind: len(record.paths(kind)) for kind in ("calibration", "online")}
        lines = [
            ("Person", f"sub-{record.setup.subject}, ses-{record.setup.session}"),
            ("Operator", record.setup.operator or "not named"),
            ("Runs", f"{n_runs['calibration']} calibration, {n_runs['online']} online"),
        ]
        cv = cv_accuracy(record)
        if cv is not None:
            lines.append(("Cross-validation", cv.line()))
        online = [run for run in record.runs if run.kind == "online"]
        for number, run in enumerate(online, start=1):
            found = accuracy_of("", trials_of(run))
            said = found.line() if found is not None else "no trial could be decoded"
            lines.append((f"Online {number}", said if not run.note else f"{said} ({run.note})"))
        lines += [
            (f"Note, {str(note.get('at', ''))[11:19]}", str(note.get("text", "")))
            for note in record.notes
        ]
        return lines

    def write(self) -> Task:
        """Write the report, as HTML and PDF, beside the recordings."""
        return self._begin("writing the report", write_report, self._session.folder)

    def draw_trend(self) -> Task:
        """Draw the person over the sessions of the workspace."""
        root, subject = self._session.workspace.root, self._session.setup.subject
        return self._begin("drawing the trend", draw_trend, root, subject)

    def export(self, out: Path | None = None, *, everyone: bool = False) -> Task:
        """Write recordings as BIDS (BrainVision); of this person, or of everyone."""
        root = self._session.workspace.root
        subjects = () if everyone else (self._session.setup.subject,)
        return self._begin(
            "exporting BIDS", export_workspace, root, out or self.export_folder, subjects
        )

    def close(self) -> None:
        """End what runs."""
        if self.task is not None:
            self.task.cancel()

    def _begin(self, name: str, function: object, *arguments: object) -> Task:
        self._session.save()  # what is told is what is kept
        task = self._session.worker.submit(name, function, *arguments)  # type: ignore[arg-type]
        self.task = task
        task.events.finished.connect(self._finished)
        tell(self.events.working, task)
        return task

    def _finished(self, task: Task) -> None:
        if task is self.task:
            self.task = None
        if task.state is TaskState.DONE:
            if isinstance(task.result, Written):
                self.report = task.result
                self._session.experiment.log.write("report_written", file=HTML_NAME)
            elif isinstance(task.result, Trend):
                self.trend = task.result
            else:
                self.exported = task.result
        tell(self.events.working, task)
        tell(self.events.changed)
        tell(self._session.events.readiness_changed)
        if task.error is not None:
            tell(self.events.failed, str(task.error))


def write_report(folder: Path, *, progress: Callable[[int, int], None]) -> Written:
    """Write a session's report; see `bci.report.making.make_report`."""
    from bci.report.making import make_report  # MNE and Matplotlib: for the worker alone

    return make_report(folder, progress=progress)


def draw_trend(root: Path, subject: str, *, progress: Callable[[int, int], None]) -> Trend:
    """Draw a person over sessions; see `bci.report.making.make_trend`."""
    from bci.report.making import make_trend

    return make_trend(root, subject, progress=progress)
