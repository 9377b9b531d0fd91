"""Acquisition that outlives its stream, step by step, by a clock of the test's own."""

import numpy as np
import pytest

from bci.acquisition import Acquisition, AcquisitionState
from bci.acquisition.health import HealthLog
from bci.errors import StreamLostError, StreamRefusedError
from bci.sources.base import Channel, Chunk, StreamInfo, StreamState

RATE_HZ, CHUNK = 250.0, 25


class Flaky:
    """A source by script: each entry of `script` is what one read does.

    An int sends a chunk whose first sample is that one of the truth; ``"lost"`` is the end of the
    connection, ``"silent"`` an empty read, ``"end"`` the end. The clock moves by 0.1 s a read.
    """

    def __init__(self, script, returns=(), offsets=None):
        self.info = StreamInfo("flaky", "EEG", "flaky", RATE_HZ, (Channel("C3"),))
        self.ended = False
        self.now_s = 0.0
        self.connected = True
        self._script, self._returns = list(script), list(returns)
        self._offsets = offsets or {}
        self._n_read = 0

    def clock(self):
        """Return the time."""
        return self.now_s

    def open(self):
        """Nothing to open."""

    def read(self, timeout_s):
        """Do what the script says."""
        self.now_s += 0.1
        entry = self._script.pop(0) if self._script else "end"
        if entry == "end":
            self.ended = True
            return None
        if entry == "silent":
            return None
        if entry == "lost":
            self.connected = False
            raise StreamLostError("stream 'flaky' stopped")
        truth = entry + np.arange(CHUNK)
        offset_s = self._offsets.get(entry, 0.0)
        chunk = Chunk(self._n_read, truth[:, None] * 1.0, truth / RATE_HZ - offset_s, offset_s)
        self._n_read += CHUNK
        return chunk

    def resume(self):
        """Return when the test says so, or raise what it says."""
        self.now_s += 0.1
        what = self._returns.pop(0) if self._returns else False
        if isinstance(what, Exception):
            raise what
        self.connected = self.connected or what
        return what

    def close(self):
        """Nothing to close."""


def acquired(source, **options):
    """Run an acquisition to its end; return it with its notices."""
    notices = []
    acquisition = Acquisition(source, clock=source.clock, on_notice=notices.append, **options)
    acquisition.start()
    acquisition.ring.wait_for(10**9, 20.0)
    acquisition.stop()
    return acquisition, notices


def chunks(first, n_chunks):
    """Return the script of consecutive chunks."""
    return [first + CHUNK * k for k in range(n_chunks)]


def test_a_lost_stream_goes_on_in_a_new_segment():
    """Samples count on, the gap is at the first of the new connection, and is said with length."""
    script = [*chunks(0, 20), "lost", *chunks(1000, 4)]
    acquisition, notices = acquired(Flaky(script, returns=[False, False, True]))
    assert acquisition.state is AcquisitionState.ENDED
    assert [(gap.declared_at, gap.began_at) for gap in acquisition.gaps] == [(500, 500)]
    assert acquisition.gaps[0].lost_s == pytest.approx(2.0, abs=1e-3)
    assert [notice.state for notice in notices] == [StreamState.LOST, StreamState.RECEIVING]
    assert notices[0].sample == notices[1].sample == 500
    assert "2.000 s of signal are missing" in str(notices[1])
    window = acquisition.ring.window(600, 600)
    assert window is not None
    assert list(window.segments[[0, 499, 500, 599]]) == [0, 0, 1, 1]


def test_a_new_connection_is_a_gap_even_without_a_step_of_the_stamps():
    """That nothing was lost between two connections is not known: it is a segment of its own."""
    acquisition, _ = acquired(Flaky([*chunks(0, 4), "lost", *chunks(100, 4)], returns=[True]))
    (gap,) = acquisition.gaps
    assert gap.declared_at == 100
    assert gap.lost_s == pytest.approx(0.0, abs=1e-3)


def test_a_restarted_sender_has_lost_what_our_clock_says():
    """Its stamps leap by a day and its clock offset back: the gap is what was missed."""
    truth = chunks(1000, 4)
    source = Flaky(
        [*chunks(0, 20), "lost", *truth], returns=[True], offsets=dict.fromkeys(truth, 86400.0)
    )
    acquisition, _ = acquired(source)
    (gap,) = acquisition.gaps
    assert (gap.declared_at, gap.lost_s) == (500, pytest.approx(2.0, abs=1e-3))
    window = acquisition.ring.window(600, 600)
    assert window is not None
    np.testing.assert_allclose(window.times[500:], (1000 + np.arange(100)) / RATE_HZ, atol=1e-3)


