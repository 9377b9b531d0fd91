"""What an event log says of the online runs in a recording.

A log can hold the runs of many recordings, and a recording several runs: one ends with each loss of
the connection. A run says in which recording it is; where that file has another name by now, its
first sample says it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bci.config import OnlineSettings
from bci.decoders.model import Model
from bci.errors import ModelError, RecordingError
from bci.online.adaptation import Adaptation, Update
from bci.online.decision import LATE, OVERRAN, STALE
from bci.online.decoder import Script
from bci.online.runner import CONNECTION_LOST
from bci.online.teaching import replayed_adaptation
from bci.recording.eventlog import read_event_log
from bci.sources.files import recording_hash
from bci.sources.recording import Recording
from bci.sources.xdf_streams import XdfStream, load_streams

__all__ = [
    "LoggedRun",
    "logged_model",
    "logged_runs",
    "logged_start",
    "logged_stream",
    "raw_stamps",
]

F64 = NDArray[np.float64]


@dataclass(slots=True)
class LoggedRun:
    """One run of a decoder, as logged.

    Attributes
    ----------
    start : dict
        The event ``online_started``.
    decisions : list of dict
    restarts : list of int
        Samples before which evidence was restarted.
    jumps : dict of int to int
        Where the ring overran, and where the decoder went on.
    updates : list of dict
        What the decoder's arm learned.
    broken_at : int or None
        The hop at which the arm was out.
    end : dict or None
        The event that ended it; None: the log does not go so far.
    """

    start: dict[str, Any]
    decisions: list[dict[str, Any]] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    jumps: dict[int, int] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    broken_at: int | None = None
    end: dict[str, Any] | None = None

    @property
    def recording(self) -> str | None:
        """Name of its file, where it was said."""
        name: str | None = self.start.get("recording")
        return name

    @property
    def complete(self) -> bool:
        """Whether the log goes on to the run's end."""
        if self.end is None:
            return False
        n_decisions = self.end.get("n_decisions", len(self.decisions))  # a failure counts none
        return bool(n_decisions == len(self.decisions))

    @property
    def lost_at(self) -> int | None:
        """The sample before which the connection was lost; None when another thing ended it."""
        if self.end is None or self.end.get("reason") != CONNECTION_LOST:
            return None
        sample: int = self.end["sample"]
        return sample

    def take(self, event: dict[str, Any]) -> None:
        """Take an event that came after the start."""
        kind = event["event"]
        if kind == "decision":
            self.decisions.append(event)
        elif kind == "evidence_restarted":
            self.restarts.append(event["sample"])
        elif kind == "overrun":
            self.jumps[event["sample"]] = event["to_sample"]
        elif kind == "adaptation_updated":
            self.updates.append(event)
        elif kind == "adaptation_failed":
            self.broken_at = event["sample"]
        elif kind in ("online_finished", "decoder_failed"):
            self.end = event

    def script(self, shift: int) -> Script:
        """Return what happened to the decoder from outside, with `shift` added to samples."""
        return Script(
            restarts={sample + shift for sample in self.restarts},
            withheld={
                d["sample"] + shift: d["reason"]
                for d in self.decisions
                if d["reason"] in (STALE, LATE, OVERRAN)
            },
            jumps={sample + shift: to + shift for sample, to in self.jumps.items()},
        )

    def adaptation(self, model: Model, settings: OnlineSettings, shift: int) -> Adaptation | None:
        """Return what learns again as it did live, with `shift` added to samples; None: nothing."""
        header = self.start.get("adaptation")
        if header is None:
            return None
        updates = [Update.from_dict(event, shift) for event in self.updates]
        broken_at = None if self.broken_at is None else self.broken_at + shift
        return replayed_adaptation(model, settings, header, updates, broken_at)

    def found_in(self, stamps: F64) -> int | None:
        """Return where its first sample is among stamps, or None."""
        return _found(self.start, stamps)


def _found(start: dict[str, Any], stamps: F64) -> int | None:
    found = np.flatnonzero(stamps == start["stamp"])
    # A sender may stamp whole packets alike: the log says which of them it was.
    at = start["stamp_repeat"]
    return int(found[at]) if len(found) > at else None


