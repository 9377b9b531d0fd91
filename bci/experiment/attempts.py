"""Decoders that were trained in a session: what is kept of each, and what its pictures need.

Of an attempt the record (``session.json``) keeps a few numbers and words; beside its model file
``attempt-01_ts-lr.bci`` lies ``attempt-01_ts-lr.npz`` with the arrays: what each trial was taken
for, activation patterns, the score over order and lag. Nothing of it is a pickle.
"""

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bci.decoders.search_map import SearchMap
from bci.errors import RecordingError
from bci.evaluation.metrics import Score, confusion
from bci.evaluation.result import Result

__all__ = ["Attempt", "AttemptDetails", "Patterns", "details_path", "load_details", "save_details"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A decoder that was trained.

    Attributes
    ----------
    file : str
        Name of the model in the session's folder.
    decoder : str
    params : dict
        Those that were given; what a search chose too.
    created : str
        Date and time (ISO 8601, UTC).
    cv : dict
        Scores by cross-validation (`bci.evaluation.Result.as_dict`); empty: there are none.
    n_trials : dict of str to int
        Of each class, learned from.
    left_out : list of dict
        Trials that were not, with reasons.
    recordings : list of str
    epochs : dict
        Settings of filter and windows.
    remarks : list of str
        What should be known of its scores.
    learning : dict
        Its learning curve (`bci.evaluation.LearningCurve.as_dict`); empty: none was asked for.
    origin : str
        File that it was brought from; empty: it was trained here.
    """

    file: str
    decoder: str
    params: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    cv: dict[str, Any] = field(default_factory=dict)
    n_trials: dict[str, int] = field(default_factory=dict)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    recordings: list[str] = field(default_factory=list)
    epochs: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    learning: dict[str, Any] = field(default_factory=dict)
    origin: str = ""

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Make it from what the record keeps; what another version wrote besides is passed over."""
        known = {name: kept[name] for name in cls.__dataclass_fields__ if name in kept}
        known["cv"] = known.get("cv") or {}
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """Return what the record keeps."""
        return asdict(self)

    @property
    def number(self) -> str:
        """What people call it: ``"3"`` of ``attempt-03_ts-lr.bci``."""
        head = self.file.partition("_")[0]
        return head.removeprefix("attempt-").lstrip("0") or head

    @property
    def protocol(self) -> str:
        """How it was tested, such as ``"leave-one-run-out"``; empty: it was not."""
        return str(self.cv.get("protocol", ""))

    @property
    def accuracy(self) -> Score | None:
        """Share of held-out trials that were decided right, with its 95 % interval."""
        return _score(self.cv.get("accuracy"))

    @property
    def roc_auc(self) -> Score | None:
        """Area under the ROC curve of two classes, mean over folds."""
        return _score(self.cv.get("roc_auc"))

    @property
    def chance_95(self) -> float | None:
        """The smallest accuracy that is above chance at 5 %."""
        found = self.cv.get("chance_95")
        return None if found is None else float(found)

    @property
    def rank(self) -> float:
        """What the best of several is chosen by: ROC-AUC of two classes, else accuracy."""
        score = self.roc_auc or self.accuracy
        return score.mean if score is not None else -1.0

    @property
    def band_hz(self) -> tuple[float, float] | None:
        """Pass band of the causal filter (Hz)."""
        band = self.epochs.get("band_hz")
        return None if band is None else (float(band[0]), float(band[1]))


def _score(kept: Mapping[str, float] | None) -> Score | None:
    return None if not kept else Score(kept["mean"], kept["low"], kept["high"])


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Activation patterns on the scalp, ready to be painted.

    Attributes
    ----------
    titles : tuple of str
        Class, or component.
    values : ndarray of float64, shape (n_patterns, n_channels)
        `unit` each.
    images : ndarray of float64, shape (n_patterns, n_pixels, n_pixels)
        Interpolated (`bci.features.scalp`), the back of the head first; NaN where nothing is said.
        Of no patterns where the channels span no map.
    points : ndarray of float64, shape (n_channels, 2)
        Electrodes on the unit disk, x to the right, y to the nose.
    channels : tuple of str
    unit : str
    why_no_map : str
        Empty where there is one.
    """

    titles: tuple[str, ...]
    values: F64
    images: F64
    points: F64
    channels: tuple[str, ...]
    unit: str
    why_no_map: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class AttemptDetails:
    """What the pictures of an attempt show.

    Attributes
    ----------
    classes : tuple of str
    probabilities : ndarray of float64, shape (n_trials, n_classes)
        Of each trial, when it was tested.
    trial_y, folds, trials : ndarray of int64, shape (n_trials,)
        Class, split, and number among all trials.
    onsets_s : ndarray of float64, shape (n_trials,)
    n_train : tuple of int
        Training trials of each split.
    decision_s : float
    patterns : Patterns
    search : tuple of SearchMap
        Of a search over order and lag; else empty.
    rate_hz : float
    """

    classes: tuple[str, ...]
    probabilities: F64
    trial_y: I64
    folds: I64
    trials: I64
    onsets_s: F64
    n_train: tuple[int, ...]
    decision_s: float
    patterns: Patterns
    search: tuple[SearchMap, ...]
    rate_hz: float

    @property
    def confusion(self) -> I64:
        """How often each class (row) was taken for each (column)."""
        decided = self.probabilities.argmax(axis=1).astype(np.int64)
        return confusion(self.trial_y, decided, len(self.classes))

    def result(self, attempt: Attempt) -> Result:
        """Return the result that the attempt's scores are of, for comparisons."""
        cv = attempt.cv
        scores = {name: Score(**cv[name]) for name in ("accuracy", "kappa", "nmcc")}
        return Result(
            decoder=f"{attempt.number} {attempt.decoder}",
            protocol=attempt.protocol,
            classes=self.classes,
            n_trials=len(self.trial_y),
            roc_auc=attempt.roc_auc,
            per_class={name: Score(**kept) for name, kept in cv["per_class"].items()},
            chance_95=float(cv["chance_95"]),
            bootstrap={name: Score(**kept) for name, kept in cv["bootstrap"].items()},
            p_value=None,
            n_permutations=0,
            probabilities=self.probabilities,
            trial_y=self.trial_y,
            folds=self.folds,
            trials=self.trials,
            n_train=self.n_train,
            decision_s=self.decision_s,
            **scores,
        )


def details_path(model: Path) -> Path:
    """Return where the arrays of an attempt are, beside its model."""
    return model.with_suffix(".npz")


def save_details(path: Path, details: AttemptDetails) -> None:
    """Write the arrays of an attempt, whole or not at all.

    Raises
    ------
    RecordingError
        When it cannot be written.
    """
    arrays: dict[str, Any] = {
        name: getattr(details, name)
        for name in ("probabilities", "trial_y", "folds", "trials", "onsets_s")
    }
    arrays |= {
        "classes": np.array(details.classes),
        "n_train": np.array(details.n_train, dtype=np.int64),
        "numbers": np.array([details.decision_s, details.rate_hz]),
        "pattern_titles": np.array(details.patterns.titles, dtype=np.str_),
        "pattern_channels": np.array(details.patterns.channels, dtype=np.str_),
        "pattern_words": np.array([details.patterns.unit, details.patterns.why_no_map]),
        "pattern_values": details.patterns.values,
        # Pixels are for the eye.
        "pattern_images": details.patterns.images.astype(np.float32),
        "pattern_points": details.patterns.points,
        "search_subsets": np.array([found.subset for found in details.search], dtype=np.str_),
    }
    for number, found in enumerate(details.search):
        for name in ("orders", "lags", "scores", "exact", "Cs", "kernels"):
            arrays[f"search_{number}_{name}"] = np.asarray(getattr(found, name))
        arrays[f"search_{number}_chosen"] = np.array(found.chosen or (), dtype=np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(buffer.getvalue())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written ({error.strerror}): make room on the disk"
        ) from error


def load_details(path: Path) -> AttemptDetails | None:
    """Read the arrays of an attempt; None where there are none, or they cannot be read.

    A file is read once as long as it does not change: the window asks at every click.
    """
    try:
        now = path.stat()
        return _read(path, now.st_mtime_ns, now.st_size)
    except (OSError, ValueError, KeyError, EOFError):
        return None


@lru_cache(maxsize=16)
def _read(path: Path, changed_ns: int, size: int) -> AttemptDetails:
    with np.load(path, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    return _details(arrays)


def _details(arrays: Mapping[str, Any]) -> AttemptDetails:
    return AttemptDetails(
        classes=_words(arrays["classes"]),
        probabilities=arrays["probabilities"],
        trial_y=arrays["trial_y"],
        folds=arrays["folds"],
        trials=arrays["trials"],
        onsets_s=arrays["onsets_s"],
        n_train=tuple(int(n) for n in arrays["n_train"]),
        decision_s=float(arrays["numbers"][0]),
        rate_hz=float(arrays["numbers"][1]),
        patterns=Patterns(
            titles=_words(arrays["pattern_titles"]),
            values=arrays["pattern_values"],
            images=arrays["pattern_images"].astype(np.float64),
            points=arrays["pattern_points"],
            channels=_words(arrays["pattern_channels"]),
            unit=str(arrays["pattern_words"][0]),
            why_no_map=str(arrays["pattern_words"][1]),
        ),
        search=tuple(
            _search(arrays, number, str(subset))
            for number, subset in enumerate(arrays["search_subsets"])
        ),
    )


def _search(arrays: Mapping[str, Any], number: int, subset: str) -> SearchMap:
    found = {
        name: arrays[f"search_{number}_{name}"]
        for name in ("orders", "lags", "scores", "exact", "Cs", "kernels", "chosen")
    }
    chosen = found.pop("chosen")
    return SearchMap(
        subset=subset,
        orders=tuple(int(order) for order in found.pop("orders")),
        lags=tuple(int(lag) for lag in found.pop("lags")),
        chosen=(int(chosen[0]), int(chosen[1])) if len(chosen) else None,
        **found,
    )


def _words(array: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(word) for word in array)
