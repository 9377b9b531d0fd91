"""What a crash or a power cut left of a session: recordings that still go on, files that are cut.

::

    the window is killed in mid-run
        the recorder goes on ---- nobody comes for 10 minutes ----> it closes the file in order
            '-- the session is opened again: `RecoveryPart.orphans`
                    '-- `rejoin`: closed in order now, or recorded on until `Session.stop`
    the computer loses its power
        the file is cut ---- the session is opened again: it is completed, in place
"""

import logging
import re
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from psygnal import Signal, SignalGroup

from bci.errors import RolandicError
from bci.experiment.states import ExperimentError, tell
from bci.recording import control
from bci.recording.repair import repair_file
from bci.workspace import RunRecord

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["Orphan", "RecoveryEvents", "RecoveryPart"]

_log = logging.getLogger(__name__)

#: Between looks at what is recorded, while something is (s).
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Orphan:
    """A recording that goes on though whoever started it is gone.

    Attributes
    ----------
    path : Path
    closes_at : datetime or None
        When it is closed in order if nobody takes it over.
    """

    path: Path
    closes_at: datetime | None = None


class RecoveryEvents(SignalGroup):
    """What is found."""

    #: `RecoveryPart.orphans` or `RecoveryPart.recovered` has changed.
    changed = Signal()


class RecoveryPart:
    """What a crash or a power cut left of a session.

    Parameters
    ----------
    session : Session
    told : str
        What was done about a damaged record; empty: it is whole.

    Attributes
    ----------
    orphans : tuple of Orphan
        Recordings in the session's folder that wait to be rejoined.
    recovered : tuple of RunRecord
        Runs that were not on the record and are now.
    told : tuple of str
        What was done, for people.
    """

    def __init__(self, session: "Session", told: str = "") -> None:
        self._session = session
        self.events = RecoveryEvents()
        self.told: tuple[str, ...] = (told,) if told else ()
        self.orphans: tuple[Orphan, ...] = ()
        self._others: frozenset[Path] = frozenset()
        self._closing = threading.Event()
        self._look()
        found = session.record.adopt(but=self._recorded())
        self.recovered: tuple[RunRecord, ...] = tuple(found)
        self._thread = threading.Thread(target=self._work, args=(found,), name="recovery")
        self._thread.daemon = True
        if found or self.orphans or self._others:
            self._thread.start()

    def rejoin(self, orphan: Orphan, *, go_on: bool) -> None:
        """Take a recording over, in the run's thread; it is a run of the session from then on.

        Parameters
        ----------
        orphan : Orphan
        go_on : bool
            Record on, with the cues of this session, until `Session.stop`; else it is closed now.

        Raises
        ------
        ExperimentError
            When a run is going on.
        """
        session = self._session
        self.orphans = tuple(item for item in self.orphans if item.path != orphan.path)

        def work() -> tuple[RunRecord | None, str]:
            failure = ""
            try:
                session.experiment.rejoin(orphan.path, session.cues_query, go_on=go_on)
            except RolandicError as error:
                failure = str(error)
            except Exception as error:
                _log.exception("rejoining failed")
                failure = f"rejoining failed: {type(error).__name__}: {error}"
            record = self._take_up(orphan.path, failure)
            tell(self.events.changed)
            return record, failure

        try:
            session.start_rejoin(work)
        except ExperimentError:
            self.orphans = (*self.orphans, orphan)
            raise
        tell(self.events.changed)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is looked after; for scripts, never in the window's thread."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def close(self) -> None:
        """End what runs; recordings that were not rejoined go on for their time."""
        self._closing.set()
        self.wait(30.0)

    # --- in the thread --------------------------------------------------------------------

    def _work(self, found: list[RunRecord]) -> None:
        """Complete what is cut; follow recordings until they are closed, or rejoined."""
        for run in found:
            if self._closing.is_set():
                return
            self._mend(run)
        while (self.orphans or self._others) and not self._closing.wait(_LOOK_S):
            before = self._recorded()
            self._look()
            for path in before - self._recorded():
                if self._session.active is None and not self._is_known(path):
                    run_ = self._take_up(path, "closed by itself: nobody rejoined it")
                    if run_ is not None:
                        self._say(f"{path.name} was closed in order, and is a run of this session")
                        self._session.save()
            if before != self._recorded():
                tell(self.events.changed)

    def _mend(self, run: RunRecord) -> None:
        path = self._session.record.path(run.file)
        run.began = run.began or _began(path)
        left = control.read_report(path)
        if left is not None:
            run.note = f"{run.note}; {left['reason']}"
            control.remove(path, report=True)
        try:
            report = repair_file(path, in_place=True)
        except (RolandicError, OSError) as error:
            self._say(f"{path.name} was found again and cannot be completed: {error}")
            return
        if report.is_whole:
            self._say(f"{path.name} was found again, whole")
        else:
            run.note = f"{run.note}; its file was cut, and is completed"
            self._say(f"{path.name} was cut and is completed: all that was written is in it")
        self._session.save()

    def _say(self, text: str) -> None:
        self.told = (*self.told, text)
        self._session.notice(text, "caution", "session")
        tell(self.events.changed)

    # --- in any ---------------------------------------------------------------------------

    def _look(self) -> None:
        """See what is recorded in the folder, and by whom."""
        own = self._session.experiment.recording
        rejoined = own.path if own is not None and self._session.active is not None else None
        orphans, others = [], []
        for path, closes_at in control.orphans(self._session.folder):
            if path == rejoined:
                continue
            if closes_at:
                orphans.append(Orphan(path, datetime.fromisoformat(closes_at)))
            else:  # its owner lives, or has been gone for a moment
                others.append(path)
        self.orphans, self._others = tuple(orphans), frozenset(others)

    def _recorded(self) -> frozenset[Path]:
        return self._others | {orphan.path for orphan in self.orphans}

    def _is_known(self, path: Path) -> bool:
        return any(run.file == path.name for run in self._session.record.runs)

    def _take_up(self, path: Path, note: str) -> RunRecord | None:
        """Put a recording on the record, as far as it goes; its report is read, and goes."""
        control.remove(path, report=True)
        if not path.is_file() or self._is_known(path):
            return None
        kind: Literal["calibration", "online"] = (
            "online" if path.name.startswith("online") else "calibration"
        )
        record = RunRecord(
            path.name, kind, completed=False, began=_began(path),
            note=note or "rejoined after a crash",
        )  # fmt: skip
        self._session.record.runs.append(record)
        self.recovered = (*self.recovered, record)
        return record


def _began(path: Path) -> str:
    """Return when a recording began, as its first line says it."""
    try:
        with path.open("rb") as file:
            found = re.search(rb"<datetime>([^<]+)</datetime>", file.read(512))
    except OSError:
        return ""
    return found[1].decode("ascii", "replace") if found else ""
