"""Streams that drop, hang and return: acquisition goes on, every gap is marked to the sample."""

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bci.acquisition import Acquisition, StreamNotice
from bci.acquisition.markers import MarkerThread
from bci.events import Marker
from bci.sources.amplifier import AmplifierProcess
from bci.sources.base import Channel, StreamInfo, StreamState
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.sources.lsl import LslSource
from bci.sources.markers import MarkerInlet
from bci.sources.recording import Recording

RATE_HZ = 250.0
WAIT_S = 20.0


def counting(duration_s: float, markers: tuple[Marker, ...] = ()) -> Recording:
    """Return a recording whose first channel counts microvolts, whatever was lost before."""
    n_samples = round(duration_s * RATE_HZ)
    samples = np.arange(n_samples)[:, None] * 1e-6 * np.array([1.0, 0.5, 0.25])
    return Recording(
        path=Path("counting"),
        info=StreamInfo(
            "counting", "EEG", "", RATE_HZ, tuple(Channel(c, "uV") for c in ("C3", "Cz", "C4"))
        ),
        samples=samples,
        stamps=np.arange(n_samples) / RATE_HZ,
        clock_offsets=np.empty((0, 2)),
        markers=markers,
    )


def until(condition: Callable[[], bool], what: str, within_s: float = WAIT_S) -> float:
    """Wait for a condition; return how long it took (s)."""
    start, waiting = lsl_clock(), threading.Event()
    while not condition():
        assert lsl_clock() - start < within_s, f"not within {within_s:g} s: {what}"
        waiting.wait(0.005)
    return lsl_clock() - start


class Watched:
    """An acquisition of an amplifier that counts, and what it says."""

    def __init__(self, amplifier: AmplifierProcess, buffer_s: float = 30.0) -> None:
        self.amplifier = amplifier
        self.notices: list[StreamNotice] = []
        self.acquisition = Acquisition(
            LslSource(StreamQuery(source_id=amplifier.source_id), timeout_s=WAIT_S),
            buffer_s=buffer_s,
            on_notice=self.notices.append,
        )
        self.acquisition.start()

    @property
    def state(self) -> StreamState:
        """How the stream is."""
        return self.acquisition.health.state

    def until_more(self, n_samples: int) -> None:
        """Wait for so many more samples."""
        ring = self.acquisition.ring
        assert ring.wait_for(ring.n_written + n_samples, WAIT_S)

    def check_gaps(self) -> np.ndarray:
        """Check that each gap, and nothing else, is marked to the sample; return what was lost."""
        ring = self.acquisition.ring
        window = ring.window(ring.n_written, ring.n_written)
        assert window is not None, "the ring is too short for the test"
        counted = np.rint(window.samples[:, 0] * 1e6).astype(int)
        missing = np.diff(counted) - 1
        assert (missing >= 0).all()
        at = np.flatnonzero(missing) + 1
        np.testing.assert_array_equal(at, np.flatnonzero(np.diff(window.segments)) + 1)
        assert [gap.declared_at for gap in self.acquisition.gaps] == at.tolist()
        lost = np.array([gap.lost_s for gap in self.acquisition.gaps]) * RATE_HZ
        np.testing.assert_allclose(lost, missing[at - 1], atol=0.5)
        assert (np.diff(window.times) > 0).all()
        return missing[at - 1]


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    """Play a counter on an amplifier in another process, and acquire it."""
    duration_s = getattr(request, "param", 60.0)
    process = AmplifierProcess([counting(duration_s)], source_id=f"test-{uuid.uuid4().hex}")
    process.start()
    watched = None
    try:
        watched = Watched(process, buffer_s=duration_s)
        process.play(0)
        watched.until_more(50)
        yield watched
    finally:
        if watched is not None:
            watched.acquisition.stop()
        process.stop()


def test_a_stream_that_drops_again_and_again_resumes_within_two_seconds(soak: bool) -> None:
    """Dropped 100 times (5 in short): back within 2 s of each return, every gap where it is."""
    n_drops, rng = 100 if soak else 5, np.random.default_rng(7)
    duration_s = 10.0 + 4.0 * n_drops
    with AmplifierProcess([counting(duration_s)], source_id=f"test-{uuid.uuid4().hex}") as process:
        watched = Watched(process, buffer_s=duration_s)
        try:
            process.play(0)
            watched.until_more(50)
            took_s = []
            for away_s in rng.uniform(0.0, 1.0, n_drops):
                process.drop()
                until(lambda: watched.state is StreamState.LOST, "the loss is seen", 1.0)
                threading.Event().wait(away_s)
                process.restore()
                n_before = watched.acquisition.ring.n_written
                took_s.append(
                    until(
                        lambda n=n_before: watched.acquisition.ring.n_written > n,
                        "samples come again",
                        2.0,
                    )
                )
                watched.until_more(int(rng.integers(20, 60)))
            watched.acquisition.stop()
        finally:
            watched.acquisition.stop()
        assert len(watched.check_gaps()) == n_drops
        assert len([n for n in watched.notices if n.state is StreamState.LOST]) == n_drops
        assert len([n for n in watched.notices if n.state is StreamState.RECEIVING]) == n_drops
        print(
            f"{n_drops} drops: samples again {np.median(took_s):.2f} s after the return (median), "
            f"{max(took_s):.2f} s at worst"
        )


