"""The amplifier of a session, without a window: found, checked, connected, judged."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pylsl
import pytest

from bci.acquisition import RingBuffer
from bci.events import Marker
from bci.experiment.electrodes import Electrodes
from bci.experiment.placement import find_places
from bci.experiment.searching import entries_of
from bci.experiment.session import Session
from bci.experiment.snapshots import SignalsSnapshot
from bci.experiment.traces import TraceFeed, TraceView
from bci.signal import CausalFilter
from bci.signal.display import DisplayFilter
from bci.signal.envelope import Envelope
from bci.sources.base import Channel, StreamInfo
from bci.sources.discovery import StreamQuery, configure_lsl, find_streams
from bci.workspace import Workspace

from .conftest import setup_of

RATE_HZ = 250.0
LABELS = ("FC3", "C3", "Cz", "C4", "CP3", "CP4", "Fz", "Pz", "X9")


def until(condition: Callable[[], bool], timeout_s: float = 40.0) -> None:
    """Wait until something is so."""
    never, deadline = threading.Event(), time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it has not come"
        never.wait(0.02)


class Amplifier:
    """Sends noise of 20 (microvolts, it does not say so) until it is closed; Pz is flat."""

    def __init__(self, source_id: str, unit: str = "") -> None:
        configure_lsl()
        info = pylsl.StreamInfo("test amp", "EEG", len(LABELS), RATE_HZ, "float32", source_id)
        channels = info.desc().append_child("channels")
        for label in LABELS:
            node = channels.append_child("channel")
            node.append_child_value("label", label)
            node.append_child_value("type", "EEG")
            if unit:
                node.append_child_value("unit", unit)
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test amp", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        rng, sent, began = np.random.default_rng(0), 0, time.monotonic()
        while not self._over.wait(0.02):
            # As many as are due: a machine under load must not slow the amplifier down.
            n = int((time.monotonic() - began) * RATE_HZ) - sent
            sent += n
            common = 15 * rng.standard_normal((n, 1))
            noise = common + 6 * rng.standard_normal((n, len(LABELS)))
            noise[:, LABELS.index("Pz")] = 0.0
            if self._outlet is not None:
                self._outlet.push_chunk(noise.astype(np.float32), pylsl.local_clock())

    def close(self) -> None:
        """Go away."""
        self._over.set()
        self._thread.join()
        self._outlet = None


@pytest.fixture(scope="module")
def amplifier() -> Iterator[Callable[..., str]]:
    """Make amplifiers; return their source ids."""
    made: list[Amplifier] = []

    def make(unit: str = "", source_id: str = "") -> str:
        source_id = source_id or f"test-{uuid.uuid4().hex[:8]}"
        made.append(Amplifier(source_id, unit))
        return source_id

    make.made = made  # type: ignore[attr-defined]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def session(new_session: Callable[..., Session]) -> Session:
    """Return a session without an amplifier."""
    return new_session()


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory, amplifier: Callable[..., str]
) -> Iterator[Session]:
    """Return a session that is connected to an amplifier in microvolts."""
    session = Session(Workspace(tmp_path_factory.mktemp("live") / "study"), setup_of())
    session.signals.connect(StreamQuery(source_id=amplifier("microvolts")))
    session.signals.wait(40.0)
    assert not session.signals.failure
    yield session
    session.close()


def test_nothing_is_connected_at_first(session: Session) -> None:
    """The snapshot says so, without asking anybody."""
    assert session.signals.snapshot() == SignalsSnapshot()
    assert session.signals.show_traces(TraceView()) is None


def test_streams_are_found_by_themselves(live: Session) -> None:
    """With name, type, channels and rate; the session's own cues are not among them."""
    source_id, part = live.setup.stream, live.signals
    part.look_for_streams()
    until(lambda: any(e.source_id == source_id for e in part.found or ()))
    entry = next(e for e in part.found or () if e.source_id == source_id)
    assert (entry.name, entry.kind, entry.n_channels, entry.rate_hz) == ("test amp", "EEG", 9, 250)
    assert not entry.why_not
    assert live.cues.source_id not in [e.source_id for e in part.found or ()]
    part.stop_looking()


