"""The amplifier of a session: what is there, the connection, how good the electrodes are.

================  ============================  =======================================
attribute         writer                        readers
================  ============================  =======================================
simulator         the connecting thread         any
watch, placement  the connecting thread         any (swapped whole)
traces            the window, `end_traces`      any
unit_question     the connecting thread         any (swapped whole)
markers           the marker thread             any (a bounded deque, copied by `tuple`)
================  ============================  =======================================
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal, SignalGroup

from bci.acquisition import Acquisition, RingBuffer
from bci.checks import Check
from bci.errors import ChannelError, RolandicError
from bci.events import Marker
from bci.experiment.electrodes import Electrodes, ElectrodeWatch
from bci.experiment.placement import Placement, find_places
from bci.experiment.searching import (
    FoundEntry,
    PreflightCheck,
    StreamCounts,
    StreamSearch,
    counts_of,
    planned,
    spoken,
)
from bci.experiment.simulator import Simulator
from bci.experiment.snapshots import SignalsSnapshot, of_stream, with_recorder
from bci.experiment.states import ExperimentError, tell
from bci.experiment.traces import TraceFeed, TraceView
from bci.experiment.unit_question import UnitQuestion, ask_of_refusal, ask_of_stream
from bci.paradigm import LslTime, RunClock
from bci.signal.envelope import warm_up
from bci.sources.discovery import StreamQuery

if TYPE_CHECKING:
    from bci.experiment.session import Session

__all__ = ["SignalsEvents", "SignalsPart", "SignalsSnapshot", "UnitQuestion"]

_log = logging.getLogger(__name__)

#: Markers kept for the lane below the traces.
_N_MARKERS = 400


class SignalsEvents(SignalGroup):
    """What happens to the amplifier."""

    #: What is connected has changed, or whether something is being connected.
    connection_changed = Signal()
    #: Why connecting failed.
    connection_failed = Signal(str)
    #: Streams on the network: tuple of `FoundEntry`.
    streams_found = Signal(object)
    #: Checks so far (tuple of `Check`), whether they are done.
    preflight_progressed = Signal(object, bool)
    #: `Electrodes`, twice a second.
    electrodes_seen = Signal(object)
    #: `Placement`
    placed = Signal(object)
    #: `Marker`
    marker_received = Signal(object)


class SignalsPart:
    """The amplifier of a session.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    simulator : Simulator or None
    connecting : bool
        Whether a connection is being made, or ended.
    leaving : bool
        Whether it is being ended.
    watch : ElectrodeWatch or None
        Of the connected stream.
    traces : TraceFeed or None
        While traces are shown.
    placement : Placement
        Of the connected stream's EEG channels.
    unit_question : UnitQuestion or None
        What the clinician should answer by `declare_unit`.
    checks : tuple of Check
        Of the newest pre-flight.
    failure : str
        Why the last connection failed; empty: it did not.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.events = SignalsEvents()
        self.simulator: Simulator | None = None
        self.connecting = self.leaving = False
        self.watch: ElectrodeWatch | None = None
        self.traces: TraceFeed | None = None
        self.placement = Placement()
        self.unit_question: UnitQuestion | None = None
        self.checks: tuple[Check, ...] = ()
        self.failure = ""
        self.markers: deque[Marker] = deque(maxlen=_N_MARKERS)
        self._in_the_past = False
        self._thread: threading.Thread | None = None
        self._places_thread: threading.Thread | None = None
        self._search: StreamSearch | None = None
        self._ended_traces: TraceFeed | None = None
        self._preflight: PreflightCheck | None = None
        self._names: dict[str, str] = {}
        session.experiment.events.marker_received.connect(self._take_marker)

    # --- how it is ------------------------------------------------------------------------

    @property
    def acquisition(self) -> Acquisition | None:
        """Of the connected stream."""
        return self._session.experiment.acquisition

    @property
    def eeg_channels(self) -> tuple[str, ...]:
        """Labels of the EEG channels of the connected stream; empty while there is none."""
        acquisition = self.acquisition
        if acquisition is None:
            return ()
        return tuple(c.label for c in acquisition.info.channels if c.kind.upper() in ("EEG", ""))

    @property
    def found(self) -> tuple[FoundEntry, ...] | None:
        """The streams that were found last; None: nobody looks, or the first answers are due."""
        return self._search.found if self._search is not None else None

    def snapshot(self) -> SignalsSnapshot:
        """Return how the signals and their recording are at this moment; waits for nothing."""
        experiment, acquisition = self._session.experiment, self.acquisition
        snapshot = SignalsSnapshot()
        if acquisition is not None:
            snapshot = of_stream(
                acquisition,
                self.watch,
                frozenset(self._session.setup.bad_channels),
                simulated=self.simulator is not None,
                in_the_past=self._in_the_past,
            )
        recording = experiment.recording
        status = recording.status if recording is not None else None
        running = self._session.active is not None
        return replace(with_recorder(snapshot, status, running=running), connecting=self.connecting)

    # --- what is there --------------------------------------------------------------------

    def look_for_streams(self) -> None:
        """Look for streams until `stop_looking`; events say what is found."""
        if self._search is None:
            self._search = StreamSearch(
                lambda found: tell(self.events.streams_found, found),
                [self._session.cues.source_id],
            )
            self._search.start()

    def stop_looking(self) -> None:
        """Look for streams no more."""
        search, self._search = self._search, None
        if search is not None:
            search.stop()

    @property
    def checking(self) -> bool:
        """Whether a pre-flight is going on."""
        return self._preflight is not None and self._preflight.running

    def check(self) -> None:
        """Check what the session needs, in a thread; events say what is found."""
        if self.checking:
            return
        self.checks = ()
        acquisition, experiment = self.acquisition, self._session.experiment
        plan, self._names = planned(
            self._session.folder,
            self._session.setup,
            StreamQuery.of(acquisition.info) if acquisition is not None else None,
            self._session.cues.source_id,
            experiment.model,
        )
        self._preflight = PreflightCheck(plan, self._checked)
        self._preflight.start()

    def stream_counts(self) -> StreamCounts:
        """Count what the newest pre-flight says of the streams that are expected."""
        return counts_of(self.checks, len(self._names))

    def _checked(self, checks: tuple[Check, ...], done: bool) -> None:
        self.checks = spoken(checks, self._names)
        tell(self.events.preflight_progressed, self.checks, done)

    # --- the connection -------------------------------------------------------------------

    def connect(self, query: StreamQuery, *, unit: str | None = None) -> None:
        """Connect an amplifier, in a thread; events say what becomes of it.

        Parameters
        ----------
        query : StreamQuery
        unit : str, optional
            Of its channels; default: what the clinician said of this stream, else what it says.
        """
        setup = self._session.setup
        if unit is None and setup.unit and query.source_id == setup.stream:
            unit = setup.unit
        self._begin(lambda: self._connect(query, unit))

    def start_simulator(
        self,
        person: Mapping[str, Any] | None = None,
        *,
        history_s: float = 0.0,
        speed: float = 1.0,
    ) -> None:
        """Start a simulated amplifier and connect it, in a thread; see `Simulator`."""

        def start() -> None:
            self._let_go()
            simulator = Simulator(
                self._session.cues_query, person, history_s=history_s, speed=speed
            )
            self.simulator, self._in_the_past = simulator, history_s > 0
            try:
                simulator.start()
                self._connect(simulator.query, None)
                simulator.begin()
            except BaseException:
                simulator.stop()
                self.simulator = None
                raise

        self._begin(start)

    def declare_unit(self, unit: str) -> None:
        """Answer `unit_question`: connect again, in that unit.

        Parameters
        ----------
        unit : str
            Such as ``"uV"``.
        """
        question, self.unit_question = self.unit_question, None
        if question is not None:
            self.connect(question.query, unit=unit)

    def disconnect(self) -> None:
        """Let go of the amplifier, in a thread; events say when it is done.

        Raises
        ------
        ExperimentError
            While a run is going on.
        """
        if self._session.active is not None:
            raise ExperimentError("a run is going on: stop it first")

        def let_go() -> None:
            self.leaving = True
            self._let_go()
            self.end_simulator()

        self._begin(let_go)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for a connection that is being made or ended; for scripts, never in the window."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    @contextmanager
    def paced(self, ring: RingBuffer) -> Iterator[RunClock]:
        """Give the clock of a calibration run: real time, unless a simulator runs faster."""
        # The experiment gives up before, and knows why nothing comes.
        patience_s = self._session.experiment.give_up_s + 5.0
        if self.simulator is None:
            yield LslTime(ring, patience_s)
        else:
            with self.simulator.paced(ring, patience_s) as clock:
                yield clock

    def catch_up(self, cancelled: threading.Event) -> None:
        """Wait until a simulator that ran faster is in the present; else nothing is waited for."""
        if self.simulator is not None:
            self.simulator.catch_up(cancelled)

    def end_simulator(self) -> None:
        """End the simulated amplifier, if there is one."""
        simulator, self.simulator = self.simulator, None
        if simulator is not None:
            simulator.stop()

    def close(self) -> None:
        """Wait for what is being connected, end the threads."""
        self.wait(30.0)
        search = self._search
        self.stop_looking()
        if self._preflight is not None:
            self._preflight.stop()
            self._preflight.join(10.0)
        if search is not None:
            search.join()
        self._end_threads()
        if self._places_thread is not None:
            self._places_thread.join(10.0)

    # --- what is shown of it --------------------------------------------------------------

    def show_traces(self, view: TraceView) -> TraceFeed | None:
        """Begin to make traces of the connected stream; None where there is none."""
        acquisition = self.acquisition
        if acquisition is None:
            return None
        if self.traces is None:
            self.traces = TraceFeed(acquisition, view)
            self.traces.start()
        else:
            self.traces.view = view
        return self.traces

    def end_traces(self) -> None:
        """Make no traces any more: nobody looks."""
        traces, self.traces = self.traces, None
        if traces is not None:
            traces.stop()
            self._ended_traces = traces

    def mark_bad(self, label: str, bad: bool) -> None:
        """Mark a channel bad, or good again.

        Raises
        ------
        ExperimentError
            While a run is going on.
        """
        marked = [name for name in self._session.setup.bad_channels if name != label]
        if bad:
            marked.append(label)
        self._session.change(bad_channels=tuple(marked))

    def choose_montage(self, montage: str) -> None:
        """Take the electrodes' places from a montage: checked in a thread, kept if it is one.

        Parameters
        ----------
        montage : str
            See `bci.features.scalp.read_montage`; empty: what the stream says, or the standard
            head.
        """
        self._places_thread = threading.Thread(
            target=self._place, args=(montage,), name="placement", daemon=True
        )
        self._places_thread.start()

    def _place(self, montage: str, *, keep: bool = True) -> None:
        acquisition, session = self.acquisition, self._session
        if acquisition is None:
            return
        eeg = [c for c in acquisition.info.channels if c.kind.upper() in ("EEG", "")]
        setup, model = session.setup, session.experiment.model
        needed, by = setup.epochs.channels, "the session"
        if model is not None:
            needed, by = tuple(model.channels), "the decoder"
        try:
            self.placement = find_places(eeg, montage, needed, by, setup.bad_channels)
            if keep and montage != setup.montage:
                session.change(montage=montage)
        except RolandicError as error:
            session.notice(str(error), "caution", "signals")
            if montage:
                self.placement = find_places(eeg, "", needed, by, setup.bad_channels)
        tell(self.events.placed, self.placement)

    # --- in the connecting thread ---------------------------------------------------------

    def _begin(self, work: Callable[[], None]) -> None:
        if self.connecting:
            return
        self.connecting, self.failure = True, ""

        def run() -> None:
            failure = ""
            try:
                work()
            except RolandicError as error:
                failure = str(error)
            except Exception as error:
                _log.exception("connecting failed")
                failure = f"connecting failed: {type(error).__name__}: {error}"
            self.connecting, self.leaving, self.failure = False, False, failure
            if failure:
                tell(self.events.connection_failed, failure)
                self._session.notice(failure, "trouble", "signals")
            tell(self.events.connection_changed)
            tell(self._session.events.readiness_changed)

        self._thread = threading.Thread(target=run, name="connect", daemon=True)
        self._thread.start()
        tell(self.events.connection_changed)

    def _connect(self, query: StreamQuery, unit: str | None) -> None:
        if self.acquisition is not None:
            self._let_go()
        self.unit_question = None
        try:
            self._session.experiment.connect(query, self._session.cues_query, unit=unit)
        except ChannelError as error:
            if unit is None:
                self.unit_question = ask_of_refusal(error, query)
            raise
        acquisition = self.acquisition
        if acquisition is None:
            return
        if self.simulator is not None and query != self.simulator.query:
            self.end_simulator()
        if self.simulator is None:
            self._in_the_past = False
            self._session.change(stream=acquisition.info.source_id, unit=unit or "")
        warm_up()
        self.watch = ElectrodeWatch(
            acquisition,
            lambda: self._session.setup.mains_hz,
            self._session.folder,
            lambda seen: self._seen(seen),
        )
        self.watch.start()
        if unit is None:
            self.unit_question = ask_of_stream(acquisition, query)
        self._place(self._session.setup.montage, keep=False)

    def _seen(self, seen: Electrodes) -> None:
        tell(self.events.electrodes_seen, seen)

    def _take_marker(self, marker: Marker) -> None:
        self.markers.append(marker)
        tell(self.events.marker_received, marker)

    def _let_go(self) -> None:
        """Disconnect, and end what looks at the stream."""
        if self.acquisition is not None:
            self._session.experiment.disconnect()
        self._end_threads()
        self.unit_question = None
        self.placement = Placement()

    def _end_threads(self) -> None:
        self.end_traces()
        watch, self.watch = self.watch, None
        if watch is not None:
            watch.stop()
        if self._ended_traces is not None:
            self._ended_traces.join()
