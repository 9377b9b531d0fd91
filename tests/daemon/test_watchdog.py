"""When the watchdog is not answered."""

from dataclasses import replace
from pathlib import Path

import pytest

from bci.daemon.watchdog import StallWatch
from bci.recording.status import RecorderStatus, StreamCount, StreamState

STREAM = StreamCount(
    name="Amp",
    kind="EEG",
    source_id="amp",
    hostname="here",
    rate_hz=250.0,
    n_channels=2,
    n_samples=1000,
    n_written=990,
    n_synced=800,
    first_stamp=0.0,
    last_stamp=4.0,
    age_s=0.02,
    effective_hz=250.0,
    state=StreamState.RECEIVING,
)


def recorded(**changes: object) -> RecorderStatus:
    """Return a status with the stream, changed."""
    return RecorderStatus(
        path=Path("a.xdf"),
        streams=(replace(STREAM, **changes),),  # type: ignore[arg-type]
        duration_s=4.0,
        n_bytes=1,
        disk_left_bytes=1,
        disk_left_s=None,
    )


class Clock:
    """A time that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return it."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


def test_a_recorder_that_does_not_answer_is_a_stall(clock: Clock) -> None:
    """After five seconds, whatever else there is."""
    watch = StallWatch(clock)
    assert watch.look(5.5, None, None, None) == "the recorder has not answered for 6 s"
    assert watch.look(4.0, recorded(), "amp", 0.1) is None
    assert watch.reason is None


def test_samples_that_only_the_recorder_has_are_a_stall(clock: Clock) -> None:
    """They are there: the daemon does not take them."""
    watch, other = StallWatch(clock), StallWatch(clock)
    for second in range(8):
        clock.now_s = 100.0 + second
        reason = watch.look(0.1, recorded(), "amp", 1.0 + second)
        assert (reason is not None) == (second > 5)
        assert other.look(0.1, recorded(), "other", 1.0 + second) is None
    assert watch.look(0.1, recorded(), "amp", 0.1) is None


def test_the_time_in_which_the_amplifier_was_off_does_not_count(clock: Clock) -> None:
    """When it returns, the recorder is a second or two quicker than the acquisition: no stall."""
    watch = StallWatch(clock)
    for second in range(60):
        clock.now_s = 100.0 + second
        assert watch.look(0.1, recorded(state=StreamState.LOST), "amp", 1.0 + second) is None
    for second in range(60, 64):
        clock.now_s = 100.0 + second
        assert watch.look(0.1, recorded(), "amp", 1.0 + second) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": StreamState.LOST},
        {"state": StreamState.SILENT},
        {"state": StreamState.WAITING, "age_s": None},
        {"age_s": 6.0},
    ],
)
def test_an_amplifier_that_is_off_is_no_stall(clock: Clock, changes: dict[str, object]) -> None:
    """A restart would bring nothing back."""
    watch = StallWatch(clock)
    for clock.now_s in (0.0, 3600.0):
        assert watch.look(0.1, recorded(**changes), "amp", 3600.0) is None


def test_nothing_to_do_is_no_stall(clock: Clock) -> None:
    """Neither a stopped recording nor a stream that was never there."""
    watch = StallWatch(clock)
    for clock.now_s in (0.0, 10.0):
        assert watch.look(0.0, None, "amp", 10.0) is None
        assert watch.look(0.1, recorded(), None, None) is None
