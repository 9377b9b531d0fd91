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
from bci.decoders import Model, load_model, platform_card
from bci.decoders.adapt import reference_for, with_arm
from bci.decoders.recentering import check_time_constant
from bci.errors import InputError, RecordingError
from bci.evaluation.training import train_model
from bci.experiment.run_recorder import RunRecorder
from bci.experiment.runs import OnlineResult, Run, RunContext
from bci.experiment.sealing import next_log, seal_log
from bci.experiment.states import ExperimentError, ExperimentEvents, State, tell
from bci.experiment.streams import Streams
from bci.online import LiveDecoding
from bci.online.outputs import Output
from bci.online.teaching import adapt_settings, check_arm
from bci.private import private_folder
from bci.recording import RecorderSummary, RunRecording
from bci.recording.eventlog import EventLog
from bci.recording.naming import next_free
from bci.recording.status import RecorderStatus
from bci.sources.discovery import StreamQuery
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
    adapt : str
        Arm by which the decoder goes on learning online (`bci.decoders.adapt`); empty: what the
        model's card says, else none. It may be set anew between runs, as may the attribute
        `rewards`: empty, cues tell how a trial went; ``"key"``: `LiveDecoding.reward` does; else
        the name of an LSL stream that does.
    give_up_s : float
        A run whose stream has sent nothing for so long has failed (s). Until then the stream is
        looked for, and no decision is made.
    resume : bool
        The folder may hold a session already: it goes on there, in a log of its own.
    orphan_s : float
        How long a recording goes on when this process is gone; `rejoin` takes it over (s).
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
        adapt: str = "",
        give_up_s: float = 20.0,
        resume: bool = False,
        orphan_s: float = 60.0,
    ) -> None:
        if recenter_s is not None:
            check_time_constant(recenter_s)
        check_arm(adapt)
        private_folder(folder)
        self.folder, self.epochs, self.online = folder, epochs, online
        self.decoder, self.params, self.recenter_s = decoder, dict(params or {}), recenter_s
        self.give_up_s = give_up_s
        self.adapt, self.rewards = adapt, ""
        self._adapter_effect: dict[str, Any] | None = None
        self.events = ExperimentEvents()
        self.state = State.IDLE
        self.calibrations: list[Path] = []
        self.model: Model | None = None
        self.model_path = folder / "model.bci"
        self.log = EventLog(next_log(folder) if resume else folder / "session.jsonl")
        self._streams = Streams(self.log, self._notice)
        self._streams.marker_takers.append(partial(tell, self.events.marker_received))
        self._work = threading.RLock()
        self._runs = RunRecorder(
            self._streams, self.log, self._notice, partial(tell, self.events.step_reached), orphan_s
        )
        self._live: LiveDecoding | None = None
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

    def listen(self, markers: StreamQuery, timeout_s: float = 10.0) -> None:
        """Listen to other markers, from the next run on: they are recorded, and its cues.

        Raises
        ------
        StreamError
            When there is no such stream, or several; what was listened to stays.
        ExperimentError
            While a run is going on, or without a connection.
        """
        with self._working("listen"):
            self._streams.listen(markers, timeout_s)

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
            self._runs.record(run, path, self.give_up_s)
            self.calibrations.append(path)
        return path

    def rejoin(self, path: Path, markers: StreamQuery | None = None, *, go_on: bool) -> None:
        """Take over the recording of a run whose owner is gone, and close it in order.

        Parameters
        ----------
        path : Path
        markers : StreamQuery, optional
            Recorded from now on, too: those of the owner are gone with it.
        go_on : bool
            Record on until `stop`; else it is closed at once.

        Raises
        ------
        RecordingError
            When nothing records it any more, with how it ended; or it cannot be closed.
        """
        with self._working("rejoin", State.CALIBRATING):
            self._runs.rejoin(path, markers, go_on=go_on)

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
                recenter_s=self._reference_s,
                progress=partial(tell, self.events.training_progressed),
            )
            if self.adapt:
                model = with_arm(model, self.adapt)
            model.save(self.model_path, overwrite=True)
            self.model = model
            self.log.write(
                "model_trained",
                file=self.model_path.name,
                sha256=recording_hash(self.model_path),
                decoder=self.decoder,
                recenter_s=self._reference_s,
                recordings=[path.name for path in self.calibrations],
            )
        return model

    @property
    def _reference_s(self) -> float | None:
        if self.recenter_s is not None:
            return self.recenter_s
        return reference_for(self.adapt, self.decoder)

    def use_model(self, path: Path) -> Model:
        """Take a model that was trained before, here or elsewhere.

        Raises
        ------
        ModelError
            When it cannot be read, or the connected stream has not what it needs.
        """
        with self._working("use_model"):
            model = load_model(path)
            if self.acquisition is not None:
                model.match_stream(self.acquisition.info)
            self.model, self.model_path = model, path
            self.log.write("model_chosen", file=path.name, sha256=recording_hash(path))
        return model

    @property
    def live(self) -> LiveDecoding | None:
        """The decoder of the online run that is going on."""
        return self._live

    @property
    def adapter_effect(self) -> dict[str, Any] | None:
        """What adaptation comes to in the online run that goes on, or came to in the last.

        `bci.online.teaching.Teacher.effect`: among others the running score ``ahead``, and
        ``adapted`` and ``frozen``, accuracies on the same trials. None without adaptation.
        """
        live = self._live
        return live.adapter_effect if live is not None else self._adapter_effect

    @property
    def recording(self) -> RunRecording | None:
        """The recording of the run that is going on, or of the last."""
        return self._runs.recording

    @property
    def recorded(self) -> list[RecorderSummary]:
        """What the recorder said at the end of each run."""
        return self._runs.recorded

    def _recorder_status(self) -> RecorderStatus | None:
        return self.recording.status if self.recording is not None else None

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
            self._adapter_effect = None
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
                on_failure=self._runs.fail,
                on_notice=self._notice,
                recorder=self._recorder_status,
                adapt=adapt_settings(model, self.adapt, self.rewards),
            )

            def decide(context: RunContext) -> bool:
                try:
                    self._live = live
                    live.begin()
                    return run(context)
                finally:
                    live.finish()
                    self._adapter_effect = live.adapter_effect
                    self._live = None

            path = next_free(self.folder, "online-{run}.xdf")
            self._streams.marker_takers.append(live.take_marker)
            try:
                completed = self._runs.record(decide, path, self.give_up_s)
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
                live.adapter_effect,
            )

    def stop(self) -> None:
        """End a run that is going on; from any thread."""
        self._runs.stop()

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
        try:
            seal_log(self.log, self.recorded)
        except (InputError, OSError) as error:
            tell(self.events.noticed, f"the event log could not be sealed: {error}")
