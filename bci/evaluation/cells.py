"""Many people, many decoders, several protocols: each fit and its test is a cell of its own.

What a cell computes depends on the data of one person, a decoder with its parameters, a protocol,
a split of it, and the versions of what computes. A digest of all that is its key, so that a run
finds what an earlier one finished, and nothing else. `bci.evaluation.jobs` says where cells run,
`bci.evaluation.planning` what they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bci.config import OnlineSettings
from bci.evaluation.episodes import PseudoOnline
from bci.evaluation.jobs import Document, Failure, Pool, Progress, Serial, run_cells
from bci.evaluation.learning import LearningCurve
from bci.evaluation.planning import Plan, Subject, WholeRuns
from bci.evaluation.protocols import Protocol
from bci.evaluation.result import Result
from bci.evaluation.store import CellStore
from bci.signal.epochs import Epochs

__all__ = ["Grid", "Row", "Subject", "WholeRuns", "evaluate_cells"]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One person's scores with one decoder, as one protocol has it.

    Attributes
    ----------
    subject : str
    evaluated : tuple of Result, or PseudoOnline
        Repeats of the cross-validation, which differ in their seed; or one test of whole runs.
    """

    subject: str
    evaluated: tuple[Result, ...] | PseudoOnline

    @property
    def result(self) -> Result | PseudoOnline:
        """The first repeat."""
        one = self.evaluated
        return one if isinstance(one, PseudoOnline) else one[0]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What came of a grid.

    Attributes
    ----------
    rows : tuple of Row
        By person, protocol and decoder, in the order in which they were given.
    curves : tuple of (str, LearningCurve)
        Person and curve, by person and decoder.
    failures : tuple of Failure
        What has no score, and why.
    epochs : dict of str to Epochs
        Of each person that was read, without the windows.
    """

    rows: tuple[Row, ...]
    curves: tuple[tuple[str, LearningCurve], ...]
    failures: tuple[Failure, ...]
    epochs: dict[str, Epochs]


def evaluate_cells(
    subjects: Sequence[Subject],
    decoders: Mapping[str, Mapping[str, Any]],
    protocols: Sequence[Protocol | WholeRuns],
    *,
    permutations: int = 0,
    repeats: int = 1,
    online: OnlineSettings | None = None,
    learning: Protocol | None = None,
    pool: Pool | None = None,
    store: CellStore | None = None,
    progress: Progress | None = None,
) -> Grid:
    """Test decoders on people as protocols say.

    Each result is that of `bci.evaluation.evaluate` or `pseudo_online`, to the last bit, wherever
    its cells ran.

    Parameters
    ----------
    subjects : sequence of Subject
        With different names.
    decoders : mapping of str to mapping
        Registered name to parameters.
    protocols : sequence of Protocol or WholeRuns
    permutations : int
        Of the labels, for a p-value; each is a cell.
    repeats : int
        Of the protocol ``"within"``, with the seeds that follow on its own.
    online : OnlineSettings, optional
        How decisions are made; default: as `evaluate` and `PseudoOnlineTask.of` have it.
    learning : Protocol, optional
        Learning curves too (`bci.evaluation.learning`), with its folds and seed; five repeats, or
        `repeats` if that is more.
    pool : Pool, optional
        Where cells run; default: here, one after the other. It stays open.
    store : CellStore, optional
        Where finished cells are, and are kept.
    progress : callable, optional
        Called with how many cells are done and how many there will be; that is an estimate while
        people are yet to be read.

    Returns
    -------
    Grid
        A person that cannot be read, a protocol that does not fit it and a cell that fails are
        failures; the others go on.

    Raises
    ------
    InputError
        When the only person cannot be read, or no protocol fits; when a cell cannot be kept.
    """
    plan = Plan(subjects, decoders, protocols, permutations, repeats, online, learning)
    outcomes = run_cells(
        plan.batches(), pool or Serial(), store=store, total=plan.total, progress=progress
    )
    rows, curves, failures = [], [], list(plan.failures)
    for planned in plan.rows:
        documents: list[Document] = []
        failed: list[Failure] = []
        for cell in planned.cells:
            outcome = outcomes[cell.key]
            if isinstance(outcome, Failure):
                failed.append(outcome)
            else:
                documents.append(outcome)
        failures += failed
        if failed:
            continue
        finished = planned.finish(documents)
        if isinstance(finished, LearningCurve):
            curves.append((planned.subject, finished))
        else:
            rows.append(Row(planned.subject, finished))
    return Grid(tuple(rows), tuple(curves), tuple(failures), plan.epochs)
