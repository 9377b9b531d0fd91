"""What cells a grid comes down to, person by person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bci.config import OnlineSettings
from bci.errors import InputError, TrialError
from bci.evaluation.blocks import OnlineSplit
from bci.evaluation.crossval import permuted_labels, score_split, statistic, summarised
from bci.evaluation.episodes import PseudoOnline
from bci.evaluation.jobs import Batch, Cell, Document, Failure
from bci.evaluation.keys import code_versions, digest, digest_epochs, digest_recordings
from bci.evaluation.learning import (
    LearningCurve,
    learning_repeat,
    learning_sizes,
    learning_summary,
)
from bci.evaluation.outcomes import Windows
from bci.evaluation.protocols import Protocol, Split, splits
from bci.evaluation.pseudo_online import IdleRule, PseudoOnlineTask
from bci.evaluation.result import Result
from bci.events import Marker
from bci.signal.epochs import Epochs
from bci.sources.recording import Recording

__all__ = ["Finished", "Plan", "Planned", "Subject", "WholeRuns"]

#: Of the folds and subsets of a learning curve.
_LEAST_REPEATS = 5


#: What the cells of a row, or of a learning curve, come to.
Finished = tuple[Result, ...] | PseudoOnline | LearningCurve


@dataclass(frozen=True, slots=True)
class Subject:
    """One person, or whatever else is evaluated apart.

    Attributes
    ----------
    name : str
    read : callable
        Returns the windows and the recordings that they were cut from (of whole runs, only these
        matter; else there may be none). Called when their turn comes: not all need fit in memory.
    """

    name: str
    read: Callable[[], tuple[Epochs, Sequence[Recording]]]


@dataclass(frozen=True, slots=True)
class WholeRuns:
    """A protocol over whole runs, as `bci.evaluation.pseudo_online` has it.

    Attributes
    ----------
    protocol : Protocol
    rule : {"class", "threshold"}
        How idle is told.
    recenter_s : float or None
    idle : str
        The cued class that is idle; empty: as `PseudoOnlineTask.of` has it.
    """

    protocol: Protocol
    rule: IdleRule = "class"
    recenter_s: float | None = None
    idle: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A row to be: its cells, and what makes their results one."""

    subject: str
    cells: tuple[Cell, ...]
    finish: Callable[[list[Document]], Finished] = field(repr=False)


