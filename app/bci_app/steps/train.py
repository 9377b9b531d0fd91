"""The Train step: decoders compared on trials that they have not seen, and one chosen."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from bci.errors import RolandicError
from bci.evaluation.comparison import Difference
from bci.experiment.attempts import Attempt
from bci.experiment.comparing import SearchSettings
from bci.experiment.session import Session
from bci.experiment.training import TrainingProgress, TrainingRow
from bci_app.steps.base import ActionInfo, Step
from bci_app.widgets.attempt_table import AttemptTable
from bci_app.widgets.attempt_view import AttemptView
from bci_app.widgets.decoder_panel import DecoderPanel
from bci_app.widgets.score_panel import ScorePanel, difference_words
from bci_app.widgets.training_history import HistoryPanel
from bci_app.words import tr

__all__ = ["TrainStep"]


class TrainStep(Step):
    """Decoders to compare at the left; scores, pictures and the history at the right."""

    name = "train"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._file = ""
        #: Whether what is shown follows the comparison; not once the clinician has picked one.
        self._follows = True
        self.panel = DecoderPanel()
        self.scores = ScorePanel()
        self.view = AttemptView()
        self.history = HistoryPanel()
        right = QVBoxLayout()
        right.setSpacing(8)
        for part in (self.scores, self.view, self.history):
            # Shares of the height hold whatever is shown: nothing jumps.
            part.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        right.addWidget(self.scores, 3)
        right.addWidget(self.view, 4)
        right.addWidget(self.history, 3)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.panel)
        row.addLayout(right, 1)
        self.column.addLayout(row)
        self._tick = QTimer(self)
        self._tick.setInterval(500)
        self._tick.timeout.connect(self._show_left)
        self.panel.train_requested.connect(self.train)
        self.panel.cancel_requested.connect(self.cancel)
        self.panel.test_changed.connect(self._show_protocol)
        self.scores.rows.chosen.connect(self._picked)
        self.history.table.marked.connect(self._picked)
        self.history.use_requested.connect(self.use)
        self.history.compare_requested.connect(self.compare)
        self.history.learn_requested.connect(self.learn)
        self.history.open_requested.connect(self.open_model)
        self.unbound()

    @property
    def title(self) -> str:
        """As the rail names it."""
        return tr("Train")

    @property
    def attempts(self) -> AttemptTable:
        """The table of the history."""
        return self.history.table

    def actions_offered(self) -> Sequence[ActionInfo]:
        """Return what can be done here by key."""
        return (
            ActionInfo("train.start", tr("Train the decoders that are ticked"), "Ctrl+T",
                       self.train),
            ActionInfo("train.cancel", tr("Cancel training"), "Ctrl+.", self.cancel),
            ActionInfo("train.use", tr("Use the chosen decoder online"), "Ctrl+U", self.use),
            ActionInfo("train.compare", tr("Compare the chosen attempts"), "Ctrl+D",
                       self.compare),
            ActionInfo("train.learn", tr("Learning curve of the chosen decoder"), "Ctrl+L",
                       self.learn),
        )  # fmt: skip

    # --- a session ------------------------------------------------------------------------

    def bound(self, session: Session) -> None:
        """Follow a session's training."""
        events = session.training.events
        self.on(events.rows_changed, self._show_rows, newest=True)
        self.on(events.progressed, self._show_progress, newest=True)
        self.on(events.changed, self._show_attempts, newest=True)
        self.on(events.choices_found, self._show_choices)
        self.on(events.compared, self._show_differences)
        self.on(events.failed, self._failed)
        self.on(events.used, self._used)
        self.on(session.events.readiness_changed, self._show_ready, newest=True)
        session.training.find_choices()
        self._show_rows(session.training.rows)
        self._show_attempts()
        self._show_progress(session.training.progress)
        self._show_ready()

    def unbound(self) -> None:
        """Return to the empty state."""
        self._file = ""
        self._tick.stop()
        self.panel.clear()
        self.scores.show_rows((), "")
        self.view.show_attempt(None, None)
        self.history.show_attempts((), "", "")
        self.history.say("")
        self.history.enable(one=False, several=False, busy=False)

    # --- what the clinician does ----------------------------------------------------------

    def train(self) -> None:
        """Train what is ticked."""
        session = self.session
        if session is None:
            return
        try:
            session.training.compare(
                self.panel.names,
                test=self.panel.test,
                search=SearchSettings(self.panel.most_order, self.panel.longest_s),
            )
        except RolandicError as error:
            self.panel.say(str(error), "caution")
        else:
            self._follows = True
            self.panel.say("")
            self.history.say("")

    def cancel(self) -> None:
        """End the training; what is done stays."""
        if self.session is not None:
            self.session.training.cancel()

    def use(self) -> None:
        """Take the chosen attempt online."""
        if self.session is not None and self._file:
            self.history.say(tr("loading {file} …", file=self._file))
            self.session.training.choose(self._file)

    def open_model(self, path: str = "") -> None:
        """Take a model from elsewhere online; without a path, ask for one."""
        if self.session is None:
            return
        if not path:
            path, _ = QFileDialog.getOpenFileName(
                self, tr("Open a model"), str(self.session.workspace.root),
                tr("Models (*.bci);;All files (*)"),
            )  # fmt: skip
        if path:
            self.history.say(tr("loading {file} …", file=Path(path).name))
            self.session.training.choose(path)

    def compare(self) -> None:
        """Compare the attempts that are marked."""
        self._try(lambda session: session.training.compare_attempts(self.attempts.files))

    def learn(self) -> None:
        """Find how many trials are enough for the chosen attempt's decoder."""
        if self._file:
            self._try(lambda session: session.training.learn(self._file))
            self.view.show_tab("learning")

    def _picked(self, file: str) -> None:
        self._follows = False
        self.look_at(file)

    def look_at(self, file: str) -> None:
        """Show an attempt's pictures."""
        session = self.session
        if session is None:
            return
        known = {attempt.file: attempt for attempt in session.training.attempts}
        attempt = known.get(file)
        self._file = file if attempt is not None else ""
        self.scores.rows.choose(self._file)
        if self._file not in self.attempts.files:
            self.attempts.mark([self._file])
        details = session.training.details(file) if attempt is not None else None
        self.view.show_attempt(attempt, details)
        self._show_buttons()

    def _try(self, call: object) -> None:
        if self.session is None or not callable(call):
            return
        try:
            call(self.session)
        except RolandicError as error:
            self.history.say(str(error), "caution")
        else:
            self.history.say("")

    # --- what happens ---------------------------------------------------------------------

    def _show_choices(self, choices: Sequence[object]) -> None:
        session = self.session
        if session is None:
            return
        ticked = {"acm-svm", "ts-lr", "csp-lda", session.setup.decoder}
        if session.record.features:
            ticked.add("psd-lda")
        self.panel.show_choices(session.training.choices, sorted(ticked))

    def _show_rows(self, rows: Sequence[TrainingRow]) -> None:
        if self.session is None:
            return
        self.scores.show_rows(rows, self._protocol_of(rows))
        errors = [f"{row.decoder}: {row.error}" for row in rows if row.error]
        if errors:
            self.panel.say("\n".join(errors), "trouble")
        done = [row.attempt for row in rows if row.attempt is not None]
        best = next((row.attempt for row in rows if row.best), done[-1] if done else None)
        if best is not None and self._follows:
            self.look_at(best.file)

    def _protocol_of(self, rows: Sequence[TrainingRow]) -> str:
        if self.session is None:
            return ""
        tested = next((row.attempt.protocol for row in rows if row.attempt is not None), "")
        return tested or self.session.training.protocol(self.panel.test).label

    def _show_protocol(self) -> None:
        if self.session is not None and not self.session.training.rows:
            self.scores.show_rows((), self._protocol_of(()))

    def _show_progress(self, progress: TrainingProgress) -> None:
        self.panel.show_progress(progress)
        if progress.busy and not self._tick.isActive():
            self._tick.start()
        elif not progress.busy:
            self._tick.stop()
        self._show_buttons()

    def _show_left(self) -> None:
        if self.session is not None:
            self.panel.show_progress(self.session.training.progress)

    def _show_attempts(self) -> None:
        session = self.session
        if session is None:
            return
        training = session.training
        attempts = training.attempts
        self.history.show_attempts(attempts, training.in_use, training.misfit)
        known = {attempt.file for attempt in attempts}
        start = training.in_use if training.in_use in known else _last(attempts)
        shown = self._file if self._file in known else start
        if shown:
            self.look_at(shown)
        self._show_buttons()

    def _show_ready(self) -> None:
        session = self.session
        if session is None:
            return
        ready = session.readiness("train")
        self.panel.show_ready(ready.why_not)
        self.history.show_misfit(session.training.misfit)
        self._show_protocol()

    def _show_buttons(self) -> None:
        busy = self.session is not None and self.session.training.progress.busy
        self.history.enable(one=bool(self._file), several=len(self.attempts.files) > 1, busy=busy)

    def _show_differences(self, differences: Sequence[Difference]) -> None:
        self.history.say("\n".join(difference_words(found) for found in differences))

    def _failed(self, text: str) -> None:
        self.history.say(text, "trouble")

    def _used(self, file: str) -> None:
        self.history.say(tr("{file} decodes online from now on.", file=file), "good")
        self._show_attempts()


def _last(attempts: Sequence[Attempt]) -> str:
    return attempts[-1].file if attempts else ""
