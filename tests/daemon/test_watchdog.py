"""When the watchdog is not answered."""

from dataclasses import replace
from pathlib import Path

import pytest

from bci.daemon.watchdog import stalled
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


def test_a_recorder_that_does_not_answer_is_a_stall() -> None:
    """After five seconds, whatever else there is."""
    assert stalled(5.5, None, None, None) == "the recorder has not answered for 6 s"
    assert stalled(4.0, recorded(), "amp", 0.1) is None


def test_samples_that_only_the_recorder_has_are_a_stall() -> None:
    """They are there: the daemon does not take them."""
    assert stalled(0.1, recorded(), "amp", 6.0) is not None
    assert stalled(0.1, recorded(), "amp", 4.0) is None
    assert stalled(0.1, recorded(), "other", 6.0) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": StreamState.LOST},
        {"state": StreamState.SILENT},
        {"state": StreamState.WAITING, "age_s": None},
        {"age_s": 6.0},
    ],
)
def test_an_amplifier_that_is_off_is_no_stall(changes: dict[str, object]) -> None:
    """A restart would bring nothing back."""
    assert stalled(0.1, recorded(**changes), "amp", 3600.0) is None


def test_nothing_to_do_is_no_stall() -> None:
    """Neither a stopped recording nor a stream that was never there."""
    assert stalled(0.0, None, "amp", 10.0) is None
    assert stalled(0.1, recorded(), None, None) is None
