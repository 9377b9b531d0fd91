"""Every decision that was logged live against the same decision, made again from the recording."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.errors import ModelError, RecordingError
from bci.online.decision import Decision
from bci.online.logged import F64, LoggedRun, logged_runs, raw_stamps
from bci.online.replay import Progress, Replay, decode, outcomes_of
from bci.sources.recording import Recording

__all__ = ["RunVerification", "Verification", "verify"]

#: How much later than the recorder the decoder may lose a connection (s). Measured: 22 to 62 ms.
_SAME_LOSS_S = 1.0
_N_TOLD = 5


@dataclass(frozen=True, slots=True)
class RunVerification:
    """How a replay compares with one run of the decoder.

    Attributes
    ----------
    stamp : float
        Of its first sample, as sent (s).
    n_logged, n_identical : int
        Decisions in the log, and those that the replay reproduced to the last bit.
    n_absent : int
        Decisions on samples that are not in the file.
    absent : tuple of int or None
        Sample, as logged, of the first and of the last of them.
    absent_explained : bool
        They are the last before the connection was lost, by the log: the decoder lost it a moment
        later than the recorder.
    max_difference : float
        Largest difference of a probability.
    differences : tuple of str
        The first few, in words.
    complete : bool
        Whether the log goes on to the end of the run; what was cut off cannot be compared.
    ended : str
        Why it ended.
    n_updates, n_updates_identical : int
        What the decoder's arm learned from, and what came out with the same bits.
    """

    stamp: float
    n_logged: int
    n_identical: int
    n_absent: int
    absent: tuple[int, int] | None
    absent_explained: bool
    max_difference: float
    differences: tuple[str, ...]
    complete: bool
    ended: str
    n_updates: int = 0
    n_updates_identical: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Verification:
    """How a replay compares with the decisions that were logged live.

    Attributes
    ----------
    runs : tuple of RunVerification
        A run ends with the connection of the stream; another begins after its return.
    same_machine : bool
        Whether the log names this machine's processor and library versions: only then is the
        last bit promised; elsewhere 1e-9.
    """

    runs: tuple[RunVerification, ...]
    same_machine: bool

    @property
    def n_logged(self) -> int:
        """Decisions in the log."""
        return sum(run.n_logged for run in self.runs)

    @property
    def n_identical(self) -> int:
        """Decisions that the replay reproduced to the last bit."""
        return sum(run.n_identical for run in self.runs)

    @property
    def n_absent(self) -> int:
        """Decisions on samples that are not in the file."""
        return sum(run.n_absent for run in self.runs)

    @property
    def n_unexplained(self) -> int:
        """Those of them that no loss of the connection explains."""
        return sum(run.n_absent for run in self.runs if not run.absent_explained)

    @property
    def max_difference(self) -> float:
        """Largest difference of a probability."""
        return max((run.max_difference for run in self.runs), default=0.0)

    @property
    def differences(self) -> tuple[str, ...]:
        """The first few, in words."""
        return tuple(text for run in self.runs for text in run.differences)[:_N_TOLD]

    @property
    def complete(self) -> bool:
        """Whether the log goes on to the end of each run."""
        return all(run.complete for run in self.runs)

    @property
    def n_failed(self) -> int:
        """Decisions that should have been reproduced and were not."""
        explained = self.n_absent - self.n_unexplained
        return self.n_logged - self.n_identical - explained

    @property
    def n_updates_failed(self) -> int:
        """Updates of the decoder's arm that came out with other bits."""
        return sum(run.n_updates - run.n_updates_identical for run in self.runs)

    @property
    def reproduced(self) -> bool:
        """Whether every decision came out as logged, as exactly as can be asked for here."""
        if self.same_machine:
            return self.complete and not self.n_failed and not self.n_updates_failed
        return (
            self.complete
            and not self.differences
            and not self.n_unexplained
            and self.max_difference <= 1e-9
        )


def verify(
    recording: Recording,
    model: Model,
    model_sha256: str,
    log_path: Path,
    platform: dict[str, str],
    progress: Progress | None = None,
) -> tuple[Replay, Verification]:
    """Replay the online runs of a recording and compare each decision with the one logged live.

    Raises
    ------
    RecordingError
        When the log is broken, holds no online run of this recording, or no decision.
    ModelError
        When the log names another model.
    """
    try:
        return _verified(recording, model, model_sha256, log_path, platform, progress)
    except (KeyError, TypeError) as error:
        raise RecordingError(
            f"{log_path}: an event lacks what this version of Rolandic needs ({error}): verify it "
            "with the version that wrote it (named in its first line)"
        ) from error


def _verified(
    recording: Recording,
    model: Model,
    model_sha256: str,
    log_path: Path,
    platform: dict[str, str],
    progress: Progress | None,
) -> tuple[Replay, Verification]:
    runs = logged_runs(recording, log_path)
    if any(run.start["model_sha256"] != model_sha256 for run in runs):
        raise ModelError(f"{log_path}: this run was decided by another model (its SHA-256 differs)")
    if not any(run.decisions for run in runs):
        raise RecordingError(f"{log_path}: the log holds no decision to compare with")
    stamps = recording.stamps
    if any(run.found_in(stamps) is None for run in runs):
        stamps = raw_stamps(recording)
    began = time.perf_counter()
    decisions: list[Decision] = []
    moved_db, found, n_done = None, [], 0
    for run in runs:
        part = _Part.of(run, recording, stamps)
        again: list[Decision] = []
        hashes: dict[int, str] = {}
        if part is not None:
            report = progress and partial(_report, progress, part.first, recording.n_samples)
            again, hashes, moved_db = part.decode(model, report)
            n_done += part.stop - part.first
        found.append(_compared(run, part, again, hashes))
        decisions += again
    elapsed_s = time.perf_counter() - began
    settings = OnlineSettings.make(**runs[0].start["settings"])
    outcome = Replay(
        decisions,
        outcomes_of(recording, model, settings, decisions),
        elapsed_s,
        n_done / recording.info.rate_hz / elapsed_s,
        moved_db,
    )
    same_machine = all(run.start["platform"] == platform for run in runs)
    return outcome, Verification(tuple(found), same_machine)


