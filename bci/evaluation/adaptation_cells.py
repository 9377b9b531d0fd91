"""The protocol over people, decoders, arms and feedback, in cells that can run anywhere.

A cell is one person, decoder, arm and feedback with all its seeds; see `bci.evaluation.jobs`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.decoders import Model
from bci.decoders.adapt import ARMS
from bci.decoders.recentering import TAU_S
from bci.errors import InputError
from bci.evaluation.adaptation_task import AdaptationTask
from bci.evaluation.jobs import Batch, Cell, Document, Failure, Pool, Progress, Serial, run_cells
from bci.evaluation.keys import code_versions, digest, digest_recordings
from bci.evaluation.online_adaptation import GUARD, Feedback, go_through, hears_rewards
from bci.evaluation.planning import Subject
from bci.evaluation.retrained import RETRAINED
from bci.evaluation.store import CellStore
from bci.signal.epochs import Epochs

__all__ = ["SEEDS", "Adapted", "Arms", "Trials", "evaluate_adaptation"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Of arms in which chance has a part.
SEEDS = 20


@dataclass(frozen=True, slots=True)
class Arms:
    """What is compared.

    Attributes
    ----------
    names : tuple of str
    feedback : tuple of Feedback
        Each for every arm that learns from reward.
    seeds : int
        Of arms in which chance has a part.
    retrain : int
        Trials of a session that retrained arms take.
    guard : bool
        Let each arm that learns go through once more, under its guard.
    """

    names: tuple[str, ...]
    feedback: tuple[Feedback, ...] = (Feedback(),)
    seeds: int = SEEDS
    retrain: int = 20
    guard: bool = False

    @property
    def all_names(self) -> tuple[str, ...]:
        """Arms, each that can be guarded with and without.

        >>> Arms(("frozen", "reward", "retrained"), guard=True).all_names
        ('frozen', 'reward', 'reward+guard', 'retrained')
        """
        found: list[str] = []
        for name in self.names:
            guarded = self.guard and name not in ("frozen", *RETRAINED)
            found += [name, f"{name}{GUARD}"] if guarded else [name]
        return tuple(found)

    def of(self, arm: str) -> tuple[Feedback, ...]:
        """Return the feedback that makes a difference to an arm."""
        return self.feedback if hears_rewards(arm) else (Feedback(),)


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What was gone through.

    Attributes
    ----------
    y : ndarray of int64, shape (n_trials,)
    sessions : ndarray of int64, shape (n_trials,)
        Number of each trial's session.
    classes, names : tuple of str
        Of the sessions: names.
    training : Epochs
        What trained, without the windows.
    """

    y: I64
    sessions: I64
    classes: tuple[str, ...]
    names: tuple[str, ...]
    training: Epochs = field(repr=False)

    @classmethod
    def of(cls, task: AdaptationTask) -> "Trials":
        """Take note of a task's trials."""
        numbers = [np.full(len(s.y), k, np.int64) for k, s in enumerate(task.sessions)]
        X = np.empty((0, *task.training.X.shape[1:]))
        return cls(
            task.y,
            np.concatenate(numbers),
            task.training.classes,
            tuple(session.name for session in task.sessions),
            replace(task.training, X=X, muscle_v=None),
        )

    def within_counts(self) -> list[int]:
        """Return how many trials each session has."""
        return [int(n) for n in np.bincount(self.sessions)]

    @property
    def within(self) -> I64:
        """Number of each trial within its session, from 0."""
        return np.concatenate(
            [np.arange(np.count_nonzero(self.sessions == k)) for k in np.unique(self.sessions)]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """What one arm decided for one person.

    Attributes
    ----------
    subject, decoder, arm : str
    feedback : Feedback
    chosen : ndarray of int64, shape (n_seeds, n_trials)
    update_ms : tuple of float
        Median and 99th percentile of what an update took.
    """

    subject: str
    decoder: str
    arm: str
    feedback: Feedback
    chosen: I64 = field(repr=False)
    update_ms: tuple[float, float]


def evaluate_adaptation(
    subjects: Sequence[Subject],
    decoders: Mapping[str, Mapping[str, Any]],
    arms: Arms,
    *,
    sessions: Sequence[str] = (),
    tau_s: float = TAU_S,
    pool: Pool | None = None,
    store: CellStore | None = None,
    progress: Progress | None = None,
) -> tuple[list[Adapted], dict[str, Trials], list[Failure]]:
    """Let arms go through people's later sessions.

    Parameters
    ----------
    subjects : sequence of Subject
        Their recordings in recorded order.
    decoders : mapping of str to mapping
        Registered name to parameters.
    arms : Arms
    sessions, tau_s
        As for `AdaptationTask.of`.
    pool, store, progress
        As for `bci.evaluation.cells.evaluate_cells`.

    Returns
    -------
    adapted : list of Adapted
        By person, decoder, arm and feedback.
    trials : dict of str to Trials
        By person.
    failures : list of Failure
        An arm that does not exist for a decoder is one.

    Raises
    ------
    InputError
        When the only person cannot be evaluated.
    """
    planned: list[tuple[Cell, tuple[str, str, str, Feedback]]] = []
    trials: dict[str, Trials] = {}
    failures: list[Failure] = []
    n_read = 0

    def batches() -> Iterator[Batch]:
        nonlocal n_read
        for subject in subjects:
            n_read += 1
            try:
                epochs, recordings = subject.read()
                task = AdaptationTask.of(recordings, epochs.settings, sessions, tau_s=tau_s)
            except InputError as error:
                if len(subjects) == 1:
                    raise
                failures.append(Failure(subject.name, str(error), is_input=True))
                continue
            trials[subject.name] = Trials.of(task)
            basis = {
                "adaptation": digest_recordings(recordings),
                "settings": epochs.settings.model_dump(mode="json"),
                "sessions": [list(sessions), [(s.name, len(s.runs)) for s in task.sessions]],
                "tau_s": tau_s,
                "versions": code_versions(),
            }
            own = list(_cells(subject.name, basis, decoders, arms))
            planned.extend(own)
            yield Batch(task, tuple(cell for cell, _ in own))

    def total() -> int:
        return round(len(planned) * len(subjects) / max(n_read, 1))

    outcomes = run_cells(batches(), pool or Serial(), store=store, total=total, progress=progress)
    adapted = []
    for cell, (name, decoder, arm, feedback) in planned:
        outcome = outcomes[cell.key]
        if isinstance(outcome, Failure):
            failures.append(outcome)
            continue
        chosen = np.array(outcome["chosen"], np.int64)
        low, high = outcome["update_ms"]
        adapted.append(Adapted(name, decoder, arm, feedback, chosen, (low, high)))
    return adapted, trials, failures


def _cells(
    subject: str, basis: Mapping[str, Any], decoders: Mapping[str, Mapping[str, Any]], arms: Arms
) -> Iterator[tuple[Cell, tuple[str, str, str, Feedback]]]:
    for decoder, params in decoders.items():
        fitted = digest({**basis, "decoder": decoder, "params": params})
        for arm in arms.all_names:
            for feedback in arms.of(arm):
                # A plugin's arm may draw numbers; Rolandic's own do not.
                chance = feedback.is_random or arm.removesuffix(GUARD) not in {*ARMS, *RETRAINED}
                n_seeds = arms.seeds if chance else 1
                asked = {"arm": arm, "feedback": feedback.label, "seeds": n_seeds}
                if arm in RETRAINED:
                    asked["retrain"] = arms.retrain
                said = f"{decoder}, {arm}, {feedback.label}"
                cell = Cell(
                    digest({"fitted": fitted, **asked}),
                    f"{subject}, {said}" if subject else said,
                    _go_through,
                    (fitted, decoder, dict(params), arm, feedback, n_seeds, arms.retrain),
                )
                yield cell, (subject, decoder, arm, feedback)


def _go_through(
    task: AdaptationTask,
    fitted: str,
    decoder: str,
    params: dict[str, Any],
    arm: str,
    feedback: Feedback,
    n_seeds: int,
    retrain: int,
) -> Document:
    model = _fitted(task, fitted, decoder, params)
    more: dict[str, Any] = {"trials": retrain, "params": params} if arm in RETRAINED else {}
    found = [go_through(task, model, arm, feedback, seed=k, **more) for k in range(n_seeds)]
    update_ms = np.concatenate([decided.update_ms for decided in found])
    return {
        "chosen": [decided.chosen.tolist() for decided in found],
        "update_ms": np.percentile(update_ms, [50, 99]).round(3).tolist(),
    }


#: The model that this process fitted last, with the digest of all that it depends on: arms of one
#: person and decoder follow one another, and a search takes longer than all of them.
_last: list[tuple[str, Model]] = []


def _fitted(task: AdaptationTask, key: str, decoder: str, params: dict[str, Any]) -> Model:
    if not _last or _last[0][0] != key:
        _last[:] = [(key, task.fit(decoder, params))]
    return _last[0][1]
