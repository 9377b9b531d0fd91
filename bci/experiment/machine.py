"""The experiment: the state machine that the commands and the window both drive.

::

           connect                calibrate
    IDLE ------------> MONITORING <---------> CALIBRATING <--------.
      ^                |      |                                    | calibrate
      |   disconnect   |      |                         go_online  v
      '----------------'      '---- train ----> TRAINED <-------> ONLINE
                                                (connected or not)
    any --close--> CLOSED (a run that is going on is ended first)

A run that is over, or failed, returns to where it started from. A method that the state does not
allow raises `ExperimentError` with the reason, which
`why_not` also gives to whoever wants to show it beforehand. `calibrate`, `train` and `go_online`
return when their work is done; `stop`, from any thread, ends a run early. Events come in the
thread that caused them (psygnal); a window relays them to its own.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bci.acquisition import Acquisition
from bci.config import EpochSettings, OnlineSettings
from bci.decoders import Model, platform_card
from bci.decoders.recentering import check_time_constant
from bci.errors import InputError, RecordingError, RolandicError, StreamLostError
from bci.evaluation.training import train_model
from bci.experiment.runs import OnlineResult, Run, RunContext
from bci.experiment.states import ExperimentError, ExperimentEvents, State, tell
from bci.experiment.streams import Streams
from bci.online import LiveDecoding
from bci.online.outputs import Output
from bci.private import private_folder
from bci.recording import RecorderSummary, RunRecording
from bci.recording.eventlog import EventLog, session_files
from bci.recording.naming import next_free, release
from bci.sources.discovery import StreamQuery
from bci.sources.files import file_hash
from bci.sources.reading import open_recording, recording_hash

__all__ = ["Experiment"]

_log = logging.getLogger(__name__)


class Experiment:
    """A session with one person: connect, calibrate, train, go online.

    Parameters
    ----------
    folder : Path
        Gets the recordings, the model and the event log; made if it is not there.
    epochs : EpochSettings
    online : OnlineSettings
    decoder : str
        Name in the registry.
    params : mapping
        Of the decoder.
    recenter_s : float, optional
        Let the reference point follow the signal online, with this time constant (s).
    give_up_s : float
        A run whose stream has sent nothing for so long has failed (s). Until then the stream is
        looked for, and no decision is made.
    """

    def __init__(
        self,
        folder: Path,
        epochs: EpochSettings,
        online: OnlineSettings,
        *,
        decoder: str = "acm-svm",
        params: Mapping[str, Any] | None = None,
        recenter_s: float | None = None,
        give_up_s: float = 20.0,
    ) -> None:
        if recenter_s is not None:
            check_time_constant(recenter_s)
        private_folder(folder)
        self.folder, self.epochs, self.online = folder, epochs, online
        self.decoder, self.params, self.recenter_s = decoder, dict(params or {}), recenter_s
        self.give_up_s = give_up_s
        self.events = ExperimentEvents()
        self.state = State.IDLE
        self.calibrations: list[Path] = []
        self.recorded: list[RecorderSummary] = []
        self.model: Model | None = None
        self.model_path = folder / "model.bci"
        self.log = EventLog(folder / "session.jsonl")
        self._streams = Streams(self.log, self._notice)
        self._work = threading.RLock()
        self._cancelled = threading.Event()
        self._failure: BaseException | None = None
        self._recording: RunRecording | None = None
        self.log.write("session_started", platform=platform_card(), decoder=decoder)

    @property
    def acquisition(self) -> Acquisition | None:
        """Of the connected stream."""
        return self._streams.acquisition

    @property
    def rate_hz(self) -> float:
        """Of the connected stream (Hz)."""
        return self._streams.connected().info.rate_hz

    # --- what can be done now -------------------------------------------------------------

    def why_not(self, wish: str) -> str | None:
        """Say why `connect`, `calibrate`, `train` or `go_online` cannot be done now; else None."""
        if self.state is State.CLOSED:
            return "the session is closed"
        if self.state in (State.CALIBRATING, State.ONLINE):
            return f"a run is going on ({self.state.value}): stop it first"
        if wish == "connect" and self.acquisition is not None:
            return "a stream is connected: disconnect it first"
        if wish in ("calibrate", "go_online") and self.acquisition is None:
            return "no stream is connected"
        if wish == "train" and not self.calibrations:
            return "there is no calibration run to train on"
        if wish == "go_online" and self.model is None:
            return "there is no decoder: calibrate and train first"
        return None

    def _enter(self, state: State) -> None:
        self.state = state
        tell(self.events.state_changed, state)

    def _rest(self) -> None:
        """Return to where runs start from."""
        if self.model is not None:
            self._enter(State.TRAINED)
        else:
            self._enter(State.IDLE if self.acquisition is None else State.MONITORING)

    @contextmanager
    def _working(self, wish: str, state: State | None = None) -> Iterator[None]:
        """Do one thing at a time; `close` waits for it."""
        if not self._work.acquire(blocking=False):
            raise ExperimentError(f"{wish.replace('_', ' ')}: another step is going on")
        try:
            reason = self.why_not(wish)
            if reason is not None:
                raise ExperimentError(f"{wish.replace('_', ' ')}: {reason}")
            if state is not None:
                self._enter(state)
            try:
                yield
            finally:
                self._rest()
        finally:
            self._work.release()

    def _notice(self, text: str) -> None:
        """Say a thing, also when the log does not take it."""
        try:
            self.log.write("noticed", text=text)
        except RecordingError as error:
            _log.error("%s", error)
        tell(self.events.noticed, text)

    def _fail(self, error: BaseException) -> None:
        """End the run that is going on: something that it needs has failed."""
        if self._failure is None:
            self._failure = error
        self._cancelled.set()

    # --- streams --------------------------------------------------------------------------

    def connect(
        self,
        eeg: StreamQuery,
        markers: StreamQuery | None = None,
        *,
        unit: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Acquire an EEG stream and listen to a marker stream.

        Raises
        ------
        StreamError
            When a stream is not found.
        ExperimentError
            When one is connected already.
        """
        with self._working("connect"):
            self._streams.connect(eeg, markers, unit, timeout_s)

    def disconnect(self) -> None:
        """Let go of the streams.

        Raises
        ------
        ExperimentError
            While a run is going on.
        """
        with self._working("disconnect"):
            self._streams.let_go()

    # --- runs -----------------------------------------------------------------------------

    def calibrate(self, run: Run) -> Path:
        """Record a run for `train` to learn from.

        A run that was stopped early is used as far as it goes. One that failed stays in its file,
        but is not used.

        Returns
        -------
        Path
            Of the recording.

        Raises
        ------
        StreamLostError
            When the stream stopped; what was recorded until then is kept.
        """
        with self._working("calibrate", State.CALIBRATING):
            path = next_free(self.folder, "calibration-{run}.xdf")
            self._recorded_run(run, path)
            self.calibrations.append(path)
        return path

    def _recorded_run(self, run: Run, path: Path) -> bool:
        """Carry a run out while a recorder of its own process writes the streams down."""
        acquisition = self._streams.connected()
        first_sample = acquisition.ring.n_written
        self._cancelled.clear()
        self._failure = None
        recording = RunRecording(self._streams.queries, path, self.log, self._notice, self._fail)
        self._recording = recording
        try:
            recording.start()
        except BaseException:
            release(path)
            raise
        completed = False
        context = RunContext(
            acquisition.ring, self._cancelled, partial(tell, self.events.step_reached)
        )
        try:
            with self._streams.needed(self.give_up_s, self._fail):
                completed = run(context)
        except StreamLostError as error:
            # The acquisition knows which stream it was, and what to do.
            self._fail(acquisition.error or error)
            raise (acquisition.error or error) from None
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            try:
                self.recorded.append(recording.stop(completed=completed))
            except RolandicError as error:
                self._fail(error)
            for notice in self._gap_notice(acquisition, first_sample, path):
                self._notice(notice)
        acquisition.raise_error()
        if self._failure is not None:
            raise self._failure
        return completed

    @staticmethod
    def _gap_notice(acquisition: Acquisition, first_sample: int, path: Path) -> list[str]:
        """Say what is missing within a run; a pause of the stream before it is no loss."""
        gaps = [gap for gap in acquisition.gaps if gap.began_at > first_sample]
        if not gaps:
            return []
        lost_s = sum(gap.lost_s for gap in gaps)
        return [f"{path.name}: {len(gaps)} gaps, {lost_s:.2f} s of signal are missing"]

    def train(self) -> Model:
        """Train the decoder on the calibration runs and save it as ``model.bci``.

        Raises
        ------
        TrialError, ChannelError
            When the recordings do not hold what training needs.
        """
        with self._working("train"):
            model = train_model(
                [open_recording(path, unit=self._streams.unit) for path in self.calibrations],
                self.epochs,
                self.decoder,
                self.params,
                recenter_s=self.recenter_s,
                progress=partial(tell, self.events.training_progressed),
            )
            model.save(self.model_path, overwrite=True)
            self.model = model
            self.log.write(
                "model_trained",
                file=self.model_path.name,
                sha256=recording_hash(self.model_path),
                decoder=self.decoder,
                recenter_s=self.recenter_s,
                recordings=[path.name for path in self.calibrations],
            )
        return model

    def go_online(self, run: Run, *, outputs: Sequence[Output] = ()) -> OnlineResult:
        """Decode a run live, and record it.

        Parameters
        ----------
        run : Run
        outputs : sequence of callables
            Called with each decision in the decoder's thread; a `DecisionOutlet` puts them on the
            network.

        Raises
        ------
        StreamLostError
            When the stream stopped; what was recorded and decided until then is kept.
        ModelError
            When the stream does not have what the model needs.
        """
        with self._working("go_online", State.ONLINE):
            acquisition, model = self._streams.connected(), self.model
            if model is None:
                raise ExperimentError("there is no decoder: calibrate and train first")
            live = LiveDecoding(
                model,
                acquisition,
                self.online,
                self.log,
                {
                    "model": self.model_path.name,
                    "model_sha256": recording_hash(self.model_path),
                    "unit": self._streams.unit,
                    "platform": platform_card(),
                },
                outputs=[*outputs, partial(tell, self.events.decision_made)],
                on_cue=partial(tell, self.events.cue_received),
                on_outcome=partial(tell, self.events.trial_finished),
                on_failure=self._fail,
                on_notice=self._notice,
                recorder=lambda: self._recording.status if self._recording is not None else None,
            )

            def decide(context: RunContext) -> bool:
                try:
                    live.begin()
                    return run(context)
                finally:
                    live.finish()

            path = next_free(self.folder, "online-{run}.xdf")
            self._streams.marker_takers.append(live.take_marker)
            try:
                completed = self._recorded_run(decide, path)
            finally:
                self._streams.marker_takers.remove(live.take_marker)
            return OnlineResult(
                path,
                self.recorded[-1],
                live.decisions,
                live.outcomes,
                completed,
                live.moved_db,
                live.latency,
            )

    def stop(self) -> None:
        """End a run that is going on; from any thread."""
        self._cancelled.set()

    def close(self) -> None:
        """End the session, and a run that is going on; more than once is harmless."""
        self.stop()
        with self._work:
            if self.state is State.CLOSED:
                return
            try:
                self._streams.let_go()
            finally:
                self._seal()
                self._enter(State.CLOSED)

    def _seal(self) -> None:
        """Close the log with the hash of each file; what has been hashed is not read again."""
        known = {
            summary.path.name: summary.readback.sha256
            for summary in self.recorded
            if summary.readback is not None
        }
        try:
            with self.log:
                self.log.write("session_closed")
                self.log.seal(
                    {
                        name: known.get(name) or file_hash(file)
                        for name, file in session_files(self.log.path).items()
                    }
                )
        except (InputError, OSError) as error:
            tell(self.events.noticed, f"the event log could not be sealed: {error}")