def test_a_connected_stream_is_judged(live: Session) -> None:
    """A word for each electrode, its place, and a spectrum; the stream is remembered."""
    part = live.signals
    assert part.unit_question is None
    assert live.setup.stream
    until(lambda: part.watch is not None and any(part.watch.seen.quality))
    assert part.watch is not None
    seen = part.watch.seen
    assert seen.of("flat") == ["Pz"]
    assert ("flat", "plug in Pz, or mend the cable") in seen.todo
    assert seen.spectra is not None
    assert seen.spectra.decibels.shape == (9, len(seen.spectra.freqs_hz))
    snapshot = part.snapshot()
    assert snapshot.state == "receiving"
    assert snapshot.age_ms is not None
    assert 0 <= snapshot.age_ms < 500
    assert (snapshot.n_good, snapshot.n_total) == (seen.n_usable, 9)
    assert snapshot.disk_free_bytes
    assert "X9" in " ".join(part.placement.mismatches)
    assert set(part.placement.names) == set(LABELS) - {"X9"}


def test_a_stream_without_a_unit_is_asked_about(
    session: Session, amplifier: Callable[..., str]
) -> None:
    """Meanwhile microvolts are taken; the answer holds for this stream from then on."""
    source_id = amplifier()
    part = session.signals
    part.connect(StreamQuery(source_id=source_id))
    part.wait(40.0)
    question = part.unit_question
    assert question is not None
    assert "no unit" in question.text
    assert question.suggested == "uV"
    part.declare_unit("mV")
    part.wait(40.0)
    assert part.unit_question is None
    assert session.setup.unit == "mV"
    ring = session.experiment.acquisition.ring  # type: ignore[union-attr]
    until(lambda: ring.n_written > 100)
    window = ring.window(ring.n_written, 100)
    assert window is not None
    assert 5e-3 < window.samples[:, 0].std() < 5e-2
    part.disconnect()
    part.wait(40.0)
    assert part.acquisition is None
    part.connect(StreamQuery(source_id=source_id))
    part.wait(40.0)
    assert part.unit_question is None


def test_a_unit_that_is_no_voltage_is_asked_about(
    session: Session, amplifier: Callable[..., str]
) -> None:
    """Nothing is connected until it is answered."""
    source_id = amplifier("counts")
    part = session.signals
    part.connect(StreamQuery(source_id=source_id))
    part.wait(40.0)
    assert "'counts'" in part.failure
    assert part.acquisition is None
    assert part.unit_question is not None
    part.declare_unit("uV")
    part.wait(40.0)
    assert not part.failure
    assert part.acquisition is not None


def test_a_lost_stream_is_said_and_taken_up_again(
    session: Session, amplifier: Callable[..., str]
) -> None:
    """The snapshot says that it is lost, electrodes are not judged; both end with its return."""
    source_id = amplifier("microvolts")
    part = session.signals
    part.connect(StreamQuery(source_id=source_id))
    part.wait(40.0)
    until(lambda: part.snapshot().state == "receiving")
    amplifier.made[-1].close()  # type: ignore[attr-defined]
    until(lambda: part.snapshot().state in ("lost", "silent"))
    until(lambda: part.watch is not None and not any(part.watch.seen.quality))
    assert part.snapshot().reason
    amplifier("microvolts", source_id)
    until(lambda: part.snapshot().state == "receiving")
    until(lambda: part.watch is not None and any(part.watch.seen.quality))


def test_what_is_there_twice_is_no_amplifier(amplifier: Callable[..., str]) -> None:
    """Two programs that send one source id: neither can be chosen, and it says why."""
    source_id = amplifier("microvolts")
    amplifier("microvolts", source_id)
    found = find_streams(StreamQuery(source_id=source_id), 1.0)
    assert [entry.twice for entry in entries_of(found)] == [True, True]
    assert all("end all but one" in entry.why_not for entry in entries_of(found))
    assert entries_of(found, without=[source_id]) == ()


