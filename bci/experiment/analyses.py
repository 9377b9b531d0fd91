"""Analyses of a session's runs, and the features that were chosen in them.

What is asked for is analysed 150 ms after the last change, in the worker's process; steps whose
parameters have not changed are taken from before. A newer request ends an older one.

================  =======================  =====================
attribute         writer                   readers
================  =======================  =====================
result, busy      worker's thread, caller  any (swapped in whole)
record            caller (the window)      any
================  =======================  =====================
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal, SignalGroup

from bci.errors import RolandicError, SettingsError
from bci.experiment.analysis_tasks import AnalysisRequest, AnalysisResult, keep_analysis, show
from bci.experiment.choice import (
    Choice,
    ChoiceHistory,
    feature_name,
    same_onset,
    spoken_features,
)
from bci.experiment.states import tell
from bci.experiment.trial_states import RunRow, TrialState, as_recorded, trial_states
from bci.experiment.worker import Task, TaskState
from bci.features.analysis import Described
from bci.features.grammar import Feature, parse_features
from bci.features.library import Entry, Library
from bci.features.parameters import AnalysisSettings

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["FeaturesPart"]

_DEBOUNCE_S = 0.15
#: What an analysis looks at must be wider than what decoders do.
_BAND_HZ = (2.0, 45.0)


class FeaturesEvents(SignalGroup):
    """What happens."""

    #: There is another result: an analysis, or why there is none.
    changed = Signal()
    #: Features, runs or trials were chosen otherwise.
    choice_changed = Signal()
    #: Whether something is computed has changed.
    busy_changed = Signal()
    #: Steps done, steps in all.
    progressed = Signal(int, int)
    #: The kept analyses have changed; empty, or why one could not be kept.
    kept_changed = Signal(str)


class FeaturesPart:
    """Analyses of a session's runs, and the features that were chosen in them.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    result : AnalysisResult or None
        The newest.
    error : str
        Why there is no newer one.
    beside : Path or None
        Folder of the kept analysis that is put beside.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.events = FeaturesEvents()
        self.result: AnalysisResult | None = None
        self.error = ""
        self.beside: Path | None = None
        self._history = ChoiceHistory()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._task: Task | None = None
        self._request: AnalysisRequest | None = None
        self._asked: Any = None
        self._count = 0
        self._known: dict[str, tuple[TrialState, ...]] = {}
        self._kept: list[Entry] | None = None

    # --- parameters -----------------------------------------------------------------------

    @property
    def settings(self) -> AnalysisSettings:
        """What is analysed: the session's trials, and the parameters that were changed.

        Raises
        ------
        SettingsError
            When they do not fit together.
        """
        return self._settings(self._session.record.analysis)

    def _settings(self, changed: Mapping[str, Any]) -> AnalysisSettings:
        session = self._session
        epochs = session.epochs.model_dump() | {"length_s": None, "step_s": None}
        values: dict[str, Any] = {
            "epochs": epochs | {"band_hz": _BAND_HZ},
            "montage": session.setup.montage,
        }
        usual = AnalysisSettings().model_dump()
        for name, value in changed.items():
            outer, _, inner = name.partition(".")
            if not inner:
                values[outer] = value
            elif values.get(outer, usual.get(outer)) is not None:
                values[outer] = values.get(outer, usual[outer]) | {inner: value}
        return AnalysisSettings.make(**values)

    def change(self, **parameters: Any) -> None:
        """Change parameters by their dotted names (``__`` for the dot), keep them, analyse anew.

        None takes a parameter back to what is usual; ``connectivity`` and ``erds`` take False.

        Raises
        ------
        SettingsError
            For values that cannot be; nothing is changed then.
        ExperimentError
            For ``"epochs.reject"`` while a run is going on: training honours it, too.
        """
        if "epochs.reject" in parameters or "epochs__reject" in parameters:
            # What stands out is left out of training, too: the session's own setting.
            reject = parameters.pop("epochs.reject", parameters.pop("epochs__reject", None))
            epochs = self._session.setup.epochs.model_copy(update={"reject": bool(reject)})
            self._session.change(epochs=epochs)
        changed = dict(self._session.record.analysis)
        for name, value in parameters.items():
            dotted = name.replace("__", ".")
            changed.pop(dotted, None)
            if value is False and dotted in ("connectivity", "erds"):
                changed[dotted] = None
            elif value is not None and not (dotted in ("connectivity", "erds") and value is True):
                changed[dotted] = value
        self._settings(changed)
        self._session.record.analysis = changed
        self._session.save()
        self.request()

    # --- analysing ------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether an analysis is due, waits or runs."""
        return self._timer is not None or self._task is not None

    @property
    def waits_for(self) -> str:
        """Name of other work that an analysis waits for; empty: none."""
        task, current = self._task, self._session.worker.current
        waits = task is not None and task.state is TaskState.WAITING
        return current.name if waits and current is not None and current is not task else ""

    def request(self, *, anew: bool = False) -> None:
        """Analyse what is ticked, soon; nothing happens where that is what is shown already.

        Parameters
        ----------
        anew : bool
            Even so.
        """
        with self._lock:
            asked = self._what()
            if asked == self._asked and not anew and (self.busy or self.result is not None):
                return
            self._asked = asked
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(_DEBOUNCE_S, self._submit)
            self._timer.name = "analysis is due"
            self._timer.daemon = True
            self._timer.start()
        tell(self.events.busy_changed)

    def cancel(self) -> None:
        """End what is computed; what was shown stays."""
        with self._lock:
            timer, self._timer = self._timer, None
            task, self._task = self._task, None
            self._asked = None
        if timer is not None:
            timer.cancel()
        if task is not None:
            task.cancel()
        tell(self.events.busy_changed)

    def _what(self) -> Any:
        """Return all that an analysis hangs on."""
        record, setup = self._session.record, self._session.setup
        files = [(path, path.stat().st_mtime_ns if path.is_file() else 0) for path in self.paths()]
        epochs = self._session.epochs.model_dump_json()
        return (
            files, epochs, setup.montage, setup.bad_channels, setup.unit, dict(record.analysis),
            tuple(record.features), self.beside,
        )  # fmt: skip

    def _submit(self) -> None:
        """Hand the analysis over; in the timer's thread."""
        with self._lock:
            if self._timer is None or self._timer is not threading.current_thread():
                return
            old, self._task = self._task, None
            before = self._request
            try:
                request = self._made()
            except RolandicError as error:
                self.error, self.result = str(error), None
                request = None
            else:
                self._request = request
                self._task = self._session.worker.submit("analysis of features", show, request)
                self._task.events.progressed.connect(self._progressed)
                self._task.events.finished.connect(self._finished)
            self._timer = None  # last: who asks whether it is busy takes no lock
        if old is not None and before is not None:
            _end(old, before)
        if self._kept is None:
            self._look_up_kept()
        if request is None:
            tell(self.events.changed)
            tell(self.events.busy_changed)

    def _made(self) -> AnalysisRequest:
        session = self._session
        self._count += 1
        paths = self.paths()
        if not paths:
            raise SettingsError("no run is ticked: tick one or more")
        return AnalysisRequest(
            paths=tuple(paths),
            unit=session.setup.unit or None,
            settings=self.settings,
            features=self.chosen,
            workspace=session.workspace.root,
            beside=self.beside,
            stop=session.folder / f".stop-analysis-{self._count}",
        )

    def _progressed(self, done: int, total: int) -> None:
        tell(self.events.progressed, done, total)

    def _finished(self, task: Task) -> None:
        request = task.arguments[0]
        with suppress(OSError):
            request.stop.unlink(missing_ok=True)
        with self._lock:
            if task is not self._task:
                return  # a newer one is on its way
            if task.state is TaskState.DONE:
                self.result = task.result
                self.error = task.result.error
                self._known |= trial_states(task.result)
            else:
                self._asked = None
                self.error = str(task.error or "")
            self._task = None  # last, as above
        tell(self.events.changed)
        tell(self.events.busy_changed)

    # --- runs and trials ------------------------------------------------------------------

    def paths(self) -> list[Path]:
        """Return the recordings that are analysed: ticked calibration runs, as training has it."""
        return self._session.record.paths("calibration")

    def runs(self) -> list[RunRow]:
        """Return the calibration runs with their trials."""
        rows = []
        for run in self._session.record.runs:
            if run.kind == "calibration":
                name = Path(run.file).name
                trials = tuple(as_recorded(trial, run) for trial in self._known.get(name, ()))
                rows.append(RunRow(run.file, name, run.used, trials))
        return rows

    def use_run(self, file: str, used: bool) -> None:
        """Tick a run in or out.

        Raises
        ------
        KeyError
            When there is none.
        """
        run = self._session.record.run(file)
        if run.used != used:
            self._about_to_change()
            run.used = used
            self._changed()

    def use_trial(self, file: str, onset_s: float, used: bool) -> None:
        """Tick a trial in or out.

        Raises
        ------
        KeyError
            When there is no such run.
        """
        run = self._session.record.run(file)
        if same_onset(onset_s, run.left_out) == used:
            self._about_to_change()
            kept = [other for other in run.left_out if not same_onset(onset_s, [other])]
            run.left_out = kept if used else sorted([*kept, round(onset_s, 4)])
            self._changed()

    # --- the choice of features -----------------------------------------------------------

    @property
    def chosen(self) -> tuple[Feature, ...]:
        """The features that were chosen."""
        return tuple(f for text in self._session.record.features for f in parse_features(text))

    @property
    def described(self) -> dict[str, Described | str]:
        """Numbers of the chosen features by name, or why there are none, as far as known."""
        return {} if self.result is None else self.result.described

    def read(self, text: str) -> tuple[Feature, ...]:
        """Read features as people type them: ``C4;10:13``, or as they are shown, ``C4 10-13``.

        Raises
        ------
        SettingsError
            For what is no feature, or none of what is analysed.
        """
        view = self.result.view if self.result is not None else None
        return spoken_features(text, view)

    def choose(self, features: Sequence[Feature]) -> None:
        """Add features to the choice; those that are in it already stay once."""
        names = [*self._session.record.features, *map(feature_name, features)]
        self._choose(list(dict.fromkeys(names)))

    def drop(self, name: str) -> None:
        """Take a feature out of the choice; harmless when it is not in it."""
        self._choose([other for other in self._session.record.features if other != name])

    def clear(self) -> None:
        """Choose nothing."""
        self._choose([])

    def suggest(self) -> bool:
        """Choose what the analysis suggests of power; False when there is none."""
        if self.result is None or not self.result.suggestions:
            return False
        found = [item.feature for item in self.result.suggestions if item.feature.kind == "psd"]
        self._choose([feature_name(feature) for feature in found])
        return True

    def _choose(self, names: list[str]) -> None:
        if names != self._session.record.features:
            self._about_to_change()
            self._session.record.features = names
            self._changed()

    # --- undo -----------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether a choice can be undone."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether an undone choice can be done again."""
        return self._history.can_redo

    def undo(self) -> None:
        """Take back the last change of features, runs or trials; harmless without."""
        if self.can_undo:
            self._history.undo(Choice.of(self._session.record)).put(self._session.record)
            self._changed()

    def redo(self) -> None:
        """Do it again; harmless without."""
        if self.can_redo:
            self._history.redo(Choice.of(self._session.record)).put(self._session.record)
            self._changed()

    def _about_to_change(self) -> None:
        self._history.changed(Choice.of(self._session.record))

    def _changed(self) -> None:
        self._session.save()
        tell(self.events.choice_changed)
        self.request()

    # --- kept analyses --------------------------------------------------------------------

    def keep(self, name: str) -> None:
        """Keep what is shown under a name, in the workspace; `kept_changed` says that it is.

        Raises
        ------
        SettingsError
            For a name that cannot be one, or when there is nothing to keep.
        """
        AnalysisSettings.make(name=name)
        if self.result is None or self.result.view is None:
            raise SettingsError("there is no analysis yet to keep")
        task = self._session.worker.submit("keeping an analysis", keep_analysis, self._made(), name)
        task.events.finished.connect(self._was_kept)

    def _was_kept(self, task: Task) -> None:
        self._look_up_kept(str(task.error or ""))

    def _look_up_kept(self, problem: str = "") -> None:
        """Read what is kept; in the worker's or the timer's thread, since it reads files."""
        self._kept = Library(self._session.workspace.root).entries()
        tell(self.events.kept_changed, problem)

    def kept(self) -> list[Entry]:
        """Return the analyses that are kept in the workspace, the newest last, as last seen."""
        return self._kept or []

    def put_beside(self, folder: Path | None) -> None:
        """Show a kept analysis beside this one; None: none."""
        self.beside = folder
        self.request()

    def close(self) -> None:
        """End what runs."""
        with self._lock:
            timer, self._timer = self._timer, None
            task, self._task = self._task, None
        if timer is not None:
            timer.cancel()
            timer.join(1.0)
        if task is not None:
            task.cancel()


def _end(task: Task, request: AnalysisRequest) -> None:
    """End an analysis for a newer one, without the cost of another process where that can be."""
    if task.state is TaskState.WAITING or request.settings.clusters:
        task.cancel()  # permutations take long, and do not ask in between
        return
    with suppress(OSError):
        request.stop.touch(mode=0o600)
    if task.state.over:
        with suppress(OSError):
            request.stop.unlink(missing_ok=True)
