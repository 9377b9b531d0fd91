"""A simulated amplifier in another process: recordings or a simulated person, on command.

Two outlets, one for signals and one for markers, are up from `start` to `stop`. Nothing is pushed
before `play` or `run`, so that whoever is to see every sample connects first. One race is left to
the receiver: an inlet's ``open_stream`` returns when the connection stands, and liblsl's sending
side enters the receiver into its list a little later, in a thread of its own (tcp_server.cpp); a
sample pushed between the two is not sent to it. So the first push after a command waits
`SETTLE_S`, several hundred times what the entry was seen to take.
"""

import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bci.errors import RecordingError, SettingsError
from bci.sources.child import ChildProcess
from bci.sources.discovery import StreamQuery
from bci.sources.faults import FaultyMarkers, FaultyOutlet, Outage, SenderClock
from bci.sources.outlet import wire_channels, wire_dtype
from bci.sources.playback import PlaybackSource
from bci.sources.reading import open_recording
from bci.sources.recording import Recording
from bci.sources.serve import CueListener, Server, ServeReport, VirtualClock
from bci.sources.simulate import SimulatedSource

__all__ = ["SETTLE_S", "AmplifierProcess", "RecordingFile", "same_streams"]

logger = logging.getLogger(__name__)

#: Between a command and the first sample (s).
SETTLE_S = 0.1
#: Between the last sample and the end of the outlets (s): what is on its way must arrive.
LINGER_S = 0.3
_MOST_LEAD_S = 20.0


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A recording to play, and how it is to be read.

    Attributes
    ----------
    path : Path
    unit : str or None
    labels : tuple of str or None
    stream : str or None
    """

    path: Path
    unit: str | None = None
    labels: tuple[str, ...] | None = None
    stream: str | None = None


def same_streams(recordings: Sequence[Recording]) -> None:
    """Check that recordings can be played on one outlet.

    Raises
    ------
    RecordingError
        When they disagree in sampling rate or channels.
    """
    first = recordings[0]
    for other in recordings[1:]:
        if other.info.rate_hz != first.info.rate_hz:
            raise RecordingError(
                f"{other.path} has {other.info.rate_hz:g} Hz, {first.path} has "
                f"{first.info.rate_hz:g} Hz: one amplifier plays recordings of one rate"
            )
        if other.info.labels != first.info.labels:
            raise RecordingError(
                f"{other.path} has other channels than {first.path}: one amplifier plays "
                "recordings of the same channels in the same order"
            )


class _Amplifier:
    """The worker in the child; each public method answers a request of the parent."""

    def __init__(
        self,
        recordings: tuple[RecordingFile | Recording, ...],
        person: dict[str, Any] | None,
        name: str,
        source_id: str,
        cue_query: StreamQuery | None,
    ) -> None:
        self._recordings = [
            item
            if isinstance(item, Recording)
            else open_recording(item.path, unit=item.unit, labels=item.labels, stream=item.stream)
            for item in recordings
        ]
        self._person: SimulatedSource | None = None
        if person is not None:
            self._person = SimulatedSource(**person)
            self._person.open()
            info = self._person.info
        else:
            same_streams(self._recordings)
            info = self._recordings[0].info
            kinds = {
                (wire_dtype(r.info.dtype), wire_channels(r.info.channels)) for r in self._recordings
            }
            if len(kinds) > 1:  # no type or unit holds all of them exactly
                info = replace(info, dtype="float32")
        info = replace(info, name=name, kind="EEG")
        self._eeg = FaultyOutlet(info, source_id)
        self._markers_out = FaultyMarkers(f"{name} markers", f"{source_id}-markers", self._eeg)
        self._server = Server(self._eeg, self._markers_out)
        self._cues = CueListener(cue_query) if cue_query is not None else None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reports: list[ServeReport] = []
        self._next_start_s: float | None = None
        self._failure: BaseException | None = None

    def durations(self) -> tuple[float, ...]:
        return tuple(float(r.stamps[-1] - r.stamps[0]) for r in self._recordings)

    def have_consumers(self) -> bool:
        return self._eeg.have_consumers()

    def cues_connected(self) -> bool:
        return self._cues is not None and self._cues.connected

    def play(self, index: int, speed: float, backdate_s: float) -> VirtualClock:
        if not 0 <= index < len(self._recordings):
            raise SettingsError(
                f"recording {index}: the amplifier holds {len(self._recordings)}, from 0"
            )
        recording = self._recordings[index]
        source = PlaybackSource(recording)
        return self._begin(source, recording, speed, backdate_s)

    def run(self, speed: float, backdate_s: float) -> VirtualClock:
        if self._person is None:
            raise SettingsError("the amplifier plays recordings: there is nobody to run")
        return self._begin(self._person, None, speed, backdate_s)

    def _begin(
        self,
        source: Any,
        recording: Recording | None,
        speed: float,
        backdate_s: float,
    ) -> VirtualClock:
        if self.busy():
            raise SettingsError("the amplifier is already playing: pause it or wait")
        self._join()
        self._server.set_speed(speed)
        self._stop = threading.Event()
        # In real time no sample may be stamped later than now: decisions on it would be early.
        time.sleep(max(SETTLE_S, min(self._server.lead_s(), _MOST_LEAD_S) if speed == 1 else 0.0))
        source.open()
        virtual = self._server.begin(backdate_s)
        self._thread = threading.Thread(
            target=self._serve, args=(source, recording, virtual.virtual_s), name="amplifier"
        )
        self._thread.start()
        return virtual

    def _serve(self, source: Any, recording: Recording | None, start_s: float) -> None:
        try:
            report = self._server.run(
                source,
                recording.markers if recording is not None else (),
                stop=self._stop,
                cues=self._cues if recording is None else None,
                start_s=start_s,
            )
        except Exception as error:
            logger.exception("the amplifier stopped")
            self._failure = error  # raised by the next `reports`
            return
        self._reports.append(report)

    def drop(self, signals: bool, markers: bool) -> None:
        if markers:
            self._markers_out.drop()
        if signals:
            self._eeg.drop()

    def hang(self, lose: bool) -> None:
        self._eeg.hang(lose)

    def restore(self, rate_hz: float | None, n_channels: int | None, dtype: str | None) -> None:
        self._eeg.restore(rate_hz, n_channels, dtype)
        self._markers_out.restore()

    def set_clock(self, offset_s: float, drift_ppm: float) -> SenderClock:
        return self._eeg.set_clock(offset_s, drift_ppm)

    def outages(self) -> tuple[Outage, ...]:
        return self._eeg.outages

    def set_speed(self, speed: float) -> VirtualClock:
        return self._server.set_speed(speed)

    def virtual(self) -> VirtualClock:
        return self._server.virtual

    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def pause(self) -> tuple[ServeReport, ...]:
        self._stop.set()
        self._join()
        return self.reports()

    def reports(self) -> tuple[ServeReport, ...]:
        if self._failure is not None:
            raise self._failure
        return tuple(self._reports)

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def close(self) -> tuple[ServeReport, ...]:
        self._stop.set()
        self._join()
        if self._cues is not None:
            self._cues.close()
        time.sleep(LINGER_S)
        self._eeg.close()
        self._markers_out.close()
        return self.reports()


class AmplifierProcess:
    """An amplifier that is another process, as a real one would be.

    Give either `recordings` or `person`. The process ends with its parent, however that ends.

    Parameters
    ----------
    recordings : sequence of RecordingFile or Recording
        Of one rate and one set of channels.
    person : mapping or None
        Keyword arguments of `SimulatedSource`.
    name : str
        Of the stream of signals; that of the markers is ``"<name> markers"``.
    source_id : str or None
        Of the stream of signals; that of the markers has ``-markers`` added. None: a new one.
    cues : StreamQuery or None
        The marker stream that the person watches, connected to whenever it appears.

    Examples
    --------
    >>> amplifier = AmplifierProcess(person={"ability": 1.0})      # doctest: +SKIP
    >>> eeg_id, markers_id = amplifier.start()                     # doctest: +SKIP
    >>> clock = amplifier.run(speed=1.0)                           # doctest: +SKIP
    >>> amplifier.drop(0.5)          # gone for half a second      # doctest: +SKIP
    >>> amplifier.hang(1.0)          # there, but silent           # doctest: +SKIP
    >>> amplifier.drop()             # gone, until ...             # doctest: +SKIP
    >>> amplifier.restore(n_channels=8)   # ... it is back changed # doctest: +SKIP
    >>> amplifier.outages()[-1].n_lost                             # doctest: +SKIP
    >>> amplifier.stop()                                           # doctest: +SKIP
    """

    def __init__(
        self,
        recordings: Sequence[RecordingFile | Recording] = (),
        *,
        person: Mapping[str, Any] | None = None,
        name: str = "Rolandic amplifier",
        source_id: str | None = None,
        cues: StreamQuery | None = None,
    ) -> None:
        if bool(recordings) == (person is not None):
            raise ValueError("give either recordings or a person")
        self.source_id = source_id or f"rolandic-{uuid.uuid4().hex[:12]}"
        self.marker_source_id = f"{self.source_id}-markers"
        self._child = ChildProcess(
            "amplifier",
            _Amplifier,
            (
                tuple(recordings),
                dict(person) if person is not None else None,
                name,
                self.source_id,
                cues,
            ),
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child.alive

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return self._child.pid

    def start(self, timeout_s: float = 60.0) -> tuple[str, str]:
        """Start the process, wait until its outlets are up; return their two source ids.

        Raises
        ------
        InputError
            For a recording that cannot be read, or recordings that do not go together.
        """
        self._child.start(timeout_s)
        return self.source_id, self.marker_source_id

    def durations_s(self) -> tuple[float, ...]:
        """Return how long each recording is."""
        durations: tuple[float, ...] = self._child.ask("durations")
        return durations

    def have_consumers(self) -> bool:
        """Whether somebody receives the signals."""
        return bool(self._child.ask("have_consumers"))

    def cues_connected(self) -> bool:
        """Whether the person sees the marker stream."""
        return bool(self._child.ask("cues_connected"))

    def play(self, index: int, speed: float = 1.0, backdate_s: float = 0.0) -> VirtualClock:
        """Begin to play a recording; samples follow `SETTLE_S` after the command.

        Parameters
        ----------
        index : int
        speed : float
        backdate_s : float
            How far in the past virtual time starts (`bci.sources.serve`).

        Returns
        -------
        VirtualClock
            Of the stamps, on the LSL clock that this machine's processes share.
        """
        clock: VirtualClock = self._child.ask("play", index, speed, backdate_s)
        return clock

    def run(self, speed: float = 1.0, backdate_s: float = 0.0) -> VirtualClock:
        """Let the simulated person's signals flow, from where they paused; see `play`."""
        clock: VirtualClock = self._child.ask("run", speed, backdate_s)
        return clock

    def pause(self) -> tuple[ServeReport, ...]:
        """Stop pushing; return the reports so far."""
        reports: tuple[ServeReport, ...] = self._child.ask("pause")
        return reports

    def drop(
        self, seconds: float | None = None, *, signals: bool = True, markers: bool = False
    ) -> None:
        """Take outlets off the network, as a program that ends does; samples due then are lost.

        Parameters
        ----------
        seconds : float or None
            Wait so long, then `restore` them under the same source ids. None: return at once.
        signals, markers : bool
            Which.
        """
        self._child.ask("drop", signals, markers)
        self._restore_after(seconds)

    def hang(self, seconds: float | None = None, *, lose: bool = True) -> None:
        """Send nothing while the outlet stands, as when a cable is pulled; then `restore`.

        Parameters
        ----------
        seconds : float or None
            As for `drop`.
        lose : bool
            Whether what falls due meanwhile is lost; else it is sent in one burst afterwards.
        """
        self._child.ask("hang", lose)
        self._restore_after(seconds)

    def restore(
        self,
        *,
        rate_hz: float | None = None,
        n_channels: int | None = None,
        dtype: str | None = None,
    ) -> None:
        """Send again, on the same outlet, or on new ones of the same source ids after a drop.

        Each argument that is given makes it a new outlet that is declared differently and sends
        accordingly: a whole fraction of the rate (every k-th sample), other channels, another
        type on the wire. A later drop and `restore()` make it the old one again.
        """
        self._child.ask("restore", rate_hz, n_channels, dtype)

    def _restore_after(self, seconds: float | None) -> None:
        if seconds is not None:
            time.sleep(seconds)
            self.restore()

    def set_clock(self, offset_s: float = 0.0, drift_ppm: float = 0.0) -> SenderClock:
        """Stamp signals and markers by a clock that is off by so much from now on.

        The stamps move, the process's clock does not: liblsl measures an offset near 0 all the
        same (`bci.sources.faults`).
        """
        clock: SenderClock = self._child.ask("set_clock", offset_s, drift_ppm)
        return clock

    def outages(self) -> tuple[Outage, ...]:
        """Return which samples were due and not sent, so far."""
        outages: tuple[Outage, ...] = self._child.ask("outages")
        return outages

    def set_speed(self, speed: float) -> VirtualClock:
        """Go on at another speed, without a step in virtual time."""
        clock: VirtualClock = self._child.ask("set_speed", speed)
        return clock

    def virtual(self) -> VirtualClock:
        """Return the virtual clock as it now is."""
        clock: VirtualClock = self._child.ask("virtual")
        return clock

    def wait_played(self, timeout_s: float) -> ServeReport:
        """Wait until the recording has been played to its end; return its report.

        Raises
        ------
        TimeoutError
            When it still plays after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while self._child.ask("busy"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the recording still plays after {timeout_s:g} s")
            time.sleep(0.02)
        report: ServeReport = self._child.ask("reports")[-1]
        return report

    def stop(self) -> tuple[ServeReport, ...]:
        """Stop pushing, take the outlets down, end the process; return a report for each play.

        More than once is harmless (and then returns nothing).
        """
        reports: tuple[ServeReport, ...] | None = self._child.close()
        return reports or ()

    def __enter__(self) -> "AmplifierProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