def logged_runs(recording: Recording, log_path: Path) -> list[LoggedRun]:
    """Return the online runs that a recording holds, by its log; the log is not held in memory.

    Raises
    ------
    RecordingError
        When the log is broken, or none of its runs is of this recording.
    """
    kept: list[LoggedRun] = []
    run: LoggedRun | None = None
    n_runs = 0
    for event in read_event_log(log_path):
        if event["event"] == "online_started":
            n_runs += 1
            run = LoggedRun(event)
            if run.recording == recording.path.name or run.found_in(recording.stamps) is not None:
                kept.append(run)
            else:
                run = None
        elif run is not None:
            run.take(event)
    if not kept:
        raise RecordingError(
            f"{recording.path}: holds none of the {n_runs} online runs of {log_path} "
            "(the stamp of their first sample is not in it): is it the recording of that session?"
        )
    # Files that follow each other overlap: the next one's run may begin within both.
    names = [run.recording for run in kept]
    name = recording.path.name if recording.path.name in names else names[0]
    return [run for run in kept if run.recording in (name, None)]


def raw_stamps(recording: Recording) -> F64:
    """Return the stamps as they were sent, also where the sender's clock was reset on the way."""
    try:
        streams = load_streams(recording.path).streams
    except (RecordingError, OSError):
        return recording.stamps
    for stream in streams:
        stamps = stream.stamps
        if len(stamps) == recording.n_samples and stamps[:1] == recording.stamps[:1]:
            return stamps
    return recording.stamps


def _starts(log_path: Path) -> Iterator[dict[str, Any]]:
    """Yield the starts of a log's runs; whether its chain holds is not asked here."""
    try:
        with log_path.open("rb") as file:
            for line in file:
                if b'"online_started"' not in line:
                    continue
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and event.get("event") == "online_started":
                    yield event
    except OSError as error:
        raise RecordingError(f"{log_path}: cannot be read as an event log ({error})") from error


def logged_start(log_path: Path, recording: Path) -> dict[str, Any]:
    """Return how the last run in a recording began; of the log, where none names that; else empty.

    Raises
    ------
    RecordingError
        When the log cannot be read.
    """
    last: dict[str, Any] = {}
    named: dict[str, Any] = {}
    for event in _starts(log_path):
        last = event
        if event.get("recording") == recording.name:
            named = event
    return named or last


def logged_model(log_path: Path, start: dict[str, Any]) -> Path:
    """Return the file of the model that a run was decided by.

    It is looked for where the log says that it is, and among the models beside the log; the
    SHA-256 must be the logged one.

    Raises
    ------
    ModelError
        When it is not there.
    """
    sha256, name = start.get("model_sha256"), start.get("model")
    folder = log_path.parent
    named = [folder / name, folder / Path(name).name] if isinstance(name, str) else []
    for path in dict.fromkeys([*named, *sorted(folder.glob("*.bci"))]):
        if path.is_file() and recording_hash(path) == sha256:
            return path
    if not start:
        raise ModelError(f"{log_path}: holds no online run, and so names no model: give --model")
    raise ModelError(
        f"{log_path}: the model {name or ''} with SHA-256 {str(sha256)[:12]}... is not found: "
        "give it with --model"
    )


def logged_stream(recording: Path, log_path: Path) -> str | None:
    """Return the number of the EEG stream that holds the logged runs, of a file with several.

    Returns
    -------
    str or None
        None where there is nothing to choose: one stream, no XDF, or no run in any.

    Raises
    ------
    RecordingError
        When several streams hold runs: each is verified by itself.
    """
    try:
        streams = load_streams(recording).streams
    except (RecordingError, OSError):
        return None
    sampled = [s for s in streams if s.text("type").upper() == "EEG" and len(s.stamps)]
    if len(sampled) < 2:
        return None
    starts = list(_starts(log_path))
    holding = [s for s in sampled if any(_holds(s, start) for start in starts)]
    if len(holding) > 1:
        raise RecordingError(
            f"{recording} holds online runs in {len(holding)} streams: choose one with --stream "
            f"({', '.join(str(s.stream_id) for s in holding)}), and then the other"
        )
    return str(holding[0].stream_id) if holding else None


def _holds(stream: XdfStream, start: dict[str, Any]) -> bool:
    try:
        return _found(start, stream.stamps) is not None
    except (KeyError, TypeError):
        return False
