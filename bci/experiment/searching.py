"""Looking for streams, and checking what a session needs, in threads that nobody waits for."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bci.checks import Check, failed
from bci.decoders import Model
from bci.errors import RolandicError
from bci.paradigm.graz import run_length_s
from bci.preflight import ExpectedStream, Plan, examine
from bci.preflight.streams import recorder_tells, tells_absence
from bci.sources.discovery import FoundStream, Lookout, StreamQuery
from bci.workspace import SessionSetup

__all__ = [
    "FoundEntry",
    "PreflightCheck",
    "StreamCounts",
    "StreamSearch",
    "counts_of",
    "planned",
    "spoken",
]

_log = logging.getLogger(__name__)

_EVERY_S = 0.5
_JOIN_S = 3.0


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """A stream that is on the network.

    Attributes
    ----------
    name, kind, source_id, host, dtype : str
    rate_hz : float
        0: irregular.
    n_channels : int
    why_not : str
        Why it cannot be the amplifier; empty: it can.
    twice : bool
        Another has the same source id.
    query : StreamQuery
        What finds it again.
    """

    name: str
    kind: str
    source_id: str
    host: str
    dtype: str
    rate_hz: float
    n_channels: int
    why_not: str
    twice: bool
    query: StreamQuery


def entries_of(found: Sequence[FoundStream], without: Sequence[str] = ()) -> tuple[FoundEntry, ...]:
    """Return what is said of streams, those that can be an amplifier first.

    Parameters
    ----------
    found : sequence of FoundStream
    without : sequence of str
        Source ids to leave out: those of this program.
    """
    shown = [stream for stream in found if stream.source_id not in without]
    ids = [stream.source_id for stream in shown]
    entries = []
    for stream in shown:
        twice = bool(stream.source_id) and ids.count(stream.source_id) > 1
        why_not = ""
        if stream.dtype == "string":
            why_not = "sends texts, no signals"
        elif not stream.rate_hz:
            why_not = "has no sampling rate"
        elif twice:
            why_not = "is there twice: end all but one of the programs that send it"
        entries.append(
            FoundEntry(
                stream.name, stream.kind, stream.source_id, stream.hostname, stream.dtype,
                stream.rate_hz, stream.n_channels, why_not, twice, StreamQuery.of(stream),
            )
        )  # fmt: skip
    return tuple(
        sorted(entries, key=lambda e: (bool(e.why_not), e.kind.upper() != "EEG", e.name, e.host))
    )


class StreamSearch:
    """Keeps looking for streams from `start` to `stop`.

    Parameters
    ----------
    told : callable
        Called in this thread with a tuple of `FoundEntry`, when it has changed.
    without : sequence of str
        Source ids to leave out.
    """

    def __init__(
        self, told: Callable[[tuple[FoundEntry, ...]], object], without: Sequence[str]
    ) -> None:
        self._told, self._without = told, without
        self.found: tuple[FoundEntry, ...] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream search", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; it is not waited for."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end, after `stop`."""
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            lookout = Lookout(StreamQuery())
            # The first answers come within half a second: an empty list before says nothing.
            wait_s = _EVERY_S
            while not self._stop.wait(wait_s):
                found = entries_of(lookout.found(), self._without)
                if found != self.found:
                    self.found = found
                    self._told(found)
        except Exception:
            _log.exception("streams are not looked for any more")


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """Of the streams that a session expects: how many are there once, not at all, or twice."""

    expected: int
    missing: int
    doubled: int

    @property
    def found(self) -> int:
        """Those that are there, once."""
        return self.expected - self.missing - self.doubled


def counts_of(checks: Sequence[Check], n_expected: int) -> StreamCounts:
    """Count what a pre-flight says of streams."""
    missing = sum(tells_absence(check) for check in checks)
    told = sum(recorder_tells(check) or " streams match " in check.detail for check in checks)
    return StreamCounts(n_expected, missing, told - missing)


def planned(
    folder: Path,
    setup: SessionSetup,
    connected: StreamQuery | None,
    cues_id: str,
    model: Model | None,
) -> tuple[Plan, dict[str, str]]:
    """Return what a session needs, and how a clinician calls the streams.

    Parameters
    ----------
    folder : Path
        Where recordings go.
    setup : SessionSetup
    connected : StreamQuery or None
        The amplifier that is connected; without one, the last that was, or any EEG.
    cues_id : str
        Source id of the session's own cues.
    model : Model or None
        What the amplifier must fit.

    Returns
    -------
    plan : Plan
    names : dict of str to str
        By the label of an expected stream.
    """
    if connected is None:
        connected = StreamQuery(source_id=setup.stream) if setup.stream else StreamQuery(kind="EEG")
    amplifier = ExpectedStream.make(
        name=connected.name,
        kind=connected.kind,
        source_id=connected.source_id,
        channels=setup.epochs.channels,
        unit=setup.unit or None,
    )
    cues = ExpectedStream.make(source_id=cues_id)
    fits = {} if model is None else {amplifier.label: model.match_stream}
    planned_s = setup.protocol.n_runs * run_length_s(setup.protocol)
    plan = Plan(folder, (amplifier, cues), planned_s, fits=fits)
    return plan, {amplifier.label: "amplifier", cues.label: "cues"}


def spoken(checks: Sequence[Check], names: Mapping[str, str]) -> tuple[Check, ...]:
    """Return checks with the streams' names: neither source ids nor options of commands."""
    told = []
    for check in checks:
        label, colon, rest = check.name.partition(": ")
        name = names.get(label, label) + colon + rest
        advice = check.advice.split("; one of another machine")[0]
        told.append(replace(check, name=name, advice=advice))
    return tuple(told)


class PreflightCheck:
    """One round of checks, from `start` on.

    Parameters
    ----------
    plan : Plan
    told : callable
        Called in this thread with all checks so far (tuple of `Check`), and whether it is done.
    """

    def __init__(self, plan: Plan, told: Callable[[tuple[Check, ...], bool], object]) -> None:
        self._plan, self._told = plan, told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preflight", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Say nothing any more; it ends by itself."""
        self._stop.set()

    def join(self, timeout_s: float = _JOIN_S) -> None:
        """Wait for its end."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        checks: list[Check] = []
        try:
            for check in examine(self._plan):
                if self._stop.is_set():
                    return
                checks.append(check)
                self._told(tuple(checks), False)
        except RolandicError as error:
            checks.append(failed("pre-flight", str(error), "mend this, then check again"))
        except Exception as error:
            _log.exception("the pre-flight failed")
            checks.append(
                failed("pre-flight", f"it failed: {type(error).__name__}: {error}", "check again")
            )
        if not self._stop.is_set():
            self._told(tuple(checks), True)