def test_preflight_counts_what_is_expected(session: Session, amplifier: Callable[..., str]) -> None:
    """A stream that is not there is missing, with what to do; once connected all is ready."""
    part = session.signals
    session.change(stream="not-there")
    told: list[bool] = []
    part.events.preflight_progressed.connect(lambda checks, done: told.append(done))
    part.check()
    until(lambda: bool(told) and told[-1])
    counts = part.stream_counts()
    assert (counts.expected, counts.found, counts.missing, counts.doubled) == (2, 1, 1, 0)
    missing = next(c for c in part.checks if c.name == "amplifier")
    assert missing.status == "failed"
    assert "--" not in missing.advice
    part.connect(StreamQuery(source_id=amplifier("microvolts")))
    part.wait(40.0)
    until(lambda: not part.checking)
    told.clear()
    part.check()
    until(lambda: bool(told) and told[-1])
    assert part.stream_counts().found == 2
    assert [c.name for c in part.checks if c.status == "failed"] == []
    assert any(c.name == "amplifier: rate" for c in part.checks)


def test_montages_are_kept_if_they_are_some(live: Session) -> None:
    """A name that nobody knows is said, and changes nothing; mismatches are named."""
    session, part = live, live.signals
    said: list[str] = []
    session.events.noticed.connect(lambda notice: said.append(notice.text))
    part.choose_montage("biosemi63")
    until(lambda: bool(said))
    assert "biosemi63" in said[-1]
    assert session.setup.montage == ""
    part.choose_montage("biosemi16")
    until(lambda: session.setup.montage == "biosemi16")
    until(lambda: part.placement.source == "biosemi16")
    assert any("FC3" in text and "X9" in text for text in part.placement.mismatches)


def test_bad_channels_are_left_out_of_what_decoders_see(live: Session) -> None:
    """Marking is kept with the session, and counts in the snapshot; a second time undoes it."""
    session, part = live, live.signals
    for label in LABELS:
        part.mark_bad(label, True)
    assert part.snapshot().n_good == 0
    assert part.snapshot().bad == set(LABELS)
    for label in LABELS[1:]:
        part.mark_bad(label, False)
    assert session.epochs.bad_channels == LABELS[:1]
    part.mark_bad(LABELS[0], False)
    assert session.setup.bad_channels == ()


def test_the_recorder_shows_in_the_snapshot(connected: Session) -> None:
    """While a run is recorded: its time, its bytes, the room that is left."""
    part = connected.signals
    assert not part.snapshot().recording
    connected.calibration.start()
    until(lambda: part.snapshot().recording)
    until(lambda: part.snapshot().recorded_bytes > 0)
    assert part.snapshot().file.endswith(".xdf")
    connected.stop()
    assert connected.wait_run(30.0)
    assert not part.snapshot().recording
    assert part.markers[0].label == "run_start"


def test_nobody_waits_for_a_session_that_closes(tmp_path: Path) -> None:
    """Searches, checks and watches end with it."""
    before = set(threading.enumerate())
    session = Session(Workspace(tmp_path / "study"), setup_of())
    session.signals.look_for_streams()
    session.signals.check()
    session.signals.start_simulator()
    session.close()
    names = {thread.name for thread in set(threading.enumerate()) - before}
    assert not names & {"stream search", "preflight", "electrodes", "traces", "connect"}


# --- traces, without a stream ---------------------------------------------------------------


def ring_of(seconds: float, *, gap_at: int | None = None) -> tuple[RingBuffer, np.ndarray]:
    """Return a ring with seeded noise, and that noise."""
    n = round(seconds * RATE_HZ)
    samples = 1e-5 * np.random.default_rng(3).standard_normal((n, 2))
    ring = RingBuffer(20_000, 2)
    times = 100.0 + np.arange(n) / RATE_HZ
    segments = np.zeros(n, dtype=np.int64)
    if gap_at is not None:
        segments[gap_at:] = 1
    ring.write(samples, times, times, segments, 0.0)
    return ring, samples


