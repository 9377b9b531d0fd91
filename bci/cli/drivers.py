"""What stands in for amplifier and person in the demo: a simulated person, or recordings."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bci.config import EpochSettings
from bci.errors import StreamError
from bci.experiment import Experiment, OnlineResult, RunContext
from bci.paradigm import GrazSettings, LslTime, Step, StreamTime, play_run, present_run
from bci.paradigm.graz import run_length_s
from bci.sources.amplifier import AmplifierProcess, RecordingFile
from bci.sources.discovery import StreamQuery
from bci.sources.headmodel import montage_labels
from bci.sources.labels import match_channels
from bci.sources.markers import MarkerOutlet

__all__ = [
    "SIMULATED_WINDOW_S",
    "Driver",
    "PlaybackDriver",
    "SampleCounts",
    "SimulatedDriver",
    "simulated_protocols",
]

#: The part of the simulated person's trials that is decoded: they are short, as is a demo.
SIMULATED_WINDOW_S = (0.5, 3.0)

# Cues leave this much of the simulated person's time before they are due (see `StreamTime`); less
# than the end of a run lasts, so that all that is cued is also recorded.
_AHEAD_S = 2.0

_CALIBRATION = GrazSettings(
    trials_per_class=20, fixation_s=1.0, imagery_s=3.5, pause_s=(1.0, 1.5), lead_s=3.0
)
_ONLINE_RUN = GrazSettings(
    trials_per_class=6, fixation_s=0.5, cue_s=1.0, imagery_s=3.0, pause_s=(0.3, 0.6), lead_s=1.0
)


def simulated_protocols(epochs: EpochSettings, seed: int) -> tuple[GrazSettings, GrazSettings]:
    """Return the protocols of the calibration and of the online run of the simulated person.

    Raises
    ------
    SettingsError
        For a class that nobody can be cued to imagine.
    ChannelError
        For a channel that the simulated amplifier does not have.
    """
    match_channels(epochs.channels, montage_labels("sensorimotor"))
    calibration, online = (
        GrazSettings.make(**protocol.model_dump() | {"classes": epochs.classes, "seed": seed + run})
        for run, protocol in enumerate((_CALIBRATION, _ONLINE_RUN))
    )
    return calibration, online


class SimulatedDriver:
    """Drives the experiment with a simulated person who watches the cues."""

    def __init__(self, experiment: Experiment, person: dict[str, Any], speed: float) -> None:
        self._experiment, self.speed = experiment, speed
        classes = experiment.epochs.classes
        self._calibration, self._online = simulated_protocols(experiment.epochs, person["seed"])
        self.n_trials = self._online.trials_per_class * len(classes)
        cues_id = f"rolandic-cues-{uuid.uuid4().hex[:8]}"
        self._outlet = MarkerOutlet("Rolandic cues", cues_id)
        self._cues = StreamQuery(source_id=cues_id)
        self._amplifier = AmplifierProcess(
            person=person, name="Rolandic simulated amplifier", cues=self._cues
        )

    def connect(self) -> None:
        """Start the amplifier and acquire it."""
        eeg_id, _ = self._amplifier.start()
        self._experiment.connect(StreamQuery(source_id=eeg_id), self._cues)
        _wait_until(
            self._amplifier.cues_connected,
            "the simulated person does not see the cues: LSL finds no streams on this machine; is "
            "multicast blocked by a firewall?",
        )

    def calibrate(self, said: Callable[[str], None]) -> None:
        """Run the protocol once, faster than real time."""
        length_s = run_length_s(self._calibration)
        n_trials = self._calibration.trials_per_class * len(self._calibration.classes)

        def on_step(step: Step, time_s: float) -> None:
            if step.trial is not None:
                said(f"trial {step.trial + 1} of {n_trials}")

        def run(context: RunContext) -> bool:
            self._amplifier.run(self.speed, backdate_s=length_s * (1 - 1 / self.speed))
            completed = present_run(
                self._calibration,
                self._outlet,
                StreamTime(context.ring, ahead_s=_AHEAD_S),
                context.cancelled,
                on_step=context.on_step,
            )
            self._amplifier.pause()
            return completed

        self._experiment.events.step_reached.connect(on_step)
        self._experiment.calibrate(run)
        self._experiment.events.step_reached.disconnect(on_step)

    def decode_live(self) -> OnlineResult:
        """Run the protocol once more, in real time."""
        self._amplifier.run(1.0)

        def run(context: RunContext) -> bool:
            completed = present_run(
                self._online,
                self._outlet,
                LslTime(context.ring),
                context.cancelled,
                run=1,
                on_step=context.on_step,
            )
            self._amplifier.pause()
            return completed

        return self._experiment.go_online(run)

    def counts(self) -> "SampleCounts":
        """Compare what was pushed with what was acquired and recorded."""
        pushed = sum(report.n_samples for report in self._amplifier.pause())
        acquired = _acquired(self._experiment, pushed)
        expected, recorded = 0, 0
        for summary in self._experiment.recorded:
            eeg = summary.streams[0]
            if eeg.first_stamp is not None and eeg.last_stamp is not None:
                rate_hz = self._experiment.rate_hz
                expected += round((eeg.last_stamp - eeg.first_stamp) * rate_hz) + 1
                recorded += eeg.n_samples
        return SampleCounts(pushed, acquired, expected, recorded)

    def close(self) -> None:
        """Stop the amplifier."""
        self._amplifier.stop()
        self._outlet.close()


class PlaybackDriver:
    """Drives the experiment with recordings played back over LSL."""

    def __init__(self, experiment: Experiment, files: list[RecordingFile], speed: float) -> None:
        self._experiment, self.speed = experiment, speed
        self._n_calibrations = len(files) - 1
        self._amplifier = AmplifierProcess(recordings=files, name="Rolandic player")
        self.n_trials: int | None = None

    def connect(self) -> None:
        """Start the player and acquire it."""
        eeg_id, markers_id = self._amplifier.start()
        self._experiment.connect(StreamQuery(source_id=eeg_id), StreamQuery(source_id=markers_id))

    def _play(self, index: int, speed: float, context: RunContext) -> bool:
        # All that still calibrates must have its stamps in the past; between two recordings the
        # amplifier leaves at least a second.
        durations_s = self._amplifier.durations_s()[index : self._n_calibrations]
        return play_run(
            self._amplifier,
            index,
            context.ring,
            context.cancelled,
            speed=speed,
            backdate_s=sum(durations_s) + 2.0 * len(durations_s),
        )

    def calibrate(self, said: Callable[[str], None]) -> None:
        """Play all recordings but the last, faster than real time."""
        for index in range(self._n_calibrations):
            said(f"recording {index + 1} of {self._n_calibrations}")
            self._experiment.calibrate(partial(self._play, index, self.speed))

    def decode_live(self) -> OnlineResult:
        """Play the last recording in real time."""
        return self._experiment.go_online(partial(self._play, self._n_calibrations, 1.0))

    def counts(self) -> "SampleCounts":
        """Compare what was pushed with what was acquired and recorded."""
        pushed = sum(report.n_samples for report in self._amplifier.pause())
        recorded = sum(summary.streams[0].n_samples for summary in self._experiment.recorded)
        return SampleCounts(pushed, _acquired(self._experiment, pushed), pushed, recorded)

    def close(self) -> None:
        """Stop the player."""
        self._amplifier.stop()


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """Samples of signal: pushed by the amplifier, in the ring, due in the files, in the files."""

    pushed: int
    acquired: int
    to_record: int
    recorded: int

    @property
    def lost(self) -> int:
        """Samples that are missing in the ring or in the files."""
        return max(self.pushed - self.acquired, self.to_record - self.recorded)


def _acquired(experiment: Experiment, pushed: int) -> int:
    if experiment.acquisition is None:
        return 0
    experiment.acquisition.ring.wait_for(pushed, 3.0)
    return experiment.acquisition.ring.n_written


def _wait_until(condition: Any, otherwise: str, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise StreamError(otherwise)
        time.sleep(0.05)


Driver = SimulatedDriver | PlaybackDriver