def test_silence_is_said_within_a_second_and_ends_with_a_gap(watched: Watched) -> None:
    """A sender that hangs is silent within 1 s, both in `health` and as a notice."""
    watched.until_more(400)  # before that no stream is known to be exact
    watched.amplifier.hang()
    took_s = until(lambda: watched.state is StreamState.SILENT, "health says it", 1.0)
    until(lambda: bool(watched.notices), "a notice says it", 1.0 - took_s)
    assert "has sent nothing" in str(watched.notices[0])
    watched.amplifier.restore()
    watched.until_more(20)
    until(lambda: len(watched.notices) == 2, "the return is said", 1.0)
    assert watched.notices[1].state is StreamState.RECEIVING
    watched.acquisition.stop()
    (n_lost,) = watched.check_gaps()
    assert f": {n_lost / RATE_HZ:.3f} s of signal are missing" in str(watched.notices[1])
    assert watched.notices[1].outage_s is not None
    assert watched.notices[1].outage_s >= n_lost / RATE_HZ - 0.05
    health = watched.acquisition.health
    assert (health.n_outages, health.n_gaps) == (1, 1)
    assert health.lost_s == pytest.approx(n_lost / RATE_HZ, abs=1e-3)


def test_what_is_sent_late_is_no_gap(watched: Watched) -> None:
    """A link that stalls and then delivers everything loses nothing."""
    watched.amplifier.hang(1.2, lose=False)
    watched.until_more(350)
    watched.acquisition.stop()
    assert len(watched.check_gaps()) == 0
    assert [notice.state for notice in watched.notices] == [
        StreamState.SILENT,
        StreamState.RECEIVING,
    ]


def test_a_stream_that_comes_back_changed_is_refused(watched: Watched) -> None:
    """The refusal names what differs, nothing of it is taken; the old one is taken up again."""
    watched.amplifier.drop()
    until(lambda: watched.state is StreamState.LOST, "the loss is seen", 1.0)
    n_before = watched.acquisition.ring.n_written
    for change, said in (
        ({"rate_hz": 125.0}, "rate of 125 Hz instead of 250 Hz"),
        ({"n_channels": 5}, "5 channels instead of 3"),
        ({"dtype": "int16"}, "int16 instead of float32"),
    ):
        watched.amplifier.restore(**change)  # type: ignore[arg-type]
        until(lambda said=said: said in watched.acquisition.health.reason, said, 3.0)
        assert watched.state is StreamState.REFUSED
    assert watched.acquisition.ring.n_written == n_before
    watched.amplifier.drop(0.1)
    took_s = until(lambda: watched.state is StreamState.RECEIVING, "the old one is taken up", 2.0)
    watched.until_more(20)
    watched.acquisition.stop()
    assert len(watched.check_gaps()) == 1
    assert [notice.state for notice in watched.notices] == [
        StreamState.LOST,
        *3 * [StreamState.REFUSED],
        StreamState.RECEIVING,
    ]
    print(f"taken up after {took_s:.2f} s")


def test_markers_come_and_go() -> None:
    """A marker stream that drops is looked for, and its markers come again after its return."""
    markers = tuple(Marker(0.1 * k, "T1") for k in range(1, 300))
    source_id = f"test-{uuid.uuid4().hex}"
    got: list[Marker] = []
    notices: list[str] = []
    with AmplifierProcess([counting(30.0, markers)], source_id=source_id) as process:
        thread = MarkerThread(
            MarkerInlet(StreamQuery(source_id=process.marker_source_id), WAIT_S),
            got.append,
            notices.append,
        )
        thread.start()
        try:
            process.play(0)
            until(lambda: len(got) >= 3, "markers")
            process.drop(0.3, signals=False, markers=True)
            n_before = len(got)
            until(lambda: len(got) > n_before, "markers again", 2.0)
        finally:
            thread.stop()
    assert "has closed" in notices[0]
    assert "is back" in notices[1]
    gaps = np.diff([marker.time_s for marker in got])
    assert np.sum(gaps > 0.15) == 1
