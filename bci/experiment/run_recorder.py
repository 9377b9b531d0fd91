"""Carrying a run out while a recorder of its own process writes the streams down.

================  ==================================  =============================
attribute         writer                              readers
================  ==================================  =============================
recording         the run's thread (swapped whole)    any
recorded          the run's thread (append-only)      any
failure           any, the first counts               the run's thread
================  ==================================  =============================
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bci.acquisition import Acquisition
from bci.errors import RolandicError, StreamLostError
from bci.experiment.runs import Run, RunContext
from bci.experiment.streams import Streams
from bci.recording import RecorderSummary, RunRecording
from bci.recording.eventlog import EventLog
from bci.recording.naming import release
from bci.sources.discovery import StreamQuery

__all__ = ["RunRecorder"]


class RunRecorder:
    """Records the runs of an experiment, one at a time.

    Parameters
    ----------
    streams : Streams
    log : EventLog
    on_notice : callable
        Called with a line.
    on_step : callable
        Called with each step of a presented run, and when it was reached.
    orphan_s : float
        How long a recording goes on when this process is gone (s).

    Attributes
    ----------
    recording : RunRecording or None
        Of the run that is going on, or of the last.
    recorded : list of RecorderSummary
        Of those that are over.
    """

    def __init__(
        self,
        streams: Streams,
        log: EventLog,
        on_notice: Callable[[str], None],
        on_step: Callable[..., Any],
        orphan_s: float,
    ) -> None:
        self._streams, self._log, self._on_notice = streams, log, on_notice
        self._on_step, self._orphan_s = on_step, orphan_s
        self._cancelled = threading.Event()
        self._failure: BaseException | None = None
        self.recording: RunRecording | None = None
        self.recorded: list[RecorderSummary] = []

    def stop(self) -> None:
        """End the run that is going on; from any thread."""
        self._cancelled.set()

    def fail(self, error: BaseException) -> None:
        """End the run that is going on: something that it needs has failed."""
        if self._failure is None:
            self._failure = error
        self._cancelled.set()

    def record(self, run: Run, path: Path, give_up_s: float) -> bool:
        """Carry a run out, and record it.

        Parameters
        ----------
        run : Run
        path : Path
            Taken, and empty.
        give_up_s : float
            A stream that has sent nothing for so long is lost (s).

        Returns
        -------
        bool
            Whether it came to its end.

        Raises
        ------
        StreamLostError
            When the stream stopped; what was recorded until then is kept.
        """
        acquisition = self._streams.connected()
        first_sample = acquisition.ring.n_written
        recording = RunRecording(
            self._streams.queries, path, self._log, self._on_notice, self.fail,
            orphan_s=self._orphan_s,
        )  # fmt: skip
        self._begin(recording)
        try:
            recording.start()
        except BaseException:
            release(path)
            raise
        completed = False
        context = RunContext(acquisition.ring, self._cancelled, self._on_step)
        try:
            with self._streams.needed(give_up_s, self.fail):
                completed = run(context)
        except StreamLostError as error:
            # The acquisition knows which stream it was, and what to do.
            self.fail(acquisition.error or error)
            raise (acquisition.error or error) from None
        except BaseException as error:
            self.fail(error)
            raise
        finally:
            try:
                self.recorded.append(recording.stop(completed=completed))
            except RolandicError as error:
                self.fail(error)
            for notice in _gap_notice(acquisition, first_sample, path):
                self._on_notice(notice)
        acquisition.raise_error()
        self._raise_failure()
        return completed

    def rejoin(self, path: Path, markers: StreamQuery | None, *, go_on: bool) -> None:
        """Take over a recording; see `Experiment.rejoin`."""
        recording = RunRecording.attach(path, self._log, self._on_notice, self.fail)
        self._begin(recording)
        try:
            if go_on and markers is not None:
                recording.add(markers)
            if go_on:
                self._cancelled.wait()
        finally:
            self.recorded.append(recording.stop(completed=False))
        self._raise_failure()

    def _begin(self, recording: RunRecording) -> None:
        self._cancelled.clear()
        self._failure = None
        self.recording = recording

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _gap_notice(acquisition: Acquisition, first_sample: int, path: Path) -> list[str]:
    """Say what is missing within a run; a pause of the stream before it is no loss."""
    gaps = [gap for gap in acquisition.gaps if gap.began_at > first_sample]
    if not gaps:
        return []
    lost_s = sum(gap.lost_s for gap in gaps)
    return [f"{path.name}: {len(gaps)} gaps, {lost_s:.2f} s of signal are missing"]
