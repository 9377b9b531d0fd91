"""The streams that an experiment is connected to: signals, and the markers beside them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bci.acquisition import Acquisition, StreamNotice
from bci.acquisition.markers import MarkerThread
from bci.errors import StreamLostError
from bci.events import Marker
from bci.experiment.states import ExperimentError
from bci.recording.eventlog import EventLog
from bci.sources.base import StreamState
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.markers import MarkerInlet

__all__ = ["Streams"]

_WATCH_S = 0.25


class Streams:
    """Acquires one EEG stream and listens to one marker stream.

    A stream that is lost is looked for. That it is silent is said during a run only: between runs
    an amplifier may rest.

    Parameters
    ----------
    log : EventLog
    on_notice : callable
        Called with what the user should know.

    Attributes
    ----------
    acquisition : Acquisition or None
    queries : list of StreamQuery
        Of what is connected: what a recording of it holds.
    unit : str or None
        Of the EEG channels, where the user said it.
    marker_takers : list of callables
        Called with each marker, in the marker thread.
    """

    def __init__(self, log: EventLog, on_notice: Callable[[str], None]) -> None:
        self._log, self._notice = log, on_notice
        self._absence_told = False
        self._in_run = False
        self._markers: MarkerThread | None = None
        self.acquisition: Acquisition | None = None
        self.queries: list[StreamQuery] = []
        self.unit: str | None = None
        self.marker_takers: list[Callable[[Marker], None]] = []

    def connected(self) -> Acquisition:
        """Return the acquisition.

        Raises
        ------
        ExperimentError
            When no stream is connected.
        """
        if self.acquisition is None:
            raise ExperimentError("no stream is connected")
        return self.acquisition

    def connect(
        self, eeg: StreamQuery, markers: StreamQuery | None, unit: str | None, timeout_s: float
    ) -> None:
        """Acquire and listen; either both, or nothing is connected."""
        source = LslSource(eeg, unit=unit, timeout_s=timeout_s)
        acquisition = Acquisition(source, on_notice=self._stream_changed)
        acquisition.start()
        self.acquisition, self.unit = acquisition, unit
        self.queries = [StreamQuery.of(acquisition.info)]
        try:
            if markers is not None:
                inlet = MarkerInlet(markers, timeout_s=timeout_s)
                self._markers = MarkerThread(inlet, self._take_marker, self._notice)
                self._markers.start()
                self.queries.append(markers)
            self._log.write(
                "connected",
                stream=acquisition.info.name,
                source_id=acquisition.info.source_id,
                rate_hz=acquisition.info.rate_hz,
                channels=acquisition.info.labels,
            )
        except BaseException:
            self.let_go()
            raise
        for warning in source.warnings:
            self._notice(warning)

    def listen(self, markers: StreamQuery, timeout_s: float) -> None:
        """Listen to these markers from now on; if they are not there, all stays as it was.

        Raises
        ------
        ExperimentError
            When no stream is connected.
        StreamError
            When there is no such stream, or several.
        """
        self.connected()
        if self.queries[1:] == [markers]:
            return
        thread = MarkerThread(
            MarkerInlet(markers, timeout_s=timeout_s), self._take_marker, self._notice
        )
        if self._markers is not None:
            self._markers.stop()
        self._markers = thread
        self.queries[1:] = [markers]
        thread.start()
        self._log.write("markers_connected", markers=str(markers))

    @contextmanager
    def needed(
        self, give_up_s: float, on_lost: Callable[[StreamLostError], None]
    ) -> Iterator[None]:
        """Let a run depend on the stream.

        Parameters
        ----------
        give_up_s : float
            When nothing has come for so long, `on_lost` is called, once.
        on_lost : callable
        """
        acquisition = self.connected()
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_WATCH_S):
                absent_s = acquisition.health.lost_for_s
                if absent_s is not None and absent_s > give_up_s:
                    on_lost(
                        StreamLostError(
                            f"LSL stream {acquisition.info.name!r} has sent nothing for "
                            f"{give_up_s:g} s: is the amplifier on?"
                        )
                    )
                    return

        thread = threading.Thread(target=watch, name="acquisition watch", daemon=True)
        self._in_run = True
        thread.start()
        try:
            yield
        finally:
            self._in_run = False
            over.set()
            thread.join()

    def _stream_changed(self, notice: StreamNotice) -> None:
        if notice.state is StreamState.RECEIVING:
            told, self._absence_told = self._absence_told, False
        else:
            told = self._in_run or notice.state is not StreamState.SILENT
            self._absence_told |= told
        if told:
            self._notice(notice.text)

    def let_go(self) -> None:
        """Disconnect; without a connection nothing happens."""
        if self._markers is not None:
            self._markers.stop()
            self._markers = None
        acquisition, self.acquisition = self.acquisition, None
        if acquisition is not None:
            acquisition.stop()
            self._log.write(
                "disconnected", samples=acquisition.ring.n_written, gaps=len(acquisition.gaps)
            )

    def _take_marker(self, marker: Marker) -> None:
        self._log.write("marker", label=marker.label, time_s=marker.time_s)
        for take in tuple(self.marker_takers):
            take(marker)
