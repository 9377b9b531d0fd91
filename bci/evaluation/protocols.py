"""What a decoder is trained on and what it is tested on.

Every protocol is a list of splits over trials, so that one loop runs them all and one table holds
them. Trials stay whole: no window of one is on both sides.

What the test part could tell training, and why it does not:

- *What a decoder estimates* (filters in space, references, scalings, features, hyper-parameters)
  it estimates in `fit`, from the training trials alone.
- *The filter's state.* The band-pass is causal and starts anew with each recording. In all
  protocols but ``"within"`` a test recording therefore leaves no trace at all in training; within
  a recording what a test trial leaves in the filter has died away by the next trial, seconds on.
- *Limits of artifacts, and recentering* belong to a model, not to a decoder: `bci.evaluation.
  pseudo_online` takes both from the training part.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from bci.config import Settings
from bci.errors import TrialError
from bci.signal.epochs import Epochs

__all__ = ["PROTOCOLS", "Protocol", "ProtocolName", "Split", "recording_sessions", "splits"]

I64 = NDArray[np.int64]

ProtocolName = Literal["within", "leave-one-run-out", "cross-session", "calibration-online"]
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)

#: The two parts that recordings take in the protocol ``"calibration-online"``.
_PARTS = ("calibration", "online")
_SESSION = re.compile(r"(?:^|_)ses-([A-Za-z0-9]+)")


class Protocol(Settings):
    """How trials are divided.

    Attributes
    ----------
    name : {"within", "leave-one-run-out", "cross-session", "calibration-online"}
        Trials shuffled into stratified folds; each recording tested by the others; each session
        tested by the others; trained on calibration and tested on online runs.
    folds : int
        Of ``"within"``.
    seed : int
        Of its shuffling.
    sessions : tuple of str
        Of each recording, in order: the session for ``"cross-session"``, ``"calibration"`` or
        ``"online"`` for ``"calibration-online"``. Empty: as the file names say (``ses-02`` in
        them; ``calibration`` or ``online`` in them).
    """

    name: ProtocolName = "within"
    folds: int = 5
    seed: int = 0
    sessions: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What a table calls it.

        >>> Protocol(folds=4).label, Protocol(name="cross-session").label
        ('within, 4 folds', 'cross-session')
        """
        return f"within, {self.folds} folds" if self.name == "within" else self.name


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One fit and its test.

    Attributes
    ----------
    name : str
        For people: which fold, or what is tested.
    train, test : ndarray of int64
        Trials, in order; disjoint.
    """

    name: str
    train: I64 = field(repr=False)
    test: I64 = field(repr=False)


def splits(epochs: Epochs, protocol: Protocol, trial_y: I64 | None = None) -> list[Split]:
    """Divide trials as a protocol says.

    Parameters
    ----------
    epochs : Epochs
    protocol : Protocol
        ``"within"`` is scikit-learn's ``StratifiedKFold(folds, shuffle=True, random_state=seed)``
        over the trials.
    trial_y : ndarray of int64, shape (n_trials,), optional
        Labels to use instead of the true ones.

    Returns
    -------
    list of Split
        No trial is tested twice. All are tested once, but those of the calibration.

    Raises
    ------
    TrialError
        When trials, recordings or sessions are too few, or a class is missing: from a training
        part, or from all test parts.
    """
    y = epochs.trial_y if trial_y is None else trial_y
    if protocol.name == "within":
        return _folds(epochs, y, protocol)
    of_recording = (
        epochs.recordings
        if protocol.name == "leave-one-run-out"
        else recording_sessions(epochs.recordings, protocol)
    )
    # Names may repeat (recordings of two folders): a run is known by its number.
    units = (
        epochs.trial_runs
        if protocol.name == "leave-one-run-out"
        else np.unique(of_recording, return_inverse=True)[1][epochs.trial_runs]
    )
    numbers = np.unique(units)
    names = {int(n): of_recording[int(epochs.trial_runs[units == n][0])] for n in numbers}
    if protocol.name == "calibration-online":
        tested = [n for n in names if names[n] == "online"]
    else:
        tested = list(names)
    if len(numbers) < 2 or not tested:
        raise TrialError(_too_few(protocol, sorted(names.values())))
    found = [
        Split(names[n], np.flatnonzero(units != n), np.flatnonzero(units == n)) for n in tested
    ]
    for split in found:
        _check_training(epochs, y, split, protocol)
    tested_y = y[np.concatenate([split.test for split in found])]
    for k, name in enumerate(epochs.classes):
        if not np.any(tested_y == k):
            raise TrialError(
                f"{protocol.name}: no trial of class {name} in "
                f"{', '.join(split.name for split in found)}, which is tested: give more "
                "recordings, or other --classes"
            )
    return found


def recording_sessions(recordings: Sequence[str], protocol: Protocol) -> tuple[str, ...]:
    """Return the session, or the part, of each recording.

    Parameters
    ----------
    recordings : sequence of str
        File names.
    protocol : Protocol

    Raises
    ------
    TrialError
        When not every recording has one.

    >>> recording_sessions(
    ...     ["sub-1_ses-01_run-1.xdf", "sub-1_ses-02_run-1.xdf"], Protocol(name="cross-session")
    ... )
    ('01', '02')
    """
    given = protocol.sessions
    wanted = f"{' or '.join(_PARTS)}" if protocol.name == "calibration-online" else "its session"
    if given and len(given) != len(recordings):
        raise TrialError(
            f"{protocol.name}: {len(given)} sessions ({', '.join(given)}) for {len(recordings)} "
            "recordings: give one for each recording, in their order"
        )
    result = given or tuple(_named(name, protocol.name) for name in recordings)
    for name, session in zip(recordings, result, strict=True):
        if not session or (protocol.name == "calibration-online" and session not in _PARTS):
            said = f" {session!r} is neither" if session else " its name does not say it"
            raise TrialError(
                f"{protocol.name}: {name} needs {wanted}, and{said}: give --sessions, one for each "
                "recording"
            )
    return result


def _named(name: str, protocol: ProtocolName) -> str:
    """Return what a file name says, or nothing."""
    if protocol == "cross-session":
        found = _SESSION.search(name)
        return found.group(1) if found else ""
    parts = [part for part in _PARTS if part in name.lower()]
    return parts[0] if len(parts) == 1 else ""


def _folds(epochs: Epochs, y: I64, protocol: Protocol) -> list[Split]:
    folds = protocol.folds
    if folds < 2:
        raise TrialError(f"--folds {folds}: cross-validation needs at least 2")
    counts = np.bincount(y, minlength=len(epochs.classes))
    fewest = int(counts.argmin())
    # Every fold tests one of each class or more, and leaves two or more to train on.
    needed = max(folds, 4 if folds == 2 else 3)
    if counts[fewest] < needed:
        left_out = f" ({len(epochs.left_out)} were left out)" if epochs.left_out else ""
        raise TrialError(
            f"--folds {folds}: too few trials, class {epochs.classes[fewest]} has "
            f"{counts[fewest]}{left_out} in {', '.join(epochs.recordings)} and needs {needed}: "
            "give fewer --folds or more recordings"
        )
    divided = StratifiedKFold(folds, shuffle=True, random_state=protocol.seed).split(y, y)
    return [
        Split(f"fold {number} of {folds}", train.astype(np.int64), test.astype(np.int64))
        for number, (train, test) in enumerate(divided, start=1)
    ]


def _too_few(protocol: Protocol, names: Sequence[str]) -> str:
    only = ", ".join(names)
    if protocol.name == "leave-one-run-out":
        return (
            f"leave-one-run-out needs trials in at least 2 recordings, here only {only} has any: "
            "give more recordings or choose within"
        )
    if protocol.name == "cross-session":
        return (
            f"cross-session needs trials of at least 2 sessions, here only {only} has any: give "
            "recordings of another session or choose leave-one-run-out"
        )
    return (
        f"calibration-online needs trials of calibration and of online runs, here are only those "
        f"of {only}: give recordings of both"
    )


def _check_training(epochs: Epochs, y: I64, split: Split, protocol: Protocol) -> None:
    counts = np.bincount(y[split.train], minlength=len(epochs.classes))
    fewest = int(counts.argmin())
    if counts[fewest] < 2:
        raise TrialError(
            f"{protocol.name}: without {split.name}, class {epochs.classes[fewest]} has "
            f"{counts[fewest]} trials to train on and needs 2: give more recordings or choose "
            "within"
        )