def feed_of(ring: RingBuffer, view: TraceView) -> TraceFeed:
    """Return a feed of a ring."""
    info = StreamInfo("amp", "EEG", "a", RATE_HZ, (Channel("C3"), Channel("C4")))
    return TraceFeed(SimpleNamespace(ring=ring, info=info), view)  # type: ignore[arg-type]


@pytest.mark.parametrize("gap_at", [None, 900])
def test_traces_are_the_filtered_signal(gap_at: int | None) -> None:
    """The feed's columns are those of the causal filter over all of it; anew after a gap."""
    view = TraceView(200, 4.0, DisplayFilter(1.0, 40.0))
    ring, samples = ring_of(5.0, gap_at=gap_at)
    feed = feed_of(ring, view)
    feed.start()
    try:
        until(lambda: feed.shown is not None and feed.shown.envelope.n_samples == len(samples))
        shown = feed.shown
        assert shown is not None
        causal = CausalFilter(view.display.sections(RATE_HZ), 2)
        expected = Envelope(200, 2, 4.0 * RATE_HZ / 200)
        if gap_at is None:
            expected.append(causal(samples))
        else:
            expected.append(causal(samples[:gap_at]))
            causal.restart()
            expected.append(causal(samples[gap_at:]), anew=True)
        assert np.array_equal(shown.envelope.high, expected.high)
        assert shown.envelope.gap.sum() == (0 if gap_at is None else 1)
        assert shown.labels == ("C3", "C4")
    finally:
        feed.stop()
        feed.join()


def test_another_view_is_made_anew_and_new_samples_follow() -> None:
    """A change of width swaps the columns; what is written later is appended."""
    ring, _ = ring_of(5.0)
    feed = feed_of(ring, TraceView(200, 4.0, DisplayFilter(1.0, 40.0)))
    feed.start()
    try:
        until(lambda: feed.shown is not None)
        before = feed.shown
        feed.show(n_columns=100, display=DisplayFilter())
        until(lambda: feed.shown is not None and feed.shown is not before)
        shown = feed.shown
        assert shown is not None
        assert shown.view.n_columns == 100
        n = shown.envelope.n_samples
        times = 105.0 + np.arange(50) / RATE_HZ
        ring.write(np.zeros((50, 2)), times, times, np.zeros(50, dtype=np.int64), 0.0)
        until(lambda: shown.envelope.n_samples == n + 50)
    finally:
        feed.stop()
        feed.join()


def test_markers_are_placed_by_their_time() -> None:
    """On the column of the sample of that time; older ones are gone, newer ones lie ahead."""
    ring, _ = ring_of(10.0)
    feed = feed_of(ring, TraceView(400, 4.0, DisplayFilter()))
    feed.start()
    try:
        until(lambda: feed.shown is not None)
        old, there, ahead = (Marker(t, "left_hand") for t in (101.0, 108.0, 110.1))
        placed = feed.marker_columns((old, there, ahead))
        shown = feed.shown
        assert shown is not None
        assert [marker for _, marker in placed] == [there, ahead]
        sample = placed[0][0] * shown.envelope.per_column + shown.first_sample
        assert sample == pytest.approx(8.0 * RATE_HZ, abs=0.01)
        assert placed[1][0] > shown.envelope.n_columns
    finally:
        feed.stop()
        feed.join()


def test_places_name_everything_that_does_not_fit() -> None:
    """Doubled labels, channels that a decoder lacks, bad ones that are not there."""
    channels = [Channel("C3"), Channel("C3"), Channel("Cz", position_m=(0.0, 0.0, 0.1))]
    found = find_places(channels, "", ("C3", "C4"), "the decoder", ("T7",))
    told = " | ".join(found.mismatches)
    assert "C3 more than once" in told
    assert "the decoder needs C4" in told
    assert "T7" in told
    assert found.source == "stream"


def test_what_is_not_good_comes_with_what_to_do() -> None:
    """Bad words before those that only deserve care."""
    seen = Electrodes(("C3", "C4", "Cz"), ("mains", "flat", "good"), ("", "", ""))
    assert [word for word, _ in seen.todo] == ["flat", "mains"]
    assert seen.n_usable == 2
