"""Folds of consecutive trials within recordings, with a purge between training and test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bci.errors import TrialError
from bci.evaluation.truth import Truth

__all__ = ["OnlineSplit", "Stretch", "blocks"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples `first` to `stop` - 1 of recording number `run`."""

    run: int
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class OnlineSplit:
    """What one model is trained on, and which decisions test it.

    Attributes
    ----------
    name : str
    train : tuple of Stretch
    test : tuple of Stretch
        Every decision counts whose window ends in one; the window may reach back before it.
    """

    name: str
    train: tuple[Stretch, ...]
    test: tuple[Stretch, ...]


def blocks(
    truths: Sequence[Truth], names: Sequence[str], folds: int, length: int, *, purge: bool = True
) -> list[OnlineSplit]:
    """Divide each recording into folds of consecutive trials, each with the rest before it.

    Parameters
    ----------
    truths : sequence of Truth
    names : sequence of str
        Of the recordings, for messages.
    folds : int
    length : int
        Of a window, in samples. Training keeps as much away from every sample that a test window
        reaches; what is left between two folds is seldom the loss of more than a trial.
    purge : bool
        False: training begins where the test ends.

    Raises
    ------
    TrialError
        For fewer than two folds, and fewer trials than folds.
    """
    if folds < 2:
        raise TrialError(f"--folds {folds}: cross-validation needs at least 2")
    n_trials = sum(len(truth.starts) for truth in truths)
    if n_trials < folds:
        raise TrialError(
            f"--folds {folds}: more than the {n_trials} trials of {', '.join(names)}: give fewer "
            "--folds"
        )
    result = []
    for fold in range(folds):
        train: list[Stretch] = []
        test: list[Stretch] = []
        for run, truth in enumerate(truths):
            edges = _edges(truth, folds)
            first, stop = edges[fold], edges[fold + 1]
            if first == stop:
                train.append(Stretch(run, 0, truth.n_samples))
                continue
            test.append(Stretch(run, first, stop))
            margins = (2 * length, length) if purge else (0, 0)
            kept = (0, max(0, first - margins[0])), (stop + margins[1], truth.n_samples)
            train += [Stretch(run, a, b) for a, b in kept if b - a >= length]
        if test:
            result.append(OnlineSplit(f"fold {fold + 1} of {folds}", tuple(train), tuple(test)))
    return result


def _edges(truth: Truth, folds: int) -> list[int]:
    """Return where the folds of a recording begin, and its end: behind trials, in order of time."""
    order = np.argsort(truth.starts, kind="stable")
    blocks = np.array_split(order, folds)
    edges = [0]
    for block in blocks[:-1]:
        edges.append(int(truth.stops[block].max()) if len(block) else edges[-1])
    return [*edges, truth.n_samples]