def _report(progress: Progress, first: int, n_samples: int, done: int, of: int) -> None:
    progress(min(first + done, n_samples), n_samples)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a recording holds of a run.

    Attributes
    ----------
    first, stop : int
        Samples of the file: the run's first, and where the connection ended for the recorder.
    """

    run: LoggedRun
    recording: Recording
    stamps: F64
    first: int
    stop: int

    @classmethod
    def of(cls, run: LoggedRun, recording: Recording, stamps: F64) -> "_Part | None":
        first = run.found_in(stamps)
        if first is None:
            return None
        stop = min((r for r in recording.returns if r > first), default=recording.n_samples)
        return cls(run, recording, stamps, first, stop)

    @property
    def shift(self) -> int:
        """From the samples of the log to those of the file."""
        return self.first - int(self.run.start["sample"])

    def decode(
        self, model: Model, progress: Callable[[int, int], None] | None
    ) -> tuple[list[Decision], dict[int, str], float | None]:
        """Decide again, as far as the log goes; and say what was learned at which sample."""
        last = max((d["sample"] for d in self.run.decisions), default=self.run.start["sample"])
        part = slice(self.first, min(self.stop, last + self.shift))
        alone = replace(
            self.recording,
            samples=self.recording.samples[part],
            stamps=np.ascontiguousarray(self.stamps[part]),
            markers=(),
            gaps=(),
            returns=(),
        )
        settings = OnlineSettings.make(**self.run.start["settings"])
        start = int(self.run.start["sample"])
        adaptation = self.run.adaptation(model, settings, -start)
        decisions, decoder = decode(
            alone,
            model,
            settings,
            script=self.run.script(-start),
            learned=self.run.start.get("recentering_carried_on"),
            progress=progress,
            adaptation=adaptation,
        )
        updates = adaptation.take_updates() if adaptation is not None else []
        hashes = {update.asked + start: update.state_sha256 for update in updates}
        decided = [replace(d, sample=d.sample + self.first) for d in decisions]
        return decided, hashes, decoder.moved_db


def _compared(
    run: LoggedRun, part: _Part | None, again: list[Decision], hashes: dict[int, str]
) -> RunVerification:
    shift = part.shift if part is not None else 0
    stop = part.stop if part is not None else 0
    present = [d for d in run.decisions if d["sample"] + shift <= stop]
    n_absent = len(run.decisions) - len(present)
    n_identical, largest, differences = _compare(present, again, shift)
    absent, explained = None, True
    if n_absent:
        absent = run.decisions[-n_absent]["sample"], run.decisions[-1]["sample"]
        explained = _is_explained(run, part)
        if not explained:
            differences.insert(0, _absence(part, n_absent, *absent))
    end = run.end or {}
    learned = [u for u in run.updates if not u["error"]]
    return RunVerification(
        stamp=run.start["stamp"],
        n_logged=len(run.decisions),
        n_identical=n_identical,
        n_absent=n_absent,
        absent=absent,
        absent_explained=explained,
        max_difference=largest,
        differences=tuple(differences[:_N_TOLD]),
        complete=run.complete,
        ended=str(end.get("reason", "")),
        n_updates=len(learned),
        n_updates_identical=sum(hashes.get(u["asked"]) == u["state_sha256"] for u in learned),
    )


def _is_explained(run: LoggedRun, part: _Part | None) -> bool:
    """Whether the log says that the connection was lost where the file ends."""
    if part is None or run.lost_at is None:
        return False
    late = run.lost_at + part.shift - part.stop
    return late <= _SAME_LOSS_S * part.recording.info.rate_hz


def _absence(part: _Part | None, n_absent: int, first: int, last: int) -> str:
    if part is None:
        return (
            f"samples {first} to {last}: none of {n_absent} decisions can be made again, the "
            "run's first sample is not in the file"
        )
    return f"samples {first} to {last}: the samples of {n_absent} decisions are not in the file"


def _compare(
    logged: list[dict[str, Any]], decisions: list[Decision], shift: int
) -> tuple[int, float, list[str]]:
    by_sample = {decision.sample: decision for decision in decisions}
    n_identical, largest, differences = 0, 0.0, []
    for event in logged:
        decision = by_sample.get(event["sample"] + shift)
        if decision is None:
            differences.append(f"sample {event['sample']}: the replay made no decision")
            continue
        live = (event["probabilities"], event["smoothed"])
        again = (decision.probabilities, decision.smoothed)
        if event["label"] != decision.label or event["reason"] != decision.reason:
            differences.append(
                f"sample {event['sample']}: live {event['label'] or event['reason']!r}, "
                f"replay {decision.label or decision.reason!r}"
            )
            continue
        identical = True
        for a, b in zip(live, again, strict=True):
            if (a is None) != (b is None):
                identical = False
                differences.append(f"sample {event['sample']}: decoded only once")
            elif a is not None and b is not None:
                gap = max(abs(x - y) for x, y in zip(a, b, strict=True))
                largest = max(largest, gap)
                identical &= gap == 0.0
        n_identical += identical
    return n_identical, largest, differences