def test_an_offset_that_leaps_alone_is_a_gap():
    """A machine that slept stamps on as if nothing had been: the offset tells."""
    asleep = chunks(500, 4)
    source = Flaky([*chunks(0, 20), *asleep], offsets=dict.fromkeys(asleep, 0.0))
    plain, _ = acquired(source)
    assert plain.gaps == ()
    source = Flaky([*chunks(0, 20), *asleep])
    read = source.read

    def slept(timeout_s):
        chunk = read(timeout_s)
        if chunk is not None and chunk.first_sample >= 500:
            return Chunk(chunk.first_sample, chunk.samples, chunk.stamps, 3.0)
        return chunk

    source.read = slept
    acquisition, _ = acquired(source)
    (gap,) = acquisition.gaps
    assert (gap.declared_at, gap.lost_s) == (500, pytest.approx(3.0))
    window = acquisition.ring.window(600, 600)
    assert window is not None
    assert window.has_gap


def test_silence_is_said_once_and_its_end_too():
    """Empty reads for longer than `silent_s` are one outage; the stream stays as it was."""
    acquisition, notices = acquired(Flaky([*chunks(0, 20), *["silent"] * 12, *chunks(500, 4)]))
    assert [notice.state for notice in notices] == [StreamState.SILENT, StreamState.RECEIVING]
    assert "nothing is missing" in str(notices[1])
    assert acquisition.gaps == ()
    assert acquisition.health.n_outages == 1


def test_a_changed_stream_is_refused_and_the_right_one_taken():
    """The refusal is said, nothing is read, and the search goes on."""
    refusal = StreamRefusedError("came back as another: 5 channels instead of 1")
    source = Flaky(
        [*chunks(0, 20), "lost", *chunks(1000, 4)], returns=[False, refusal, False, True]
    )
    acquisition, notices = acquired(source)
    assert [notice.state for notice in notices] == [
        StreamState.LOST,
        StreamState.REFUSED,
        StreamState.RECEIVING,
    ]
    assert str(notices[1]) == str(refusal)
    assert acquisition.ring.n_written == 600
    assert acquisition.health.n_outages == 1


@pytest.mark.parametrize("script", [["lost"], ["silent"] * 100], ids=["lost", "silent"])
def test_after_long_enough_it_gives_up(script):
    """With `give_up_s` an absence ends in failure, with the reason."""
    acquisition, _ = acquired(Flaky([*chunks(0, 4), *script]), give_up_s=2.0)
    assert acquisition.state is AcquisitionState.FAILED
    assert isinstance(acquisition.error, StreamLostError)


def test_health_says_silent_before_the_thread_does():
    """A thread that is held up in a read does not hide that nothing has come."""
    source = Flaky(chunks(0, 4))
    acquisition = Acquisition(source, clock=source.clock)
    acquisition.open()
    assert acquisition.health.age_s is None
    acquisition.pump(0.0)
    health = acquisition.health
    assert (health.state, health.n_samples, health.lost_for_s) == (
        StreamState.RECEIVING,
        CHUNK,
        None,
    )
    source.now_s += 0.9
    health = acquisition.health
    assert health.state is StreamState.SILENT
    assert health.lost_for_s == health.age_s == pytest.approx(0.9)
    assert health.n_outages == 1


def test_a_listener_that_fails_stops_nothing():
    """A notice that cannot be handed on is logged."""

    def failing(notice):
        raise ZeroDivisionError

    source = Flaky([*chunks(0, 4), "lost", *chunks(200, 4)], returns=[True])
    acquisition = Acquisition(source, clock=source.clock, on_notice=failing)
    acquisition.start()
    acquisition.ring.wait_for(10**9, 20.0)
    acquisition.stop()
    assert acquisition.ring.n_written == 200


def test_each_silence_is_said_as_early_as_the_first():
    """What a hanging sender held back comes in one chunk; the next hang is not said later."""
    log = HealthLog(Flaky([]).info, 0.0, 0.7, lambda notice: None)
    now_s = 0.0
    for _ in range(4):
        for _ in range(6):
            now_s += 0.1
            log.received(CHUNK, now_s, 0.0, 0.0)
        assert log.snapshot(now_s + 0.65).state is StreamState.RECEIVING
        assert log.snapshot(now_s + 0.75).state is StreamState.SILENT
        now_s += 5.0
        assert log.silent(now_s)
        assert "5.0 s" in log.snapshot(now_s).reason  # and not what it was when it was said
        log.received(1250, now_s, 0.0, 0.0)