class Plan:
    """What there is to do; it becomes known person by person.

    Parameters
    ----------
    subjects, decoders, protocols, permutations, repeats, online, learning
        As for `bci.evaluation.cells.evaluate_cells`.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        decoders: Mapping[str, Mapping[str, Any]],
        protocols: Sequence[Protocol | WholeRuns],
        permutations: int,
        repeats: int,
        online: OnlineSettings | None,
        learning: Protocol | None = None,
    ) -> None:
        self._subjects, self._decoders, self._protocols = subjects, decoders, protocols
        self._learning = learning
        self._permutations, self._repeats, self._online = permutations, repeats, online
        self._n_read = self._n_cells = 0
        self.rows: list[Planned] = []
        self.failures: list[Failure] = []
        self.epochs: dict[str, Epochs] = {}

    def total(self) -> int:
        """Cells that there will be: the unread have as many as the read, on average."""
        return round(self._n_cells * len(self._subjects) / max(self._n_read, 1))

    def batches(self) -> Iterator[Batch]:
        """Read one person after the other."""
        for subject in self._subjects:
            batches: list[Batch] = []
            try:
                epochs, recordings = subject.read()
                windowless = replace(epochs, X=np.empty((0, *epochs.X.shape[1:])), muscle_v=None)
                self.epochs[subject.name] = windowless
                batches = self._of_subject(subject.name, epochs, recordings, windowless)
            except InputError as error:
                self._fail(subject.name, error, only=len(self._subjects) == 1)
            self._n_read += 1
            self._n_cells += sum(len(batch.cells) for batch in batches)
            yield from batches

    def _fail(self, name: str, error: InputError, *, only: bool) -> None:
        """Note what cannot be done; where it is all that was asked for, say so at once."""
        if only:
            raise error
        self.failures.append(Failure(name, str(error), is_input=True))

    def _of_subject(
        self, name: str, epochs: Epochs, recordings: Sequence[Recording], windowless: Epochs
    ) -> list[Batch]:
        batches, of_trials = [], []
        for protocol in self._protocols:
            try:
                if isinstance(protocol, WholeRuns):
                    rows, task = self._of_runs(name, recordings, epochs, protocol)
                    batches.append(Batch(task, tuple(c for row in rows for c in row.cells)))
                else:
                    rows = self._of_trials(name, epochs, windowless, protocol)
                    of_trials += [cell for row in rows for cell in row.cells]
                self.rows += rows
            except InputError as error:
                label = _label(protocol)
                only = len(self._subjects) == len(self._protocols) == 1
                self._fail(f"{name}, {label}" if name else label, error, only=only)
        if self._learning is not None:
            try:
                rows = self._of_curves(name, epochs, windowless, self._learning)
                of_trials += [cell for row in rows for cell in row.cells]
                self.rows += rows
            except InputError as error:
                self._fail(_said(name, "learning curve"), error, only=False)
        # Protocols over trials share the windows.
        return [Batch(epochs, tuple(of_trials)), *batches] if of_trials else batches

    def _of_trials(
        self, name: str, epochs: Epochs, windowless: Epochs, protocol: Protocol
    ) -> list[Planned]:
        online = self._online or OnlineSettings()
        basis = {
            "windows": digest_epochs(epochs),
            "online": online.model_dump(mode="json"),
            "versions": code_versions(),
        }
        # What is not shuffled comes out the same every time.
        seeds = range(self._repeats if protocol.name == "within" else 1)
        again = [protocol.model_copy(update={"seed": protocol.seed + k}) for k in seeds]
        divided = [splits(epochs, repeat) for repeat in again]
        shuffled = list(permuted_labels(epochs, self._permutations, protocol.seed))
        rows = []
        for decoder, params in self._decoders.items():
            of_row = basis | {"decoder": decoder, "params": params}
            said = _said(name, decoder, protocol.label)
            common = (decoder, dict(params), online)
            cells = [
                Cell(
                    digest(of_row | {"protocol": repeat.model_dump(mode="json"), "split": number}),
                    _said(said, f"repeat {k + 1}" if len(again) > 1 else "", part.name),
                    _score_split,
                    (part, *common),
                )
                for k, (repeat, parts) in enumerate(zip(again, divided, strict=True))
                for number, part in enumerate(parts)
            ]
            cells += [
                Cell(
                    digest(
                        of_row
                        | {"protocol": protocol.model_dump(mode="json"), "permutation": number}
                    ),
                    f"{said}, permutation {number + 1}",
                    _score_permutation,
                    (labels, protocol, *common),
                )
                for number, labels in enumerate(shuffled)
            ]

            def finish(documents: list[Document], decoder: str = decoder) -> tuple[Result, ...]:
                scored = iter(documents)
                folds = [
                    [np.array(next(scored)["probabilities"]) for _ in parts] for parts in divided
                ]
                permuted = [document["statistic"] for document in scored]
                return tuple(
                    summarised(windowless, decoder, repeat, parts, found, () if k else permuted)
                    for k, (repeat, parts, found) in enumerate(
                        zip(again, divided, folds, strict=True)
                    )
                )

            rows.append(Planned(name, tuple(cells), finish))
        return rows

    def _of_curves(
        self, name: str, epochs: Epochs, windowless: Epochs, protocol: Protocol
    ) -> list[Planned]:
        online = self._online or OnlineSettings()
        folds, seed = protocol.folds, protocol.seed
        sizes = learning_sizes(epochs, folds=folds, seed=seed)
        basis = {
            "windows": digest_epochs(epochs),
            "online": online.model_dump(mode="json"),
            "versions": code_versions(),
            "learning": {"sizes": sizes, "folds": folds},
        }
        rows = []
        for decoder, params in self._decoders.items():
            of_row = basis | {"decoder": decoder, "params": params}
            cells = tuple(
                Cell(
                    digest(of_row | {"seed": seed + number}),
                    _said(name, decoder, f"learning curve, repeat {number + 1}"),
                    _learn,
                    (decoder, dict(params), online, sizes, folds, seed + number),
                )
                for number in range(max(self._repeats, _LEAST_REPEATS))
            )

            def finish(documents: list[Document], decoder: str = decoder) -> LearningCurve:
                found = [np.array(document["probabilities"]) for document in documents]
                return learning_summary(
                    windowless, decoder, found, sizes=sizes, folds=folds, seed=seed
                )

            rows.append(Planned(name, cells, finish))
        return rows

    def _of_runs(
        self, name: str, recordings: Sequence[Recording], epochs: Epochs, asked: WholeRuns
    ) -> tuple[list[Planned], PseudoOnlineTask]:
        if asked.idle and asked.idle not in epochs.classes:
            raise TrialError(
                f"--idle {asked.idle!r}: no trials are of that class, but of "
                f"{', '.join(epochs.classes)}: give one of these, class or threshold"
            )
        task = PseudoOnlineTask.of(
            recordings,
            epochs.settings,
            asked.protocol,
            rule=asked.rule,
            idle=asked.idle,
            online=self._online,
            recenter_s=asked.recenter_s,
        )
        basis = {
            "recordings": digest_recordings(recordings),
            "settings": task.settings.model_dump(mode="json"),
            "protocol": asked.protocol.model_dump(mode="json"),
            "rule": asked.rule,
            "idle": task.classes[task.idle],
            "recenter_s": asked.recenter_s,
            "online": task.online.model_dump(mode="json"),
            "versions": code_versions(),
        }
        nothing = [replace(r, samples=r.samples[:0].copy()) for r in task.recordings]
        light = replace(task, recordings=tuple(nothing))
        parts = task.splits()
        shuffled = list(task.permuted(self._permutations))
        rows = []
        for decoder, params in self._decoders.items():
            of_row = basis | {"decoder": decoder, "params": params}
            said = _said(name, decoder, task.label)
            cells = [
                Cell(
                    digest(of_row | {"split": number}),
                    f"{said}, {part.name}",
                    _decide_split,
                    (part, decoder, dict(params)),
                )
                for number, part in enumerate(parts)
            ]
            cells += [
                Cell(
                    digest(of_row | {"permutation": number}),
                    f"{said}, permutation {number + 1}",
                    _decide_permutation,
                    (markers, decoder, dict(params)),
                )
                for number, markers in enumerate(shuffled)
            ]

            def finish(documents: list[Document], decoder: str = decoder) -> PseudoOnline:
                found = [_windows(document) for document in documents[: len(parts)]]
                permuted = [document["statistic"] for document in documents[len(parts) :]]
                return light.summarised(decoder, found, permuted)

            rows.append(Planned(name, tuple(cells), finish))
        return rows, task


def _label(protocol: Protocol | WholeRuns) -> str:
    if isinstance(protocol, WholeRuns):
        return f"pseudo-online, {protocol.protocol.label}"
    return protocol.label


def _said(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _score_split(
    epochs: Epochs, part: Split, decoder: str, params: dict[str, Any], online: OnlineSettings
) -> Document:
    return {"probabilities": score_split(epochs, part, decoder, params, online).tolist()}


def _score_permutation(
    epochs: Epochs,
    labels: Any,
    protocol: Protocol,
    decoder: str,
    params: dict[str, Any],
    online: OnlineSettings,
) -> Document:
    parts = splits(epochs, protocol, labels)
    scored = [score_split(epochs, part, decoder, params, online, labels) for part in parts]
    return {"statistic": statistic(labels, parts, scored)}


def _decide_split(
    task: PseudoOnlineTask, part: OnlineSplit, decoder: str, params: dict[str, Any]
) -> Document:
    windows = task.decide(part, decoder, params)
    return {name: getattr(windows, name).tolist() for name in Windows.__slots__}


def _decide_permutation(
    task: PseudoOnlineTask,
    markers: Sequence[tuple[Marker, ...]],
    decoder: str,
    params: dict[str, Any],
) -> Document:
    return {"statistic": task.relabelled(markers).statistic(decoder, params)}


def _learn(
    epochs: Epochs,
    decoder: str,
    params: dict[str, Any],
    online: OnlineSettings,
    sizes: Sequence[int],
    folds: int,
    seed: int,
) -> Document:
    probabilities = learning_repeat(
        epochs, decoder, params, sizes=sizes, folds=folds, seed=seed, online=online
    )
    return {"probabilities": probabilities.tolist()}


def _windows(document: Document) -> Windows:
    numbers = {name: np.array(document[name], np.int64) for name in document if name != "withheld"}
    return Windows(**numbers, withheld=np.array(document["withheld"], np.bool_))
