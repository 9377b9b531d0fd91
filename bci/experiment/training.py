"""Decoders of a session: compared and trained.

================  ==============================  =========
attribute         writer                          readers
================  ==============================  =========
_entries          caller; the worker's thread     any, under `_lock`
================  ==============================  =========
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bci.evaluation.protocols import Protocol
from bci.experiment.attempt_shelf import AttemptShelf, TrainingEvents
from bci.experiment.attempts import Attempt
from bci.experiment.comparing import (
    Job,
    SearchSettings,
    compare_attempts,
    curve_of_attempt,
    train_to_file,
)
from bci.experiment.decoder_choices import (
    SEARCH,
    DecoderChoice,
    chosen_features,
    decoder_choices,
)
from bci.experiment.states import ExperimentError, tell
from bci.experiment.training_rows import (
    Batch,
    TrainingProgress,
    TrainingRow,
    between,
    free_names,
    rank,
)
from bci.experiment.worker import Task, TaskState

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["TrainingEvents", "TrainingPart", "TrainingProgress", "TrainingRow"]

_log = logging.getLogger(__name__)

#: What several runs, or one, are tested by.
TESTS = ("auto", "runs", "shuffled")


class TrainingPart(AttemptShelf):
    """Decoders of a session: what trains them, and, as `AttemptShelf`, those that were.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self.choices: tuple[DecoderChoice, ...] = ()
        self._lock = threading.RLock()
        self._entries: list[tuple[TrainingRow, Task]] = []
        self._batch = Batch()
        self._closed = False

    # --- what can be trained --------------------------------------------------------------

    def find_choices(self) -> None:
        """Look up the decoders; `TrainingEvents.choices_found` brings them."""
        if self.choices:
            tell(self.events.choices_found, self.choices)
            return
        task = self._session.follower.submit("finding decoders", decoder_choices)
        task.events.finished.connect(self._found)

    def _found(self, task: Task) -> None:
        if task.state is TaskState.DONE:
            self.choices = task.result
            tell(self.events.choices_found, self.choices)
        elif task.error is not None:
            tell(self.events.failed, str(task.error))

    def protocol(self, test: str = "auto") -> Protocol:
        """Return how decoders are tested.

        Parameters
        ----------
        test : {"auto", "runs", "shuffled"}
            Each run by the others; trials shuffled into five folds; or the first where there are
            two runs or more.
        """
        if test not in TESTS:
            raise ValueError(f"{test!r} is none of {', '.join(TESTS)}")
        n_runs = len(self._session.record.paths("calibration"))
        if test == "runs" or (test == "auto" and n_runs > 1):
            return Protocol(name="leave-one-run-out")
        return Protocol()

    # --- training -------------------------------------------------------------------------

    def compare(
        self,
        decoders: Sequence[str],
        params: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        test: str = "auto",
        search: SearchSettings | None = None,
    ) -> tuple[TrainingRow, ...]:
        """Test and train decoders on all calibration runs that are ticked, one after the other.

        Each becomes an attempt as it is done (`TrainingEvents.rows_changed`), and can be used; at
        the end they are compared in pairs on the same trials in the same folds.

        Parameters
        ----------
        decoders : sequence of str
            Names; `bci.experiment.decoder_choices.SEARCH` among them searches order and lag.
        params : mapping of str to mapping, optional
            By decoder.
        test : {"auto", "runs", "shuffled"}
            See `protocol`.
        search : SearchSettings, optional

        Raises
        ------
        ExperimentError
            When nothing can be trained now, with the reason.
        """
        names = tuple(dict.fromkeys(decoders))
        if not names:
            raise ExperimentError("no decoder is ticked: tick one or more")
        if not self._session.record.paths("calibration"):
            raise ExperimentError("no calibration run is ticked: record one in Calibrate")
        if self.progress.busy:
            raise ExperimentError("decoders are being trained: wait for them, or cancel")
        given = params or {}
        self._batch.begin()
        with self._lock:
            self._entries = []
            files = free_names(self._session.folder, self.attempts, names)
            for name, file in zip(names, files, strict=True):
                job = self._job(name, given.get(name, {}), test, file, search)
                task = self._submit(f"training {name}", train_to_file, job)
                # It may end at once; `_trained` waits until all are on the list.
                task.events.finished.connect(self._trained)
                self._entries.append((TrainingRow(name, TaskState.WAITING), task))
        self._tell_rows()
        self._tell_progress()
        return self.rows

    def train(self, decoder: str, params: Mapping[str, Any] | None = None) -> Task:
        """Test one decoder and train it on all calibration runs that are ticked.

        The attempt is kept; `use` takes it online.
        """
        self.compare([decoder], {decoder: dict(params or {})})
        return self._entries[0][1]

    def learn(self, file: str) -> None:
        """Find how many trials are enough for an attempt's decoder; it gets a learning curve.

        Raises
        ------
        ExperimentError
            For an attempt that cannot be tested anew.
        """
        attempt = self.attempt(file)
        if attempt.decoder == SEARCH:
            raise ExperimentError(
                "a search on few trials would be another search each time: take the learning "
                "curve of acm-svm instead"
            )
        paths = tuple(self._session.folder / name for name in attempt.recordings)
        if attempt.origin or not all(path.exists() for path in paths):
            raise ExperimentError("its recordings are not in this session")
        job = self._job(attempt.decoder, attempt.params, "auto", file, None)
        job = replace(job, paths=paths, epochs=type(job.epochs).make(**attempt.epochs))
        self._batch.begin()
        task = self._submit(f"learning curve of {attempt.decoder}", curve_of_attempt, job)
        task.events.finished.connect(lambda task: self._learned(file, task))
        self._tell_progress()

    def compare_attempts(self, files: Sequence[str]) -> None:
        """Compare attempts in pairs; `TrainingEvents.compared` brings the differences.

        Raises
        ------
        ExperimentError
            For fewer than two.
        """
        kept = [self.attempt(file).as_dict() for file in dict.fromkeys(files)]
        if len(kept) < 2:
            raise ExperimentError("choose two attempts to compare")
        # A second's work: it need not wait for what is being trained.
        task = self._session.follower.submit(
            "comparing", compare_attempts, self._session.folder, kept
        )
        task.events.finished.connect(self._compared)

    def cancel(self) -> None:
        """End what is being done; what is done already stays."""
        for task in self._batch.tasks:
            task.cancel()

    @property
    def rows(self) -> tuple[TrainingRow, ...]:
        """Of the comparison that is going on, or was the last, in the order of its decoders."""
        with self._lock:
            return tuple(
                replace(row, state=task.state) if not row.state.over else row
                for row, task in self._entries
            )

    @property
    def progress(self) -> TrainingProgress:
        """How far the work is."""
        return self._batch.progress

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing is being done; for scripts, never in the window's thread."""
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        waited = 0
        # The last task of a comparison is handed over when the others are done.
        while waited < len(tasks := self._batch.tasks):
            if not tasks[waited].wait(max(0.0, until - time.monotonic())):
                return False
            waited += 1
        return True

    def close(self) -> None:
        """End what runs."""
        self._closed = True
        self.cancel()
        for thread in self._threads:
            thread.join(30.0)

    # --- inside ---------------------------------------------------------------------------

    def _submit(self, name: str, function: Any, *arguments: Any) -> Task:
        task = self._session.worker.submit(name, function, *arguments)
        task.events.progressed.connect(self._tell_progress)
        self._batch.add(task)
        return task

    def _job(
        self,
        decoder: str,
        params: Mapping[str, Any],
        test: str,
        file: str,
        search: SearchSettings | None,
    ) -> Job:
        session = self._session
        own, remarks = dict(params), []
        features = chosen_features(decoder, session.record.features)
        if features and "features" not in own:
            own["features"] = features
            remarks.append(
                "its features were chosen by hand on trials that it is tested on: expect a little "
                "less"
            )
        return Job(
            paths=tuple(session.record.paths("calibration")),
            unit=session.setup.unit or None,
            epochs=session.epochs,
            decoder=decoder,
            params=own,
            protocol=self.protocol(test),
            online=session.setup.online,
            montage=session.setup.montage,
            file=session.folder / file,
            search=search or SearchSettings(),
            remarks=tuple(remarks),
        )

    # --- in the worker's thread -----------------------------------------------------------

    def _tell_progress(self, *_: int) -> None:
        tell(self.events.progressed, self.progress)

    def _tell_rows(self) -> None:
        tell(self.events.rows_changed, self.rows)

    def _trained(self, task: Task) -> None:
        attempt = None
        if task.state is TaskState.DONE:
            attempt = Attempt.from_dict(task.result)
            self._keep(attempt)
        error = str(task.error) if task.error is not None else ""
        self._batch.ended(task)
        with self._lock:
            self._entries = [
                (replace(row, state=task.state, attempt=attempt, error=error), other)
                if other is task
                else (row, other)
                for row, other in self._entries
            ]
            over = all(row.state.over for row, _ in self._entries)
        if over and not self._closed:
            self._compare_rows()
        self._tell_rows()
        self._tell_progress()
        tell(self.events.changed)

    def _compare_rows(self) -> None:
        """Name the best of the comparison, and compare all with it."""
        with self._lock:
            done = [row for row, _ in self._entries if row.attempt is not None]
            best = max(done, key=rank, default=None)
            if best is None or len(done) < 2:
                return
            self._entries = [
                (replace(row, best=row.decoder == best.decoder), task)
                for row, task in self._entries
            ]
            kept = [row.attempt.as_dict() for row in done if row.attempt is not None]
            task = self._submit("comparing in pairs", compare_attempts, self._session.folder, kept)
        task.events.finished.connect(self._rows_compared)

    def _rows_compared(self, task: Task) -> None:
        if task.state is TaskState.DONE:
            with self._lock:
                best = next((row for row, _ in self._entries if row.best), None)
                self._entries = [
                    (replace(row, behind=between(task.result, best, row)), other)
                    for row, other in self._entries
                ]
        elif task.error is not None:
            tell(self.events.failed, str(task.error))
        self._tell_rows()
        self._tell_progress()

    def _learned(self, file: str, task: Task) -> None:
        if task.state is TaskState.DONE:
            for kept in self._session.record.attempts:
                if kept["file"] == file:
                    kept["learning"] = task.result
            self._session.save()
        elif task.error is not None:
            tell(self.events.failed, str(task.error))
        self._tell_progress()
        tell(self.events.changed)

    def _compared(self, task: Task) -> None:
        if task.state is TaskState.DONE:
            tell(self.events.compared, task.result)
        elif task.error is not None:
            tell(self.events.failed, str(task.error))
